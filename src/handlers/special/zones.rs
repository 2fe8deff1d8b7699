//! The special-use zones: which they are, and the records that stand in each.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::chain::{Aged, Answer, Stake, Verdict};
use crate::dns::{Ede, EdeCode, Name, Question, Rcode, RecordType, RrSet};

/// TTL of every record here and of every denial, seconds (RFC 6303 §3).
pub(super) const TTL: u32 = 10_800;

/// SERIAL, REFRESH, RETRY, EXPIRE, MINIMUM (RFC 6303 §3).
const SOA_NUMBERS: [u32; 5] = [1, 3_600, 1_200, 604_800, TTL];

/// How the names at and below an apex answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// Nothing but SOA and NS at the apex (RFC 6303 §3).
    Empty,
    /// Loopback addresses at every name (RFC 6761 §6.3).
    Localhost,
    /// NODATA at every name (RFC 9462 §4).
    Silent,
}

/// Zones under which nothing exists, with the clause that says so, for people to read.
const TOP_LEVEL: &[(&str, &str)] = &[
    ("alt.", "alt names are not in the DNS (RFC 9476)"),
    ("invalid.", "invalid names do not exist (RFC 6761)"),
    ("local.", "local names are resolved by multicast (RFC 6762)"),
    ("onion.", "onion names are not in the DNS (RFC 7686)"),
    ("test.", "test names exist only where they are configured (RFC 6761)"),
];

/// Zones that every site serves for itself.
const SITE: &[&str] = &[
    "home.arpa.",    // RFC 8375
    "service.arpa.", // RFC 9665
    "0.in-addr.arpa.",
    "127.in-addr.arpa.",
    "10.in-addr.arpa.",
    "168.192.in-addr.arpa.",
    "254.169.in-addr.arpa.",
    "2.0.192.in-addr.arpa.",
    "100.51.198.in-addr.arpa.",
    "113.0.203.in-addr.arpa.",
    "255.255.255.255.in-addr.arpa.",
    "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.",
    LOOPBACK6,
    "8.b.d.0.1.0.0.2.ip6.arpa.",
    "d.f.ip6.arpa.",
    "8.e.f.ip6.arpa.",
    "9.e.f.ip6.arpa.",
    "a.e.f.ip6.arpa.",
    "b.e.f.ip6.arpa.",
];

const LOOPBACK4: &str = "1.0.0.127.in-addr.arpa.";
const LOOPBACK6: &str = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.";

/// A zone that is answered here and nowhere else.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    pub(super) apex: Name,
    kind: Kind,
    /// Names that have a PTR record to `localhost.`.
    pointers: Vec<Name>,
    ede: Option<Ede>,
    soa: Arc<RrSet>,
    ns: Arc<RrSet>,
}

/// All special-use zones. None lies within another.
pub(super) fn all() -> impl Iterator<Item = Zone> {
    let named = |text: &str, kind, why: Option<&'static str>| text.parse().ok().map(|apex| Zone::new(apex, kind, why));
    let top = TOP_LEVEL.iter().filter_map(move |(apex, why)| named(apex, Kind::Empty, Some(why)));
    let site = SITE.iter().filter_map(move |apex| named(apex, Kind::Empty, None));
    // RFC 1918's 172.16.0.0/12, and the shared addresses 100.64.0.0/10 (RFC 7793).
    let ranges =
        (16..32).map(|n| format!("{n}.172.in-addr.arpa.")).chain((64..128).map(|n| format!("{n}.100.in-addr.arpa.")));
    let ranges = ranges.filter_map(move |apex| named(&apex, Kind::Empty, None));
    let others = [("localhost.", Kind::Localhost), ("resolver.arpa.", Kind::Silent)];
    top.chain(site).chain(ranges).chain(others.into_iter().filter_map(move |(apex, kind)| named(apex, kind, None)))
}

impl Zone {
    fn new(apex: Name, kind: Kind, why: Option<&'static str>) -> Self {
        let mut soa = apex.wire().to_vec();
        soa.extend_from_slice(b"\x06nobody\x07invalid\0");
        soa.extend(SOA_NUMBERS.iter().flat_map(|number| number.to_be_bytes()));
        let pointers = [LOOPBACK4, LOOPBACK6].iter().filter_map(|text| text.parse().ok());
        Self {
            pointers: pointers.filter(|name: &Name| name.is_within(&apex)).collect(),
            soa: Arc::new(RrSet::new(apex.clone(), RecordType::SOA, TTL, [soa])),
            ns: Arc::new(RrSet::new(apex.clone(), RecordType::NS, TTL, [apex.wire()])),
            ede: why.map(|text| Ede::new(EdeCode::Other, text)),
            apex,
            kind,
        }
    }

    /// Answers `question`, whose name lies in the zone. `open` are zones inside that somebody else serves: the
    /// names on the way to them exist. So do those on the way to what another link has a `stake` in.
    pub(super) fn answer(&self, question: &Question, open: &[Name], stake: Option<Stake>) -> Verdict {
        let (name, rtype) = (&question.name, question.rtype);
        if self.kind == Kind::Localhost {
            // Address queries get loopback, all other types a negative answer (RFC 6761 §6.3).
            return match rtype {
                RecordType::A => positive(RrSet::new(name.clone(), rtype, TTL, [Ipv4Addr::LOCALHOST.octets()])),
                RecordType::AAAA => positive(RrSet::new(name.clone(), rtype, TTL, [Ipv6Addr::LOCALHOST.octets()])),
                _ => self.negative(Rcode::NOERROR, TTL),
            };
        }
        if *name == self.apex {
            match rtype {
                RecordType::SOA => return positive(Arc::clone(&self.soa)),
                RecordType::NS => return positive(Arc::clone(&self.ns)),
                // DS is the parent's (RFC 4035 §3.1.4.1): a validator behind us needs arpa's proof that the
                // delegation is insecure (RFC 8375 §4). The top-level names have no such delegation.
                RecordType::DS if self.apex.label_count() > 1 => return Verdict::Pass,
                RecordType::PTR => {}
                _ => return self.negative(Rcode::NOERROR, TTL),
            }
        }
        if self.pointers.contains(name) {
            return if rtype == RecordType::PTR {
                positive(RrSet::new(name.clone(), rtype, TTL, [b"\x09localhost\0"]))
            } else {
                self.negative(Rcode::NOERROR, TTL)
            };
        }
        let exists = self.kind == Kind::Silent
            || *name == self.apex
            || stake.is_some_and(|stake| stake.has_below)
            || self.pointers.iter().chain(open).any(|known| known.is_below(name));
        let ttl = stake.map_or(TTL, |stake| stake.ttl.min(TTL));
        self.negative(if exists { Rcode::NOERROR } else { Rcode::NXDOMAIN }, ttl)
    }

    fn negative(&self, rcode: Rcode, ttl: u32) -> Verdict {
        let authority = vec![Aged { set: Arc::clone(&self.soa), ttl }];
        Verdict::Answer(Answer { rcode, authoritative: true, authority, ede: self.ede.clone(), ..Answer::default() })
    }
}

fn positive(set: impl Into<Arc<RrSet>>) -> Verdict {
    let answer = vec![Aged { set: set.into(), ttl: TTL }];
    Verdict::Answer(Answer { authoritative: true, answer, ..Answer::default() })
}
