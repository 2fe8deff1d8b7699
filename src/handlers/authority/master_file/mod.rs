//! Master files (RFC 1035 §5): text comes in, records leave for the [`Builder`], every fault with its place.
//!
//! A faulty line costs only itself: reading goes on behind it, so that all faults of a file are told at once.
//! Files that are included are read by whoever calls; nothing here opens one.

mod encoding;
mod generate;
mod lexer;
mod loc;
mod read;
mod schema;
mod special;
mod svcb;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use encoding::decode_base64;
pub(super) use read::is_lawful;
pub(super) use schema::{lowered, target};
pub use write::rdata as write_rdata;

use super::build::{Builder, Entry};
use super::finding::Fault;
use crate::base::bounds;
use crate::dns::{Name, RecordType, RrSet};
use lexer::{Lexer, Spot, Word};

/// How an included file is read: given the including file and the name written there, its own path and text,
/// or why it cannot be read.
pub type Include<'i> = dyn FnMut(&str, &str) -> Result<(String, Vec<u8>), String> + 'i;

/// An [`Include`] for texts that stand alone.
///
/// # Errors
/// Always.
pub fn no_include(_including: &str, _name: &str) -> Result<(String, Vec<u8>), String> {
    Err("there are no files here".into())
}

/// Taken where a file states no TTL at all.
const TTL_UNSTATED: u32 = 3_600;

/// Reads the master file `text`, called `file` in faults, into `builder`. Names are relative to the builder's
/// origin until `$ORIGIN` says otherwise.
pub fn read(text: &[u8], file: &str, include: &mut Include<'_>, builder: &mut Builder) {
    let mut scope = Scope {
        file: builder.add_file(file),
        origin: builder.origin().clone(),
        owner: Vec::new(),
        is_owner_faulty: false,
        default_ttl: None,
        last_ttl: None,
        depth: 0,
    };
    Reader { builder, include, files_read: 0, generated: 0, rdata: Vec::new() }.file(text, &mut scope);
}

/// What holds until a directive or a record changes it; an included file begins with a copy, which ends with it.
#[derive(Clone)]
struct Scope {
    file: u16,
    origin: Name,
    /// The wire form of the last record's owner; empty before the first.
    owner: Vec<u8>,
    /// Whether the last owner was no name: the lines that depend on it are passed over.
    is_owner_faulty: bool,
    /// The TTL of the last `$TTL` (RFC 2308 §4).
    default_ttl: Option<u32>,
    /// The last TTL that a record stated (RFC 1035 §5.1).
    last_ttl: Option<u32>,
    depth: usize,
}

struct Reader<'r> {
    builder: &'r mut Builder,
    include: &'r mut Include<'r>,
    files_read: usize,
    generated: u64,
    /// The RDATA of the record at hand.
    rdata: Vec<u8>,
}

impl Reader<'_> {
    fn file(&mut self, text: &[u8], scope: &mut Scope) {
        let mut lexer = Lexer::new(text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text), 1);
        while let Some(starts_blank) = lexer.begin_line() {
            if let Err(fault) = self.line(&mut lexer, scope, starts_blank) {
                self.builder.fault(scope.file, lexer.last(), fault);
            }
            lexer.skip_line();
        }
    }

    fn line(&mut self, lexer: &mut Lexer<'_>, scope: &mut Scope, starts_blank: bool) -> Result<(), Fault> {
        let Some(first) = lexer.word()? else { return Ok(()) };
        if !starts_blank && !first.is_quoted && first.bytes.starts_with(b"$") {
            return self.directive(lexer, scope, first);
        }
        if starts_blank {
            if scope.is_owner_faulty {
                return Ok(());
            }
            if scope.owner.is_empty() {
                return Err(Fault::OwnerMissing);
            }
            lexer.unread(first);
        } else {
            scope.owner.clear();
            scope.is_owner_faulty = true;
            read::name(first.bytes, &scope.origin, &mut scope.owner)?;
            scope.is_owner_faulty = false;
        }
        self.record(lexer, scope, first.at)
    }

    /// Reads a record behind its owner: TTL and class in either order or left out, type, RDATA.
    fn record(&mut self, lexer: &mut Lexer<'_>, scope: &mut Scope, at: Spot) -> Result<(), Fault> {
        let (ttl, rtype) = front(lexer)?;
        read::rdata(lexer, &scope.origin, rtype, &mut self.rdata)?;
        if ttl.is_some() {
            scope.last_ttl = ttl;
        }
        let ttl = ttl.or(scope.default_ttl).or(scope.last_ttl).unwrap_or_else(|| {
            // A SOA without TTL counts with its minimum, as every server reads it.
            let minimum = self.rdata.last_chunk::<4>().filter(|_| rtype == RecordType::SOA);
            if minimum.is_none() {
                self.builder.fault(scope.file, at, Fault::NoTtl);
            }
            let ttl = minimum.map_or(TTL_UNSTATED, |octets| u32::from_be_bytes(*octets));
            scope.last_ttl = Some(ttl);
            ttl
        });
        self.builder.add(&Entry {
            owner: &scope.owner,
            rtype,
            ttl,
            rdata: &self.rdata,
            file: scope.file,
            line: at.line,
        });
        Ok(())
    }

    fn directive(&mut self, lexer: &mut Lexer<'_>, scope: &mut Scope, word: Word<'_>) -> Result<(), Fault> {
        let is = |name: &[u8]| word.bytes.eq_ignore_ascii_case(name);
        if is(b"$TTL") {
            let word = lexer.word()?.ok_or(Fault::Missing { what: "a TTL" })?;
            scope.default_ttl = Some(ttl_of(word)?);
        } else if is(b"$ORIGIN") {
            scope.origin = name_of(lexer, &scope.origin)?;
        } else if is(b"$INCLUDE") {
            return self.include(lexer, scope);
        } else if is(b"$GENERATE") {
            return self.generate(lexer, scope, word.at);
        } else {
            return Err(Fault::UnknownDirective(read::shown(word.bytes)));
        }
        end(lexer)
    }

    /// `$INCLUDE file [origin]` (RFC 1035 §5.1): origin, owner and TTLs are afterwards as they were before.
    fn include(&mut self, lexer: &mut Lexer<'_>, scope: &mut Scope) -> Result<(), Fault> {
        let word = lexer.word()?.ok_or(Fault::Missing { what: "a file's name" })?;
        let at = word.at;
        let mut name = Vec::new();
        read::unescape(word.bytes, &mut name)?;
        let name = String::from_utf8_lossy(&name);
        let mut inner = Scope { depth: scope.depth + 1, ..scope.clone() };
        if let Some(word) = lexer.word()? {
            lexer.unread(word);
            inner.origin = name_of(lexer, &scope.origin)?;
        }
        end(lexer)?;
        self.files_read += 1;
        if inner.depth > bounds::INCLUDE_DEPTH_MAX || self.files_read > bounds::INCLUDED_FILES_MAX {
            return Err(Fault::IncludeBound);
        }
        match (self.include)(self.builder.file_name(scope.file), &name) {
            Ok((path, text)) => {
                inner.file = self.builder.add_file(&path);
                self.file(&text, &mut inner);
            }
            Err(why) => {
                let fault = Fault::Include { file: name.into(), why: why.into() };
                self.builder.fault(scope.file, at, fault);
            }
        }
        Ok(())
    }

    /// `$GENERATE start-stop[/step] owner [TTL] [class] type RDATA`, `$` standing for the number.
    fn generate(&mut self, lexer: &mut Lexer<'_>, scope: &mut Scope, at: Spot) -> Result<(), Fault> {
        let word = lexer.word()?.ok_or(Fault::Missing { what: "a range start-stop[/step]" })?;
        let range = generate::Range::parse(word)?;
        let mut template = Vec::new();
        while let Some(word) = lexer.word()? {
            template.push(word);
        }
        self.generated = self.generated.saturating_add(range.size());
        if self.generated > bounds::GENERATED_RECORDS_MAX {
            return Err(Fault::GenerateBound);
        }
        let mut line = Vec::new();
        for number in range {
            line.clear();
            for word in &template {
                generate::expand(*word, number, &mut line)?;
                line.push(b' ');
            }
            let mut inner = Lexer::new(&line, at.line);
            if inner.begin_line().is_none() {
                return Err(Fault::Missing { what: "an owner" });
            }
            let owner = inner.word()?.ok_or(Fault::Missing { what: "an owner" })?;
            scope.owner.clear();
            read::name(owner.bytes, &scope.origin, &mut scope.owner)?;
            self.record(&mut inner, scope, at)?;
        }
        Ok(())
    }
}

/// Reads a record that stands alone, such as `www.example.com. 60 IN A 192.0.2.1`; all its names are whole.
///
/// # Errors
/// What is wrong with it.
pub fn record(text: &str) -> Result<RrSet, Fault> {
    let (root, mut owner, mut rdata) = (Name::root(), Vec::new(), Vec::new());
    let mut lexer = Lexer::new(text.as_bytes(), 1);
    let first = if lexer.begin_line().is_some() { lexer.word()? } else { None };
    let first = first.ok_or(Fault::OwnerMissing)?;
    read::name(first.bytes, &root, &mut owner)?;
    let (ttl, rtype) = front(&mut lexer)?;
    read::rdata(&mut lexer, &root, rtype, &mut rdata)?;
    lexer.skip_line();
    if lexer.begin_line().is_some()
        && let Some(word) = lexer.word()?
    {
        return Err(Fault::Trailing(read::shown(word.bytes)));
    }
    let (owner, _) = Name::from_wire(&owner).map_err(|why| Fault::BadName { why, found: read::shown(first.bytes) })?;
    Ok(RrSet::new(owner, rtype, ttl.unwrap_or(TTL_UNSTATED), [rdata]))
}

/// What stands between a record's owner and its data: a TTL and class IN in either order or left out, and the type.
fn front(lexer: &mut Lexer<'_>) -> Result<(Option<u32>, RecordType), Fault> {
    let (mut ttl, mut has_class) = (None, false);
    let rtype = loop {
        let word = lexer.word()?.ok_or(Fault::TypeMissing)?;
        if ttl.is_none() && word.bytes.first().is_some_and(u8::is_ascii_digit) {
            ttl = Some(ttl_of(word)?);
        } else if !has_class && is_class(word)? {
            has_class = true;
        } else {
            break read::type_of(word)?;
        }
    };
    if rtype.is_meta() && !matches!(rtype, RecordType::NXT) {
        return Err(Fault::MetaType(rtype));
    }
    Ok((ttl, rtype))
}

fn ttl_of(word: Word<'_>) -> Result<u32, Fault> {
    // RFC 2181 §8: at most 2³¹ − 1.
    read::period(word.bytes).filter(|&ttl| i32::try_from(ttl).is_ok()).ok_or_else(|| read::bad("a TTL", word))
}

fn name_of(lexer: &mut Lexer<'_>, origin: &Name) -> Result<Name, Fault> {
    let word = lexer.word()?.ok_or(Fault::Missing { what: "a domain name" })?;
    let mut wire = Vec::new();
    read::name(word.bytes, origin, &mut wire)?;
    Name::from_wire(&wire).map(|(name, _)| name).map_err(|why| Fault::BadName { why, found: read::shown(word.bytes) })
}

fn end(lexer: &mut Lexer<'_>) -> Result<(), Fault> {
    match lexer.word()? {
        None => Ok(()),
        Some(word) => Err(Fault::Trailing(read::shown(word.bytes))),
    }
}

/// Whether a word is class IN.
///
/// # Errors
/// [`Fault::ClassNotIn`] for any other class.
fn is_class(word: Word<'_>) -> Result<bool, Fault> {
    let is = |name: &[u8]| word.bytes.eq_ignore_ascii_case(name);
    if is(b"IN") || is(b"CLASS1") {
        return Ok(true);
    }
    let is_numbered = word
        .bytes
        .split_at_checked(5)
        .is_some_and(|(head, number)| head.eq_ignore_ascii_case(b"CLASS") && read::number(number).is_some());
    if is(b"CH") || is(b"HS") || is(b"CS") || is_numbered {
        return Err(Fault::ClassNotIn(read::shown(word.bytes)));
    }
    Ok(false)
}
