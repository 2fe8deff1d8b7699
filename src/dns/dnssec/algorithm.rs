//! Algorithms of keys and digests as open numbers: an unknown one makes a zone insecure, never unreadable.

use std::fmt;

/// A DNSKEY algorithm (RFC 8624, RFC 9904).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Algorithm(pub u8);

impl Algorithm {
    /// RSA with SHA-1 (RFC 3110).
    pub const RSA_SHA1: Self = Self(5);
    /// The same, by another number for zones with NSEC3 (RFC 5155 §2).
    pub const RSA_SHA1_NSEC3: Self = Self(7);
    /// RSA with SHA-256 (RFC 5702).
    pub const RSA_SHA256: Self = Self(8);
    /// RSA with SHA-512 (RFC 5702).
    pub const RSA_SHA512: Self = Self(10);
    /// ECDSA on P-256 with SHA-256 (RFC 6605).
    pub const ECDSA_P256: Self = Self(13);
    /// ECDSA on P-384 with SHA-384 (RFC 6605).
    pub const ECDSA_P384: Self = Self(14);
    /// Ed25519 (RFC 8080).
    pub const ED25519: Self = Self(15);

    /// Whether signatures by it can be checked. SHA-1 still is among them, since zones still use it and RFC 9905 §3 leaves
    /// it to validators; Ed448 is not, as hardly a zone uses it.
    #[must_use]
    pub const fn is_supported(self) -> bool {
        matches!(
            self,
            Self::RSA_SHA1
                | Self::RSA_SHA1_NSEC3
                | Self::RSA_SHA256
                | Self::RSA_SHA512
                | Self::ECDSA_P256
                | Self::ECDSA_P384
                | Self::ED25519
        )
    }

    /// What a check costs, in checks of the usual algorithms.
    #[must_use]
    pub const fn weight(self) -> u32 {
        if matches!(self, Self::ECDSA_P384) { 4 } else { 1 }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match *self {
            Self::RSA_SHA1 => "RSASHA1",
            Self::RSA_SHA1_NSEC3 => "RSASHA1-NSEC3-SHA1",
            Self::RSA_SHA256 => "RSASHA256",
            Self::RSA_SHA512 => "RSASHA512",
            Self::ECDSA_P256 => "ECDSAP256SHA256",
            Self::ECDSA_P384 => "ECDSAP384SHA384",
            Self::ED25519 => "ED25519",
            Self(number) => return write!(f, "{number}"),
        })
    }
}

impl fmt::Debug for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A DS digest type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DigestType(pub u8);

impl DigestType {
    /// SHA-1 (RFC 3658): believed only where there is no better one.
    pub const SHA1: Self = Self(1);
    /// SHA-256 (RFC 4509).
    pub const SHA256: Self = Self(2);
    /// SHA-384 (RFC 6605).
    pub const SHA384: Self = Self(4);

    /// Whether digests by it can be compared.
    #[must_use]
    pub const fn is_supported(self) -> bool {
        self.hash().is_some()
    }

    pub(super) const fn hash(self) -> Option<&'static ring::digest::Algorithm> {
        match self {
            Self::SHA1 => Some(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY),
            Self::SHA256 => Some(&ring::digest::SHA256),
            Self::SHA384 => Some(&ring::digest::SHA384),
            _ => None,
        }
    }
}
