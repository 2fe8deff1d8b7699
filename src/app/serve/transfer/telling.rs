//! Telling secondaries of changes (RFC 1996), and what else a change brings.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tracing::{debug, warn};

use super::{Transfers, held};
use crate::app::config::{Server, ZoneSettings};
use crate::base::bounds;
use crate::dns::{Message, Name, Opcode};
use crate::edge::clock::wall_seconds;
use crate::edge::transfer::exchange;
use crate::handlers::authority::transfer::{Notifying, compose_notify, soa_of_zone};
use crate::handlers::authority::tsig::sign_request;

/// Zones that become ours without data are looked for this often.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Changes that are followed up together.
const TOGETHER: usize = 1_000;

impl Transfers {
    /// Hears of changes, for ever.
    pub(super) fn hear(self: &Arc<Self>) {
        let (transfers, mut news) = (Arc::clone(self), self.keeper.subscribe());
        tokio::spawn(async move {
            let mut look = tokio::time::interval(LOOK_EVERY);
            loop {
                let mut heard = tokio::select! {
                    heard = news.recv() => Some(heard),
                    _ = look.tick() => None,
                };
                // What comes in one go is followed up once.
                let mut changed = BTreeSet::new();
                while let Some(one) = heard.take() {
                    match one {
                        Ok(one) => changed.extend(one.serial.map(|_| one.apex)),
                        Err(RecvError::Lagged(_)) => {
                            let all = transfers.keeper.all_settings();
                            changed.extend(all.iter().map(|settings| settings.apex.clone()));
                        }
                        Err(RecvError::Closed) => return,
                    }
                    if changed.len() < TOGETHER {
                        heard = news.try_recv().ok().map(Ok);
                    }
                }
                transfers.keep_catalogs();
                transfers.follow_all();
                for apex in changed {
                    transfers.tell_of(&apex);
                }
            }
        });
    }

    /// Tells the secondaries of `apex` that it has changed. One that is being told hears of it when it has
    /// acknowledged the change before.
    fn tell_of(self: &Arc<Self>, apex: &Name) {
        let Some(settings) = self.keeper.settings(apex) else { return };
        let mut telling = held(&self.telling);
        for server in &settings.transfer.notify {
            let place = (apex.clone(), server.address);
            if let Some(another) = telling.get(&place) {
                another.send_replace(());
            } else if telling.len() < bounds::NOTIFIES_MAX {
                let (another, changes) = watch::channel(());
                telling.insert(place, another);
                tokio::spawn(Arc::clone(self).tell(Arc::clone(&settings), server.clone(), changes));
            } else {
                warn!("{apex}: too many secondaries are being told; {} is not", server.address);
            }
        }
    }

    async fn tell(self: Arc<Self>, settings: Arc<ZoneSettings>, server: Server, mut changes: watch::Receiver<()>) {
        loop {
            changes.mark_unchanged();
            if let Err(why) = self.tell_once(&settings, &server).await {
                warn!("{}: {} does not take a NOTIFY: {why}", settings.apex, server.address);
            }
            // Under the lock: nobody may find us here and then not be heard.
            let mut telling = held(&self.telling);
            if !changes.has_changed().unwrap_or(false) {
                telling.remove(&(settings.apex.clone(), server.address));
                return;
            }
        }
    }

    async fn tell_once(&self, settings: &ZoneSettings, server: &Server) -> Result<(), String> {
        let key = self.key_for(server, settings)?;
        let mut notifying = Notifying::default();
        let mut last = String::new();
        while let Some(pause) = notifying.poll_pause() {
            // The serial of now, should it have changed again.
            let Some(soa) = self.keeper.zone(&settings.apex).and_then(|zone| soa_of_zone(&zone)) else { return Ok(()) };
            let mut notify = compose_notify(self.new_id(), &soa);
            let verifier = key.as_ref().map(|key| sign_request(key, &mut notify, wall_seconds()));
            let rest = tokio::time::sleep(pause);
            match exchange(server.address, &self.own, &notify, pause).await {
                Ok(response) => {
                    let verified = verifier.map_or(Ok(()), |mut one| one.verify(&response, wall_seconds()));
                    verified.map_err(|disbelief| disbelief.to_string())?;
                    return read_acknowledgement(&response).inspect(|()| {
                        debug!("{}: {} has taken a NOTIFY", settings.apex, server.address);
                    });
                }
                Err(fault) => last = fault.to_string(),
            }
            // A secondary that refuses at once may be starting.
            rest.await;
        }
        Err(last)
    }
}

/// Any response ends it, and one that is an error says why (RFC 1996 §4.8).
fn read_acknowledgement(response: &[u8]) -> Result<(), String> {
    let message = Message::parse(response).map_err(|fault| fault.to_string())?;
    match message.rcode {
        _ if message.flags.opcode != Opcode::NOTIFY => Err("it answers something else".into()),
        crate::dns::Rcode::NOERROR => Ok(()),
        rcode => Err(format!("it answers {rcode}")),
    }
}
