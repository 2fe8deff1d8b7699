use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use super::super::{Config, Machine, load};
use super::*;

const MACHINE: Machine = Machine { cores: NonZeroUsize::new(4).unwrap(), memory: Some(8 << 30) };

fn config(text: &str) -> Config {
    load(Path::new("etc/m.yaml"), text.as_bytes(), &MACHINE).unwrap_or_else(|faults| panic!("{faults:#?}")).config
}

fn faults(text: &str) -> Vec<String> {
    let faults = load(Path::new("m.yaml"), text.as_bytes(), &MACHINE).expect_err("faults");
    faults.iter().map(ToString::to_string).collect()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

#[test]
fn a_zone_says_all_that_a_zone_can() {
    let config = config(
        r#"
keys: {k1: {secret: "c2VjcmV0"}, k2: {algorithm: hmac-sha512, secret: "c2VjcmV0"}}
zones:
  example.com:
    file: zones/example.com.zone
    transfer: {allow: [192.0.2.0/24, {key: k1}, {network: 192.0.2.9, key: k2}], notify: [192.0.2.9], key: k1}
    update: [{key: k2, names: ["*.dyn.example.com", fix.example.com], types: [A, txt]}, {key: k1}]
    dnssec: off
    steer: {}
  example.net:
    primaries: [192.0.2.1, {address: "[2001:db8::1]:5353", key: k2}]
    catalog: consume
"#,
    );
    assert_eq!(config.keys.len(), 2);
    assert_eq!((&config.keys[1].name, config.keys[1].algorithm), (&name("k2."), KeyAlgorithm::HmacSha512));
    assert_eq!(&*config.keys[0].secret, b"secret");
    assert!(!format!("{config:?}").contains("115")); // 's': secrets are not shown
    let [primary, secondary] = &config.zones[..] else { panic!() };
    assert_eq!(primary.apex, name("example.com."));
    assert_eq!(primary.file, Some(PathBuf::from("etc/zones/example.com.zone")));
    assert_eq!((primary.origin.line, primary.origin.column), (4, 3));
    let admits = |address: &str, key: Option<&str>| {
        let key = key.map(name);
        primary.transfer.allow.iter().any(|allowed| allowed.admits(address.parse().unwrap(), key.as_ref()))
    };
    assert!(admits("192.0.2.7", None) && admits("203.0.113.1", Some("K1.")) && !admits("203.0.113.1", Some("k2.")));
    assert!(primary.update[0].names[0].matches(&name("a.b.dyn.example.com.")));
    assert!(!primary.update[0].names[0].matches(&name("dyn.example.com.")));
    assert!(primary.update[0].names[1].matches(&name("fix.example.com.")));
    assert_eq!(primary.update[1].names, [NamePattern::Within(name("example.com."))]);
    assert!(secondary.is_secondary() && secondary.catalog == Catalog::Consume);
    assert_eq!(secondary.primaries[0].address, "192.0.2.1:53".parse().unwrap());
    assert_eq!(secondary.primaries[1].key, Some(name("k2.")));
}

#[test]
fn records_become_lines_of_a_master_file() {
    let config = config(
        r#"
zones:
  example.com:
    records:
      - $TTL: 5m
        "@": {NS: [ns1, ns2.example.net.], MX: "10 mail", TXT: 'say "hi"'}
        www: [192.0.2.1, "2001:db8::1"]
        old: {CNAME: www, ttl: 60}
        1: {PTR: host.example.}
      - |
        text A 192.0.2.3
         AAAA 2001:db8::3
"#,
    );
    let texts: Vec<&str> = config.zones[0].records.iter().map(|record| record.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "@ 300 NS ns1",
            "@ 300 NS ns2.example.net.",
            "@ 300 MX 10 mail",
            r#"@ 300 TXT "say \"hi\"" "#,
            "www 300 A 192.0.2.1",
            "www 300 AAAA 2001:db8::1",
            "old 60 CNAME www",
            "1 300 PTR host.example.",
            "text A 192.0.2.3\n AAAA 2001:db8::3\n",
        ]
    );
    assert_eq!((config.zones[0].records[1].line, config.zones[0].records[1].column), (6, 25));
    assert!(config.zones[0].records[8].is_block);
}

#[test]
fn each_fault_has_its_place() {
    let noted = faults(
        r#"keys: {k1: {secret: "%%"}, k2: {algorithm: md5, secret: "c2VjcmV0"}}
zones:
  nothing.example:
  both.example: {file: x, primaries: [192.0.2.1]}
  bad..example: {file: x}
  keyless.example: {file: x, transfer: {allow: [{key: k9}, {}]}, update: [{names: other.test}]}
  odd.example:
    records: {www: {BOGUS: x, A: [[1]]}, mail: nonsense, 1.10: {PTR: x.}}
  more.example: {file: x, dnssec: {keys: x}, fiel: y}
"#,
    );
    let found: Vec<&str> = noted.iter().map(|fault| fault.split(", allowed").next().unwrap()).collect();
    assert_eq!(
        found,
        [
            "m.yaml:1:21: keys.k1.secret: found something else",
            "m.yaml:1:44: keys.k2.algorithm: found \"md5\"",
            "m.yaml:3:3: zones.\"nothing.example\": found no data",
            "m.yaml:4:24: zones.\"both.example\".file: found \"x\"",
            "m.yaml:5:3: zones.\"bad..example\": found \"bad..example\"",
            "m.yaml:6:55: zones.\"keyless.example\".transfer.allow[0].key: found \"k9\"",
            "m.yaml:6:60: zones.\"keyless.example\".transfer.allow[1]: found {}",
            "m.yaml:6:75: zones.\"keyless.example\".update[0].key: found nothing",
            "m.yaml:6:83: zones.\"keyless.example\".update[0].names: found \"other.test\"",
            "m.yaml:8:21: zones.\"odd.example\".records.www.BOGUS: found \"BOGUS\"",
            "m.yaml:8:35: zones.\"odd.example\".records.www.A[0]: found a list",
            "m.yaml:8:48: zones.\"odd.example\".records.mail: found \"nonsense\"",
            "m.yaml:8:58: zones.\"odd.example\".records.\"1.1\": found \"1.1\"",
            "m.yaml:9:35: zones.\"more.example\".dnssec: found a mapping",
            "m.yaml:9:46: zones.\"more.example\".fiel: found the unknown key \"fiel\"",
        ]
    );
}

#[test]
fn a_folder_is_a_set_of_zones() {
    let folder = tempfile::tempdir().unwrap();
    let put = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).unwrap();
    std::fs::create_dir(folder.path().join("zones")).unwrap();
    put("zones/example.com.zone", "");
    put("zones/example.net.zone", "");
    put("zones/example.net.yaml", "transfer: {allow: [192.0.2.1]}\n");
    put("zones/example.org.yaml", "records: {www: 192.0.2.1}\n");
    put("zones/readme.txt", "");
    put("zones/.hidden.zone", "");
    let file = folder.path().join("m.yaml");
    let load = || load(&file, b"zones: zones\n", &MACHINE);
    let zones = load().unwrap().config.zones;
    let apexes: Vec<String> = zones.iter().map(|zone| zone.apex.to_string()).collect();
    assert_eq!(apexes, ["example.com.", "example.net.", "example.org."]);
    assert_eq!(zones[1].file, Some(folder.path().join("zones/example.net.zone")));
    assert_eq!(zones[1].transfer.allow.len(), 1);
    assert_eq!(zones[2].records.len(), 1);
    put("zones/example.org.yaml", "records: {www: 192.0.2.1}\nfile: [\n");
    put("zones/example.net.yaml", "\nfiel: x\n");
    let faults: Vec<String> = load().unwrap_err().iter().map(ToString::to_string).collect();
    assert!(faults[0].contains("zones/example.net.yaml:2:1: zones.\"example.net\".fiel: found"), "{faults:?}");
    assert!(faults[1].contains("zones/example.org.yaml:"), "{faults:?}");
}
