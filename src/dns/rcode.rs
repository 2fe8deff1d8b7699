//! What a response says of itself: its RCODE, and why in an Extended DNS Error (RFC 8914).

use std::borrow::Cow;
use std::fmt;

/// A response code: 4 bits of the header and 8 of the OPT record (RFC 6895 §2.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rcode(pub u16);

impl Rcode {
    /// No error.
    pub const NOERROR: Self = Self(0);
    /// The query could not be read.
    pub const FORMERR: Self = Self(1);
    /// The server failed.
    pub const SERVFAIL: Self = Self(2);
    /// The name does not exist.
    pub const NXDOMAIN: Self = Self(3);
    /// The kind of query is not implemented.
    pub const NOTIMP: Self = Self(4);
    /// The server will not, by policy.
    pub const REFUSED: Self = Self(5);
    /// A name exists that should not (RFC 2136, RFC 6672).
    pub const YXDOMAIN: Self = Self(6);
    /// An RRset exists that should not (RFC 2136).
    pub const YXRRSET: Self = Self(7);
    /// An RRset that should exist does not (RFC 2136).
    pub const NXRRSET: Self = Self(8);
    /// Not authoritative, or not authorised (RFC 2136, RFC 8945).
    pub const NOTAUTH: Self = Self(9);
    /// A name lies outside the zone (RFC 2136).
    pub const NOTZONE: Self = Self(10);
    /// EDNS version not known (RFC 6891).
    pub const BADVERS: Self = Self(16);
    /// The cookie is missing or wrong (RFC 7873).
    pub const BADCOOKIE: Self = Self(23);
}

impl fmt::Display for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            0 => "NOERROR",
            1 => "FORMERR",
            2 => "SERVFAIL",
            3 => "NXDOMAIN",
            4 => "NOTIMP",
            5 => "REFUSED",
            6 => "YXDOMAIN",
            7 => "YXRRSET",
            8 => "NXRRSET",
            9 => "NOTAUTH",
            10 => "NOTZONE",
            16 => "BADVERS",
            23 => "BADCOOKIE",
            other => return write!(f, "RCODE{other}"),
        };
        f.pad(name)
    }
}

impl fmt::Debug for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The codes of Extended DNS Errors that Meridian gives (RFC 8914 §4, RFC 9276).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u16)]
pub enum EdeCode {
    /// Anything that no other code says.
    Other = 0,
    /// A zone is signed only with DNSKEY algorithms that are not known, so it counts as unsigned.
    UnsupportedAlgorithm = 1,
    /// A zone's DS records have only digests that are not known, so it counts as unsigned.
    UnsupportedDigest = 2,
    /// Past its TTL, given because upstreams failed.
    StaleAnswer = 3,
    /// A forged answer, such as for a special-use name.
    ForgedAnswer = 4,
    /// Signatures or proofs contradict what they should show.
    Bogus = 6,
    /// The signatures have expired.
    SignatureExpired = 7,
    /// The signatures are not valid yet.
    SignatureNotYetValid = 8,
    /// There is no DNSKEY that the parent's DS, or a signature, speaks of.
    DnskeyMissing = 9,
    /// There is no RRSIG where one is due.
    RrsigsMissing = 10,
    /// No DNSKEY is a zone key.
    NoZoneKeyBit = 11,
    /// There is no NSEC or NSEC3 that proves what is denied.
    NsecMissing = 12,
    /// From a remembered failure.
    CachedError = 13,
    /// The server is not ready to serve.
    NotReady = 14,
    /// Blocked by the operator.
    Blocked = 15,
    /// The client may not ask this.
    Prohibited = 18,
    /// NXDOMAIN past its TTL.
    StaleNxDomain = 19,
    /// The server is not authoritative and will not recurse.
    NotAuthoritative = 20,
    /// The query is not supported.
    NotSupported = 21,
    /// No authority could be reached.
    NoReachableAuthority = 22,
    /// A network error on the way to an authority.
    NetworkError = 23,
    /// Data of a zone are broken.
    InvalidData = 24,
    /// NSEC3 iterates more often than is followed, so it proves nothing (RFC 9276 §3.2).
    TooManyIterations = 27,
}

impl EdeCode {
    /// The INFO-CODE on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// Whether it says why data are bogus.
    #[must_use]
    pub const fn is_of_dnssec(self) -> bool {
        matches!(self.number(), 6..=12)
    }
}

/// An Extended DNS Error: a code and a text for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ede {
    /// The INFO-CODE.
    pub code: EdeCode,
    /// The EXTRA-TEXT; may be empty.
    pub text: Cow<'static, str>,
}

impl Ede {
    /// An error with a text.
    #[must_use]
    pub fn new(code: EdeCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, text: text.into() }
    }
}
