//! `meridian corefile FILE`: a Corefile of CoreDNS as a configuration.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::app::config::{self, Machine, Severity};
use crate::app::corefile::{self, Note, Outside, Weight};
use crate::base::bounds;
use crate::edge::files::read_text;

/// The machine's own files and environment.
struct Own;

impl Outside for Own {
    fn text(&self, path: &Path) -> Result<String, String> {
        read_text(path).map(|(text, _)| text).map_err(|fault| fault.to_string())
    }

    fn matching(&self, folder: &Path, begin: &str, end: &str) -> Vec<PathBuf> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let is_wanted =
            |name: &str| name.len() >= begin.len() + end.len() && name.starts_with(begin) && name.ends_with(end);
        let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        let wanted =
            entries.filter(|entry| entry.file_name().to_str().is_some_and(is_wanted)).map(|entry| entry.path());
        let mut files: Vec<PathBuf> = wanted.filter(|path| path.is_file()).take(bounds::INCLUDED_FILES_MAX).collect();
        files.sort();
        files
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// Prints the configuration that does what the Corefile `file` says, and to `err` what it does not do or does otherwise; 0
/// if nothing is lost, 1 if something is, 2 if the file is no Corefile.
///
/// # Errors
/// If `out` or `err` cannot be written to.
pub fn corefile(
    file: &Path,
    machine: &Machine,
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let translation = match corefile::translate(file, &Own) {
        Ok(translation) => translation,
        Err(fault) => {
            let text = format!("{}:{}: {}", fault.spot.file, fault.spot.line, fault.why);
            if as_json {
                writeln!(out, "{:#}", json!({ "error": text }))?;
            } else {
                writeln!(err, "{text}")?;
            }
            return Ok(2);
        }
    };
    // Paths count from the Corefile's folder, and what they lead to is looked at here and now.
    let checked = config::load(&file.with_extension("yaml"), translation.text.as_bytes(), machine);
    let (written, faults) = match checked {
        Ok(checked) => (checked.source.written(), Vec::new()),
        Err(faults) => (Value::Null, faults),
    };
    let faults = faults.iter().filter(|fault| fault.severity == Severity::Fault);
    let faults: Vec<String> =
        faults.map(|fault| format!("{}: found {}, allowed: {}", fault.key, fault.found, fault.allowed)).collect();
    if as_json {
        let of = |weight| {
            let notes = translation.notes.iter().filter(|note| note.weight == weight);
            notes.map(told).collect::<Vec<_>>()
        };
        let told = json!({
            "text": translation.text,
            "configuration": written,
            "not_translated": of(Weight::Lost),
            "otherwise": of(Weight::Otherwise),
            "faults_here": faults,
        });
        writeln!(out, "{told:#}")?;
    } else {
        write!(out, "{}", translation.text)?;
        for note in &translation.notes {
            writeln!(err, "{note}")?;
        }
        for fault in &faults {
            writeln!(err, "on this machine: {fault}")?;
        }
    }
    Ok(u8::from(!translation.is_whole() || !faults.is_empty()))
}

fn told(note: &Note) -> Value {
    json!({ "file": *note.spot.file, "line": note.spot.line, "plugin": note.plugin, "why": note.why })
}
