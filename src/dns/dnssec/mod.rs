//! Whether records are what their zone's owner signed (RFC 4033–4035, 5155, 6840).
//!
//! What comes in: RRsets with their signatures, keys that are trusted already, and the time. What leaves: that a set is
//! authentic and for how long ([`verify_set`]), that a zone's keys are those its parent speaks of ([`trusted_keys`]), that
//! something is not there ([`Proofs`]), or why none of it can be believed ([`Bogus`]). Whom to ask for keys, in which
//! order, and what to keep is for others to decide. Every check is charged to a [`Budget`] before it is made.
//! [`SigningKey`] makes what the rest of the module reads.

pub mod algorithm;
pub mod budget;
pub mod canonical;
pub mod denial;
pub mod ds;
pub mod key;
pub mod sign;
pub mod signature;
pub mod trust;
pub mod verify;

pub use algorithm::{Algorithm, DigestType};
pub use budget::{Budget, Spent};
pub use denial::{NoDs, Proofs, Proven};
pub use ds::Ds;
pub use key::{PublicKey, ZoneKeys};
pub use sign::{SigningKey, Terms};
pub use signature::{Signature, signer};
pub use trust::{Trusted, Untrusted, is_revoked_by_itself, trusted_keys, unsupported};
pub use verify::{Verified, verify_set};

use std::borrow::Cow;
use std::fmt;

use super::{Ede, EdeCode};

/// What is known of a fact's authenticity; the greater the better, so the least of several is that of them together.
/// Bogus is not among them: what is bogus is no fact.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Security {
    /// Nobody has looked yet.
    #[default]
    Unchecked,
    /// From a zone that is provably not signed, or not in a way that we know.
    Insecure,
    /// Signed, all the way from a trust anchor.
    Secure,
}

/// Why something cannot be believed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reason {
    /// A signature or digest does not fit what it is of.
    BadSignature,
    /// All signatures have expired.
    Expired,
    /// The signatures are not valid yet.
    NotYetValid,
    /// No key is the one that DS records or signatures speak of.
    NoKey,
    /// There is no signature by the zone.
    NoSignature,
    /// No key is a zone key.
    NoZoneKey,
    /// NSEC or NSEC3 records do not prove what is denied.
    NoProof,
    /// The checks that one query may cost are spent: this tells nothing of the data.
    Spent,
}

impl Reason {
    /// The code that a client is told.
    #[must_use]
    pub const fn code(self) -> EdeCode {
        match self {
            Self::BadSignature | Self::Spent => EdeCode::Bogus,
            Self::Expired => EdeCode::SignatureExpired,
            Self::NotYetValid => EdeCode::SignatureNotYetValid,
            Self::NoKey => EdeCode::DnskeyMissing,
            Self::NoSignature => EdeCode::RrsigsMissing,
            Self::NoZoneKey => EdeCode::NoZoneKeyBit,
            Self::NoProof => EdeCode::NsecMissing,
        }
    }
}

/// A check that failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bogus {
    /// Why, for counting.
    pub reason: Reason,
    /// Why, for clients (RFC 8914).
    pub ede: Ede,
}

impl Bogus {
    /// A failure with a text for people.
    #[must_use]
    pub fn new(reason: Reason, text: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, ede: Ede::new(reason.code(), text) }
    }
}

impl From<Spent> for Bogus {
    fn from(spent: Spent) -> Self {
        Self::new(Reason::Spent, spent.to_string())
    }
}

impl fmt::Display for Bogus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.ede.text)
    }
}

impl std::error::Error for Bogus {}

/// RDATA that ends too early, or is not as its type's RFC says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the RDATA is malformed")
    }
}

impl std::error::Error for Malformed {}

#[cfg(test)]
mod tests;
