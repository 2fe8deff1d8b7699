//! The blocks `zones` and `keys`: which domains are served, and with whom they are shared.
//!
//! `zones` is a mapping from names to what is said of each, or a folder: every `NAME.zone` in it is the master file
//! of the zone NAME, and every `NAME.yaml` says the same of NAME as an entry of the mapping would.

mod records;
mod sharing;
#[cfg(test)]
mod tests;
mod types;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use types::{
    Allowed, Catalog, InlineRecord, Key, KeyAlgorithm, NamePattern, Origin, Server, TransferSettings, UpdatePolicy,
    ZoneSettings,
};

use super::cursor::{Field, Report, Section};
use super::fault::{At, Severity};
use super::raw::{Node, Value, quoted};
use super::steering::Steerer;
use crate::dns::Name;

/// The records of the demo zone, of which `file: builtin` is the name.
const DEMO: &str = include_str!("../../../../zones/geo.example.zone");
const FORM: &str = "a mapping such as {example.com: {file: example.com.zone}}, or a folder";

/// What the block `zones` says.
#[derive(Debug, Default)]
pub(super) struct ZonesBlock {
    pub(super) zones: Vec<Arc<ZoneSettings>>,
    pub(super) folder: Option<PathBuf>,
}

/// The block `keys`.
pub(super) fn keys(top: &mut Section<'_>) -> Vec<Arc<Key>> {
    sharing::keys(top)
}

/// The block `zones`; relative paths count from `folder`. What zones say of steered names, `steerer` reads.
pub(super) fn read(
    top: &mut Section<'_>,
    folder: &Path,
    report: &Report,
    keys: &[Arc<Key>],
    steerer: &mut Steerer,
) -> ZonesBlock {
    let Some(field) = top.take("zones").filter(|field| !field.node.is_off()) else { return ZonesBlock::default() };
    if field.node.text().is_some() {
        let Some(path) = field.path(folder) else { return ZonesBlock::default() };
        return ZonesBlock { zones: read_folder(&field, &path, report, keys, steerer), folder: Some(path) };
    }
    let mut zones = Zones { report, keys, steerer, by_apex: BTreeMap::new(), order: Vec::new() };
    for (text, at, zone) in field.entries(FORM).unwrap_or_default() {
        zones.entry(text, at, &zone, folder, None);
    }
    ZonesBlock { zones: zones.order, folder: None }
}

/// The zones of a folder, by name.
fn read_folder(
    field: &Field<'_>,
    folder: &Path,
    report: &Report,
    keys: &[Arc<Key>],
    steerer: &mut Steerer,
) -> Vec<Arc<ZoneSettings>> {
    // A zone's name by file name without its ending: the master file, and what is said of it.
    let mut found: BTreeMap<String, (Option<PathBuf>, Option<PathBuf>)> = BTreeMap::new();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            field.fault_found(format!("{} ({error})", field.node.shown()), FORM);
            return Vec::new();
        }
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let (Some(stem), Some(ending)) = (path.file_stem(), path.extension()) else { continue };
        let name = stem.to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue; // what an editor or a cluster's mount keeps beside the files
        }
        let entry = found.entry(name);
        match ending.to_str() {
            Some("zone") => entry.or_default().0 = Some(path),
            Some("yaml") => entry.or_default().1 = Some(path),
            _ => {}
        }
    }
    let mut zones = Zones { report, keys, steerer, by_apex: BTreeMap::new(), order: Vec::new() };
    for (name, (master_file, settings)) in found {
        let Some(settings) = settings else {
            let node = Node { at: At::START, value: Value::Null };
            let file = master_file.clone().unwrap_or_default();
            let own = Report::new(&file.display().to_string());
            zones.entry(&name, At::START, &zone_field(&name, &node, &own), folder, Some((&own, master_file)));
            report.adopt(own);
            continue;
        };
        let own = Report::new(&settings.display().to_string());
        match parse_file(&settings) {
            Ok(node) => {
                zones.entry(&name, At::START, &zone_field(&name, &node, &own), folder, Some((&own, master_file)));
            }
            Err((at, found, allowed)) => own.note(Severity::Fault, at, "", found, allowed),
        }
        report.adopt(own);
    }
    zones.order
}

/// The root of a zone's own file, named as if it stood in the mapping.
fn zone_field<'t>(name: &str, node: &'t Node, report: &'t Report) -> Field<'t> {
    Field::named(node, format!("zones.{}", quoted(name)), report)
}

fn parse_file(path: &Path) -> Result<Node, (At, String, &'static str)> {
    let text = super::read_bounded(path).map_err(|(found, _)| (At::START, found, "a YAML file"))?;
    super::parse(&text.0)
}

/// The demo zone, wherever the program runs.
fn demo() -> InlineRecord {
    InlineRecord { file: "builtin".to_owned(), line: 1, column: 1, text: DEMO.to_owned(), is_block: true }
}

/// The zones read so far.
struct Zones<'r> {
    report: &'r Report,
    keys: &'r [Arc<Key>],
    steerer: &'r mut Steerer,
    by_apex: BTreeMap<Name, usize>,
    order: Vec<Arc<ZoneSettings>>,
}

impl Zones<'_> {
    /// Reads what `field` says of the zone `text`. In a folder, `own` is the report of the zone's own file, and its
    /// master file.
    fn entry(&mut self, text: &str, at: At, field: &Field<'_>, folder: &Path, own: Option<(&Report, Option<PathBuf>)>) {
        let (report, master_file) = own.map_or((self.report, None), |(report, file)| (report, file));
        let apex: Name = match text.parse() {
            Ok(apex) => apex,
            Err(fault) => {
                return field.fault_at(at, quoted(text), format!("a domain name such as example.com ({fault})"));
            }
        };
        if self.by_apex.insert(apex.clone(), self.order.len()).is_some() {
            return field.fault_at(at, format!("the zone {apex} again"), "each zone once");
        }
        let mut settings = ZoneSettings::new(apex);
        settings.origin = field.origin_at(at);
        let nothing = Node { at, value: Value::Map(Vec::new()) };
        let field = if field.node.is_null() { field.with(&nothing) } else { field.clone() };
        let Some(mut section) = field.section("a mapping such as {file: example.com.zone}") else { return };
        match section.take("file") {
            Some(field) if field.node.text() == Some("builtin") => settings.records.push(demo()),
            Some(field) => settings.file = field.path(folder),
            None => {}
        }
        if let Some(field) = section.take("records") {
            settings.records.extend(records::read(&field, report.file()));
        }
        sharing::read(&mut section, &mut settings, self.keys);
        let given = settings.file.is_some() || !settings.records.is_empty();
        if settings.is_secondary() {
            for key in ["file", "records"] {
                if let Some(field) = section.take(key) {
                    field.fault("nothing, as the primaries give the zone's data");
                }
            }
        } else if !given && master_file.is_some() {
            settings.file = master_file;
        } else if !given && settings.catalog != Catalog::Produce && section.take("records").is_none() {
            field.fault_at(at, "no data", "file, records or primaries");
        }
        self.steerer.zone(&mut section, &settings);
        section.close();
        self.order.push(Arc::new(settings));
    }
}
