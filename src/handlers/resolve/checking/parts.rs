//! Whether one RRset, or one denial, is what its zone says.

use std::sync::Arc;

use super::super::ledger::Ledger;
use super::super::resolver::Resolver;
use super::super::settings::Route;
use super::super::trace::What;
use super::super::walk::Part;
use super::super::{Settings, Surroundings};
use super::descent::{Manner, Standing};
use super::{Checking, Stop};
use crate::chain::{Checked, Denial, Learned};
use crate::dns::dnssec::denial::is_by;
use crate::dns::dnssec::{Bogus, Budget, Proofs, Proven, Reason, Security, Verified, ZoneKeys, signer, verify_set};
use crate::dns::{Name, RecordType, RrSet};

impl Resolver {
    /// Checks a part of an answer, unless that was done before, and has memory know what was found. What a DNAME makes
    /// is as secure as what stands `above` it, and holds no longer.
    pub(super) fn check_part(
        &mut self,
        at: u32,
        checking: &mut Checking,
        mut part: Part,
        above: (Security, u32),
        ledger: &Arc<Ledger>,
        around: &mut Surroundings<'_>,
    ) -> Result<Part, Stop> {
        if part.is_synthesised {
            (part.security, part.aged.ttl) = (above.0, part.aged.ttl.min(above.1));
            return Ok(part);
        }
        if part.security != Security::Unchecked {
            return Ok(part);
        }
        let set = Arc::clone(&part.aged.set);
        let checked = self.check_set(at, checking, &set, &part.proofs, ledger, around)?;
        part.security = checked.security;
        part.aged.ttl = checking.left(part.aged.ttl, around.now).min(checked.ttl);
        if part.security == Security::Secure {
            // Of what came along only that has been checked which was needed.
            let zone = signer(&set).filter(|_| checked.encloser.is_some());
            part.proofs =
                part.proofs.iter().filter(|set| zone.as_ref().is_some_and(|zone| is_by(set, zone))).cloned().collect();
        }
        self.note_checked(&set.owner, set.rtype, part.security, around);
        teach(&part, checked.encloser, around);
        Ok(part)
    }

    pub(super) fn note_checked(
        &mut self,
        name: &Name,
        rtype: RecordType,
        security: Security,
        around: &Surroundings<'_>,
    ) {
        self.trace.note(around.now, || What::Check {
            name: name.clone(),
            rtype,
            verdict: if security == Security::Secure { "secure".into() } else { "insecure".into() },
        });
    }

    /// What `set` is.
    fn check_set(
        &mut self,
        at: u32,
        checking: &mut Checking,
        set: &RrSet,
        proofs: &[Arc<RrSet>],
        ledger: &Arc<Ledger>,
        around: &mut Surroundings<'_>,
    ) -> Result<Checked, Stop> {
        let insecure = Checked { security: Security::Insecure, ttl: u32::MAX, encloser: None };
        // Signatures are not signed (RFC 4035 §2.2).
        if set.rtype == RecordType::RRSIG || self.is_excepted(&set.owner, set.rtype) {
            return Ok(insecure);
        }
        let Some(zone) = signer(set) else {
            self.expect_unsigned(at, checking, (&set.owner, set.rtype), ledger, around)?;
            return Ok(insecure);
        };
        self.expect_no_cut(at, checking, &zone, (&set.owner, set.rtype), ledger, around)?;
        let keys = match self.reach(at, checking, &zone, Manner::AtOnce, ledger, around)? {
            Standing::Secure(keys) => keys,
            Standing::Insecure(why) => {
                if self.is_anchored_below(&zone, &set.owner) {
                    self.expect_unsigned(at, checking, (&set.owner, set.rtype), ledger, around)?;
                }
                checking.remark(why);
                return Ok(insecure);
            }
            Standing::Inside => return Err(signed_by_nobody(set, &zone).into()),
        };
        let verified = ledger.with_budget(|budget| verify_set(set, &keys, around.wall, budget))?;
        let mut ttl_max = verified.ttl_max();
        let mut security = Security::Secure;
        if let Some(encloser) = &verified.encloser {
            let (proven, ttls) = ledger.with_budget(|budget| {
                let proofs = proofs.iter().map(|set| &**set);
                let (proofs, verified) = Proofs::verify(proofs, &keys, around.wall, budget)?;
                let proven = proofs.no_closer_match(&set.owner, encloser, budget)?;
                Ok::<_, Bogus>((proven, verified))
            })?;
            security = proven.security();
            checking.remark(proven.ede());
            // The proofs have TTLs of their own; what they prove lasts as long as their signatures do.
            ttl_max = ttls.iter().map(|proof| proof.expires_in).fold(ttl_max, u32::min);
        }
        Ok(Checked { security, ttl: ttl_max, encloser: verified.encloser })
    }

    /// Checks a denial of `name` and of the walk's type, and has memory know what was found.
    pub(super) fn check_denial(
        &mut self,
        at: u32,
        checking: &mut Checking,
        name: &Name,
        mut denial: Denial,
        ledger: &Arc<Ledger>,
        around: &mut Surroundings<'_>,
    ) -> Result<Denial, Stop> {
        let Some(rtype) = self.walks.get(at as usize).map(|walk| walk.question.rtype) else { return Ok(denial) };
        let is_excepted = self.is_excepted(name, rtype);
        let sets = denial.proofs.iter().chain(&denial.soa);
        let zone = sets.filter_map(|set| signer(set)).find(|zone| name.is_within(zone));
        if let Some(zone) = zone.as_ref().filter(|_| !is_excepted) {
            self.expect_no_cut(at, checking, zone, (name, rtype), ledger, around)?;
        }
        match zone {
            _ if is_excepted => denial.security = Security::Insecure,
            None => {
                self.expect_unsigned(at, checking, (name, rtype), ledger, around)?;
                denial.security = Security::Insecure;
            }
            Some(zone) => match self.reach(at, checking, &zone, Manner::AtOnce, ledger, around)? {
                Standing::Insecure(why) => {
                    if self.is_anchored_below(&zone, name) {
                        self.expect_unsigned(at, checking, (name, rtype), ledger, around)?;
                    }
                    checking.remark(why);
                    denial.security = Security::Insecure;
                }
                Standing::Inside => {
                    let text = format!("{name} is denied in the name of {zone}, which is no zone");
                    return Err(Bogus::new(Reason::NoSignature, text).into());
                }
                Standing::Secure(keys) => {
                    let (proven, ttl_max) =
                        ledger.with_budget(|budget| proven(&denial, (name, rtype), &keys, around.wall, budget))?;
                    checking.remark(proven.ede());
                    denial.security = proven.security();
                    denial.ttl = denial.ttl.min(ttl_max);
                    // Others have not been checked.
                    denial.proofs.retain(|set| is_by(set, &zone));
                }
            },
        }
        denial.ttl = checking.left(denial.ttl, around.now);
        self.note_checked(name, rtype, denial.security, around);
        let learned = Learned::Denial { name: name.clone(), rtype, denial: denial.clone() };
        around.memory.learn(learned, around.now);
        Ok(denial)
    }

    /// Goes on where no zone cut lies between the `signer` and what it signed.
    fn expect_no_cut(
        &mut self,
        at: u32,
        checking: &mut Checking,
        signer: &Name,
        (owner, rtype): (&Name, RecordType),
        ledger: &Arc<Ledger>,
        around: &mut Surroundings<'_>,
    ) -> Result<(), Stop> {
        let Some(cut) = cut_below(signer, owner, rtype, around) else { return Ok(()) };
        match self.reach(at, checking, &cut, Manner::AtOnce, ledger, around)? {
            Standing::Inside => Ok(()),
            Standing::Secure(_) | Standing::Insecure(_) => Err(signed_from_above(owner, signer).into()),
        }
    }

    /// Whether the operator says that what stands at `owner` is not to be validated.
    fn is_excepted(&self, owner: &Name, rtype: RecordType) -> bool {
        let validation = self.settings.validation.as_ref();
        validation.is_some_and(|validation| validation.trust().excepts(&holder(owner, rtype)))
    }

    /// Whether `name`, which is spoken of in the name of an unsigned `zone`, lies in one with a trust anchor of its own:
    /// then that nothing above is signed says nothing of it.
    fn is_anchored_below(&self, zone: &Name, name: &Name) -> bool {
        let trust = self.settings.validation.as_ref().map(|validation| validation.trust());
        trust.is_some_and(|trust| trust.anchors.above(name).is_some_and(|anchor| anchor.owner.is_below(zone)))
    }

    /// Goes on where `owner` lies in a zone that is provably not signed, as what is said of it is not signed.
    fn expect_unsigned(
        &mut self,
        at: u32,
        checking: &mut Checking,
        (owner, rtype): (&Name, RecordType),
        ledger: &Arc<Ledger>,
        around: &mut Surroundings<'_>,
    ) -> Result<(), Stop> {
        let holder = holder(owner, rtype);
        // Most likely the closest cut that is known begins an unsigned zone.
        let cut = closest_cut(&holder, &self.settings, around).filter(|cut| !self.is_anchored_below(cut, &holder));
        let last = (cut.as_ref() != Some(&holder)).then_some((&holder, Manner::StepByStep));
        for (zone, manner) in cut.iter().map(|cut| (cut, Manner::AtOnce)).chain(last) {
            if let Standing::Insecure(why) = self.reach(at, checking, zone, manner, ledger, around)? {
                checking.remark(why);
                return Ok(());
            }
        }
        Err(Bogus::new(Reason::NoSignature, format!("{owner} {rtype} is not signed")).into())
    }
}

/// Has memory know what was found of a part.
pub(super) fn teach(part: &Part, encloser: Option<Name>, around: &Surroundings<'_>) {
    let checked = Some(Checked { security: part.security, ttl: part.aged.ttl, encloser });
    let (set, proofs) = (Arc::clone(&part.aged.set), Arc::clone(&part.proofs));
    around.memory.learn(Learned::RrSet { set, rank: part.rank, proofs, checked }, around.now);
}

/// The name of which it has to be known to which zone it belongs: DS records stand in the zone above (RFC 4035 §2.4).
fn holder(owner: &Name, rtype: RecordType) -> Name {
    if rtype == RecordType::DS { owner.parent().unwrap_or_else(Name::root) } else { owner.clone() }
}

/// The deepest zone cut around `name` that memory or the operator knows.
fn closest_cut(name: &Name, settings: &Settings, around: &Surroundings<'_>) -> Option<Name> {
    let learned = around.memory.delegation(name, around.now).map(|cut| cut.zone.clone());
    let told = settings.route(name).map(|route| match route {
        Route::Forward(_, zone) => zone.clone(),
        Route::Stub(stub) => stub.zone.clone(),
    });
    [learned, told].into_iter().flatten().filter(|zone| !zone.is_root()).max_by_key(Name::label_count)
}

/// The deepest zone cut that memory knows around what holds `owner` and `rtype`, where it lies below the `signer`: then
/// that is perhaps not the zone that holds it (RFC 4035 §5.3.1). Nobody has checked whether there is such a cut.
pub(super) fn cut_below(signer: &Name, owner: &Name, rtype: RecordType, around: &Surroundings<'_>) -> Option<Name> {
    let cut = around.memory.delegation(&holder(owner, rtype), around.now)?;
    cut.zone.is_below(signer).then(|| cut.zone.clone())
}

pub(super) fn signed_from_above(owner: &Name, signer: &Name) -> Bogus {
    Bogus::new(
        Reason::NoSignature,
        format!("what is said of {owner} is signed by {signer}, and a zone cut lies between"),
    )
}

fn signed_by_nobody(set: &RrSet, zone: &Name) -> Bogus {
    Bogus::new(
        Reason::NoSignature,
        format!("{} {} is signed in the name of {zone}, which is no zone", set.owner, set.rtype),
    )
}

/// What a denial by the zone with these keys is, and the longest TTL that it may have.
fn proven(
    denial: &Denial,
    (name, rtype): (&Name, RecordType),
    keys: &ZoneKeys,
    wall: u32,
    budget: &mut Budget,
) -> Result<(Proven, u32), Bogus> {
    let mut ttl_max = u32::MAX;
    if let Some(soa) = &denial.soa {
        if soa.owner != *keys.zone() {
            let text = format!("{name} is denied with the SOA of {} and signed by {}", soa.owner, keys.zone());
            return Err(Bogus::new(Reason::NoSignature, text));
        }
        let verified = verify_set(soa, keys, wall, budget)?;
        if verified.encloser.is_some() {
            let text = format!("the SOA of {} is signed as a wildcard's", soa.owner);
            return Err(Bogus::new(Reason::BadSignature, text));
        }
        ttl_max = verified.ttl_max();
    }
    let (proofs, ttls) = Proofs::verify(denial.proofs.iter().map(|set| &**set), keys, wall, budget)?;
    let proven =
        if denial.is_nxdomain { proofs.nxdomain(name, budget)? } else { proofs.nodata(name, rtype, budget)? };
    Ok((proven, ttl_max.min(least_ttl(&ttls))))
}

pub(super) fn least_ttl(verified: &[Verified]) -> u32 {
    verified.iter().map(Verified::ttl_max).min().unwrap_or(u32::MAX)
}
