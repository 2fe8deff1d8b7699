//! A file in which somebody else writes who is up: lines `member up` or `pool/member down`, `#` begins a comment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Finding, Probed, Subject};
use crate::edge::files::{Fingerprint, read_octets};

/// Octets of such a file.
const FILE_MAX: u64 = 4 * 1024 * 1024;

type Told = BTreeMap<Box<str>, bool>;

/// The files as they were read last: one reading serves all members.
#[derive(Default)]
pub(super) struct Files(Mutex<BTreeMap<PathBuf, (Fingerprint, Arc<Told>)>>);

impl Files {
    pub(super) async fn probe(self: &Files, path: &Path, age_max: Duration, subject: &Subject) -> Probed<Finding> {
        let looked_at = path.to_owned();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        let look = move || look(&looked_at, age_max, known);
        let read = tokio::task::spawn_blocking(look).await.unwrap_or_else(|_| Err("the reading ended".into()));
        let (fingerprint, told) = read.map_err(|why| Finding::untold(format_args!("{}: {why}", path.display())))?;
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.insert(path.to_owned(), (fingerprint, Arc::clone(&told)));
        drop(files);
        let whole = format!("{}/{}", subject.pool, subject.member);
        match told.get(whole.as_str()).or_else(|| told.get(&subject.member)) {
            Some(true) => Ok(Finding::good("the file says up")),
            Some(false) => Ok(Finding::bad("the file says down")),
            None => Ok(Finding::untold("the file does not name it")),
        }
    }
}

fn look(
    path: &Path,
    age_max: Duration,
    known: Option<(Fingerprint, Arc<Told>)>,
) -> Result<(Fingerprint, Arc<Told>), String> {
    let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    // A time in the future is no age.
    let age = modified.map_err(|fault| fault.to_string())?.elapsed().unwrap_or_default();
    if age > age_max {
        return Err(format!("not written for {} s", age.as_secs()));
    }
    let fingerprint = Fingerprint::of(path).ok_or("it has gone")?;
    match known {
        Some((seen, told)) if seen == fingerprint => Ok((seen, told)),
        _ => {
            let (octets, fingerprint) = read_octets(path, FILE_MAX).map_err(|fault| fault.to_string())?;
            Ok((fingerprint, Arc::new(parse(&String::from_utf8_lossy(&octets)))))
        }
    }
}

/// Of a member named twice the last line counts; a line of another kind says nothing.
fn parse(text: &str) -> Told {
    let mut told = Told::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let is_up = match (words.next(), words.next(), words.next()) {
            (Some(member), Some(state), None) if state.eq_ignore_ascii_case("up") => Some((member, true)),
            (Some(member), Some(state), None) if state.eq_ignore_ascii_case("down") => Some((member, false)),
            _ => None,
        };
        told.extend(is_up.map(|(member, is_up)| (member.into(), is_up)));
    }
    told
}

#[cfg(test)]
mod unit_tests {
    use super::*;

    #[test]
    fn lines_name_members_and_their_state() {
        let told = parse("fra up\niad DOWN # power work\n# sin down\nwww/sin up\nfra maybe\nfra up twice\n");
        let said: Vec<(&str, bool)> = told.iter().map(|(member, is_up)| (&**member, *is_up)).collect();
        assert_eq!(said, [("fra", true), ("iad", false), ("www/sin", true)]);
    }
}
