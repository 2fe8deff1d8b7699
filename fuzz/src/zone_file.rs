//! Any octets as a master file: what loads is printed, loads again without faults and prints the same; findings name
//! lines that exist.
//!
//! One file can be included: `more`, a few records.

use meridian::base::collections::Keyed;
use meridian::dns::Name;
use meridian::handlers::authority::{Findings, Severity, Zone, load, master_file};

const INCLUDED: &[u8] = b"included 60 IN A 192.0.2.9\n@ TXT included\n";

/// See the module's text.
pub fn run(data: &[u8]) {
    if is_long(data) {
        return;
    }
    let (zone, findings) = read(data, &mut |_, name| match name {
        "more" => Ok((name.to_owned(), INCLUDED.to_vec())),
        _ => Err("there is no such file".to_owned()),
    });
    let lines = data.split(|octet| *octet == b'\n').count().max(3);
    for finding in findings.iter() {
        assert!(finding.place.line as usize <= lines, "{finding}");
        assert!(!finding.to_string().is_empty());
    }
    let Some(zone) = zone else { return assert!(findings.has_errors(), "no zone, and no reason") };
    let printed = print(&zone);
    let (again, findings) = read(printed.as_bytes(), &mut master_file::no_include);
    let errors: Vec<String> =
        findings.iter().filter(|finding| finding.severity() == Severity::Error).map(ToString::to_string).collect();
    let Some(again) = again else { panic!("what was printed does not load: {errors:?}\n{printed}") };
    assert_eq!(print(&again), printed, "printed again it differs");
}

fn read(text: &[u8], include: &mut master_file::Include<'_>) -> (Option<Zone>, Findings) {
    let origin: Name = "example.".parse().expect("a name");
    load(&origin, text, "fuzzed.zone", include, Keyed::with_seeds(1, 2, 3, 4))
}

fn print(zone: &Zone) -> String {
    let mut text = String::new();
    zone.print(&mut text).expect("a string takes all");
    text
}

/// Whether `$GENERATE` with a number of four digits or more may stand there: it is lawful, bounded, and slow.
fn is_long(data: &[u8]) -> bool {
    data.windows(9).any(|window| window.eq_ignore_ascii_case(b"$GENERATE"))
        && data.windows(4).any(|window| window.iter().all(u8::is_ascii_digit))
}
