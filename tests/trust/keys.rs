//! Keys and signatures as the tests make them: with ring and RFC 4034 alone, apart from the code that checks them, and
//! with every field open to lies.

use meridian::dns::{Class, Name, Record, RecordType};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

/// A day, in seconds.
pub(crate) const DAY: u32 = 86_400;
/// When the worlds begin, seconds since 1970.
pub(crate) const WALL: u32 = 1_780_000_000;

/// ECDSA P-256 with SHA-256 (RFC 6605).
pub(crate) const ALGORITHM: u8 = 13;
/// Flags of a key that signs keys, and of one that signs the rest.
pub(crate) const KSK: u16 = 257;
pub(crate) const ZSK: u16 = 256;
pub(crate) const REVOKED: u16 = 0x80;

/// A key with its secret.
pub(crate) struct Key {
    pair: EcdsaKeyPair,
    pub(crate) flags: u16,
    pub(crate) protocol: u8,
    pub(crate) algorithm: u8,
}

impl Key {
    pub(crate) fn new(flags: u16) -> Self {
        let chance = SystemRandom::new();
        let secret = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &chance).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, secret.as_ref(), &chance).unwrap();
        Self { pair, flags, protocol: 3, algorithm: ALGORITHM }
    }

    pub(crate) fn rdata(&self) -> Vec<u8> {
        let mut rdata = self.flags.to_be_bytes().to_vec();
        rdata.extend([self.protocol, self.algorithm]);
        rdata.extend(&self.pair.public_key().as_ref()[1..]); // without the octet for "uncompressed"
        rdata
    }

    pub(crate) fn tag(&self) -> u16 {
        tag_of(&self.rdata())
    }

    /// The DS record's data with this digest type: 1, 2 or 4.
    pub(crate) fn ds(&self, apex: &Name, digest: u8) -> Vec<u8> {
        let mut rdata = self.tag().to_be_bytes().to_vec();
        rdata.extend([self.algorithm, digest]);
        let algorithm = match digest {
            1 => &ring::digest::SHA1_FOR_LEGACY_USE_ONLY,
            4 => &ring::digest::SHA384,
            _ => &ring::digest::SHA256,
        };
        rdata.extend(ring::digest::digest(algorithm, &[apex.lowered().wire(), &self.rdata()].concat()).as_ref());
        rdata
    }

    /// The octets of a signature over `set` with these fields, which need not be true.
    fn sign(&self, fields: &Fields, owner: &Name, rdatas: &[Vec<u8>]) -> Vec<u8> {
        let mut signed = fields.rdata();
        let owner = canonical_owner(owner, fields.labels);
        let mut sorted = rdatas.to_vec();
        sorted.sort();
        sorted.dedup();
        for rdata in sorted {
            signed.extend(&owner);
            signed.extend(fields.covered.0.to_be_bytes());
            signed.extend(Class::IN.0.to_be_bytes());
            signed.extend(fields.original_ttl.to_be_bytes());
            signed.extend((rdata.len() as u16).to_be_bytes());
            signed.extend(rdata);
        }
        self.pair.sign(&SystemRandom::new(), &signed).unwrap().as_ref().to_vec()
    }

    /// The data of an RRSIG record over `set`.
    pub(crate) fn rrsig(&self, fields: &Fields, owner: &Name, rdatas: &[Vec<u8>]) -> Vec<u8> {
        let mut rdata = fields.rdata();
        rdata.extend(self.sign(fields, owner, rdatas));
        rdata
    }
}

/// The key tag of a DNSKEY record's data (RFC 4034 appendix B).
pub(crate) fn tag_of(rdata: &[u8]) -> u16 {
    let pairs = rdata.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let sum: u32 = pairs.sum();
    (sum + (sum >> 16)) as u16
}

/// The name whose wire form is signed: with fewer labels than the owner it is the wildcard (RFC 4035 §5.3.2).
fn canonical_owner(owner: &Name, labels: u8) -> Vec<u8> {
    let count = owner.label_count() - usize::from(owner.is_wildcard());
    if usize::from(labels) >= count {
        return owner.lowered().wire().to_vec();
    }
    let mut wire = b"\x01*".to_vec();
    wire.extend(owner.suffix(usize::from(labels)).lowered().wire());
    wire
}

/// What an RRSIG record says before the signature.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    pub(crate) covered: RecordType,
    pub(crate) algorithm: u8,
    pub(crate) labels: u8,
    pub(crate) original_ttl: u32,
    pub(crate) expiration: u32,
    pub(crate) inception: u32,
    pub(crate) tag: u16,
    pub(crate) signer: Name,
}

impl Fields {
    /// The truth about a set that `key` of `apex` signs.
    pub(crate) fn of(key: &Key, apex: &Name, owner: &Name, rtype: RecordType, ttl: u32) -> Self {
        Self {
            covered: rtype,
            algorithm: key.algorithm,
            labels: (owner.label_count() - usize::from(owner.is_wildcard())) as u8,
            original_ttl: ttl,
            expiration: WALL + 14 * DAY,
            inception: WALL - DAY,
            tag: key.tag(),
            signer: apex.clone(),
        }
    }

    /// What stands in an RRSIG record, and the signature.
    pub(crate) fn read(rdata: &[u8]) -> (Self, Vec<u8>) {
        let short = |at: usize| u16::from_be_bytes([rdata[at], rdata[at + 1]]);
        let long = |at: usize| u32::from(short(at)) << 16 | u32::from(short(at + 2));
        let (signer, length) = Name::from_wire(&rdata[18..]).unwrap();
        let fields = Self {
            covered: RecordType(short(0)),
            algorithm: rdata[2],
            labels: rdata[3],
            original_ttl: long(4),
            expiration: long(8),
            inception: long(12),
            tag: short(16),
            signer,
        };
        (fields, rdata[18 + length..].to_vec())
    }

    pub(crate) fn rdata(&self) -> Vec<u8> {
        let mut rdata = self.covered.0.to_be_bytes().to_vec();
        rdata.extend([self.algorithm, self.labels]);
        for number in [self.original_ttl, self.expiration, self.inception] {
            rdata.extend(number.to_be_bytes());
        }
        rdata.extend(self.tag.to_be_bytes());
        rdata.extend(self.signer.lowered().wire());
        rdata
    }
}

/// A record.
pub(crate) fn record(owner: &Name, rtype: RecordType, ttl: u32, rdata: &[u8]) -> Record {
    Record { owner: owner.clone(), rtype, class: Class::IN, ttl, rdata: rdata.into() }
}

/// A bitmap of types (RFC 4034 §4.1.2).
pub(crate) fn bitmap(types: &[RecordType]) -> Vec<u8> {
    let mut sorted: Vec<u16> = types.iter().map(|rtype| rtype.0).collect();
    sorted.sort_unstable();
    let mut map = Vec::new();
    for window in 0..=255_u16 {
        let mut octets = [0_u8; 32];
        for number in sorted.iter().filter(|number| **number >> 8 == window) {
            octets[usize::from(number & 0xff) / 8] |= 0x80 >> (number & 7);
        }
        if let Some(last) = octets.iter().rposition(|octet| *octet != 0) {
            map.extend([window as u8, last as u8 + 1]);
            map.extend(&octets[..=last]);
        }
    }
    map
}

/// The types of a bitmap.
pub(crate) fn types_of(mut map: &[u8]) -> Vec<RecordType> {
    let mut types = Vec::new();
    while let [window, length, rest @ ..] = map {
        let (octets, behind) = rest.split_at(usize::from(*length));
        for (at, octet) in octets.iter().enumerate() {
            let of = (0..8).filter(|bit| octet & 0x80 >> bit != 0);
            types.extend(of.map(|bit| RecordType(u16::from(*window) << 8 | (at * 8 + bit) as u16)));
        }
        map = behind;
    }
    types
}

/// The hash of a name (RFC 5155 §5).
pub(crate) fn hash(name: &Name, salt: &[u8], iterations: u16) -> Vec<u8> {
    let digest = |octets: &[u8]| {
        let salted = [octets, salt].concat();
        ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &salted).as_ref().to_vec()
    };
    let mut hash = digest(name.lowered().wire());
    for _ in 0..iterations {
        hash = digest(&hash);
    }
    hash
}

/// The label that a hash makes (RFC 4648 §7).
pub(crate) fn base32(octets: &[u8]) -> String {
    let bits: Vec<u8> = octets.iter().flat_map(|octet| (0..8).map(move |bit| octet >> (7 - bit) & 1)).collect();
    let digit = |five: &[u8]| five.iter().fold(0, |sum, bit| sum << 1 | usize::from(*bit)) << (5 - five.len());
    bits.chunks(5).map(|five| char::from(b"0123456789abcdefghijklmnopqrstuv"[digit(five)])).collect()
}
