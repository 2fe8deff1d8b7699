//! Domain names in their wire form: comparison without letter case, letter case kept (RFC 4343).

use std::cmp::Ordering;
use std::fmt::{self, Write};
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use smallvec::SmallVec;

/// Octets of a name on the wire, the root's octet included (RFC 1035 §3.1).
pub const NAME_MAX: usize = 255;
/// Octets of a label (RFC 1035 §3.1).
pub const LABEL_MAX: usize = 63;

/// An absolute domain name: uncompressed wire form, letters as they came.
///
/// Two names are equal, hash alike and sort together whatever the case of their letters; the order is the
/// canonical one of RFC 4034 §6.1.
#[derive(Clone)]
pub struct Name {
    wire: SmallVec<[u8; 24]>,
}

/// Why something is no name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NameFault {
    /// Longer than 255 octets.
    TooLong,
    /// A label is longer than 63 octets.
    LabelTooLong,
    /// A label is empty before the end.
    EmptyLabel,
    /// A `\` is not followed by a character or by a number from 000 to 255.
    BadEscape,
    /// The wire form ends before the name does, or uses an unknown kind of label.
    BadWire,
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the name is longer than 255 octets",
            Self::LabelTooLong => "a label is longer than 63 octets",
            Self::EmptyLabel => "a label is empty",
            Self::BadEscape => "a \\ is not followed by a character or by three digits up to 255",
            Self::BadWire => "the name is cut short or has an unknown kind of label",
        })
    }
}

impl std::error::Error for NameFault {}

impl Name {
    /// The root, `.`.
    #[must_use]
    pub fn root() -> Self {
        Self { wire: SmallVec::from_slice(&[0]) }
    }

    /// The uncompressed name at the start of `bytes`, and its length there.
    ///
    /// # Errors
    /// [`NameFault::BadWire`] for a compression pointer, an unknown label kind or an early end;
    /// [`NameFault::TooLong`] past 255 octets.
    pub fn from_wire(bytes: &[u8]) -> Result<(Self, usize), NameFault> {
        let mut end = 0;
        loop {
            match bytes.get(end) {
                Some(0) => {
                    end += 1;
                    break;
                }
                Some(&length) if usize::from(length) <= LABEL_MAX => end += 1 + usize::from(length),
                _ => return Err(NameFault::BadWire),
            }
            if end >= NAME_MAX {
                return Err(NameFault::TooLong);
            }
        }
        let wire = bytes.get(..end).ok_or(NameFault::BadWire)?;
        Ok((Self { wire: SmallVec::from_slice(wire) }, end))
    }

    /// A name of wire bytes that the caller has just walked and found whole.
    pub(crate) fn from_checked_wire(wire: &[u8]) -> Self {
        debug_assert!(Self::from_wire(wire).is_ok_and(|(_, length)| length == wire.len()));
        Self { wire: SmallVec::from_slice(wire) }
    }

    /// A name of `labels`, the leftmost first, without the root's.
    ///
    /// # Errors
    /// [`NameFault::EmptyLabel`], [`NameFault::LabelTooLong`] or [`NameFault::TooLong`].
    pub fn from_labels<'a>(labels: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, NameFault> {
        let mut wire = SmallVec::new();
        for label in labels {
            match label.len() {
                0 => return Err(NameFault::EmptyLabel),
                1..=LABEL_MAX => {}
                _ => return Err(NameFault::LabelTooLong),
            }
            wire.push(label.len() as u8);
            wire.extend_from_slice(label);
        }
        wire.push(0);
        if wire.len() > NAME_MAX { Err(NameFault::TooLong) } else { Ok(Self { wire }) }
    }

    /// The uncompressed wire form, the root's octet included.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// The labels, the leftmost first, without the root's.
    #[must_use]
    pub fn labels(&self) -> Labels<'_> {
        Labels { rest: &self.wire }
    }

    /// The number of labels without the root's.
    #[must_use]
    pub fn label_count(&self) -> usize {
        self.labels().count()
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.wire.len() == 1
    }

    /// Whether the leftmost label is `*` (RFC 4592 §2.1.1).
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.wire.starts_with(&[1, b'*'])
    }

    /// The name without its leftmost label; none for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let first = usize::from(*self.wire.first()?);
        if first == 0 {
            return None;
        }
        Some(Self { wire: SmallVec::from_slice(self.wire.get(1 + first..)?) })
    }

    /// The rightmost `count` labels; the whole name if it has no more.
    #[must_use]
    pub fn suffix(&self, count: usize) -> Self {
        let skip = self.label_count().saturating_sub(count);
        let mut at = 0;
        for label in self.labels().take(skip) {
            at += 1 + label.len();
        }
        Self { wire: SmallVec::from_slice(self.wire.get(at..).unwrap_or(&[0])) }
    }

    /// The name with `label` in front.
    ///
    /// # Errors
    /// As [`Name::from_labels`].
    pub fn child(&self, label: &[u8]) -> Result<Self, NameFault> {
        Self::from_labels(std::iter::once(label).chain(self.labels()))
    }

    /// Whether the name is `ancestor` or lies below it.
    #[must_use]
    pub fn is_within(&self, ancestor: &Self) -> bool {
        let Some(skip) = self.wire.len().checked_sub(ancestor.wire.len()) else { return false };
        let mut at = 0;
        while at < skip {
            match self.wire.get(at) {
                Some(&length) => at += 1 + usize::from(length),
                None => return false,
            }
        }
        at == skip && self.wire.get(skip..).is_some_and(|tail| tail.eq_ignore_ascii_case(&ancestor.wire))
    }

    /// Whether the name lies below `ancestor` and is not it.
    #[must_use]
    pub fn is_below(&self, ancestor: &Self) -> bool {
        self.wire.len() > ancestor.wire.len() && self.is_within(ancestor)
    }

    /// The name with its ending `from` replaced by `to`, as DNAME does (RFC 6672 §2.2); none if it does not
    /// lie within `from`.
    ///
    /// # Errors
    /// [`NameFault::TooLong`]: the answer is then YXDOMAIN (RFC 6672 §2.2).
    pub fn with_ending(&self, from: &Self, to: &Self) -> Option<Result<Self, NameFault>> {
        if !self.is_within(from) {
            return None;
        }
        let head = self.wire.get(..self.wire.len() - from.wire.len())?;
        if head.len() + to.wire.len() > NAME_MAX {
            return Some(Err(NameFault::TooLong));
        }
        let mut wire = SmallVec::from_slice(head);
        wire.extend_from_slice(&to.wire);
        Some(Ok(Self { wire }))
    }

    /// The name with all letters small.
    #[must_use]
    pub fn lowered(&self) -> Self {
        let mut name = self.clone();
        name.wire.make_ascii_lowercase(); // a length octet is at most 63, no capital letter
        name
    }

    /// Whether both names are the same to the letter, case included.
    #[must_use]
    pub fn is_same_case(&self, other: &Self) -> bool {
        self.wire == other.wire
    }
}

/// The labels of a name, the leftmost first.
#[derive(Clone, Debug)]
pub struct Labels<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (&length, tail) = self.rest.split_first()?;
        if length == 0 {
            return None;
        }
        let (label, rest) = tail.split_at_checked(usize::from(length))?;
        self.rest = rest;
        Some(label)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.wire.eq_ignore_ascii_case(&other.wire)
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut lowered = [0u8; NAME_MAX];
        let length = self.wire.len().min(NAME_MAX);
        if let (Some(into), Some(from)) = (lowered.get_mut(..length), self.wire.get(..length)) {
            into.copy_from_slice(from);
            into.make_ascii_lowercase();
            state.write(into);
        }
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        let mine: SmallVec<[&[u8]; 16]> = self.labels().collect();
        let theirs: SmallVec<[&[u8]; 16]> = other.labels().collect();
        for (a, b) in mine.iter().rev().zip(theirs.iter().rev()) {
            let order = a.iter().map(u8::to_ascii_lowercase).cmp(b.iter().map(u8::to_ascii_lowercase));
            if order != Ordering::Equal {
                return order;
            }
        }
        mine.len().cmp(&theirs.len())
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.pad(".");
        }
        let mut text = String::with_capacity(self.wire.len());
        for label in self.labels() {
            for &octet in label {
                match octet {
                    b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$' => {
                        text.push('\\');
                        text.push(char::from(octet));
                    }
                    b'!'..=b'~' => text.push(char::from(octet)),
                    other => write!(text, "\\{other:03}")?,
                }
            }
            text.push('.');
        }
        f.pad(&text)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Name {
    type Err = NameFault;

    /// Reads a name in master-file form (RFC 1035 §5.1); a missing dot at the end is supplied.
    fn from_str(text: &str) -> Result<Self, NameFault> {
        if text == "." {
            return Ok(Self::root());
        }
        let mut wire: SmallVec<[u8; 24]> = SmallVec::new();
        let mut label: SmallVec<[u8; 64]> = SmallVec::new();
        let mut bytes = text.bytes();
        let mut is_open = true; // a label may still follow
        while let Some(byte) = bytes.next() {
            is_open = true;
            match byte {
                b'.' => {
                    close_label(&mut wire, &mut label)?;
                    is_open = false;
                }
                b'\\' => label.push(unescape(&mut bytes)?),
                plain => label.push(plain),
            }
        }
        if is_open {
            close_label(&mut wire, &mut label)?;
        }
        wire.push(0);
        if wire.len() > NAME_MAX { Err(NameFault::TooLong) } else { Ok(Self { wire }) }
    }
}

fn close_label(wire: &mut SmallVec<[u8; 24]>, label: &mut SmallVec<[u8; 64]>) -> Result<(), NameFault> {
    match label.len() {
        0 => return Err(NameFault::EmptyLabel),
        1..=LABEL_MAX => {}
        _ => return Err(NameFault::LabelTooLong),
    }
    wire.push(label.len() as u8);
    wire.extend_from_slice(label);
    label.clear();
    if wire.len() >= NAME_MAX { Err(NameFault::TooLong) } else { Ok(()) }
}

fn unescape(bytes: &mut std::str::Bytes<'_>) -> Result<u8, NameFault> {
    let first = bytes.next().ok_or(NameFault::BadEscape)?;
    if !first.is_ascii_digit() {
        return Ok(first);
    }
    let mut value = u16::from(first - b'0');
    for _ in 0..2 {
        let digit = bytes.next().filter(u8::is_ascii_digit).ok_or(NameFault::BadEscape)?;
        value = value * 10 + u16::from(digit - b'0');
    }
    u8::try_from(value).map_err(|_| NameFault::BadEscape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn letter_case_is_kept_but_does_not_count() {
        assert_eq!(name("Www.Example."), name("wWW.eXAMPLE"));
        assert_eq!(name("Www.Example.").to_string(), "Www.Example.");
        assert!(!name("A.").is_same_case(&name("a.")));
    }

    #[test]
    fn escapes_read_back_as_written() {
        for text in [r"a\.b.example.", r"\000\255.example.", r"a\\b.", "*.example.", "."] {
            assert_eq!(name(text).to_string(), text);
        }
        assert_eq!(r"\256.".parse::<Name>(), Err(NameFault::BadEscape));
        assert_eq!("a..b".parse::<Name>(), Err(NameFault::EmptyLabel));
        assert_eq!("".parse::<Name>(), Err(NameFault::EmptyLabel));
        assert_eq!(format!("{}.", "a".repeat(64)).parse::<Name>(), Err(NameFault::LabelTooLong));
    }

    #[test]
    fn the_longest_name_is_255_octets() {
        let longest = format!("{0}.{0}.{0}.{1}.", "a".repeat(63), "b".repeat(61));
        assert_eq!(name(&longest).wire().len(), NAME_MAX);
        assert_eq!(Name::from_wire(name(&longest).wire()).map(|(_, n)| n), Ok(NAME_MAX));
        assert_eq!(
            format!("{0}.{0}.{0}.{1}.", "a".repeat(63), "b".repeat(62)).parse::<Name>(),
            Err(NameFault::TooLong)
        );
    }

    #[test]
    fn within_respects_label_borders() {
        assert!(name("www.example.").is_within(&name("EXAMPLE.")));
        assert!(name("example.").is_within(&name("example.")));
        assert!(!name("example.").is_below(&name("example.")));
        assert!(!name("wwwexample.").is_within(&name("example.")));
        assert!(name("example.").is_below(&Name::root()));
        // A label whose content looks like a whole name is still one label.
        assert!(!name(r"\007example.").is_within(&name("example.")));
    }

    #[test]
    fn the_canonical_order_is_that_of_rfc_4034() {
        let ordered = [
            "example.",
            "a.example.",
            "yljkjljk.a.example.",
            "Z.a.example.",
            "zABC.a.EXAMPLE.",
            "z.example.",
            r"\001.z.example.",
            "*.z.example.",
            r"\200.z.example.",
        ];
        let mut names: Vec<Name> = ordered.iter().rev().map(|text| name(text)).collect();
        names.sort();
        assert_eq!(names, ordered.iter().map(|text| name(text)).collect::<Vec<_>>());
    }

    #[test]
    fn an_ending_is_replaced_as_dname_does() {
        let moved =
            name("a.b.old.example.").with_ending(&name("old.example."), &name("new.example.")).unwrap().unwrap();
        assert_eq!(moved, name("a.b.new.example."));
        assert!(name("a.example.").with_ending(&name("old.example."), &name("x.")).is_none());
        let long = format!("{0}.{0}.{0}.", "a".repeat(63));
        assert_eq!(
            name("b.a.").with_ending(&name("a."), &name(&(long.clone() + &"c".repeat(60)))),
            Some(Err(NameFault::TooLong))
        );
    }

    #[test]
    fn suffix_and_parent_walk_up() {
        assert_eq!(name("a.b.c.").suffix(2), name("b.c."));
        assert_eq!(name("a.b.c.").suffix(0), Name::root());
        assert_eq!(name("a.b.c.").suffix(9), name("a.b.c."));
        assert_eq!(name("a.").parent(), Some(Name::root()));
        assert_eq!(Name::root().parent(), None);
    }
}
