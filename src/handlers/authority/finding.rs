//! What is wrong with a zone: where it stands, what it is, and whether the zone can be served all the same.

use std::fmt;
use std::sync::Arc;

use crate::base::bounds;
use crate::dns::{Name, NameFault, RecordType};

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// The zone can be served, but hardly says what its author meant.
    Warning,
    /// The zone must not be served.
    Error,
}

/// A place in a master file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// The line, from 1; 0 for the zone as a whole.
    pub line: u32,
    /// The column in octets, from 1; 0 for the line as a whole.
    pub column: u32,
}

/// An error or a lint of a zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// What.
    pub fault: Fault,
}

impl Finding {
    /// How bad it is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.fault.severity()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity() {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let Place { file, line, column } = &self.place;
        match (line, column) {
            (0, _) => write!(f, "{file}: {severity}: {}", self.fault),
            (_, 0) => write!(f, "{file}:{line}: {severity}: {}", self.fault),
            _ => write!(f, "{file}:{line}:{column}: {severity}: {}", self.fault),
        }
    }
}

/// What can be wrong with a zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// `)` without `(`.
    ParenthesisUnopened,
    /// `(` without `)`.
    ParenthesisUnclosed,
    /// `"` without a second one on the line.
    QuoteUnclosed,
    /// No domain name.
    BadName {
        /// Why.
        why: NameFault,
        /// What stands there.
        found: Box<str>,
    },
    /// The first record of a file does not say whose it is.
    OwnerMissing,
    /// A line with an owner only.
    TypeMissing,
    /// Neither a type nor a class nor a TTL.
    UnknownType(Box<str>),
    /// A type that is no data: OPT, AXFR, ANY …
    MetaType(RecordType),
    /// A class that is not IN.
    ClassNotIn(Box<str>),
    /// No TTL is stated anywhere before; 3600 is taken.
    NoTtl,
    /// The record ends too early.
    Missing {
        /// What should follow.
        what: &'static str,
    },
    /// Something else than what should stand there.
    Bad {
        /// What should.
        what: &'static str,
        /// What does.
        found: Box<str>,
    },
    /// More than the record or directive can have.
    Trailing(Box<str>),
    /// RDATA of more than 65,535 octets, or a text of more than 255.
    TooLong {
        /// What is.
        what: &'static str,
    },
    /// The type can only be written in the form of RFC 3597 (`\# length hex`).
    NoPresentation(RecordType),
    /// `\#` with another number of octets than it says.
    GenericLength,
    /// `\#` with octets that the type cannot have.
    GenericMalformed(RecordType),
    /// `$` and an unknown word.
    UnknownDirective(Box<str>),
    /// An included file could not be read.
    Include {
        /// Its name.
        file: Box<str>,
        /// Why.
        why: Box<str>,
    },
    /// Files include each other too deeply, or too many of them.
    IncludeBound,
    /// `$GENERATE` makes too many records.
    GenerateBound,
    /// The zone takes more octets than a zone may.
    TooLarge,
    /// No SOA record at the apex.
    NoSoa,
    /// More than one SOA record.
    SeveralSoa,
    /// A SOA record below the apex.
    SoaBelowApex(Name),
    /// No NS record at the apex.
    NoNs,
    /// A record of another domain; it is ignored.
    OutOfZone(Name),
    /// CNAME and other data at one name (RFC 1034 §3.6.2).
    CnameBesideOther {
        /// The name.
        owner: Name,
        /// The other type.
        other: RecordType,
    },
    /// Several CNAME or DNAME records at one name (RFC 2181 §10.1, RFC 6672 §2.4).
    SeveralAliases {
        /// The name.
        owner: Name,
        /// The type.
        rtype: RecordType,
    },
    /// Several TTLs in one `RRset`; the first is taken (RFC 2181 §5.2).
    TtlDiffers {
        /// The owner.
        owner: Name,
        /// The type.
        rtype: RecordType,
        /// The TTL taken.
        taken: u32,
    },
    /// A record that is there twice; once is enough (RFC 2181 §5).
    Duplicate {
        /// The owner.
        owner: Name,
        /// The type.
        rtype: RecordType,
    },
    /// A record below a zone cut or a DNAME: it is never answered.
    Occluded {
        /// The owner.
        owner: Name,
        /// The type.
        rtype: RecordType,
    },
    /// A name server within the delegated zone has no address here (RFC 9471).
    MissingGlue {
        /// The zone cut.
        cut: Name,
        /// The name server.
        server: Name,
    },
    /// The target of an NS, MX or SRV record is an alias (RFC 2181 §10.3).
    TargetIsAlias {
        /// The owner.
        owner: Name,
        /// The type.
        rtype: RecordType,
        /// The target.
        target: Name,
    },
    /// The target of an NS, MX or SRV record lies in the zone and has no address.
    TargetWithoutAddress {
        /// The owner.
        owner: Name,
        /// The type.
        rtype: RecordType,
        /// The target.
        target: Name,
    },
    /// A name in which the zone's name stands twice: a dot is missing at its end.
    MissingDot(Name),
    /// An ALIAS record below the apex, where it is not answered.
    AliasBelowApex(Name),
    /// A DS record without NS records beside it (RFC 4035 §2.4).
    DsWithoutNs(Name),
    /// NS or DNAME at a wildcard, which has no defined meaning (RFC 4592 §4.2, §4.4).
    WildcardDelegation {
        /// The owner.
        owner: Name,
        /// The type.
        rtype: RecordType,
    },
    /// An NSEC3 record that is not directly below the apex, or whose owner is no hash.
    StrayNsec3(Name),
    /// A name that answers from a pool lies outside the zone.
    ChosenOutside(Name),
    /// A record of a type that the name answers from a pool.
    ChosenBesideOther {
        /// The name.
        owner: Name,
        /// The type.
        rtype: RecordType,
    },
    /// A name that answers from a pool is a zone cut, or lies below one or below a DNAME.
    ChosenOccluded(Name),
    /// A name that answers from a pool in a zone that is signed elsewhere.
    ChosenUnsigned(Name),
    /// More NSEC3 iterations than the bound allows (RFC 9276 §3.1).
    Nsec3Iterations(u16),
}

impl Fault {
    /// Whether the zone can be served all the same.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::NoTtl
            | Self::NoNs
            | Self::OutOfZone(_)
            | Self::TtlDiffers { .. }
            | Self::Duplicate { .. }
            | Self::Occluded { .. }
            | Self::MissingGlue { .. }
            | Self::TargetIsAlias { .. }
            | Self::TargetWithoutAddress { .. }
            | Self::MissingDot(_)
            | Self::AliasBelowApex(_)
            | Self::DsWithoutNs(_)
            | Self::WildcardDelegation { .. }
            | Self::StrayNsec3(_) => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ParenthesisUnopened => f.write_str("a ) without a ( before it"),
            Self::ParenthesisUnclosed => f.write_str("a ( that no ) closes"),
            Self::QuoteUnclosed => f.write_str("a \" that no second one closes on its line"),
            Self::BadName { why, found } => write!(f, "{found} is no domain name: {why}"),
            Self::OwnerMissing => f.write_str("the first record does not say whose it is"),
            Self::TypeMissing => f.write_str("the line ends before the record's type"),
            Self::UnknownType(found) => write!(f, "{found} is no record type"),
            Self::MetaType(rtype) => write!(f, "{rtype} is no type of data"),
            Self::ClassNotIn(found) => write!(f, "class {found}: only class IN is served"),
            Self::NoTtl => f.write_str("no TTL is stated here or before; 3600 is taken"),
            Self::Missing { what } => write!(f, "the line ends before {what}"),
            Self::Bad { what, found } => write!(f, "{found} stands where {what} belongs"),
            Self::Trailing(found) => write!(f, "{found} stands after the end"),
            Self::TooLong { what } => write!(f, "{what} is too long"),
            Self::NoPresentation(rtype) => write!(f, "{rtype} can only be written as \\# length hex"),
            Self::GenericLength => f.write_str("\\# and another number of octets than it says"),
            Self::GenericMalformed(rtype) => write!(f, "these octets are no {rtype} record"),
            Self::UnknownDirective(found) => write!(f, "{found} is no directive: $ORIGIN $TTL $INCLUDE $GENERATE are"),
            Self::Include { file, why } => write!(f, "{file} cannot be included: {why}"),
            Self::IncludeBound => f.write_str("files include each other too deeply, or too many of them"),
            Self::GenerateBound => f.write_str("$GENERATE makes too many records"),
            Self::TooLarge => f.write_str("the zone is too large"),
            Self::NoSoa => f.write_str("the zone has no SOA record"),
            Self::SeveralSoa => f.write_str("the zone has several SOA records"),
            Self::SoaBelowApex(owner) => write!(f, "{owner} has an SOA record but is not the zone's apex"),
            Self::NoNs => f.write_str("the zone's apex has no NS record"),
            Self::OutOfZone(owner) => write!(f, "{owner} lies outside the zone and is ignored"),
            Self::CnameBesideOther { owner, other } => write!(f, "{owner} has both CNAME and {other}"),
            Self::SeveralAliases { owner, rtype } => write!(f, "{owner} has several {rtype} records"),
            Self::TtlDiffers { owner, rtype, taken } => {
                write!(f, "the {rtype} records of {owner} differ in their TTL; {taken} is taken")
            }
            Self::Duplicate { owner, rtype } => write!(f, "this {rtype} record of {owner} is there already"),
            Self::Occluded { owner, rtype } => {
                write!(f, "{owner} {rtype} lies below a zone cut or a DNAME and is never answered")
            }
            Self::MissingGlue { cut, server } => write!(f, "{cut} is delegated to {server}, which has no address here"),
            Self::TargetIsAlias { owner, rtype, target } => {
                write!(f, "{owner} {rtype} points to {target}, which is an alias")
            }
            Self::TargetWithoutAddress { owner, rtype, target } => {
                write!(f, "{owner} {rtype} points to {target}, which has no address in this zone")
            }
            Self::MissingDot(name) => write!(f, "{name}: is a dot missing at the end of the name?"),
            Self::AliasBelowApex(owner) => {
                write!(f, "{owner} has ALIAS, which counts at the apex only; CNAME does here")
            }
            Self::DsWithoutNs(owner) => write!(f, "{owner} has DS but no NS records"),
            Self::WildcardDelegation { owner, rtype } => write!(f, "{rtype} at the wildcard {owner} means nothing"),
            Self::StrayNsec3(owner) => write!(f, "{owner} has NSEC3 records but its name is no hash at the apex"),
            Self::ChosenOutside(owner) => write!(f, "{owner} answers from a pool and lies outside the zone"),
            Self::ChosenBesideOther { owner, rtype } => {
                write!(f, "{owner} {rtype} stands here, but the name answers that type from a pool")
            }
            Self::ChosenOccluded(owner) => {
                write!(f, "{owner} answers from a pool, but is delegated, or lies below a delegation or DNAME")
            }
            Self::ChosenUnsigned(owner) => {
                write!(f, "{owner} answers from a pool, and this zone, signed elsewhere, has no signatures for that")
            }
            Self::Nsec3Iterations(count) => write!(f, "{count} NSEC3 iterations are too many"),
        }
    }
}

/// The findings of a zone, up to a bound.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    kept: Vec<Finding>,
    untold: usize,
    has_errors: bool,
}

impl Findings {
    /// Adds a finding, or counts it where there are too many already. Errors push warnings out.
    pub fn push(&mut self, place: Place, fault: Fault) {
        let is_error = fault.severity() == Severity::Error;
        self.has_errors |= is_error;
        if self.kept.len() >= bounds::ZONE_FINDINGS_MAX {
            self.untold += 1;
            match self.kept.iter().rposition(|kept| is_error && kept.severity() == Severity::Warning) {
                Some(warning) => drop(self.kept.remove(warning)),
                None => return,
            }
        }
        self.kept.push(Finding { place, fault });
    }

    /// The findings, in the order in which they were made.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.kept.iter()
    }

    /// How many more there were.
    #[must_use]
    pub const fn untold(&self) -> usize {
        self.untold
    }

    /// Whether the zone must not be served.
    #[must_use]
    pub const fn has_errors(&self) -> bool {
        self.has_errors
    }

    /// Whether there is nothing to say.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}
