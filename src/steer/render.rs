//! From chosen members to records: the member is chosen first and once, then shown as whatever type was asked for, so
//! that a client's A, AAAA, HTTPS and SRV lead to the same place (R11, R12).

use std::net::IpAddr;

use smallvec::SmallVec;

use super::pool::{Member, Pool, Service};
use super::selection::{Family, Outcome, Selection, Steering};
use crate::base::bounds;
use crate::dns::{Name, RecordType, RrSet};

/// What of a selection is seen by those who ask for one type: it decides the records, octet for octet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// What it answers.
    pub kind: Kind,
    /// The members whose data answer, in order.
    pub members: SmallVec<[u16; 8]>,
    /// Whether they are members of the fallback pool.
    pub is_fallback: bool,
    /// For how long, seconds.
    pub ttl: u32,
    /// The greatest revision of those members whose addresses are found out; 0 of others.
    pub revision: u64,
}

/// What a selection answers, without the records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Records of the type asked for.
    Records,
    /// A CNAME.
    Alias,
    /// The name is there, the type is not.
    NoData,
    /// Nothing can be said.
    ServFail,
}

impl Kind {
    /// Whether data of members answer, so that the answer is for those alone for whom they were chosen: denials and
    /// failures are not tailored, resolvers keep them for everybody (R2.7).
    #[must_use]
    pub const fn is_tailored(self) -> bool {
        matches!(self, Self::Records | Self::Alias)
    }
}

/// What a selection answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rendered {
    /// Records of the type asked for.
    Records(RrSet),
    /// A CNAME that stands alone: its target is not followed here (R2.8).
    Alias(RrSet),
    /// The name is there, the type is not.
    NoData,
    /// Nothing can be said.
    ServFail,
}

impl Steering {
    /// Shows a selection of this name to those who ask for `rtype`, and remembers until when its members are believed.
    #[must_use]
    pub fn show(&self, selection: &Selection, rtype: RecordType) -> Shown {
        let source = self.source(selection.is_fallback);
        let pool = source.pool();
        let mut members = SmallVec::new();
        let first = selection.chosen().first().copied();
        let alias = first.filter(|&index| pool.member(index).is_some_and(|member| member.cname.is_some()));
        let kind = match (selection.outcome, alias) {
            (Outcome::NoData, _) => Kind::NoData,
            (Outcome::ServFail, _) => Kind::ServFail,
            (Outcome::Members, Some(index)) => {
                members.push(index);
                Kind::Alias
            }
            (Outcome::Members, None) => {
                members.extend(selection.chosen().iter().copied().filter(|&index| has(pool, index, rtype)));
                if members.is_empty() && self.terms().family == Family::NearestWith {
                    members.extend(selection.order.iter().copied().find(|&index| has(pool, index, rtype)));
                }
                if members.is_empty() { Kind::NoData } else { Kind::Records }
            }
        };
        members.iter().for_each(|&index| source.note_answer(index, selection));
        let listed = members.iter().filter_map(|&index| pool.member(index)?.listed.as_ref());
        // Whenever one of them changes, the greatest grows.
        let revision = listed.map(|listed| listed.found().revision).max().unwrap_or(0);
        Shown { kind, members, is_fallback: selection.is_fallback, ttl: selection.ttl, revision }
    }

    /// A selection of this name as the records of `rtype` at `owner`.
    #[must_use]
    pub fn render(&self, selection: &Selection, owner: &Name, rtype: RecordType) -> Rendered {
        self.compose(&self.show(selection, rtype), owner, rtype)
    }

    /// What is shown, as the records of `rtype` at `owner`.
    #[must_use]
    pub fn compose(&self, shown: &Shown, owner: &Name, rtype: RecordType) -> Rendered {
        let pool = self.source(shown.is_fallback).pool();
        let mut members = shown.members.iter().filter_map(|&index| pool.member(index));
        match shown.kind {
            Kind::NoData => Rendered::NoData,
            Kind::ServFail => Rendered::ServFail,
            Kind::Alias => match members.next().and_then(|member| member.cname.as_ref()) {
                Some(target) => {
                    Rendered::Alias(RrSet::new(owner.clone(), RecordType::CNAME, shown.ttl, [target.wire()]))
                }
                None => Rendered::NoData,
            },
            Kind::Records => {
                let mut rdatas: Vec<SmallVec<[u8; 16]>> = Vec::new();
                members.for_each(|member| compose(member, rtype, &mut rdatas));
                rdatas.truncate(bounds::RECORDS_PER_RRSET);
                Rendered::Records(RrSet::new(owner.clone(), rtype, shown.ttl, rdatas))
            }
        }
    }
}

impl Pool {
    /// The records of `rtype` of all members whatever their health, as a transfer to a server that cannot steer has
    /// them; none where there are none. An alias among several members cannot be shown so.
    #[must_use]
    pub fn all_records(&self, owner: &Name, rtype: RecordType, ttl: u32) -> Option<RrSet> {
        if let [Member { cname: Some(target), .. }] = self.members() {
            return (rtype == RecordType::CNAME).then(|| RrSet::new(owner.clone(), rtype, ttl, [target.wire()]));
        }
        let mut rdatas = Vec::new();
        let written = self.members().iter().filter(|member| !member.is_listed());
        written.for_each(|member| compose(member, rtype, &mut rdatas));
        rdatas.truncate(bounds::RECORDS_PER_RRSET);
        // Of those that are found out nothing can stand in a zone but their name.
        self.has(rtype).then(|| RrSet::new(owner.clone(), rtype, ttl, rdatas))
    }
}

fn has(pool: &Pool, index: u16, rtype: RecordType) -> bool {
    rtype != RecordType::CNAME && pool.member(index).is_some_and(|member| member.has(rtype))
}

/// Adds a member's RDATA of `rtype`; no record stands twice in a set (RFC 2181 §5).
fn compose(member: &Member, rtype: RecordType, into: &mut Vec<SmallVec<[u8; 16]>>) {
    let mut add = |rdata: &[u8]| {
        if !into.iter().any(|known| known.as_slice() == rdata) {
            into.push(SmallVec::from_slice(rdata));
        }
    };
    let found = member.listed.as_ref().map(|listed| listed.found());
    match rtype {
        RecordType::A => {
            let a = found.as_ref().map_or(&member.a, |found| &found.a);
            for address in a {
                add(&address.octets());
            }
        }
        RecordType::AAAA => {
            let aaaa = found.as_ref().map_or(&member.aaaa, |found| &found.aaaa);
            for address in aaaa {
                add(&address.octets());
            }
        }
        RecordType::SRV => {
            if let Some(srv) = &member.srv {
                let mut rdata = [srv.priority, srv.weight, srv.port].map(u16::to_be_bytes).concat();
                rdata.extend_from_slice(srv.target.wire());
                add(&rdata);
            }
        }
        RecordType::HTTPS | RecordType::SVCB => {
            if let Some(service) = &member.service {
                add(&compose_service(service, member));
            }
        }
        _ => {}
    }
}

/// RFC 9460 §2.2: priority, target, parameters in ascending order of their keys.
fn compose_service(service: &Service, member: &Member) -> Vec<u8> {
    let mut rdata = service.priority.to_be_bytes().to_vec();
    rdata.extend_from_slice(service.target.as_ref().map_or(&[0], |target| target.wire()));
    if service.priority == 0 {
        return rdata; // an alias has no parameters (§2.4.2)
    }
    let mut add = |key: u16, value: &[u8]| {
        if let (false, Ok(length)) = (value.is_empty(), u16::try_from(value.len())) {
            rdata.extend_from_slice(&key.to_be_bytes());
            rdata.extend_from_slice(&length.to_be_bytes());
            rdata.extend_from_slice(value);
        }
    };
    let mut alpn = Vec::new();
    for protocol in &service.alpn {
        if let Ok(length) = u8::try_from(protocol.len()) {
            alpn.push(length);
            alpn.extend_from_slice(protocol.as_bytes());
        }
    }
    add(1, &alpn);
    add(3, &service.port.map_or(Vec::new(), |port| port.to_be_bytes().to_vec()));
    // Where the target is the owner itself, its own addresses are at hand and hints are idle (§7.3).
    let has_hints = service.has_hints && service.target.is_some();
    if has_hints {
        add(4, &octets(member, |address| matches!(address, IpAddr::V4(_))));
    }
    add(5, service.ech.as_deref().unwrap_or_default());
    if has_hints {
        add(6, &octets(member, |address| matches!(address, IpAddr::V6(_))));
    }
    rdata
}

/// Those of a member's addresses that `are_meant`, as hints have them.
fn octets(member: &Member, are_meant: impl Fn(&IpAddr) -> bool) -> Vec<u8> {
    let octets = |address| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    member.addresses().into_iter().filter(are_meant).flat_map(octets).collect()
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
