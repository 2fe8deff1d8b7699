//! With whom a zone is shared: keys, primaries, transfers, dynamic updates, catalogs.

use std::net::SocketAddr;
use std::sync::Arc;

use super::super::addresses;
use super::super::cursor::{Field, Section};
use super::super::raw::{Value, quoted};
use super::types::{
    Allowed, Catalog, Key, KeyAlgorithm, NamePattern, Server, TransferSettings, UpdatePolicy, ZoneSettings,
};
use crate::base::Network;
use crate::dns::{Name, RecordType};
use crate::handlers::authority::master_file::decode_base64;

const PORT: u16 = 53;

/// The TSIG keys.
pub(super) fn keys(top: &mut Section<'_>) -> Vec<Arc<Key>> {
    const FORM: &str = "a mapping such as {transfer-key: {algorithm: hmac-sha256, secret: \"base64==\"}}";
    let Some(field) = top.take("keys").filter(|field| !field.node.is_off()) else { return Vec::new() };
    let mut keys: Vec<Arc<Key>> = Vec::new();
    for (text, at, field) in field.entries(FORM).unwrap_or_default() {
        let name: Name = match text.parse() {
            Ok(name) => name,
            Err(fault) => {
                field.fault_at(at, quoted(text), format!("a key's name such as transfer-key ({fault})"));
                continue;
            }
        };
        if keys.iter().any(|key| key.name == name) {
            field.fault_at(at, format!("the key {name} again"), "each key once");
        }
        let Some(mut section) = field.section("a mapping such as {secret: \"base64==\"}") else { continue };
        let algorithms = [
            ("hmac-sha256", KeyAlgorithm::HmacSha256),
            ("hmac-sha384", KeyAlgorithm::HmacSha384),
            ("hmac-sha512", KeyAlgorithm::HmacSha512),
        ];
        let algorithm = section.choice("algorithm", KeyAlgorithm::HmacSha256, &algorithms);
        let secret = section.require("secret", SECRET).and_then(|field| secret(&field));
        section.close();
        keys.extend(secret.map(|secret| Arc::new(Key { name, algorithm, secret })));
    }
    keys
}

const SECRET: &str = "the shared secret in base64, as `tsig-keygen` or `openssl rand -base64 32` makes it";

fn secret(field: &Field<'_>) -> Option<Box<[u8]>> {
    let mut octets = Vec::new();
    let is_fit = field.node.text().is_some_and(|text| decode_base64(text.as_bytes(), &mut octets).is_ok());
    if is_fit && !octets.is_empty() {
        return Some(octets.into());
    }
    field.fault_found("something else", SECRET); // a secret with a slip in it is still nobody's business
    None
}

/// Reads the keys of a zone's section that say with whom it is shared.
pub(super) fn read(section: &mut Section<'_>, zone: &mut ZoneSettings, keys: &[Arc<Key>]) {
    if let Some(field) = section.take("primaries") {
        zone.primaries = servers(&field, keys);
    }
    if let Some(field) = section.take("transfer").filter(|field| !field.node.is_off())
        && let Some(mut transfer) = field.section("a mapping such as {allow: [192.0.2.2], notify: [192.0.2.2]}")
    {
        zone.transfer = TransferSettings {
            allow: transfer.take("allow").map(|field| allowed(&field, keys)).unwrap_or_default(),
            notify: transfer.take("notify").map(|field| servers(&field, keys)).unwrap_or_default(),
            key: transfer.take("key").and_then(|field| key(&field, keys)),
        };
        transfer.close();
    }
    let update = section.take("update").filter(|field| !field.node.is_off());
    if let Some(field) = update {
        let form = "a list such as [{key: NAME, names: \"*.dyn.example.com\", types: [A, AAAA]}]";
        zone.update =
            field.items(form).unwrap_or_default().iter().filter_map(|item| policy(item, zone, keys)).collect();
        if zone.is_secondary() && !zone.update.is_empty() {
            field.fault("nothing, as a secondary has the data of its primaries");
        }
    }
    let catalogs = [("off", Catalog::Off), ("consume", Catalog::Consume), ("produce", Catalog::Produce)];
    zone.catalog = section.choice("catalog", Catalog::Off, &catalogs);
}

/// The name of a key that the configuration has.
fn key(field: &Field<'_>, keys: &[Arc<Key>]) -> Option<Name> {
    if field.node.is_off() {
        return None;
    }
    let known = || {
        let names: Vec<String> = keys.iter().map(|key| key.name.to_string().trim_end_matches('.').to_owned()).collect();
        if names.is_empty() {
            "the name of a key under `keys:`, where none stands yet".to_owned()
        } else {
            format!("the name of a key under `keys:`: {}", names.join(", "))
        }
    };
    let name: Option<Name> = field.node.text().and_then(|text| text.parse().ok());
    let name = name.filter(|name| keys.iter().any(|key| key.name == *name));
    if name.is_none() {
        field.fault(known());
    }
    name
}

fn servers(field: &Field<'_>, keys: &[Arc<Key>]) -> Vec<Server> {
    let form = "a list such as [192.0.2.1, {address: 192.0.2.2, key: transfer-key}]";
    let server = |item: &Field<'_>| {
        if !matches!(item.node.value, Value::Map(_)) {
            return addresses::server(item, PORT).map(|address| Server { address, key: None });
        }
        let mut section = item.section(form)?;
        let address: Option<SocketAddr> =
            section.require("address", "the server's address").and_then(|field| addresses::server(&field, PORT));
        let key = section.take("key").and_then(|field| key(&field, keys));
        section.close();
        Some(Server { address: address?, key })
    };
    field.items(form).unwrap_or_default().iter().filter_map(server).collect()
}

fn allowed(field: &Field<'_>, keys: &[Arc<Key>]) -> Vec<Allowed> {
    let form = "a list such as [192.0.2.0/24, {key: transfer-key}, {network: 192.0.2.2, key: transfer-key}]";
    let mut all: Vec<Allowed> = Vec::new();
    for item in field.items(form).unwrap_or_default() {
        if !matches!(item.node.value, Value::Map(_)) {
            if item.node.text() == Some("any") {
                all.push(Allowed { network: None, key: None });
            } else {
                all.extend(addresses::network(&item).map(|network| Allowed { network: Some(network), key: None }));
            }
            continue;
        }
        let Some(mut section) = item.section(form) else { continue };
        let network: Option<Option<Network>> =
            section.take("network").map_or(Some(None), |field| addresses::network(&field).map(Some));
        let wanted = section.take("key");
        let key = wanted.as_ref().and_then(|field| key(field, keys));
        section.close();
        if wanted.is_none() && network == Some(None) {
            item.fault("network, key or both");
        } else if wanted.is_some() == key.is_some() {
            all.extend(network.map(|network| Allowed { network, key }));
        }
    }
    all
}

fn policy(field: &Field<'_>, zone: &ZoneSettings, keys: &[Arc<Key>]) -> Option<UpdatePolicy> {
    let mut section = field.section("a mapping such as {key: NAME, names: \"*.dyn.example.com\", types: [A, AAAA]}")?;
    let key = section.require("key", "the key that updates are signed with").and_then(|field| key(&field, keys));
    let names = match section.take("names") {
        Some(field) => field.each().iter().filter_map(|item| pattern(item, zone)).collect(),
        None => vec![NamePattern::Within(zone.apex.clone())],
    };
    let rtype = |field: &Field<'_>| {
        // ANY stands for all types, SOA and NS too, which none at all does not.
        let is_usable = |rtype: &RecordType| !rtype.is_meta() || *rtype == RecordType::ANY;
        field.scalar("a record type such as A, or ANY", |text: &str| text.parse().ok().filter(is_usable))
    };
    let types = section.take("types").map(|field| field.each().iter().filter_map(rtype).collect());
    section.close();
    Some(UpdatePolicy { key: key?, names, types: types.unwrap_or_default() })
}

/// A name of the zone, or `*.` and a name for all below it.
fn pattern(field: &Field<'_>, zone: &ZoneSettings) -> Option<NamePattern> {
    let read = |text: &str| {
        let (is_below, rest) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let name: Name = rest.parse().ok()?;
        let pattern = if is_below { NamePattern::Below(name.clone()) } else { NamePattern::Exactly(name.clone()) };
        name.is_within(&zone.apex).then_some(pattern)
    };
    field.scalar(format!("a name within {}, whole, or \"*.\" and such a name for all below it", zone.apex), read)
}
