//! Signing: what [`super::verify_set`] reads. Keys are given, files and their forms are for others.

use std::fmt;

use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair};

use super::key::{self, PROTOCOL};
use super::{Algorithm, Ds, PublicKey, Signature, canonical};
use crate::dns::{Name, RecordType, RrSet};

/// A private key with its DNSKEY.
pub struct SigningKey {
    secret: Secret,
    public: PublicKey,
}

enum Secret {
    Ecdsa(EcdsaKeyPair, SystemRandom),
    Ed25519(Ed25519KeyPair),
}

/// The key is not one of its algorithm, or the signature could not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyRejected;

impl fmt::Display for KeyRejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a private key of this algorithm")
    }
}

impl std::error::Error for KeyRejected {}

/// What a signature says beside the signature itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// The zone that signs.
    pub signer: Name,
    /// The type of the records.
    pub covered: RecordType,
    /// The key's algorithm.
    pub algorithm: Algorithm,
    /// The key's tag.
    pub tag: u16,
    /// Labels of the owner, without the root's and a `*` in front.
    pub labels: u8,
    /// The TTL in the zone, seconds.
    pub original_ttl: u32,
    /// From when on it holds, seconds since 1970.
    pub inception: u32,
    /// Until when it holds.
    pub expiration: u32,
}

impl SigningKey {
    /// An Ed25519 key of its 32 secret octets.
    ///
    /// # Errors
    /// [`KeyRejected`]: they are not 32.
    pub fn ed25519(seed: &[u8], flags: u16) -> Result<Self, KeyRejected> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyRejected)?;
        let public = public(flags, Algorithm::ED25519, pair.public_key().as_ref())?;
        Ok(Self { secret: Secret::Ed25519(pair), public })
    }

    /// A P-256 key of its secret number, 32 octets, and its public point, 64 octets.
    ///
    /// # Errors
    /// [`KeyRejected`]: they do not belong together.
    pub fn p256(secret: &[u8], point: &[u8], flags: u16) -> Result<Self, KeyRejected> {
        let random = SystemRandom::new();
        let whole = [&[4], point].concat();
        let algorithm = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, secret, &whole, &random)
            .map_err(|_| KeyRejected)?;
        Ok(Self { secret: Secret::Ecdsa(pair, random), public: public(flags, Algorithm::ECDSA_P256, point)? })
    }

    /// A P-256 or P-384 key in PKCS #8 form.
    ///
    /// # Errors
    /// [`KeyRejected`]: it is neither, or `algorithm` is another.
    pub fn ecdsa(algorithm: Algorithm, pkcs8: &[u8], flags: u16) -> Result<Self, KeyRejected> {
        let random = SystemRandom::new();
        let curve = match algorithm {
            Algorithm::ECDSA_P256 => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            Algorithm::ECDSA_P384 => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
            _ => return Err(KeyRejected),
        };
        let pair = EcdsaKeyPair::from_pkcs8(curve, pkcs8, &random).map_err(|_| KeyRejected)?;
        let point = pair.public_key().as_ref().get(1..).ok_or(KeyRejected)?;
        let public = public(flags, algorithm, point)?;
        Ok(Self { secret: Secret::Ecdsa(pair, random), public })
    }

    /// A new P-256 key, drawn by the operating system.
    ///
    /// # Errors
    /// [`KeyRejected`]: the system gives no random octets.
    pub fn generate(flags: u16) -> Result<Self, KeyRejected> {
        let curve = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(curve, &SystemRandom::new()).map_err(|_| KeyRejected)?;
        Self::ecdsa(Algorithm::ECDSA_P256, pkcs8.as_ref(), flags)
    }

    /// The public key, whose RDATA is that of the DNSKEY record.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The DS record for the zone `owner`, with SHA-256.
    #[must_use]
    pub fn ds(&self, owner: &Name) -> Ds {
        Ds::sha256(owner, &self.public)
    }

    /// The terms of a signature over `set` by `signer`'s zone.
    #[must_use]
    pub fn terms(&self, set: &RrSet, signer: &Name, inception: u32, expiration: u32) -> Terms {
        Terms {
            signer: signer.clone(),
            covered: set.rtype,
            algorithm: self.public.algorithm(),
            tag: self.public.tag(),
            labels: canonical::labels(&set.owner) as u8,
            original_ttl: set.ttl,
            inception,
            expiration,
        }
    }

    /// The RDATA of an RRSIG over `set` on any terms, sensible or not.
    ///
    /// # Errors
    /// [`KeyRejected`]: the system gives no random octets.
    pub fn sign(&self, set: &RrSet, terms: &Terms) -> Result<Vec<u8>, KeyRejected> {
        let mut rdata = Vec::with_capacity(18 + terms.signer.wire().len() + 96);
        rdata.extend_from_slice(&terms.covered.0.to_be_bytes());
        rdata.extend_from_slice(&[terms.algorithm.0, terms.labels]);
        for number in [terms.original_ttl, terms.expiration, terms.inception] {
            rdata.extend_from_slice(&number.to_be_bytes());
        }
        rdata.extend_from_slice(&terms.tag.to_be_bytes());
        rdata.extend_from_slice(terms.signer.wire());
        let end = rdata.len();
        rdata.push(0); // a signature is due to stand here
        let signed = Signature::parse(&rdata).map_err(|_| KeyRejected)?;
        let signed = canonical::signed(set, &canonical::rdatas(set), &signed);
        rdata.truncate(end);
        match &self.secret {
            Secret::Ecdsa(pair, random) => {
                rdata.extend_from_slice(pair.sign(random, &signed).map_err(|_| KeyRejected)?.as_ref());
            }
            Secret::Ed25519(pair) => rdata.extend_from_slice(pair.sign(&signed).as_ref()),
        }
        Ok(rdata)
    }

    /// Adds a signature by `signer`'s zone to those of `set`.
    ///
    /// # Errors
    /// [`KeyRejected`]: the system gives no random octets.
    pub fn sign_set(&self, set: &mut RrSet, signer: &Name, inception: u32, expiration: u32) -> Result<(), KeyRejected> {
        let rdata = self.sign(set, &self.terms(set, signer, inception, expiration))?;
        set.signatures = set.signatures.iter().chain([rdata.as_slice()]).collect();
        Ok(())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.public, f)
    }
}

fn public(flags: u16, algorithm: Algorithm, octets: &[u8]) -> Result<PublicKey, KeyRejected> {
    let rdata = [&flags.to_be_bytes(), [PROTOCOL, algorithm.0].as_slice(), octets].concat();
    PublicKey::parse(&rdata).map_err(|_| KeyRejected)
}

/// The flags of a key that signs a zone's data.
pub const ZONE_KEY: u16 = key::ZONE;
/// The flags of a key that signs a zone's keys and that its DS speaks of.
pub const ENTRY_KEY: u16 = key::ZONE | key::SEP;
