//! The addresses of a zone cut's servers: those known, and the lookups of those that are not.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use smallvec::SmallVec;

use super::ask::Trouble;
use super::classify::address_of;
use super::ledger::Exhausted;
use super::resolver::Resolver;
use super::settings::Families;
use super::walk::{Cut, Ended, Fetching, Stage, Stand, Walk};
use super::{Settings, Surroundings};
use crate::base::bounds;
use crate::base::tally::Event;
use crate::chain::{Aged, NameServer};
use crate::dns::{Name, Question, RecordType};

impl Resolver {
    /// Looks up addresses of name servers that have none, two at a time if they lead to different places.
    pub(super) fn fetch(&mut self, at: u32, around: &mut Surroundings<'_>) {
        let mut pending: SmallVec<[u32; 2]> = SmallVec::new();
        let mut places: SmallVec<[Name; 2]> = SmallVec::new();
        let mut refusal = None;
        loop {
            let Some(walk) = self.walks.get_mut(at as usize) else { return };
            if pending.len() >= walk.ledger.glueless_parallel() && !pending.is_empty() {
                break;
            }
            let (server, rtype) = match next_lookup(walk, &places, self.settings.families) {
                Ok(Some(lookup)) => lookup,
                Ok(None) => break,
                Err(exhausted) => {
                    around.tally.count(exhausted.event());
                    refusal = Some(Trouble::Exhausted(exhausted));
                    break;
                }
            };
            if around.memory.failure(&server, rtype, around.now).is_some() || is_silent(walk, &server, around) {
                continue;
            }
            let (ledger, depth) = (Arc::clone(&walk.ledger), walk.depth + 1);
            let place = server.parent();
            let unchecked = self.settings.validation.is_some();
            let child = match self.goals.get(&(server.clone(), rtype, unchecked)) {
                Some(&child) if self.waits_for(child, at) => {
                    around.tally.count(Event::LoopsFound);
                    continue;
                }
                Some(&child) => child,
                None if self.walks.len() >= bounds::RESOLUTIONS_MAX => {
                    refusal = Some(Trouble::Crowded);
                    break;
                }
                None => self.begin(Question::new(server, rtype), unchecked, ledger, depth),
            };
            if let Some(child) = self.walks.get_mut(child as usize) {
                child.parents.push(at);
            }
            pending.push(child);
            places.extend(place);
        }
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        if pending.is_empty() {
            let is_told = matches!(walk.trouble, Trouble::Exhausted(_));
            let trouble = refusal.filter(|_| !is_told).unwrap_or(walk.trouble);
            if trouble == Trouble::Crowded {
                return self.end(at, Ended::Failed(trouble), around);
            }
            return self.run_dry(at, trouble, around);
        }
        walk.stage = Stage::Fetching(Fetching { pending });
    }

    /// Whether the walk `from` waits, itself or through others, for the walk `target`.
    pub(super) fn waits_for(&self, from: u32, target: u32) -> bool {
        let mut seen: SmallVec<[u32; 16]> = SmallVec::new();
        let mut open: SmallVec<[u32; 16]> = SmallVec::from_slice(&[from]);
        while let Some(at) = open.pop() {
            if at == target {
                return true;
            }
            if seen.contains(&at) || seen.len() > 256 {
                continue;
            }
            seen.push(at);
            match self.walks.get(at as usize).map(|walk| &walk.stage) {
                Some(Stage::Fetching(fetching)) => open.extend(fetching.pending.iter().copied()),
                Some(Stage::Checking(checking)) => open.extend(checking.pending()),
                _ => {}
            }
        }
        false
    }

    /// A lookup of a name server's address has ended, at a cut of `zone`.
    pub(super) fn end_fetching(
        &mut self,
        at: u32,
        (child, lookup): (u32, &Question),
        ended: &Ended,
        zone: Option<&Name>,
    ) {
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        let Stage::Fetching(fetching) = &mut walk.stage else { return self.end_late(at, lookup, ended) };
        let Some(place) = fetching.pending.iter().position(|pending| *pending == child) else { return };
        fetching.pending.swap_remove(place);
        let is_last = fetching.pending.is_empty();
        if let (Ended::Failed(Trouble::Silence | Trouble::Unreachable), Some(stand)) = (ended, &mut walk.stand) {
            stand.silent.extend(zone.cloned());
        }
        let found = match (ended, &mut walk.stand) {
            (Ended::Answer(part), Some(stand)) => {
                stand.addresses.extend(found_addresses(&part.aged, &self.settings));
                walk.ledger.note_glueless_followed();
                true
            }
            (Ended::Failed(trouble), _) => {
                walk.ledger.note_glueless_failure();
                // The bound that was met first tells more than one that further lookups came to.
                if !matches!(walk.trouble, Trouble::Exhausted(_)) {
                    walk.trouble = *trouble;
                }
                false
            }
            (Ended::Denied(_, denial), _) if !denial.is_nxdomain && self.settings.families == Families::Both => {
                walk.trouble = Trouble::NoServers; // the other family may be there
                false
            }
            _ => {
                walk.ledger.note_glueless_failure();
                walk.trouble = Trouble::NoServers;
                false
            }
        };
        if found || is_last {
            walk.stage = Stage::Moving;
            self.moving.push_back(at);
        }
    }

    /// A lookup has ended after a neighbour's, whose address the walk went on with: what it found may be asked too.
    fn end_late(&mut self, at: u32, lookup: &Question, ended: &Ended) {
        let (Some(walk), Ended::Answer(part)) = (self.walks.get_mut(at as usize), ended) else { return };
        let Some(stand) = &mut walk.stand else { return };
        if !stand.fetched.iter().any(|(name, rtype)| *name == lookup.name && *rtype == lookup.rtype) {
            return; // the walk stands at another cut by now
        }
        let found = found_addresses(&part.aged, &self.settings);
        if let Stage::Asking(asking) = &walk.stage
            && let Some(shared) = self.asks.get_mut(asking.ask as usize)
        {
            let servers = found.iter().map(|address| SocketAddr::new(*address, self.settings.port));
            stand.tried.extend(servers.filter(|server| shared.ask.add_server(*server)));
        }
        stand.addresses.extend(found);
    }
}

/// The addresses that a lookup found, as far as they may be asked.
fn found_addresses(aged: &Aged, settings: &Settings) -> SmallVec<[IpAddr; 4]> {
    let found = aged.set.rdatas.iter().filter_map(|rdata| address_of(aged.set.rtype, rdata));
    found.take(bounds::ADDRESSES_PER_SERVER).filter(|address| settings.may_ask(*address)).collect()
}

/// Whether a lookup of `server` would ask the servers of a zone that were silent to another such lookup just now.
fn is_silent(walk: &Walk, server: &Name, around: &Surroundings<'_>) -> bool {
    let silent = walk.stand.as_ref().map(|stand| &stand.silent).filter(|silent| !silent.is_empty());
    silent.is_some_and(|silent| {
        let cut = around.memory.delegation(server, around.now);
        cut.is_some_and(|cut| silent.contains(&cut.zone))
    })
}

/// The addresses of the cut's servers that may be asked and have not been, at most
/// [`bounds::ADDRESSES_MAX`] of them.
pub(super) fn addresses(
    stand: &Stand,
    settings: &Settings,
    around: &mut Surroundings<'_>,
) -> SmallVec<[SocketAddr; 16]> {
    let mut servers: SmallVec<[SocketAddr; 16]> = SmallVec::new();
    match &stand.cut {
        Cut::Fixed(_, fixed) => {
            servers.extend(
                fixed.iter().filter(|server| !stand.tried.contains(server)).copied().take(bounds::ADDRESSES_MAX),
            );
        }
        Cut::Delegated(delegation) => {
            // The hints are the operator's own word: no list of denied networks stands against it.
            let is_own = Arc::ptr_eq(delegation, &settings.roots);
            let mut order: SmallVec<[usize; 16]> = (0..delegation.servers.len()).collect();
            around.dice.shuffle(&mut order);
            let mut add = |address: IpAddr| {
                let server = SocketAddr::new(address, settings.port);
                let may_ask = if is_own { settings.families.has(address) } else { settings.may_ask(address) };
                if may_ask
                    && servers.len() < bounds::ADDRESSES_MAX
                    && !servers.contains(&server)
                    && !stand.tried.contains(&server)
                {
                    servers.push(server);
                }
            };
            for address in &stand.addresses {
                add(*address);
            }
            for server in order.iter().filter_map(|at| delegation.servers.get(*at)) {
                for address in known_addresses(server, around) {
                    add(address);
                }
            }
        }
    }
    servers
}

/// A name server's addresses: its glue, or what memory has learned of it.
pub(super) fn known_addresses(server: &NameServer, around: &Surroundings<'_>) -> SmallVec<[IpAddr; 4]> {
    let mut addresses: SmallVec<[IpAddr; 4]> = server.glue.iter().copied().collect();
    if addresses.is_empty() {
        for rtype in [RecordType::A, RecordType::AAAA] {
            if let Some(found) = around.memory.rrset(&server.name, rtype, around.now) {
                let own = found.set.rdatas.iter().filter_map(|rdata| address_of(rtype, rdata));
                addresses.extend(own.take(bounds::ADDRESSES_PER_SERVER));
            }
        }
        addresses.truncate(bounds::ADDRESSES_PER_SERVER);
    }
    addresses
}

/// The next address lookup that could help at the walk's cut, charged to its ledger; none when all have been
/// tried. IPv4 comes first for every server, then IPv6. A server whose name lies in the zone itself cannot be
/// found without glue. Names right below one of `places` wait: where their neighbours are being looked up already,
/// the same servers would be asked for one more address than is needed.
fn next_lookup(walk: &mut Walk, places: &[Name], families: Families) -> Result<Option<(Name, RecordType)>, Exhausted> {
    let Some(Stand { cut: Cut::Delegated(delegation), fetched, .. }) = &mut walk.stand else { return Ok(None) };
    let rtypes: &[RecordType] = match families {
        Families::Both => &[RecordType::A, RecordType::AAAA],
        Families::Ipv4 => &[RecordType::A],
        Families::Ipv6 => &[RecordType::AAAA],
    };
    let lookups = rtypes.iter().flat_map(|&rtype| {
        let without_glue = delegation
            .servers
            .iter()
            .filter(|server| server.glue.is_empty() && !server.name.is_within(&delegation.zone));
        without_glue.map(move |server| (server.name.lowered(), rtype))
    });
    let waits = |name: &Name| name.parent().is_some_and(|place| places.contains(&place));
    let mut open = lookups.filter(|lookup| !fetched.contains(lookup) && !waits(&lookup.0));
    let Some(lookup) = open.next() else { return Ok(None) };
    if walk.depth >= bounds::DEPTH_MAX {
        return Err(Exhausted::Depth);
    }
    if !fetched.iter().any(|(name, _)| *name == lookup.0) {
        let mut names: SmallVec<[&Name; 8]> = SmallVec::new();
        for (name, _) in fetched.iter() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if names.len() >= usize::from(bounds::GLUELESS_PER_DELEGATION) {
            return Err(Exhausted::Glueless);
        }
        if names.is_empty() {
            walk.ledger.may_follow_glueless()?;
        }
        walk.ledger.charge_glueless()?;
    }
    fetched.push(lookup.clone());
    Ok(Some(lookup))
}
