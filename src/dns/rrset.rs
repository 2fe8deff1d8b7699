//! RRsets: all records of one owner and type, RDATA in wire form without compression.

use super::{Name, RecordType};
use crate::base::bounds;

/// The RDATA of several records in one allocation: each with its length in front.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rdatas(Box<[u8]>);

impl Rdatas {
    /// The records' RDATA, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> + Clone {
        unpack(&self.0)
    }

    /// RDATA that is packed already as this type does: each record's length (two octets) in front of it.
    #[must_use]
    pub fn from_packed(packed: &[u8]) -> Self {
        Self(packed.into())
    }

    /// The records as this type packs them; see [`Rdatas::from_packed`].
    #[must_use]
    pub fn packed(&self) -> &[u8] {
        &self.0
    }

    /// The number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Octets held.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.0.len()
    }
}

/// The RDATA of packed records, in order; what is cut short at the end is left out.
pub fn unpack(packed: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    let mut rest = packed;
    std::iter::from_fn(move || {
        let (length, tail) = rest.split_first_chunk::<2>()?;
        let (rdata, after) = tail.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        rest = after;
        Some(rdata)
    })
}

impl<R: AsRef<[u8]>> FromIterator<R> for Rdatas {
    /// Collects RDATA of up to 65,535 octets each; a longer one cannot be a record and is left out.
    fn from_iter<I: IntoIterator<Item = R>>(rdatas: I) -> Self {
        let mut packed = Vec::new();
        for rdata in rdatas {
            let rdata = rdata.as_ref();
            if let Ok(length) = u16::try_from(rdata.len()) {
                packed.extend_from_slice(&length.to_be_bytes());
                packed.extend_from_slice(rdata);
            }
        }
        Self(packed.into_boxed_slice())
    }
}

/// The records of one owner and type in class IN, and the signatures over them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RrSet {
    /// Whose records these are.
    pub owner: Name,
    /// Their type.
    pub rtype: RecordType,
    /// The TTL as received or as written in the zone, seconds.
    pub ttl: u32,
    /// The records.
    pub rdatas: Rdatas,
    /// The RDATA of the RRSIG records that cover the set; empty where it is unsigned.
    pub signatures: Rdatas,
}

impl RrSet {
    /// An unsigned RRset.
    #[must_use]
    pub fn new<R: AsRef<[u8]>>(owner: Name, rtype: RecordType, ttl: u32, rdatas: impl IntoIterator<Item = R>) -> Self {
        Self { owner, rtype, ttl, rdatas: rdatas.into_iter().collect(), signatures: Rdatas::default() }
    }

    /// Octets that the set takes, its owner's name included.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.owner.wire().len() + self.rdatas.size_bytes() + self.signatures.size_bytes()
    }

    /// Whether the set respects the bounds on records and octets.
    #[must_use]
    pub fn is_within_bounds(&self) -> bool {
        self.rdatas.len() <= bounds::RECORDS_PER_RRSET && self.size_bytes() <= bounds::RRSET_BYTES_MAX
    }

    /// The name that the first record's RDATA begins with: the target of a CNAME, DNAME, NS or PTR.
    #[must_use]
    pub fn target(&self) -> Option<Name> {
        self.rdatas.iter().next().and_then(|rdata| Name::from_wire(rdata).ok()).map(|(name, _)| name)
    }
}
