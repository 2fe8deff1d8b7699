//! Zones that other programs signed are found authentic, with every denial that our authority makes of their records; and
//! zones that we signed are found so by other programs.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail, and its programs take real time"
)]

mod support;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use meridian::base::collections::Keyed;
use meridian::base::{Dice, Instant};
use meridian::chain::{Asker, Carrier, Query};
use meridian::dns::dnssec::denial::Nsec;
use meridian::dns::dnssec::denial::nsec3::{self, Nsec3};
use meridian::dns::dnssec::{
    Algorithm, Budget, Ds, Proofs, Proven, PublicKey, SigningKey, ZoneKeys, sign, signer, trusted_keys, verify_set,
};
use meridian::dns::{Edns, Flags, Name, Question, Rcode, RecordType, RrSet};
use meridian::handlers::authority::{Authority, Zone, Zones, load, master_file};
use meridian::steer::{Helm, Scene};
use support::namespace;

/// Signatures of these tests hold from 2020 to 2036: ldns counts seconds in 31 bits.
const INCEPTION: u32 = 1_600_000_000;
const EXPIRATION: u32 = 2_082_758_400;
const NOW: u32 = 1_800_000_000;

/// A name of each kind: wildcards, empty names, cuts with and without DS, a DNAME, aliases, letters that are not small.
const PLAIN: &str = "\
$TTL 3600
@ SOA Ns.Example. Host.Example. 1 7200 900 1209600 300
@ NS Ns
@ MX 10 Mail.Example.
@ TXT \"Some Text\" \"more\"
ns A 192.0.2.1
ns AAAA 2001:db8::1
mail A 192.0.2.2
www CNAME Mail
*.wild A 192.0.2.3
*.wild MX 5 MAIL.example.
here.wild TXT \"here\"
deep.er.empty A 192.0.2.4
*.stars.alias CNAME ns
moved DNAME Other.Example.
_sip._udp SRV 0 5 5060 Ns
naptr NAPTR 10 20 \"u\" \"E2U+sip\" \"!^.*$!sip:Info@example!\" .
svc HTTPS 1 . alpn=h2
secure NS ns.secure
secure DS 55648 13 2 B4C8C1FE2E7477127B27115656AD6256F424625BF5C1E2770CE6D6E37DF61D17
ns.secure A 192.0.2.5
insecure NS ns.insecure
ns.insecure A 192.0.2.6
under.insecure.only NS ns.insecure
";

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn read(text: &str) -> Zone {
    let keyed = Keyed::with_seeds(1, 2, 3, 4);
    let (zone, findings) = load(&name("example."), text.as_bytes(), "zone", &mut master_file::no_include, keyed);
    zone.unwrap_or_else(|| panic!("{findings:?}"))
}

fn sets(zone: &Zone) -> Vec<Arc<RrSet>> {
    zone.rrsets().map(|(owner, view)| view.to_rrset(owner, true)).collect()
}

/// Runs a program in `folder`.
fn run(folder: &Path, command: &[&str]) -> String {
    let program = namespace::find(command[0]).unwrap_or_else(|| panic!("{} is not installed", command[0]));
    let output = Command::new(program).args(&command[1..]).current_dir(folder).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {text}", command.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

fn are_installed(test: &str, programs: &[&str]) -> bool {
    let missing: Vec<&str> = programs.iter().copied().filter(|program| namespace::find(program).is_none()).collect();
    if !missing.is_empty() {
        namespace::skip(test, &format!("{} not installed", missing.join(", ")));
    }
    missing.is_empty()
}

/// The keys of a zone whose own entry keys we trust, and that every set with signatures holds.
fn check_signatures(zone: &Zone, what: &str) -> ZoneKeys {
    let sets = sets(zone);
    let dnskeys = sets.iter().find(|set| set.rtype == RecordType::DNSKEY).unwrap();
    let keys = dnskeys.rdatas.iter().map(|rdata| PublicKey::parse(rdata).unwrap());
    let ds: Vec<Ds> = keys.filter(PublicKey::is_sep).map(|key| Ds::sha256(&dnskeys.owner, &key)).collect();
    assert!(!ds.is_empty(), "{what}");
    let trusted =
        trusted_keys(dnskeys, &ds, NOW, &mut Budget::default()).unwrap_or_else(|why| panic!("{what}: {why:?}"));
    let mut signed = 0;
    for set in sets.iter().filter(|set| !set.signatures.is_empty()) {
        let verified = verify_set(set, &trusted.keys, NOW, &mut Budget::default());
        let verified = verified.unwrap_or_else(|why| panic!("{what}: {why}"));
        assert_eq!((verified.encloser, verified.original_ttl), (None, set.ttl), "{what}: {}", set.owner);
        assert_eq!(signer(set), Some(name("example.")));
        signed += 1;
    }
    assert!(signed > 25, "{what} has {signed} signed sets");
    trusted.keys
}

/// Asks our authority for all names and more, all types and more, and checks what comes with negative answers.
fn check_denials(zone: Zone, keys: &ZoneKeys, what: &str) {
    let owners: BTreeSet<Name> =
        zone.rrsets().filter(|(_, view)| view.rtype != RecordType::NSEC3).map(|(owner, _)| owner).collect();
    let above = owners.iter().filter_map(Name::parent).filter(|parent| parent.is_within(keys.zone()));
    let mut asked: BTreeSet<Name> = owners.iter().cloned().chain(above).collect();
    for owner in asked.clone() {
        asked.extend(["nobody", "a.b", "*"].iter().flat_map(|front| format!("{front}.{owner}").parse()));
    }
    let mut zones = Zones::new(Keyed::with_seeds(1, 2, 3, 4));
    zones.insert(Arc::new(zone));
    let authority = Authority::new(zones, Helm::idle(Arc::new(Scene::new(Arc::default())), None));
    let mut told = [0; 4];
    for name in asked {
        for rtype in [RecordType::A, RecordType::MX, RecordType::DS, RecordType::CNAME, RecordType(1_234)] {
            // Of the apex's DS only the zone above has a say.
            if rtype != RecordType::DS || name != *keys.zone() {
                check_denial(&authority, &name, rtype, keys, what, &mut told);
            }
        }
    }
    assert!(told.iter().all(|count| *count > 5), "{what}: {told:?}");
}

fn check_denial(
    authority: &Authority,
    name: &Name,
    rtype: RecordType,
    keys: &ZoneKeys,
    what: &str,
    told: &mut [u32; 4],
) {
    let query = Query {
        id: 1,
        flags: Flags::default(),
        question: Question::new(name.clone(), rtype),
        edns: Some(Edns { udp_size: 1_232, dnssec_ok: true, ..Edns::default() }),
        asker: Asker {
            address: SocketAddr::from(([192, 0, 2, 1], 5353)),
            local: None,
            carrier: Carrier::Udp,
            may_recurse: false,
            group: 0,
        },
    };
    let decision = authority.decide(&query, Instant::ZERO, &mut Dice::from_number(1), &mut None).unwrap();
    let answer = decision.answer;
    let story = format!("{what}: {name} {rtype}");
    let mut budget = Budget::default();
    let sets: Vec<&RrSet> = answer.authority.iter().map(|aged| &*aged.set).collect();
    let (proofs, _) =
        Proofs::verify(sets.iter().copied(), keys, NOW, &mut budget).unwrap_or_else(|why| panic!("{story}: {why}"));
    let referral = sets.iter().find(|set| set.rtype == RecordType::NS && set.owner != *keys.zone());
    let last = answer.answer.last().map(|aged| &aged.set);
    if let Some(set) = last.filter(|set| !set.signatures.is_empty()) {
        let verified = verify_set(set, keys, NOW, &mut budget).unwrap_or_else(|why| panic!("{story}: {why}"));
        if let Some(encloser) = verified.encloser {
            let proven = proofs.no_closer_match(&set.owner, &encloser, &mut budget);
            assert!(proven.is_ok(), "{story}: {proven:?}");
            told[0] += 1;
        }
    } else if let Some(referral) = referral.filter(|set| name.is_within(&set.owner)) {
        let ds = sets.iter().any(|set| set.rtype == RecordType::DS);
        assert_eq!(ds, proofs.no_ds(&referral.owner, &mut budget).is_err(), "{story}");
        told[1] += 1;
    } else if answer.answer.is_empty() {
        let proven = match answer.rcode {
            Rcode::NXDOMAIN => proofs.nxdomain(name, &mut budget),
            _ => proofs.nodata(name, rtype, &mut budget),
        };
        assert!(matches!(proven, Ok(Proven::Secure | Proven::OptOut)), "{story}: {} {proven:?}", answer.rcode);
        told[if answer.rcode == Rcode::NXDOMAIN { 2 } else { 3 }] += 1;
    }
}

const DENYING: [(&str, &[&str]); 3] =
    [("NSEC", &[]), ("NSEC3", &["-3", "abcd", "-H", "3"]), ("NSEC3 with opt-out", &["-3", "-", "-H", "0", "-A"])];

#[test]
fn what_bind_signs_holds() {
    if !are_installed("what_bind_signs_holds", &["dnssec-keygen", "dnssec-signzone"]) {
        return;
    }
    let algorithms = ["NSEC3RSASHA1", "RSASHA256", "RSASHA512", "ECDSAP256SHA256", "ECDSAP384SHA384", "ED25519"];
    for algorithm in algorithms {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        std::fs::write(folder.join("plain"), PLAIN).unwrap();
        let bits: &[&str] = match algorithm {
            "RSASHA256" => &["-b", "4096"],
            "NSEC3RSASHA1" | "RSASHA512" => &["-b", "2048"],
            _ => &[],
        };
        for flag in [&["-f", "KSK"][..], &[]] {
            run(folder, &[&["dnssec-keygen", "-q", "-a", algorithm], bits, flag, &["example"]].concat());
        }
        for (kind, arguments) in DENYING {
            let what = format!("{algorithm} {kind}");
            let from_until = ["-s", "20200101000000", "-e", "20360101000000"];
            let sign = ["dnssec-signzone", "-q", "-S", "-P", "-o", "example", "-f", "signed"];
            run(folder, &[&sign[..], &from_until, arguments, &["plain"]].concat());
            let zone = read(&std::fs::read_to_string(folder.join("signed")).unwrap());
            let keys = check_signatures(&zone, &what);
            check_denials(zone, &keys, &what);
        }
    }
}

#[test]
fn what_ldns_signs_holds() {
    if !are_installed("what_ldns_signs_holds", &["ldns-keygen", "ldns-signzone"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("plain"), format!("$ORIGIN example.\n{PLAIN}")).unwrap();
    let entry = run(folder, &["ldns-keygen", "-a", "ECDSAP256SHA256", "-k", "example."]);
    let zone = run(folder, &["ldns-keygen", "-a", "ECDSAP256SHA256", "example."]);
    let with: [(&str, &[&str]); 3] =
        [("NSEC", &[]), ("NSEC3", &["-n", "-s", "abcd", "-t", "2"]), ("opt-out", &["-n", "-p", "-t", "1"])];
    for (kind, arguments) in with {
        let sign = ["ldns-signzone", "-i", "20200101000000", "-e", "20360101000000", "-o", "example.", "-f", "signed"];
        run(folder, &[&sign[..], arguments, &["plain", entry.trim(), zone.trim()]].concat());
        let zone = read(&std::fs::read_to_string(folder.join("signed")).unwrap());
        let what = format!("ldns {kind}");
        let keys = check_signatures(&zone, &what);
        check_denials(zone, &keys, &what);
    }
}

/// How a zone that we sign denies.
#[derive(Clone, Copy, Debug)]
enum Denying {
    Nsec,
    Nsec3 { iterations: u16, salt: &'static [u8] },
}

/// The zone, signed by us.
fn sign_zone(key: &SigningKey, denying: Denying) -> Vec<RrSet> {
    let apex = name("example.");
    let mut sets: Vec<RrSet> = sets(&read(PLAIN)).iter().map(|set| (**set).clone()).collect();
    sets.push(RrSet::new(apex.clone(), RecordType::DNSKEY, 3_600, [key.public().rdata()]));
    if let Denying::Nsec3 { iterations, salt } = denying {
        let [i0, i1] = iterations.to_be_bytes();
        let rdata = [&[1, 0, i0, i1, salt.len() as u8], salt].concat();
        sets.push(RrSet::new(apex.clone(), RecordType::NSEC3PARAM, 0, [rdata]));
    }
    let cuts: Vec<Name> = sets
        .iter()
        .filter(|set| set.rtype == RecordType::NS && set.owner != apex)
        .map(|set| set.owner.clone())
        .collect();
    let is_ours = |owner: &Name| !cuts.iter().any(|cut| owner.is_below(cut));
    let types = |owner: &Name| -> Vec<RecordType> {
        let types: Vec<RecordType> = sets.iter().filter(|set| set.owner == *owner).map(|set| set.rtype).collect();
        let is_signed = types.iter().any(|rtype| *rtype != RecordType::NS);
        types.into_iter().chain(is_signed.then_some(RecordType::RRSIG)).collect()
    };
    let owners: BTreeSet<Name> = sets.iter().map(|set| set.owner.clone()).filter(is_ours).collect();
    let proofs: Vec<RrSet> = match denying {
        Denying::Nsec => owners
            .iter()
            .zip(owners.iter().cycle().skip(1))
            .map(|(owner, next)| {
                let types = types(owner).into_iter().chain([RecordType::NSEC, RecordType::RRSIG]);
                RrSet::new(owner.clone(), RecordType::NSEC, 300, [Nsec::compose(next, types)])
            })
            .collect(),
        Denying::Nsec3 { iterations, salt } => {
            let parameters = nsec3::Parameters { iterations, salt };
            let mut all: BTreeSet<Name> = BTreeSet::new();
            for owner in owners {
                all.extend((1..=owner.label_count()).map(|count| owner.suffix(count)));
            }
            let hashes: BTreeSet<(nsec3::Hash, Name)> =
                all.into_iter().map(|owner| (parameters.hash(&owner), owner)).collect();
            hashes
                .iter()
                .zip(hashes.iter().cycle().skip(1))
                .map(|((hash, owner), (next, _))| {
                    let rdata = Nsec3::compose(parameters, false, next, types(owner));
                    RrSet::new(apex.child(&nsec3::label(hash)).unwrap(), RecordType::NSEC3, 300, [rdata])
                })
                .collect()
        }
    };
    sets.extend(proofs);
    for set in &mut sets {
        let is_parents = |cut: &Name| set.owner == *cut && set.rtype != RecordType::NS;
        if cuts.iter().all(|cut| !set.owner.is_within(cut) || is_parents(cut)) {
            key.sign_set(set, &apex, INCEPTION, EXPIRATION).unwrap();
        }
    }
    sets
}

/// The records as a master file of types without names (RFC 3597 §5).
fn print(sets: &[RrSet]) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    let mut line = |set: &RrSet, rtype: RecordType, rdata: &[u8]| {
        write!(text, "{} {} IN TYPE{} \\# {} ", set.owner, set.ttl, rtype.0, rdata.len()).unwrap();
        for octet in rdata {
            write!(text, "{octet:02x}").unwrap();
        }
        text.push('\n');
    };
    let is_soa = |set: &&RrSet| set.rtype == RecordType::SOA;
    for set in sets.iter().filter(is_soa).chain(sets.iter().filter(|set| !is_soa(set))) {
        set.rdatas.iter().for_each(|rdata| line(set, set.rtype, rdata));
        set.signatures.iter().for_each(|rdata| line(set, RecordType::RRSIG, rdata));
    }
    text
}

#[test]
fn what_we_sign_holds_for_bind_and_ldns() {
    if !are_installed("what_we_sign_holds_for_bind_and_ldns", &["dnssec-verify", "ldns-verify-zone"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let keys =
        [SigningKey::ed25519(&[7; 32], sign::ENTRY_KEY).unwrap(), SigningKey::generate(sign::ENTRY_KEY).unwrap()];
    assert_eq!(keys.each_ref().map(|key| key.public().algorithm()), [Algorithm::ED25519, Algorithm::ECDSA_P256]);
    let kinds =
        [Denying::Nsec, Denying::Nsec3 { iterations: 0, salt: b"" }, Denying::Nsec3 { iterations: 2, salt: b"ab" }];
    for key in &keys {
        for kind in kinds {
            let text = print(&sign_zone(key, kind));
            std::fs::write(folder.path().join("signed"), &text).unwrap();
            run(folder.path(), &["dnssec-verify", "-q", "-z", "-o", "example", "signed"]);
            run(folder.path(), &["ldns-verify-zone", "signed"]);
            let what = format!("ours by {key:?}, {kind:?}");
            let zone = read(&text);
            let keys = check_signatures(&zone, &what);
            check_denials(zone, &keys, &what);
        }
    }
}
