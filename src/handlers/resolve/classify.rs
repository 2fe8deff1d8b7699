//! Reads out of a response what it means for the question that was asked of a zone's server, and nothing else:
//! records from outside the zone are scrubbed, referrals lead down only, glue stays with its delegation.

use std::net::IpAddr;
use std::sync::Arc;

use crate::base::bounds;
use crate::base::tally::{Event, Tally};
use crate::chain::{Delegation, Denial, NameServer, Proofs};
use crate::dns::dnssec::Security;
use crate::dns::{Class, Message, Name, Question, Rcode, Record, RecordType, RrSet};

/// What a response means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// An answer, a denial, or aliases leading to one.
    Chain(FoundChain),
    /// The name lies behind a zone cut.
    Referral(Arc<Delegation>, AboutKeys),
    /// Nothing that helps: the server is lame for the zone.
    Lame(&'static str),
}

/// What a parent says of a zone's keys along with a referral (RFC 4035 §3.1.4).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AboutKeys {
    /// The DS RRset, if it has one.
    pub ds: Option<Arc<RrSet>>,
    /// What proves that it has none.
    pub proofs: Proofs,
}

/// Aliases from the question's name on, and where they end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundChain {
    /// The aliases in order.
    pub aliases: Vec<Alias>,
    /// What stands at their end.
    pub end: End,
    /// AA.
    pub is_authoritative: bool,
    /// Where a wildcard makes up one of the answers, what proves that nothing closer is there.
    pub proofs: Proofs,
    /// The root's servers with their addresses, where just that was asked (priming, RFC 9609).
    pub roots: Option<Arc<Delegation>>,
}

/// One alias.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alias {
    /// The DNAME that the CNAME was made from.
    pub dname: Option<Arc<RrSet>>,
    /// The CNAME.
    pub cname: Arc<RrSet>,
    /// Where it leads.
    pub target: Name,
}

/// The end of a chain of aliases.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// The RRset asked for.
    Answer(Arc<RrSet>),
    /// The CNAME asked for, which a DNAME makes; both belong to the answer (RFC 6672 §3.1).
    Made(Alias),
    /// The name or the type is not there.
    Denied(Name, Denial),
    /// The response says no more; the target must be asked for.
    Continues(Name),
    /// This DNAME makes a name of more than 255 octets: YXDOMAIN (RFC 6672 §2.2).
    TooLong(Arc<RrSet>),
}

/// Classifies `message`, a response of a server of `zone` to `question`. With `is_forwarded` the server was
/// asked to recurse: AA is not expected, and a referral is no help.
///
/// # Errors
/// The text of what is wrong where an RRset breaks the bounds on records.
pub fn classify(
    message: &Message,
    zone: &Name,
    question: &Question,
    is_forwarded: bool,
    tally: &Tally,
) -> Result<Finding, &'static str> {
    let reading = Reading { message, zone, tally };
    let (aliases, end_name, end) = reading.follow(question)?;
    let found = |aliases: Vec<Alias>, end: End| {
        let is_authoritative = message.flags.authoritative;
        let proofs = reading.of_wildcards(&aliases, &end)?;
        Ok(Finding::Chain(FoundChain { aliases, end, is_authoritative, proofs, roots: None }))
    };
    match end {
        Walked::TooLong(dname) => return found(aliases, End::TooLong(dname)),
        Walked::Made(alias) => return found(aliases, End::Made(alias)),
        Walked::Found(set) => {
            let is_priming = zone.is_root() && question.name.is_root() && question.rtype == RecordType::NS;
            let roots = is_priming.then(|| reading.delegation(&set));
            // Without addresses nobody could be asked for them: then the hints serve on.
            let roots = roots.filter(|roots| roots.servers.iter().any(|server| !server.glue.is_empty())).map(Arc::new);
            let is_authoritative = message.flags.authoritative;
            let end = End::Answer(set);
            let proofs = reading.of_wildcards(&aliases, &end)?;
            return Ok(Finding::Chain(FoundChain { aliases, end, is_authoritative, proofs, roots }));
        }
        Walked::Open => {}
    }
    if !end_name.is_within(zone) {
        return found(aliases, End::Continues(end_name)); // whatever is said of that name is hearsay
    }
    let soa = reading.soa(&end_name)?;
    if message.rcode == Rcode::NXDOMAIN {
        if soa.is_none() && !message.flags.authoritative && !is_forwarded {
            return Ok(Finding::Lame("NXDOMAIN without authority"));
        }
        return found(aliases, End::Denied(end_name, reading.denial(true, soa)?));
    }
    if let (None, false) = (&soa, is_forwarded) {
        match reading.referral(&end_name, question.rtype)? {
            Some(_) if !aliases.is_empty() => return found(aliases, End::Continues(end_name)),
            Some(Ok((delegation, about))) => return Ok(Finding::Referral(delegation, about)),
            Some(Err(why)) if !message.flags.authoritative => {
                tally.count(Event::UpstreamBadReferral);
                return Ok(Finding::Lame(why));
            }
            _ => {}
        }
    }
    if !aliases.is_empty() && soa.is_none() {
        return found(aliases, End::Continues(end_name));
    }
    if soa.is_none() && !message.flags.authoritative && !is_forwarded {
        return Ok(Finding::Lame("neither answer nor authority"));
    }
    found(aliases, End::Denied(end_name, reading.denial(false, soa)?))
}

#[derive(PartialEq, Eq)]
enum Walked {
    Found(Arc<RrSet>),
    Made(Alias),
    Open,
    TooLong(Arc<RrSet>),
}

struct Reading<'m> {
    message: &'m Message,
    zone: &'m Name,
    tally: &'m Tally,
}

impl Reading<'_> {
    /// Follows the answer section from the question's name through aliases, as far as they stay in the zone.
    fn follow(&self, question: &Question) -> Result<(Vec<Alias>, Name, Walked), &'static str> {
        let outside = self.message.answer.iter().filter(|record| !record.owner.is_within(self.zone)).count();
        self.tally.add(Event::Scrubbed, outside as u64);
        let mut name = question.name.lowered();
        let mut aliases: Vec<Alias> = Vec::new();
        loop {
            if !name.is_within(self.zone) || aliases.len() > bounds::ALIASES_MAX as usize {
                return Ok((aliases, name, Walked::Open));
            }
            let dname = self.dname(&name)?.map(Arc::new);
            if dname.is_none() || question.rtype != RecordType::CNAME {
                if let Some(set) = collect(&self.message.answer, &name, question.rtype)? {
                    return Ok((aliases, name, Walked::Found(Arc::new(set))));
                }
                if question.rtype == RecordType::CNAME {
                    return Ok((aliases, name, Walked::Open));
                }
            }
            let alias = match dname {
                Some(dname) => match rename(&dname, &name) {
                    Some(alias) if question.rtype == RecordType::CNAME => {
                        return Ok((aliases, name, Walked::Made(alias)));
                    }
                    Some(alias) => alias,
                    None => return Ok((aliases, name, Walked::TooLong(dname))),
                },
                None => match collect(&self.message.answer, &name, RecordType::CNAME)? {
                    // Of several CNAMEs at one name, which no zone may have, the first counts.
                    Some(set) => match set.target() {
                        Some(target) => {
                            let first = set.rdatas.iter().next().map(<[u8]>::to_vec);
                            let mut single = RrSet::new(set.owner, set.rtype, set.ttl, first);
                            single.signatures = set.signatures;
                            Alias { dname: None, cname: Arc::new(single), target }
                        }
                        None => return Ok((aliases, name, Walked::Open)),
                    },
                    None => return Ok((aliases, name, Walked::Open)),
                },
            };
            if alias.target == name || aliases.iter().any(|earlier| earlier.cname.owner == alias.target) {
                // The response itself shows a loop: no further question could end it.
                aliases.push(alias);
                let looped = aliases.iter().cycle().take(bounds::ALIASES_MAX as usize + 1).cloned().collect();
                return Ok((looped, name, Walked::Open));
            }
            name = alias.target.lowered();
            aliases.push(alias);
        }
    }

    /// A DNAME in the answer section above `name` and inside the zone.
    fn dname(&self, name: &Name) -> Result<Option<RrSet>, &'static str> {
        let owner = self
            .message
            .answer
            .iter()
            .filter(|record| record.rtype == RecordType::DNAME)
            .map(|record| &record.owner)
            .find(|owner| name.is_below(owner) && owner.is_within(self.zone));
        match owner {
            Some(owner) => collect(&self.message.answer, &owner.lowered(), RecordType::DNAME),
            None => Ok(None),
        }
    }

    /// The SOA in the authority section of a zone that holds `name` and that the server may speak for.
    fn soa(&self, name: &Name) -> Result<Option<Arc<RrSet>>, &'static str> {
        let owner = self
            .message
            .authority
            .iter()
            .filter(|record| record.rtype == RecordType::SOA)
            .map(|record| &record.owner)
            .find(|owner| name.is_within(owner) && owner.is_within(self.zone));
        match owner {
            Some(owner) => Ok(collect(&self.message.authority, &owner.lowered(), RecordType::SOA)?.map(Arc::new)),
            None => Ok(None),
        }
    }

    fn denial(&self, is_nxdomain: bool, soa: Option<Arc<RrSet>>) -> Result<Denial, &'static str> {
        let ttl = soa.as_ref().map_or(0, |soa| negative_ttl(soa));
        Ok(Denial { is_nxdomain, soa, proofs: self.proofs()?, ttl, security: Security::Unchecked })
    }

    /// The NSEC and NSEC3 RRsets of the authority section.
    fn proofs(&self) -> Result<Vec<Arc<RrSet>>, &'static str> {
        let mut proofs: Vec<Arc<RrSet>> = Vec::new();
        for record in &self.message.authority {
            let is_proof = matches!(record.rtype, RecordType::NSEC | RecordType::NSEC3);
            let is_known = |set: &Arc<RrSet>| set.owner == record.owner && set.rtype == record.rtype;
            let has_room = proofs.len() < bounds::DENIAL_PROOFS;
            if is_proof && record.owner.is_within(self.zone) && has_room && !proofs.iter().any(is_known) {
                proofs.extend(collect(&self.message.authority, &record.owner.lowered(), record.rtype)?.map(Arc::new));
            }
        }
        Ok(proofs)
    }

    /// What proves that nothing closer is there than the wildcards that make up the answers, if any do.
    fn of_wildcards(&self, aliases: &[Alias], end: &End) -> Result<Proofs, &'static str> {
        let end = if let End::Answer(set) = end { Some(set) } else { None };
        if aliases.iter().map(|alias| &alias.cname).chain(end).any(|set| is_made_by_wildcard(set)) {
            self.proofs().map(Into::into)
        } else {
            Ok(Proofs::default())
        }
    }

    /// The zone cut that the authority section points to, or why its NS records lead nowhere.
    #[expect(clippy::type_complexity, reason = "one caller; a name for it would explain nothing")]
    fn referral(
        &self,
        name: &Name,
        rtype: RecordType,
    ) -> Result<Option<Result<(Arc<Delegation>, AboutKeys), &'static str>>, &'static str> {
        let owners = || self.message.authority.iter().filter(|record| record.rtype == RecordType::NS);
        let below = owners().map(|record| &record.owner).find(|owner| {
            let holds_name = if rtype == RecordType::DS { name.is_below(owner) } else { name.is_within(owner) };
            owner.is_below(self.zone) && holds_name
        });
        let Some(owner) = below else {
            return Ok(owners().next().map(|record| {
                Err(if record.owner == *self.zone { "refers to itself" } else { "refers upward or sideways" })
            }));
        };
        let owner = owner.lowered();
        let Some(set) = first(bounds::NAME_SERVERS_MAX, &self.message.authority, &owner, RecordType::NS) else {
            return Ok(None);
        };
        let ds = collect(&self.message.authority, &owner, RecordType::DS)?.map(Arc::new);
        let proofs = if ds.is_none() { self.proofs()?.into() } else { Proofs::default() };
        Ok(Some(Ok((Arc::new(self.delegation(&set)), AboutKeys { ds, proofs }))))
    }

    /// The servers that an NS RRset names, with the addresses that the additional section gives them.
    fn delegation(&self, set: &RrSet) -> Delegation {
        let mut servers: Vec<NameServer> = Vec::new();
        for rdata in set.rdatas.iter() {
            let Ok((name, _)) = Name::from_wire(rdata) else { continue };
            if servers.len() < bounds::NAME_SERVERS_MAX && !servers.iter().any(|server| server.name == name) {
                servers.push(NameServer { name, glue: Vec::new() });
            }
        }
        for record in &self.message.additional {
            let Some(address) = address(record) else { continue };
            if !record.owner.is_within(self.zone) {
                self.tally.count(Event::Scrubbed);
                continue;
            }
            for server in &mut servers {
                if server.name == record.owner
                    && server.glue.len() < bounds::ADDRESSES_PER_SERVER
                    && !server.glue.contains(&address)
                {
                    server.glue.push(address);
                }
            }
        }
        Delegation { zone: set.owner.clone(), servers, ttl: set.ttl }
    }
}

/// The address in an A or AAAA record.
#[must_use]
pub fn address(record: &Record) -> Option<IpAddr> {
    if record.class == Class::IN { address_of(record.rtype, &record.rdata) } else { None }
}

/// The address in the RDATA of an A or AAAA record.
#[must_use]
pub fn address_of(rtype: RecordType, rdata: &[u8]) -> Option<IpAddr> {
    match rtype {
        RecordType::A => <[u8; 4]>::try_from(rdata).ok().map(IpAddr::from),
        RecordType::AAAA => <[u8; 16]>::try_from(rdata).ok().map(IpAddr::from),
        _ => None,
    }
}

/// Whether a signature of `set` says that its owner's name was made by a wildcard: of fewer labels than it has
/// (RFC 4034 §3.1.3).
#[must_use]
pub fn is_made_by_wildcard(set: &RrSet) -> bool {
    let labels = set.owner.label_count() - usize::from(set.owner.is_wildcard());
    set.signatures.iter().any(|rdata| rdata.get(3).is_some_and(|&signed| usize::from(signed) < labels))
}

/// The TTL of a negative answer: the least of the SOA's TTL and its last field (RFC 2308 §5).
#[must_use]
pub fn negative_ttl(soa: &RrSet) -> u32 {
    let minimum = soa.rdatas.iter().next().and_then(|rdata| rdata.last_chunk::<4>());
    minimum.map_or(0, |octets| soa.ttl.min(u32::from_be_bytes(*octets)))
}

/// The CNAME that a DNAME makes of `name` (RFC 6672 §3.1); none where it would be too long.
pub fn rename(dname: &Arc<RrSet>, name: &Name) -> Option<Alias> {
    let target = dname.target().and_then(|to| name.with_ending(&dname.owner, &to))?.ok()?;
    let cname = RrSet::new(name.clone(), RecordType::CNAME, dname.ttl, [target.wire()]);
    Some(Alias { dname: Some(Arc::clone(dname)), cname: Arc::new(cname), target })
}

/// The RRset of `owner` and `rtype` in a section, with the signatures that cover it. The owner's letters are
/// those given; names in RDATA become small, since they may be pointers to our own random letters.
///
/// # Errors
/// The RRset has more records or octets than [`bounds`] allow.
pub fn collect(section: &[Record], owner: &Name, rtype: RecordType) -> Result<Option<RrSet>, &'static str> {
    match first(bounds::RECORDS_PER_RRSET + 1, section, owner, rtype) {
        Some(set) if !set.is_within_bounds() => Err("an RRset has too many records"),
        set => Ok(set),
    }
}

/// The first `most` records of the RRset: of a set past its bound, and of a referral's servers past those that are kept,
/// the rest would only cost time.
fn first(most: usize, section: &[Record], owner: &Name, rtype: RecordType) -> Option<RrSet> {
    let is_own = |record: &&Record| record.class == Class::IN && record.owner == *owner;
    let mut ttl = u32::MAX;
    let mut rdatas: Vec<smallvec::SmallVec<[u8; 24]>> = Vec::new();
    for record in section.iter().filter(|record| record.rtype == rtype).filter(is_own) {
        if rdatas.len() >= most {
            break;
        }
        ttl = ttl.min(record.ttl);
        let mut rdata = record.rdata.clone();
        lower_names(rtype, &mut rdata);
        if !rdatas.contains(&rdata) {
            rdatas.push(rdata);
        }
    }
    if rdatas.is_empty() {
        return None;
    }
    let covers =
        |record: &&Record| record.rtype == RecordType::RRSIG && record.rdata.starts_with(&rtype.0.to_be_bytes());
    let signatures = section.iter().filter(covers).filter(is_own).map(|record| &record.rdata).take(16);
    let mut set = RrSet::new(owner.clone(), rtype, ttl, rdatas);
    set.signatures = signatures.collect();
    Some(set)
}

fn lower_names(rtype: RecordType, rdata: &mut [u8]) {
    let names = match rtype {
        RecordType::NS | RecordType::CNAME | RecordType::DNAME | RecordType::PTR => 0..rdata.len(),
        RecordType::MX => 2..rdata.len(),
        RecordType::SRV => 6..rdata.len(),
        RecordType::SOA => 0..rdata.len().saturating_sub(20),
        _ => return,
    };
    if let Some(names) = rdata.get_mut(names) {
        names.make_ascii_lowercase(); // a length octet is at most 63, no capital letter
    }
}
