//! `meridian check FILE`: the faults and lints of a configuration, without serving.

use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::scopes::scopes;
use super::steered::Estate;

use crate::app::config::{self, Fault, Machine, Severity};
use crate::app::serve::files;
use crate::app::zone_files::Library;
use crate::base::Dice;
use crate::base::collections::keyed;

/// Prints every fault and lint of `file` and of the files that it names, and if `with_scopes`, whether the scopes of
/// its steered names hold; 0 if all is well, 1 with lints alone or a wrong scope, 2 with faults.
///
/// # Errors
/// If `out` cannot be written to.
pub fn check(file: &Path, with_scopes: bool, machine: &Machine, as_json: bool, out: &mut dyn Write) -> io::Result<u8> {
    let mut estate = None;
    let noted = match config::read(file, machine) {
        Ok(checked) => {
            estate = with_scopes.then(|| Estate::of(&checked.config));
            let mut dice = Dice::from_number(0); // nobody outside fills these tables
            let mut zones = Library::new(keyed(&mut dice)).read(&checked.config).noted;
            let mut noted = checked.lints;
            noted.extend(files::read(&checked.config, &checked.source).err().into_iter().flatten());
            noted.append(&mut zones);
            noted
        }
        Err(faults) => faults,
    };
    let count = |severity| noted.iter().filter(|fault: &&Fault| fault.severity == severity).count();
    let (faults, lints) = (count(Severity::Fault), count(Severity::Lint));
    let name = file.display();
    let (scopes_hold, scopes) = match estate {
        None => (true, Value::Null),
        Some(Ok(estate)) => scopes(&estate, as_json, out)?,
        Some(Err(faults)) => {
            for fault in &faults {
                writeln!(out, "{fault}")?;
            }
            return Ok(2);
        }
    };
    if as_json {
        let mut noted = json!({"file": name.to_string(), "faults": faults, "lints": lints, "noted": noted});
        if let (true, Some(noted)) = (with_scopes, noted.as_object_mut()) {
            noted.insert("scopes".to_owned(), scopes);
        }
        writeln!(out, "{noted:#}")?;
    } else {
        for fault in &noted {
            writeln!(out, "{fault}")?;
        }
        writeln!(out, "{name}: {}, {}", counted(faults, "fault"), counted(lints, "lint"))?;
    }
    Ok(match (faults, lints) {
        (0, 0) if scopes_hold => 0,
        (0, _) => 1, // lints, or a wrong scope
        _ => 2,
    })
}

fn counted(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        more => format!("{more} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str, as_json: bool) -> (u8, String) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("meridian.yaml");
        std::fs::write(&file, text).unwrap();
        let machine = Machine { cores: std::num::NonZeroUsize::MIN, memory: Some(1 << 30) };
        let mut out = Vec::new();
        let status = check(&file, false, &machine, as_json, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        (status, out.replace(&format!("{}/", folder.path().display()), ""))
    }

    #[test]
    fn the_status_tells_clean_from_lints_from_faults() {
        assert_eq!(run("workers: 2\n", false), (0, "meridian.yaml: no faults, no lints\n".into()));
        let (status, out) = run("cache:\n  size: 600MiB\n", false);
        assert_eq!(status, 1);
        assert_eq!(
            out,
            "meridian.yaml:2:9: cache.size: lint: found 600MiB on a machine of 1024MiB, better: at most half of the \
             memory\nmeridian.yaml: no faults, 1 lint\n"
        );
        assert_eq!(run("wrokers: 2\n", false).0, 2);
    }

    #[test]
    fn the_files_that_are_named_are_read_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.key");
        std::fs::write(&path, "; none\n. IN DS 20326 8 2 00\n").unwrap();
        let (status, out) = run(&format!("recursion: {{dnssec: {{anchors: {}}}}}\n", path.display()), false);
        let expected = format!("{}:2: recursion.dnssec.anchors: .: the record has not the length", path.display());
        assert!(status == 2 && out.starts_with(&expected), "{out}");
        let (status, out) = run("recursion: {dnssec: {anchors: root.key}}\n", false);
        assert!(status == 2 && out.contains("recursion.dnssec.anchors: found root.key ("), "{out}");
    }

    #[test]
    fn programs_get_json() {
        let (status, out) = run("workers: 0\nadmin: here\n", true);
        let noted: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!((status, &noted["faults"], &noted["lints"]), (2, &json!(2), &json!(0)));
        assert_eq!(noted["noted"][0]["key"], "workers");
        assert_eq!(noted["noted"][1]["line"], 2);
        assert_eq!(noted["noted"][1]["severity"], "fault");
    }

    #[test]
    fn a_missing_file_is_a_fault() {
        let machine = Machine { cores: std::num::NonZeroUsize::MIN, memory: None };
        let mut out = Vec::new();
        let missing = tempfile::tempdir().unwrap().path().join("missing.yaml");
        assert_eq!(check(&missing, false, &machine, false, &mut out).unwrap(), 2);
        assert!(String::from_utf8(out).unwrap().contains("missing.yaml:1:1: found no readable file ("));
    }
}
