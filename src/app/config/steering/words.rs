//! Values that several of these blocks have: names, numbers, shares, references to what was named elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::cursor::{Field, Section};
use super::super::fault::{At, nearest};
use super::super::raw::quoted;
use super::super::scalars;
use crate::steer::hashing::hash_bytes;

/// The longest name of a check, feed, pool, member, policy or group, octets.
const NAME_MAX: usize = 63;
const NAME: &str = "a name of 1 to 63 letters, digits, `-`, `_` or `.`";

/// Whether a text may name something: names stand in paths, patterns and labels.
fn is_name(text: &str) -> bool {
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
    (1..=NAME_MAX).contains(&text.len()) && text.bytes().all(is_plain)
}

/// A value that names something.
pub(super) fn name(field: &Field<'_>) -> Option<Box<str>> {
    field.scalar(NAME, |text| is_name(text).then(|| text.into()))
}

/// The entries of a block that are named well; others are noted.
pub(super) fn named<'t>(top: &mut Section<'t>, key: &'static str, form: &str) -> Vec<(&'t str, At, Field<'t>)> {
    let Some(field) = top.take(key).filter(|field| !field.node.is_off()) else { return Vec::new() };
    members(&field, form)
}

/// As [`named`], of a mapping.
pub(super) fn members<'t>(field: &Field<'t>, form: &str) -> Vec<(&'t str, At, Field<'t>)> {
    let mut entries = field.entries(form).unwrap_or_default();
    entries.retain(|(text, at, field)| {
        if !is_name(text) {
            field.fault_at(*at, quoted(text), NAME);
        }
        is_name(text)
    });
    entries
}

/// Things by name, and in their order.
#[derive(Clone, Debug)]
pub(super) struct Named<T> {
    what: &'static str,
    order: Vec<Arc<T>>,
    by_name: BTreeMap<Box<str>, usize>,
}

impl<T> Named<T> {
    /// None yet of what stands in the block `what`.
    pub(super) const fn new(what: &'static str) -> Self {
        Self { what, order: Vec::new(), by_name: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, name: &str, thing: T) {
        self.by_name.insert(name.into(), self.order.len());
        self.order.push(Arc::new(thing));
    }

    pub(super) fn get(&self, name: &str) -> Option<(usize, &Arc<T>)> {
        let at = *self.by_name.get(name)?;
        self.order.get(at).map(|thing| (at, thing))
    }

    pub(super) fn all(&self) -> &[Arc<T>] {
        &self.order
    }

    /// The thing that the value names, and its position.
    pub(super) fn of(&self, field: &Field<'_>) -> Option<(usize, Arc<T>)> {
        let found = field.node.text().and_then(|text| self.get(text));
        if found.is_none() {
            field.fault(self.allowed(field.node.text().unwrap_or_default()));
        }
        found.map(|(at, thing)| (at, Arc::clone(thing)))
    }

    /// What may be named instead of `word`.
    pub(super) fn allowed(&self, word: &str) -> String {
        const SHOWN: usize = 12; // of thousands nobody reads more
        let what = self.what;
        let names = || self.by_name.keys().map(|name| &**name);
        let some: Vec<&str> = names().take(SHOWN).collect();
        let meant = nearest(word, names()).map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default();
        if some.is_empty() {
            return format!("the name of something under `{what}:`, where nothing stands yet");
        }
        let more = if self.by_name.len() > SHOWN { ", …" } else { "" };
        format!("a name under `{what}:`: {}{more}{meant}", some.join(", "))
    }
}

/// A number, whole or decimal.
pub(super) fn number(field: &Field<'_>, allowed: &str, is_fit: impl Fn(f64) -> bool) -> Option<f64> {
    field.scalar(allowed, |text| text.parse().ok().filter(|&number: &f64| number.is_finite() && is_fit(number)))
}

/// A share: a percentage, or a number from 0 to 1.
pub(super) fn share(field: &Field<'_>) -> Option<f64> {
    let read = |text: &str| match scalars::share(text) {
        Some(millionths) => Some(f64::from(millionths) / 1e6),
        None => text.parse().ok().filter(|share| (0.0..=1.0).contains(share)),
    };
    field.scalar("a share such as 10% or 0.1, at most 100%", read)
}

/// A text that is not empty.
pub(super) fn text(field: &Field<'_>) -> Option<Box<str>> {
    field.scalar("a text", |text| (!text.is_empty()).then(|| text.into()))
}

/// A number that all who read the same text know.
pub(super) fn digest(text: &[u8]) -> u64 {
    hash_bytes(0, text)
}
