//! A zone on its way from a primary: messages come in, and a new version leaves, or a [`Fault`] and nothing else.
//!
//! What has come is kept aside until the last record, so that a primary that dies half-way, contradicts itself or
//! sends without end leaves the version in force untouched.

use std::fmt;

use super::is_newer;
use super::request::serial_of;
use crate::base::bounds;
use crate::base::collections::Keyed;
use crate::dns::{Class, Message, Name, Rcode, Record, RecordType};
use crate::handlers::authority::difference::add;
use crate::handlers::authority::{Builder, Difference, Misfit, Severity, Zone};

/// Whether a transfer goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// More messages are due.
    More,
    /// The last record is there.
    Done,
}

/// Why a transfer brought nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The primary answered with an error.
    Refused(Rcode),
    /// A message that is no part of the response, or cannot be read.
    Junk(&'static str),
    /// The records do not come in the order of AXFR or IXFR.
    Disorder(&'static str),
    /// The primary gave a version that is older than ours.
    Older {
        /// Its serial.
        theirs: u32,
        /// Ours.
        ours: u32,
    },
    /// More octets or records than a transfer may have.
    TooLarge,
    /// The steps do not fit the version that we have.
    Misfit(Misfit),
    /// What came is no zone that could be served.
    Unsound(String),
}

impl Fault {
    /// Whether the same primary may well give the zone whole.
    #[must_use]
    pub const fn calls_for_axfr(&self) -> bool {
        // BIND and old servers answer IXFR with NOTIMP or FORMERR (RFC 1995 §3).
        matches!(
            self,
            Self::Refused(Rcode::FORMERR | Rcode::NOTIMP) | Self::Disorder(_) | Self::Misfit(_) | Self::TooLarge
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(rcode) => write!(f, "it answers {rcode}"),
            Self::Junk(why) => write!(f, "it sends a message that is no part of a transfer: {why}"),
            Self::Disorder(why) => write!(f, "its transfer makes no sense: {why}"),
            Self::Older { theirs, ours } => write!(f, "it gives serial {theirs}, which is not newer than our {ours}"),
            Self::TooLarge => f.write_str("its transfer is too large"),
            Self::Misfit(misfit) => write!(f, "its steps do not fit: {misfit}"),
            Self::Unsound(why) => write!(f, "the zone that it gives cannot be served: {why}"),
        }
    }
}

enum State {
    /// Nothing has come.
    Start,
    /// The SOA record has; what follows tells IXFR from AXFR.
    Opened,
    /// All records of the zone come.
    Whole(Builder),
    /// Steps come: those finished, and the one under way.
    Removing(Vec<Difference>, Difference),
    Adding(Vec<Difference>, Difference),
    DoneWhole(Builder),
    DoneSteps(Vec<Difference>),
    /// We have that version.
    Unchanged,
}

/// A transfer under way.
pub struct Incoming {
    id: u16,
    apex: Name,
    rtype: RecordType,
    /// The version that we have.
    have: Option<u32>,
    soa: Option<Record>,
    state: State,
    bytes: usize,
    records: usize,
}

impl Incoming {
    /// The transfer of `apex` that answers the query with `id`: for IXFR from the version `have`, else for AXFR;
    /// then a version that is not newer than `have` is refused, if there is one.
    #[must_use]
    pub fn new(id: u16, apex: Name, is_incremental: bool, have: Option<u32>) -> Self {
        Self {
            id,
            apex,
            rtype: if is_incremental { RecordType::IXFR } else { RecordType::AXFR },
            have,
            soa: None,
            state: State::Start,
            bytes: 0,
            records: 0,
        }
    }

    /// Takes the next message, whose signature has been checked.
    ///
    /// # Errors
    /// [`Fault`]; everything that has come is then void.
    pub fn handle_message(&mut self, bytes: &[u8]) -> Result<Progress, Fault> {
        self.bytes += bytes.len();
        if self.bytes > bounds::TRANSFER_BYTES_MAX {
            return Err(Fault::TooLarge);
        }
        let message = Message::parse(bytes).map_err(|_| Fault::Junk("it cannot be read"))?;
        if message.id != self.id || !message.flags.response {
            return Err(Fault::Junk("it answers something else"));
        }
        if message.rcode != Rcode::NOERROR {
            return Err(Fault::Refused(message.rcode));
        }
        if message.flags.truncated {
            return Err(Fault::Junk("it is truncated"));
        }
        let is_ours = |question: &crate::dns::Question| question.name == self.apex && question.rtype == self.rtype;
        if !message.questions.iter().all(is_ours) {
            return Err(Fault::Junk("it answers another question"));
        }
        if message.answer.is_empty() {
            return Err(Fault::Junk("it has no records"));
        }
        for record in message.answer {
            self.take(record)?;
        }
        // One SOA record alone: the version that we have, or the first of more messages.
        Ok(match self.state {
            State::DoneWhole(_) | State::DoneSteps(_) | State::Unchanged => Progress::Done,
            _ => Progress::More,
        })
    }

    /// Whether it is steps that have come.
    #[must_use]
    pub const fn is_incremental(&self) -> bool {
        matches!(self.state, State::DoneSteps(_))
    }

    fn take(&mut self, record: Record) -> Result<(), Fault> {
        self.records += 1;
        if record.class != Class::IN {
            return Err(Fault::Disorder("a record is not of class IN"));
        }
        let most = match self.state {
            State::Removing(..) | State::Adding(..) => bounds::IXFR_RECORDS_MAX,
            _ => bounds::TRANSFER_RECORDS_MAX,
        };
        if self.records > most {
            return Err(Fault::TooLarge);
        }
        let soa_serial = match record.rtype {
            RecordType::SOA if record.owner == self.apex => {
                Some(serial_of(&record.rdata).ok_or(Fault::Disorder("a SOA record is malformed"))?)
            }
            _ => None,
        };
        self.state = match (std::mem::replace(&mut self.state, State::Start), soa_serial) {
            (State::Start, Some(serial)) => self.open(record, serial)?,
            (State::Start, None) => return Err(Fault::Disorder("it does not begin with the SOA record")),
            (State::Opened, Some(serial)) if self.rtype == RecordType::IXFR && self.have == Some(serial) => {
                State::Removing(Vec::new(), begin(record, serial))
            }
            (State::Opened, serial) => {
                let mut builder = Builder::new(self.apex.clone());
                if let Some(soa) = &self.soa {
                    add(&mut builder, &soa.owner, soa.rtype, soa.ttl, &soa.rdata);
                }
                self.take_whole(builder, &record, serial)?
            }
            (State::Whole(builder), serial) => self.take_whole(builder, &record, serial)?,
            (State::Removing(steps, mut step), Some(serial)) => {
                step.to_serial = serial;
                step.added.push(record);
                State::Adding(steps, step)
            }
            (State::Removing(steps, mut step), None) => {
                step.removed.push(record);
                State::Removing(steps, step)
            }
            (State::Adding(mut steps, step), Some(serial)) => {
                if serial != step.to_serial {
                    return Err(Fault::Disorder("a step does not begin where the one before ends"));
                }
                steps.push(step);
                if self.is_closing(&record) {
                    State::DoneSteps(steps)
                } else {
                    State::Removing(steps, begin(record, serial))
                }
            }
            (State::Adding(steps, mut step), None) => {
                step.added.push(record);
                State::Adding(steps, step)
            }
            (State::DoneWhole(_) | State::DoneSteps(_) | State::Unchanged, _) => {
                return Err(Fault::Disorder("records follow the end"));
            }
        };
        Ok(())
    }

    fn open(&mut self, record: Record, serial: u32) -> Result<State, Fault> {
        self.soa = Some(record);
        match self.have {
            Some(have) if self.rtype == RecordType::IXFR && serial == have => Ok(State::Unchanged),
            Some(ours) if !is_newer(serial, ours) => Err(Fault::Older { theirs: serial, ours }),
            _ => Ok(State::Opened),
        }
    }

    fn take_whole(&self, mut builder: Builder, record: &Record, serial: Option<u32>) -> Result<State, Fault> {
        if serial.is_none() {
            // What lies outside the zone is left out by the builder.
            add(&mut builder, &record.owner, record.rtype, record.ttl, &record.rdata);
            return Ok(State::Whole(builder));
        }
        // The SOA record closes what it opened (RFC 5936 §2.2); another one means that the zone changed meanwhile.
        if self.is_closing(record) {
            Ok(State::DoneWhole(builder))
        } else {
            Err(Fault::Disorder("it does not end with the SOA record that it begins with"))
        }
    }

    fn is_closing(&self, record: &Record) -> bool {
        self.soa.as_ref().is_some_and(|soa| soa.rdata == record.rdata || lowered(soa) == lowered(record))
    }

    /// The version that has come, made from `current` where it came in steps; none where it is the one that we
    /// have. This takes as long as building the zone does.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn finish(self, current: Option<&Zone>, keyed: &Keyed) -> Result<Option<Zone>, Fault> {
        match self.state {
            State::Unchanged => Ok(None),
            State::DoneWhole(builder) => {
                let (zone, findings) = builder.finish(keyed.clone());
                let error = findings.iter().find(|finding| finding.severity() == Severity::Error);
                let why = error.map_or_else(String::new, |error| error.fault.to_string());
                zone.map(Some).ok_or(Fault::Unsound(why))
            }
            State::DoneSteps(steps) => {
                let whole = Difference::condensed(&steps).ok_or(Fault::Disorder("its steps leave a gap"))?;
                let current = current.ok_or(Fault::Disorder("there is nothing that its steps could change"))?;
                whole.apply(current, keyed.clone()).map(Some).map_err(Fault::Misfit)
            }
            _ => Err(Fault::Disorder("it ends too early")),
        }
    }
}

/// The step that begins with the old SOA record.
fn begin(soa: Record, serial: u32) -> Difference {
    Difference { from_serial: serial, to_serial: serial, removed: vec![soa], added: Vec::new() }
}

fn lowered(soa: &Record) -> Vec<u8> {
    crate::handlers::authority::master_file::lowered(soa.rtype, &soa.rdata)
}
