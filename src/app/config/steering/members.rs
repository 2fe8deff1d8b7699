//! The members of a pool: what they answer with, where they are, and how much of the answers is theirs.

use std::net::IpAddr;
use std::sync::Arc;

use super::super::cursor::{Field, Section};
use super::super::raw::Value;
use super::words;
use crate::dns::Name;
use crate::handlers::authority::master_file::decode_base64;
use crate::steer::listed::{Listed, Service, Which};
use crate::steer::place_code::PlaceCode;
use crate::steer::pool::{self, Srv};
use crate::steer::{Member, Place, Weight, centroids};

const FORM: &str = "an address, a list of these, or a mapping such as {a: 192.0.2.1, at: FRA, weight: 2}";
const AT: &str =
    "an airport's code such as FRA, a city such as Paris or \"Portland, US\", or [degrees north, degrees east]";

/// Reads a member; what it does not say is as `usual`, what the pool says for all.
pub(super) fn read(name: &str, field: &Field<'_>, usual: &Member) -> Option<Member> {
    let mut member = Member { name: name.into(), ..usual.clone() };
    if !matches!(field.node.value, Value::Map(_)) {
        for item in field.each() {
            match item.scalar(FORM, |text| text.parse().ok())? {
                IpAddr::V4(v4) => member.a.push(v4),
                IpAddr::V6(v6) => member.aaaa.push(v6),
            }
        }
        return Some(member);
    }
    let mut section = field.section(FORM)?;
    if let Some(field) = section.take("a") {
        let one = |item: &Field<'_>| item.scalar("an IPv4 address such as 192.0.2.1", |text| text.parse().ok());
        member.a = field.each().iter().filter_map(one).collect();
    }
    if let Some(field) = section.take("aaaa") {
        let one = |item: &Field<'_>| item.scalar("an IPv6 address such as \"2001:db8::1\"", |text| text.parse().ok());
        member.aaaa = field.each().iter().filter_map(one).collect();
    }
    if let Some(field) = section.take("cname") {
        member.cname = target(&field);
    }
    listed(&mut section, &mut member);
    usual_keys(&mut section, &mut member);
    section.close();
    Some(member)
}

/// A service of the cluster in the place of addresses.
fn listed(section: &mut Section<'_>, member: &mut Member) {
    const FORM: &str = "a service as NAMESPACE/NAME, such as shop/web";
    let field = section.take("service");
    let which = [("cluster", Which::Cluster), ("external", Which::External), ("endpoints", Which::Endpoints)];
    let which = if field.is_some() { section.choice("addresses", Which::Cluster, &which) } else { Which::Cluster };
    let Some(field) = field else { return };
    let is_label = |text: &str| {
        let is_plain = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-';
        (1..=63).contains(&text.len()) && text.bytes().all(is_plain)
    };
    let service = field.scalar(FORM, |text| {
        let (namespace, name) = text.split_once('/').filter(|(one, other)| is_label(one) && is_label(other))?;
        Some(Service { namespace: namespace.into(), name: name.into(), which })
    });
    if !member.a.is_empty() || !member.aaaa.is_empty() || member.cname.is_some() {
        field.fault_found("service beside a, aaaa or cname", "one of them; a pool can have several members");
    }
    member.listed = service.map(|service| Arc::new(Listed::new(service)));
}

/// The keys that a pool can say for all of its members.
pub(super) fn usual_keys(section: &mut Section<'_>, member: &mut Member) {
    if let Some(field) = section.take("srv") {
        member.srv = srv(&field);
    }
    let services = [section.take("https"), section.take("svcb")];
    match services {
        [Some(_), Some(svcb)] => svcb.fault("https or svcb; both types are answered from either"),
        [one, other] => {
            if let Some(field) = one.or(other) {
                member.service = service(&field);
            }
        }
    }
    place(section, &mut member.place);
    if let Some(field) = section.take("weight") {
        let read = |text: &str| text.parse().ok().and_then(Weight::new);
        member.weight = field.scalar("a number from 0 to 1000000000", read).unwrap_or(member.weight);
    }
    member.tier = section.number("tier", u32::from(member.tier), 0..=1_000) as u16;
    let number = |field: Field<'_>| words::number(&field, "a number from 0", |number| number >= 0.0);
    if let Some(field) = section.take("cost") {
        member.cost = number(field).unwrap_or_default();
    }
    if let Some(field) = section.take("capacity") {
        member.capacity = number(field);
    }
    if let Some(field) = section.take("group") {
        member.group = words::name(&field);
    }
}

/// `at` tells the coordinates, and of an airport or a city the country; `in` tells the rest, or better.
fn place(section: &mut Section<'_>, place: &mut Place) {
    if let Some(field) = section.take("at")
        && let Some(found) = at(&field)
    {
        *place = found;
    }
    if let Some(field) = section.take("in") {
        let code = field.scalar("a place such as EU, NA-US or NA-US-HI", |text| text.parse::<PlaceCode>().ok());
        if let Some(code) = code {
            // Whatever `at` implied, all of it is said here.
            let known = Place { latitude: place.latitude, longitude: place.longitude, ..Place::default() };
            let PlaceCode { continent, country, subdivision, city } = code;
            *place = Place { continent, country, subdivision, city, ..known };
        }
    }
}

fn at(field: &Field<'_>) -> Option<Place> {
    if let Value::List(items) = &field.node.value {
        let within = |most: f64| move |text: &str| text.parse().ok().filter(|degrees: &f64| degrees.abs() <= most);
        let [_, _] = items.as_slice() else {
            field.fault(AT);
            return None;
        };
        let items = field.items(AT)?;
        let latitude = items.first()?.scalar("degrees north from -90 to 90", within(90.0));
        let longitude = items.get(1)?.scalar("degrees east from -180 to 180", within(180.0));
        return Some(Place::at(latitude?, longitude?));
    }
    field.scalar(AT, |text| centroids::airport(text).or_else(|| centroids::city(text)).cloned())
}

fn target(field: &Field<'_>) -> Option<Name> {
    field.scalar("a whole domain name such as www.example.net", |text| text.parse().ok())
}

fn u16_of(section: &mut Section<'_>, key: &'static str, usual: u16) -> u16 {
    section.number(key, u32::from(usual), 0..=u32::from(u16::MAX)) as u16
}

fn srv(field: &Field<'_>) -> Option<Srv> {
    let mut section = field.section("a mapping such as {port: 443, target: www.example.net}")?;
    let port = section.require("port", "the service's port").is_some();
    let srv = Srv {
        priority: u16_of(&mut section, "priority", 0),
        weight: u16_of(&mut section, "weight", 0),
        port: u16_of(&mut section, "port", 0),
        target: section.require("target", "the host that serves").and_then(|field| target(&field))?,
    };
    section.close();
    port.then_some(srv)
}

fn service(field: &Field<'_>) -> Option<pool::Service> {
    let mut section = field.section("a mapping such as {alpn: [h2, h3], target: www.example.net}")?;
    let protocol = |item: &Field<'_>| {
        let is_fit = |text: &str| (1..=255).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_graphic());
        item.scalar("a protocol such as h2 or h3", |text| is_fit(text).then(|| text.into()))
    };
    let service = pool::Service {
        priority: u16_of(&mut section, "priority", 1),
        target: section.take("target").filter(|field| field.node.text() != Some(".")).and_then(|field| target(&field)),
        alpn: section.take("alpn").map(|field| field.each().iter().filter_map(protocol).collect()).unwrap_or_default(),
        port: section.take("port").and_then(|field| {
            field.scalar("a port from 1 to 65535", |text| text.parse().ok().filter(|port| *port != 0))
        }),
        ech: section.take("ech").and_then(|field| {
            let mut octets = Vec::new();
            field.scalar("an ECHConfigList in base64 (RFC 9460)", |text| {
                decode_base64(text.as_bytes(), &mut octets).ok().filter(|()| !octets.is_empty())
            })?;
            Some(octets.into())
        }),
        has_hints: section.choice("hints", true, &[("auto", true), ("off", false)]),
    };
    section.close();
    Some(service)
}
