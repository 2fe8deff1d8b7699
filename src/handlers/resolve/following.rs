//! How a walk moves: from memory, from zone cut to zone cut, along aliases, to its end.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use smallvec::SmallVec;

use super::ask::{Found, Outcome, Trouble};
use super::classify::{Alias, End, Finding, FoundChain, is_made_by_wildcard, rename};
use super::fetching::{addresses, known_addresses};
use super::ledger::{Exhausted, Ledger};
use super::minimise::Shown;
use super::resolver::Resolver;
use super::settings::{Minimisation, Ours, Route};
use super::trace::What;
use super::walk::{Cut, Ended, Part, Stage, Stand, Walk};
use super::{Settings, Surroundings};
use crate::base::tally::Event;
use crate::base::{Instant, bounds};
use crate::chain::{Aged, Denial, Learned, Proofs, Rank};
use crate::dns::dnssec::Security;
use crate::dns::{Name, Question, RecordType, RrSet};

impl Resolver {
    /// Moves a walk on until it waits for something or ends.
    pub(super) fn advance(&mut self, at: u32, around: &mut Surroundings<'_>) {
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        if walk.stand.is_none() {
            if let Some(ended) = recall(walk, &self.settings.ours, around) {
                return self.end(at, ended, around);
            }
            // An alias, or a name server's name, may lead to a special-use name: nobody outside is told of it.
            if walk.question.rtype != RecordType::DS && self.settings.is_local(&walk.name) {
                // It is our own word, so nothing is to be validated.
                let security = Security::Insecure;
                let denial = Denial { is_nxdomain: true, soa: None, proofs: Vec::new(), ttl: 0, security };
                let ended = Ended::Denied(walk.name.clone(), denial);
                return self.end(at, ended, around);
            }
            // Nobody is asked on the word of an alias that nobody has signed.
            if self.must_check(at, None) {
                return self.begin_checking(at, None, around);
            }
            let Some(walk) = self.walks.get_mut(at as usize) else { return };
            let settings = Arc::clone(&self.settings);
            // A zone's DS records stand in its parent (RFC 4035 §3.1.4.1).
            let from = match walk.question.rtype {
                RecordType::DS => walk.name.parent().unwrap_or_else(Name::root),
                _ => walk.name.clone(),
            };
            // What led to bogus data may be a cut that somebody made up.
            let learned = around.memory.delegation(&from, around.now).filter(|_| walk.retries == 0);
            let cut = match settings.route(&from) {
                Some(Route::Forward(zone, apex)) => return self.forward(at, zone, apex.clone(), around),
                Some(Route::Stub(stub)) => match learned.filter(|cut| cut.zone.is_below(&stub.zone)) {
                    Some(delegation) => Cut::Delegated(delegation),
                    None => Cut::Fixed(stub.zone.clone(), Arc::clone(&stub.servers)),
                },
                None => Cut::Delegated(learned.unwrap_or_else(|| Arc::clone(&settings.roots))),
            };
            let is_unprimed = matches!(&cut, Cut::Delegated(cut) if cut.zone.is_root() && cut.ttl == 0);
            self.trace.note(around.now, || What::Begin {
                name: walk.name.clone(),
                rtype: walk.question.rtype,
                zone: cut.zone().clone(),
            });
            walk.stand = Some(Stand::new(cut));
            if is_unprimed {
                self.prime(around.now);
            }
        }
        self.ask_next(at, around);
    }

    /// Asks the root's servers who the root's servers are (RFC 9609), beside the walk that began it.
    pub(super) fn prime(&mut self, now: Instant) {
        // The addresses, which are what it is about, are not signed.
        let key = (Name::root(), RecordType::NS, self.settings.validation.is_some());
        if !self.goals.contains_key(&key) {
            self.begin(Question::new(key.0, key.1), key.2, Arc::new(Ledger::open(now, None)), 0);
        }
    }

    /// Asks the servers of the cut for as much of the name as they must see.
    pub(super) fn ask_next(&mut self, at: u32, around: &mut Surroundings<'_>) {
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        let Some(stand) = &mut walk.stand else { return };
        let mut labels = walk.name.label_count();
        if self.settings.minimisation != Minimisation::Off {
            labels = walk.shown.next(&walk.name, stand.known_labels);
            // What memory knows of the names between need not be asked.
            while labels < walk.name.label_count() {
                let between = walk.name.suffix(labels);
                let denial = around.memory.denial(&between, RecordType::A, around.now);
                if denial.as_ref().is_some_and(|denial| denial.is_nxdomain) {
                    walk.shown.give_up(); // the answer would be the same; only the whole name can tell more
                } else if denial.is_none() && around.memory.rrset(&between, RecordType::A, around.now).is_none() {
                    break;
                }
                stand.known_labels = labels;
                labels = walk.shown.next(&walk.name, labels);
            }
        }
        let is_whole = labels >= walk.name.label_count();
        let rtype = if is_whole { walk.question.rtype } else { RecordType::A };
        let name = walk.name.suffix(labels);
        let mut servers = addresses(stand, &self.settings, around);
        let is_unheard = |server: &SocketAddr| !walk.avoided.contains(server);
        if servers.iter().any(is_unheard) {
            servers.retain(|server| is_unheard(server));
        }
        if servers.is_empty() { self.fetch(at, around) } else { self.ask(at, name, rtype, &servers, around) }
    }

    /// A walk's ask has ended, which another ledger than the walk's may have been charged for.
    pub(super) fn end_asking(
        &mut self,
        at: u32,
        (key, charged): (u32, &Arc<Ledger>),
        outcome: &Outcome,
        around: &mut Surroundings<'_>,
    ) {
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        let asked = match &mut walk.stage {
            Stage::Asking(asking) if asking.ask == key => std::mem::replace(&mut asking.name, Name::root()),
            _ => return,
        };
        walk.stage = Stage::Moving;
        match outcome {
            Ok(found) => {
                walk.note_heard(Some(found.server).filter(|_| matches!(*found.finding, Finding::Chain(_))));
                self.follow(at, &asked, found, around);
            }
            Err(trouble) => {
                walk.trouble = *trouble;
                let is_bound = matches!(trouble, Trouble::Exhausted(_) | Trouble::Crowded);
                let is_own = *trouble == Trouble::Crowded && Arc::ptr_eq(&walk.ledger, charged);
                // The budget that ran out, or the place lost, may have been another's: then we ask on our own account.
                if is_bound && !is_own && walk.ledger.has_plenty(around.now) {
                    if let Some(stand) = &mut walk.stand {
                        stand.tried.clear();
                    }
                    self.moving.push_back(at);
                    return;
                }
                if is_bound {
                    return self.end(at, Ended::Failed(*trouble), around);
                }
                let is_untried = |address: &IpAddr| {
                    let server = SocketAddr::new(*address, self.settings.port);
                    walk.stand.as_ref().is_some_and(|stand| !stand.tried.contains(&server))
                };
                if walk.stand.iter().flat_map(|stand| &stand.addresses).any(is_untried) {
                    return self.ask_next(at, around);
                }
                self.fetch(at, around);
            }
        }
    }

    /// No server of the cut is left to ask.
    pub(super) fn run_dry(&mut self, at: u32, trouble: Trouble, around: &mut Surroundings<'_>) {
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        // What the root says of its servers leads nowhere: back to the operator's word.
        if let Some(stand) = &mut walk.stand
            && let Cut::Delegated(cut) = &stand.cut
            && cut.zone.is_root()
            && !Arc::ptr_eq(cut, &self.settings.roots)
        {
            let tried = std::mem::take(&mut stand.tried);
            *stand = Stand { tried, ..Stand::new(Cut::Delegated(Arc::clone(&self.settings.roots))) };
            self.moving.push_back(at);
            return;
        }
        // Memory's word may be old: the zone may have moved to servers that only its parent knows.
        if !walk.has_gone_up
            && walk.referrals == 0
            && let Some(Stand { cut: Cut::Delegated(cut), tried, .. }) = &walk.stand
            && !tried.is_empty()
            && let Some(parent) = cut.zone.parent()
            && matches!(self.settings.route(&parent), None | Some(Route::Stub(_)))
        {
            let above = around.memory.delegation(&parent, around.now);
            let above = above.unwrap_or_else(|| Arc::clone(&self.settings.roots));
            let tried = tried.clone();
            walk.has_gone_up = true;
            walk.shown = Shown::default();
            walk.stand = Some(Stand { tried, ..Stand::new(Cut::Delegated(above)) });
            self.moving.push_back(at);
            return;
        }
        // Servers that choke on a shortened name may know the whole one.
        if !walk.shown.has_given_up()
            && self.settings.minimisation == Minimisation::Relaxed
            && let Some(stand) = &mut walk.stand
            && stand.known_labels + 1 < walk.name.label_count()
            && !stand.tried.is_empty()
            && matches!(trouble, Trouble::Rcode(_) | Trouble::Lame)
        {
            walk.shown.give_up();
            stand.tried.clear();
            self.moving.push_back(at);
            return;
        }
        self.end(at, Ended::Failed(trouble), around);
    }

    /// Goes where a finding about `asked` leads.
    pub(super) fn follow(&mut self, at: u32, asked: &Name, found: &Found, around: &mut Surroundings<'_>) {
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        match &*found.finding {
            Finding::Referral(delegation, about) => {
                if self.settings.validation.is_some() {
                    self.known.note_referral(delegation, about, around.now);
                }
                walk.referrals += 1;
                if walk.referrals > bounds::REFERRALS_MAX {
                    around.tally.count(Event::BoundReferrals);
                    return self.end(at, Ended::Failed(Trouble::Exhausted(Exhausted::Referrals)), around);
                }
                // Servers that did not help before the parent was asked anew will not help now.
                let mut tried = match &walk.stand {
                    Some(stand) if walk.has_gone_up => stand.tried.clone(),
                    _ => SmallVec::new(),
                };
                // Nor will a server that refers to itself: if it served the zone, it would have answered. One that
                // does it once or twice may be several behind one address.
                let own = found.server.ip();
                if delegation.servers.iter().any(|server| known_addresses(server, around).contains(&own)) {
                    walk.self_referrals += 1;
                    if walk.self_referrals > bounds::SELF_REFERRALS_MAX {
                        walk.trouble = Trouble::Lame;
                        tried.push(found.server);
                    }
                }
                walk.stand = Some(Stand { tried, ..Stand::new(Cut::Delegated(Arc::clone(delegation))) });
                self.moving.push_back(at);
            }
            Finding::Chain(chain) if *asked != walk.name => {
                let is_nxdomain = matches!(&chain.end, End::Denied(_, denial) if denial.is_nxdomain);
                if is_nxdomain && chain.aliases.is_empty() {
                    // The root's servers do not deny empty non-terminals: there is no such top-level domain.
                    let is_of_root = walk.stand.as_ref().is_some_and(|stand| stand.cut.zone().is_root());
                    if is_of_root || self.settings.minimisation == Minimisation::Strict {
                        return self.follow_chain(at, chain, around);
                    }
                    walk.shown.give_up();
                }
                if let Some(stand) = &mut walk.stand {
                    stand.known_labels = asked.label_count();
                    stand.tried.clear();
                }
                self.moving.push_back(at);
            }
            Finding::Chain(chain) => self.follow_chain(at, chain, around),
            Finding::Lame(_) => self.end(at, Ended::Failed(Trouble::Lame), around),
        }
    }

    pub(super) fn follow_chain(&mut self, at: u32, chain: &FoundChain, around: &mut Surroundings<'_>) {
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        let rank = if chain.is_authoritative { Rank::Answer } else { Rank::Authority };
        for alias in &chain.aliases {
            if let Err(exhausted) = walk.ledger.charge_alias() {
                around.tally.count(exhausted.event());
                return self.end(at, Ended::Failed(Trouble::Exhausted(exhausted)), around);
            }
            push_alias(walk, alias, (rank, &chain.proofs), &self.settings);
            // Whatever others say of our own names, they need not be asked.
            if (self.settings.ours.0)(&walk.name, walk.question.rtype) {
                let ended = Ended::Ours(walk.name.clone());
                return self.end(at, ended, around);
            }
        }
        match &chain.end {
            End::Answer(set) => {
                let mut aged = age(set, &self.settings);
                // What a zone says of its own servers holds no longer than its parent's word for it.
                if let Some(Stand { cut: Cut::Delegated(cut), .. }) = &walk.stand
                    && set.rtype == RecordType::NS
                    && set.owner == cut.zone
                    && !cut.zone.is_root()
                {
                    aged.ttl = aged.ttl.min(cut.ttl);
                }
                let part = Part::unchecked(aged, rank, proofs_of(set, &chain.proofs));
                self.end(at, Ended::Answer(part), around);
            }
            End::Made(alias) => {
                walk.chain.extend(part_of(alias.dname.as_ref(), rank, &self.settings));
                let made = Part::synthesised(age(&alias.cname, &self.settings));
                self.end(at, Ended::Answer(made), around);
            }
            End::Denied(name, denial) => {
                let denial = Denial { ttl: denial.ttl.min(self.settings.max_negative_ttl), ..denial.clone() };
                let learned =
                    Learned::Denial { name: name.clone(), rtype: walk.question.rtype, denial: denial.clone() };
                around.memory.learn(learned, around.now);
                self.end(at, Ended::Denied(name.clone(), denial), around);
            }
            End::TooLong(dname) => {
                let part = Part::unchecked(age(dname, &self.settings), rank, Proofs::default());
                walk.chain.push(part);
                self.end(at, Ended::TooLong, around);
            }
            End::Continues(target) => {
                if let Err(exhausted) = walk.ledger.may_ask_on() {
                    around.tally.count(exhausted.event());
                    return self.end(at, Ended::Failed(Trouble::Exhausted(exhausted)), around);
                }
                walk.name = target.lowered();
                walk.stand = None;
                self.moving.push_back(at);
            }
        }
    }
}

/// TTL 0 stays 0 whatever the least TTL: its sender wants to be asked each time.
pub(super) fn age(set: &Arc<RrSet>, settings: &Settings) -> Aged {
    let least = if set.ttl == 0 { 0 } else { settings.min_ttl };
    Aged { ttl: set.ttl.max(least).min(settings.max_ttl), set: Arc::clone(set) }
}

fn push_alias(walk: &mut Walk, alias: &Alias, (rank, proofs): (Rank, &Proofs), settings: &Settings) {
    walk.chain.extend(part_of(alias.dname.as_ref(), rank, settings));
    let cname = age(&alias.cname, settings);
    walk.chain.push(match alias.dname {
        Some(_) => Part::synthesised(cname),
        None => Part::unchecked(cname, rank, proofs_of(&alias.cname, proofs)),
    });
    walk.name = alias.target.lowered();
}

/// The DNAME of an alias that one makes.
fn part_of(dname: Option<&Arc<RrSet>>, rank: Rank, settings: &Settings) -> Option<Part> {
    dname.map(|dname| Part::unchecked(age(dname, settings), rank, Proofs::default()))
}

/// The proofs of a response, where they are for `set`.
fn proofs_of(set: &RrSet, proofs: &Proofs) -> Proofs {
    if is_made_by_wildcard(set) { Arc::clone(proofs) } else { Proofs::default() }
}

/// Answers a walk from memory as far as it goes: follows known aliases, and ends where the rest is known.
fn recall(walk: &mut Walk, ours: &Ours, around: &mut Surroundings<'_>) -> Option<Ended> {
    if !walk.trusts_memory {
        return None;
    }
    loop {
        let (memory, rtype, now) = (around.memory, walk.question.rtype, around.now);
        let is_usable = |rank: Rank| rank >= Rank::Authority;
        if let Some(found) = memory.rrset(&walk.name, rtype, now).filter(|found| is_usable(found.rank)) {
            return Some(Ended::Answer(found.into()));
        }
        if let Some(denial) = memory.denial(&walk.name, rtype, now) {
            return Some(Ended::Denied(walk.name.clone(), denial));
        }
        let usable =
            |owner: &Name, rtype: RecordType| memory.rrset(owner, rtype, now).filter(|found| is_usable(found.rank));
        let alias = (rtype != RecordType::CNAME).then(|| usable(&walk.name, RecordType::CNAME)).flatten();
        let target = if let Some(found) = alias {
            let target = found.set.target()?;
            walk.chain.push(found.into());
            target
        } else {
            let mut above = std::iter::successors(walk.name.parent(), Name::parent);
            let found = above.find_map(|owner| usable(&owner, RecordType::DNAME))?;
            let alias = rename(&found.set, &walk.name);
            let (ttl, security) = (found.ttl, found.security);
            walk.chain.push(found.into());
            let Some(alias) = alias else { return Some(Ended::TooLong) };
            let made = Part { security, ..Part::synthesised(Aged { set: alias.cname, ttl }) };
            if rtype == RecordType::CNAME {
                return Some(Ended::Answer(made));
            }
            walk.chain.push(made);
            alias.target
        };
        if let Err(exhausted) = walk.ledger.charge_alias() {
            around.tally.count(exhausted.event());
            return Some(Ended::Failed(Trouble::Exhausted(exhausted)));
        }
        walk.name = target.lowered();
        if (ours.0)(&walk.name, rtype) {
            return Some(Ended::Ours(walk.name.clone()));
        }
    }
}
