//! Keeps what is trusted up to date while the server runs: follows the keys of the anchors (RFC 5011), and makes and ends
//! exceptions (RFC 7646). What it knows lies in `state`, written aside and renamed; the version before is kept too, so that
//! of a file that is broken the last good one counts.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tracing::{debug, info, warn};

use super::inquiry::Inquiry;
use crate::app::serve::station::Surroundings;
use crate::base::{Dice, bounds};
use crate::dns::{Message, Name, Rcode, RecordType, RrSet};
use crate::edge::admin::figures::{AnchorFigures, TrustFigures};
use crate::edge::admin::trust::{Exempt, NotExempt};
use crate::edge::clock::wall_seconds;
use crate::edge::files::{read_text, write_aside};
use crate::handlers::resolve::anchors::{Trust, Validation};
use crate::handlers::resolve::exceptions::{Exception, Exceptions, Refusal};
use crate::handlers::resolve::rollover::{Change, Rollover, State, saved};

/// The files in the `state` folder.
const ANCHORS: &str = "anchors";
const ANCHORS_BEFORE: &str = "anchors.before";
const EXCEPTIONS: &str = "exceptions";
/// The EDNS option that says why (RFC 8914 §2).
const EXTENDED_ERROR: u16 = 15;
/// How often it is looked whether something is due.
const TICK: Duration = Duration::from_secs(1);
/// Looks before keys are asked for the first time: the line to the internet may come up after us.
const FIRST_TICKS: u32 = 10;

/// Who is trusted with trust.
pub struct Trustee {
    surroundings: Surroundings,
    inquiry: Inquiry,
    state: Option<PathBuf>,
    held: Mutex<Held>,
    /// Held while something is saved.
    saving: Mutex<bool>,
}

#[derive(Default)]
struct Held {
    /// Of all anchors, by zone.
    rollovers: Vec<Rollover>,
    /// Names that are excepted.
    exceptions: Exceptions,
}

/// Forgets what is remembered of a name and all below it.
pub type Forget = dyn Fn(Name) -> tokio::task::JoinHandle<()> + Send + Sync;

impl Trustee {
    /// Takes over what lies in `state`, if there is one, and puts it in force in the house of `surroundings`.
    #[must_use]
    pub fn new(surroundings: Surroundings, state: Option<&Path>, dice: &mut Dice) -> Self {
        let inquiry = Inquiry::new(surroundings.clone(), dice);
        let mut held = Held::default();
        if let Some(state) = state {
            held.rollovers = load_anchors(state);
            held.exceptions = load_exceptions(state);
        }
        let state = state.map(Path::to_owned);
        let trustee = Self { surroundings, inquiry, state, held: Mutex::new(held), saving: Mutex::new(false) };
        trustee.follow_written();
        trustee.put_in_force();
        trustee
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the running house validates by; none where it does not.
    fn validation(&self) -> Option<Arc<Validation>> {
        self.surroundings.current.snapshot().1.resolution.validation.clone()
    }

    /// Follows exactly the anchors that the operator has written by now.
    fn follow_written(&self) {
        let Some(validation) = self.validation() else { return };
        let written = validation.written();
        let mut held = self.held();
        let mut known = std::mem::take(&mut held.rollovers);
        held.rollovers = written
            .iter()
            .map(|set| match known.iter().position(|rollover| rollover.written() == set) {
                Some(at) => known.swap_remove(at),
                None => Rollover::new(set.clone()),
            })
            .collect();
    }

    fn put_in_force(&self) {
        let Some(validation) = self.validation() else { return };
        let held = self.held();
        validation.follow(held.rollovers.iter().map(Rollover::trusted).collect());
        validation.except(held.exceptions.in_force(wall_seconds()).cloned().collect());
    }

    /// What is trusted now.
    fn trust(&self) -> Arc<Trust> {
        self.validation().map(|validation| Arc::clone(&validation.trust())).unwrap_or_default()
    }

    /// Does what is due, for as long as the runtime lives. What is no longer excepted is forgotten by `forget`.
    pub async fn run(self: Arc<Self>, forget: Box<Forget>) {
        let mut before = self.trust();
        for tick in 0_u32.. {
            if self.validation().is_some() {
                self.follow_written();
                self.put_in_force(); // a reload may have other anchors
                for name in before.lapsed(&self.trust()) {
                    forget(name).await.ok();
                }
                self.end_exceptions(&*forget).await;
                self.try_exceptions(&*forget).await;
                if tick >= FIRST_TICKS {
                    self.look_at_keys().await;
                }
                before = self.trust();
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// Asks for the keys of the anchors whose time has come.
    async fn look_at_keys(&self) {
        let wall = wall_seconds();
        let due: Vec<Name> = {
            let mut held = self.held();
            let changes: Vec<Change> =
                held.rollovers.iter_mut().flat_map(|rollover| rollover.handle_timeout(wall)).collect();
            changes.iter().for_each(tell);
            let is_due = |rollover: &&Rollover| rollover.poll_timeout(wall) <= wall;
            held.rollovers.iter().filter(is_due).map(|rollover| rollover.zone().clone()).collect()
        };
        for zone in due {
            // Unchecked: it is for who follows the keys to say whose signature counts.
            let response = self.inquiry.ask(&zone, RecordType::DNSKEY, true).await;
            let keys = response.as_ref().and_then(|response| keys_in(response, &zone));
            let wall = wall_seconds();
            {
                let mut held = self.held();
                let Some(rollover) = held.rollovers.iter_mut().find(|rollover| *rollover.zone() == zone) else {
                    continue;
                };
                if let Some(keys) = keys {
                    if !rollover.is_authentic(&keys, wall) {
                        debug!("the keys of {zone} are not signed by one that is trusted");
                    }
                    rollover.handle_keys(&keys, wall).iter().for_each(tell);
                } else {
                    let outcome = response.map_or("no response".to_owned(), |response| response.rcode.to_string());
                    debug!("the keys of {zone} were not to be had: {outcome}");
                    rollover.handle_failure(wall);
                }
            }
            self.put_in_force();
            self.save_anchors();
        }
    }

    /// Ends the exceptions whose time has come.
    async fn end_exceptions(&self, forget: &Forget) {
        let ended = self.held().exceptions.handle_timeout(wall_seconds());
        for exception in ended {
            info!("{} is validated again: the time of the exception is over", exception.name);
            self.exceptions_changed(exception.name, forget).await;
        }
    }

    /// Tries which of the excepted names validate again.
    async fn try_exceptions(&self, forget: &Forget) {
        loop {
            let due = self.held().exceptions.poll_try(wall_seconds());
            let Some(name) = due else { return };
            let response = self.inquiry.ask(&name, RecordType::SOA, false).await;
            let is_sound = |response: &Message| matches!(response.rcode, Rcode::NOERROR | Rcode::NXDOMAIN);
            let validates = response.as_ref().is_some_and(is_sound);
            let outcome = response.map_or("no response".to_owned(), |response| outcome(&response));
            let ended = self.held().exceptions.handle_tried(&name, validates, &outcome, wall_seconds());
            if ended.is_some() {
                info!("{name} validates again: it is excepted no more");
                self.exceptions_changed(name, forget).await;
            } else {
                debug!("{name} does not validate yet: {outcome}");
            }
        }
    }

    async fn exceptions_changed(&self, name: Name, forget: &Forget) {
        self.put_in_force();
        self.save_exceptions();
        forget(name).await.ok();
    }

    /// Excepts a name; what is known of it is then to be forgotten.
    ///
    /// # Errors
    /// Why not.
    pub fn except(&self, order: &Exempt) -> Result<Value, NotExempt> {
        if self.validation().is_none() {
            return Err(NotExempt::Idle);
        }
        let by = (order.actor.as_str(), order.reason.as_str());
        let wall = wall_seconds();
        let told = {
            let mut held = self.held();
            let put = held.exceptions.put(order.name.clone(), order.lasts, order.stays, by, wall);
            let exception = put.map_err(|refusal| match refusal {
                Refusal::TooMany => NotExempt::TooMany(refusal.to_string()),
                _ => NotExempt::Refused(refusal.to_string()),
            })?;
            warn!("{} is not validated for {} s, by {}: {}", order.name, order.lasts.as_secs(), by.0, by.1);
            shown(exception)
        };
        self.put_in_force();
        self.save_exceptions();
        Ok(told)
    }

    /// Excepts a name no more; whether it was. What is known of it is then to be forgotten.
    pub fn lift(&self, name: &Name) -> bool {
        let lifted = self.held().exceptions.lift(name).is_some();
        if lifted {
            info!("{name} is validated again");
            self.put_in_force();
            self.save_exceptions();
        }
        lifted
    }

    /// The exceptions in force, for people and programs.
    #[must_use]
    pub fn exceptions(&self) -> Vec<Value> {
        self.held().exceptions.list().iter().map(shown).collect()
    }

    /// What is trusted and what is excepted, for people and programs.
    #[must_use]
    pub fn report(&self) -> Value {
        let Some(validation) = self.validation() else {
            return json!({ "validates": false, "anchors": [], "negative": [], "exceptions": [] });
        };
        let held = self.held();
        let anchors: Vec<Value> = held.rollovers.iter().map(|rollover| of_anchor(rollover, &validation)).collect();
        let is_excepted = |name: &Name| held.exceptions.list().iter().any(|exception| exception.name == *name);
        let negative = validation.trust().negative.clone();
        let negative: Vec<String> =
            negative.iter().filter(|name| !is_excepted(name)).map(ToString::to_string).collect();
        let exceptions: Vec<Value> = held.exceptions.list().iter().map(shown).collect();
        json!({ "validates": true, "anchors": anchors, "negative": negative, "exceptions": exceptions })
    }

    /// The same in numbers.
    #[must_use]
    pub fn figures(&self) -> TrustFigures {
        if self.validation().is_none() {
            return TrustFigures::default();
        }
        let held = self.held();
        let anchors = held.rollovers.iter().take(bounds::ZONES_TOLD).map(|rollover| {
            let count = |state: State| rollover.keys().iter().filter(|key| key.state == state).count() as u64;
            let states = [State::Pending, State::Valid, State::Missing, State::Revoked];
            AnchorFigures {
                zone: rollover.zone().to_string(),
                trusted: rollover.trusted().rdatas.iter().count() as u64,
                keys: states.map(|state| (state.word(), count(state))).into(),
                seen: rollover.seen(),
                changed: rollover.keys().iter().map(|key| key.since).max(),
            }
        });
        TrustFigures { anchors: anchors.collect(), exceptions: held.exceptions.list().len() as u64 }
    }

    /// Saves nothing any more: what is decided from now on is another process's.
    pub fn retire(&self) {
        *self.saving.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    fn save_anchors(&self) {
        let text = saved::compose(&self.held().rollovers);
        self.save(ANCHORS, &text, Some(ANCHORS_BEFORE));
    }

    fn save_exceptions(&self) {
        let text = self.held().exceptions.compose();
        self.save(EXCEPTIONS, &text, None);
    }

    fn save(&self, file: &str, text: &str, before: Option<&str>) {
        let Some(state) = &self.state else { return };
        let is_retired = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        if *is_retired {
            return;
        }
        let path = state.join(file);
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(state)?;
            if let Some(before) = before
                && path.exists()
            {
                std::fs::rename(&path, state.join(before))?;
            }
            write_aside(&path, |file| std::io::Write::write_all(file, text.as_bytes()))
        };
        if let Err(fault) = write() {
            warn!("{}: {fault}; it is not kept what is trusted", path.display());
        }
    }
}

/// What was saved of the anchors: of two versions the newest that is whole.
fn load_anchors(state: &Path) -> Vec<Rollover> {
    for file in [ANCHORS, ANCHORS_BEFORE] {
        let path = state.join(file);
        match read_text(&path).map(|(text, _)| saved::parse(&text)) {
            Ok(Some(rollovers)) => return rollovers,
            Ok(None) => warn!("{}: it is not whole; what was known before counts", path.display()),
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => {}
            Err(fault) => warn!("{}: {fault}; what was known before counts", path.display()),
        }
    }
    Vec::new()
}

fn load_exceptions(state: &Path) -> Exceptions {
    let path = state.join(EXCEPTIONS);
    match read_text(&path) {
        Ok((text, _)) => Exceptions::parse(&text),
        Err(fault) => {
            if fault.kind() != std::io::ErrorKind::NotFound {
                warn!("{}: {fault}; nothing is excepted", path.display());
            }
            Exceptions::default()
        }
    }
}

fn tell(change: &Change) {
    if matches!(change.state, Some(State::Missing | State::Revoked)) {
        warn!("{change}");
    } else {
        info!("{change}");
    }
}

/// The zone's DNSKEY RRset in a response.
fn keys_in(response: &Message, zone: &Name) -> Option<RrSet> {
    if response.rcode != Rcode::NOERROR {
        return None;
    }
    let own = || response.answer.iter().filter(|record| record.owner == *zone);
    let keys = own().filter(|record| record.rtype == RecordType::DNSKEY);
    let ttl = keys.clone().map(|record| record.ttl).min()?;
    let mut set = RrSet::new(zone.clone(), RecordType::DNSKEY, ttl, keys.map(|record| &record.rdata));
    let covered = RecordType::DNSKEY.0.to_be_bytes();
    let signatures = own().filter(|record| record.rtype == RecordType::RRSIG && record.rdata.starts_with(&covered));
    set.signatures = signatures.map(|record| &record.rdata).collect();
    Some(set)
}

/// A response in a few words: its code, and why.
fn outcome(response: &Message) -> String {
    let rcode = response.rcode.to_string();
    let ede = response.edns.as_ref().and_then(|edns| edns.option(EXTENDED_ERROR));
    let text = ede.and_then(|ede| ede.get(2..)).map(String::from_utf8_lossy).filter(|text| !text.is_empty());
    text.map_or_else(|| rcode.clone(), |text| format!("{rcode} ({text})"))
}

fn shown(exception: &Exception) -> Value {
    let Exception { name, since, until, stays, actor, reason, tried } = exception;
    let tried = tried.as_ref().map(|(at, outcome)| json!({ "at": at, "outcome": outcome }));
    json!({
        "name": name.to_string(), "since": since, "until": until, "stays": stays, "actor": actor, "reason": reason,
        "tried": tried,
    })
}

fn of_anchor(rollover: &Rollover, validation: &Validation) -> Value {
    let keys: Vec<Value> = rollover
        .keys()
        .iter()
        .map(|key| {
            let (tag, algorithm) = (key.key.tag(), key.key.algorithm().to_string());
            json!({ "tag": tag, "algorithm": algorithm, "state": key.state.word(), "since": key.since })
        })
        .collect();
    let trust = validation.trust();
    let tags: Vec<u16> =
        trust.anchors.of(rollover.zone()).into_iter().flat_map(|set| set.rdatas.iter()).filter_map(tag).collect();
    json!({
        "zone": rollover.zone().to_string(), "trusted": tags, "keys": keys, "seen": rollover.seen(),
        "next": rollover.poll_timeout(wall_seconds()),
    })
}

/// The tag in a DS record.
fn tag(ds: &[u8]) -> Option<u16> {
    ds.first_chunk::<2>().map(|tag| u16::from_be_bytes(*tag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handlers::resolve::anchors::Anchors;

    #[test]
    fn of_a_half_written_file_the_last_good_one_counts() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path();
        let old = Rollover::new(Anchors::builtin().of(&Name::root()).unwrap().clone());
        let mut new = old.clone();
        new.handle_failure(1_790_812_800);
        assert_eq!(load_anchors(state), [], "nothing was saved yet");
        std::fs::write(state.join(ANCHORS_BEFORE), saved::compose([&old])).unwrap();
        assert_eq!(load_anchors(state), std::slice::from_ref(&old), "a crash between the two renamings");
        let text = saved::compose([&new]);
        std::fs::write(state.join(ANCHORS), &text).unwrap();
        assert_eq!(load_anchors(state), [new]);
        std::fs::write(state.join(ANCHORS), &text[..text.len() / 2]).unwrap();
        assert_eq!(load_anchors(state), [old]);
        std::fs::write(state.join(ANCHORS_BEFORE), "").unwrap();
        assert_eq!(load_anchors(state), [], "what is written or built in counts");
    }

    #[test]
    fn of_a_response_the_zones_own_keys_and_their_signatures_are_looked_at() {
        let zone = Name::root();
        let record = |owner: &Name, rtype, rdata: &[u8]| crate::dns::Record {
            owner: owner.clone(),
            rtype,
            class: crate::dns::Class::IN,
            ttl: 60,
            rdata: rdata.into(),
        };
        let covered = [&RecordType::DNSKEY.0.to_be_bytes()[..], b"rest"].concat();
        let mut response = Message {
            answer: vec![
                record(&zone, RecordType::DNSKEY, b"one"),
                record(&zone, RecordType::RRSIG, &covered),
                record(&zone, RecordType::RRSIG, b"\0\x06other"),
                record(&"example.".parse().unwrap(), RecordType::DNSKEY, b"two"),
            ],
            ..Message::default()
        };
        let keys = keys_in(&response, &zone).unwrap();
        assert_eq!((keys.rdatas.len(), keys.signatures.len()), (1, 1));
        response.rcode = Rcode::SERVFAIL;
        assert_eq!(keys_in(&response, &zone), None);
    }
}
