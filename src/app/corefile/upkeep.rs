//! Plugins about the server itself: what is logged, where it is asked how it fares, where it listens, what it says of
//! itself.

use std::net::IpAddr;

use super::draft::Draft;
use super::plugins::Plugin;

pub(super) fn errors(plugin: &Plugin<'_>, draft: &mut Draft) {
    for option in &plugin.line.block {
        match option.name() {
            "consolidate" => {
                plugin.option_otherwise(
                    draft,
                    option,
                    "warnings that repeat are counted and told together by themselves",
                );
            }
            "stacktrace" => plugin.lost_option(draft, option, "there are no stack traces"),
            _ => plugin.unknown_option(draft, option),
        }
    }
}

pub(super) fn log(plugin: &Plugin<'_>, draft: &mut Draft) {
    let classes: Vec<&str> = plugin
        .line
        .block
        .iter()
        .filter(|option| option.name() == "class")
        .flat_map(|option| option.args().iter().map(String::as_str))
        .collect();
    for option in plugin.line.block.iter().filter(|option| option.name() != "class") {
        plugin.unknown_option(draft, option);
    }
    let args = plugin.line.args();
    let (names, formats): (Vec<&String>, Vec<&String>) = args.iter().partition(|word| !word.contains(['{', ' ']));
    if names.iter().any(|name| *name != "." && !is_all_of(plugin, name)) {
        plugin.lost(draft, "queries are logged for all names, not for some");
    }
    if formats.iter().any(|format| !matches!(format.as_str(), "{common}" | "{combined}")) {
        plugin.lost(draft, "a line of the query log has its own form; see log.format");
    }
    if classes.is_empty() || classes.contains(&"all") {
        draft.log.insert("queries", "all".to_owned());
    } else {
        plugin.lost(draft, format!("queries are not logged by the class of their responses ({})", classes.join(", ")));
    }
}

fn is_all_of(plugin: &Plugin<'_>, name: &str) -> bool {
    name.parse().is_ok_and(|name| plugin.server.zones.iter().all(|zone| zone.is_within(&name)))
}

pub(super) fn debug(plugin: &Plugin<'_>, draft: &mut Draft) {
    draft.log.insert("level", "debug".to_owned());
    plugin.otherwise(draft, "a fault of the program never ends it, with or without");
}

pub(super) fn health(plugin: &Plugin<'_>, draft: &mut Draft) {
    let address = plugin.line.args().first().map_or(":8080", String::as_str);
    admin(plugin, draft, "health", address);
    for option in &plugin.line.block {
        match (option.name(), option.args()) {
            ("lameduck", [time]) => match duration(time) {
                Some(seconds) => draft.lame_duck = Some(seconds),
                None => plugin.lost_option(draft, option, "no duration"),
            },
            _ => plugin.unknown_option(draft, option),
        }
    }
}

pub(super) fn ready(plugin: &Plugin<'_>, draft: &mut Draft) {
    let address = plugin.line.args().first().map_or(":8181", String::as_str);
    admin(plugin, draft, "ready", address);
    for option in &plugin.line.block {
        match option.name() {
            "monitor" => plugin.option_otherwise(draft, option, "readiness is looked at whenever it is asked for"),
            _ => plugin.unknown_option(draft, option),
        }
    }
}

pub(super) fn prometheus(plugin: &Plugin<'_>, draft: &mut Draft) {
    let address = plugin.line.args().first().map_or("127.0.0.1:9153", String::as_str);
    admin(plugin, draft, "address", address);
    draft.admin.insert("coredns_metrics", "true".to_owned());
    for option in &plugin.line.block {
        plugin.lost_option(draft, option, "the metrics have their own buckets");
    }
}

/// An address of the admin server; several servers of a Corefile may name the same.
fn admin(plugin: &Plugin<'_>, draft: &mut Draft, key: &'static str, text: &str) {
    let Some(address) = socket(text) else { return plugin.lost(draft, format!("{text} is no address with a port")) };
    let is_any = address.ends_with(":0");
    match draft.admin.get(key) {
        None if !is_any && draft.admin.values().any(|other| *other == address) => {
            plugin.lost(draft, format!("{address} serves something else already"));
        }
        Some(known) if *known != address => {
            plugin.lost(draft, format!("there is one such address, {known}, and {address} is another"));
        }
        _ => drop(draft.admin.insert(key, address)),
    }
}

/// An address as `:9153` or `localhost:9153`.
fn socket(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    match host {
        "" => Some(format!("[::]:{port}")),
        "localhost" => Some(format!("127.0.0.1:{port}")),
        host => {
            let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            let address: IpAddr = bare.parse().ok()?;
            Some(std::net::SocketAddr::new(address, port).to_string())
        }
    }
}

pub(super) fn reload(plugin: &Plugin<'_>, draft: &mut Draft) {
    plugin.otherwise(
        draft,
        "this file and those it names are looked at every second, and taken when they have come to rest",
    );
}

pub(super) fn loadbalance(plugin: &Plugin<'_>, draft: &mut Draft) {
    match plugin.line.args() {
        [] => draft.rotates = true,
        [policy] if policy == "round_robin" && plugin.line.block.is_empty() => draft.rotates = true,
        [policy, ..] => {
            plugin.lost(draft, format!("there is nothing for the policy {policy}; pools and policies steer"));
        }
    }
    for option in &plugin.line.block {
        plugin.lost_option(draft, option, "there is nothing for it; pools and policies steer");
    }
}

pub(super) fn bind(plugin: &Plugin<'_>, draft: &mut Draft) {
    for word in plugin.line.args() {
        match word.parse::<IpAddr>() {
            Ok(address) => {
                let host = if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
                if !draft.hosts_bound.contains(&host) {
                    draft.hosts_bound.push(host);
                }
            }
            Err(_) => plugin.lost(draft, format!("{word} is no address; name the addresses of the interface")),
        }
    }
    for option in &plugin.line.block {
        plugin.lost_option(draft, option, "name the addresses that are meant");
    }
}

pub(super) fn chaos(plugin: &Plugin<'_>, draft: &mut Draft) {
    match plugin.line.args() {
        [] => plugin.otherwise(draft, "the version is told to nobody unless identity.version says so"),
        [version, authors @ ..] => {
            draft.identity.insert("version", version.clone());
            if !authors.is_empty() {
                plugin.lost(draft, "authors.bind is not answered");
            }
        }
    }
}

pub(super) fn nsid(plugin: &Plugin<'_>, draft: &mut Draft) {
    match plugin.line.args() {
        [] => plugin.lost(draft, "without a text it would be the machine's name; write one in identity.nsid"),
        words => drop(draft.identity.insert("nsid", words.join(" "))),
    }
}

pub(super) fn bufsize(plugin: &Plugin<'_>, draft: &mut Draft) {
    match plugin.line.args().first().map(String::as_str) {
        None | Some("1232") => plugin.otherwise(draft, "1232 octets are the most by themselves"),
        Some(size) => plugin.lost(draft, format!("responses over UDP have 1232 octets at most, not {size}")),
    }
}

/// A duration as Go writes it, such as `1m30s` or `5s`, as the configuration does; a bare number is seconds.
pub(super) fn duration(text: &str) -> Option<String> {
    let seconds = seconds(text)?;
    if seconds.fract() == 0.0 { Some(format!("{seconds}s")) } else { Some(format!("{}ms", (seconds * 1e3).round())) }
}

/// The seconds of a duration as Go writes it.
pub(super) fn seconds(text: &str) -> Option<f64> {
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(f64::from(seconds));
    }
    let (mut rest, mut sum) = (text, 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, behind) = rest.split_at_checked(digits)?;
        let letters = behind.find(|letter: char| letter.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at_checked(letters)?;
        let unit = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            _ => return None,
        };
        sum += number.parse::<f64>().ok()? * unit;
        rest = behind;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_addresses_are_read_as_go_writes_them() {
        for (text, told) in [("5s", "5s"), ("1m30s", "90s"), ("0.5s", "500ms"), ("30", "30s"), ("1h", "3600s")] {
            assert_eq!(duration(text).as_deref(), Some(told), "{text}");
        }
        assert!(duration("5 s").is_none() && duration("s").is_none() && duration("1d").is_none());
        assert_eq!(socket(":9153").as_deref(), Some("[::]:9153"));
        assert_eq!(socket("localhost:8080").as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(socket("[::1]:1").as_deref(), Some("[::1]:1"));
        assert_eq!(socket("9153"), None);
    }
}
