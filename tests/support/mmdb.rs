//! Writes small `MaxMind` DBs for tests: a binary trie and the records behind it. The unit tests of the databases
//! use it as well as the tests that hand a file to other servers.
#![allow(unreachable_pub, reason = "who includes this takes the part it needs")]

use std::net::IpAddr;

/// A value of a record.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "the format's own words")]
pub enum Datum {
    Text(String),
    Double(f64),
    Float(f32),
    U16(u16),
    U32(u32),
    U64(u64),
    Map(Vec<(&'static str, Datum)>),
    List(Vec<Datum>),
}

impl Datum {
    /// A text.
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    fn write(&self, out: &mut Vec<u8>) {
        let unsigned = |out: &mut Vec<u8>, kind: u8, number: u64| {
            let octets = number.to_be_bytes();
            let octets = &octets[number.leading_zeros() as usize / 8..];
            control(out, kind, octets.len());
            out.extend(octets);
        };
        match self {
            Self::Text(text) => {
                control(out, 2, text.len());
                out.extend(text.as_bytes());
            }
            Self::Double(number) => {
                control(out, 3, 8);
                out.extend(number.to_be_bytes());
            }
            Self::Float(number) => {
                control(out, 15, 4);
                out.extend(number.to_be_bytes());
            }
            Self::U16(number) => unsigned(out, 5, u64::from(*number)),
            Self::U32(number) => unsigned(out, 6, u64::from(*number)),
            Self::U64(number) => unsigned(out, 9, *number),
            Self::Map(entries) => {
                control(out, 7, entries.len());
                for (key, value) in entries {
                    Self::text(key).write(out);
                    value.write(out);
                }
            }
            Self::List(items) => {
                control(out, 11, items.len());
                for item in items {
                    item.write(out);
                }
            }
        }
    }
}

fn control(out: &mut Vec<u8>, kind: u8, size: usize) {
    assert!(size < 285, "no test needs longer values");
    let (low, more) = if size < 29 { (size as u8, None) } else { (29, Some((size - 29) as u8)) };
    if kind < 8 {
        out.push(kind << 5 | low);
    } else {
        out.extend([low, kind - 7]);
    }
    out.extend(more);
}

#[derive(Clone, Copy)]
enum Child {
    Nothing,
    Node(usize),
    Record(usize),
}

/// A network's first address, its prefix length, and its record.
pub type Entry<'a> = (IpAddr, u8, &'a Datum);

/// A database that holds `networks` with their records, longer networks over shorter ones.
///
/// `ip_version` is 4 or 6, `record_size` 24, 28 or 32 bits. A database of version 6 has IPv4 at `::/96`, and says it
/// again at `::ffff:0:0/96` and `2002::/16`, as those of `MaxMind` do.
pub fn write<'a>(networks: impl IntoIterator<Item = Entry<'a>>, ip_version: u16, record_size: u16) -> Vec<u8> {
    let (mut records, mut offsets, mut data): (Vec<&Datum>, Vec<usize>, Vec<u8>) = Default::default();
    let mut nodes = vec![[Child::Nothing; 2]];
    let mut sorted: Vec<_> = networks.into_iter().collect();
    sorted.sort_by_key(|(_, length, _)| *length);
    for (address, length, record) in sorted {
        let at = records.iter().position(|known| **known == *record).unwrap_or_else(|| {
            offsets.push(data.len());
            record.write(&mut data);
            records.push(record);
            records.len() - 1
        });
        let (bits, length) = match (address, ip_version) {
            (IpAddr::V4(v4), 4) => (u128::from(v4.to_bits()) << 96, length),
            (IpAddr::V4(v4), _) => (u128::from(v4.to_bits()), length + 96),
            (IpAddr::V6(v6), _) => (v6.to_bits(), length),
        };
        insert(&mut nodes, bits, length, Child::Record(at));
    }
    if ip_version == 6 {
        let mut v4 = 0;
        let found = (0..96).all(|_| match nodes[v4][0] {
            Child::Node(next) => {
                v4 = next;
                true
            }
            _ => false,
        });
        if found {
            insert(&mut nodes, 0xFFFF_u128 << 32, 96, Child::Node(v4));
            insert(&mut nodes, 0x2002_u128 << 112, 16, Child::Node(v4));
        }
    }
    let mut out = Vec::new();
    for node in &nodes {
        let [left, right] = node.map(|child| match child {
            Child::Nothing => nodes.len() as u32,
            Child::Node(at) => at as u32,
            Child::Record(at) => (nodes.len() + 16 + offsets[at]) as u32,
        });
        match record_size {
            24 => {
                out.extend(&left.to_be_bytes()[1..]);
                out.extend(&right.to_be_bytes()[1..]);
            }
            28 => {
                out.extend(&left.to_be_bytes()[1..]);
                out.push((left >> 24 << 4 | right >> 24) as u8);
                out.extend(&right.to_be_bytes()[1..]);
            }
            _ => {
                out.extend(left.to_be_bytes());
                out.extend(right.to_be_bytes());
            }
        }
    }
    out.extend([0; 16]);
    out.extend(data);
    out.extend(b"\xab\xcd\xefMaxMind.com");
    Datum::Map(vec![
        ("binary_format_major_version", Datum::U16(2)),
        ("binary_format_minor_version", Datum::U16(0)),
        ("build_epoch", Datum::U64(1_700_000_000)),
        ("database_type", Datum::text("Test-City")),
        ("description", Datum::Map(Vec::new())),
        ("ip_version", Datum::U16(ip_version)),
        ("languages", Datum::List(Vec::new())),
        ("node_count", Datum::U32(nodes.len() as u32)),
        ("record_size", Datum::U16(record_size)),
    ])
    .write(&mut out);
    out
}

fn insert(nodes: &mut Vec<[Child; 2]>, bits: u128, length: u8, child: Child) {
    assert!(length > 0, "a record for all addresses has no node to hang on");
    let side = |depth: u8| (bits >> (127 - depth)) as usize & 1;
    let mut at = 0;
    for depth in 0..length - 1 {
        let next = match nodes[at][side(depth)] {
            Child::Node(next) => next,
            // A record on the way is pushed down to both sides.
            other => {
                nodes.push([other; 2]);
                nodes.len() - 1
            }
        };
        nodes[at][side(depth)] = Child::Node(next);
        at = next;
    }
    nodes[at][side(length - 1)] = child;
}
