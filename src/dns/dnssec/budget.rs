//! What the checks of one client query may cost. A pure counter: its owner never resets it, and every check is charged
//! before it is made, so whatever a zone publishes costs no more (CVE-2023-50387, CVE-2023-50868).

use std::fmt;

use super::Algorithm;
use crate::base::bounds;

/// What has been spent so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Budget {
    checks: u32,
    weighed: u32,
    failures: u32,
    blocks: u32,
}

/// What there is no more of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spent {
    /// Checks of signatures.
    Checks,
    /// Failing checks of signatures.
    Failures,
    /// Hashing for NSEC3.
    Hashes,
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Checks => "more signatures than are checked for one query",
            Self::Failures => "more failing signatures than are checked for one query",
            Self::Hashes => "more NSEC3 hashing than is done for one query",
        })
    }
}

impl Budget {
    /// Signatures checked so far, each counted as one.
    #[must_use]
    pub const fn checks(&self) -> u32 {
        self.checks
    }

    /// Failed checks so far, weighed by their cost.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// Blocks of 64 octets hashed for NSEC3 so far.
    #[must_use]
    pub const fn blocks(&self) -> u32 {
        self.blocks
    }

    /// Whether nothing more can be checked.
    #[must_use]
    pub const fn is_spent(&self) -> bool {
        self.failures >= bounds::SIGNATURE_FAILURES || self.weighed >= bounds::SIGNATURES_PER_QUERY
    }

    pub(super) fn charge_check(&mut self, algorithm: Algorithm) -> Result<(), Spent> {
        if self.failures >= bounds::SIGNATURE_FAILURES {
            return Err(Spent::Failures);
        }
        let weighed = self.weighed.saturating_add(algorithm.weight());
        if weighed > bounds::SIGNATURES_PER_QUERY {
            return Err(Spent::Checks);
        }
        self.weighed = weighed;
        self.checks += 1;
        Ok(())
    }

    pub(super) fn note_failure(&mut self, algorithm: Algorithm) {
        self.failures = self.failures.saturating_add(algorithm.weight().div_ceil(2));
    }

    pub(super) fn charge_blocks(&mut self, count: u32) -> Result<(), Spent> {
        let blocks = self.blocks.saturating_add(count);
        if blocks > bounds::NSEC3_BLOCKS {
            return Err(Spent::Hashes);
        }
        self.blocks = blocks;
        Ok(())
    }
}
