//! What NSEC and NSEC3 records prove, held against the plain truth of small zones: whatever part of a zone's records is
//! shown, only what is true is ever proven; and the whole of them proves all that is true.

use proptest::prelude::*;
use proptest::sample::Index;

use super::zone::{APEX, Path, Truth, Zone, paths, spell, zones};
use super::*;

const ASKED: [RecordType; 6] =
    [RecordType::A, RecordType::TXT, RecordType::DS, RecordType::NS, RecordType::CNAME, RecordType::ANY];

/// How a zone's records deny.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Nsec,
    Nsec3 { is_opt_out: bool },
}

const KINDS: [Kind; 3] = [Kind::Nsec, Kind::Nsec3 { is_opt_out: false }, Kind::Nsec3 { is_opt_out: true }];

impl Kind {
    fn records(self, zone: &Zone) -> Vec<RrSet> {
        match self {
            Self::Nsec => zone.nsec(),
            Self::Nsec3 { is_opt_out } => zone.nsec3(is_opt_out, 1, b"salt"),
        }
    }

    const fn is_opt_out(self) -> bool {
        matches!(self, Self::Nsec3 { is_opt_out: true })
    }
}

/// Whether the zone is silent of the name, so that what is said of it may be insecure: at or below a cut without DS, or
/// only such cuts are below it; or nothing is there, where such a cut might be.
fn is_silent(zone: &Zone, path: &Path) -> bool {
    let hashed = zone.hashed(true);
    !hashed.contains(path)
        && !matches!(zone.truth(path, RecordType::A), Truth::Below { is_signed: true } | Truth::Moved)
}

/// Whether the deepest name above is one that only cuts without DS lie below: it is not listed, so the wildcard that does not
/// stand in for the name, as it is further up, cannot be shown not to.
fn is_hidden(zone: &Zone, path: &Path) -> bool {
    !zone.hashed(true).contains(&zone.encloser(path))
}

fn check(zone: &Zone, kind: Kind, records: &[RrSet], is_whole: bool) -> Result<(), TestCaseError> {
    let apex = name(APEX);
    // More of them than are looked at of one response: each question is shown those that bear on it.
    let proofs = Proofs::of(&apex, records);
    for path in paths(3) {
        let owner = spell(&path);
        let mut budget = Budget::default();
        let told = proofs.nxdomain(&owner, &mut budget);
        let truth = zone.truth(&path, RecordType::A);
        match &told {
            Ok(Proven::Secure) => prop_assert_eq!(&truth, &Truth::NxDomain, "{} {:?}", owner, kind),
            Ok(Proven::OptOut) => prop_assert!(kind.is_opt_out() && is_silent(zone, &path), "{} {:?}", owner, truth),
            Ok(Proven::Excessive) => prop_assert!(false),
            Err(_) => prop_assert!(
                !is_whole || truth != Truth::NxDomain || kind.is_opt_out() && is_hidden(zone, &path),
                "{} {:?} {:?}",
                owner,
                kind,
                told
            ),
        }
        for rtype in ASKED {
            let mut budget = Budget::default();
            let told = proofs.nodata(&owner, rtype, &mut budget);
            let truth = zone.truth(&path, rtype);
            let is_nodata = matches!(truth, Truth::NoData(_)) && (rtype != RecordType::DS || !path.is_empty());
            match &told {
                Ok(Proven::Secure) => prop_assert!(is_nodata, "{} {} {:?} {:?}", owner, rtype, kind, truth),
                Ok(Proven::OptOut) => prop_assert!(kind.is_opt_out() && is_silent(zone, &path), "{owner} {truth:?}"),
                Ok(Proven::Excessive) => prop_assert!(false),
                Err(_) => prop_assert!(!is_whole || !is_nodata, "{} {} {:?} {:?}", owner, rtype, kind, told),
            }
        }
        check_ds(zone, kind, &proofs, &path, is_whole)?;
        for count in 0..path.len() {
            let encloser = path[..count].to_vec();
            let star = [encloser.as_slice(), &["*"]].concat();
            let is_signed =
                zone.0.contains_key(&star) && !matches!(zone.truth(&star, RecordType::A), Truth::Below { .. });
            if !is_signed {
                continue; // nobody could sign an answer made from it
            }
            let told = proofs.no_closer_match(&owner, &spell(&encloser), &mut Budget::default());
            let is_true =
                matches!(&truth, Truth::Answer(Some(above)) | Truth::NoData(Some(above)) if *above == encloser);
            match &told {
                Ok(Proven::Secure) => prop_assert!(is_true, "{} {:?} {:?} {:?}", owner, encloser, kind, truth),
                Ok(Proven::OptOut) => prop_assert!(kind.is_opt_out() && is_silent(zone, &path), "{owner} {truth:?}"),
                Ok(Proven::Excessive) => prop_assert!(false),
                Err(_) => prop_assert!(!is_whole || !is_true, "{} {:?} {:?}", owner, encloser, kind),
            }
        }
    }
    Ok(())
}

fn check_ds(zone: &Zone, kind: Kind, proofs: &Proofs<'_>, path: &Path, is_whole: bool) -> Result<(), TestCaseError> {
    let owner = spell(path);
    let told = proofs.no_ds(&owner, &mut Budget::default());
    let truth = zone.truth(path, RecordType::DS);
    let is_cut = zone.is_cut(path);
    let is_provable = matches!(truth, Truth::NoData(_) | Truth::NxDomain) && !path.is_empty();
    match &told {
        Ok(NoDs::Cut) => prop_assert!(is_cut && is_provable, "{owner} {kind:?} {truth:?}"),
        Ok(NoDs::NoCut) => prop_assert!(!is_cut && matches!(truth, Truth::NoData(_)), "{owner} {kind:?} {truth:?}"),
        Ok(NoDs::Absent) => prop_assert_eq!(truth, Truth::NxDomain, "{} {:?}", owner, kind),
        Ok(NoDs::OptOut) => prop_assert!(kind.is_opt_out() && is_silent(zone, path), "{owner} {truth:?}"),
        Ok(NoDs::Excessive) => prop_assert!(false),
        Err(_) => prop_assert!(!is_whole || !is_provable, "{owner} {kind:?} {truth:?}"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn all_records_of_a_zone_prove_exactly_what_is_true(zone in zones()) {
        for kind in KINDS {
            let records = kind.records(&zone);
            check(&zone, kind, &records, records.len() <= crate::base::bounds::DENIAL_PROOFS)?;
        }
    }

    #[test]
    fn no_part_of_a_zones_records_proves_what_is_not_true(zone in zones(), picked: Vec<Index>) {
        for kind in KINDS {
            let whole = kind.records(&zone);
            let part: Vec<RrSet> = picked.iter().map(|index| index.get(&whole).clone()).collect();
            check(&zone, kind, &part, false)?;
        }
    }
}
