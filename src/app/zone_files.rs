//! Zones from their files: what the configuration names is read, built and judged, aside of what is in force.
//!
//! A [`Library`] holds what was read last. Reading a configuration gives another library, the zones that have
//! changed, and everything that is wrong with them, in the words of the configuration's own faults. A zone whose
//! files say the same as before stays the very same.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::config::{At, Config, Fault, InlineRecord, Origin, Severity, ZoneSettings};
use super::steered;
use crate::base::bounds;
use crate::base::collections::Keyed;
use crate::dns::{Name, RrSet};
use crate::edge::clock::wall_seconds;
use crate::edge::files::{Fingerprint, read_octets};
use crate::handlers::authority::master_file;
use crate::handlers::authority::{self, Builder, Finding, Zone};

/// A file and the state it was read in; none where there was no such file.
type Seen = (PathBuf, Option<Fingerprint>);

/// A zone as its files had it.
#[derive(Clone)]
struct Held {
    settings: Arc<ZoneSettings>,
    /// None where its files have faults.
    zone: Option<Arc<Zone>>,
    files: Vec<Seen>,
    /// Another state of the files, seen by the last look: they may still be being written.
    unsettled: Option<Vec<Seen>>,
    digest: u64,
    /// What stands in the zone for its names that answer from pools.
    chosen: Vec<Chosen>,
    /// Whether the files have faults, so that `zone` is older than they are.
    is_faulty: bool,
}

/// The records that stand for a name that answers from a pool, and where that is said.
#[derive(Clone)]
pub(super) struct Chosen {
    pub(super) set: RrSet,
    pub(super) origin: Origin,
}

/// The zones as they were read last, from the files and records of a configuration.
#[derive(Clone)]
pub struct Library {
    zones: BTreeMap<Name, Held>,
    keyed: Keyed,
}

/// What reading gave.
pub struct Reading {
    /// What is to be remembered if the reading is put in force.
    pub library: Library,
    /// The zones that are new or have changed.
    pub fresh: Vec<Arc<Zone>>,
    /// What is wrong with the zones that were read, faults and lints.
    pub noted: Vec<Fault>,
}

impl Reading {
    /// Whether some zone must not be served as it stands.
    #[must_use]
    pub fn has_faults(&self) -> bool {
        self.noted.iter().any(|fault| fault.severity == Severity::Fault)
    }
}

impl Library {
    /// Nothing read yet. `keyed` is for the zones' tables.
    #[must_use]
    pub const fn new(keyed: Keyed) -> Self {
        Self { zones: BTreeMap::new(), keyed }
    }

    /// Reads the zones of `config`: those whose files look as before are kept unread.
    #[must_use]
    pub fn read(&self, config: &Config) -> Reading {
        let mut reading = Reading { library: Self::new(self.keyed.clone()), fresh: Vec::new(), noted: Vec::new() };
        let mut by_zone = steered::records(&config.steering);
        for settings in config.zones.iter().filter(|settings| !settings.is_secondary()) {
            let chosen: Vec<Chosen> = by_zone.remove(&settings.apex).unwrap_or_default();
            if !has_data(settings) && chosen.is_empty() {
                continue;
            }
            let known = self.zones.get(&settings.apex);
            let is_same = known.is_some_and(|known| {
                let same_sources =
                    known.settings.file == settings.file && says_the_same(&known.settings.records, &settings.records);
                let same_sets = known.chosen.iter().map(|one| &one.set).eq(chosen.iter().map(|one| &one.set));
                same_sources && same_sets && !known.is_faulty && known.files == look(&known.files)
            });
            let held = match known {
                Some(known) if is_same => Held { settings: Arc::clone(settings), chosen, ..known.clone() },
                _ => self.read_zone(settings, chosen, &mut reading.noted),
            };
            reading.library.take(held, known, &mut reading.fresh, &mut reading.noted);
        }
        reading
    }

    /// Reads the zones again whose files have changed and then rested for one look; a bad one is noted and stays as
    /// it was. None where nothing has changed.
    pub fn look(&mut self) -> Option<Reading> {
        let mut due = Vec::new();
        for held in self.zones.values_mut() {
            let now = look(&held.files);
            if now == held.files {
                held.unsettled = None;
            } else if held.unsettled.as_ref() == Some(&now) {
                due.push((Arc::clone(&held.settings), held.chosen.clone()));
            } else {
                held.unsettled = Some(now);
            }
        }
        if due.is_empty() {
            return None;
        }
        let mut reading = Reading { library: self.clone(), fresh: Vec::new(), noted: Vec::new() };
        for (settings, chosen) in due {
            let mut held = self.read_zone(&settings, chosen, &mut reading.noted);
            let known = self.zones.get(&settings.apex);
            if held.zone.is_none()
                && let Some(known) = known
            {
                // The old one counts until the file changes again.
                (held.zone, held.digest) = (known.zone.clone(), known.digest);
            }
            reading.library.take(held, known, &mut reading.fresh, &mut reading.noted);
        }
        Some(reading)
    }

    /// Takes `held` in, in the place of `known`; a zone that says something new is fresh.
    fn take(&mut self, mut held: Held, known: Option<&Held>, fresh: &mut Vec<Arc<Zone>>, noted: &mut Vec<Fault>) {
        let old = known.and_then(|known| known.zone.as_ref().map(|zone| (zone, known.digest)));
        match (&held.zone, old) {
            (Some(_), Some((old, digest))) if digest == held.digest => held.zone = Some(Arc::clone(old)),
            (Some(new), old) => {
                if let Some((old, _)) = old {
                    noted.extend(serial_lint(&held.settings, old, new));
                }
                fresh.push(Arc::clone(new));
            }
            (None, _) => {}
        }
        self.zones.insert(held.settings.apex.clone(), held);
    }

    fn read_zone(&self, settings: &Arc<ZoneSettings>, chosen: Vec<Chosen>, noted: &mut Vec<Fault>) -> Held {
        let mut builder = Builder::new(settings.apex.clone());
        let mut files: Vec<Seen> = Vec::new();
        let mut digest = self.keyed.build_hasher();
        let key = format!("zones.\"{}\"", settings.apex.to_string().trim_end_matches('.'));
        let folder_of = |including: &str| {
            let file = inline(including).and_then(|at| settings.records.get(at)).map_or(including, |one| &one.file);
            Path::new(file).parent().unwrap_or(Path::new("")).to_owned()
        };
        let mut is_readable = true;
        if let Some(path) = &settings.file {
            match read_octets(path, bounds::ZONE_FILE_MAX) {
                Ok((text, fingerprint)) => {
                    files.push((path.clone(), Some(fingerprint)));
                    digest.write(&text);
                    let mut include = includer(&folder_of, &mut files, &mut digest);
                    master_file::read(&text, &path.display().to_string(), &mut include, &mut builder);
                }
                Err(fault) => {
                    files.push((path.clone(), None));
                    is_readable = false;
                    noted.push(Fault {
                        severity: Severity::Fault,
                        file: settings.origin.file.clone(),
                        at: place(settings.origin.line, settings.origin.column),
                        key: format!("{key}.file"),
                        found: format!("{} ({fault})", path.display()),
                        allowed: "a readable master file".into(),
                    });
                }
            }
        }
        for (at, record) in settings.records.iter().enumerate() {
            digest.write(record.text.as_bytes());
            digest.write_u8(b'\n');
            let mut include = includer(&folder_of, &mut files, &mut digest);
            master_file::read(record.text.as_bytes(), &inline_name(at), &mut include, &mut builder);
        }
        for Chosen { set, origin } in &chosen {
            digest.write(format!("{set:?}").as_bytes());
            let file = builder.add_file(&origin.file);
            builder.add_chosen(set, file, origin.line);
        }
        if settings.file.is_none() {
            add_soa(settings, &mut builder);
        }
        let (zone, findings) = builder.finish(self.keyed.clone());
        if is_readable {
            noted.extend(findings.iter().map(|finding| fault_of(finding, settings, &key)));
            if findings.untold() > 0 {
                noted.push(Fault {
                    severity: Severity::Lint,
                    file: settings.file.as_ref().map_or(&settings.origin.file, |_| &settings.origin.file).clone(),
                    at: place(settings.origin.line, settings.origin.column),
                    key,
                    found: format!("{} findings more", findings.untold()),
                    allowed: String::new(),
                });
            }
        }
        let zone = zone.filter(|_| is_readable).map(Arc::new);
        let is_faulty = zone.is_none();
        Held {
            settings: Arc::clone(settings),
            zone,
            files,
            unsettled: None,
            digest: digest.finish(),
            chosen,
            is_faulty,
        }
    }
}

/// Whether the configuration itself gives the zone's data.
fn has_data(settings: &ZoneSettings) -> bool {
    !settings.is_secondary() && (settings.file.is_some() || !settings.records.is_empty())
}

/// Whether two zones have the same inline records, wherever these stand.
fn says_the_same(some: &[InlineRecord], others: &[InlineRecord]) -> bool {
    some.len() == others.len() && some.iter().zip(others).all(|(one, other)| one.text == other.text)
}

/// The state of files now.
fn look(files: &[Seen]) -> Vec<Seen> {
    files.iter().map(|(path, _)| (path.clone(), Fingerprint::of(path))).collect()
}

/// Reads included files, from the folder of the including one unless their names say otherwise.
fn includer<'i>(
    folder_of: &'i impl Fn(&str) -> PathBuf,
    files: &'i mut Vec<Seen>,
    digest: &'i mut impl Hasher,
) -> impl FnMut(&str, &str) -> Result<(String, Vec<u8>), String> + 'i {
    move |including, name| {
        let path = folder_of(including).join(name);
        match read_octets(&path, bounds::ZONE_FILE_MAX) {
            Ok((text, fingerprint)) => {
                files.push((path.clone(), Some(fingerprint)));
                digest.write(&text);
                Ok((path.display().to_string(), text))
            }
            Err(fault) => {
                files.push((path, None));
                Err(fault.to_string())
            }
        }
    }
}

/// The name under which the builder knows an inline record; no file can have it.
fn inline_name(at: usize) -> String {
    format!("\0{at}")
}

fn inline(name: &str) -> Option<usize> {
    name.strip_prefix('\0')?.parse().ok()
}

/// A zone without a file needs no SOA record written out: its author wants to serve a few names. The serial is the
/// time of reading, so that it grows.
fn add_soa(settings: &ZoneSettings, builder: &mut Builder) {
    let has_soa = |record: &InlineRecord| record.text.split_whitespace().any(|word| word.eq_ignore_ascii_case("SOA"));
    if settings.records.iter().any(has_soa) {
        return;
    }
    let word = |record: &InlineRecord, at| record.text.split_whitespace().nth(at).map(ToOwned::to_owned);
    let apex = settings.apex.to_string();
    let is_apex_ns = |record: &&InlineRecord| {
        !record.is_block
            && word(record, 2).as_deref() == Some("NS")
            && word(record, 0).is_some_and(|owner| owner == "@" || owner.eq_ignore_ascii_case(&apex))
    };
    let server = settings.records.iter().find(is_apex_ns).and_then(|record| word(record, 3));
    let server = server.unwrap_or_else(|| "@".to_owned());
    let text = format!("@ 3600 SOA {server} hostmaster {} 3600 900 604800 300\n", wall_seconds());
    let mut include = master_file::no_include;
    master_file::read(text.as_bytes(), &settings.origin.file, &mut include, builder);
}

fn place(line: u32, column: u32) -> At {
    At { line: u64::from(line), column: u64::from(column) }
}

/// A finding in the words of the configuration: where it stands in the file that somebody wrote.
fn fault_of(finding: &Finding, settings: &ZoneSettings, key: &str) -> Fault {
    let found = &finding.place;
    let record = inline(&found.file).and_then(|at| settings.records.get(at));
    let (file, at) = match record {
        // The zone as a whole.
        Some(_) if found.line == 0 => {
            (settings.origin.file.clone(), place(settings.origin.line, settings.origin.column))
        }
        // A block's place is its first line's, behind the indentation.
        Some(record) if record.is_block => {
            let column = if found.column == 0 { 0 } else { found.column + record.column - 1 };
            (record.file.clone(), place(record.line + found.line - 1, column))
        }
        Some(record) => (record.file.clone(), place(record.line, record.column)),
        None => (found.file.to_string(), place(found.line, found.column)),
    };
    let severity = match finding.severity() {
        authority::Severity::Error => Severity::Fault,
        authority::Severity::Warning => Severity::Lint,
    };
    Fault { severity, file, at, key: key.to_owned(), found: finding.fault.to_string(), allowed: String::new() }
}

/// A zone that changed while its serial did not grow: secondaries will not notice, or not for long.
fn serial_lint(settings: &ZoneSettings, old: &Zone, new: &Zone) -> Option<Fault> {
    let (before, now) = (old.serial(), new.serial());
    // RFC 1982 §3.2: greater is what lies ahead by less than half the circle.
    let found = match now.wrapping_sub(before).cast_signed() {
        0 => format!("other data with the serial {now} as before: secondaries will not fetch them"),
        ahead if ahead < 0 => format!("the serial {now}, which lies behind the {before} before: secondaries keep that"),
        _ => return None,
    };
    let file = settings.file.as_ref().map_or_else(|| settings.origin.file.clone(), |file| file.display().to_string());
    let key = format!("zones.\"{}\"", settings.apex.to_string().trim_end_matches('.'));
    let at = place(0, 0);
    Some(Fault { severity: Severity::Lint, file, at, key, found, allowed: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::config::{self, Machine};
    use crate::base::Dice;
    use crate::base::collections::keyed;

    const GOOD: &str = "$TTL 60\n@ SOA ns hostmaster 1 60 60 60 60\n NS ns\nns A 192.0.2.53\n";

    struct World {
        folder: tempfile::TempDir,
        library: Library,
    }

    impl World {
        fn new() -> Self {
            let library = Library::new(keyed(&mut Dice::from_number(1)));
            Self { folder: tempfile::tempdir().unwrap(), library }
        }

        /// Files appear whole and with another inode, as by a rename.
        fn put(&self, file: &str, text: &str) {
            let (aside, path) = (self.folder.path().join("aside"), self.folder.path().join(file));
            std::fs::write(&aside, text).unwrap();
            std::fs::rename(aside, path).unwrap();
        }

        fn config(&self, text: &str) -> Config {
            let machine = Machine { cores: std::num::NonZeroUsize::MIN, memory: None };
            config::load(&self.folder.path().join("m.yaml"), text.as_bytes(), &machine).unwrap().config
        }

        fn noted(&self, reading: &Reading) -> Vec<String> {
            let prefix = format!("{}/", self.folder.path().display());
            reading.noted.iter().map(|fault| fault.to_string().replace(&prefix, "")).collect()
        }
    }

    const ZONE: &str = "zones: {example.com: {file: e.zone}}\n";

    #[test]
    fn every_fault_is_told_where_it_stands() {
        let mut world = World::new();
        world.put("e.zone", "@ SOA ns hostmaster 1 60 60 60 60\n$INCLUDE more\nwww BOGUS x\nmail A 192.0.2\n");
        world.put("more", "x CNAME y\nx A 192.0.2.1\n");
        let text = "zones:\n  example.com: {file: e.zone}\n  gone.example: {file: gone.zone}\n  example.net:\n    \
                    records:\n      - {ns: 192.0.2.1, x: {CNAME: a, MX: 10 b}}\n      - |\n        text A 1\n";
        let reading = world.library.read(&world.config(text));
        let noted = world.noted(&reading);
        for expected in [
            "e.zone:3:5: zones.\"example.com\": BOGUS is no record type",
            "e.zone:4:8: zones.\"example.com\": 192.0.2 stands where",
            "m.yaml:3:3: zones.\"gone.example\".file: found gone.zone (",
            "m.yaml:6:36: zones.\"example.net\": x.example.net. has both CNAME and MX",
            "m.yaml:8:16: zones.\"example.net\": 1 stands where",
        ] {
            assert!(noted.iter().any(|fault| fault.starts_with(expected)), "{expected} is not in {noted:#?}");
        }
        assert!(noted.iter().any(|fault| fault.starts_with("more:") && fault.contains("CNAME and A")), "{noted:#?}");
        assert!(reading.has_faults() && reading.fresh.is_empty());
        world.library = reading.library;
    }

    #[test]
    fn what_says_the_same_stays_the_same() {
        let mut world = World::new();
        world.put("e.zone", GOOD);
        let config = world.config(ZONE);
        let first = world.library.read(&config);
        assert_eq!((first.fresh.len(), first.noted.len()), (1, 0));
        world.library = first.library;
        assert_eq!(world.library.read(&config).fresh.len(), 0);
        world.put("e.zone", GOOD); // another file with the same octets
        assert_eq!(world.library.read(&config).fresh.len(), 0);
        world.put("e.zone", &GOOD.replace("master 1", "master 2"));
        let changed = world.library.read(&config);
        assert_eq!((changed.fresh.len(), changed.fresh[0].serial(), changed.noted.len()), (1, 2, 0));
    }

    #[test]
    fn a_serial_that_does_not_grow_is_a_lint() {
        let mut world = World::new();
        world.put("e.zone", &GOOD.replace("master 1", "master 7"));
        let config = world.config(ZONE);
        world.library = world.library.read(&config).library;
        for (text, expected) in
            [(GOOD.to_owned(), "lies behind"), (GOOD.replace("master 1", "master 7") + "x A 192.0.2.1\n", "as before")]
        {
            world.put("e.zone", &text);
            let reading = world.library.read(&config);
            assert!(reading.noted[0].to_string().contains(expected), "{:?}", reading.noted);
            assert!(!reading.has_faults() && reading.fresh.len() == 1);
        }
    }

    #[test]
    fn a_changed_file_counts_when_it_rests_and_a_bad_one_changes_nothing() {
        let mut world = World::new();
        world.put("e.zone", GOOD);
        let config = world.config(ZONE);
        world.library = world.library.read(&config).library;
        assert!(world.library.look().is_none());
        world.put("e.zone", &GOOD.replace("master 1", "master 2"));
        assert!(world.library.look().is_none(), "it may still be being written");
        let reading = world.library.look().unwrap();
        assert_eq!(reading.fresh[0].serial(), 2);
        world.library = reading.library;
        world.put("e.zone", "broken (");
        assert!(world.library.look().is_none());
        let reading = world.library.look().unwrap();
        assert!(reading.has_faults() && reading.fresh.is_empty());
        world.library = reading.library;
        assert!(world.library.look().is_none(), "a fault is told once");
        let again = world.library.read(&config);
        assert!(again.has_faults(), "who asks for a reload is told again");
        world.put("e.zone", &GOOD.replace("master 1", "master 2"));
        world.library.look();
        let reading = world.library.look().unwrap();
        assert!(reading.fresh.is_empty() && !reading.has_faults(), "it is what is in force");
    }

    #[test]
    fn a_zone_without_a_soa_gets_one() {
        let world = World::new();
        let config = world.config("zones: {home.example: {records: {\"@\": {NS: ns}, ns: 192.0.2.1}}}\n");
        let reading = world.library.read(&config);
        assert_eq!(world.noted(&reading), Vec::<String>::new());
        assert!(reading.fresh[0].serial() > 1_700_000_000);
    }
}
