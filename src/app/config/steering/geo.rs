//! The blocks `geo` and `ecs`: where clients are, and whose word counts for it.

use std::path::{Path, PathBuf};

use super::super::cursor::{Field, Section};
use super::super::raw::Value;
use crate::edge::geoip::{Database, FieldPath, Fields};
use crate::steer::ScopeCap;

/// Used if it is there, and not missed if not.
const DEFAULT_CITY: &str = "geoip/city.mmdb";
const FORM: &str =
    "off, builtin, the path of a file in the MaxMind DB format, {file: PATH, fields: {…}}, or a list of these";

/// The databases of places, the most trusted first.
pub(super) fn databases(top: &mut Section<'_>, folder: &Path) -> Vec<Database> {
    let read = |section: &mut Section<'_>| {
        let mut all = match section.take("city") {
            Some(field) if field.node.text() != Some(DEFAULT_CITY) => listed(&field, folder),
            _ => {
                Some(folder.join(DEFAULT_CITY)).filter(|path| path.is_file()).map(Database::file).into_iter().collect()
            }
        };
        match section.take("country") {
            Some(field) => all.extend(listed(&field, folder)),
            None => all.push(Database::Builtin),
        }
        all.extend(section.take("asn").map(|field| listed(&field, folder)).unwrap_or_default());
        all
    };
    top.block("geo", read).unwrap_or_default()
}

fn listed(field: &Field<'_>, folder: &Path) -> Vec<Database> {
    if field.node.is_off() {
        return Vec::new();
    }
    field.each().iter().filter_map(|item| database(item, folder)).collect()
}

fn database(field: &Field<'_>, folder: &Path) -> Option<Database> {
    if field.node.text() == Some("builtin") {
        return Some(Database::Builtin);
    }
    if !matches!(field.node.value, Value::Map(_)) {
        return existing(field, folder, FORM).map(Database::file);
    }
    let mut section = field.section(FORM)?;
    let path = section
        .require("file", "the path of the file")
        .and_then(|field| existing(&field, folder, "the path of a file"));
    let fields = section.take("fields").and_then(|field| fields(&field)).unwrap_or_default();
    section.close();
    Some(Database::File { path: path?, fields })
}

/// A file that is there: what is missing is told when the file is checked, not by wrong answers.
pub(super) fn existing(field: &Field<'_>, folder: &Path, allowed: &str) -> Option<PathBuf> {
    let Some(text) = field.node.text().filter(|text| !text.is_empty() && !text.contains('\0')) else {
        field.fault(allowed);
        return None;
    };
    let path = folder.join(text);
    field.note_path(&path);
    match std::fs::metadata(&path) {
        Ok(found) if found.is_file() => return Some(path),
        Ok(_) => field.fault_found(format!("{}, which is no file", field.node.shown()), allowed),
        Err(error) => field.fault_found(format!("{} ({error})", field.node.shown()), allowed),
    }
    None
}

fn fields(field: &Field<'_>) -> Option<Fields> {
    let mut section = field.section("a mapping such as {country: location.country, asn: as.number}")?;
    let mut way = |key| -> Option<FieldPath> {
        section.take(key)?.scalar("keys and positions, such as subdivisions.0.iso_code", |text| text.parse().ok())
    };
    let fields = Fields {
        continent: way("continent"),
        country: way("country"),
        subdivision: way("subdivision"),
        city: way("city"),
        latitude: way("latitude"),
        longitude: way("longitude"),
        asn: way("asn"),
    };
    section.close();
    Some(fields)
}

/// How fine the answers to client subnets may be; none where the option is ignored.
pub(super) fn ecs(top: &mut Section<'_>) -> Option<ScopeCap> {
    let read = |section: &mut Section<'_>| {
        let accept = section.flag("accept", true);
        let cap = section.take("max").and_then(|field| {
            field.scalar("two prefix lengths such as 24/56: up to 32 for IPv4, up to 128 for IPv6", lengths)
        });
        let cap = cap.map_or_else(ScopeCap::default, |(v4, v6)| ScopeCap { v4, v6 });
        accept.then_some(cap)
    };
    top.block("ecs", read).flatten()
}

/// Prefix lengths of IPv4 and IPv6, written `24/56`.
pub(super) fn lengths(text: &str) -> Option<(u8, u8)> {
    let (v4, v6) = text.split_once('/')?;
    let (v4, v6) = (v4.parse().ok()?, v6.parse().ok()?);
    (v4 <= 32 && v6 <= 128).then_some((v4, v6))
}
