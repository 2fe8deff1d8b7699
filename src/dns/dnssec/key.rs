//! DNSKEY records: reading a public key, its tag, and checking a signature with it.

use std::fmt;

use ring::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};

use super::{Algorithm, Malformed};
use crate::dns::Name;

/// Flag: the key signs a zone's data (RFC 4034 §2.1.1).
pub const ZONE: u16 = 0x0100;
/// Flag: the key has been revoked (RFC 5011 §7).
pub const REVOKE: u16 = 0x0080;
/// Flag: the key is meant as a secure entry point (RFC 4034 §2.1.1). It changes nothing for validators.
pub const SEP: u16 = 0x0001;
/// The only protocol (RFC 4034 §2.1.2).
pub const PROTOCOL: u8 = 3;

/// Octets of an RSA key's exponent: no key that is in use has more, and `ring` takes no greater one.
const EXPONENT_MAX: usize = 5;

/// A DNSKEY record's key.
#[derive(Clone)]
pub struct PublicKey {
    rdata: Box<[u8]>,
    flags: u16,
    algorithm: Algorithm,
    tag: u16,
    material: Material,
}

/// The key as `ring` takes it.
#[derive(Clone)]
enum Material {
    Rsa {
        parameters: &'static RsaParameters,
        modulus: Box<[u8]>,
        exponent: Box<[u8]>,
    },
    Curve(UnparsedPublicKey<Box<[u8]>>),
    /// Of an unknown algorithm, malformed, or of a length that nobody should use: no signature fits it.
    Unusable,
}

impl PublicKey {
    /// Reads a DNSKEY's RDATA. A key that cannot be used is one still: its tag and flags count.
    ///
    /// # Errors
    /// [`Malformed`]: shorter than its fixed fields (RFC 4034 §2.1).
    pub fn parse(rdata: &[u8]) -> Result<Self, Malformed> {
        let ([f0, f1, protocol, algorithm], octets) = rdata.split_first_chunk::<4>().ok_or(Malformed)?;
        let algorithm = Algorithm(*algorithm);
        let material =
            if *protocol == PROTOCOL { material(algorithm, octets) } else { None }.unwrap_or(Material::Unusable);
        Ok(Self { rdata: rdata.into(), flags: u16::from_be_bytes([*f0, *f1]), algorithm, tag: tag(rdata), material })
    }

    /// The DNSKEY's RDATA.
    #[must_use]
    pub fn rdata(&self) -> &[u8] {
        &self.rdata
    }

    /// The tag by which signatures and DS records speak of the key (RFC 4034 appendix B). Other keys may have the same.
    #[must_use]
    pub const fn tag(&self) -> u16 {
        self.tag
    }

    /// The algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether the key may sign a zone's data: without the bit, it must not be used (RFC 4034 §2.1.1).
    #[must_use]
    pub const fn is_zone_key(&self) -> bool {
        self.flags & ZONE != 0
    }

    /// Whether the key says of itself that it is not to be trusted any more (RFC 5011 §2.1).
    #[must_use]
    pub const fn is_revoked(&self) -> bool {
        self.flags & REVOKE != 0
    }

    /// Whether the key is meant as a secure entry point.
    #[must_use]
    pub const fn is_sep(&self) -> bool {
        self.flags & SEP != 0
    }

    /// Whether signatures can be checked with the key: its algorithm is known, its protocol 3, its form and length sound.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        !matches!(self.material, Material::Unusable)
    }

    /// Whether the key can check a zone's data.
    #[must_use]
    pub const fn is_eligible(&self) -> bool {
        self.is_zone_key() && !self.is_revoked() && self.is_usable()
    }

    /// Whether `signature` is one over `signed` by this key.
    #[must_use]
    pub fn fits(&self, signed: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Rsa { parameters, modulus, exponent } => {
                RsaPublicKeyComponents { n: modulus, e: exponent }.verify(parameters, signed, signature).is_ok()
            }
            Material::Curve(key) => key.verify(signed, signature).is_ok(),
            Material::Unusable => false,
        }
    }

    /// Octets held.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>() + 2 * self.rdata.len()
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.rdata == other.rdata
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{:#06x}", self.algorithm, self.tag, self.flags)
    }
}

/// The tag of a DNSKEY's RDATA (RFC 4034 appendix B).
#[must_use]
pub fn tag(rdata: &[u8]) -> u16 {
    let sum = rdata.chunks(2).fold(0_u32, |sum, pair| match pair {
        [high, low] => sum.wrapping_add(u32::from(u16::from_be_bytes([*high, *low]))),
        [high] => sum.wrapping_add(u32::from(*high) << 8),
        _ => sum,
    });
    (sum.wrapping_add(sum >> 16) & 0xFFFF) as u16
}

fn material(algorithm: Algorithm, octets: &[u8]) -> Option<Material> {
    let curve = |algorithm: &'static dyn VerificationAlgorithm, key: Vec<u8>| {
        Some(Material::Curve(UnparsedPublicKey::new(algorithm, key.into_boxed_slice())))
    };
    // RFC 6605 §4 leaves out the octet that says that a point is not compressed.
    let point = |length: usize| (octets.len() == length).then(|| [&[4], octets].concat());
    match algorithm {
        Algorithm::RSA_SHA1 | Algorithm::RSA_SHA1_NSEC3 => {
            rsa(&signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, octets)
        }
        Algorithm::RSA_SHA256 => rsa(&signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, octets),
        Algorithm::RSA_SHA512 => rsa(&signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, octets),
        Algorithm::ECDSA_P256 => curve(&signature::ECDSA_P256_SHA256_FIXED, point(64)?),
        Algorithm::ECDSA_P384 => curve(&signature::ECDSA_P384_SHA384_FIXED, point(96)?),
        Algorithm::ED25519 if octets.len() == 32 => curve(&signature::ED25519, octets.to_vec()),
        _ => None,
    }
}

/// An RSA key as RFC 3110 §2 writes it, of 1,024 to 4,096 bits.
fn rsa(parameters: &'static RsaParameters, octets: &[u8]) -> Option<Material> {
    let (length, rest) = match octets.split_first()? {
        (0, rest) => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        (&length, rest) => (usize::from(length), rest),
    };
    let (exponent, modulus) = rest.split_at_checked(length)?;
    let bits = (8 * modulus.len()).checked_sub(usize::try_from(modulus.first()?.leading_zeros()).ok()?)?;
    let is_sound = *exponent.first()? != 0
        && *modulus.first()? != 0
        && (1_024..=4_096).contains(&bits)
        && exponent.len() <= EXPONENT_MAX;
    is_sound.then(|| Material::Rsa { parameters, modulus: modulus.into(), exponent: exponent.into() })
}

/// The keys of a zone that are trusted: those that its signatures are checked with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ZoneKeys {
    zone: Name,
    keys: Vec<PublicKey>,
}

impl ZoneKeys {
    /// The keys of `zone` whom the caller trusts; what cannot check a zone's data is left out.
    #[must_use]
    pub fn of(zone: Name, keys: impl IntoIterator<Item = PublicKey>) -> Self {
        Self { zone, keys: keys.into_iter().filter(PublicKey::is_eligible).collect() }
    }

    /// The zone's apex.
    #[must_use]
    pub const fn zone(&self) -> &Name {
        &self.zone
    }

    /// Its keys.
    #[must_use]
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// Octets held.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.zone.wire().len() + self.keys.iter().map(PublicKey::size_bytes).sum::<usize>()
    }
}
