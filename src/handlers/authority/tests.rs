//! What is asked of a zone and what it says: the examples of the RFCs.

use super::*;
use crate::chain::{Aged, Asker, Carrier};
use crate::dns::{Edns, Flags, Question};

fn zone(origin: &str, text: &str) -> Arc<Zone> {
    let keyed = Keyed::with_seeds(1, 2, 3, 4);
    let (zone, findings) = load(&origin.parse().unwrap(), text.as_bytes(), "zone", &mut master_file::no_include, keyed);
    Arc::new(zone.unwrap_or_else(|| panic!("{:?}", findings.iter().collect::<Vec<_>>())))
}

fn zones(all: &[(&str, &str)]) -> Zones {
    let mut zones = Zones::new(Keyed::with_seeds(1, 2, 3, 4));
    for (origin, text) in all {
        zones.insert(zone(origin, text));
    }
    zones
}

fn query(name: &str, rtype: RecordType, dnssec_ok: bool) -> Query {
    Query {
        id: 1,
        flags: Flags::default(),
        question: Question::new(name.parse().unwrap(), rtype),
        edns: dnssec_ok.then(|| Edns { udp_size: 1232, dnssec_ok, ..Edns::default() }),
        asker: Asker {
            address: "192.0.2.7:5353".parse().unwrap(),
            local: None,
            carrier: Carrier::Udp,
            may_recurse: false,
            group: 0,
        },
    }
}

fn idle() -> Helm {
    Helm::idle(Arc::new(crate::steer::Scene::new(Arc::default())), None)
}

fn decide(zones: &Zones, query: &Query) -> Option<Decision> {
    let (helm, mut dice) = (idle(), Dice::from_number(1));
    answer::decide(zones, query, &mut Steer::new(&helm, query, None, Instant::ZERO, &mut dice, None))
}

fn ask(zones: &Zones, name: &str, rtype: RecordType) -> Decision {
    decide(zones, &query(name, rtype, false)).unwrap()
}

/// `owner TTL type` of each set of a section.
fn shown(section: &[Aged]) -> Vec<String> {
    section.iter().map(|aged| format!("{} {} {}", aged.set.owner, aged.ttl, aged.set.rtype)).collect()
}

const SOA: &str = "$TTL 3600\n@ SOA ns hostmaster 7 2 3 4 300\n";

/// RFC 4592 §2.2.1.
const WILDCARDS: &str = r#"
@ NS ns.example.com.
@ NS ns.example.net.
*.example. TXT "this is a wildcard"
*.example. MX 10 host1.example.
sub.*.example. TXT "this is not a wildcard"
host1.example. A 192.0.2.1
_ssh._tcp.host1.example. SRV 0 0 22 host1
_ssh._tcp.host2.example. SRV 0 0 22 host2
subdel.example. NS ns.example.com.
subdel.example. NS ns.example.net.
"#;

#[test]
fn wildcards_answer_as_in_rfc_4592() {
    let zones = zones(&[("example.", &format!("{SOA}{WILDCARDS}"))]);
    let answer = |name, rtype| {
        let answer = ask(&zones, name, rtype).answer;
        (answer.rcode, shown(&answer.answer), shown(&answer.authority))
    };
    let soa = vec!["example. 300 SOA".to_owned()];
    let delegation = vec!["subdel.example. 3600 NS".to_owned()];
    // Synthesised from the wildcard; counted as its zone's, by those who limit.
    let made_up = |name: &str| ask(&zones, name, RecordType::TXT).answer.wildcard_zone;
    assert_eq!(made_up("host3.example.").as_deref(), Some(&"example.".parse().unwrap()));
    assert_eq!(made_up("host1.example."), None);
    assert_eq!(answer("host3.example.", RecordType::MX).1, ["host3.example. 3600 MX"]);
    assert_eq!(answer("host3.example.", RecordType::A), (Rcode::NOERROR, vec![], soa.clone()));
    assert_eq!(answer("foo.bar.example.", RecordType::TXT).1, ["foo.bar.example. 3600 TXT"]);
    // Not synthesised: the name exists, is the wildcard's own, or has a closer encloser.
    assert_eq!(answer("host1.example.", RecordType::MX), (Rcode::NOERROR, vec![], soa.clone()));
    assert_eq!(answer("sub.*.example.", RecordType::MX), (Rcode::NOERROR, vec![], soa.clone()));
    assert_eq!(answer("_telnet._tcp.host1.example.", RecordType::SRV), (Rcode::NXDOMAIN, vec![], soa.clone()));
    assert_eq!(answer("host.subdel.example.", RecordType::A), (Rcode::NOERROR, vec![], delegation));
    assert_eq!(answer("ghost.*.example.", RecordType::MX), (Rcode::NXDOMAIN, vec![], soa.clone()));
    // An empty non-terminal exists.
    assert_eq!(answer("_tcp.host2.example.", RecordType::A), (Rcode::NOERROR, vec![], soa));
    assert_eq!(answer("*.example.", RecordType::TXT).1, ["*.example. 3600 TXT"]);
}

const PLAIN: &str = r"
@ NS ns
ns A 192.0.2.1
ns AAAA 2001:db8::1
mail A 192.0.2.2
Www TXT x
mx MX 10 mail
mx MX 20 mail.other.test.
svc HTTPS 1 .
svc A 192.0.2.3
alias CNAME chain
chain CNAME mail
ring CNAME ring2
ring2 CNAME ring
out CNAME www.elsewhere.test.
to-other CNAME www.other.test.
dead CNAME nothing
old DNAME new
x.new A 192.0.2.4
child NS ns.child
child NS ns.elsewhere.test.
child DS 1 8 2 00
ns.child A 192.0.2.5
into-child CNAME www.child
";

fn plain() -> Zones {
    zones(&[
        ("example.", &format!("{SOA}{PLAIN}")),
        ("other.test.", &format!("{SOA}@ NS ns.example.\nwww A 192.0.2.6")),
    ])
}

#[test]
fn nodata_and_nxdomain_carry_the_soa_for_its_minimum() {
    let zones = plain();
    let nodata = ask(&zones, "mail.example.", RecordType::TXT).answer;
    assert_eq!((nodata.rcode, nodata.authoritative), (Rcode::NOERROR, true));
    assert_eq!(shown(&nodata.authority), ["example. 300 SOA"]);
    let nxdomain = ask(&zones, "no.mail.example.", RecordType::TXT).answer;
    assert_eq!((nxdomain.rcode, nxdomain.authoritative), (Rcode::NXDOMAIN, true));
    assert_eq!(shown(&nxdomain.authority), ["example. 300 SOA"]);
}

#[test]
fn the_letters_of_the_question_are_kept() {
    let answer = ask(&plain(), "wWW.eXample.", RecordType::TXT).answer;
    assert_eq!(shown(&answer.answer), ["wWW.eXample. 3600 TXT"]);
}

#[test]
fn addresses_of_servers_are_added() {
    let zones = plain();
    let mx = ask(&zones, "mx.example.", RecordType::MX).answer;
    assert_eq!(shown(&mx.additional), ["mail.example. 3600 A"]);
    let ns = ask(&zones, "example.", RecordType::NS).answer;
    assert_eq!(shown(&ns.additional), ["ns.example. 3600 A", "ns.example. 3600 AAAA"]);
    let https = ask(&zones, "svc.example.", RecordType::HTTPS).answer;
    assert_eq!(shown(&https.additional), ["svc.example. 3600 A"]);
}

#[test]
fn a_referral_has_glue_and_no_authority() {
    let zones = plain();
    for name in ["child.example.", "a.b.child.example.", "ns.child.example."] {
        let decision = ask(&zones, name, RecordType::A);
        assert_eq!((decision.answer.rcode, decision.answer.authoritative), (Rcode::NOERROR, false));
        assert_eq!(shown(&decision.answer.authority), ["child.example. 3600 NS"]);
        assert_eq!(shown(&decision.answer.additional), ["ns.child.example. 3600 A"]);
        assert_eq!(decision.leads_outside, Some(name.parse().unwrap()));
    }
}

#[test]
fn ds_at_the_cut_is_the_parents_to_answer() {
    let ds = ask(&plain(), "child.example.", RecordType::DS).answer;
    assert_eq!((shown(&ds.answer), ds.authoritative), (vec!["child.example. 3600 DS".to_owned()], true));
    // With both zones ours, the parent answers for DS and the child for all else.
    let mut both = plain();
    both.insert(zone("child.example.", &format!("{SOA}@ NS ns\nns A 192.0.2.5")));
    assert_eq!(shown(&ask(&both, "child.example.", RecordType::DS).answer.answer), ["child.example. 3600 DS"]);
    assert!(ask(&both, "child.example.", RecordType::NS).answer.authoritative);
    // Without the parent, the child says that there is none (RFC 4035 §3.1.4.1).
    assert_eq!(shown(&ask(&plain(), "other.test.", RecordType::DS).answer.authority), ["other.test. 300 SOA"]);
}

#[test]
fn aliases_are_followed_within_our_zones() {
    let zones = plain();
    let at = |name| {
        let decision = ask(&zones, name, RecordType::A);
        (decision.answer.rcode, shown(&decision.answer.answer), decision.leads_outside.map(|name| name.to_string()))
    };
    let lines = |lines: &[&str]| lines.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        at("alias.example."),
        (
            Rcode::NOERROR,
            lines(&["alias.example. 3600 CNAME", "chain.example. 3600 CNAME", "mail.example. 3600 A"]),
            None
        )
    );
    assert_eq!(
        at("to-other.example."),
        (Rcode::NOERROR, lines(&["to-other.example. 3600 CNAME", "www.other.test. 3600 A"]), None)
    );
    assert_eq!(
        at("out.example."),
        (Rcode::NOERROR, lines(&["out.example. 3600 CNAME"]), Some("www.elsewhere.test.".into()))
    );
    assert_eq!(at("dead.example."), (Rcode::NXDOMAIN, lines(&["dead.example. 3600 CNAME"]), None));
    assert_eq!(at("ring.example.").1.len(), 2);
    let mut stub = query("ring.example.", RecordType::A, false);
    (stub.flags.recursion_desired, stub.asker.may_recurse) = (true, true);
    let ring = decide(&zones, &stub).unwrap().answer;
    assert_eq!((ring.rcode, ring.answer.len()), (Rcode::SERVFAIL, 0), "to who has recursion it is an error");
    let decision = ask(&zones, "into-child.example.", RecordType::A);
    assert!(decision.answer.authoritative, "the alias is ours (RFC 1035 §4.1.1)");
    assert_eq!(shown(&decision.answer.authority), ["child.example. 3600 NS"]);
    // The alias itself is what is asked.
    assert_eq!(shown(&ask(&zones, "alias.example.", RecordType::CNAME).answer.answer).len(), 1);
}

#[test]
fn dname_makes_a_cname_and_goes_on() {
    let zones = plain();
    let answer = ask(&zones, "x.old.example.", RecordType::A).answer;
    assert_eq!(
        shown(&answer.answer),
        ["old.example. 3600 DNAME", "x.old.example. 3600 CNAME", "x.new.example. 3600 A"]
    );
    assert_eq!(shown(&ask(&zones, "old.example.", RecordType::A).answer.authority), ["example. 300 SOA"]);
    let long = zones_with_long_dname();
    let label = "a".repeat(63);
    let answer = ask(&long, &format!("{label}.{label}.{label}.d.example."), RecordType::A).answer;
    assert_eq!((answer.rcode, answer.answer.len()), (Rcode::YXDOMAIN, 1));
}

fn zones_with_long_dname() -> Zones {
    zones(&[("example.", &format!("{SOA}@ NS ns.test.\nd DNAME {}.test.", "b".repeat(60)))])
}

#[test]
fn any_gets_one_set_over_udp_and_all_over_tcp() {
    let zones = plain();
    assert_eq!(ask(&zones, "ns.example.", RecordType::ANY).answer.answer.len(), 1);
    let mut over_tcp = query("ns.example.", RecordType::ANY, false);
    over_tcp.asker.carrier = Carrier::Tcp;
    assert_eq!(decide(&zones, &over_tcp).unwrap().answer.answer.len(), 2);
}

#[test]
fn a_name_of_no_zone_is_not_ours_and_a_zone_without_data_fails() {
    let mut zones = plain();
    assert_eq!(decide(&zones, &query("elsewhere.test.", RecordType::A, false)), None);
    zones.insert_unavailable("down.example.".parse().unwrap());
    assert_eq!(ask(&zones, "www.down.example.", RecordType::A).answer.rcode, Rcode::SERVFAIL);
    zones.remove(&"down.example.".parse().unwrap());
    assert_eq!(ask(&zones, "www.down.example.", RecordType::A).answer.rcode, Rcode::NXDOMAIN);
}

#[test]
fn transfers_are_refused_for_now() {
    let authority = Authority::new(plain(), idle());
    let decision = authority
        .decide(&query("example.", RecordType::AXFR, false), Instant::ZERO, &mut Dice::from_number(1), &mut None)
        .unwrap();
    assert_eq!(decision.answer.rcode, Rcode::REFUSED);
}

/// The names of RFC 4035 §A and RFC 5155 §A: the same zone, signed in two ways; signatures shortened.
const SIGNED: &str = r"
@ NS ns1
@ MX 1 xx
a NS ns1.a
a DS 57855 5 1 B6DCD485719ADCA18E5F3D48A2331627FDD3636B
ns1.a A 192.0.2.5
ai A 192.0.2.9
ns1 A 192.0.2.1
ns2 A 192.0.2.2
*.w MX 1 ai
x.w MX 1 xx
x.y.w MX 1 xx
xx A 192.0.2.10
@ RRSIG SOA 5 1 3600 20040509183619 20040409183619 38519 example. AQID
";

const NSEC: &str = r"
b NS ns1.b
ns1.b A 192.0.2.7
@ NSEC a NS SOA MX RRSIG NSEC DNSKEY
a NSEC ai NS DS RRSIG NSEC
ai NSEC b A HINFO AAAA RRSIG NSEC
b NSEC ns1 NS RRSIG NSEC
ns1 NSEC ns2 A RRSIG NSEC
ns2 NSEC *.w A RRSIG NSEC
*.w NSEC x.w MX RRSIG NSEC
x.w NSEC x.y.w MX RRSIG NSEC
x.y.w NSEC xx MX RRSIG NSEC
xx NSEC @ A HINFO AAAA RRSIG NSEC
b RRSIG NSEC 5 2 3600 20040509183619 20040409183619 38519 example. AQID
";

const NSEC3: &str = r"
c NS ns1.c
ns1.c A 192.0.2.7
@ NSEC3PARAM 1 0 12 aabbccdd
0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NSEC3 1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS SOA NSEC3PARAM RRSIG
2t7b4g4vsa5smi47k61mv5bv1a22bojr NSEC3 1 1 12 aabbccdd 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG
2vptu5timamqttgl4luu9kg21e0aor3s NSEC3 1 1 12 aabbccdd 35mthgpgcu1qg68fab165klnsnk3dpvl MX RRSIG
35mthgpgcu1qg68fab165klnsnk3dpvl NSEC3 1 1 12 aabbccdd b4um86eghhds6nea196smvmlo4ors995 NS DS RRSIG
b4um86eghhds6nea196smvmlo4ors995 NSEC3 1 1 12 aabbccdd gjeqe526plbf1g8mklp59enfd789njgi MX RRSIG
gjeqe526plbf1g8mklp59enfd789njgi NSEC3 1 1 12 aabbccdd ji6neoaepv8b5o6k4ev33abha8ht9fgc HINFO A AAAA RRSIG
ji6neoaepv8b5o6k4ev33abha8ht9fgc NSEC3 1 1 12 aabbccdd k8udemvp1j2f7eg6jebps17vp3n8i58h
k8udemvp1j2f7eg6jebps17vp3n8i58h NSEC3 1 1 12 aabbccdd kohar7mbb8dc2ce8a9qvl8hon4k53uhi
kohar7mbb8dc2ce8a9qvl8hon4k53uhi NSEC3 1 1 12 aabbccdd q04jkcevqvmu85r014c7dkba38o0ji5r A RRSIG
q04jkcevqvmu85r014c7dkba38o0ji5r NSEC3 1 1 12 aabbccdd r53bq7cc2uvmubfu5ocmm6pers9tk9en A RRSIG
r53bq7cc2uvmubfu5ocmm6pers9tk9en NSEC3 1 1 12 aabbccdd t644ebqk9bibcna874givr6joj62mlhv MX RRSIG
t644ebqk9bibcna874givr6joj62mlhv NSEC3 1 1 12 aabbccdd 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom HINFO A AAAA RRSIG
";

fn denial(zones: &Zones, name: &str, rtype: RecordType) -> (Rcode, Vec<String>) {
    let answer = decide(zones, &query(name, rtype, true)).unwrap().answer;
    let sets = answer.authority.iter().map(|aged| {
        let owner = aged.set.owner.to_string();
        let short = if aged.set.rtype == RecordType::NSEC3 { &owner[..4] } else { &owner[..] };
        format!("{short} {}", aged.set.rtype)
    });
    (answer.rcode, sets.collect())
}

fn proves(zones: &Zones, name: &str, rtype: RecordType, rcode: Rcode, authority: &[&str]) {
    let authority = authority.iter().map(ToString::to_string).collect();
    assert_eq!(denial(zones, name, rtype), (rcode, authority), "{name} {rtype}");
}

#[test]
fn nsec_proofs_are_those_of_rfc_4035_appendix_b() {
    let zones = zones(&[("example.", &format!("{SOA}{SIGNED}{NSEC}"))]);
    let (no, nx) = (Rcode::NOERROR, Rcode::NXDOMAIN);
    proves(&zones, "ml.example.", RecordType::A, nx, &["example. SOA", "b.example. NSEC", "example. NSEC"]);
    proves(&zones, "ns1.example.", RecordType::MX, no, &["example. SOA", "ns1.example. NSEC"]);
    proves(&zones, "y.w.example.", RecordType::MX, no, &["example. SOA", "x.w.example. NSEC"]);
    proves(&zones, "mc.a.example.", RecordType::MX, no, &["a.example. NS", "a.example. DS"]);
    proves(&zones, "mc.b.example.", RecordType::MX, no, &["b.example. NS", "b.example. NSEC"]);
    proves(&zones, "a.z.w.example.", RecordType::MX, no, &["x.y.w.example. NSEC"]);
    let wildcard_nodata = ["example. SOA", "*.w.example. NSEC", "x.y.w.example. NSEC"];
    proves(&zones, "a.z.w.example.", RecordType::AAAA, no, &wildcard_nodata);
    proves(&zones, "example.", RecordType::DS, no, &["example. SOA", "example. NSEC"]);
}

#[test]
fn nsec3_proofs_are_those_of_rfc_5155_appendix_b() {
    let zones = zones(&[("example.", &format!("{SOA}{SIGNED}{NSEC3}"))]);
    let (no, nx) = (Rcode::NOERROR, Rcode::NXDOMAIN);
    let soa = "example. SOA";
    proves(&zones, "a.c.x.w.example.", RecordType::A, nx, &[soa, "b4um NSEC3", "0p9m NSEC3", "35mt NSEC3"]);
    proves(&zones, "ns1.example.", RecordType::MX, no, &[soa, "2t7b NSEC3"]);
    proves(&zones, "y.w.example.", RecordType::A, no, &[soa, "ji6n NSEC3"]);
    proves(&zones, "mc.c.example.", RecordType::MX, no, &["c.example. NS", "0p9m NSEC3", "35mt NSEC3"]);
    proves(&zones, "c.example.", RecordType::DS, no, &[soa, "0p9m NSEC3", "35mt NSEC3"]);
    proves(&zones, "mc.a.example.", RecordType::MX, no, &["a.example. NS", "a.example. DS"]);
    proves(&zones, "a.z.w.example.", RecordType::MX, no, &["q04j NSEC3"]);
    proves(&zones, "a.z.w.example.", RecordType::AAAA, no, &[soa, "k8ud NSEC3", "q04j NSEC3", "r53b NSEC3"]);
    proves(&zones, "example.", RecordType::DS, no, &[soa, "0p9m NSEC3"]);
    // RFC 5155 §7.2.8: the owner of an NSEC3 record is no name of the zone.
    assert_eq!(denial(&zones, "2t7b4g4vsa5smi47k61mv5bv1a22bojr.example.", RecordType::NSEC3).0, nx);
}

#[test]
fn signatures_come_with_dnssec_ok_only_or_when_asked_for() {
    let zones = zones(&[("example.", &format!("{SOA}{SIGNED}{NSEC}"))]);
    let signed = decide(&zones, &query("example.", RecordType::SOA, true)).unwrap().answer;
    assert_eq!(signed.answer[0].set.signatures.len(), 1);
    assert!(ask(&zones, "example.", RecordType::SOA).answer.answer[0].set.signatures.is_empty());
    assert!(ask(&zones, "no.example.", RecordType::A).answer.authority.len() == 1);
    assert_eq!(shown(&ask(&zones, "b.example.", RecordType::DS).answer.authority), ["example. 300 SOA"]);
    assert_eq!(shown(&ask(&zones, "example.", RecordType::RRSIG).answer.answer), ["example. 3600 RRSIG"]);
}

#[test]
fn a_record_takes_less_than_a_hundred_octets() {
    let text = format!("{SOA}@ NS ns.test.\n$GENERATE 1-20000 host$ A 192.0.2.1\n");
    let zone = zone("example.", &text);
    assert!(zone.size_bytes() / 20_000 < 100, "{}", zone.size_bytes() / 20_000);
}

/// The law of the memo for our own zones: what is recalled is what would be decided and sealed anew, octet for
/// octet, at any time and in any letters.
#[test]
fn a_recalled_answer_is_the_answer_itself_and_does_not_age() {
    use crate::base::tally::Tally;
    use crate::base::{Dice, Instant};
    use crate::chain::{Handler, Recall, Turn, Verdict, seal};
    use crate::dns::{Edns, Message};
    use crate::handlers::cache::finished::Finished;

    let link = Authority::new(zones(&[("example.", MEMO)]), idle());
    let mut dice = Dice::from_number(9);
    let mut finished = Finished::new(&mut Dice::from_number(3), 1 << 22);
    let mut hits = 0;
    let names = [
        "example.",
        "www.example.",
        "alias.example.",
        "out.example.",
        "ns.cut.example.",
        "cut.example.",
        "x.wild.example.",
        "none.example.",
        "a.b.tree.example.",
        "b.tree.example.",
        "x.dname.example.",
        "mail.example.",
    ];
    for round in 0..4_000_u64 {
        let wire: Vec<u8> = names[dice.index(names.len())].parse::<Name>().unwrap().wire().to_vec();
        let turned: Vec<u8> = wire
            .iter()
            .map(|octet| if octet.is_ascii_alphabetic() && dice.below(2) == 0 { octet ^ 0x20 } else { *octet })
            .collect();
        let rtype = [RecordType::A, RecordType::NS, RecordType::MX, RecordType::TXT, RecordType::SOA][dice.index(5)];
        let edns = (dice.below(3) > 0).then(|| Edns {
            udp_size: 512 + 300 * dice.below(4) as u16,
            dnssec_ok: dice.below(2) == 0,
            ..Edns::default()
        });
        let query = Query {
            id: dice.bits16(),
            flags: Flags { recursion_desired: dice.below(2) == 0, ..Flags::default() },
            question: Question::new(Name::from_wire(&turned).unwrap().0, rtype),
            edns,
            asker: Asker {
                address: "192.0.2.1:5353".parse().unwrap(),
                local: None,
                carrier: Carrier::Udp,
                may_recurse: false,
                group: 0,
            },
        };
        let now = Instant::from_seconds(round);
        let message = Message {
            id: query.id,
            flags: query.flags,
            questions: smallvec::smallvec![query.question.clone()],
            edns: query.edns.clone(),
            ..Message::default()
        };
        let (mut datagram, mut recalled, mut fresh) = (Vec::new(), Vec::new(), Vec::new());
        message.compose(&mut datagram, 512).unwrap();
        let recall = finished.recall(&datagram, &query.asker, now, &mut Dice::from_number(1), &mut recalled);
        let tally = Tally::default();
        let mut turn = Turn { now, dice: &mut dice, tally: &tally, aside: None, choices: None };
        let Verdict::Answer(answer) = link.handle(&query, &mut turn) else {
            panic!("{:?} is not answered", query.question)
        };
        let sealed = seal(&query, &answer, false, &mut fresh);
        match recall {
            Recall::Hit(_) => {
                hits += 1;
                assert_eq!(recalled, fresh, "{:?} at {round}", query.question);
            }
            _ => finished.keep(&query, &answer, None, &sealed, &fresh, now),
        }
    }
    assert!(hits > 2_500, "only {hits} recalled");
}

const MEMO: &str = "\
$TTL 300
@ SOA Ns1 hostmaster 1 3600 600 86400 60
@ NS Ns1
@ NS ns.Cut
@ MX 10 Mail
Ns1 A 192.0.2.1
Mail A 192.0.2.2
www A 192.0.2.3
www TXT \"hello\"
alias CNAME WWW
out CNAME www.elsewhere.test.
Cut NS ns.Cut
ns.Cut A 192.0.2.4
*.wild A 192.0.2.5
*.wild MX 5 Mail
a.b.tree A 192.0.2.6
dname DNAME wild
";

#[test]
fn an_alias_at_the_apex_has_the_addresses_of_its_target() {
    let zones = zones(&[("example.", &format!("{SOA}@ NS ns\n@ 100 ALIAS web.example.net.\n@ MX 5 mail\n"))]);
    let unresolved = ask(&zones, "example.", RecordType::A).answer;
    assert_eq!((unresolved.rcode, unresolved.answer.len()), (Rcode::SERVFAIL, 0));
    let key = |rtype| ("web.example.net.".parse().unwrap(), rtype);
    let found = |addresses: &[[u8; 4]], ttl| alias::Addresses { rdatas: addresses.iter().collect(), ttl };
    let known =
        [(key(RecordType::A), found(&[[192, 0, 2, 1], [192, 0, 2, 2]], 700)), (key(RecordType::AAAA), found(&[], 60))];
    zones.aliases().put(known.into());
    let answer = ask(&zones, "Example.", RecordType::A).answer;
    assert_eq!(shown(&answer.answer), ["Example. 100 A"]);
    assert_eq!(answer.answer[0].set.rdatas.len(), 2);
    let none = ask(&zones, "example.", RecordType::AAAA).answer;
    assert_eq!((none.rcode, shown(&none.authority)), (Rcode::NOERROR, vec!["example. 300 SOA".to_owned()]));
    assert_eq!(shown(&ask(&zones, "example.", RecordType::MX).answer.answer), ["example. 3600 MX"]);
}
