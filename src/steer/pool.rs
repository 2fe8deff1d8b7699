//! Pools: the members that a name can answer with, and what each of them stands for.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::hashing::{hash_bytes, hash_words};
use super::listed::Listed;
use super::place::{Place, Point};
use crate::base::bounds;
use crate::dns::{Name, RecordType};

/// A pool's place in the tables of health and feeds; given out by whoever builds the pools.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PoolId(pub u32);

/// How large a share of the answers a member has; 0 is a standby.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Weight(f64);

impl Weight {
    /// The weight of a member that says nothing else.
    pub const ONE: Self = Self(1.0);

    /// A weight from 0 to 10⁹; none for anything else.
    #[must_use]
    pub fn new(weight: f64) -> Option<Self> {
        (0.0..=1e9).contains(&weight).then_some(Self(weight))
    }

    /// The weight as a number.
    #[must_use]
    pub const fn value(self) -> f64 {
        self.0
    }
}

/// What an SRV record says besides the member's own weight (RFC 2782).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Srv {
    /// Lower is tried first.
    pub priority: u16,
    /// The share among records of one priority.
    pub weight: u16,
    /// The service's port.
    pub port: u16,
    /// The host that serves.
    pub target: Name,
}

/// What an SVCB or HTTPS record says (RFC 9460).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Service {
    /// 0 for an alias, else the order of preference.
    pub priority: u16,
    /// The host that serves; none for the owner itself.
    pub target: Option<Name>,
    /// Application protocols, such as `h2`.
    pub alpn: Vec<Box<str>>,
    /// The port, if it is not the scheme's.
    pub port: Option<u16>,
    /// The Encrypted Client Hello configuration.
    pub ech: Option<Box<[u8]>>,
    /// Whether the member's addresses are given as hints.
    pub has_hints: bool,
}

/// One member of a pool.
#[derive(Clone, PartialEq, Debug)]
pub struct Member {
    /// Its name within the pool.
    pub name: Box<str>,
    /// IPv4 addresses.
    pub a: Vec<Ipv4Addr>,
    /// IPv6 addresses.
    pub aaaa: Vec<Ipv6Addr>,
    /// Whose addresses it has, where they are found out; then it has none of its own.
    pub listed: Option<Arc<Listed>>,
    /// An alias; then the member has nothing else.
    pub cname: Option<Name>,
    /// Its SRV record.
    pub srv: Option<Srv>,
    /// Its HTTPS and SVCB record.
    pub service: Option<Service>,
    /// Where it is.
    pub place: Place,
    /// Its share of the answers.
    pub weight: Weight,
    /// Failover order; lower comes first.
    pub tier: u16,
    /// What an answer costs, in whatever unit the pool uses.
    pub cost: f64,
    /// The load that it can bear, in the unit of the load feed.
    pub capacity: Option<f64>,
    /// Its cohort.
    pub group: Option<Box<str>>,
}

impl Member {
    /// A member without data: weight 1, tier 1, no cost.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            a: Vec::new(),
            aaaa: Vec::new(),
            listed: None,
            cname: None,
            srv: None,
            service: None,
            place: Place::default(),
            weight: Weight::ONE,
            tier: 1,
            cost: 0.0,
            capacity: None,
            group: None,
        }
    }

    /// Its addresses now, IPv4 first.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        let mut all = Vec::new();
        let mut add = |a: &[Ipv4Addr], aaaa: &[Ipv6Addr]| {
            all.extend(a.iter().copied().map(IpAddr::V4));
            all.extend(aaaa.iter().copied().map(IpAddr::V6));
        };
        match self.listed.as_ref().map(|listed| listed.found()) {
            Some(found) => add(&found.a, &found.aaaa),
            None => add(&self.a, &self.aaaa),
        }
        all
    }

    /// Whether it may have addresses that come and go.
    #[must_use]
    pub const fn is_listed(&self) -> bool {
        self.listed.is_some()
    }

    /// Whether the member has data of `rtype` now.
    #[must_use]
    pub fn has(&self, rtype: RecordType) -> bool {
        let found = self.listed.as_ref().map(|listed| listed.found());
        match rtype {
            RecordType::A => !found.as_ref().map_or(&self.a, |found| &found.a).is_empty(),
            RecordType::AAAA => !found.as_ref().map_or(&self.aaaa, |found| &found.aaaa).is_empty(),
            RecordType::CNAME => self.cname.is_some(),
            RecordType::SRV => self.srv.is_some(),
            RecordType::HTTPS | RecordType::SVCB => self.service.is_some(),
            _ => false,
        }
    }
}

/// Why members make no pool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PoolFault {
    /// The pool has no member.
    Empty,
    /// The pool has more members than [`bounds::POOL_MEMBERS_MAX`].
    TooManyMembers,
    /// Two members have this name.
    Duplicate(Box<str>),
    /// This member has no record to answer with.
    NoData(Box<str>),
    /// This member has a CNAME beside other data (RFC 1034 §3.6.2).
    CnameNotAlone(Box<str>),
    /// This member has more addresses of a family than an `RRset` may hold.
    TooManyAddresses(Box<str>),
    /// This member's cost or capacity is negative or no number.
    BadNumber(Box<str>),
}

impl fmt::Display for PoolFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the pool has no member"),
            Self::TooManyMembers => write!(f, "the pool has more than {} members", bounds::POOL_MEMBERS_MAX),
            Self::Duplicate(name) => write!(f, "two members are named {name}"),
            Self::NoData(name) => write!(f, "member {name} has no address, cname, srv or https"),
            Self::CnameNotAlone(name) => write!(f, "member {name} has other data beside its cname"),
            Self::TooManyAddresses(name) => {
                write!(f, "member {name} has more than {} addresses", bounds::RECORDS_PER_RRSET)
            }
            Self::BadNumber(name) => write!(f, "the cost or capacity of member {name} is not a number from 0"),
        }
    }
}

/// What is computed of a member once, since every query needs it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Mark {
    /// The member's name, hashed: all hashing stages and nodes know it by this.
    pub(super) hash: u64,
    pub(super) point: Option<Point>,
}

/// A pool: members in the order of their declaration.
#[derive(Clone, PartialEq, Debug)]
pub struct Pool {
    id: PoolId,
    name: Box<str>,
    members: Vec<Member>,
    marks: Vec<Mark>,
    /// The members' numbers in the order of their names: rules name thousands of them.
    by_name: Vec<u16>,
    identity: u64,
    has_standbys: bool,
}

impl Pool {
    /// A pool of `members`.
    ///
    /// # Errors
    /// Every [`PoolFault`] found.
    pub fn new(id: PoolId, name: &str, members: Vec<Member>) -> Result<Self, Vec<PoolFault>> {
        let mut faults = Vec::new();
        if members.is_empty() {
            faults.push(PoolFault::Empty);
        }
        if members.len() > bounds::POOL_MEMBERS_MAX {
            faults.push(PoolFault::TooManyMembers);
        }
        let mut names = std::collections::BTreeSet::new();
        for member in &members {
            let name = &member.name;
            if !names.insert(name) {
                faults.push(PoolFault::Duplicate(name.clone()));
            }
            let has_other = !member.a.is_empty()
                || !member.aaaa.is_empty()
                || member.is_listed()
                || member.srv.is_some()
                || member.service.is_some();
            match (member.cname.is_some(), has_other) {
                (false, false) => faults.push(PoolFault::NoData(name.clone())),
                (true, true) => faults.push(PoolFault::CnameNotAlone(name.clone())),
                _ => {}
            }
            if member.a.len().max(member.aaaa.len()) > bounds::RECORDS_PER_RRSET {
                faults.push(PoolFault::TooManyAddresses(name.clone()));
            }
            let is_sound = |number: f64| number.is_finite() && number >= 0.0;
            if !is_sound(member.cost) || !member.capacity.is_none_or(is_sound) {
                faults.push(PoolFault::BadNumber(name.clone()));
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let marks = members
            .iter()
            .map(|member| Mark { hash: hash_bytes(0, member.name.as_bytes()), point: member.place.point() })
            .collect();
        let mut by_name: Vec<u16> = (0..members.len() as u16).collect();
        by_name.sort_by_key(|&index| members.get(usize::from(index)).map(|member| &member.name));
        let names = members.iter().map(|member| hash_bytes(2, member.name.as_bytes()));
        let names: Vec<u64> = [hash_bytes(1, name.as_bytes())].into_iter().chain(names).collect();
        let identity = hash_words(3, &names);
        let has_standbys = members.iter().any(|member| member.weight.value() <= 0.0);
        Ok(Self { id, name: name.into(), members, marks, by_name, identity, has_standbys })
    }

    /// The pool's place in the tables of health and feeds.
    #[must_use]
    pub const fn id(&self) -> PoolId {
        self.id
    }

    /// A number that pools with the same name and the same members' names have in common, wherever they stand.
    #[must_use]
    pub const fn identity(&self) -> u64 {
        self.identity
    }

    /// The pool's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The members, in the order of their declaration.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member at `index`.
    #[must_use]
    pub fn member(&self, index: u16) -> Option<&Member> {
        self.members.get(usize::from(index))
    }

    /// The index of the member called `name`.
    #[must_use]
    pub fn index_of(&self, name: &str) -> Option<u16> {
        let named = |index: &u16| self.member(*index).map_or("", |member| &member.name);
        let at = self.by_name.binary_search_by(|index| named(index).cmp(name)).ok()?;
        self.by_name.get(at).copied()
    }

    /// Whether any member has data of `rtype`, or may have them at times.
    #[must_use]
    pub fn has(&self, rtype: RecordType) -> bool {
        let may_have = |member: &Member| member.is_listed() && matches!(rtype, RecordType::A | RecordType::AAAA);
        self.members.iter().any(|member| may_have(member) || member.has(rtype))
    }

    /// Whether any member is a standby (weight 0).
    #[must_use]
    pub const fn has_standbys(&self) -> bool {
        self.has_standbys
    }

    /// Whether any member has addresses of both families, or may have them at times.
    #[must_use]
    pub fn is_dual_family(&self) -> bool {
        self.members.iter().any(|member| member.is_listed() || (!member.a.is_empty() && !member.aaaa.is_empty()))
    }

    pub(super) fn mark(&self, index: u16) -> Option<&Mark> {
        self.marks.get(usize::from(index))
    }

    pub(super) fn marks(&self) -> impl Iterator<Item = (u16, &Mark, &Member)> {
        self.marks.iter().zip(&self.members).enumerate().map(|(index, (mark, member))| (index as u16, mark, member))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_a_pool_is_named() {
        let mut both = Member::new("both");
        both.a.push(Ipv4Addr::new(192, 0, 2, 1));
        both.cname = "www.example.".parse().ok();
        let faults = Pool::new(PoolId(0), "p", vec![Member::new("bare"), both.clone(), both]).unwrap_err();
        assert_eq!(
            faults,
            [
                PoolFault::NoData("bare".into()),
                PoolFault::CnameNotAlone("both".into()),
                PoolFault::Duplicate("both".into()),
                PoolFault::CnameNotAlone("both".into()),
            ]
        );
        assert_eq!(Pool::new(PoolId(0), "p", vec![]), Err(vec![PoolFault::Empty]));
    }

    #[test]
    fn a_weight_is_a_number_from_nought() {
        assert!(Weight::new(0.0).is_some() && Weight::new(0.25).is_some());
        assert!(Weight::new(-1.0).is_none() && Weight::new(f64::NAN).is_none());
    }
}
