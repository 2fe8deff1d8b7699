//! The block `checks`: what is done to find out whether members are alive.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::cursor::{Field, Section, listed};
use super::super::raw::Value;
use super::super::scalars;
use super::geo::existing;
use super::words::{self, Named};
use crate::dns::{Name, Rcode, RecordType};
use crate::steer::health::check::{Check, HttpProbe, Probe};
use crate::steer::health::tracker::Timing;

const FORM: &str = "a mapping such as {web: {https: /healthz, every: 10s}}";
const CHECK_FORM: &str = "a mapping such as {https: /healthz, expect: 200, every: 10s}";
/// The words that say what is done; each check has one.
const KINDS: [&str; 9] = ["http", "https", "tcp", "tls", "dns", "icmp", "command", "file", "push"];
const INTERVAL: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(86_400);
/// How many intervals a result from elsewhere is believed.
const BELIEVED: u32 = 3;

pub(super) fn read(top: &mut Section<'_>, folder: &Path) -> Named<Check> {
    let mut checks = Named::new("checks");
    for (name, _, field) in words::named(top, "checks", FORM) {
        if let Some(check) = check(name, &field, folder) {
            checks.add(name, check);
        }
    }
    checks
}

fn check(name: &str, field: &Field<'_>, folder: &Path) -> Option<Check> {
    let mut section = field.section(CHECK_FORM)?;
    let kinds: Vec<(&str, Field<'_>)> = KINDS
        .iter()
        .filter_map(|kind| Some((*kind, section.take(kind).filter(|field| !field.node.is_off())?)))
        .collect();
    let timing = timing(&mut section);
    let probe = match kinds.as_slice() {
        [(kind, told)] => probe(kind, told, &mut section, folder, timing.interval),
        [] => {
            field.fault_found("nothing to do", format!("one of {}", listed(KINDS, None)));
            return None; // what else stands there cannot be judged
        }
        [(one, _), (other, told), ..] => {
            told.fault_found(format!("{other} beside {one}"), "one thing to do; a pool can have several checks");
            return None;
        }
    };
    section.close();
    Some(Check { name: name.into(), probe: probe?, timing })
}

fn timing(section: &mut Section<'_>) -> Timing {
    let usual = Timing::default();
    let interval = section.duration("every", usual.interval, INTERVAL);
    let mut count = |key, usual: u8| section.number(key, u32::from(usual), 1..=100) as u8;
    let (fall, rise, clear) = (count("fall", usual.fall), count("rise", usual.rise), count("clear", usual.clear));
    Timing {
        interval,
        timeout: section.duration("timeout", usual.timeout.min(interval), Duration::from_millis(1)..=interval),
        fall,
        rise,
        clear,
        slow_start: section.duration("slow_start", usual.slow_start, Duration::ZERO..=Duration::from_secs(3_600)),
    }
}

fn probe(kind: &str, told: &Field<'_>, section: &mut Section<'_>, folder: &Path, interval: Duration) -> Option<Probe> {
    Some(match kind {
        "http" | "https" => Probe::Http(http(kind == "https", told, section, folder)?),
        "tcp" => {
            let (send, expect) = (section.take("send"), section.take("expect"));
            Probe::Tcp {
                port: port(told)?,
                send: send.and_then(|field| words::text(&field)),
                expect: expect.and_then(|field| words::text(&field)),
            }
        }
        "tls" => Probe::Tls {
            server_name: section.take("host").and_then(|field| host(&field)),
            verifies: section.flag("verify", true),
            roots: roots(section, folder),
            port: port(told)?,
        },
        "dns" => dns(told)?,
        "icmp" => {
            accept_true(told, "true");
            Probe::Icmp
        }
        "command" => command(told, folder)?,
        "file" => Probe::File { age_max: age_max(section, interval), path: told.path(folder)? },
        _ => {
            accept_true(told, "true; results come by the admin API");
            Probe::Push { age_max: age_max(section, interval) }
        }
    })
}

fn accept_true(field: &Field<'_>, allowed: &str) {
    let _: Option<()> = field.scalar(allowed, |text| matches!(text, "true" | "on").then_some(()));
}

fn age_max(section: &mut Section<'_>, interval: Duration) -> Duration {
    section.duration("max_age", interval * BELIEVED, INTERVAL)
}

fn port(field: &Field<'_>) -> Option<u16> {
    field.scalar("a port from 1 to 65535", |text| text.parse().ok().filter(|port| *port != 0))
}

fn host(field: &Field<'_>) -> Option<Box<str>> {
    let is_host = |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_graphic());
    field.scalar("a host name such as www.example.com", |text| is_host(text).then(|| text.into()))
}

fn roots(section: &mut Section<'_>, folder: &Path) -> Option<PathBuf> {
    section.take("roots").and_then(|field| existing(&field, folder, "the path of a file with PEM certificates"))
}

fn http(is_tls: bool, told: &Field<'_>, section: &mut Section<'_>, folder: &Path) -> Option<HttpProbe> {
    let is_path = |text: &str| text.starts_with('/') && text.bytes().all(|octet| octet.is_ascii_graphic());
    let path = told.scalar("a path such as /healthz", |text| is_path(text).then(|| text.into()));
    let port = section.take("port").map_or(Some(if is_tls { 443 } else { 80 }), |field| port(&field));
    let statuses = section.take("expect").map_or_else(|| vec![(200, 299)], |field| statuses(&field));
    let probe = HttpProbe {
        is_tls,
        verifies: if is_tls { section.flag("verify", true) } else { true },
        roots: if is_tls { roots(section, folder) } else { None },
        port: port?,
        method: section.choice("method", "GET", &[("GET", "GET"), ("HEAD", "HEAD")]),
        path: path?,
        host: section.take("host").and_then(|field| host(&field)),
        statuses,
        body: section.take("body").and_then(|field| words::text(&field)),
    };
    Some(probe)
}

/// `200`, `200..299`, or a list of these.
fn statuses(field: &Field<'_>) -> Vec<(u16, u16)> {
    let read = |text: &str| {
        let (from, to) = text.split_once("..").unwrap_or((text, text));
        let status = |text: &str| text.parse().ok().filter(|status: &u16| (100..=599).contains(status));
        Some((status(from)?, status(to)?)).filter(|(from, to)| from <= to)
    };
    let one =
        |item: &Field<'_>| item.scalar("a status such as 200, a range such as 200..399, or a list of these", read);
    field.each().iter().filter_map(one).collect()
}

fn dns(told: &Field<'_>) -> Option<Probe> {
    let mut section = told.section("a mapping such as {name: example.com, type: SOA, rcode: NOERROR}")?;
    let name: Option<Name> = section
        .require("name", "the name to ask for")
        .and_then(|field| field.scalar("a domain name such as example.com", |text| text.parse().ok()));
    let is_usable = |rtype: &RecordType| !rtype.is_meta();
    let rtype = section.take("type").map_or(Some(RecordType::A), |field| {
        field.scalar("a record type such as A or SOA", |text| text.parse().ok().filter(is_usable))
    });
    let codes = [Rcode::NOERROR, Rcode::FORMERR, Rcode::SERVFAIL, Rcode::NXDOMAIN, Rcode::NOTIMP, Rcode::REFUSED];
    let rcode = section.take("rcode").map_or(Some(Rcode::NOERROR), |field| {
        let read = |text: &str| codes.into_iter().find(|code| code.to_string().eq_ignore_ascii_case(text));
        field.scalar("NOERROR, NXDOMAIN, REFUSED, SERVFAIL, NOTIMP or FORMERR", read)
    });
    let port = section.take("port").map_or(Some(53), |field| port(&field));
    let is_tcp = section.flag("tcp", false);
    section.close();
    Some(Probe::Dns { port: port?, name: name?, rtype: rtype?, rcode: rcode?, is_tcp })
}

fn command(told: &Field<'_>, folder: &Path) -> Option<Probe> {
    const ALLOWED: &str = "a program and its arguments, such as [/usr/lib/checks/up, \"{address}\"]";
    let mut items = told.each().into_iter();
    let Some(first) = items.next() else {
        told.fault(ALLOWED);
        return None;
    };
    if matches!(first.node.value, Value::Map(_)) {
        first.fault(ALLOWED);
        return None;
    }
    // A bare name is looked for where programs are, like a shell does it.
    let program = first.path(folder)?;
    let program = first.node.text().filter(|text| !text.contains('/')).map_or(program, PathBuf::from);
    let arguments: Vec<Box<str>> =
        items.filter_map(|item| item.scalar(ALLOWED, |text| placeholders(text).then(|| text.into()))).collect();
    Some(Probe::Command { program, arguments })
}

/// Whether all that stands in braces can be replaced.
pub(super) fn placeholders(text: &str) -> bool {
    let known = ["member", "pool", "address"];
    text.split('{').skip(1).all(|part| part.split_once('}').is_some_and(|(word, _)| known.contains(&word)))
}

/// For lints: the interval as it is written.
pub(super) fn written(interval: Duration) -> String {
    scalars::duration_text(interval)
}
