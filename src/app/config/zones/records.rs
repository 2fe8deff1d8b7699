//! Records written into the configuration: owner, type, data as YAML, or a block of master-file text, or both.
//!
//! ```yaml
//! records:
//!   "@": {NS: [ns1, ns2], MX: "10 mail", TXT: "v=spf1 -all"}
//!   www: [192.0.2.1, "2001:db8::1"]        # addresses need no type
//!   old: {CNAME: www, ttl: 5m}
//! ```
//!
//! Everything becomes lines of a master file, which then are read as any other; each knows where it stands.

use std::fmt::Write;
use std::net::IpAddr;

use super::super::cursor::Field;
use super::super::raw::{Node, Value, quoted};
use super::super::scalars;
use super::types::InlineRecord;
use crate::dns::RecordType;

const FORM: &str = "a mapping such as {www: {A: 192.0.2.1}}, a block of master-file text, or a list of both";
const RECORD: &str = "a record's data, or a list of them";

/// Octets of a text in a TXT record (RFC 1035 §3.3.14).
const TEXT_MAX: usize = 255;
/// The TTL of records that state none, seconds.
const TTL: u32 = 3_600;

/// Reads the value of `records` in `file`.
pub(super) fn read(field: &Field<'_>, file: &str) -> Vec<InlineRecord> {
    let mut reader = Reader { file, ttl: TTL, records: Vec::new() };
    match &field.node.value {
        Value::List(_) => {
            for item in field.items(FORM).unwrap_or_default() {
                reader.part(&item);
            }
        }
        _ => reader.part(field),
    }
    reader.records
}

struct Reader<'f> {
    file: &'f str,
    ttl: u32,
    records: Vec<InlineRecord>,
}

impl Reader<'_> {
    fn part(&mut self, field: &Field<'_>) {
        match &field.node.value {
            Value::Text(text) => self.push(field.node, text.clone(), true),
            _ => self.mapping(field),
        }
    }

    fn mapping(&mut self, field: &Field<'_>) {
        let Some(entries) = field.entries(FORM) else { return };
        if let Some((_, _, field)) = entries.iter().find(|(owner, _, _)| *owner == "$TTL") {
            self.ttl = ttl(field).unwrap_or(TTL);
        }
        for (owner, at, field) in entries.iter().filter(|(owner, _, _)| *owner != "$TTL") {
            // YAML reads 1.10 as a number and forgets its last digit.
            let is_name = !owner.is_empty() && !owner.contains(|c: char| c.is_whitespace() || "\"();".contains(c));
            if !is_name || owner.parse::<f64>().is_ok() && owner.contains(['.', 'e', 'E']) {
                field.fault_at(
                    *at,
                    quoted(owner),
                    "an owner: a name, or @ for the zone's own; numbers with dots in quotes",
                );
                continue;
            }
            self.owner(owner, field);
        }
    }

    fn owner(&mut self, owner: &str, field: &Field<'_>) {
        if !matches!(field.node.value, Value::Map(_)) {
            for item in each(field) {
                let address: Option<IpAddr> = item.node.text().and_then(|text| text.parse().ok());
                match address {
                    Some(IpAddr::V4(v4)) => self.record(&item, owner, self.ttl, RecordType::A, &v4.to_string()),
                    Some(IpAddr::V6(v6)) => self.record(&item, owner, self.ttl, RecordType::AAAA, &v6.to_string()),
                    None => item.fault("an address, or a mapping from types to data such as {TXT: hello}"),
                }
            }
            return;
        }
        let entries = field.entries(RECORD).unwrap_or_default();
        let own_ttl = entries.iter().find(|(name, _, _)| *name == "ttl").map(|(_, _, field)| ttl(field));
        let own_ttl = own_ttl.flatten().unwrap_or(self.ttl);
        for (name, at, field) in entries.iter().filter(|(name, _, _)| *name != "ttl") {
            let rtype = name.parse::<RecordType>().ok().filter(|rtype| !rtype.is_meta());
            let Some(rtype) = rtype else {
                field.fault_at(*at, quoted(name), "a record type such as A, or ttl");
                continue;
            };
            for item in each(field) {
                let text = item.node.text().map(|text| text.replace(['\n', '\r'], " "));
                match text {
                    // Read as a number, 1.10 has lost its last digit.
                    Some(text) if matches!(item.node.value, Value::Number(_)) && text.contains('.') => {
                        item.fault(format!("{RECORD}; numbers with dots in quotes"));
                    }
                    Some(text) if matches!(rtype, RecordType::TXT | RecordType::SPF) => {
                        self.record(&item, owner, own_ttl, rtype, &in_quotes(&text));
                    }
                    Some(text) => self.record(&item, owner, own_ttl, rtype, &text),
                    None => item.fault(RECORD),
                }
            }
        }
    }

    fn record(&mut self, field: &Field<'_>, owner: &str, ttl: u32, rtype: RecordType, rdata: &str) {
        self.push(field.node, format!("{owner} {ttl} {rtype} {rdata}"), false);
    }

    fn push(&mut self, node: &Node, text: String, is_block: bool) {
        let (line, column) = (node.at.line as u32, node.at.column as u32);
        self.records.push(InlineRecord { file: self.file.to_owned(), line, column, text, is_block });
    }
}

fn ttl(field: &Field<'_>) -> Option<u32> {
    let read = |text: &str| {
        let seconds = text.parse().ok().or_else(|| {
            scalars::duration(text).filter(|d| d.subsec_nanos() == 0).and_then(|d| u32::try_from(d.as_secs()).ok())
        })?;
        i32::try_from(seconds).is_ok().then_some(seconds) // RFC 2181 §8
    };
    field.scalar("a TTL such as 300 or 5m", read)
}

/// The items of a list, or the one value that stands for a list.
fn each<'t>(field: &Field<'t>) -> Vec<Field<'t>> {
    match field.node.value {
        Value::List(_) => field.items(RECORD).unwrap_or_default(),
        _ => vec![field.clone()],
    }
}

/// A text as the character strings of a TXT record, unless its author has put it in quotes already.
fn in_quotes(text: &str) -> String {
    if text.starts_with('"') {
        return text.to_owned();
    }
    let mut out = String::new();
    for part in text.as_bytes().chunks(TEXT_MAX) {
        out.push('"');
        for &octet in part {
            match octet {
                b'"' | b'\\' => out.extend(['\\', octet as char]),
                b' '..=b'~' => out.push(octet as char),
                other => write!(out, "\\{other:03}").unwrap_or_default(),
            }
        }
        out.push_str("\" ");
    }
    if out.is_empty() { "\"\"".to_owned() } else { out }
}
