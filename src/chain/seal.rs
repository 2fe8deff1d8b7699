//! From a decided answer to bytes: header, sections, OPT, truncation. The only place that writes responses.

use smallvec::SmallVec;

use super::answer::{Aged, Answer};
use super::query::{Carrier, Query};
use crate::base::bounds;
use crate::dns::wire::{Composer, Section, compose::Full};
use crate::dns::{Class, Edns, Flags, RecordType};

/// What a sealed response is, beside its bytes.
#[derive(Clone, Debug, Default)]
pub struct Sealed {
    /// Where its TTLs stand, for answers that are remembered.
    pub ttls: SmallVec<[u16; 16]>,
    /// Whether something had to be left out, so that TC is set.
    pub is_truncated: bool,
}

/// Writes the response to `query` into `out`. `recursion_available` is RA.
///
/// UDP responses keep to the client's payload size, at least 512 and at most 1232 octets; what does not fit
/// sets TC, save in the additional section, where it is left out (RFC 2181 §9).
pub fn seal(query: &Query, answer: &Answer, recursion_available: bool, out: &mut Vec<u8>) -> Sealed {
    let limit = response_limit(query);
    let flags = Flags {
        response: true,
        opcode: query.flags.opcode,
        authoritative: answer.authoritative,
        truncated: false,
        recursion_desired: query.flags.recursion_desired,
        recursion_available,
        // AD only where the client can understand it (RFC 6840 §5.7).
        authentic_data: answer.authentic && (query.wants_dnssec() || query.flags.authentic_data),
        checking_disabled: query.flags.checking_disabled,
    };
    let edns = query.edns.as_ref().map(|_| Edns {
        udp_size: bounds::UDP_RESPONSE_MAX as u16,
        version: 0,
        dnssec_ok: query.wants_dnssec(),
        options: answer.ede.iter().map(crate::dns::Ede::to_option).collect(),
    });
    compose(query, answer, flags, edns.as_ref(), limit, out).unwrap_or_default()
}

/// The largest response that `query` may be sent, octets.
#[must_use]
pub fn response_limit(query: &Query) -> usize {
    match query.asker.carrier {
        Carrier::Tcp => bounds::MESSAGE_MAX,
        Carrier::Udp => query.edns.as_ref().map_or(bounds::UDP_RESPONSE_FLOOR, |edns| {
            usize::from(edns.udp_size).clamp(bounds::UDP_RESPONSE_FLOOR, bounds::UDP_RESPONSE_MAX)
        }),
    }
}

fn compose(
    query: &Query,
    answer: &Answer,
    flags: Flags,
    edns: Option<&Edns>,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<Sealed, Full> {
    let wants_dnssec = query.wants_dnssec();
    let mut composer = Composer::new(out, limit, query.id, flags, answer.rcode)?;
    composer.question(&query.question)?;
    let reserved = edns.map_or(0, Composer::opt_size);
    composer.reserve(reserved as isize);
    let mut is_truncated = false;
    'sections: for (section, sets) in [(Section::Answer, &answer.answer), (Section::Authority, &answer.authority)] {
        for aged in sets {
            let mark = composer.mark();
            if write(&mut composer, section, query.question.class, aged, wants_dnssec).is_err() {
                composer.undo(mark); // an RRset goes whole or not at all
                composer.truncate();
                is_truncated = true;
                break 'sections;
            }
        }
    }
    if !is_truncated {
        for aged in &answer.additional {
            let mark = composer.mark();
            if write(&mut composer, Section::Additional, query.question.class, aged, wants_dnssec).is_err() {
                composer.undo(mark);
            }
        }
    }
    composer.reserve(-(reserved as isize));
    if let Some(edns) = edns {
        composer.opt(edns, answer.rcode)?;
    }
    Ok(Sealed { ttls: composer.finish(), is_truncated })
}

fn write(
    composer: &mut Composer<'_>,
    section: Section,
    class: Class,
    aged: &Aged,
    wants_dnssec: bool,
) -> Result<(), Full> {
    let set = &aged.set;
    for rdata in set.rdatas.iter() {
        composer.record(section, &set.owner, set.rtype, class, aged.ttl, rdata)?;
    }
    if wants_dnssec {
        for signature in set.signatures.iter() {
            composer.record(section, &set.owner, RecordType::RRSIG, class, aged.ttl, signature)?;
        }
    }
    Ok(())
}
