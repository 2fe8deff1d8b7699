//! The updates of one zone that are journalled together.

use std::sync::Arc;

use tracing::{error, info, warn};

use super::answer;
use super::estate::Estates;
use crate::app::config::ZoneSettings;
use crate::app::serve::desk::DeskReply;
use crate::app::serve::zones::{Cause, Keeper};
use crate::base::collections::Keyed;
use crate::chain::Asker;
use crate::dns::{Message, Name, Rcode};
use crate::handlers::authority::tsig::Signer;
use crate::handlers::authority::update::{Draft, Update};
use crate::handlers::authority::{Zone, journal};

/// A judged update; its response waits until the journal is on the disk.
struct Judged {
    message: Message,
    signer: Signer,
    reply: DeskReply,
    rcode: Rcode,
}

/// Updates judged one after the other on one draft.
pub(super) struct Batch {
    zone: Arc<Zone>,
    draft: Draft,
    /// The journal's records of all differences so far.
    records: Vec<u8>,
    judged: Vec<Judged>,
}

impl Batch {
    /// A batch that begins at the running version.
    pub(super) fn new(zone: Arc<Zone>) -> Self {
        Self { draft: Draft::new(Arc::clone(&zone)), zone, records: Vec::new(), judged: Vec::new() }
    }

    /// Tries one update. Also a refused one waits for the others: what it was refused for may not come to be.
    pub(super) fn judge(
        &mut self,
        message: Message,
        signer: Signer,
        settings: &ZoneSettings,
        key: &Name,
        asker: &Asker,
        reply: DeskReply,
    ) {
        let rcode = self.attempt(&message, settings, key, asker).err().unwrap_or(Rcode::NOERROR);
        if rcode != Rcode::NOERROR {
            info!("update of {} by {key} from {}: {rcode}", settings.apex, asker.address);
        }
        self.judged.push(Judged { message, signer, reply, rcode });
    }

    fn attempt(&mut self, message: &Message, settings: &ZoneSettings, key: &Name, asker: &Asker) -> Result<(), Rcode> {
        let update = Update::of(message)?;
        let policy = answer::policy(&settings.update);
        let grant = policy.grant(key).ok_or(Rcode::REFUSED)?;
        let before = self.draft.clone();
        let Some(difference) = self.draft.attempt(&update, &grant)? else { return Ok(()) };
        if journal::compose(&difference, &mut self.records).is_err() {
            self.draft = before;
            warn!("update of {} by {key}: the change is too large for the journal", settings.apex);
            return Err(Rcode::SERVFAIL);
        }
        info!(
            "update of {} by {key} from {}: serial {}, {} removed, {} added",
            settings.apex,
            asker.address,
            difference.to_serial,
            difference.removed.len().saturating_sub(1),
            difference.added.len().saturating_sub(1)
        );
        Ok(())
    }

    /// Journals the differences, puts the new version in force and answers everybody; where that fails, everybody
    /// hears SERVFAIL.
    pub(super) fn close(self, estates: &mut Estates, keeper: &Keeper, keyed: Keyed, now: u64) {
        let outcome = if self.records.is_empty() { Ok(()) } else { self.commit(estates, keeper, keyed) };
        if let Err(why) = &outcome {
            error!("updates of {}: {why}", self.zone.apex());
        }
        for Judged { message, signer, reply, rcode } in self.judged {
            let rcode = if outcome.is_ok() { rcode } else { Rcode::SERVFAIL };
            keeper.count(answer::event_of(rcode));
            reply.send(answer::response(&message, rcode, signer, now));
        }
        estates.tidy(self.zone.apex());
    }

    fn commit(&self, estates: &mut Estates, keeper: &Keeper, keyed: Keyed) -> Result<(), String> {
        let next = Arc::new(self.draft.compile(keyed).map_err(|fault| fault.to_string())?);
        estates.append(self.zone.apex(), &self.records)?;
        keeper.replace_version(&self.zone, next, Cause::Update).map_err(|_| {
            // The journal is ahead of what is in force: it has the say when it is opened again.
            estates.forget(self.zone.apex());
            "the zone was changed by somebody else, or is no longer ours".to_owned()
        })
    }
}
