//! The servers under comparison, each with the same names in its own words.
#![allow(unreachable_pub, reason = "a module of one test")]

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::truth::{DOWN, NETWORKS, PLACES, SHARES, SITES, SYSTEMS, parsed};
use crate::support::process::Server;

/// Who is compared, and where each listens.
pub const SERVERS: [(&str, &str); 4] =
    [("meridian", "127.0.0.10"), ("gdnsd", "127.0.0.11"), ("powerdns", "127.0.0.12"), ("knot", "127.0.0.13")];
pub const ZONE: &str = "steer.test.";
pub const TTL: u32 = 60;
/// The port that checks try.
pub const CHECKED: u16 = 8080;

/// The address of a site.
pub fn site(index: usize) -> IpAddr {
    IpAddr::from([198, 18, 50, 1 + index as u8])
}

/// The address of another name's member.
pub fn member(name: &str, index: usize) -> IpAddr {
    let net = match name {
        "place" => 10,
        "asn" => 11,
        "net" => 12,
        "share" => 13,
        // Members that are checked.
        "spare" => return IpAddr::from([198, 18, 51, 1 + index as u8]),
        "dark" => return IpAddr::from([198, 18, 52, 1 + index as u8]),
        "many" => return IpAddr::from([198, 18, 53, 1 + index as u8]),
        _ => return site(index),
    };
    IpAddr::from([192, 0, net, 1 + index as u8])
}

/// The target of an alias; gdnsd refuses one in the same zone.
pub fn target(index: usize) -> String {
    format!("{}.cdn.example.", PLACES[index].0)
}

/// Members of the checked names, and whether each is up.
pub const CHECKS: [(&str, &[bool]); 3] =
    [("spare", &[false, true]), ("dark", &[false, false]), ("many", &[true, false, true])];

/// Every address at which something listens for checks.
pub fn listening() -> Vec<SocketAddr> {
    let sites = (0..SITES.len()).filter(|index| !DOWN.contains(index)).map(site);
    let others = CHECKS.iter().flat_map(|(name, up)| {
        up.iter().enumerate().filter(|(_, up)| **up).map(|(index, _)| member(name, index)).collect::<Vec<_>>()
    });
    sites.chain(others).map(|address| SocketAddr::new(address, CHECKED)).collect()
}

fn put(directory: &Path, name: &str, text: &str) -> String {
    let file = directory.join(name);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

/// Lines made of each item.
fn each<T>(items: impl IntoIterator<Item = T>, line: impl Fn(T) -> String) -> String {
    items.into_iter().map(line).collect()
}

/// A zone file with `more` beside what all have.
fn zone_file(more: &str) -> String {
    format!(
        "$ORIGIN {ZONE}\n@ 3600 SOA ns hostmaster 1 7200 3600 1209600 300\n@ 3600 NS ns\nns 3600 A 192.0.2.250\n{more}"
    )
}

pub fn start(name: &str, at: &str, path: &Path, database: &str) -> Server {
    let directory = path.join(name);
    std::fs::create_dir_all(&directory).unwrap();
    let command = match name {
        "gdnsd" => gdnsd(at, &directory, database),
        "powerdns" => powerdns(at, &directory, database),
        "knot" => knot(at, &directory, database),
        _ => meridian(at, &directory, database),
    };
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    Server::start(name, path, &command)
}

fn meridian(at: &str, directory: &Path, database: &str) -> Vec<String> {
    let zone = put(directory, "zone", &zone_file(""));
    let members = |name: &str, names: Vec<&str>| {
        each(names.iter().enumerate(), |(index, member_name)| {
            format!("      {member_name}: {{a: {}}}\n", member(name, index))
        })
    };
    let sites = each(SITES.iter().enumerate(), |(index, (name, latitude, longitude))| {
        format!("      {name}: {{a: {}, at: [{latitude}, {longitude}]}}\n", site(index))
    });
    let places = each(PLACES.iter().filter(|(_, codes)| !codes.is_empty()), |(name, codes)| {
        format!("          {}: {name}\n", codes.join("-"))
    });
    let systems = each(SYSTEMS.iter(), |(name, systems)| each(*systems, |asn| format!("          {asn}: {name}\n")));
    let networks = each(NETWORKS.iter(), |(name, networks)| {
        each(*networks, |network| format!("          \"{network}\": {name}\n"))
    });
    let aliases = each(0..PLACES.len(), |index| format!("      {}: {{cname: {}}}\n", PLACES[index].0, target(index)));
    let shares = each(SHARES.iter().enumerate(), |(index, (name, weight))| {
        format!("      {name}: {{a: {}, weight: {weight}}}\n", member("share", index))
    });
    let checked = each(CHECKS.iter(), |(name, up)| {
        let members = each(0..up.len(), |index| {
            let tier = if *name == "many" { 1 } else { 1 + index };
            format!("      m{index}: {{a: {}, tier: {tier}}}\n", member(name, index))
        });
        format!("  {name}:\n    check: open\n    members:\n{members}")
    });
    let text = format!(
        "listen: [\"{at}:53\"]\nadmin: off\nworkers: 1\nrecursion: off\n\
         geo: {{city: {database}, country: off, asn: {database}}}\n\
         checks:\n  open: {{tcp: {CHECKED}, every: 1s, timeout: 500ms, fall: 1}}\n\
         pools:\n  places:\n    members:\n{}  systems:\n    members:\n{}  networks:\n    members:\n{}  \
         aliases:\n    members:\n{aliases}  shares:\n    members:\n{shares}  \
         sites:\n    members:\n{sites}  checked-sites:\n    check: open\n    members:\n{sites}{checked}\
         policies:\n  place:\n    - rules:\n        geo:\n{places}        default: else\n  \
         asn:\n    - rules:\n        asn:\n{systems}        default: else\n  \
         net:\n    - rules:\n        cidr:\n{networks}        default: else\n\
         zones:\n  steer.test:\n    file: {zone}\n    steer:\n      \
         place: {{pool: places, policy: place, ttl: {TTL}}}\n      \
         asn: {{pool: systems, policy: asn, ttl: {TTL}}}\n      \
         net: {{pool: networks, policy: net, ttl: {TTL}}}\n      \
         alias: {{pool: aliases, policy: place, ttl: {TTL}}}\n      \
         near: {{pool: sites, policy: nearest, ttl: {TTL}}}\n      \
         far: {{pool: checked-sites, policy: nearest, ttl: {TTL}}}\n      \
         share: {{pool: shares, policy: weighted, ttl: {TTL}}}\n      \
         spare: {{pool: spare, policy: tier, ttl: {TTL}}}\n      \
         dark: {{pool: dark, policy: tier, ttl: {TTL}}}\n      \
         many: {{pool: many, policy: all, ttl: {TTL}}}\n",
        members("place", PLACES.iter().map(|(name, _)| *name).collect()),
        members("asn", SYSTEMS.iter().map(|(name, _)| *name).collect()),
        members("net", NETWORKS.iter().map(|(name, _)| *name).collect()),
    );
    let file = put(directory, "meridian.yaml", &text);
    vec![env!("CARGO_BIN_EXE_meridian").to_owned(), "serve".into(), "--config".into(), file]
}

fn gdnsd(at: &str, directory: &Path, database: &str) -> Vec<String> {
    let d = directory.display();
    let datacenters = |names: Vec<&str>| names.join(", ");
    let place_names = datacenters(PLACES.iter().map(|(name, _)| *name).collect());
    let site_names = datacenters(SITES.iter().map(|(name, ..)| *name).collect());
    let coordinates = each(SITES, |(name, latitude, longitude)| format!("{name} => [ {latitude}, {longitude} ],\n"));
    let nets = each(NETWORKS, |(name, networks)| each(networks, |network| format!("{network} => {name},\n")));
    let dcmap = |name: &str, names: Vec<&str>| {
        each(names.into_iter().enumerate(), |(index, dc)| format!("{dc} => {},\n", member(name, index)))
    };
    let aliases = each(0..PLACES.len(), |index| format!("{} => {},\n", PLACES[index].0, target(index)));
    let weights = each(SHARES.iter().enumerate(), |(index, (name, weight))| {
        format!("{name} => [ {}, {weight} ],\n", member("share", index))
    });
    let pair =
        |name: &str| format!("{name} => {{ primary => {}, secondary => {} }}\n", member(name, 0), member(name, 1));
    let text = format!(
        "options => {{ listen => [ {at}:53 ], udp_threads => 1, tcp_threads => 1, run_dir => {d}/run, state_dir => {d}/state }}\n\
         service_types => {{ open => {{ plugin => tcp_connect, port => {CHECKED}, interval => 2, timeout => 1, up_thresh => 1, ok_thresh => 1, down_thresh => 1 }} }}\n\
         plugins => {{\n geoip => {{\n  maps => {{\n   \
         place => {{ geoip2_db => {database}, datacenters => [ {place_names} ], map => {{ default => [ else ], \
           EU => {{ default => [ eu ], DE => [ de ] }}, NA => {{ default => [ else ], US => {{ default => [ us ], HI => [ hi ] }} }}, \
           AS => [ as ], OC => [ oc ], SA => [ sa ] }} }}\n   \
         near => {{ geoip2_db => {database}, datacenters => [ {site_names} ], auto_dc_coords => {{ {coordinates} }} }}\n   \
         net => {{ datacenters => [ else, a, b, c ], nets => {{ {nets} }} }}\n  }}\n  resources => {{\n   \
         place => {{ map => place, service_types => up, dcmap => {{ {} }} }}\n   \
         alias => {{ map => place, service_types => up, dcmap => {{ {aliases} }} }}\n   \
         near => {{ map => near, service_types => up, dcmap => {{ {sites} }} }}\n   \
         far => {{ map => near, service_types => open, dcmap => {{ {sites} }} }}\n   \
         net => {{ map => net, service_types => up, dcmap => {{ {} }} }}\n  }}\n }}\n \
         weighted => {{ share => {{ service_types => up, {weights} }} }}\n \
         simplefo => {{ service_types => open, {}{} }}\n \
         multifo => {{ many => {{ service_types => open, {} }} }}\n}}\n",
        dcmap("place", PLACES.iter().map(|(name, _)| *name).collect()),
        dcmap("net", NETWORKS.iter().map(|(name, _)| *name).collect()),
        pair("spare"),
        pair("dark"),
        each(0..3, |index| format!("m{index} => {},\n", member("many", index))),
        sites = each(0..SITES.len(), |index| format!("{} => {},\n", SITES[index].0, site(index))),
    );
    put(directory, "config", &text);
    let more = each(["place", "near", "far", "net"], |name| format!("{name} {TTL} DYNA geoip!{name}\n"))
        + &format!(
            "alias {TTL} DYNC geoip!alias\nshare {TTL} DYNA weighted!share\nspare {TTL} DYNA simplefo!spare\n\
             dark {TTL} DYNA simplefo!dark\nmany {TTL} DYNA multifo!many\n"
        );
    put(directory, "zones/steer.test", &zone_file(&more));
    for folder in ["run", "state"] {
        std::fs::create_dir_all(directory.join(folder)).unwrap();
    }
    ["gdnsd", "-c", directory.to_str().unwrap(), "start"].map(str::to_owned).to_vec()
}

/// Code in strings of less than 256 octets, cut where a space may stand.
fn strings(code: &str) -> String {
    let mut out = String::new();
    let mut length = 0;
    for word in code.split_inclusive(' ') {
        if length + word.len() > 250 {
            out += "\" \"";
            length = 0;
        }
        out += word;
        length += word.len();
    }
    out
}

fn powerdns(at: &str, directory: &Path, database: &str) -> Vec<String> {
    let quoted =
        |addresses: Vec<IpAddr>| each(addresses, |address| format!("'{address}',")).trim_end_matches(',').to_owned();
    let sites = quoted((0..SITES.len()).map(site).collect());
    let mut record = String::new();
    let mut lua =
        |name: &str, code: &str| writeln!(record, "      {name}.steer.test:\n        - lua: A \"{code}\"").unwrap();
    lua("near", &format!("pickclosest({{{sites}}})"));
    lua("far", &format!("ifportup({CHECKED}, {{{sites}}}, {{selector='pickclosest'}})"));
    // The longest first.
    let mut networks: Vec<(usize, &str, u8)> = (0..)
        .zip(NETWORKS)
        .flat_map(|(index, (_, networks))| {
            networks.iter().zip(parsed(networks)).map(move |(text, (_, length))| (index, *text, length))
        })
        .collect();
    networks.sort_by_key(|(.., length)| std::cmp::Reverse(*length));
    let chain = each(networks, |(index, network, _)| {
        format!("if netmask({{'{network}'}}) then return '{}' end ", member("net", index))
    });
    lua("net", &strings(&format!(";{chain}return '{}'", member("net", NETWORKS.len() - 1))));
    let chain =
        each(SYSTEMS.iter().enumerate().filter(|(_, (_, systems))| !systems.is_empty()), |(index, (_, systems))| {
            let systems: Vec<String> = systems.iter().map(u32::to_string).collect();
            format!("if asnum({{{}}}) then return '{}' end ", systems.join(","), member("asn", index))
        });
    lua("asn", &strings(&format!(";{chain}return '{}'", member("asn", SYSTEMS.len() - 1))));
    let weights =
        each(SHARES.iter().enumerate(), |(index, (_, weight))| format!("{{{weight},'{}'}},", member("share", index)));
    lua("share", &format!("pickwrandom({{{}}})", weights.trim_end_matches(',')));
    // Only checks by HTTP know groups.
    let pair = |name| {
        format!("ifurlup('http://steer.test:{CHECKED}/', {{{{'{}'}},{{'{}'}}}})", member(name, 0), member(name, 1))
    };
    lua("spare", &pair("spare"));
    lua("dark", &pair("dark"));
    lua(
        "many",
        &format!(
            "ifportup({CHECKED}, {{{}}}, {{selector='all'}})",
            quoted((0..3).map(|index| member("many", index)).collect())
        ),
    );
    let mut services = String::new();
    for (service, kind) in [("place", "a"), ("alias", "cname")] {
        // A service with names below it but none of its own would be taken for one without data.
        let places = PLACES.iter().map(|(_, codes)| *codes).enumerate().chain([(PLACES.len() - 1, &["NA"][..])]);
        for (index, codes) in places {
            let owner = match codes {
                [] => "else".to_owned(),
                codes => codes.iter().rev().map(|code| code.to_lowercase()).collect::<Vec<_>>().join("."),
            };
            let value = if kind == "a" {
                member("place", index).to_string()
            } else {
                target(index).trim_end_matches('.').to_owned()
            };
            writeln!(record, "      {owner}.{service}s.steer.test:\n        - {kind}: {value}").unwrap();
        }
        writeln!(
            services,
            "      {service}.steer.test: ['%re.%cc.%cn.{service}s.steer.test', '%cc.%cn.{service}s.steer.test', '%cn.{service}s.steer.test', 'else.{service}s.steer.test']"
        )
        .unwrap();
    }
    let zones = put(
        directory,
        "geo.yaml",
        &format!(
            "domains:\n  - domain: steer.test\n    ttl: {TTL}\n    records:\n      steer.test:\n        \
             - soa: ns.steer.test hostmaster.steer.test 1 7200 3600 1209600 300\n        - ns: ns.steer.test\n      \
             ns.steer.test:\n        - a: 192.0.2.250\n{record}    services:\n{services}"
        ),
    );
    put(
        directory,
        "pdns.conf",
        &format!(
            "launch=geoip\ngeoip-zones-file={zones}\ngeoip-database-files=mmdb:{database}\nedns-subnet-processing=yes\n\
             enable-lua-records=yes\nlua-health-checks-interval=1\ncache-ttl=0\nquery-cache-ttl=0\nnegquery-cache-ttl=0\n\
             local-address={at}\nlocal-port=53\nsocket-dir={}\ndaemon=no\nguardian=no\nloglevel=4\ndisable-syslog=yes\n\
             receiver-threads=1\ndistributor-threads=1\nsecurity-poll-suffix=\nsetuid=\nsetgid=\nversion-string=anonymous\n",
            directory.display()
        ),
    );
    vec!["pdns_server".into(), format!("--config-dir={}", directory.display())]
}

fn knot(at: &str, directory: &Path, database: &str) -> Vec<String> {
    let d = directory.display();
    let geo = |name: &str, kind: &str, value: &dyn Fn(usize) -> String| {
        let rules =
            each(PLACES.iter().enumerate().filter(|(_, (_, codes))| !codes.is_empty()), |(index, (_, codes))| {
                format!("  - geo: \"{}\"\n    {kind}: {}\n", codes.join(";"), value(index))
            });
        format!("{name}.{ZONE}:\n{rules}")
    };
    let places = geo("place", "A", &|index| member("place", index).to_string()) + &geo("alias", "CNAME", &target);
    put(directory, "place.conf", &places);
    let systems = each(SYSTEMS.iter().enumerate(), |(index, (_, systems))| {
        each(*systems, |asn| format!("  - geo: \"{asn}\"\n    A: {}\n", member("asn", index)))
    });
    put(directory, "asn.conf", &format!("asn.{ZONE}:\n{systems}"));
    let networks = each(NETWORKS.iter().enumerate(), |(index, (_, networks))| {
        each(*networks, |network| format!("  - net: {network}\n    A: {}\n", member("net", index)))
    });
    put(directory, "net.conf", &format!("net.{ZONE}:\n{networks}"));
    let shares = each(SHARES.iter().enumerate(), |(index, (_, weight))| {
        format!("  - weight: {weight}\n    A: {}\n", member("share", index))
    });
    put(directory, "share.conf", &format!("share.{ZONE}:\n{shares}"));
    // What no rule is for is answered from the zone.
    let rest = format!(
        "place {TTL} A {}\nalias {TTL} CNAME {}\nasn {TTL} A {}\nnet {TTL} A {}\nshare {TTL} A {}\n",
        member("place", PLACES.len() - 1),
        target(PLACES.len() - 1),
        member("asn", SYSTEMS.len() - 1),
        member("net", NETWORKS.len() - 1),
        member("share", 0),
    );
    let zone = put(directory, "steer.zone", &zone_file(&rest));
    let module =
        |name: &str, more: &str| format!("  - id: {name}\n    config-file: {d}/{name}.conf\n    ttl: {TTL}\n{more}");
    let database = format!("    mode: geodb\n    geodb-file: {database}\n");
    let text = format!(
        "server:\n    rundir: {d}\n    listen: {at}@53\n    udp-workers: 1\n    tcp-workers: 1\n    background-workers: 1\n    edns-client-subnet: on\n\
         database:\n    storage: {d}\nlog:\n  - target: stderr\n    any: warning\nmod-geoip:\n{}{}{}{}\
         template:\n  - id: default\n    storage: {d}\n    journal-content: none\n    zonefile-sync: -1\n    semantic-checks: off\n\
         zone:\n  - domain: {ZONE}\n    file: {zone}\n    module: [mod-geoip/place, mod-geoip/asn, mod-geoip/net, mod-geoip/share]\n",
        module(
            "place",
            &format!("{database}    geodb-key: [ continent/code, country/iso_code, subdivisions/0/iso_code ]\n")
        ),
        module("asn", &format!("{database}    geodb-key: [ (id)autonomous_system_number ]\n")),
        module("net", "    mode: subnet\n"),
        module("share", "    mode: weighted\n"),
    );
    let file = put(directory, "knot.conf", &text);
    ["knotd", "-c"].map(str::to_owned).into_iter().chain([file]).collect()
}
