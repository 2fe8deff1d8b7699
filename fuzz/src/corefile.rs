//! Any octets as a Corefile: what is translated is a configuration that loads without faults of our making, every note names a line that
//! exists, and a refusal says why.
//!
//! It may import `more`, a snippet's worth of lines, and whatever ends in `.server`; `{$ZONE}` is known.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use meridian::app::config::{Fault, Machine, load};
use meridian::app::corefile::{Outside, translate};

const MORE: &str = "errors\ncache 30\n";
const SERVER: &str = "more.example {\n forward . 192.0.2.1\n}\n";

struct Made<'m>(&'m str);

impl Outside for Made<'_> {
    fn text(&self, path: &Path) -> Result<String, String> {
        match path.to_str() {
            Some("/c/Corefile") => Ok(self.0.to_owned()),
            Some("/c/more") => Ok(MORE.to_owned()),
            Some("/c/one.server") => Ok(SERVER.to_owned()),
            _ => Err("no such file".to_owned()),
        }
    }

    fn matching(&self, folder: &Path, begin: &str, end: &str) -> Vec<PathBuf> {
        let is_it = folder == Path::new("/c") && "one.server".starts_with(begin) && "one.server".ends_with(end);
        is_it.then(|| PathBuf::from("/c/one.server")).into_iter().collect()
    }

    fn variable(&self, name: &str) -> Option<String> {
        (name == "ZONE").then(|| "cluster.local".to_owned())
    }
}

/// Where words of the Corefile stand as they are, so that the configuration's reader judges them; files need not be there.
const WORDS: [&str; 3] = ["kubernetes.", "recursion.hosts.lines", "recursion.forward."];

fn is_verbatim(fault: &Fault) -> bool {
    WORDS.iter().any(|words| fault.key.starts_with(words)) && !fault.found.ends_with("again")
}

/// See the module's text.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let lines = text.split('\n').count().max(MORE.len());
    match translate(Path::new("/c/Corefile"), &Made(text)) {
        Err(unreadable) => {
            assert!(!unreadable.why.is_empty());
            assert!(unreadable.spot.line <= lines, "{unreadable:?}");
        }
        Ok(translation) => {
            for note in &translation.notes {
                assert!((1..=lines).contains(&note.spot.line), "{note:?}");
                assert!(!note.why.is_empty() && !note.why.contains('\n'), "{note:?}");
            }
            let machine = Machine { cores: NonZeroUsize::MIN, memory: Some(1 << 30) };
            let faults = load(Path::new("/c/m.yaml"), translation.text.as_bytes(), &machine).err().unwrap_or_default();
            let odd: Vec<_> = faults.iter().filter(|fault| !is_verbatim(fault)).collect();
            assert!(odd.is_empty(), "{odd:#?}\n{}", translation.text);
        }
    }
}
