//! The top of the file: what is served, by whom, and what is said about it.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use super::cursor::{Field, Report, Section};
use super::raw::{Node, Value};
use super::types::{Admin, Config, Identity, Listen};
use super::{Machine, addresses, answers, cache, kubernetes, later, limits, recursion, steering, telling, zones};

/// More threads than any machine has cores.
const WORKERS_MAX: usize = 1_024;
const PORT: u16 = 5_300;
const ADMIN_PORT: u16 = 9_153;
/// Service managers lose their patience about then.
const LAME_DUCK_MAX: Duration = Duration::from_secs(600);

/// The configuration that the tree stands for; of use only if the report stays without faults.
pub(super) fn config(tree: &Node, report: &Report, folder: &Path, machine: &Machine) -> Option<Config> {
    let nothing = Node { at: tree.at, value: Value::Map(Vec::new()) };
    let tree = if tree.is_null() { &nothing } else { tree };
    let mut top = Field::root(tree, report).section("a mapping of keys, such as `listen: [127.0.0.1:5300]`")?;
    let listen = listen(&mut top);
    let keys = zones::keys(&mut top);
    let mut steerer = steering::read(&mut top, folder);
    let hosted = zones::read(&mut top, folder, report, &keys, &mut steerer);
    let steering = steerer.finish(&mut top, &hosted.zones, report);
    let mut config = Config {
        admin: admin(&mut top, folder),
        lame_duck: top.duration("lame_duck", Duration::ZERO, Duration::ZERO..=LAME_DUCK_MAX),
        rotates: answers::rotates(&mut top),
        rewrites: answers::rewrites(&mut top),
        fixed: answers::fixed(&mut top),
        workers: workers(&mut top, machine),
        state: top.take("state").filter(|field| !field.node.is_off()).and_then(|field| field.path(folder)),
        user: top.take("user").filter(|field| !field.node.is_off()).and_then(|field| user(&field)),
        files: Vec::new(),
        log: top.block("log", telling::log).unwrap_or_else(telling::quiet_log),
        dnstap: telling::dnstap(&mut top, folder),
        recursion: top.block("recursion", |section| recursion::read(section, folder, &listen)),
        cache: top.block("cache", cache::read),
        identity: top.block("identity", identity).unwrap_or_default(),
        zones: hosted.zones,
        zones_folder: hosted.folder,
        limits: top.block("limits", |section| limits::read(section, folder)).unwrap_or_else(limits::off),
        kubernetes: kubernetes::read(&mut top, folder),
        keys,
        steering,
        listen,
    };
    top.close();
    kubernetes::move_in(&mut config, tree, report);
    config.files = report.paths();
    config.files.extend(config.recursion.iter().filter_map(|recursion| Some(recursion.hosts.as_ref()?.file.clone())));
    config.files.sort();
    config.files.dedup();
    Some(config)
}

/// A user's name, as systems allow it.
fn user(field: &Field<'_>) -> Option<Box<str>> {
    let is_name = |text: &&str| {
        let is_letter = |octet: u8| octet.is_ascii_alphanumeric() || b"_-.".contains(&octet);
        (1..=32).contains(&text.len()) && !text.starts_with('-') && text.bytes().all(is_letter)
    };
    field.scalar("off, or the name of a user", |text| Some(text).filter(is_name).map(Into::into))
}

fn listen(top: &mut Section<'_>) -> Vec<Listen> {
    let default = [SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)), SocketAddr::from((Ipv6Addr::LOCALHOST, PORT))];
    let Some(field) = top.take("listen") else { return default.map(|address| Listen { address }).into() };
    let allowed = format!("a list of addresses, such as [{}]", addresses::SOCKET_EXAMPLE);
    let items = field.items(&allowed).unwrap_or_default();
    if field.node.is_empty() {
        field.fault(allowed);
    }
    let mut listen: Vec<Listen> = Vec::with_capacity(items.len());
    for item in items {
        let Some(address) = listen_address(&item) else { continue };
        if listen.iter().any(|earlier| earlier.address == address && address.port() != 0) {
            item.fault_found(format!("{address} again"), "each address once");
        } else {
            listen.push(Listen { address });
        }
    }
    listen
}

/// An entry of `listen`: an address, or a mapping that names a transport as well.
fn listen_address(field: &Field<'_>) -> Option<SocketAddr> {
    if field.node.text().is_some() {
        return addresses::socket(field);
    }
    let mut section = field.section(addresses::SOCKET_FORM)?;
    let address = section.require("address", addresses::SOCKET_FORM).and_then(|field| addresses::socket(&field));
    let transport = section.take("transport");
    let credentials = [section.take("certificate"), section.take("key")];
    if let Some(transport) = transport {
        let word = transport.node.text().filter(|word| later::TRANSPORTS.contains(word));
        let reason = later::not_yet(word.unwrap_or("any other"));
        transport.fault(format!("no transport, which serves UDP and TCP ({reason})"));
    } else {
        for credential in credentials.into_iter().flatten() {
            credential.fault("nothing, as UDP and TCP are not encrypted");
        }
    }
    section.close();
    address
}

fn admin(top: &mut Section<'_>, folder: &Path) -> Option<Admin> {
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, ADMIN_PORT));
    let plain = |address| Admin { address, token_file: None, health: None, ready: None, tells_coredns: false };
    match top.take("admin") {
        None => Some(plain(default)),
        Some(field) if field.node.is_off() => None,
        Some(field) if matches!(field.node.value, Value::Map(_)) => {
            let mut section = field.section("a mapping")?;
            let address = section.take("address").map_or(Some(default), |field| addresses::socket(&field));
            let token_file = section.take("token_file").filter(|field| !field.node.is_off());
            let token_file = token_file.and_then(|field| field.path(folder));
            let mut other = |key| {
                let field = section.take(key).filter(|field| !field.node.is_off())?;
                addresses::socket(&field)
            };
            let (health, ready) = (other("health"), other("ready"));
            let all: Vec<SocketAddr> = address.into_iter().chain(health).chain(ready).collect();
            let is_twice =
                |(at, one): (usize, &SocketAddr)| one.port() != 0 && all.iter().skip(at + 1).any(|other| other == one);
            if all.iter().enumerate().any(is_twice) {
                field.fault_found("one address for several", "an address of its own for each");
            }
            let tells_coredns = section.flag("coredns_metrics", false);
            section.close();
            address.map(|address| Admin { token_file, health, ready, tells_coredns, ..plain(address) })
        }
        Some(field) => addresses::socket(&field).map(plain),
    }
}

fn workers(top: &mut Section<'_>, machine: &Machine) -> usize {
    let automatic = machine.cores.get().min(WORKERS_MAX);
    let Some(field) = top.take("workers") else { return automatic };
    let read = |text: &str| match text {
        "auto" => Some(automatic),
        number => number.parse().ok().filter(|count| (1..=WORKERS_MAX).contains(count)),
    };
    field.scalar(format!("auto or a number from 1 to {WORKERS_MAX}"), read).unwrap_or(automatic)
}

/// What we say of ourselves; a text that stands for nothing is `off`.
fn identity(section: &mut Section<'_>) -> Identity {
    let mut text = |key| {
        let field = section.take(key).filter(|field| !field.node.is_off())?;
        let is_text = |text: &&str| (1..=255).contains(&text.len());
        let read = |text: &str| Some(text).filter(is_text).map(|text| text.as_bytes().into());
        field.scalar("off, or a text of 1 to 255 octets", read)
    };
    Identity { version: text("version"), id: text("id"), hostname: text("hostname"), nsid: text("nsid") }
}
