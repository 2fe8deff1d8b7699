//! A zone's image and journal on disk: what an acknowledged update lives in.
//!
//! The image is the zone as a master file; the journal beside it has the differences since. An update is appended
//! and forced to the disk before anybody hears of it. When the journal has grown, the zone is written aside as a
//! new image and renamed over the old one, and so is an empty journal after it. Killed at any moment, the two files
//! still tell the last acknowledged version: a half-written record at the journal's end is cut off, and differences
//! that a newer image has already are passed over.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::files::write_aside;
use crate::base::bounds;
use crate::dns::Name;
use crate::handlers::authority::journal::{self, Contents};
use crate::handlers::authority::{Difference, Zone};

/// A zone's files, open for writing.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    apex: Name,
    file: File,
    /// The length of what is whole and on the disk.
    length: u64,
    /// A write failed and could not be undone: what the file ends in is unknown.
    is_broken: bool,
}

/// What the files told when they were opened.
#[derive(Debug)]
pub struct Opened {
    /// The files.
    pub journal: Journal,
    /// The image, a master file.
    pub image: Vec<u8>,
    /// The differences in the journal, in order.
    pub differences: Vec<Difference>,
    /// Octets that were cut off the journal's end.
    pub cut_bytes: u64,
}

impl Journal {
    /// Opens the files of `apex` in `folder`; none if there is no image. The journal's torn end is cut off.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::InvalidData`] where a file is something else than it should be.
    pub fn open(folder: &Path, apex: &Name) -> io::Result<Option<Opened>> {
        let image = match File::open(path(folder, apex, "zone")) {
            Ok(file) => read_all(file, bounds::ZONE_BYTES_MAX as u64)?,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(fault) => return Err(fault),
        };
        let path = path(folder, apex, "journal");
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            // A crash between the first image and its journal.
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => begin(folder, apex)?,
            Err(fault) => return Err(fault),
        };
        let bytes = read_all(file.try_clone()?, bounds::ZONE_BYTES_MAX as u64)?;
        let invalid = |fault: journal::JournalFault| io::Error::new(io::ErrorKind::InvalidData, fault);
        let Contents { differences, whole_bytes } = journal::parse(&bytes, apex).map_err(invalid)?;
        let cut_bytes = (bytes.len() - whole_bytes) as u64;
        let mut journal =
            Self { folder: folder.into(), apex: apex.clone(), file, length: whole_bytes as u64, is_broken: false };
        if cut_bytes > 0 {
            journal.cut()?;
        }
        Ok(Some(Opened { journal, image, differences, cut_bytes }))
    }

    /// Writes the files of `zone` anew: its image, and an empty journal.
    ///
    /// # Errors
    /// The system's.
    pub fn create(folder: &Path, zone: &Zone) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        if let Some(above) = folder.parent() {
            File::open(above)?.sync_all()?; // the folder itself must outlive a crash too
        }
        write_image(folder, zone)?;
        let file = begin(folder, zone.apex())?;
        let length = journal::header(zone.apex()).len() as u64;
        Ok(Self { folder: folder.into(), apex: zone.apex().clone(), file, length, is_broken: false })
    }

    /// Appends `records`, composed by [`journal::compose`], and forces them to the disk. Only then may anybody hear
    /// of them.
    ///
    /// # Errors
    /// The system's; nothing has then been appended, or the journal takes nothing more.
    pub fn append(&mut self, records: &[u8]) -> io::Result<()> {
        if self.is_broken {
            return Err(io::Error::other("an earlier write failed and could not be undone"));
        }
        let write = |file: &mut File, at: u64| {
            file.seek(SeekFrom::Start(at))?;
            file.write_all(records)?;
            file.sync_data()
        };
        match write(&mut self.file, self.length) {
            Ok(()) => {
                self.length += records.len() as u64;
                Ok(())
            }
            Err(fault) => {
                // What was written must not come back to life at the next start: it is not acknowledged.
                self.is_broken = self.cut().is_err();
                Err(fault)
            }
        }
    }

    /// Whether the journal takes nothing more, as what it ends in is unknown: it is to be opened again.
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Whether the journal has grown so long that the image should be renewed: past its bound, and past half of
    /// what the zone takes, so that the cost of images stays in proportion to that of updates.
    #[must_use]
    pub fn wants_image(&self, zone: &Zone) -> bool {
        self.length > bounds::JOURNAL_BYTES.max(zone.size_bytes() as u64 / 2)
    }

    /// Makes `zone` the image and empties the journal.
    ///
    /// # Errors
    /// The system's; image and journal still tell the same zone, or the journal takes nothing more.
    pub fn renew(&mut self, zone: &Zone) -> io::Result<()> {
        write_image(&self.folder, zone)?;
        // From here on the old journal is passed over at a start; what is appended must go to the new one.
        self.is_broken = true;
        self.file = begin(&self.folder, &self.apex)?;
        self.length = journal::header(&self.apex).len() as u64;
        self.is_broken = false;
        Ok(())
    }

    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.sync_all()
    }
}

/// An empty journal in the place of what was there.
fn begin(folder: &Path, apex: &Name) -> io::Result<File> {
    write_aside(&path(folder, apex, "journal"), |file| file.write_all(&journal::header(apex)))?;
    OpenOptions::new().read(true).write(true).open(path(folder, apex, "journal"))
}

fn write_image(folder: &Path, zone: &Zone) -> io::Result<()> {
    let mut text = String::with_capacity(zone.size_bytes());
    zone.print(&mut text).map_err(io::Error::other)?;
    write_aside(&path(folder, zone.apex(), "zone"), |file| file.write_all(text.as_bytes()))
}

fn read_all(file: File, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

/// Where `folder` keeps a file of the zone `apex`: letters small, and what no file's name should have as `%` and two
/// hexadecimal digits.
fn path(folder: &Path, apex: &Name, kind: &str) -> PathBuf {
    let mut name = String::new();
    for (at, label) in apex.lowered().labels().enumerate() {
        if at > 0 {
            name.push('.');
        }
        for &octet in label {
            match octet {
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(octet)),
                other => hex(other, &mut name),
            }
        }
    }
    let name = if name.is_empty() { "%root".to_owned() } else { shortened(name) };
    folder.join(format!("{name}.{kind}"))
}

/// File systems allow 255 octets; of longer names the end says which it is.
fn shortened(name: String) -> String {
    const LENGTH_MAX: usize = 200;
    if name.len() <= LENGTH_MAX {
        return name;
    }
    let sum = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
    let mut end = String::new();
    sum.as_ref().iter().take(16).for_each(|octet| hex(*octet, &mut end));
    format!("{}{end}", name.get(..LENGTH_MAX - end.len()).unwrap_or_default())
}

/// Appends `%` and two hexadecimal digits.
fn hex(octet: u8, out: &mut String) {
    out.push('%');
    out.extend([octet >> 4, octet & 15].iter().filter_map(|digit| char::from_digit(u32::from(*digit), 16)));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::Dice;
    use crate::base::collections::{Keyed, keyed};
    use crate::dns::{Class, Record, RecordType};
    use crate::handlers::authority::update::Draft;
    use crate::handlers::authority::{load, master_file};

    fn hasher() -> Keyed {
        keyed(&mut Dice::from_number(1))
    }

    fn apex() -> Name {
        "example.".parse().unwrap()
    }

    fn zone(text: &[u8]) -> Arc<Zone> {
        Arc::new(load(&apex(), text, "z", &mut master_file::no_include, hasher()).0.unwrap())
    }

    const ZONE: &[u8] = b"@ 60 SOA ns h 1 1 1 1 1\n@ 60 NS ns.example.net.\n";

    /// The step from `serial` to the next, which adds one address.
    fn step(zone: &Zone, serial: u32) -> Difference {
        let soa = |serial: u32| {
            let mut rdata = zone.soa().unwrap().rdatas().next().unwrap().to_vec();
            let at = rdata.len() - 20;
            rdata[at..at + 4].copy_from_slice(&serial.to_be_bytes());
            Record { owner: apex(), rtype: RecordType::SOA, class: Class::IN, ttl: 60, rdata: rdata.into() }
        };
        let owner = format!("h{serial}.example.").parse().unwrap();
        let rdata = [192, 0, 2, serial as u8][..].into();
        Difference {
            from_serial: serial,
            to_serial: serial + 1,
            removed: vec![soa(serial)],
            added: vec![soa(serial + 1), Record { owner, rtype: RecordType::A, class: Class::IN, ttl: 60, rdata }],
        }
    }

    fn composed(difference: &Difference) -> Vec<u8> {
        let mut out = Vec::new();
        journal::compose(difference, &mut out).unwrap();
        out
    }

    /// The serial number that a start would find.
    fn serial_after_start(folder: &Path) -> u32 {
        let opened = Journal::open(folder, &apex()).unwrap().unwrap();
        let mut draft = Draft::new(zone(&opened.image));
        journal::replay(&mut draft, &opened.differences).unwrap();
        draft.compile(hasher()).unwrap().serial()
    }

    #[test]
    fn what_was_appended_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Journal::open(folder.path(), &apex()).unwrap().is_none());
        let zone = zone(ZONE);
        let mut journal = Journal::create(folder.path(), &zone).unwrap();
        journal.append(&composed(&step(&zone, 1))).unwrap();
        journal.append(&[composed(&step(&zone, 2)), composed(&step(&zone, 3))].concat()).unwrap();
        drop(journal);
        assert_eq!(serial_after_start(folder.path()), 4);
        let mut again = Journal::open(folder.path(), &apex()).unwrap().unwrap().journal;
        again.append(&composed(&step(&zone, 4))).unwrap();
        assert_eq!(serial_after_start(folder.path()), 5);
    }

    #[test]
    fn a_torn_end_is_cut_off_and_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let zone = zone(ZONE);
        let mut journal = Journal::create(folder.path(), &zone).unwrap();
        journal.append(&composed(&step(&zone, 1))).unwrap();
        let whole = journal.length;
        let record = composed(&step(&zone, 2));
        for length in 1..record.len() {
            let mut file = OpenOptions::new().append(true).open(path(folder.path(), &apex(), "journal")).unwrap();
            file.write_all(&record[..length]).unwrap();
            let opened = Journal::open(folder.path(), &apex()).unwrap().unwrap();
            assert_eq!((opened.cut_bytes, opened.journal.length), (length as u64, whole));
        }
        let mut journal = Journal::open(folder.path(), &apex()).unwrap().unwrap().journal;
        journal.append(&record).unwrap();
        assert_eq!(serial_after_start(folder.path()), 3);
    }

    #[test]
    fn a_crash_between_image_and_journal_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let first = zone(ZONE);
        let mut journal = Journal::create(folder.path(), &first).unwrap();
        let mut draft = Draft::new(Arc::clone(&first));
        for serial in 1..4 {
            let step = step(&first, serial);
            journal.append(&composed(&step)).unwrap();
            draft.apply(&step).unwrap();
        }
        let now = draft.compile(hasher()).unwrap();
        write_image(folder.path(), &now).unwrap(); // … and there the crash comes
        assert_eq!(serial_after_start(folder.path()), 4);
        journal.renew(&now).unwrap();
        assert_eq!(serial_after_start(folder.path()), 4);
        journal.append(&composed(&step(&first, 4))).unwrap();
        assert_eq!(serial_after_start(folder.path()), 5);
        std::fs::remove_file(path(folder.path(), &apex(), "journal")).unwrap();
        assert_eq!(serial_after_start(folder.path()), 4);
    }

    #[test]
    fn every_zone_has_a_file_name_of_its_own() {
        let name = |text: &str| path(Path::new("s"), &text.parse().unwrap(), "zone").display().to_string();
        assert_eq!(name("Example.COM."), "s/example.com.zone");
        assert_eq!(name("."), "s/%root.zone");
        assert_eq!(name(r"a/b\.\000.test."), "s/a%2fb%2e%00.test.zone");
        let long = |end: &str| format!("{0}.{0}.{0}.{1}.", "a".repeat(63), end);
        assert!(
            name(&long("b")).len() < 220
                && name(&long("b".repeat(30).as_str())) != name(&long("c".repeat(30).as_str()))
        );
    }
}
