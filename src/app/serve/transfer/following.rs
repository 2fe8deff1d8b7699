//! The task of one secondary zone: it does what the zone's [`Secondary`] decides.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use super::fetching::Order;
use super::{Followed, Note, Transfers, held, keeping};
use crate::app::config::{Server, ZoneSettings};
use crate::app::serve::zones::Cause;
use crate::base::tally::Event;
use crate::base::{Clock, Dice};
use crate::edge::clock::wall_seconds;
use crate::handlers::authority::Zone;
use crate::handlers::authority::transfer::{Action, Secondary, Timers};

/// NOTIFYs that wait for a zone's task.
const NOTES: usize = 8;
/// With nothing else to do, a task looks at its zone this often.
const IDLE: Duration = Duration::from_secs(3_600);

impl Transfers {
    /// Follows exactly the zones that are now secondaries, each from the primaries that it has now.
    pub(super) fn follow_all(self: &Arc<Self>) {
        let wanted: BTreeMap<_, _> = self
            .keeper
            .all_settings()
            .into_iter()
            .filter(|settings| settings.is_secondary())
            .map(|settings| (settings.apex.clone(), settings))
            .collect();
        let mut followed = held(&self.followed);
        followed
            .retain(|apex, one| wanted.get(apex).is_some_and(|settings| is_followed_alike(settings, &one.settings)));
        for (apex, settings) in wanted {
            if let Some(one) = followed.get_mut(&apex) {
                one.settings = settings;
                continue;
            }
            let (notes, inbox) = mpsc::channel(NOTES);
            let task = tokio::spawn(Follower::run(Arc::clone(self), Arc::clone(&settings), inbox));
            followed.insert(apex, Followed { settings, notes, task });
        }
    }
}

/// Whether a task for the one does for the other.
fn is_followed_alike(one: &ZoneSettings, other: &ZoneSettings) -> bool {
    one.primaries == other.primaries && one.transfer.key == other.transfer.key
}

struct Follower {
    transfers: Arc<Transfers>,
    settings: Arc<ZoneSettings>,
    secondary: Secondary,
    /// The newest version had, be it expired.
    zone: Option<Arc<Zone>>,
    notes: mpsc::Receiver<Note>,
    dice: Dice,
}

impl Follower {
    async fn run(transfers: Arc<Transfers>, settings: Arc<ZoneSettings>, notes: mpsc::Receiver<Note>) {
        let kept = keeping::load(&transfers, &settings).await;
        let now = transfers.clock.now();
        let known = kept.as_ref().map(|(zone, age)| (zone.serial(), Timers::of(zone), *age));
        let secondary = Secondary::new(settings.primaries.len(), known, now);
        let dice = Dice::from_number(held(&transfers.dice).bits());
        if let Some((_, age)) = &kept {
            transfers.keeper.note_confirmed(&settings.apex, wall_seconds().saturating_sub(age.as_secs()));
        }
        let zone = kept.map(|(zone, _)| zone);
        let mut follower = Self { transfers, settings, secondary, zone, notes, dice };
        if follower.secondary.is_serving() {
            follower.put_in_force();
        } else if let Some(zone) = &follower.zone {
            warn!("{}: serial {} has expired; it is not served", zone.apex(), zone.serial());
        }
        loop {
            let now = follower.transfers.clock.now();
            if let Some(action) = follower.secondary.poll_action(now) {
                follower.act(action).await;
                continue;
            }
            let wait = follower.secondary.poll_timeout().map_or(IDLE, |due| due.since(now));
            tokio::select! {
                note = follower.notes.recv() => match note {
                    Some(note) => follower.take(note),
                    None => return,
                },
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    fn take(&mut self, note: Note) {
        let now = self.transfers.clock.now();
        self.secondary.handle_notify(note.primary, note.serial, now);
    }

    async fn act(&mut self, action: Action) {
        let transfers = Arc::clone(&self.transfers);
        let settings = Arc::clone(&self.settings);
        let apex = &settings.apex;
        match action {
            Action::Check { primary } => {
                let Some(server) = settings.primaries.get(primary) else { return };
                let serial = self.meanwhile(transfers.serial_at(server, &settings)).await;
                let now = transfers.clock.now();
                let event = if serial.is_ok() { Event::PrimariesAnswered } else { Event::PrimariesFailed };
                transfers.keeper.count(event);
                match serial {
                    Ok(serial) => {
                        debug!("{apex}: {} has serial {serial}", server.address);
                        self.secondary.handle_serial(serial, now, &mut self.dice);
                    }
                    Err(why) => {
                        warn!("{apex}: no serial from {}: {why}", server.address);
                        self.secondary.handle_fault(false, now, &mut self.dice);
                    }
                }
            }
            Action::Transfer { primary, is_incremental, newer_than } => {
                let Some(server) = settings.primaries.get(primary) else { return };
                let current = self.zone.clone();
                let order = Order { is_incremental, newer_than, current: current.as_ref() };
                let fetched = self.meanwhile(transfers.fetch(server, &settings, order)).await;
                let now = transfers.clock.now();
                let event = if fetched.is_ok() { Event::TransfersInDone } else { Event::TransfersInFailed };
                transfers.keeper.count(event);
                match fetched {
                    Ok(None) => self.secondary.handle_version(None, now, &mut self.dice),
                    Ok(Some((zone, how))) => self.take_version(zone, server, how).await,
                    Err(failed) => {
                        let kind = if is_incremental { "IXFR" } else { "AXFR" };
                        warn!("{apex}: {kind} from {} failed: {}", server.address, failed.why);
                        self.secondary.handle_fault(failed.calls_for_axfr, now, &mut self.dice);
                    }
                }
            }
            Action::Confirm => {
                if transfers.keeper.zone(apex).is_none() {
                    self.put_in_force();
                }
                transfers.keeper.note_confirmed(apex, wall_seconds());
                keeping::confirm(&transfers, &settings).await;
            }
            Action::Withdraw => {
                warn!("{apex}: expired: no primary has confirmed it in time");
                transfers.keeper.withdraw(apex);
            }
        }
    }

    async fn take_version(&mut self, zone: Arc<Zone>, server: &Server, how: &str) {
        info!("{}: serial {} from {} by {how}", zone.apex(), zone.serial(), server.address);
        let version = (zone.serial(), Timers::of(&zone));
        self.zone = Some(Arc::clone(&zone));
        self.put_in_force();
        self.transfers.keeper.note_confirmed(&self.settings.apex, wall_seconds());
        keeping::save(&self.transfers, &self.settings, zone).await;
        let now = self.transfers.clock.now();
        self.secondary.handle_version(Some(version), now, &mut self.dice);
    }

    fn put_in_force(&self) {
        if let Some(zone) = &self.zone {
            self.transfers.keeper.replace(Arc::clone(zone), Cause::Transfer);
        }
    }

    /// Waits for `work`; NOTIFYs are taken and an expired version is withdrawn in the meantime.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            let now = self.transfers.clock.now();
            let wait = self.secondary.poll_timeout().map_or(IDLE, |due| due.since(now));
            tokio::select! {
                biased;
                done = &mut work => return done,
                Some(note) = self.notes.recv() => self.take(note),
                () = tokio::time::sleep(wait) => {
                    let now = self.transfers.clock.now();
                    if self.secondary.poll_action(now) == Some(Action::Withdraw) {
                        warn!("{}: expired: no primary has confirmed it in time", self.settings.apex);
                        self.transfers.keeper.withdraw(&self.settings.apex);
                    }
                }
            }
        }
    }
}
