//! Files and what becomes of them: reading one within a bound, whole, and telling that it has changed.
//!
//! A [`Fingerprint`] is made of a file's metadata, symbolic links followed. Looking is one system call, and it notices
//! alike what editors do (write in place, rename a new file over the old one) and what cluster mounts do (swap a link to
//! a directory), on every file system, where a kernel's notifications need care with each of these and say nothing for
//! network mounts.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

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

/// A file that is written aside and takes the place of another when it is whole: a crash leaves the old one or the new.
#[derive(Debug)]
pub struct Aside {
    file: File,
    beside: PathBuf,
    path: PathBuf,
}

impl Aside {
    /// An empty file beside `path`.
    ///
    /// # Errors
    /// The system's.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut aside = path.as_os_str().to_owned();
        aside.push(".new");
        let beside = PathBuf::from(aside);
        Ok(Self { file: File::create(&beside)?, beside, path: path.to_owned() })
    }

    /// What is written to.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Forces it to the disk and puts it in its place, which may take long.
    ///
    /// # Errors
    /// The system's; the old file is as it was then.
    pub fn commit(self) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.beside, &self.path)?;
        // The rename itself lives in the folder.
        self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

/// Writes a file by way of an [`Aside`].
///
/// # Errors
/// The system's; the old file is as it was then.
pub fn write_aside(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut aside = Aside::create(path)?;
    write(aside.file())?;
    aside.commit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

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
