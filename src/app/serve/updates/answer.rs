//! An update before and after it is judged: who sent it, for which zone, and what they are told.

use std::sync::Arc;

use tracing::{debug, info};

use crate::app::config::{Key, KeyAlgorithm, NamePattern, UpdatePolicy, ZoneSettings};
use crate::app::serve::desk::refusal;
use crate::app::serve::zones::Keeper;
use crate::base::bounds;
use crate::base::tally::Event;
use crate::chain::Asker;
use crate::dns::{Edns, Flags, Message, Name, Rcode};
use crate::handlers::authority::tsig::{self, Algorithm, Signer, Standing};
use crate::handlers::authority::update::{Names, Policy, Rule, Update};

/// What is to be done with a message.
pub(super) enum Judgement {
    /// This is the response.
    Answered(Vec<u8>),
    /// It cannot even be refused.
    Silence,
    /// It is for one of our zones and signed by a key of its policy.
    Admitted(Box<Admitted>),
}

/// An update that may be tried.
pub(super) struct Admitted {
    pub(super) message: Message,
    pub(super) signer: Signer,
    pub(super) settings: Arc<ZoneSettings>,
    pub(super) key: Name,
}

/// Looks at everything but the zone's data: the signature, the message's form, the zone, the key's standing there.
pub(super) fn admit(bytes: &[u8], asker: &Asker, keeper: &Keeper, now: u64) -> Judgement {
    let signer = match tsig::examine_by(bytes, |name| keeper.key(name).map(|key| Arc::new(tsig_key(&key))), now) {
        Standing::Signed(signer) => Some(signer),
        Standing::Unsigned => None,
        Standing::Refused { error, response } => {
            debug!("update from {}: {error}", asker.address);
            return Judgement::Answered(response);
        }
    };
    let Ok(message) = Message::parse(bytes) else {
        let Some(mut response) = refusal(bytes, Rcode::FORMERR) else { return Judgement::Silence };
        if let Some(mut signer) = signer {
            signer.sign(&mut response, now);
        }
        return Judgement::Answered(response);
    };
    match place(&message, keeper) {
        Ok(settings) => match signer {
            Some(signer) if settings.update.iter().any(|policy| policy.key == *signer.key().name()) => {
                let key = signer.key().name().clone();
                Judgement::Admitted(Box::new(Admitted { message, signer, settings, key }))
            }
            Some(signer) => {
                let key = signer.key().name();
                info!("update of {} by {key} from {}: no policy for this key", settings.apex, asker.address);
                Judgement::Answered(response(&message, Rcode::REFUSED, signer, now))
            }
            None => {
                debug!("update of {} from {}: not signed", settings.apex, asker.address);
                Judgement::Answered(composed(&message, Rcode::REFUSED))
            }
        },
        Err(rcode) => Judgement::Answered(match signer {
            Some(signer) => response(&message, rcode, signer, now),
            None => composed(&message, rcode),
        }),
    }
}

/// Whose zone the message is about (RFC 2136 §3.1).
fn place(message: &Message, keeper: &Keeper) -> Result<Arc<ZoneSettings>, Rcode> {
    let zone = Update::of(message)?.zone;
    let settings = keeper.settings(zone).ok_or(Rcode::NOTAUTH)?;
    // A secondary could hand updates on to its primary (RFC 2136 §6); this one does not.
    if settings.is_secondary() { Err(Rcode::NOTIMP) } else { Ok(settings) }
}

/// What an update is counted as that is answered by `rcode`.
pub(super) const fn event_of(rcode: Rcode) -> Event {
    match rcode {
        Rcode::NOERROR => Event::UpdatesDone,
        Rcode::SERVFAIL => Event::UpdatesFailed,
        _ => Event::UpdatesRefused,
    }
}

/// The signed response to `message`.
pub(super) fn response(message: &Message, rcode: Rcode, mut signer: Signer, now: u64) -> Vec<u8> {
    let mut bytes = composed(message, rcode);
    signer.sign(&mut bytes, now);
    bytes
}

/// RFC 2136 §3.8: the header and the zone section come back, the rest is left out.
fn composed(message: &Message, rcode: Rcode) -> Vec<u8> {
    let flags = Flags { response: true, opcode: message.flags.opcode, ..Flags::default() };
    let edns = message.edns.as_ref().map(|_| Edns { udp_size: bounds::UDP_RESPONSE_MAX as u16, ..Edns::default() });
    let questions = message.questions.iter().take(1).cloned().collect();
    let response = Message { id: message.id, flags, rcode, questions, edns, ..Message::default() };
    let mut bytes = Vec::new();
    response.compose(&mut bytes, bounds::UDP_RESPONSE_FLOOR).unwrap_or_default(); // a name and an OPT always fit
    bytes
}

/// The zone's policy as its configuration has it.
pub(super) fn policy(policies: &[UpdatePolicy]) -> Policy {
    let names = |pattern: &NamePattern| match pattern {
        NamePattern::Exactly(name) => Names::Exactly(name.clone()),
        NamePattern::Below(name) => Names::Below(name.clone()),
        NamePattern::Within(name) => Names::Within(name.clone()),
    };
    let rule = |policy: &UpdatePolicy| Rule {
        key: policy.key.clone(),
        names: policy.names.iter().map(names).collect(),
        types: policy.types.clone(),
    };
    Policy { rules: policies.iter().map(rule).collect() }
}

/// A key of the configuration, ready to verify.
fn tsig_key(key: &Key) -> tsig::Key {
    let algorithm = match key.algorithm {
        KeyAlgorithm::HmacSha256 => Algorithm::HmacSha256,
        KeyAlgorithm::HmacSha384 => Algorithm::HmacSha384,
        KeyAlgorithm::HmacSha512 => Algorithm::HmacSha512,
    };
    tsig::Key::new(&key.name, algorithm, &key.secret)
}
