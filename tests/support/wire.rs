//! DNS messages as the tests see them: composing a query, and reading a response into comparable text.
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Types by number and name, for questions and reports.
pub const TYPES: &[(&str, u16)] = &[
    ("A", 1),
    ("NS", 2),
    ("CNAME", 5),
    ("SOA", 6),
    ("PTR", 12),
    ("HINFO", 13),
    ("MX", 15),
    ("TXT", 16),
    ("RP", 17),
    ("AFSDB", 18),
    ("AAAA", 28),
    ("LOC", 29),
    ("SRV", 33),
    ("NAPTR", 35),
    ("KX", 36),
    ("DNAME", 39),
    ("DS", 43),
    ("SSHFP", 44),
    ("TLSA", 52),
    ("CDS", 59),
    ("SVCB", 64),
    ("HTTPS", 65),
    ("EUI48", 108),
    ("URI", 256),
    ("CAA", 257),
];

/// The number of a type name, also of `TYPE123`.
pub fn rtype(name: &str) -> Option<u16> {
    let known = TYPES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    known.or_else(|| name.strip_prefix("TYPE")?.parse().ok())
}

/// The name of a type.
pub fn rtype_name(number: u16) -> String {
    let known = TYPES.iter().find(|(_, known)| *known == number);
    known.map_or_else(|| format!("TYPE{number}"), |(name, _)| (*name).to_owned())
}

/// One record; owner and names in the RDATA are in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    pub owner: String,
    pub rtype: u16,
    pub rdata: String,
    /// Seconds; not part of comparisons made by [`Record::key`].
    pub ttl: u32,
}

impl Record {
    /// What two servers must agree on.
    pub fn key(&self) -> String {
        format!("{} {} {}", self.owner, rtype_name(self.rtype), self.rdata)
    }
}

/// A response.
#[derive(Clone, Debug)]
pub struct Response {
    pub id: u16,
    pub authoritative: bool,
    pub truncated: bool,
    pub recursion_available: bool,
    pub authentic: bool,
    /// With the upper bits from EDNS.
    pub rcode: u16,
    pub answer: Vec<Record>,
    pub authority: Vec<Record>,
    pub additional: Vec<Record>,
    /// Codes of the extended DNS errors (RFC 8914).
    pub errors: Vec<u16>,
    pub edns: bool,
    /// The client subnet (RFC 7871): source and scope prefix length, and the address octets.
    pub subnet: Option<(u8, u8, Vec<u8>)>,
}

/// The name of an RCODE.
pub fn rcode_name(rcode: u16) -> String {
    let names = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN"];
    names.get(usize::from(rcode)).map_or_else(|| format!("RCODE{rcode}"), |name| (*name).to_owned())
}

/// A query with RD=1 and, when `size` is given, EDNS with that payload size.
pub fn compose(id: u16, name: &str, rtype: u16, size: Option<u16>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(300);
    bytes.extend(id.to_be_bytes());
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(size.is_some())]);
    bytes.extend(compose_name(name));
    bytes.extend(rtype.to_be_bytes());
    bytes.extend([0, 1]);
    if let Some(size) = size {
        bytes.extend([0, 0, 41]);
        bytes.extend(size.to_be_bytes());
        bytes.extend([0; 6]);
    }
    bytes
}

/// The same without RD and with a client subnet; host bits of `address` must be zero.
pub fn compose_for(id: u16, name: &str, rtype: u16, address: IpAddr, source: u8) -> Vec<u8> {
    let mut bytes = compose(id, name, rtype, Some(1232));
    bytes[2] = 0;
    let (family, octets) = match address {
        IpAddr::V4(v4) => (1, v4.octets().to_vec()),
        IpAddr::V6(v6) => (2, v6.octets().to_vec()),
    };
    let octets = &octets[..usize::from(source.div_ceil(8))];
    let length = u8::try_from(4 + octets.len()).expect("an address is short");
    let at = bytes.len() - 1;
    bytes[at] = 4 + length;
    bytes.extend([0, 8, 0, length, 0, family, source, 0]);
    bytes.extend(octets);
    bytes
}

/// A name of presentation form, in wire form.
pub fn compose_name(name: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    let mut label = Vec::new();
    let mut input = name.bytes();
    while let Some(byte) = input.next() {
        match byte {
            b'.' => {
                if !label.is_empty() {
                    wire.push(u8::try_from(label.len()).expect("a label has at most 63 octets"));
                    wire.append(&mut label);
                }
            }
            b'\\' => {
                let first = input.next().expect("an escape has a second character");
                if first.is_ascii_digit() {
                    let digits = [first, input.next().unwrap_or(b'0'), input.next().unwrap_or(b'0')];
                    label.push(digits.iter().fold(0, |sum, digit| sum * 10 + (digit - b'0')));
                } else {
                    label.push(first);
                }
            }
            _ => label.push(byte),
        }
    }
    assert!(label.is_empty(), "{name} must end with a dot");
    wire.push(0);
    wire
}

/// Reads a name at `at` in lower case; the second is the offset behind it.
pub fn read_name(bytes: &[u8], at: usize) -> Option<(String, usize)> {
    let (mut text, mut at, mut behind, mut jumps) = (String::new(), at, None, 0);
    loop {
        let length = usize::from(*bytes.get(at)?);
        match length >> 6 {
            0 if length == 0 => break,
            0 => {
                for byte in bytes.get(at + 1..at + 1 + length)? {
                    match byte.to_ascii_lowercase() {
                        special @ (b'.' | b'\\') => write!(text, "\\{}", char::from(special)).ok()?,
                        plain @ 33..=126 => text.push(char::from(plain)),
                        other => write!(text, "\\{other:03}").ok()?,
                    }
                }
                text.push('.');
                at += 1 + length;
            }
            3 => {
                behind = behind.or(Some(at + 2));
                at = (length & 0x3f) << 8 | usize::from(*bytes.get(at + 1)?);
                jumps += 1;
                if jumps > 64 {
                    return None;
                }
            }
            _ => return None,
        }
    }
    if text.is_empty() {
        text.push('.');
    }
    Some((text, behind.unwrap_or(at + 1)))
}

fn read_u16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// The question of a message, its name in lower case, and the offset behind it.
pub fn read_question(bytes: &[u8]) -> Option<(String, u16, usize)> {
    if read_u16(bytes, 4)? != 1 {
        return None;
    }
    let (name, at) = read_name(bytes, 12)?;
    Some((name, read_u16(bytes, at)?, at + 4))
}

/// Reads a whole response; nothing when any part of it is broken.
pub fn read(bytes: &[u8]) -> Option<Response> {
    let flags = read_u16(bytes, 2)?;
    let mut response = Response {
        id: read_u16(bytes, 0)?,
        authoritative: flags & 0x0400 != 0,
        truncated: flags & 0x0200 != 0,
        recursion_available: flags & 0x0080 != 0,
        authentic: flags & 0x0020 != 0,
        rcode: flags & 0x000f,
        answer: Vec::new(),
        authority: Vec::new(),
        additional: Vec::new(),
        errors: Vec::new(),
        edns: false,
        subnet: None,
    };
    let mut at = if read_u16(bytes, 4)? == 0 { 12 } else { read_question(bytes)?.2 };
    for section in 0..3 {
        for _ in 0..read_u16(bytes, 6 + 2 * section)? {
            let (owner, behind) = read_name(bytes, at)?;
            let rtype = read_u16(bytes, behind)?;
            let ttl = u32::from(read_u16(bytes, behind + 4)?) << 16 | u32::from(read_u16(bytes, behind + 6)?);
            let length = usize::from(read_u16(bytes, behind + 8)?);
            let start = behind + 10;
            at = start + length;
            bytes.get(start..at)?;
            if rtype == 41 {
                response.edns = true;
                response.rcode |= u16::from(ttl.to_be_bytes()[0]) << 4;
                for (code, data) in read_options(bytes.get(start..at)?)? {
                    match code {
                        15 => response.errors.push(read_u16(data, 0)?),
                        8 => response.subnet = Some((*data.get(2)?, *data.get(3)?, data.get(4..)?.to_vec())),
                        _ => {}
                    }
                }
                continue;
            }
            let record = Record { owner, rtype, rdata: read_rdata(bytes, rtype, start, at)?, ttl };
            match section {
                0 => response.answer.push(record),
                1 => response.authority.push(record),
                _ => response.additional.push(record),
            }
        }
    }
    (at == bytes.len()).then_some(response)
}

/// The EDNS options, by code.
fn read_options(mut options: &[u8]) -> Option<Vec<(u16, &[u8])>> {
    let mut read = Vec::new();
    while !options.is_empty() {
        let length = usize::from(read_u16(options, 2)?);
        read.push((read_u16(options, 0)?, options.get(4..4 + length)?));
        options = options.get(4 + length..)?;
    }
    Some(read)
}

/// RDATA as text: names decompressed where RFC 1035 allows compression, the rest readable or in hexadecimal.
fn read_rdata(bytes: &[u8], rtype: u16, start: usize, end: usize) -> Option<String> {
    let data = bytes.get(start..end)?;
    Some(match rtype {
        1 => Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).to_string(),
        28 => Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).to_string(),
        2 | 5 | 12 | 39 => read_name(bytes, start)?.0,
        15 | 18 | 36 => format!("{} {}", read_u16(bytes, start)?, read_name(bytes, start + 2)?.0),
        33 => format!("{} {}", hexadecimal(data.get(..6)?), read_name(bytes, start + 6)?.0),
        6 => {
            let (primary, at) = read_name(bytes, start)?;
            let (mailbox, at) = read_name(bytes, at)?;
            format!("{primary} {mailbox} {}", hexadecimal(bytes.get(at..end)?))
        }
        17 => {
            let (mailbox, at) = read_name(bytes, start)?;
            format!("{mailbox} {}", read_name(bytes, at)?.0)
        }
        _ => hexadecimal(data),
    })
}

fn hexadecimal(data: &[u8]) -> String {
    let mut text = format!("\\# {} ", data.len());
    for byte in data {
        write!(text, "{byte:02x}").expect("text grows");
    }
    text
}
