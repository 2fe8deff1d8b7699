//! The file of trust anchors: DS and DNSKEY records in master-file form (RFC 1035 §5.1), of one zone or several.

use std::path::Path;

use crate::app::config::{At, Fault, Severity};
use crate::dns::Name;
use crate::handlers::authority::{self};
use crate::handlers::authority::{Builder, Place, master_file};
use crate::handlers::resolve::anchors::Anchors;
use crate::steer::hashing::hash_bytes;

const KEY: &str = "recursion.dnssec.anchors";

/// The anchors in `text`, which stands in the file at `path`, and a digest that tells whether it says the same as
/// another time. Names are whole; TTLs mean nothing.
///
/// # Errors
/// Every fault of the file, with its line.
pub fn parse(path: &Path, text: &str) -> Result<(Anchors, u64), Vec<Fault>> {
    let file = path.display().to_string();
    let mut builder = Builder::new(Name::root());
    master_file::read(text.as_bytes(), &file, &mut master_file::no_include, &mut builder);
    let fault = |place: &Place, found: String| {
        let at = At { line: u64::from(place.line), column: u64::from(place.column) };
        let (file, key) = (place.file.to_string(), KEY.to_owned());
        Fault { severity: Severity::Fault, file, at, key, found, allowed: String::new() }
    };
    let findings = builder.findings().iter().filter(|one| one.severity() == authority::Severity::Error);
    let mut faults: Vec<Fault> = findings.map(|one| fault(&one.place, one.fault.to_string())).collect();
    let mut anchors = Anchors::default();
    for (place, set) in builder.records() {
        for rdata in set.rdatas.iter() {
            if let Err(why) = anchors.add(&set.owner, set.rtype, rdata) {
                faults.push(fault(&place, format!("{}: {why}", set.owner)));
            }
        }
    }
    if faults.is_empty() && anchors.is_empty() {
        let place = Place { file: file.into(), line: 0, column: 0 };
        faults.push(fault(&place, "no anchor: at least one DS or DNSKEY record is needed".to_owned()));
    }
    faults.sort_by_key(|fault| fault.at);
    if faults.is_empty() { Ok((anchors, hash_bytes(4, text.as_bytes()))) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let faults = parse(Path::new("root.key"), text).unwrap_err();
        faults.iter().map(|fault| fault.to_string().replace("recursion.dnssec.anchors: ", "")).collect()
    }

    #[test]
    fn anchors_read_as_iana_and_others_write_them() {
        let text = "; autotrust trust anchor file\n;;id: . 1\n\
            . IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n\
            .\t86400\tIN\tDS 38696 8 2 ( 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C48\n 3AF444A4C0FB2B16 ) ; KSK-2024\n";
        let (anchors, digest) = parse(Path::new("root.key"), text).unwrap();
        assert_eq!(anchors, Anchors::builtin());
        let more =
            format!("{text}$ORIGIN example.\ncorp DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=\n");
        let (more, other) = parse(Path::new("root.key"), &more).unwrap();
        assert_ne!(digest, other);
        let zones: Vec<_> = more.iter().map(|set| (set.owner.to_string(), set.rdatas.len())).collect();
        assert_eq!(zones, [(".".to_owned(), 2), ("corp.example.".to_owned(), 1)]);
    }

    #[test]
    fn every_fault_of_an_anchor_file_has_its_line() {
        let text = "example. DS 1 8 2 00\n\
            example. A 192.0.2.1\n\
            example. DNSKEY 256 3 x AwEA\n\
            example. DNSKEY 0 3 8 AwEA\n\
            $INCLUDE more\n";
        let found = faults(text);
        let expected = [
            "root.key:1: example.: the record has not the length",
            "root.key:2: example.: A is no anchor",
            "root.key:3:23: ",
            "root.key:4: example.: the key signs no zone: ",
            "root.key:5:10: ",
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found} is not {expected}");
        }
        assert_eq!(faults("; nothing\n"), ["root.key: no anchor: at least one DS or DNSKEY record is needed"]);
    }
}
