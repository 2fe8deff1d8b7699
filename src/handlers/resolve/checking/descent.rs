//! From a trust anchor down to the keys of a zone, DS by DS (RFC 4035 §5.2), or to the cut where the zones are provably
//! not signed any more.
//!
//! Each step begins at the closest zone of which something has been proved, so that what is looked up meanwhile needs no
//! memory of the way: when it has come, the way is gone again as far as it is known. A zone's DS RRset names, by who
//! signed it, the zone above it; so the zones between need not be guessed label by label.

use std::sync::Arc;

use super::super::Surroundings;
use super::super::ask::Trouble;
use super::super::ledger::Ledger;
use super::super::resolver::Resolver;
use super::super::trace::What;
use super::known::{Closest, State};
use super::parts::{cut_below, least_ttl, teach};
use super::{Checking, Stop, Word};
use crate::base::bounds;
use crate::chain::{self, Denial};
use crate::dns::dnssec::trust::unsupported;
use crate::dns::dnssec::{
    Bogus, Ds, NoDs, Proofs, Reason, Security, Untrusted, ZoneKeys, signer, trusted_keys, verify_set,
};
use crate::dns::{Ede, Name, Question, RecordType, RrSet};

/// How a name stands to the zones that are signed.
pub(super) enum Standing {
    /// It is the apex of a zone with these keys.
    Secure(Arc<ZoneKeys>),
    /// It belongs to such a zone, and begins none.
    Inside,
    /// It belongs to a zone that counts as unsigned.
    Insecure(Option<Ede>),
}

/// How the way down is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// The name is most likely a zone: its own DS is asked for first.
    AtOnce,
    /// It most likely is none: each name on the way to it may be a zone cut.
    StepByStep,
}

impl Resolver {
    /// How `target` stands to the zones that are signed.
    pub(super) fn reach(
        &mut self,
        at: u32,
        checking: &mut Checking,
        target: &Name,
        manner: Manner,
        ledger: &Arc<Ledger>,
        around: &mut Surroundings<'_>,
    ) -> Result<Standing, Stop> {
        let Some(validation) = self.settings.validation.clone() else { return Ok(Standing::Insecure(None)) };
        let trust = validation.trust();
        self.known.renew(trust.generation);
        if trust.excepts(target) {
            return Ok(Standing::Insecure(None));
        }
        let (mut goal, mut way) = (target.clone(), manner);
        let mut claimed: Option<Name> = None; // whose DS is signed in the name of the goal
        loop {
            checking.step()?;
            // Without an anchor above nothing can be said of it.
            let Some(anchor) = trust.anchors.above(&goal) else { return Ok(Standing::Insecure(None)) };
            let known = self.known.closest(&goal, around.now);
            let known = known.filter(|known| known.zone.label_count() >= anchor.owner.label_count());
            let Some(Closest { zone, state, inside }) = known else {
                self.prove_keys(at, checking, anchor, u32::MAX, ledger, around)?;
                continue;
            };
            let keys = match state {
                State::Secure(keys) => keys,
                State::Insecure(why) => return Ok(Standing::Insecure(why)),
                State::Inside => return Ok(Standing::Insecure(None)),
                State::Broken(bogus, until) => return Err(Stop::Broken(bogus, until)),
            };
            let is_there = goal.label_count() == zone.label_count();
            let is_inside = inside == goal.label_count();
            if goal == *target {
                if is_there {
                    return Ok(Standing::Secure(keys));
                }
                if is_inside {
                    return Ok(Standing::Inside);
                }
            } else if is_there || is_inside {
                if let Some(of) = claimed.take().filter(|_| !is_there) {
                    let text = format!("keys of {of} are spoken of in the name of {goal}, which is no zone");
                    self.doubt(checking, &of, RecordType::DS, Bogus::new(Reason::NoSignature, text), around)?;
                }
                (goal, way) = (target.clone(), manner);
                continue;
            }
            let next = if way == Manner::AtOnce { goal.clone() } else { goal.suffix(inside + 1) };
            let word = self.look_up(at, checking, &next, RecordType::DS, ledger, around)?;
            match by(&word) {
                // A cut that we have heard of lies between: whether there is one has to be known first.
                Some(by)
                    if by == zone
                        && cut_below(&by, &next, RecordType::DS, around)
                            .is_some_and(|cut| cut.label_count() > inside) =>
                {
                    let cut = cut_below(&by, &next, RecordType::DS, around);
                    (goal, way, claimed) = (cut.unwrap_or(by), Manner::AtOnce, None);
                }
                Some(by) if by == zone => self.descend(at, checking, (&next, &goal), &word, &keys, ledger, around)?,
                // Signed by a zone between: that one comes first.
                Some(by) if by.is_below(&zone) && next.is_below(&by) => {
                    (goal, way, claimed) = (by, Manner::AtOnce, Some(next));
                }
                _ if matches!(word, Word::Failed(_)) => {
                    let Word::Failed(trouble) = word else { continue };
                    return Err(Stop::Failed(trouble));
                }
                // A zone between may be an unsigned one.
                _ if next.label_count() > inside + 1 => way = Manner::StepByStep,
                _ => {
                    let text = format!("what {zone} says of the keys of {next} is not signed");
                    self.doubt(checking, &next, RecordType::DS, Bogus::new(Reason::NoSignature, text), around)?;
                }
            }
        }
    }

    /// Takes what the zone with `keys` says of the keys of `next`, on the way to `goal`.
    #[expect(clippy::too_many_arguments, reason = "one caller; all that a step of the way needs")]
    fn descend(
        &mut self,
        at: u32,
        checking: &mut Checking,
        (next, goal): (&Name, &Name),
        word: &Word,
        keys: &ZoneKeys,
        ledger: &Arc<Ledger>,
        around: &mut Surroundings<'_>,
    ) -> Result<(), Stop> {
        let (wall, now) = (around.wall, around.now);
        match word {
            Word::Set(part) => {
                let mut part = part.clone();
                let set = Arc::clone(&part.aged.set);
                if part.security != Security::Secure {
                    match ledger.with_budget(|budget| verify_set(&set, keys, wall, budget)) {
                        // Nobody delegates by a wildcard; whoever shows its DS here has replayed it.
                        Ok(verified) if verified.encloser.is_some() => {
                            let text = format!("the DS of {next} is made from a wildcard");
                            let bogus = Bogus::new(Reason::NoProof, text);
                            return self.doubt(checking, next, RecordType::DS, bogus, around);
                        }
                        Ok(verified) => {
                            part.aged.ttl = part.aged.ttl.min(verified.ttl_max());
                            part.security = Security::Secure;
                            self.note_checked(&set.owner, set.rtype, Security::Secure, around);
                            part.proofs = chain::Proofs::default();
                            teach(&part, None, around);
                        }
                        Err(bogus) => return self.doubt(checking, next, RecordType::DS, bogus, around),
                    }
                }
                self.prove_keys(at, checking, &set, part.aged.ttl, ledger, around)
            }
            Word::Denied(denial) => {
                let judged = ledger.with_budget(|budget| {
                    let sets = || denial.proofs.iter().map(|set| &**set);
                    let (proofs, ttl) = if denial.security == Security::Secure {
                        (Proofs::of(keys.zone(), sets()), denial.ttl)
                    } else {
                        let (proofs, ttls) = Proofs::verify(sets(), keys, wall, budget)?;
                        (proofs, denial.ttl.min(least_ttl(&ttls)))
                    };
                    proofs.no_ds(next, budget).map(|no_ds| (no_ds, ttl))
                });
                match judged {
                    Ok((no_ds, ttl)) => {
                        self.note_cut((next, goal), no_ds, ttl, around);
                        Ok(())
                    }
                    Err(bogus) => self.doubt(checking, next, RecordType::DS, bogus, around),
                }
            }
            // Where an alias stands, no zone begins; nor does one below a DNAME.
            Word::Alias(part) => {
                let set = &part.aged.set;
                let verified = ledger.with_budget(|budget| {
                    let verified = verify_set(set, keys, wall, budget)?;
                    if let Some(encloser) = &verified.encloser {
                        let sets = part.proofs.iter().map(|set| &**set);
                        let (proofs, _) = Proofs::verify(sets, keys, wall, budget)?;
                        proofs.no_closer_match(&set.owner, encloser, budget)?;
                    }
                    Ok(verified)
                });
                match verified {
                    Ok(verified) => {
                        let within = if set.rtype == RecordType::DNAME { goal } else { next };
                        self.known.put(within, State::Inside, part.aged.ttl.min(verified.ttl_max()), now);
                        Ok(())
                    }
                    Err(bogus) => self.doubt(checking, next, RecordType::DS, bogus, around),
                }
            }
            Word::Failed(trouble) => Err(Stop::Failed(*trouble)),
        }
    }

    /// Keeps what stands at a name that has no DS.
    fn note_cut(&mut self, (next, goal): (&Name, &Name), no_ds: NoDs, ttl: u32, around: &Surroundings<'_>) {
        // Zones that the operator points us to need not be known to the public tree.
        let is_private =
            no_ds == NoDs::Absent && self.settings.route(goal).is_some_and(|route| !route.is_of_the_root());
        let is_insecure = no_ds.is_insecure() || is_private;
        self.trace.note(around.now, || What::Check {
            name: next.clone(),
            rtype: RecordType::DS,
            verdict: if is_insecure { "the zone is not signed".into() } else { "no zone begins there".into() },
        });
        let state = if is_insecure { State::Insecure(no_ds.ede()) } else { State::Inside };
        self.known.put(next, state, ttl, around.now);
        if no_ds == NoDs::Absent && !is_insecure {
            self.known.put(goal, State::Inside, ttl, around.now); // nor is there anything below
        }
    }

    /// Proves the keys of the zone that owns `ds`, which is believed for `ttl` seconds.
    fn prove_keys(
        &mut self,
        at: u32,
        checking: &mut Checking,
        ds: &RrSet,
        ttl: u32,
        ledger: &Arc<Ledger>,
        around: &mut Surroundings<'_>,
    ) -> Result<(), Stop> {
        let (zone, now) = (&ds.owner, around.now);
        let told: Vec<Ds> = ds.rdatas.iter().filter_map(|rdata| Ds::parse(rdata).ok()).collect();
        if let Some(why) = unsupported(&told) {
            self.trace.note(now, || What::Check {
                name: zone.clone(),
                rtype: RecordType::DS,
                verdict: why.text.to_string(),
            });
            self.known.put(zone, State::Insecure(Some(why)), ttl, now);
            return Ok(());
        }
        match self.look_up(at, checking, zone, RecordType::DNSKEY, ledger, around)? {
            Word::Set(mut part) => {
                let set = Arc::clone(&part.aged.set);
                match ledger.with_budget(|budget| trusted_keys(&set, &told, around.wall, budget)) {
                    Ok(trusted) => {
                        part.aged.ttl = part.aged.ttl.min(trusted.verified.ttl_max());
                        part.security = Security::Secure;
                        self.note_checked(zone, RecordType::DNSKEY, Security::Secure, around);
                        part.proofs = chain::Proofs::default();
                        teach(&part, None, around);
                        self.known.put(zone, State::Secure(Arc::new(trusted.keys)), ttl.min(part.aged.ttl), now);
                        Ok(())
                    }
                    Err(Untrusted::Unsupported(why)) => {
                        self.known.put(zone, State::Insecure(Some(why)), ttl, now);
                        Ok(())
                    }
                    Err(Untrusted::Bogus(bogus)) => self.doubt(checking, zone, RecordType::DNSKEY, bogus, around),
                }
            }
            Word::Denied(_) | Word::Alias(_) => {
                let bogus = Bogus::new(Reason::NoKey, format!("{zone} has a DS and no DNSKEY"));
                self.doubt(checking, zone, RecordType::DNSKEY, bogus, around)
            }
            Word::Failed(trouble) => Err(Stop::Failed(trouble)),
        }
    }

    /// What is said of `name` and `rtype` cannot be believed: it is looked up, or once more, of servers that have not said
    /// so. When upstreams have said it twice, the zone is broken.
    fn doubt(
        &mut self,
        checking: &mut Checking,
        name: &Name,
        rtype: RecordType,
        bogus: Bogus,
        around: &mut Surroundings<'_>,
    ) -> Result<(), Stop> {
        if bogus.reason == Reason::Spent {
            return Err(bogus.into());
        }
        self.trace.note(around.now, || What::Check { name: name.clone(), rtype, verdict: bogus.to_string() });
        let lookup = (name.clone(), rtype);
        if checking.disproved.contains(&lookup) {
            let until = around.now + bounds::BOGUS_TTL;
            let state = State::Broken(bogus.clone(), until);
            self.known.put(name, state, bounds::BOGUS_TTL.as_secs() as u32, around.now);
            return Err(Stop::Broken(bogus, until));
        }
        for found in checking.found.extract_if(.., |found| (&found.name, found.rtype) == (name, rtype)) {
            checking.avoided.extend(found.heard);
            checking.disproved.push(lookup.clone());
        }
        if !checking.renewed.contains(&lookup) {
            checking.renewed.push(lookup);
        }
        self.known.forget_told(name);
        Ok(())
    }

    /// What is said of `name` and `rtype`: by a look-up that has ended, by memory, by the last referral, or by a new
    /// look-up, whose end is then waited for.
    fn look_up(
        &mut self,
        at: u32,
        checking: &mut Checking,
        name: &Name,
        rtype: RecordType,
        ledger: &Arc<Ledger>,
        around: &mut Surroundings<'_>,
    ) -> Result<Word, Stop> {
        if let Some(found) = checking.found.iter().find(|found| found.name == *name && found.rtype == rtype) {
            return Ok(found.word.clone());
        }
        let (memory, now) = (around.memory, around.now);
        let is_renewed = checking.renewed.iter().any(|(other, of)| other == name && *of == rtype);
        if !is_renewed {
            if let Some(found) = memory.rrset(name, rtype, now) {
                return Ok(Word::Set(found.into()));
            }
            if let Some((proofs, ttl)) = self.known.told(name, now).filter(|_| rtype == RecordType::DS) {
                let security = Security::Unchecked;
                let proofs = proofs.to_vec();
                return Ok(Word::Denied(Denial { is_nxdomain: false, soa: None, proofs, ttl, security }));
            }
            if let Some(denial) = memory.denial(name, rtype, now) {
                return Ok(Word::Denied(denial));
            }
        }
        if memory.failure(name, rtype, now).is_some() {
            return Err(Stop::Failed(Trouble::NoKeys));
        }
        let Some(walk) = self.walks.get(at as usize) else { return Err(Stop::Failed(Trouble::NoKeys)) };
        let depth = walk.depth + 1;
        let avoided = walk.avoided.iter().chain(&checking.avoided).copied().collect();
        let child = match self.goals.get(&(name.clone(), rtype, true)) {
            Some(&child) if child == at || self.waits_for(child, at) => {
                around.tally.count(crate::base::tally::Event::LoopsFound);
                return Err(Stop::Failed(Trouble::NoKeys));
            }
            Some(&child) => child,
            None if self.walks.len() >= bounds::RESOLUTIONS_MAX => return Err(Stop::Failed(Trouble::Crowded)),
            None => {
                let child = self.begin(Question::new(name.lowered(), rtype), true, Arc::clone(ledger), depth);
                if let Some(walk) = self.walks.get_mut(child as usize) {
                    walk.trusts_memory = !is_renewed;
                    walk.avoided = avoided;
                }
                child
            }
        };
        if let Some(walk) = self.walks.get_mut(child as usize) {
            walk.parents.push(at);
        }
        checking.pending = Some(child);
        Err(Stop::Wait)
    }
}

/// Who says so, by the signatures.
fn by(word: &Word) -> Option<Name> {
    match word {
        Word::Set(part) | Word::Alias(part) => signer(&part.aged.set),
        Word::Denied(denial) => denial.proofs.iter().find_map(|set| signer(set)),
        Word::Failed(_) => None,
    }
}
