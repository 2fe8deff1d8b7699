//! Reads a `MaxMind` DB: every network, and of every record what a place needs.

use std::fmt;
use std::net::IpAddr;

use maxminddb::{MaxMindDbError, Reader, WithinOptions};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::base::bounds;
use crate::base::collections::{Keyed, Map};
use crate::dns::subnet::hidden_v4;
use crate::steer::Source;
use crate::steer::spans::{Bits, Spans, UNKNOWN};

use super::GeoCause;
use super::layout::{Fields, Layout};

/// Reads the database in `bytes`.
pub(super) fn read(bytes: &[u8], fields: &Fields) -> Result<Source, GeoCause> {
    read_at_most(bytes, fields, bounds::GEO_NETWORKS_MAX)
}

/// Reads the database in `bytes` unless it has more than `most` networks, those without data and those said twice
/// included.
///
/// # Errors
/// [`GeoCause`], save that of a file.
pub fn read_at_most(bytes: &[u8], fields: &Fields, most: usize) -> Result<Source, GeoCause> {
    let format = |fault: MaxMindDbError| GeoCause::Format(fault.to_string());
    let reader = Reader::from_source(bytes).map_err(format)?;
    let mut layout = Layout::new(fields);
    // A place is read once, however many networks have it. The keys are offsets in the operator's own file.
    let mut numbers: Map<usize, u32> = Map::with_hasher(Keyed::with_seeds(1, 2, 3, 4));
    let mut places = Vec::new();
    let (mut v4, mut v6) = (Growing::<u32>::new(), Growing::<u128>::new());
    // Every branch is to be seen: one that the reader passed over in silence would not be counted.
    let every = WithinOptions::default().include_networks_without_data().include_aliased_networks();
    for (seen, found) in reader.networks(every).map_err(format)?.enumerate() {
        // A tree whose branches meet again can have more networks than any file has octets.
        if seen >= most {
            return Err(GeoCause::Networks);
        }
        let found = found.map_err(format)?;
        let Some(offset) = found.offset() else { continue };
        let network = found.network().map_err(format)?;
        // Databases say IPv4 again under the prefixes that carry it; those are never looked up.
        if matches!(network.ip(), IpAddr::V6(v6) if hidden_v4(v6, 128).is_some()) {
            continue;
        }
        let id = if let Some(&id) = numbers.get(&offset) {
            id
        } else {
            let record: Option<Value<'_>> = found.decode().map_err(format)?;
            let place = record.map(|record| layout.place(&record)).unwrap_or_default();
            let id = if place.is_unknown() { UNKNOWN } else { places.len() as u32 };
            if id != UNKNOWN {
                places.push(place);
            }
            numbers.insert(offset, id);
            id
        };
        let is_in_order = match network.ip() {
            IpAddr::V4(address) => v4.push(address.to_bits(), network.prefix(), id),
            IpAddr::V6(address) => v6.push(address.to_bits(), network.prefix(), id),
        };
        if !is_in_order {
            return Err(GeoCause::Format("networks overlap".to_owned()));
        }
    }
    if places.is_empty() {
        return Err(GeoCause::Fields);
    }
    Ok(Source { places, v4: v4.spans, v6: v6.spans })
}

/// Runs that grow by networks in order.
struct Growing<A> {
    spans: Spans<A>,
    next: Option<u128>,
}

impl<A: Bits> Growing<A> {
    fn new() -> Self {
        Self { spans: Spans::unknown(), next: Some(0) }
    }

    /// Adds a network, unless it begins before the end of the one before it.
    fn push(&mut self, start: A, length: u8, id: u32) -> bool {
        let is_in_order = self.next.is_some_and(|next| start.wide() >= next);
        if is_in_order {
            let host = u128::MAX.checked_shr(128 - u32::from(A::WIDTH.saturating_sub(length))).unwrap_or(0);
            let last = start.wide() | host;
            self.spans.push(start, id);
            self.next = (last < A::last().wide()).then(|| last + 1);
            if let Some(next) = self.next {
                self.spans.push(A::narrow(next), UNKNOWN); // until the next network comes, which may begin right here
            }
        }
        is_in_order
    }
}

/// A value of a record.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Number(f64),
    Map(Vec<(&'a str, Self)>),
    List(Vec<Self>),
    Other,
}

impl Value<'_> {
    /// The value at `key` of a map, or at that position of a list.
    pub(super) fn inside(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries.iter().find(|(name, _)| *name == key).map(|(_, value)| value),
            Self::List(items) => items.get(key.parse::<usize>().ok()?),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number, also one written as text.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
        .filter(|number: &f64| number.is_finite())
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a record")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(text))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value<'de>, E> {
        Ok(Value::Number(number))
    }

    fn visit_f32<E>(self, number: f32) -> Result<Value<'de>, E> {
        // By its shortest decimal form: 8.6, where the plain conversion would say 8.60000038.
        Ok(Value::Number(number.to_string().parse().unwrap_or_else(|_| f64::from(number))))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value<'de>, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_u128<E>(self, _: u128) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value<'de>, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<&'de str>()? {
            map.push((key, entries.next_value()?));
        }
        Ok(Value::Map(map))
    }
}
