//! The block `recursion`: whom we resolve for, and how.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::addresses::{self, NetworkWord};
use super::cursor::{Field, Section};
use super::forward;
use super::types::{Dnssec, Families, Hosts, Listen, QnameMinimisation, Recursion, Roots, StubZone, TrustAnchors};
use crate::base::{NetworkSet, bounds};
use crate::dns::Name;
use crate::handlers::hosts;

const ALLOW_WORDS: &[NetworkWord] = &[("private", NetworkSet::private), ("any", addresses::any)];
const DENY_WORDS: &[NetworkWord] = &[("default", NetworkSet::never_upstream)];

/// Reads the block; `listen` is where forwarding must not lead.
pub(super) fn read(section: &mut Section<'_>, folder: &Path, listen: &[Listen]) -> Recursion {
    let allow = section.take("allow").and_then(|field| addresses::networks(&field, ALLOW_WORDS));
    let deny = section.take("deny_upstreams").and_then(|field| addresses::networks(&field, DENY_WORDS));
    let authority_port = section.number("authority_port", 53, 1..=u32::from(u16::MAX)) as u16;
    let families = [("both", Families::Both), ("ipv4", Families::Ipv4), ("ipv6", Families::Ipv6)];
    let families = section.choice("families", Families::Both, &families);
    let minimisation = [
        ("relaxed", QnameMinimisation::Relaxed),
        ("strict", QnameMinimisation::Strict),
        ("off", QnameMinimisation::Off),
    ];
    let is_askable = |field: &Field<'_>, server| is_usable(field, server, families, listen);
    let forward = forward::read(section, &is_askable, &|server| is_ours(server, listen));
    let stub = addresses::zones(section, "stub", |field| {
        addresses::server(field, authority_port).filter(|server| is_usable(field, *server, families, listen))
    });
    if let Some((zone, _)) = stub.iter().find(|(zone, _)| forward.iter().any(|other| other.zone == *zone))
        && let Some(field) = section.take("stub")
    {
        field.fault_found(format!("{zone}, which is forwarded"), "each zone in forward or in stub");
    }
    Recursion {
        allow: allow.unwrap_or_else(NetworkSet::private),
        roots: roots(section, folder),
        hosts: section.block("hosts", |section| hosts(section, folder)),
        qname_minimisation: section.choice("qname_minimisation", QnameMinimisation::Relaxed, &minimisation),
        case_randomisation: section.flag("case_randomisation", true),
        dnssec: section.block("dnssec", |section| dnssec(section, folder)).flatten(),
        forward,
        stub: stub.into_iter().map(|(zone, servers)| StubZone { zone, servers }).collect(),
        families,
        deny_upstreams: deny.unwrap_or_else(NetworkSet::never_upstream),
        authority_port,
    }
}

fn roots(section: &mut Section<'_>, folder: &Path) -> Roots {
    match section.take("roots") {
        Some(field) if field.node.text() != Some("builtin") => field.path(folder).map_or(Roots::Builtin, Roots::File),
        _ => Roots::Builtin,
    }
}

/// None where nothing is validated.
fn dnssec(section: &mut Section<'_>, folder: &Path) -> Option<Dnssec> {
    let validates = section.flag("validate", true);
    let anchors = match section.take("anchors") {
        Some(field) if field.node.text() != Some("builtin") => {
            field.path(folder).map_or(TrustAnchors::Builtin, TrustAnchors::File)
        }
        _ => TrustAnchors::Builtin,
    };
    let negative = section.take("negative").filter(|field| !field.node.is_off());
    let names = negative.and_then(|field| field.items("a list of domain names, such as [corp.example]"));
    let name = |field: Field<'_>| field.scalar("a domain name such as corp.example", |text| text.parse().ok());
    let mut negative: Vec<Name> = names.into_iter().flatten().filter_map(name).collect();
    negative.sort();
    negative.dedup();
    validates.then_some(Dnssec { anchors, negative })
}

fn hosts(section: &mut Section<'_>, folder: &Path) -> Hosts {
    Hosts {
        file: section.path("file", folder).unwrap_or_else(|| PathBuf::from("/etc/hosts")),
        ttl: section.seconds("ttl", Duration::from_secs(60), Duration::ZERO..=bounds::CACHE_TTL_MAX),
        lines: section.take("lines").filter(|field| !field.node.is_off()).and_then(|field| {
            let has_no_bad_line = |text: &&str| hosts::parse(text, 0).1.is_empty();
            let form = "lines of a hosts file, such as 192.0.2.1 www.example.com";
            field.scalar(form, |text| Some(text).filter(has_no_bad_line).map(ToOwned::to_owned))
        }),
    }
}

/// Whether a server can be asked at all: of a family that is asked, and not ourselves.
fn is_usable(field: &Field<'_>, server: SocketAddr, families: Families, listen: &[Listen]) -> bool {
    let of_family = match families {
        Families::Both => true,
        Families::Ipv4 => server.is_ipv4(),
        Families::Ipv6 => server.is_ipv6(),
    };
    if !of_family {
        field.fault("a server of the address family that recursion.families allows");
        return false;
    }
    if is_ours(server, listen) {
        field.fault("another server (we listen on this address ourselves)");
        return false;
    }
    true
}

/// Whether we listen there: a query that we send to ourselves comes back as the next one, without end.
fn is_ours(server: SocketAddr, listen: &[Listen]) -> bool {
    listen.iter().any(|own| {
        let unspecified = own.address.ip().is_unspecified() && server.ip().to_canonical().is_loopback();
        own.address.port() == server.port() && (own.address.ip() == server.ip() || unspecified)
    })
}
