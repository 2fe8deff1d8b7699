//! What is known of trust anchors' keys as lines of text, to be kept over a restart.
//!
//! The first line says what it is, the last has a checksum of all before it: of a file that was half written nothing is
//! believed. Between them, a line for each zone (`zone NAME SEEN NEXT RETRY`), for each DS record that the operator wrote
//! of it (`written RDATA`) and for each of its keys (`key STATE SINCE HOLD RDATA`); times in seconds, RDATA in
//! hexadecimal digits.

use std::fmt::Write;

use ring::digest::{SHA256, digest};

use super::{Key, Rollover, State};
use crate::base::bounds;
use crate::dns::dnssec::PublicKey;
use crate::dns::{Name, RecordType, RrSet};

const TITLE: &str = "meridian-anchors 1\n";
const END: &str = "end ";

const STATES: [(&str, State); 5] = [
    ("pending", State::Pending),
    ("valid", State::Valid),
    ("missing", State::Missing),
    ("revoked", State::Revoked),
    ("removed", State::Removed),
];

impl State {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        STATES.iter().find(|(_, state)| *state == self).map_or("", |(word, _)| word)
    }
}

/// The lines for `rollovers`.
#[must_use]
pub fn compose<'r>(rollovers: impl IntoIterator<Item = &'r Rollover>) -> String {
    let mut text = TITLE.to_owned();
    for Rollover { written, keys, seen, next, retry } in rollovers {
        // Writing to a string cannot fail.
        _ = writeln!(text, "zone {} {seen} {next} {retry}", written.owner);
        for rdata in written.rdatas.iter() {
            _ = writeln!(text, "written {}", hex(rdata));
        }
        for Key { key, state, since, hold } in keys {
            _ = writeln!(text, "key {} {since} {hold} {}", state.word(), hex(key.rdata()));
        }
    }
    let sum = hex(digest(&SHA256, text.as_bytes()).as_ref());
    text + END + &sum + "\n"
}

/// Reads what [`compose`] wrote; none where a single octet of it is missing or another.
#[must_use]
pub fn parse(text: &str) -> Option<Vec<Rollover>> {
    let (body, sum) = text.strip_suffix('\n')?.rsplit_once('\n')?;
    let body = text.get(..=body.len())?;
    if sum.strip_prefix(END)? != hex(digest(&SHA256, body.as_bytes()).as_ref()) {
        return None;
    }
    let mut rollovers: Vec<(Rollover, Vec<Vec<u8>>)> = Vec::new();
    for line in body.strip_prefix(TITLE)?.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match (words.as_slice(), rollovers.last_mut()) {
            (["zone", name, seen, next, retry], _) => {
                let written = RrSet::new(name.parse::<Name>().ok()?, RecordType::DS, 0, [[]; 0]);
                let (seen, next, retry) = (seen.parse().ok()?, next.parse().ok()?, retry.parse().ok()?);
                rollovers.push((Rollover { written, keys: Vec::new(), seen, next, retry }, Vec::new()));
            }
            (["written", rdata], Some((_, written))) => written.push(octets(rdata)?),
            (["key", word, since, hold, rdata], Some((rollover, _))) => {
                let (_, state) = *STATES.iter().find(|(known, _)| known == word)?;
                let key = PublicKey::parse(&octets(rdata)?).ok()?;
                if rollover.keys.len() < bounds::ANCHOR_KEYS_MAX {
                    rollover.keys.push(Key { key, state, since: since.parse().ok()?, hold: hold.parse().ok()? });
                }
            }
            _ => return None,
        }
    }
    let whole = rollovers.into_iter().map(|(rollover, written)| Rollover {
        written: RrSet::new(rollover.written.owner.clone(), RecordType::DS, 0, written),
        ..rollover
    });
    Some(whole.collect())
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(2 * octets.len()), |mut text, octet| {
        _ = write!(text, "{octet:02x}");
        text
    })
}

fn octets(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?, 16).ok())
        .collect()
}
