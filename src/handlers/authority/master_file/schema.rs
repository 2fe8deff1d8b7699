//! What the RDATA of each type is made of: one table that the reader, the writer and the checks share.

use crate::dns::RecordType;

/// One field of RDATA.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Field {
    /// 8 bits.
    U8,
    /// 16 bits.
    U16,
    /// 32 bits.
    U32,
    /// 32 bits of seconds, which may be written with units (`1h30m`).
    Period,
    /// A moment: 32 bits of seconds, written as `YYYYMMDDHHmmSS` (RFC 4034 §3.2).
    Moment,
    /// A DNSSEC algorithm: 8 bits, which may be written as a mnemonic.
    Algorithm,
    /// A certificate type: 16 bits, which may be written as a mnemonic (RFC 4398 §2.1).
    CertificateType,
    /// A record type: 16 bits, written as a mnemonic.
    Type,
    /// A domain name.
    Name,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// A character string: one octet of length and up to 255 octets.
    Text,
    /// One or more character strings.
    Texts,
    /// A CAA tag: a character string without quotes (RFC 8659 §4.1).
    Tag,
    /// A text that takes all that is left, without a length.
    LongText,
    /// All that is left, in hexadecimal.
    Hex,
    /// All that is left, in base64.
    Base64,
    /// One octet of length and as many octets in hexadecimal; `-` for none (RFC 5155 §3.3).
    Salt,
    /// One octet of length and as many octets in base32hex (RFC 5155 §3.3).
    Hash,
    /// A set of types (RFC 4034 §4.1.2).
    Types,
    /// 64 bits in four groups of hexadecimal (RFC 6742 §2.1.2).
    Groups,
    /// 6 octets in hexadecimal, with dashes (RFC 7043 §3.2).
    Eui48,
    /// 8 octets in hexadecimal, with dashes (RFC 7043 §4.2).
    Eui64,
    /// `0x` and hexadecimal with dots anywhere (RFC 1706 §7).
    Nsap,
    /// The parameters of SVCB (RFC 9460 §2.1).
    ServiceParameters,
    /// A location (RFC 1876 §3).
    Location,
    /// Address prefixes (RFC 3123 §5).
    Prefixes,
    /// Gateway type, algorithm, gateway and key (RFC 4025 §3.1); the precedence stands before.
    Gateway,
    /// Host identity, key and servers (RFC 8005 §6).
    HostIdentity,
    /// Discovery bit, type and relay (RFC 8777 §4.3); the precedence stands before.
    Relay,
}

/// The fields of a type's RDATA; none where it has no presentation of its own (RFC 3597 §5).
pub(crate) const fn fields(rtype: RecordType) -> Option<&'static [Field]> {
    use Field as F;
    Some(match rtype {
        RecordType::A => &[F::Ipv4],
        RecordType::AAAA => &[F::Ipv6],
        RecordType::NS
        | RecordType::CNAME
        | RecordType::DNAME
        | RecordType::PTR
        | RecordType::ALIAS
        | RecordType::MB
        | RecordType::MD
        | RecordType::MF
        | RecordType::MG
        | RecordType::MR => &[F::Name],
        RecordType::SOA => &[F::Name, F::Name, F::U32, F::Period, F::Period, F::Period, F::Period],
        RecordType::MX | RecordType::AFSDB | RecordType::RT | RecordType::KX | RecordType::LP => &[F::U16, F::Name],
        RecordType::TXT
        | RecordType::SPF
        | RecordType::AVC
        | RecordType::RESINFO
        | RecordType::WALLET
        | RecordType::ISDN => &[F::Texts],
        RecordType::HINFO => &[F::Text, F::Text],
        RecordType::X25 => &[F::Text],
        RecordType::GPOS => &[F::Text, F::Text, F::Text],
        RecordType::MINFO | RecordType::RP => &[F::Name, F::Name],
        RecordType::NSAP => &[F::Nsap],
        RecordType::PX => &[F::U16, F::Name, F::Name],
        RecordType::KEY | RecordType::DNSKEY | RecordType::CDNSKEY => &[F::U16, F::U8, F::Algorithm, F::Base64],
        RecordType::LOC => &[F::Location],
        RecordType::SRV => &[F::U16, F::U16, F::U16, F::Name],
        RecordType::NAPTR => &[F::U16, F::U16, F::Text, F::Text, F::Text, F::Name],
        RecordType::CERT => &[F::CertificateType, F::U16, F::Algorithm, F::Base64],
        RecordType::APL => &[F::Prefixes],
        RecordType::DS | RecordType::CDS | RecordType::DLV | RecordType::TA => &[F::U16, F::Algorithm, F::U8, F::Hex],
        RecordType::SSHFP => &[F::U8, F::U8, F::Hex],
        RecordType::IPSECKEY => &[F::U8, F::Gateway],
        RecordType::SIG | RecordType::RRSIG => {
            &[F::Type, F::Algorithm, F::U8, F::Period, F::Moment, F::Moment, F::U16, F::Name, F::Base64]
        }
        RecordType::NSEC => &[F::Name, F::Types],
        RecordType::NSEC3 => &[F::U8, F::U8, F::U16, F::Salt, F::Hash, F::Types],
        RecordType::NSEC3PARAM => &[F::U8, F::U8, F::U16, F::Salt],
        RecordType::DHCID | RecordType::OPENPGPKEY => &[F::Base64],
        RecordType::TLSA | RecordType::SMIMEA => &[F::U8, F::U8, F::U8, F::Hex],
        RecordType::HIP => &[F::HostIdentity],
        RecordType::CSYNC => &[F::U32, F::U16, F::Types],
        RecordType::ZONEMD => &[F::U32, F::U8, F::U8, F::Hex],
        RecordType::SVCB | RecordType::HTTPS => &[F::U16, F::Name, F::ServiceParameters],
        RecordType::DSYNC => &[F::Type, F::U8, F::U16, F::Name],
        RecordType::NID | RecordType::L64 => &[F::U16, F::Groups],
        RecordType::L32 => &[F::U16, F::Ipv4],
        RecordType::EUI48 => &[F::Eui48],
        RecordType::EUI64 => &[F::Eui64],
        RecordType::URI => &[F::U16, F::U16, F::LongText],
        RecordType::CAA => &[F::U8, F::Tag, F::LongText],
        RecordType::AMTRELAY => &[F::U8, F::Relay],
        _ => return None,
    })
}

/// The name that the RDATA of `rtype` points to: a server, a mail exchanger, an alias's target.
pub(crate) fn target(rtype: RecordType, rdata: &[u8]) -> Option<crate::dns::Name> {
    let skip = match rtype {
        RecordType::NS | RecordType::CNAME | RecordType::DNAME | RecordType::PTR => 0,
        RecordType::MX
        | RecordType::KX
        | RecordType::AFSDB
        | RecordType::RT
        | RecordType::LP
        | RecordType::SVCB
        | RecordType::HTTPS => 2,
        RecordType::SRV => 6,
        _ => return None,
    };
    crate::dns::Name::from_wire(rdata.get(skip..)?).ok().map(|(name, _)| name)
}

/// RDATA with the letters of its names small, for comparison (RFC 4034 §6.2).
pub(crate) fn lowered(rtype: RecordType, rdata: &[u8]) -> Vec<u8> {
    let mut lowered = rdata.to_vec();
    let mut at = 0;
    for field in fields(rtype).unwrap_or_default() {
        at += match field {
            Field::U8 | Field::Algorithm => 1,
            Field::U16 | Field::Type | Field::CertificateType => 2,
            Field::U32 | Field::Period | Field::Moment => 4,
            Field::Text => 1 + lowered.get(at).copied().map_or(0, usize::from),
            Field::Name => {
                let rest = lowered.get(at..).unwrap_or_default();
                let Ok((_, length)) = crate::dns::Name::from_wire(rest) else { break };
                if let Some(name) = lowered.get_mut(at..at + length) {
                    name.make_ascii_lowercase();
                }
                length
            }
            _ => break,
        };
    }
    lowered
}
