//! From a question to an answer out of our zones, step by step along the aliases (RFC 1034 §4.3.2).

use super::alias::AliasTable;
use super::build::absolute;
use super::denial::Proof;
use super::lookup::{Found, find, find_path};
use super::master_file;
use super::steered::Steer;
use super::tree::{Node, Path, SetView};
use super::zone::Zone;
use super::zones::{Hosted, Zones};
use crate::base::bounds;
use crate::chain::{Aged, Answer, Carrier, Goal, Query, Verdict};
use crate::dns::{Ede, EdeCode, Name, Rcode, RecordType, RrSet};

/// What our zones say to a question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// The answer, complete as far as our zones go.
    pub answer: Answer,
    /// The name at which they end: the target of the last alias outside them, or a name behind a zone cut.
    /// A recursive resolver goes on from there, with the aliases in the answer section kept.
    pub leads_outside: Option<Name>,
    /// Whether part of it was chosen among members of a pool: the next who asks may be answered otherwise.
    pub is_chosen: bool,
}

/// Decides a query of class IN; none if the name is not in our zones.
pub(super) fn decide(zones: &Zones, query: &Query, steer: &mut Steer<'_>) -> Option<Decision> {
    let question = &query.question;
    let mut name = question.name.clone();
    let mut step = Step {
        aliases: zones.aliases(),
        steer,
        rtype: question.rtype,
        wants_dnssec: query.wants_dnssec(),
        wants_all_types: query.asker.carrier == Carrier::Tcp,
        answer: Answer { authoritative: true, ..Answer::default() },
    };
    let mut seen: Vec<Name> = Vec::new();
    let (mut leads_outside, mut leads_nowhere) = (None, true);
    for _ in 0..=bounds::ALIASES_MAX {
        match zones.find(&name, question.rtype) {
            None if seen.is_empty() => return None,
            None => {
                (leads_outside, leads_nowhere) = (Some(name), false);
                break;
            }
            Some(Hosted::Unavailable) => {
                let ede = Ede::new(EdeCode::NotReady, "the zone is not loaded or has expired");
                return Some(Decision::final_answer(Answer::refusal(Rcode::SERVFAIL, ede)));
            }
            Some(Hosted::Serving(zone)) => match step.take(zone, &name) {
                Next::Done => {
                    leads_nowhere = false;
                    break;
                }
                Next::Outside => {
                    (leads_outside, leads_nowhere) = (Some(name), false);
                    break;
                }
                Next::Alias(target) => {
                    // A ring ends where it would begin again.
                    if target == name || seen.contains(&target) {
                        break;
                    }
                    seen.push(std::mem::replace(&mut name, target));
                }
            },
        }
    }
    let is_chosen = step.steer.choices_made > 0;
    let answer = if leads_nowhere { step.answer.ending_nowhere(query) } else { step.answer };
    Some(Decision { answer, leads_outside, is_chosen })
}

impl Decision {
    /// An answer behind which there is nothing more.
    pub(super) const fn final_answer(answer: Answer) -> Self {
        Self { answer, leads_outside: None, is_chosen: false }
    }

    /// What the link says.
    pub(super) fn verdict(self, query: &Query) -> Verdict {
        let Self { mut answer, leads_outside, is_chosen } = self;
        if let Some(goal) = leads_outside.and_then(|target| Goal::beyond(query, target, &mut answer)) {
            return Verdict::Resolve(goal);
        }
        // The same to everybody until the zones change, which makes the workers forget; save what was chosen, and that
        // letters of the question reach the target of an alias made from a DNAME.
        if answer.answer.iter().any(|aged| aged.set.rtype == RecordType::DNAME) {
            answer.chooser = None;
        } else if !is_chosen {
            answer.recallable_until = Some(u64::from(u32::MAX));
            answer.is_ageless = true;
        }
        Verdict::Answer(answer)
    }
}

/// How the search goes on.
pub(super) enum Next {
    Done,
    /// The name lies behind a zone cut.
    Outside,
    Alias(Name),
}

pub(super) struct Step<'z, 't> {
    aliases: &'z AliasTable,
    pub(super) steer: &'z mut Steer<'t>,
    pub(super) rtype: RecordType,
    wants_dnssec: bool,
    wants_all_types: bool,
    pub(super) answer: Answer,
}

impl Step<'_, '_> {
    /// Answers for `name`, which lies within `zone`.
    fn take(&mut self, zone: &Zone, name: &Name) -> Next {
        let Some(path) = Path::of(name, zone.apex()) else { return Next::Done };
        match find_path(zone, &path, self.rtype) {
            Found::Node { node, wildcard_of } => self.data(zone, name, &path, node, wildcard_of),
            Found::Cut { node, labels } => {
                self.referral(zone, name.suffix(zone.apex().label_count() + labels), node);
                Next::Outside
            }
            Found::Dname { node } => self.dname(zone, name, node),
            Found::Missing { encloser } => {
                // The name at the end of the aliases decides the RCODE (RFC 6604 §3).
                self.answer.rcode = Rcode::NXDOMAIN;
                self.soa(zone, name);
                if self.wants_dnssec {
                    Proof::new(zone, &path, &mut self.answer.authority).nxdomain(encloser);
                }
                Next::Done
            }
        }
    }

    fn data(&mut self, zone: &Zone, name: &Name, path: &Path, node: Node<'_>, wildcard_of: Option<usize>) -> Next {
        let before = self.answer.answer.len();
        if before == 0 && wildcard_of.is_some() {
            self.answer.wildcard_zone = Some(Box::new(zone.apex().clone()));
        }
        let next = match self.rtype {
            RecordType::ANY => self.any(zone, name, node),
            RecordType::RRSIG => self.all_signatures(name, node),
            rtype => self.steered(zone, name, path, node, wildcard_of).or_else(|| {
                let set = node.set(rtype)?;
                self.push_answer(set, name);
                self.additional(zone, name, rtype, set.rdatas());
                Some(Next::Done)
            }),
        };
        let alias = || {
            let set = node.set(RecordType::CNAME)?;
            let target = set.rdatas().next().and_then(|rdata| Name::from_wire(rdata).ok())?.0;
            Some((set, target))
        };
        let next = match next {
            Some(next) => next,
            None => {
                if let Some((set, target)) = alias() {
                    self.push_answer(set, name);
                    Next::Alias(target)
                } else if self.flattened(zone, name, node) {
                    Next::Done
                } else {
                    self.nodata(zone, name, path, node, wildcard_of);
                    Next::Done
                }
            }
        };
        if self.wants_dnssec
            && self.answer.answer.len() > before
            && let Some(encloser) = wildcard_of
        {
            Proof::new(zone, path, &mut self.answer.authority).wildcard_answer(encloser);
        }
        next
    }

    /// Answers with the addresses of the name that an ALIAS at the apex leads to; false where there is no such
    /// record, or the other name has none.
    fn flattened(&mut self, zone: &Zone, name: &Name, node: Node<'_>) -> bool {
        if !node.name.is_empty() || !matches!(self.rtype, RecordType::A | RecordType::AAAA) {
            return false;
        }
        let Some((target, ttl)) = zone.alias() else { return false };
        match self.aliases.addresses(&target, self.rtype) {
            // Before the first success there is nothing that could be said; a denial would be kept.
            None => {
                let ede = Ede::new(EdeCode::NotReady, "the target of the ALIAS record could not be resolved yet");
                self.answer = Answer::refusal(Rcode::SERVFAIL, ede);
                true
            }
            Some(found) if found.rdatas.is_empty() => false,
            Some(found) => {
                let ttl = ttl.min(found.ttl);
                let set = RrSet::new(name.clone(), self.rtype, ttl, found.rdatas.iter());
                self.answer.answer.push(Aged { set: set.into(), ttl });
                true
            }
        }
    }

    /// RFC 8482 §4.1: over UDP one `RRset` is enough; over TCP all of them.
    fn any(&mut self, zone: &Zone, name: &Name, node: Node<'_>) -> Option<Next> {
        let is_plain = |set: &SetView<'_>| !matches!(set.rtype, RecordType::RRSIG | RecordType::NSEC);
        let mut types: Vec<RecordType> = if self.wants_all_types {
            node.sets().map(|set| set.rtype).collect()
        } else {
            node.sets().find(is_plain).or_else(|| node.sets().next()).iter().map(|set| set.rtype).collect()
        };
        self.steered_types(zone, name, node, &mut types);
        for set in types.into_iter().filter_map(|rtype| node.set(rtype)) {
            self.push_answer(set, name);
        }
        (!node.is_empty()).then_some(Next::Done)
    }

    /// RRSIG records are not covered by others and answer for every type at the name.
    fn all_signatures(&mut self, name: &Name, node: Node<'_>) -> Option<Next> {
        let before = self.answer.answer.len();
        for set in node.sets() {
            let signatures = if set.rtype == RecordType::RRSIG {
                RrSet::new(name.clone(), RecordType::RRSIG, set.ttl, set.rdatas())
            } else {
                RrSet::new(name.clone(), RecordType::RRSIG, set.ttl, set.signatures())
            };
            if !signatures.rdatas.is_empty() {
                self.answer.answer.push(Aged { set: signatures.into(), ttl: set.ttl });
            }
        }
        (self.answer.answer.len() > before).then_some(Next::Done)
    }

    pub(super) fn nodata(&mut self, zone: &Zone, name: &Name, path: &Path, node: Node<'_>, wildcard_of: Option<usize>) {
        self.soa(zone, name);
        if self.wants_dnssec {
            Proof::new(zone, path, &mut self.answer.authority).nodata(node, wildcard_of);
        }
    }

    /// RFC 6672 §3.2: the DNAME and a CNAME made from it.
    fn dname(&mut self, zone: &Zone, name: &Name, node: Node<'_>) -> Next {
        let Some(set) = node.set(RecordType::DNAME) else { return Next::Done };
        let owner = absolute(node.name, zone.apex());
        let asked = name.suffix(owner.label_count());
        self.push_answer(set, &asked);
        let to = set.rdatas().next().and_then(|rdata| Name::from_wire(rdata).ok());
        match to.and_then(|(to, _)| name.with_ending(&owner, &to)) {
            Some(Ok(target)) => {
                let alias = RrSet::new(name.clone(), RecordType::CNAME, set.ttl, [target.wire()]);
                self.answer.answer.push(Aged { set: alias.into(), ttl: set.ttl });
                // The CNAME was all that was asked for.
                if self.rtype == RecordType::CNAME { Next::Done } else { Next::Alias(target) }
            }
            // RFC 6672 §2.2: the new name would be too long.
            Some(Err(_)) => {
                self.answer.rcode = Rcode::YXDOMAIN;
                Next::Done
            }
            None => Next::Done,
        }
    }

    /// A referral to the zone at `cut`: its NS records, whether it is signed, and all the glue we have
    /// (RFC 9471 §3).
    fn referral(&mut self, zone: &Zone, cut: Name, node: Node<'_>) {
        if self.answer.answer.is_empty() {
            self.answer.authoritative = false;
        }
        let Some(servers) = node.set(RecordType::NS) else { return };
        for target in servers.rdatas().take(bounds::ADDITIONAL_TARGETS_MAX) {
            if let Ok((target, _)) = Name::from_wire(target) {
                self.glue(zone, &target);
            }
        }
        // The delegation itself is never signed by the parent (RFC 4035 §2.2).
        self.answer.authority.push(Aged { set: servers.to_rrset(cut.clone(), false), ttl: servers.ttl });
        // A zone that is not signed vouches for no child (RFC 4035 §3.1.4 speaks of signed zones).
        if !self.wants_dnssec || !zone.is_signed() {
            return;
        }
        match node.set(RecordType::DS) {
            Some(signers) => {
                self.answer.authority.push(Aged { set: signers.to_rrset(cut, true), ttl: signers.ttl });
            }
            None => {
                if let Some(path) = Path::of(&cut, zone.apex()) {
                    Proof::new(zone, &path, &mut self.answer.authority).unsigned_delegation(node);
                }
            }
        }
    }

    /// Adds the addresses of the servers that a set names, as far as they lie in the zone.
    pub(super) fn additional<'r>(
        &mut self,
        zone: &Zone,
        owner: &Name,
        rtype: RecordType,
        rdatas: impl Iterator<Item = &'r [u8]>,
    ) {
        let is_service = matches!(rtype, RecordType::SVCB | RecordType::HTTPS);
        let is_server = matches!(rtype, RecordType::NS | RecordType::MX | RecordType::SRV);
        if !is_service && !is_server {
            return;
        }
        for rdata in rdatas.take(bounds::ADDITIONAL_TARGETS_MAX) {
            let Some(mut target) = master_file::target(rtype, rdata) else { continue };
            if is_service && target.is_root() {
                target = owner.clone(); // RFC 9460 §2.5.2
            }
            match find(zone, &target, RecordType::A) {
                Some(Found::Node { node, wildcard_of: None }) => {
                    self.addresses(zone, &target, node);
                    // RFC 9460 §4.1: an alias leads to more of the same type.
                    let is_alias = is_service && rdata.starts_with(&[0, 0]) && target != *owner;
                    let is_chosen = || self.steer.find(zone, node).is_some_and(|steered| steered.answers(rtype));
                    if let Some(more) = node.set(rtype).filter(|_| is_alias && !is_chosen()) {
                        self.push_additional(more, &target);
                    }
                }
                Some(Found::Cut { .. }) if rtype == RecordType::NS => self.glue(zone, &target),
                _ => {}
            }
        }
    }

    /// Adds the addresses of `target` that the zone holds, below a cut too.
    fn glue(&mut self, zone: &Zone, target: &Name) {
        if let Some(path) = Path::of(target, zone.apex())
            && let Some(node) = zone.names().find(path.whole())
        {
            self.addresses(zone, target, node);
        }
    }

    /// Addresses that are chosen are left out: they have a scope of their own, and whoever needs them asks.
    fn addresses(&mut self, zone: &Zone, target: &Name, node: Node<'_>) {
        let steered = self.steer.find(zone, node);
        let is_chosen = |rtype| steered.as_ref().is_some_and(|steered| steered.answers(rtype));
        for rtype in [RecordType::A, RecordType::AAAA] {
            if let Some(set) = node.set(rtype).filter(|_| !is_chosen(rtype)) {
                self.push_additional(set, target);
            }
        }
    }

    fn push_additional(&mut self, set: SetView<'_>, owner: &Name) {
        let is_there = |aged: &Aged| aged.set.rtype == set.rtype && aged.set.owner == *owner;
        if !self.answer.answer.iter().chain(&self.answer.additional).any(is_there) {
            let added = set.to_rrset(owner.clone(), self.wants_dnssec);
            self.answer.additional.push(Aged { set: added, ttl: set.ttl });
        }
    }

    fn push_answer(&mut self, set: SetView<'_>, owner: &Name) {
        let added = set.to_rrset(owner.clone(), self.wants_dnssec);
        self.answer.answer.push(Aged { set: added, ttl: set.ttl });
    }

    /// The SOA of a negative answer, with the TTL that the answer may be kept for (RFC 2308 §3).
    fn soa(&mut self, zone: &Zone, name: &Name) {
        if let Some(soa) = zone.soa() {
            // Letters as asked, so that the name is the question's ending in the message.
            let owner = name.suffix(zone.apex().label_count());
            let set = soa.to_rrset(owner, self.wants_dnssec);
            self.answer.authority.push(Aged { set, ttl: zone.negative_ttl() });
        }
    }
}
