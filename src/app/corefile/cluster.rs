//! The plugins of the cluster: `kubernetes`, `k8s_external` and `autopath`.

use super::blocks::zones_of;
use super::draft::{Draft, plain};
use super::plugins::Plugin;
use super::upkeep::{duration, seconds};
use super::yaml::Yaml;
use crate::dns::Name;

/// Longest TTL that CoreDNS and we allow, seconds.
const TTL_MAX: f64 = 3_600.0;

pub(super) fn kubernetes(plugin: &Plugin<'_>, draft: &mut Draft) {
    if draft.kubernetes.is_some() {
        return plugin.lost(draft, "there is one cluster, and it has been named before");
    }
    let words = plugin.line.args();
    let (mut zones, mut networks): (Vec<Name>, Vec<String>) = (Vec::new(), Vec::new());
    let own = plugin.server.zones.iter().map(plain).collect::<Vec<_>>();
    for word in if words.is_empty() { &own } else { words } {
        match (word.trim_end_matches('.'), zones_of(word)) {
            ("in-addr.arpa", _) => networks.push("0.0.0.0/0".to_owned()),
            ("ip6.arpa", _) => networks.push("::/0".to_owned()),
            (_, Some(_)) if word.contains('/') => networks.push(word.clone()),
            (_, Some(found)) => match network_of(word) {
                Some(network) => networks.push(network),
                None => zones.extend(found.into_iter().filter(|zone| !zone.is_root())),
            },
            (_, None) => plugin.lost(draft, format!("{word} is no zone")),
        }
    }
    if zones.is_empty() {
        return plugin.lost(draft, "a cluster needs a zone of its own, such as cluster.local");
    }
    let mut keys: Vec<(&'static str, Yaml)> = Vec::new();
    keys.push(("reverse", reverse(&networks)));
    let (mut falls_through, mut of_sets) = (None, Vec::new());
    for option in &plugin.line.block {
        let args = option.args();
        match (option.name(), args) {
            ("pods", [mode]) if ["disabled", "insecure", "verified"].contains(&mode.as_str()) => {
                keys.push(("pods", Yaml::text(mode)));
            }
            ("ttl", [ttl]) => match seconds(ttl).filter(|ttl| *ttl <= TTL_MAX).and(duration(ttl)) {
                Some(ttl) => keys.push(("ttl", Yaml::text(ttl))),
                None => plugin.lost_option(draft, option, "no TTL from 0 to 3600 seconds"),
            },
            ("fallthrough", zones) => falls_through = Some(zones),
            ("endpoint", [url]) => keys.push(("api", Yaml::map([("url", Yaml::text(url))]))),
            ("kubeconfig", [file]) => keys.push(("api", Yaml::map([("kubeconfig", Yaml::text(file))]))),
            ("kubeconfig", [file, context]) => {
                let api = [("kubeconfig", Yaml::text(file)), ("context", Yaml::text(context))];
                keys.push(("api", Yaml::map(api)));
            }
            ("namespaces", [_, ..]) => keys.push(("namespaces", Yaml::texts(args))),
            ("namespace_labels", [_, ..]) => keys.push(("namespace_labels", Yaml::text(args.join(" ")))),
            ("labels", [_, ..]) => keys.push(("labels", Yaml::text(args.join(" ")))),
            ("endpoint_pod_names", []) => keys.push(("endpoint_names", Yaml::text("pod"))),
            ("noendpoints", []) => keys.push(("endpoints", Yaml::text("false"))),
            ("ignore", [what]) if what == "empty_service" => keys.push(("ignore_empty", Yaml::text("true"))),
            ("multicluster", zones) => match parsed(zones) {
                Some(sets) if !sets.is_empty() => {
                    keys.push(("multicluster", names(&sets)));
                    of_sets.extend(sets);
                }
                _ => plugin.lost_option(draft, option, "no zones"),
            },
            ("startup_timeout", [_]) => {
                plugin.option_otherwise(
                    draft,
                    option,
                    "until the cluster is known its names are SERVFAIL and /ready says 503",
                );
            }
            ("apiserver_qps" | "apiserver_burst" | "apiserver_max_inflight", [_]) => {
                plugin.option_otherwise(draft, option, "requests to the API are few, and bounded by themselves");
            }
            ("upstream" | "resyncperiod" | "transfer", _) => {
                plugin.option_otherwise(draft, option, "CoreDNS itself does nothing by it any more");
            }
            ("tls", _) => plugin.lost_option(draft, option, "name a kubeconfig with these files"),
            _ => plugin.unknown_option(draft, option),
        }
    }
    fallthrough(plugin, draft, &mut keys, falls_through, &networks);
    let own: Vec<Name> = zones.iter().filter(|zone| !of_sets.contains(zone)).cloned().collect();
    if !own.is_empty() {
        keys.insert(0, ("zone", names(&own)));
    }
    draft.kubernetes = Some((keys, zones));
}

fn fallthrough(
    plugin: &Plugin<'_>,
    draft: &mut Draft,
    keys: &mut Vec<(&'static str, Yaml)>,
    zones: Option<&[String]>,
    networks: &[String],
) {
    let arpa = Name::from_labels([b"arpa".as_slice()]).unwrap_or_else(|_| Name::root());
    let is_reverse = |zone: &String| zone.contains('/') || zone.parse().is_ok_and(|zone: Name| zone.is_within(&arpa));
    match zones {
        Some([]) => keys.push(("fallthrough", Yaml::text("on"))),
        Some(zones) => {
            let (reverse, others): (Vec<&String>, Vec<&String>) = zones.iter().partition(|zone| is_reverse(zone));
            if !others.is_empty() {
                keys.push(("fallthrough", Yaml::texts(others)));
            }
            if reverse.is_empty() && !networks.is_empty() {
                reverse_passes(plugin, draft);
            }
        }
        None if !networks.is_empty() => reverse_passes(plugin, draft),
        None => {}
    }
}

fn reverse_passes(plugin: &Plugin<'_>, draft: &mut Draft) {
    plugin.otherwise(draft, "reverse names that the cluster does not know pass on, as with fallthrough");
}

/// `any`, `off` or a list.
fn reverse(networks: &[String]) -> Yaml {
    let is_any = ["0.0.0.0/0", "::/0"].iter().all(|all| networks.iter().any(|network| network == all));
    match networks {
        [] => Yaml::text("off"),
        _ if is_any => Yaml::text("any"),
        networks => Yaml::texts(networks),
    }
}

/// The network of a reverse zone.
fn network_of(zone: &str) -> Option<String> {
    let zone = zone.trim_end_matches('.').to_ascii_lowercase();
    if let Some(labels) = zone.strip_suffix(".in-addr.arpa") {
        let mut octets: Vec<u8> = labels.split('.').map(|label| label.parse().ok()).collect::<Option<_>>()?;
        let length = octets.len() * 8;
        octets.reverse();
        octets.resize(4, 0);
        let address = octets.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
        return (length <= 32).then(|| format!("{address}/{length}"));
    }
    let labels = zone.strip_suffix(".ip6.arpa")?;
    let mut digits: Vec<u32> =
        labels.split('.').map(|label| label.parse::<char>().ok()?.to_digit(16)).collect::<Option<_>>()?;
    let length = digits.len() * 4;
    digits.reverse();
    digits.resize(32, 0);
    let address = digits.iter().fold(0_u128, |address, digit| address << 4 | u128::from(*digit));
    (length <= 128).then(|| format!("{}/{length}", std::net::Ipv6Addr::from(address)))
}

pub(super) fn external(plugin: &Plugin<'_>, draft: &mut Draft) {
    let words = plugin.line.args();
    let zones = if words.is_empty() { Some(plugin.server.zones.clone()) } else { parsed(words) };
    let Some(zones) = zones.filter(|zones| !zones.iter().any(Name::is_root)) else {
        return plugin.lost(draft, "it needs zones of its own");
    };
    let mut entries = vec![("zones", names(&zones))];
    for option in &plugin.line.block {
        match (option.name(), option.args()) {
            ("apex", [label]) => entries.push(("apex", Yaml::text(label))),
            ("ttl", [ttl]) => match seconds(ttl).filter(|ttl| *ttl <= TTL_MAX).and(duration(ttl)) {
                Some(ttl) => entries.push(("ttl", Yaml::text(ttl))),
                None => plugin.lost_option(draft, option, "no TTL from 0 to 3600 seconds"),
            },
            ("headless", []) => entries.push(("headless", Yaml::text("true"))),
            ("fallthrough", _) => {
                plugin.lost_option(draft, option, "names of these zones that nothing is known of are denied");
            }
            _ => plugin.unknown_option(draft, option),
        }
    }
    match &mut draft.kubernetes {
        Some((keys, _)) if keys.iter().any(|(key, _)| *key == "external") => {
            plugin.lost(draft, "there is one set of outside zones, and it is named already");
        }
        Some((keys, all)) => {
            keys.push(("external", Yaml::map(entries)));
            all.extend(zones);
        }
        None => plugin.lost(draft, "it is nothing without the plugin kubernetes"),
    }
}

pub(super) fn autopath(plugin: &Plugin<'_>, draft: &mut Draft) {
    let words = plugin.line.args();
    let is_of_cluster = words.last().is_some_and(|word| word == "@kubernetes");
    match &mut draft.kubernetes {
        Some((keys, _)) if is_of_cluster => {
            keys.push(("autopath", Yaml::text("on")));
            plugin.otherwise(draft, "only for pods whose address and age are verified");
        }
        Some(_) => plugin.lost(draft, "search paths are those of the cluster's pods, and no other"),
        None => plugin.lost(draft, "it is nothing without the plugin kubernetes"),
    }
}

fn parsed(words: &[String]) -> Option<Vec<Name>> {
    words.iter().map(|word| word.parse().ok()).collect()
}

fn names(zones: &[Name]) -> Yaml {
    let mut told: Vec<&Name> = Vec::new();
    for zone in zones {
        if !told.contains(&zone) {
            told.push(zone);
        }
    }
    match told.as_slice() {
        [zone] => Yaml::text(plain(zone)),
        zones => Yaml::texts(zones.iter().map(|zone| plain(zone))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reverse_zones_are_networks() {
        for (zone, network) in [
            ("96.10.in-addr.arpa", "10.96.0.0/16"),
            ("0.0.10.in-addr.arpa.", "10.0.0.0/24"),
            ("8.b.d.0.1.0.0.2.ip6.arpa", "2001:db8::/32"),
        ] {
            assert_eq!(network_of(zone).as_deref(), Some(network));
        }
        assert_eq!(network_of("cluster.local"), None);
    }
}
