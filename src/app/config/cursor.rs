//! Walking the tree: a [`Section`] is a mapping whose keys are known, a [`Field`] is one value in it.
//!
//! Both note every fault they meet in the [`Report`] that they share and go on, so that one reading tells all. A
//! value that is wrong reads as its default; the report then keeps the whole from being used.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::fault::{At, Fault, Severity, nearest};
use super::raw::{Node, Value, quoted};
use super::zones::Origin;
use super::{later, scalars};

/// What was noted while a file was read.
pub(super) struct Report {
    file: String,
    noted: RefCell<Vec<Fault>>,
    /// What was noted of other files that this one leads to.
    elsewhere: RefCell<Vec<Fault>>,
    /// The files and folders that were named.
    paths: RefCell<Vec<PathBuf>>,
}

impl Report {
    pub(super) fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            noted: RefCell::default(),
            elsewhere: RefCell::default(),
            paths: RefCell::default(),
        }
    }

    /// The file, as its reader named it.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// Takes over what was noted of another file.
    pub(super) fn adopt(&self, other: Self) {
        self.paths.borrow_mut().extend(other.paths());
        self.elsewhere.borrow_mut().extend(other.finish());
    }

    /// The files and folders that were named so far.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.paths.borrow().clone()
    }

    /// Notes one thing.
    pub(super) fn note(&self, severity: Severity, at: At, key: &str, found: impl Display, allowed: impl Display) {
        self.noted.borrow_mut().push(Fault {
            severity,
            file: self.file.clone(),
            at,
            key: key.to_owned(),
            found: found.to_string(),
            allowed: allowed.to_string(),
        });
    }

    /// Whether no fault was noted.
    pub(super) fn is_clean(&self) -> bool {
        let is_fault = |noted: &Fault| noted.severity == Severity::Fault;
        !self.noted.borrow().iter().any(is_fault) && !self.elsewhere.borrow().iter().any(is_fault)
    }

    /// All that was noted, in the order of the file; what was noted of others follows.
    pub(super) fn finish(self) -> Vec<Fault> {
        let mut noted = self.noted.into_inner();
        noted.sort_by_key(|fault| fault.at);
        noted.append(&mut self.elsewhere.into_inner());
        noted
    }
}

/// A value and the path that leads to it.
#[derive(Clone)]
pub(super) struct Field<'t> {
    pub(super) node: &'t Node,
    pub(super) key: String,
    report: &'t Report,
}

impl<'t> Field<'t> {
    pub(super) fn root(node: &'t Node, report: &'t Report) -> Self {
        Self { node, key: String::new(), report }
    }

    /// The root of a file that stands for the value of `key` in another.
    pub(super) const fn named(node: &'t Node, key: String, report: &'t Report) -> Self {
        Self { node, key, report }
    }

    /// The same place with another value.
    pub(super) fn with<'n>(&self, node: &'n Node) -> Field<'n>
    where
        't: 'n,
    {
        Field { node, key: self.key.clone(), report: self.report }
    }

    /// Notes that the value is not what it may be.
    pub(super) fn fault(&self, allowed: impl Display) {
        self.fault_found(self.node.shown(), allowed);
    }

    /// As [`Field::fault`], saying in other words what was found.
    pub(super) fn fault_found(&self, found: impl Display, allowed: impl Display) {
        self.report.note(Severity::Fault, self.node.at, &self.key, found, allowed);
    }

    /// As [`Field::fault_found`], for the key of the value.
    pub(super) fn fault_at(&self, at: At, found: impl Display, allowed: impl Display) {
        self.report.note(Severity::Fault, at, &self.key, found, allowed);
    }

    /// As [`Field::fault_found`], of something that can be used all the same.
    pub(super) fn lint(&self, found: impl Display, better: impl Display) {
        self.report.note(Severity::Lint, self.node.at, &self.key, found, better);
    }

    /// The place of the value's key.
    pub(super) fn origin_at(&self, at: At) -> Origin {
        Origin { file: self.report.file().to_owned(), line: at.line as u32, column: at.column as u32 }
    }

    /// The scalar as `read` understands it.
    pub(super) fn scalar<T>(&self, allowed: impl Display, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = self.node.text().and_then(read);
        if value.is_none() {
            self.fault(allowed);
        }
        value
    }

    /// The items of a list.
    pub(super) fn items(&self, allowed: impl Display) -> Option<Vec<Self>> {
        let Value::List(items) = &self.node.value else {
            self.fault(allowed);
            return None;
        };
        let item = |(index, node)| Self { node, key: format!("{}[{index}]", self.key), report: self.report };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// The items of a list, or the one value that stands for a list.
    pub(super) fn each(&self) -> Vec<Self> {
        match &self.node.value {
            Value::List(_) => self.items("a list").unwrap_or_default(),
            _ => vec![self.clone()],
        }
    }

    /// The entries of a mapping: each key with its value. What is no key, or a key for the second time, is noted
    /// and left out.
    pub(super) fn entries(&self, allowed: impl Display) -> Option<Vec<(&'t str, At, Self)>> {
        let Value::Map(map) = &self.node.value else {
            self.fault(allowed);
            return None;
        };
        let mut entries: Vec<(&'t str, At, Self)> = Vec::with_capacity(map.len());
        let mut sorted: std::collections::BTreeMap<&str, At> = std::collections::BTreeMap::new();
        for (name, node) in map {
            let Some(text) = name.text() else {
                self.report.note(Severity::Fault, name.at, &self.key, name.shown(), "a word as key");
                continue;
            };
            let key = self.key_of(text);
            if let Some(first) = sorted.get(text) {
                let found = format!("{} again", quoted(text));
                let allowed = format!("each key once (the first is on line {})", first.line);
                self.report.note(Severity::Fault, name.at, &key, found, allowed);
                continue;
            }
            sorted.insert(text, name.at);
            entries.push((text, name.at, Self { node, key, report: self.report }));
        }
        Some(entries)
    }

    /// The mapping as a section of known keys.
    pub(super) fn section(&self, allowed: impl Display) -> Option<Section<'t>> {
        let entries = self.entries(allowed)?;
        Some(Section { field: self.clone(), entries, known: Vec::new() })
    }

    /// The path of an entry of this mapping.
    fn key_of(&self, name: &str) -> String {
        let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        let name = if is_word && !name.is_empty() { name.to_owned() } else { quoted(name) };
        if self.key.is_empty() { name } else { format!("{}.{name}", self.key) }
    }
}

/// A mapping whose keys are known: those that it was asked for until it is closed.
pub(super) struct Section<'t> {
    field: Field<'t>,
    entries: Vec<(&'t str, At, Field<'t>)>,
    known: Vec<&'static str>,
}

impl<'t> Section<'t> {
    /// The value of `key`; none if the key is absent or holds nothing.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Field<'t>> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        let (_, _, field) = self.entries.iter().find(|(name, _, _)| *name == key)?;
        (!field.node.is_null()).then(|| field.clone())
    }

    /// The value of a key that the section cannot do without.
    pub(super) fn require(&mut self, key: &'static str, allowed: &str) -> Option<Field<'t>> {
        let field = self.take(key);
        if field.is_none() {
            let key = self.field.key_of(key);
            self.field.report.note(Severity::Fault, self.field.node.at, &key, "nothing", allowed);
        }
        field
    }

    /// Notes every key that nobody asked for, and those asked for too early.
    pub(super) fn close(mut self) {
        let path = self.field.key.clone();
        for later in later::below(&path) {
            if let Some(field) = self.take(later.name()) {
                later.compare(&field);
            }
        }
        for (name, at, field) in &self.entries {
            if !self.known.contains(name) {
                self.field.note_unknown(name, *at, &field.key, &self.known);
            }
        }
    }

    /// A block that may be `off`: then it is none. An absent one is read as if it were empty.
    pub(super) fn block<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Section<'t>) -> T) -> Option<T> {
        let mut section = match self.take(key) {
            Some(field) if field.node.is_off() => return None,
            Some(field) => field.section("a mapping or off")?,
            None => {
                let key = self.field.key_of(key);
                Section { field: Field { key, ..self.field.clone() }, entries: Vec::new(), known: Vec::new() }
            }
        };
        let value = read(&mut section);
        section.close();
        Some(value)
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&mut self, key: &'static str, default: T, choices: &[(&str, T)]) -> T {
        let Some(field) = self.take(key) else { return default };
        let known = choices.iter().map(|(word, _)| *word);
        let word = if field.node.is_off() { Some("off") } else { field.node.text() };
        if let Some((_, value)) = choices.iter().find(|(choice, _)| Some(*choice) == word) {
            return *value;
        }
        field.fault(listed(known.clone(), word.and_then(|word| nearest(word, known))));
        default
    }

    /// `true` or `false`, `on` or `off`.
    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        let Some(field) = self.take(key) else { return default };
        let read = |text: &str| match text {
            "true" | "on" => Some(true),
            "false" | "off" => Some(false),
            _ => None,
        };
        field.scalar("true or false", read).unwrap_or(default)
    }

    /// A whole number within bounds.
    pub(super) fn number(&mut self, key: &'static str, default: u32, range: RangeInclusive<u32>) -> u32 {
        let Some(field) = self.take(key) else { return default };
        let allowed = format!("a number from {} to {}", range.start(), range.end());
        field.scalar(allowed, |text| text.parse().ok().filter(|n| range.contains(n))).unwrap_or(default)
    }

    /// A size within bounds.
    pub(super) fn size(&mut self, key: &'static str, default: u64, range: RangeInclusive<u64>) -> u64 {
        let Some(field) = self.take(key) else { return default };
        let (least, most) = (scalars::size_text(*range.start()), scalars::size_text(*range.end()));
        let allowed = format!("a size from {least} to {most}, such as 256MiB");
        field.scalar(allowed, |text| scalars::size(text).filter(|n| range.contains(n))).unwrap_or(default)
    }

    /// A duration within bounds.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        let Some(field) = self.take(key) else { return default };
        let allowed = format!("a duration {}, such as 1.8s or 500ms", span(&range));
        field.scalar(allowed, |text| scalars::duration(text).filter(|d| range.contains(d))).unwrap_or(default)
    }

    /// A duration of whole seconds within bounds, as TTLs are.
    pub(super) fn seconds(
        &mut self,
        key: &'static str,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        let Some(field) = self.take(key) else { return default };
        let allowed = format!("whole seconds {}, such as 30s or 1h", span(&range));
        let is_fit = |d: &Duration| d.subsec_nanos() == 0 && range.contains(d);
        field.scalar(allowed, |text| scalars::duration(text).filter(is_fit)).unwrap_or(default)
    }

    /// A file or folder; a relative one counts from `folder`.
    pub(super) fn path(&mut self, key: &'static str, folder: &Path) -> Option<PathBuf> {
        self.take(key).and_then(|field| field.path(folder))
    }
}

impl Field<'_> {
    /// A file or folder; a relative one counts from `folder`.
    pub(super) fn path(&self, folder: &Path) -> Option<PathBuf> {
        let is_path = |text: &str| !text.is_empty() && !text.contains('\0');
        let read = |text: &str| Some(text).filter(|text| is_path(text)).map(|text| folder.join(text));
        let path = self.scalar("the path of a file or folder", read);
        path.inspect(|path| self.note_path(path))
    }

    /// Notes a file or folder that is named here, so that it stays open to the server.
    pub(super) fn note_path(&self, path: &Path) {
        self.report.paths.borrow_mut().push(path.to_owned());
    }

    /// Notes a key that means nothing here.
    pub(super) fn note_unknown<'k>(&self, name: &str, at: At, key: &str, known: &[&'k str]) {
        let found = format!("the unknown key {}", quoted(name));
        let meant: Option<&'k str> = nearest(name, known.iter().copied());
        self.report.note(Severity::Fault, at, key, found, listed(known.iter().copied(), meant));
    }
}

/// `a, b or c`, and which of them was probably meant.
pub(super) fn listed<'w>(words: impl IntoIterator<Item = &'w str>, meant: Option<&str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    let text = match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => "nothing".to_owned(),
    };
    match meant {
        Some(meant) => format!("{text} (did you mean {meant}?)"),
        None => text,
    }
}

fn span(range: &RangeInclusive<Duration>) -> String {
    format!("from {} to {}", scalars::duration_text(*range.start()), scalars::duration_text(*range.end()))
}
