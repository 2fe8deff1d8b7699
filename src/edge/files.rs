//! Text files and what becomes of them: reading one within a bound, and noticing that it changed.
//!
//! A [`FileWatch`] looks at the file's metadata, symbolic links followed, every [`bounds::FILE_POLL`]. That is
//! a system call or two a second, and it notices alike what editors do (write in place, rename a new file over the old
//! one) and what cluster mounts do (swap a link to a directory), on every file system, where a kernel's
//! notifications need care with each of these and say nothing for network mounts.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::base::bounds;

/// A file that changes while it is read is read so often, with a pause between.
const READS: u32 = 8;
const READ_PAUSE: Duration = Duration::from_millis(20);

/// What tells one state of a file from another: which file it is, its size, when it was written or replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fingerprint {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Fingerprint {
    /// The state of the file or folder at `path` now; none if there is none.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().as_ref().map(Self::from)
    }
}

impl From<&Metadata> for Fingerprint {
    fn from(metadata: &Metadata) -> Self {
        Self {
            file: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            // Also tells apart writes that set the old modification time again.
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The text of the file at `path`, and the state of the file that was read. Octets that are no UTF-8 read as
/// U+FFFD.
///
/// # Errors
/// What the system says, [`io::ErrorKind::InvalidInput`] for what is no regular file,
/// [`io::ErrorKind::FileTooLarge`] past [`bounds::TEXT_FILE_MAX`], and [`io::ErrorKind::ResourceBusy`] for what is
/// written all the time that it is read.
pub fn read_text(path: &Path) -> io::Result<(String, Fingerprint)> {
    read_at_most(path, bounds::TEXT_FILE_MAX)
}

fn read_at_most(path: &Path, limit: u64) -> io::Result<(String, Fingerprint)> {
    let (bytes, fingerprint) = read_octets(path, limit)?;
    let text = String::from_utf8(bytes).unwrap_or_else(|fault| String::from_utf8_lossy(fault.as_bytes()).into_owned());
    Ok((text, fingerprint))
}

/// The octets of the file at `path`, at most `limit` of them, and the state of the file that was read.
///
/// # Errors
/// As [`read_text`], past `limit`.
pub fn read_octets(path: &Path, limit: u64) -> io::Result<(Vec<u8>, Fingerprint)> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")); // a pipe would never end
    }
    for _ in 0..READS {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let fingerprint = Fingerprint::from(&metadata);
        let mut bytes = Vec::with_capacity(metadata.len().min(limit) as usize + 1);
        (&file).take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {limit} octets")));
        }
        // What was written meanwhile may be half of the old and half of the new.
        if Fingerprint::from(&file.metadata()?) == fingerprint {
            return Ok((bytes, fingerprint));
        }
        std::thread::sleep(READ_PAUSE);
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "it is being written"))
}

/// Writes a file aside and renames it, both forced to the disk: a crash leaves the old one or the new.
///
/// # Errors
/// The system's; the old file is as it was then.
pub fn write_aside(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let mut file = File::create(&aside)?;
    write(&mut file)?;
    file.sync_all()?;
    std::fs::rename(&aside, path)?;
    // The rename itself lives in the folder.
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Watches a file until it is dropped.
#[derive(Debug)]
pub struct FileWatch(JoinHandle<()>);

impl FileWatch {
    /// Calls `changed` from a task of the current runtime whenever the file at `path` is no longer in the state
    /// last seen, `known` at first (none: there was no file). A file that has gone is a change too. `changed`
    /// may read the file; it blocks nothing but other blocking work.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use = "the watch ends when it is dropped"]
    pub fn start(path: PathBuf, known: Option<Fingerprint>, changed: impl FnMut() + Send + 'static) -> Self {
        Self::every(bounds::FILE_POLL, path, known, changed)
    }

    fn every(
        period: Duration,
        path: PathBuf,
        known: Option<Fingerprint>,
        mut changed: impl FnMut() + Send + 'static,
    ) -> Self {
        let mut known = known;
        Self(tokio::spawn(async move {
            loop {
                let looked = path.clone();
                // Off the runtime's threads: a look can block, and the callback reads and parses.
                let look = move || {
                    let seen = std::fs::metadata(&looked).ok().as_ref().map(Fingerprint::from);
                    if seen != known {
                        changed();
                    }
                    (seen, changed)
                };
                match tokio::task::spawn_blocking(look).await {
                    Ok(back) => (known, changed) = back,
                    Err(_) => return, // the runtime ends, or the callback panicked and is gone
                }
                tokio::time::sleep(period).await;
            }
        }))
    }
}

impl Drop for FileWatch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tokio::sync::mpsc;

    struct Watched {
        changes: mpsc::UnboundedReceiver<()>,
        _watch: FileWatch,
    }

    impl Watched {
        fn new(path: &Path) -> Self {
            let known = read_text(path).ok().map(|(_, fingerprint)| fingerprint);
            let (sender, changes) = mpsc::unbounded_channel();
            let watch = FileWatch::every(Duration::from_millis(5), path.to_owned(), known, move || {
                sender.send(()).unwrap_or_default();
            });
            Self { changes, _watch: watch }
        }

        async fn notices(&mut self) -> bool {
            tokio::time::timeout(Duration::from_secs(5), self.changes.recv()).await.is_ok_and(|change| change.is_some())
        }
    }

    #[tokio::test]
    async fn a_write_in_place_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        fs::write(&path, "one").unwrap();
        let mut watched = Watched::new(&path);
        fs::write(&path, "two two").unwrap();
        assert!(watched.notices().await);
    }

    #[tokio::test]
    async fn a_rename_over_the_file_is_noticed_again_and_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        fs::write(&path, "one").unwrap();
        let mut watched = Watched::new(&path);
        for text in ["two", "six"] {
            fs::write(folder.path().join("new"), text).unwrap();
            fs::rename(folder.path().join("new"), &path).unwrap();
            assert!(watched.notices().await, "{text}");
            assert_eq!(read_text(&path).unwrap().0, text);
        }
    }

    #[tokio::test]
    async fn a_swapped_link_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        for version in ["v1", "v2"] {
            fs::create_dir(folder.path().join(version)).unwrap();
            fs::write(folder.path().join(version).join("hosts"), "same").unwrap();
        }
        let link = folder.path().join("data");
        std::os::unix::fs::symlink("v1", &link).unwrap();
        let mut watched = Watched::new(&link.join("hosts"));
        std::os::unix::fs::symlink("v2", folder.path().join("next")).unwrap();
        fs::rename(folder.path().join("next"), &link).unwrap();
        assert!(watched.notices().await);
    }

    #[tokio::test]
    async fn a_file_that_goes_and_comes_back_is_noticed_both_times() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        fs::write(&path, "one").unwrap();
        let mut watched = Watched::new(&path);
        fs::remove_file(&path).unwrap();
        assert!(watched.notices().await);
        fs::write(&path, "one").unwrap();
        assert!(watched.notices().await);
    }

    #[test]
    fn a_file_past_the_bound_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read_at_most(&path, 5).unwrap().0, "12345");
        assert_eq!(read_at_most(&path, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read_text(folder.path()).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(read_text(&folder.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn octets_that_are_no_utf8_do_not_hide_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        fs::write(&path, b"192.0.2.1 a.example # caf\xe9\n").unwrap();
        assert!(read_text(&path).unwrap().0.starts_with("192.0.2.1 a.example # caf"));
    }
}
