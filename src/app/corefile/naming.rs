//! The plugins of single names: hosts, rewrite and file.

use std::net::IpAddr;

use super::blocks::zones_of;
use super::draft::{Draft, Hosts, plain};
use super::plugins::Plugin;
use super::yaml::Yaml;
use crate::dns::{Name, RecordType};

/// Seconds, as CoreDNS has it.
const HOSTS_TTL: u32 = 3_600;

pub(super) fn hosts(plugin: &Plugin<'_>, draft: &mut Draft) {
    let words = plugin.line.args();
    let mut hosts = Hosts { file: "/etc/hosts".to_owned(), lines: Vec::new(), ttl: HOSTS_TTL };
    let zones: &[String] = match words {
        [file, zones @ ..] => {
            hosts.file = at_root(plugin, file);
            zones
        }
        [] => &[],
    };
    let mut falls_through = None;
    for option in &plugin.line.block {
        match (option.name(), option.args()) {
            ("ttl", [ttl]) => match ttl.parse() {
                Ok(ttl) => hosts.ttl = ttl,
                Err(_) => plugin.lost_option(draft, option, "no TTL"),
            },
            ("fallthrough", zones) => falls_through = Some(zones),
            ("no_reverse", []) => plugin.lost_option(draft, option, "addresses of the file lead back to its names"),
            ("reload", [_]) => plugin.option_otherwise(draft, option, "the file is looked at every second"),
            (address, names) if address.parse::<IpAddr>().is_ok() && !names.is_empty() => {
                hosts.lines.push(option.words.join(" "));
            }
            _ => plugin.unknown_option(draft, option),
        }
    }
    if !zones.is_empty() {
        plugin.otherwise(draft, "the names of the file are answered whatever zones are named here");
    }
    let own: Vec<Name> = if zones.is_empty() {
        plugin.server.zones.clone()
    } else {
        zones.iter().filter_map(|zone| zones_of(zone)).flatten().collect()
    };
    match falls_through {
        Some([]) => {}
        Some(passing) => {
            let passing = passing.join(", ");
            plugin.lost(draft, format!("names outside of {passing} that the file has not are passed on all the same"));
        }
        // CoreDNS says SERVFAIL of all other names.
        None => {
            draft.forward.retain(|(zone, _)| !own.contains(zone));
            draft.forward.extend(own.into_iter().map(|zone| (zone, Yaml::text("nobody"))));
        }
    }
    if draft.hosts.is_some() {
        return plugin.lost(draft, "there is one hosts file; put its lines into the first");
    }
    for name in names_of(&hosts.lines) {
        draft.fixed_hosts.extend(rules(&name, &hosts).into_iter().map(|rule| (name.clone(), rule)));
    }
    draft.hosts = Some(hosts);
}

/// The names of the lines.
fn names_of(lines: &[String]) -> Vec<Name> {
    let mut names: Vec<Name> =
        lines.iter().flat_map(|line| line.split_whitespace().skip(1)).filter_map(|name| name.parse().ok()).collect();
    names.sort();
    names.dedup();
    names
}

/// Fixed answers that say of `name` what the lines say: for names of the cluster, which the hosts file does not come
/// before.
fn rules(name: &Name, hosts: &Hosts) -> Vec<Yaml> {
    let addresses: Vec<IpAddr> = hosts
        .lines
        .iter()
        .filter(|line| {
            line.split_whitespace().skip(1).any(|other| other.parse().is_ok_and(|other: Name| other == *name))
        })
        .filter_map(|line| line.split_whitespace().next()?.parse().ok())
        .collect();
    let records = |rtype: RecordType| {
        let of_type = addresses.iter().filter(|address| address.is_ipv4() == (rtype == RecordType::A));
        let records: Vec<String> = of_type.map(|address| format!("@ {} IN {rtype} {address}", hosts.ttl)).collect();
        (!records.is_empty()).then_some((rtype, records))
    };
    let exactly = format!("^{}$", literal(name));
    let of = |rest: Vec<(&str, Yaml)>| {
        let front = [("zone", Yaml::text(plain(name))), ("match", Yaml::text(&exactly))];
        Yaml::map(front.into_iter().chain(rest))
    };
    let mut rules: Vec<Yaml> = [RecordType::A, RecordType::AAAA]
        .into_iter()
        .filter_map(records)
        .map(|(rtype, records)| of(vec![("types", Yaml::texts([rtype])), ("answer", Yaml::texts(records))]))
        .collect();
    rules.push(of(Vec::new()));
    rules
}

/// A pattern that only this name fits.
fn literal(name: &Name) -> String {
    let mut out = String::new();
    for letter in name.lowered().to_string().chars() {
        match letter {
            '.' => out.push_str("[.]"),
            letter if letter.is_ascii_alphanumeric() || letter == '-' || letter == '_' => out.push(letter),
            letter => out.extend(['\\', letter]),
        }
    }
    out
}

pub(super) fn rewrite(plugin: &Plugin<'_>, draft: &mut Draft) {
    let line = plugin.line;
    // A block says the rule on its first line, and more about the answer on others.
    let (words, spot_of_more) = match (line.args(), line.block.as_slice()) {
        (_, []) => (line.args().to_vec(), None),
        (front, [rule, more @ ..]) => ([front, &rule.words].concat(), more.first()),
    };
    let (goes_on, rest) = match words.split_first() {
        Some((word, rest)) if word == "continue" || word == "stop" => (word == "continue", rest),
        _ => (false, words.as_slice()),
    };
    let exact = match rest {
        [name, exact, from, to] if name == "name" && exact == "exact" => Some((from, to)),
        [name, from, to] if name == "name" && from != "regex" => Some((from, to)),
        _ => None,
    };
    let Some((from, to)) = exact.filter(|_| spot_of_more.is_none()) else {
        return plugin.lost(draft, format!("`{}`: only `name exact` is", words.join(" ")));
    };
    let (Ok(from), Ok(to)) = (from.parse::<Name>(), to.parse::<Name>()) else {
        return plugin.lost(draft, "no names");
    };
    let is_own = plugin.server.zones.iter().any(|zone| from.is_within(zone))
        && !plugin.inner.iter().any(|zone| from.is_within(zone));
    if !is_own {
        return plugin.otherwise(draft, format!("{} is no name of this server, so nobody asks", plain(&from)));
    }
    // Where rules go on, one leads to the next.
    for (earlier, meant) in &mut draft.rewrites {
        if *meant == from && draft.rewrites_going_on.contains(earlier) {
            *meant = to.clone();
        }
    }
    if draft.rewrites.iter().any(|(earlier, _)| *earlier == from) {
        return plugin.otherwise(draft, "an earlier rule has this name");
    }
    if goes_on {
        draft.rewrites_going_on.push(from.clone());
    }
    draft.rewrites.push((from, to));
}

pub(super) fn file(plugin: &Plugin<'_>, draft: &mut Draft) {
    let [path, zones @ ..] = plugin.line.args() else { return plugin.lost(draft, "it names no file") };
    for option in &plugin.line.block {
        match (option.name(), option.args()) {
            ("reload", [_]) => plugin.option_otherwise(draft, option, "the file is looked at every second"),
            ("upstream", _) => plugin.option_otherwise(draft, option, "CoreDNS itself does nothing by it any more"),
            ("fallthrough", _) => plugin.lost_option(draft, option, "names of the zone that are not in it are denied"),
            _ => plugin.unknown_option(draft, option),
        }
    }
    let path = at_root(plugin, path);
    let zones: Vec<Name> = if zones.is_empty() {
        plugin.server.zones.clone()
    } else {
        zones.iter().filter_map(|zone| zones_of(zone)).flatten().collect()
    };
    for zone in zones {
        if zone.is_root() || draft.zones.iter().any(|(known, _)| *known == zone) {
            plugin.lost(draft, format!("{} cannot be a zone of its own here", plain(&zone)));
        } else {
            draft.zones.push((zone, path.clone()));
        }
    }
}

/// Where a relative path counts from, if the plugin root says so.
fn at_root(plugin: &Plugin<'_>, path: &str) -> String {
    let root = plugin.server.all("root").next().and_then(|line| line.args().first());
    match root {
        Some(root) if !path.starts_with('/') => format!("{}/{path}", root.trim_end_matches('/')),
        _ => path.to_owned(),
    }
}
