//! Small messages around transfers: NOTIFY and its acknowledgement (RFC 1996), the question for a SOA record, and
//! when an unacknowledged NOTIFY is sent again.

use std::time::Duration;

use super::request::serial_of;
use crate::base::bounds;
use crate::dns::wire::Composer;
use crate::dns::{Class, Ede, Edns, Flags, Message, Name, Opcode, Question, Rcode, Record, RecordType};

/// A NOTIFY that came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notification {
    /// The zone that has changed.
    pub apex: Name,
    /// The serial that it has now, as far as it is told: a hint, no more (RFC 1996 §3.7).
    pub serial: Option<u32>,
}

/// Why a NOTIFY is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotifyFault {
    /// It cannot be read.
    FormErr,
    /// It is about something else than a zone of class IN.
    NotImp,
}

impl Notification {
    /// Reads a NOTIFY.
    ///
    /// # Errors
    /// [`NotifyFault`].
    pub fn read(message: &Message) -> Result<Self, NotifyFault> {
        let [question] = message.questions.as_slice() else { return Err(NotifyFault::FormErr) };
        if message.flags.opcode != Opcode::NOTIFY || message.flags.response {
            return Err(NotifyFault::FormErr);
        }
        if question.rtype != RecordType::SOA || question.class != Class::IN {
            return Err(NotifyFault::NotImp);
        }
        Ok(Self { apex: question.name.clone(), serial: soa_of(message, &question.name) })
    }
}

/// The response to a NOTIFY; `ede` says why where it is refused.
#[must_use]
pub fn acknowledgement(message: &Message, rcode: Rcode, ede: Option<&Ede>) -> Vec<u8> {
    let options = ede.map(Ede::to_option).into_iter().collect();
    let response = Message {
        id: message.id,
        flags: Flags { response: true, authoritative: rcode == Rcode::NOERROR, ..message.flags },
        rcode,
        questions: message.questions.clone(),
        edns: message.edns.as_ref().map(|_| Edns {
            udp_size: bounds::UDP_RESPONSE_MAX as u16,
            options,
            ..Edns::default()
        }),
        ..Message::default()
    };
    let mut out = Vec::new();
    response.compose(&mut out, bounds::UDP_RESPONSE_FLOOR).ok();
    out
}

/// A NOTIFY for the zone whose SOA record is `soa`.
#[must_use]
pub fn compose_notify(id: u16, soa: &Record) -> Vec<u8> {
    let flags = Flags { opcode: Opcode::NOTIFY, authoritative: true, ..Flags::default() };
    let message = Message {
        id,
        flags,
        questions: [Question::new(soa.owner.clone(), RecordType::SOA)].into_iter().collect(),
        answer: vec![soa.clone()],
        ..Message::default()
    };
    let mut out = Vec::new();
    message.compose(&mut out, bounds::MESSAGE_MAX).ok();
    out
}

/// A question for the zone: its SOA record, or a transfer; an IXFR names the SOA record of the version at hand.
#[must_use]
pub fn soa_query(id: u16, apex: &Name, rtype: RecordType, have: Option<&Record>) -> Vec<u8> {
    let mut out = Vec::new();
    if let Ok(mut composer) = Composer::new(&mut out, bounds::MESSAGE_MAX, id, Flags::default(), Rcode::NOERROR) {
        composer.question(&Question::new(apex.clone(), rtype)).ok();
        if let Some(soa) = have.filter(|_| rtype == RecordType::IXFR) {
            let section = crate::dns::wire::Section::Authority;
            composer.record(section, &soa.owner, soa.rtype, soa.class, soa.ttl, &soa.rdata).ok();
        }
        composer.finish();
    }
    out
}

/// The serial in the response to a question for the zone's SOA record: none for one that gives no authoritative
/// answer.
#[must_use]
pub fn soa_serial(message: &Message, apex: &Name) -> Option<u32> {
    let is_good = message.rcode == Rcode::NOERROR && message.flags.authoritative && !message.flags.truncated;
    if is_good { soa_of(message, apex) } else { None }
}

fn soa_of(message: &Message, apex: &Name) -> Option<u32> {
    let soa = message.answer.iter().find(|record| record.rtype == RecordType::SOA && record.owner == *apex)?;
    serial_of(&soa.rdata)
}

/// When an unacknowledged NOTIFY is sent again: twice as late each time, and in the end not at all (RFC 1996 §3.6).
#[derive(Clone, Debug, Default)]
pub struct Notifying {
    sent: u32,
}

impl Notifying {
    /// It has been sent: how long an answer is awaited, or none where it was the last time.
    pub fn poll_pause(&mut self) -> Option<Duration> {
        if self.sent >= bounds::NOTIFY_TRIES {
            return None;
        }
        self.sent += 1;
        Some((bounds::PROBE_TIMEOUT * (1 << (self.sent - 1).min(16))).min(bounds::NOTIFY_PAUSE_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soa() -> Record {
        let rdata = [b"\x02ns\0\x04host\0".as_slice(), &9u32.to_be_bytes(), &[0; 16]].concat();
        Record {
            owner: "Example.".parse().unwrap(),
            rtype: RecordType::SOA,
            class: Class::IN,
            ttl: 60,
            rdata: rdata.as_slice().into(),
        }
    }

    #[test]
    fn a_notify_reads_back_and_is_acknowledged() {
        let notify = Message::parse(&compose_notify(7, &soa())).unwrap();
        let read = Notification::read(&notify).unwrap();
        assert_eq!(read, Notification { apex: "example.".parse().unwrap(), serial: Some(9) });
        let response = Message::parse(&acknowledgement(&notify, Rcode::NOERROR, None)).unwrap();
        assert_eq!((response.id, response.flags.opcode, response.flags.response), (7, Opcode::NOTIFY, true));
        assert_eq!(response.questions, notify.questions);
        assert_eq!(Notification::read(&response), Err(NotifyFault::FormErr));
    }

    #[test]
    fn only_an_authoritative_answer_tells_a_serial() {
        let apex = "example.".parse().unwrap();
        let mut message = Message { answer: vec![soa()], ..Message::default() };
        message.flags.response = true;
        assert_eq!(soa_serial(&message, &apex), None);
        message.flags.authoritative = true;
        assert_eq!(soa_serial(&message, &apex), Some(9));
        assert_eq!(soa_serial(&message, &"test.".parse().unwrap()), None);
    }

    #[test]
    fn a_notify_is_sent_a_few_times_ever_more_rarely() {
        let mut notifying = Notifying::default();
        let pauses: Vec<u64> = std::iter::from_fn(|| notifying.poll_pause()).map(|pause| pause.as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60]);
    }
}
