//! DS records: what a parent, or a trust anchor, says of a zone's keys (RFC 4034 §5).

use ring::digest;

use super::{Algorithm, DigestType, Malformed, PublicKey};
use crate::dns::Name;

/// A DS record.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Ds {
    /// The tag of the key it speaks of.
    pub tag: u16,
    /// The key's algorithm.
    pub algorithm: Algorithm,
    /// How the digest is made.
    pub digest_type: DigestType,
    /// The digest of the key's owner and RDATA.
    pub digest: Box<[u8]>,
}

impl Ds {
    /// Reads a DS's RDATA.
    ///
    /// # Errors
    /// [`Malformed`]: shorter than its fixed fields, or without digest.
    pub fn parse(rdata: &[u8]) -> Result<Self, Malformed> {
        let ([t0, t1, algorithm, digest_type], digest) = rdata.split_first_chunk::<4>().ok_or(Malformed)?;
        if digest.is_empty() {
            return Err(Malformed);
        }
        Ok(Self {
            tag: u16::from_be_bytes([*t0, *t1]),
            algorithm: Algorithm(*algorithm),
            digest_type: DigestType(*digest_type),
            digest: digest.into(),
        })
    }

    /// The DS of `key` of the zone `owner`; none if the digest's type is not known.
    #[must_use]
    pub fn of(owner: &Name, key: &PublicKey, digest_type: DigestType) -> Option<Self> {
        let digest = digest(owner, key, digest_type.hash()?).as_ref().into();
        Some(Self { tag: key.tag(), algorithm: key.algorithm(), digest_type, digest })
    }

    /// The same with SHA-256.
    #[must_use]
    pub fn sha256(owner: &Name, key: &PublicKey) -> Self {
        let digest = digest(owner, key, &digest::SHA256).as_ref().into();
        Self { tag: key.tag(), algorithm: key.algorithm(), digest_type: DigestType::SHA256, digest }
    }

    /// The RDATA.
    #[must_use]
    pub fn rdata(&self) -> Vec<u8> {
        let [t0, t1] = self.tag.to_be_bytes();
        [&[t0, t1, self.algorithm.0, self.digest_type.0], &*self.digest].concat()
    }

    /// Whether both its algorithm and its digest are known.
    #[must_use]
    pub const fn is_supported(&self) -> bool {
        self.algorithm.is_supported() && self.digest_type.is_supported()
    }

    /// Whether it speaks of `key` of the zone `owner` (RFC 4034 §5.1.4).
    #[must_use]
    pub fn fits(&self, owner: &Name, key: &PublicKey) -> bool {
        self.tag == key.tag()
            && self.algorithm == key.algorithm()
            && self.digest_type.hash().is_some_and(|hash| digest(owner, key, hash).as_ref() == &*self.digest)
    }
}

fn digest(owner: &Name, key: &PublicKey, hash: &'static digest::Algorithm) -> digest::Digest {
    let mut context = digest::Context::new(hash);
    context.update(owner.lowered().wire());
    context.update(key.rdata());
    context.finish()
}
