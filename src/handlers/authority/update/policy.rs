//! Which key may change what: rules of names and types, one list a zone.

use super::super::master_file;
use crate::dns::{Name, Record, RecordType};

/// Names that a rule speaks of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Names {
    /// This name alone.
    Exactly(Name),
    /// All names below this one, at any depth: `*.dyn.example.` in the configuration. The wildcard itself is among
    /// them, the name above is not.
    Below(Name),
    /// This name and all below it.
    Within(Name),
}

impl Names {
    fn hold(&self, owner: &Name) -> bool {
        match self {
            Self::Exactly(name) => owner == name,
            Self::Below(name) => owner.is_below(name),
            Self::Within(name) => owner.is_within(name),
        }
    }
}

/// What one key may change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// The key's name.
    pub key: Name,
    /// At which names; none stands for all.
    pub names: Vec<Names>,
    /// Which types; none stands for all but SOA and NS, and ANY for all.
    pub types: Vec<RecordType>,
}

impl Rule {
    fn speaks_of(&self, owner: &Name) -> bool {
        self.names.is_empty() || self.names.iter().any(|names| names.hold(owner))
    }

    fn allows(&self, owner: &Name, rtype: RecordType) -> bool {
        let is_type = if self.types.is_empty() {
            // Who may publish addresses should not by that alone take over delegations.
            !matches!(rtype, RecordType::SOA | RecordType::NS)
        } else {
            self.types.contains(&rtype) || self.types.contains(&RecordType::ANY)
        };
        self.speaks_of(owner) && is_type
    }
}

/// The rules of one zone. Without a rule nobody may change it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    /// The rules; any of them can allow a change.
    pub rules: Vec<Rule>,
}

impl Policy {
    /// What the key `key` may; none if no rule speaks of it.
    #[must_use]
    pub fn grant(&self, key: &Name) -> Option<Grant<'_>> {
        let rules: Vec<&Rule> = self.rules.iter().filter(|rule| rule.key == *key).collect();
        (!rules.is_empty()).then_some(Grant { rules })
    }
}

/// What one verified key may change in a zone.
#[derive(Clone, Debug)]
pub struct Grant<'p> {
    rules: Vec<&'p Rule>,
}

impl Grant<'_> {
    /// Whether any rule holds for `owner`, whatever the type.
    pub(super) fn speaks_of(&self, owner: &Name) -> bool {
        self.rules.iter().any(|rule| rule.speaks_of(owner))
    }

    pub(super) fn allows(&self, owner: &Name, rtype: RecordType) -> bool {
        self.rules.iter().any(|rule| rule.allows(owner, rtype))
    }
}

/// Records that only a signer may write: we do not sign, and a zone that says otherwise would be bogus.
pub(super) const fn is_signers(rtype: RecordType) -> bool {
    matches!(rtype, RecordType::RRSIG | RecordType::NSEC | RecordType::NSEC3 | RecordType::NSEC3PARAM)
}

/// Whether the RDATA of a record to be added can be such a record at all.
pub(super) fn is_lawful(record: &Record) -> bool {
    master_file::is_lawful(record.rtype, &record.rdata)
}
