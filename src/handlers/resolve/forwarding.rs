//! Forward zones: a walk whose question another resolver answers. Nothing outside the zone is believed of it.

use std::net::SocketAddr;
use std::time::Duration;

use super::ask::Trouble;
use super::classify::{Finding, classify};
use super::learning::learn;
use super::ledger::Exhausted;
use super::resolution::explanation;
use super::resolver::{Due, FORWARDED, Forwarded, Resolver};
use super::trace::What;
use super::walk::{Ended, Forwarding, Stage};
use super::{ExchangeId, ForwardRequest, Surroundings};
use crate::base::bounds;
use crate::base::tally::{Event, Timing};
use crate::dns::{Message, Name, Question, Rcode};

/// A forwarder is given up after this time.
const FORWARD_DEADLINE: Duration = Duration::from_millis(4_300);

impl Resolver {
    pub(super) fn forward(&mut self, at: u32, zone: usize, apex: Name, around: &mut Surroundings<'_>) {
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        if let Err(exhausted) = walk.ledger.charge_query(around.now) {
            around.tally.count(exhausted.event());
            return self.end(at, Ended::Failed(Trouble::Exhausted(exhausted)), around);
        }
        self.serial += 1;
        let exchange = ExchangeId(FORWARDED | self.serial);
        let deadline = around.now + FORWARD_DEADLINE;
        let question = Question::new(walk.name.clone(), walk.question.rtype);
        around.tally.count(Event::UpstreamForwarded);
        self.trace.note(around.now, || What::Forward {
            zone: apex.clone(),
            name: question.name.clone(),
            rtype: question.rtype,
        });
        walk.stage = Stage::Forwarding(Forwarding { zone: apex, exchange, since: around.now });
        let mut forwarded = Forwarded { walk: at, alarm: None };
        self.alarms.set(Due::Forward(exchange), &mut forwarded.alarm, Some(deadline));
        self.forwarded.insert(exchange, forwarded);
        // What is validated here need not be there, and what is bogus there is for us to see (RFC 6840 §5.9).
        let checking_disabled = walk.checking_disabled || self.settings.validation.is_some();
        let avoided = walk.avoided.clone();
        self.forwards.push_back(ForwardRequest { exchange, zone, question, checking_disabled, avoided });
    }

    /// Takes what a forwarder says, and who it was; nothing if none answered.
    pub(super) fn judge_forwarded(
        &mut self,
        at: u32,
        response: Option<(Option<SocketAddr>, &[u8])>,
        around: &mut Surroundings<'_>,
    ) {
        let (by, bytes) = response.map_or((None, None), |(by, bytes)| (by, Some(bytes)));
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        let Stage::Forwarding(forwarding) = std::mem::replace(&mut walk.stage, Stage::Moving) else { return };
        let question = Question::new(walk.name.clone(), walk.question.rtype);
        if bytes.is_some() {
            around.tally.time(Timing::Upstream, around.now.since(forwarding.since), 1);
        }
        // What waited for us through a stall is too old to be believed for its TTL.
        let is_late = around.now > walk.ledger.deadline();
        let outcome = match bytes.map(|bytes| Message::parse_within(bytes, bounds::SECTION_RECORDS_READ)) {
            None => Err(Trouble::Silence),
            Some(_) if is_late => {
                around.tally.count(Event::BoundTime);
                Err(Trouble::Exhausted(Exhausted::Time))
            }
            Some(Err(_)) => Err(Trouble::Unreadable),
            Some(Ok(message)) => {
                walk.ledger.charge_bytes(bytes.map_or(0, <[u8]>::len));
                match message.rcode {
                    Rcode::NOERROR | Rcode::NXDOMAIN | Rcode::YXDOMAIN => {
                        classify(&message, &forwarding.zone, &question, true, around.tally)
                            .map_err(|_| Trouble::Oversized)
                    }
                    rcode => Err(Trouble::Rcode(rcode)),
                }
            }
        };
        let verdict = match &outcome {
            Ok(Finding::Chain(_)) => "answered".to_owned(),
            Ok(_) => "no answer".to_owned(),
            Err(trouble) => explanation(*trouble).text.into_owned(),
        };
        self.trace.note(around.now, || What::Judge { server: None, verdict });
        match outcome {
            Ok(Finding::Chain(mut chain)) => {
                chain.is_authoritative = true; // we were told to trust it
                if let Some(walk) = self.walks.get_mut(at as usize) {
                    walk.note_heard(by);
                }
                learn(&Finding::Chain(chain.clone()), &question, around);
                self.follow_chain(at, &chain, around);
            }
            Ok(_) => self.end(at, Ended::Failed(Trouble::Lame), around),
            Err(trouble) => self.end(at, Ended::Failed(trouble), around),
        }
    }
}
