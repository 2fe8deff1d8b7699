//! Texts in, zones and findings out.

use proptest::prelude::*;

use super::*;
use crate::base::collections::Keyed;
use crate::dns::Rdatas;
use crate::handlers::authority::{Findings, Severity, Zone, load};

const KEYED: fn() -> Keyed = || Keyed::with_seeds(1, 2, 3, 4);

fn read_zone(text: &str) -> (Option<Zone>, Findings) {
    load(&"example.".parse().unwrap(), text.as_bytes(), "zone", &mut no_include, KEYED())
}

fn with_soa(text: &str) -> String {
    format!("$TTL 300\n@ SOA ns hostmaster 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n{text}")
}

fn told(text: &str) -> Vec<String> {
    read_zone(&with_soa(text)).1.iter().map(ToString::to_string).collect()
}

fn data(text: &str, owner: &str, rtype: RecordType) -> Rdatas {
    let (zone, findings) = read_zone(&with_soa(text));
    let zone = zone.unwrap_or_else(|| panic!("{:?}", findings.iter().collect::<Vec<_>>()));
    let owner: Name = owner.parse().unwrap();
    let found = zone.rrsets().find(|(name, set)| *name == owner && set.rtype == rtype);
    found.map(|(_, set)| set.rdatas().collect()).unwrap_or_default()
}

/// One record of every type that has a presentation.
const RECORDS: &str = r#"
a A 192.0.2.1
b AAAA 2001:db8::1
c CNAME a
d DNAME other.example.
e MX 10 a
f TXT "one ; two" three\;x "\"\\ \000\255"
f SPF "v=spf1 -all"
g SRV 0 5 5060 a
h PTR a
i CAA 0 issue "ca.example; policy=ev"
j NS ns.j
j DS 60485 5 1 ( 2BB183AF5F22588179A53B0A 98631FAD1A292118 )
ns.j A 192.0.2.9
k DNSKEY 257 3 ECDSAP256SHA256 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==
k CDS 0 0 0 00
k CDNSKEY 0 3 0 AA==
k CSYNC 66 3 A NS AAAA
k NSEC a A MX RRSIG NSEC TYPE1234
k NSEC3PARAM 1 0 12 aabbccdd
k NSEC3PARAM 1 0 0 -
k RRSIG NSEC 13 2 300 20261231000000 20260101000000 12345 @ oJB1W6WNGv+ldvQ3WDG0MQ==
2t7b4g4vsa5smi47k61mv5bv1a22bojr NSEC3 1 1 12 aabbccdd 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG
l TLSA 3 1 1 d2abde240d7cd3ee6b4b28c54df034b9 7983a1d16e8a410e4561cb106618e971
l SMIMEA 3 0 0 0102
l SSHFP 4 2 0123456789abcdef
m SVCB 1 . alpn="h2,h3" port=8443 ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1 key65400="a b"
m HTTPS 16 a ( alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1 ech=AEn+DQBF no-default-alpn )
n NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .
o LOC 42 21 54 N 71 06 18 W -24m 30m
o URI 10 1 "ftp://ftp.example/public"
p HINFO "PC Intel" Linux
p RP admin txt
p APL 1:192.168.32.0/21 !1:192.168.38.0/28 2:2001:db8::/32
q OPENPGPKEY AQID
q ZONEMD 2018031500 1 1 FEBE3D4CE2EC2FFA
q CERT PKIX 65535 RSASHA256 AQID
q DHCID AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=
r AFSDB 1 a
r KX 10 a
r IPSECKEY 10 1 2 192.0.2.38 AQNRU3mG
s IPSECKEY 10 3 2 gw AQNRU3mG
t IPSECKEY 10 0 0 .
u EUI48 00-00-5e-00-53-2a
u EUI64 00-00-5e-ef-10-00-00-2a
u NID 10 0014:4fff:ff20:ee64
u L32 10 10.1.2.0
u L64 10 2001:0DB8:1140:1000
u LP 10 a
v HIP 2 200100107B1A74DF365639CC39F1D578 AwEAAbdx rvs
v AMTRELAY 10 1 3 relay
v NSAP 0x47.0005.80.005a00.0000.0001.e133.ffffff000161.00
v X25 "311061700956"
v GPOS -22.6882 116.8652 250.0
v PX 50 a b
v DSYNC CDS 1 5300 a
w TYPE731 \# 6 abcd ( ef 01 23 45 )
x A \# 4 0A000001
y CLASS1 TYPE1 192.0.2.77
z\.dot TXT ""
"#;

#[test]
fn every_type_prints_as_what_reads_back_to_the_same_zone() {
    let (zone, findings) = read_zone(&with_soa(RECORDS));
    let shown: Vec<String> = findings.iter().map(ToString::to_string).collect();
    let zone = zone.unwrap_or_else(|| panic!("{shown:#?}"));
    let (mut once, mut twice) = (String::new(), String::new());
    zone.print(&mut once).unwrap();
    let (again, _) = read_zone(&once);
    again.unwrap().print(&mut twice).unwrap();
    assert_eq!(once, twice);
    assert_eq!(once.lines().count(), RECORDS.lines().count() - 1 + 3);
    assert!(once.lines().filter(|line| line.contains("\\#")).all(|line| line.contains("TYPE731")), "{once}");
}

#[test]
fn an_unknown_form_of_a_known_type_is_the_known_one() {
    assert_eq!(data("x A \\# 4 0A000001", "x.example.", RecordType::A), [[10, 0, 0, 1]].into_iter().collect());
    assert_eq!(told("x A \\# 3 0A0000"), ["zone:5:16: error: these octets are no A record"]);
}

#[test]
fn every_fault_is_told_with_its_line_and_column() {
    let found = told(
        "a A 192.0.2.300\nb BOGUS x\n\n  A 192.0.2.1 (\n 192.0.2.2 )\nc 1x A 192.0.2.1\nd..e A 192.0.2.1\n TXT x\n$FOO\ne MX ten a\ne CH A 192.0.2.1",
    );
    assert_eq!(
        found,
        [
            "zone:5:5: error: 192.0.2.300 stands where an IPv4 address belongs",
            "zone:6:3: error: BOGUS is no record type",
            "zone:9:2: error: 192.0.2.2 stands after the end",
            "zone:10:3: error: 1x stands where a TTL belongs",
            "zone:11:1: error: d..e is no domain name: a label is empty",
            "zone:13:1: error: $FOO is no directive: $ORIGIN $TTL $INCLUDE $GENERATE are",
            "zone:14:6: error: ten stands where a number up to 255 belongs".replace("255", "65535").as_str(),
            "zone:15:3: error: class CH: only class IN is served",
        ]
    );
}

#[test]
fn an_unclosed_parenthesis_is_told_where_it_opens() {
    assert_eq!(told("a TXT ( x\ny\n"), ["zone:5:7: error: a ( that no ) closes"]);
    assert_eq!(told("a TXT \"x\nb A 192.0.2.1"), ["zone:5:7: error: a \" that no second one closes on its line"]);
    assert_eq!(told("a TXT x )"), ["zone:5:9: error: a ) without a ( before it"]);
}

#[test]
fn ttls_come_from_the_record_the_directive_or_the_record_before() {
    let text = "@ SOA ns h 1 2 3 4 77\n@ NS ns.test.\na 5 A 192.0.2.1\nb A 192.0.2.1\n$TTL 1h1m\nc A 192.0.2.1\nd IN 9 A 192.0.2.1\n";
    let zone = read_zone(text).0.unwrap();
    let ttls: Vec<u32> = zone.rrsets().map(|(_, set)| set.ttl).collect();
    assert_eq!(ttls, [77, 77, 5, 5, 3660, 9]);
}

#[test]
fn an_included_file_leaves_origin_and_owner_as_they_were() {
    let mut include = |_: &str, name: &str| match name {
        "inner" => Ok((
            "dir/inner".to_owned(),
            b"x A 192.0.2.1\n$ORIGIN deep.example.\ny A 192.0.2.2\nz A 192.0.2.256".to_vec(),
        )),
        _ => Err("not there".to_owned()),
    };
    let text = with_soa("a A 192.0.2.1\n$INCLUDE inner sub\n  TXT still-a\nb A 192.0.2.3\n$INCLUDE other\n");
    let (_, findings) = load(&"example.".parse().unwrap(), text.as_bytes(), "zone", &mut include, KEYED());
    let told: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "dir/inner:4:5: error: 192.0.2.256 stands where an IPv4 address belongs",
            "zone:9:10: error: other cannot be included: not there"
        ]
    );
}

#[test]
fn a_file_that_includes_itself_ends() {
    let mut include = |_: &str, name: &str| Ok((name.to_owned(), b"$INCLUDE self\n".to_vec()));
    let text = with_soa("$INCLUDE self\n");
    let (zone, findings) = load(&"example.".parse().unwrap(), text.as_bytes(), "zone", &mut include, KEYED());
    assert!(zone.is_none() && findings.iter().any(|finding| finding.fault == Fault::IncludeBound));
}

#[test]
fn generate_makes_a_record_for_each_number() {
    let text = "$GENERATE 1-3 host${0,2} 60 IN A 192.0.2.$\n";
    assert_eq!(data(text, "host02.example.", RecordType::A), [[192, 0, 2, 2]].into_iter().collect());
    assert_eq!(
        told("$GENERATE 1-3 h$ A 192.0.2.x$"),
        ["zone:5:30: error: 192.0.2.x1 stands where an IPv4 address belongs"]
    );
    assert_eq!(told("$GENERATE 1-2147483647 h$ A 192.0.2.1"), ["zone:5:38: error: $GENERATE makes too many records"]);
}

#[test]
fn service_parameters_are_sorted_and_checked() {
    let wire = data("s SVCB 1 . port=1 alpn=a", "s.example.", RecordType::SVCB);
    let expected: &[u8] = &[0, 1, 0, 0, 1, 0, 2, 1, b'a', 0, 3, 0, 2, 0, 1];
    assert_eq!(wire, [expected].into_iter().collect());
    assert_eq!(told("s SVCB 1 . port=1 port=2").len(), 1);
    assert_eq!(told("s SVCB 1 . mandatory=alpn").len(), 1);
    assert_eq!(told("s SVCB 1 . no-default-alpn").len(), 1);
}

#[test]
fn what_contradicts_the_dns_is_an_error_and_what_looks_wrong_a_warning() {
    for (text, severity, told_as) in [
        ("a CNAME b.test.\na TXT x", Severity::Error, "a.example. has both CNAME and TXT"),
        ("a CNAME b.test.\na CNAME c.test.", Severity::Error, "a.example. has several CNAME records"),
        ("@ SOA a b 9 9 9 9 9", Severity::Error, "the zone has several SOA records"),
        ("a SOA a b 9 9 9 9 9", Severity::Error, "a.example. has an SOA record but is not the zone's apex"),
        ("a.test. A 192.0.2.1", Severity::Warning, "a.test. lies outside the zone and is ignored"),
        (
            "a A 192.0.2.1\na 9 A 192.0.2.2",
            Severity::Warning,
            "the A records of a.example. differ in their TTL; 300 is taken",
        ),
        ("a A 192.0.2.1\na A 192.0.2.1", Severity::Warning, "this A record of a.example. is there already"),
        ("a.example A 192.0.2.1", Severity::Warning, "a.example.example.: is a dot missing at the end of the name?"),
        ("a MX 1 b.example", Severity::Warning, "b.example.example.: is a dot missing at the end of the name?"),
        ("a NS ns.a", Severity::Warning, "a.example. is delegated to ns.a.example., which has no address here"),
        ("a MX 1 b\nb CNAME ns", Severity::Warning, "a.example. MX points to b.example., which is an alias"),
        ("a MX 1 b", Severity::Warning, "a.example. MX points to b.example., which has no address in this zone"),
        (
            "a NS ns\nb.a TXT x",
            Severity::Warning,
            "b.a.example. TXT lies below a zone cut or a DNAME and is never answered",
        ),
        ("a DS 1 8 2 00", Severity::Warning, "a.example. has DS but no NS records"),
        ("*.a NS ns", Severity::Warning, "NS at the wildcard *.a.example. means nothing"),
    ] {
        let (zone, findings) = read_zone(&with_soa(text));
        let found: Vec<(Severity, String)> =
            findings.iter().map(|finding| (finding.severity(), finding.fault.to_string())).collect();
        assert!(found.contains(&(severity, told_as.to_owned())), "{text}: {found:?}");
        assert_eq!(zone.is_some(), severity == Severity::Warning, "{text}");
    }
    assert_eq!(read_zone("a 5 A 192.0.2.1").1.iter().last().map(|finding| finding.fault.clone()), Some(Fault::NoSoa));
    assert!(told("").is_empty());
}

proptest! {
    #[test]
    fn no_octets_make_the_reader_panic(bytes: Vec<u8>) {
        drop(load(&"example.".parse().unwrap(), &bytes, "zone", &mut no_include, KEYED()));
    }

    #[test]
    fn no_words_make_the_reader_panic(words in proptest::collection::vec(
        prop::sample::select(vec![
            "a", "@", "\n", " ", "(", ")", "\"", ";", "\\", "\\0", "A", "SOA", "NS", "TXT", "LOC", "SVCB", "APL", "HIP", "NSEC3", "RRSIG",
            "IPSECKEY", "TYPE9", "\\#", "1", "2", "192.0.2.1", "::", "alpn=", "key9=\"", "N", "E", "$GENERATE", "1-3", "${", "}", "$TTL",
            "$ORIGIN", "$INCLUDE", "-", "1:::/0", "AA==", "*", ".",
        ]), 0..60)
    ) {
        drop(read_zone(&with_soa(&words.join(" "))));
    }

    #[test]
    fn any_octets_of_any_type_print_as_what_reads_back(number in 1u16..300, rdata in proptest::collection::vec(any::<u8>(), 0..40)) {
        let rtype = RecordType(number);
        prop_assume!(!rtype.is_meta());
        let mut text = String::new();
        write_rdata(rtype, &rdata, &mut text);
        let mut lexer = Lexer::new(text.as_bytes(), 1);
        lexer.begin_line();
        let mut back = Vec::new();
        let outcome = read::rdata(&mut lexer, &Name::root(), rtype, &mut back);
        // What is malformed prints as octets, which a known type refuses.
        if !text.starts_with("\\#") || schema::fields(rtype).is_none() {
            prop_assert_eq!(outcome, Ok(()), "{}", text);
            prop_assert_eq!(back, rdata, "{}", text);
        }
    }
}
