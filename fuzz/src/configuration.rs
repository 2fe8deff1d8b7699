//! Any octets as a configuration: every fault says in which file, on which line and, save where the file as a whole is
//! broken, at which key; and what is wrong, in words that fit on a line.

use std::num::NonZeroUsize;
use std::path::Path;

use meridian::app::config::{Fault, Machine, load};

/// What a fault may allow that has no key: it is of the file as a whole, or of what stands there in a key's place.
const KEYLESS: [&str; 4] = ["YAML 1.2", "UTF-8 text", "a mapping of keys", "a word as key"];

/// See the module's text.
pub fn run(data: &[u8]) {
    let machine = Machine { cores: NonZeroUsize::MIN, memory: Some(1 << 30) };
    let lines = data.split(|octet| matches!(octet, b'\n' | b'\r')).count() as u64;
    match load(Path::new("folder/fuzzed.yaml"), data, &machine) {
        Ok(checked) => checked.lints.iter().for_each(|lint| is_well_said(lint, lines)),
        Err(faults) => {
            assert!(!faults.is_empty(), "refused without a reason");
            faults.iter().for_each(|fault| is_well_said(fault, lines));
        }
    }
}

fn is_well_said(fault: &Fault, lines: u64) {
    assert_eq!(fault.file, "folder/fuzzed.yaml");
    assert!((1..=lines + 1).contains(&fault.at.line), "line {} of {lines}: {fault:?}", fault.at.line);
    assert!(!fault.found.is_empty(), "{fault:?}");
    let is_keyless = KEYLESS.iter().any(|allowed| fault.allowed.starts_with(allowed));
    assert!(!fault.key.is_empty() || is_keyless, "{fault:?}");
    let said = fault.to_string();
    assert!(said.starts_with("folder/fuzzed.yaml:"), "{said}");
    assert!(!said.contains(['\n', '\r']), "{said:?}");
    assert!(serde_json::to_string(fault).is_ok());
}
