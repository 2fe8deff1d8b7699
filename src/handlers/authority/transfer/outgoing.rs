//! A zone on its way to a secondary, message by message.
//!
//! The records are read off the snapshot of the zone as each message is written, so a transfer holds one message
//! and the snapshot, however large the zone is; changes of the zone meanwhile are the next transfer's.

use std::sync::Arc;

use super::Request;
use crate::base::bounds;
use crate::dns::edns::OPT_SIZE;
use crate::dns::wire::compose::{Composer, Full, Section};
use crate::dns::{Class, Name, Rcode, Record, RecordType};
use crate::handlers::authority::Difference;
use crate::handlers::authority::Zone;
use crate::handlers::authority::build::absolute;
use crate::handlers::authority::difference::soa_record;
use crate::handlers::authority::tree::{Node, Tree};
use crate::handlers::authority::tsig::Signer;

/// What is sent between the zone's SOA record and its repetition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    /// Nothing, and the SOA record once: the secondary has it all.
    Soa,
    /// Everything.
    Whole,
    /// What the secondary's version must lose and gain.
    Step(Arc<Difference>),
}

/// A record that no message has room for: the zone cannot be transferred.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unsendable;

/// Where a transfer stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Opening,
    /// The records of the names; of the node with this rank so many are out.
    Names(u32, usize),
    /// The same for the NSEC3 records.
    Hashed(u32, usize),
    /// So many records of the difference are out.
    Step(usize),
    Closing,
    End,
}

/// A transfer under way.
#[derive(Debug)]
pub struct Outgoing {
    zone: Arc<Zone>,
    soa: Record,
    request: Request,
    content: Content,
    place: Place,
    signer: Option<Signer>,
    is_first: bool,
}

impl Outgoing {
    /// The transfer that answers `request`, signed by `signer`; none where the zone has no SOA record.
    #[must_use]
    pub fn new(request: Request, zone: Arc<Zone>, content: Content, signer: Option<Signer>) -> Option<Self> {
        let soa = soa_record(&zone)?;
        Some(Self { zone, soa, request, content, place: Place::Opening, signer, is_first: true })
    }

    /// What is sent.
    #[must_use]
    pub const fn content(&self) -> &Content {
        &self.content
    }

    /// Writes the next message into `out`; false where there is none any more. `now` is in seconds since 1970, for
    /// the signature.
    ///
    /// # Errors
    /// [`Unsendable`]; the response must then be broken off.
    pub fn poll_message(&mut self, out: &mut Vec<u8>, now: u64) -> Result<bool, Unsendable> {
        if self.place == Place::End {
            return Ok(false);
        }
        let written = self.compose(out, bounds::MESSAGE_MAX).map_err(|Full| Unsendable)?;
        if written == 0 && !self.is_first {
            return Err(Unsendable);
        }
        self.is_first = false;
        if let Some(signer) = &mut self.signer {
            signer.sign(out, now);
        }
        Ok(true)
    }

    /// The whole response as one datagram; where it does not fit, the SOA record alone, so that the secondary comes
    /// again over TCP (RFC 1995 §2).
    ///
    /// # Errors
    /// [`Unsendable`].
    pub fn datagram(mut self, now: u64) -> Result<Vec<u8>, Unsendable> {
        let limit = self.request.limit();
        let mut out = Vec::new();
        let is_whole = self.compose(&mut out, limit).is_ok() && self.place == Place::End;
        if !is_whole {
            (self.content, self.place) = (Content::Soa, Place::Opening);
            self.compose(&mut out, limit).map_err(|Full| Unsendable)?;
        }
        if let Some(signer) = &mut self.signer {
            signer.sign(&mut out, now);
        }
        Ok(out)
    }

    /// Writes a message of what there is room for and returns how many records that was.
    fn compose(&mut self, out: &mut Vec<u8>, limit: usize) -> Result<usize, Full> {
        let room = self.signer.as_ref().map_or(0, |signer| signer.key().room());
        let flags = self.request.flags(true);
        let mut composer = Composer::new(out, limit.saturating_sub(room), self.request.id, flags, Rcode::NOERROR)?;
        let opt = self.request.opt().filter(|_| self.is_first);
        if self.is_first {
            composer.question(&self.request.question)?;
            composer.keep_case();
            // RFC 5936 §2.2.5: one OPT record, in the first message.
            composer.reserve(if opt.is_some() { OPT_SIZE } else { 0 });
        }
        let mut written = 0;
        while self.place != Place::End && self.fill(&mut composer, &mut written).is_ok() {}
        composer.reserve(0);
        if let Some(opt) = &opt {
            composer.opt(opt, Rcode::NOERROR)?;
        }
        composer.finish();
        if written == 0 { Err(Full) } else { Ok(written) }
    }

    /// Writes what belongs at this place and goes on to the next one.
    fn fill(&mut self, composer: &mut Composer<'_>, written: &mut usize) -> Result<(), Full> {
        match self.place {
            Place::Opening => {
                put(composer, written, &self.soa)?;
                self.place = match &self.content {
                    Content::Soa => Place::End,
                    Content::Whole => Place::Names(0, 0),
                    Content::Step(_) => Place::Step(0),
                };
            }
            Place::Names(rank, at) => {
                let mut cursor = (rank, at);
                let filled = fill_tree(self.zone.apex(), self.zone.names(), &mut cursor, composer, written);
                self.place = Place::Names(cursor.0, cursor.1);
                filled?;
                self.place = Place::Hashed(0, 0);
            }
            Place::Hashed(rank, at) => {
                let mut cursor = (rank, at);
                let filled = fill_tree(self.zone.apex(), self.zone.hashed(), &mut cursor, composer, written);
                self.place = Place::Hashed(cursor.0, cursor.1);
                filled?;
                self.place = Place::Closing;
            }
            Place::Step(at) => {
                let Content::Step(step) = &self.content else {
                    self.place = Place::Closing;
                    return Ok(());
                };
                let mut done = at;
                let filled = step.removed.iter().chain(&step.added).skip(at).try_for_each(|record| {
                    put(composer, written, record)?;
                    done += 1;
                    Ok(())
                });
                self.place = Place::Step(done);
                filled?;
                self.place = Place::Closing;
            }
            Place::Closing => {
                put(composer, written, &self.soa)?;
                self.place = Place::End;
            }
            Place::End => {}
        }
        Ok(())
    }
}

fn put(composer: &mut Composer<'_>, written: &mut usize, record: &Record) -> Result<(), Full> {
    composer.record(Section::Answer, &record.owner, record.rtype, Class::IN, record.ttl, &record.rdata)?;
    *written += 1;
    Ok(())
}

/// Writes the records of the nodes from `cursor` on, which moves along; the SOA record has its own places.
fn fill_tree(
    apex: &Name,
    tree: &Tree,
    cursor: &mut (u32, usize),
    composer: &mut Composer<'_>,
    written: &mut usize,
) -> Result<(), Full> {
    while let Some(node) = tree.node(cursor.0) {
        if !node.is_empty() {
            let owner = absolute(node.name, apex);
            for (rtype, ttl, rdata) in records(node).skip(cursor.1) {
                composer.record(Section::Answer, &owner, rtype, Class::IN, ttl, rdata)?;
                cursor.1 += 1;
                *written += 1;
            }
        }
        *cursor = (cursor.0 + 1, 0);
    }
    Ok(())
}

fn records(node: Node<'_>) -> impl Iterator<Item = (RecordType, u32, &[u8])> {
    node.sets().flat_map(|set| {
        let data = set.rdatas().map(move |rdata| (set.rtype, set.ttl, rdata));
        let data = data.filter(|(rtype, ..)| *rtype != RecordType::SOA);
        data.chain(set.signatures().map(move |rdata| (RecordType::RRSIG, set.ttl, rdata)))
    })
}
