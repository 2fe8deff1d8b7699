//! The plugins of what is asked elsewhere: forward, cache and loop.

use std::net::{IpAddr, SocketAddr};

use super::blocks::zones_of;
use super::draft::{Cache, Draft, plain};
use super::plugins::Plugin;
use super::reading::Line;
use super::upkeep::seconds;
use super::yaml::Yaml;
use crate::base::bounds;
use crate::dns::Name;

pub(super) fn forward(plugin: &Plugin<'_>, draft: &mut Draft) {
    let [from, to @ ..] = plugin.line.args() else { return plugin.lost(draft, "it says neither what nor to whom") };
    let Some(from) = zones_of(from) else { return plugin.lost(draft, format!("{from} is no zone")) };
    let (mut policy, mut concurrent, mut is_tcp) = ("random", None, false);
    for option in &plugin.line.block {
        match (option.name(), option.args()) {
            ("except", names) => {
                for word in names {
                    match zones_of(word) {
                        Some(zones) => draft.excepted.extend(zones),
                        None => plugin.lost_option(draft, option, "no zone"),
                    }
                }
            }
            ("force_tcp", []) => is_tcp = true,
            ("prefer_udp", []) => plugin.option_otherwise(draft, option, "UDP comes first, however the client asks"),
            ("policy", [word]) => match word.as_str() {
                "random" | "round_robin" | "sequential" => policy = word,
                _ => plugin.lost_option(draft, option, "no such policy"),
            },
            ("max_concurrent", [number]) => match number.parse::<usize>() {
                Ok(0) => {}
                Ok(most) if most <= bounds::FORWARD_EXCHANGES => {
                    concurrent = Some(most);
                    let why = "more than that wait for a place, and are SERVFAIL if they get none in time";
                    plugin.option_otherwise(draft, option, why);
                }
                _ => {
                    let most = format!("{} are under way at a time by themselves", bounds::FORWARD_EXCHANGES);
                    plugin.option_otherwise(draft, option, &most);
                }
            },
            ("health_check" | "max_fails" | "failfast_all_unhealthy_upstreams" | "max_connect_attempts", _) => {
                let why = "servers are judged by their answers: one that fails is avoided for a while, and asked last";
                plugin.option_otherwise(draft, option, why);
            }
            ("expire" | "max_idle_conns" | "max_age", _) => {
                plugin.option_otherwise(draft, option, "connections are kept and closed by themselves");
            }
            ("tls" | "tls_servername", _) => plugin.lost_option(draft, option, "servers are not asked over TLS yet"),
            _ => plugin.unknown_option(draft, option),
        }
    }
    let servers: Vec<String> = to.iter().filter_map(|word| server(plugin, draft, word, is_tcp)).collect();
    let zones: Vec<Name> = if from.iter().any(Name::is_root) { plugin.server.zones.clone() } else { from };
    if zones.iter().any(Name::is_root) {
        let why = "names of special use (`local`, `test`, reverse names of private networks ...) are answered here, unless they \
                   stand under `forward` themselves";
        plugin.otherwise(draft, why);
    }
    for zone in zones {
        if let Some((known, _)) = draft.forward.iter().find(|(known, _)| *known == zone) {
            let why = format!("{} is forwarded before; CoreDNS too would ask only the first", plain(known));
            plugin.otherwise(draft, why);
            continue;
        }
        if !plugin.server.zones.iter().any(|own| zone.is_within(own)) {
            plugin.otherwise(draft, format!("{} lies outside of this server's zones, so nobody asks", plain(&zone)));
            continue;
        }
        let to = match (servers.as_slice(), concurrent) {
            ([], _) => Yaml::text("nobody"),
            ([one], None) if !one.starts_with('/') => Yaml::texts([one]),
            (servers, concurrent) => {
                let mut entries = vec![("to", Yaml::texts(servers)), ("policy", Yaml::text(policy))];
                entries.extend(concurrent.map(|most| ("max_concurrent", Yaml::text(most))));
                Yaml::map(entries)
            }
        };
        draft.forward.push((zone, to));
    }
}

/// A server as `forward` has it: an address, perhaps with a scheme and a port, or a file that names some.
fn server(plugin: &Plugin<'_>, draft: &mut Draft, word: &str, is_tcp: bool) -> Option<String> {
    let rest = match word.split_once("://") {
        None => word,
        Some(("dns", rest)) => rest,
        Some((scheme, _)) => {
            plugin.lost(draft, format!("{word}: {scheme}:// is not spoken to servers yet; it is not asked at all"));
            return None;
        }
    };
    let bare = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(rest);
    let address = match (bare.parse::<IpAddr>(), rest.parse::<SocketAddr>()) {
        (Ok(IpAddr::V6(v6)), _) => format!("[{v6}]"),
        (Ok(v4), _) => v4.to_string(),
        (_, Ok(socket)) => socket.to_string(),
        _ if rest.starts_with('/') && is_tcp => {
            plugin.lost(draft, format!("{rest}: its servers are asked over UDP first; write them out as tcp://"));
            return Some(rest.to_owned());
        }
        _ if rest.starts_with('/') => return Some(rest.to_owned()),
        _ => {
            plugin.lost(draft, format!("{rest} is neither an address nor the path of a file"));
            return None;
        }
    };
    match (is_tcp, address.starts_with('[') && address.ends_with(']')) {
        (true, _) => Some(format!("tcp://{address}")),
        (false, true) => Some(address.trim_matches(['[', ']']).to_owned()),
        (false, false) => Some(address),
    }
}

pub(super) fn cache(plugin: &Plugin<'_>, draft: &mut Draft) {
    // As CoreDNS has them.
    let mut cache =
        Cache { entries: 2 * 9_984, max_ttl: 3_600, min_ttl: 5, max_negative_ttl: 1_800, prefetch: None, stale: None };
    let mut words = plugin.line.args();
    if let [first, rest @ ..] = words
        && let Ok(ttl) = first.parse()
    {
        (cache.max_ttl, cache.max_negative_ttl) = (ttl, ttl);
        words = rest;
    }
    if words.iter().any(|word| !is_all_of(plugin, word)) {
        plugin.lost(draft, "there is one cache, for all that is asked elsewhere");
    }
    let (mut sizes, mut least) = ([9_984_u64; 2], [5_u32; 2]);
    for option in &plugin.line.block {
        match (option.name(), option.args()) {
            (what @ ("success" | "denial"), [entries, ttls @ ..]) => {
                let at = usize::from(what == "denial");
                let most = if at == 0 { &mut cache.max_ttl } else { &mut cache.max_negative_ttl };
                if let (Some(size), Ok(entries)) = (sizes.get_mut(at), entries.parse()) {
                    *size = entries;
                }
                if let Some(ttl) = ttls.first().and_then(|ttl| ttl.parse().ok()) {
                    *most = ttl;
                }
                if let (Some(least), Some(ttl)) = (least.get_mut(at), ttls.get(1).and_then(|ttl| ttl.parse().ok())) {
                    *least = ttl;
                }
                plugin.option_otherwise(draft, option, "the cache is measured in octets");
            }
            ("prefetch", [hits, rest @ ..]) => {
                let share = rest.iter().find_map(|word| word.strip_suffix('%')?.parse().ok());
                cache.prefetch = hits.parse().ok().map(|hits: u32| (hits.max(1), share.unwrap_or(10).clamp(1, 50)));
                if rest.iter().any(|word| !word.ends_with('%')) {
                    plugin.option_otherwise(draft, option, "hits count however long they are apart");
                }
            }
            ("serve_stale", args) => stale(plugin, draft, &mut cache, option, args),
            ("servfail", [_]) => {
                plugin.option_otherwise(
                    draft,
                    option,
                    "failures are remembered for 5 s, and longer when they repeat (RFC 9520)",
                );
            }
            ("disable", [what, zones @ ..]) => disable(plugin, draft, &mut cache, option, (what, zones)),
            ("keepttl", []) => plugin.lost_option(draft, option, "TTLs are told as they are left"),
            _ => plugin.unknown_option(draft, option),
        }
    }
    cache.entries = sizes.iter().sum();
    if cache.max_ttl == 0 {
        plugin.otherwise(draft, "answers are remembered for 1 s at least");
        cache.max_ttl = 1;
    }
    cache.min_ttl = least[0].min(cache.max_ttl).min(3_600);
    if least[1] != 5 {
        plugin.lost(draft, "denials have no least TTL");
    }
    let most = [
        ("answers", &mut cache.max_ttl, bounds::CACHE_TTL_MAX),
        ("denials", &mut cache.max_negative_ttl, bounds::NEGATIVE_TTL_MAX),
    ];
    for (what, ttl, bound) in most {
        if u64::from(*ttl) > bound.as_secs() {
            plugin.otherwise(draft, format!("{what} are remembered for {} s at most", bound.as_secs()));
            *ttl = bound.as_secs() as u32;
        }
    }
    match &mut draft.cache {
        Some(known) if *known != cache => {
            known.max_ttl = known.max_ttl.min(cache.max_ttl);
            known.min_ttl = known.min_ttl.min(cache.min_ttl);
            known.max_negative_ttl = known.max_negative_ttl.min(cache.max_negative_ttl);
            known.entries += cache.entries;
            let (prefetch, stale) = (known.prefetch.take().or(cache.prefetch), known.stale.take().or(cache.stale));
            (known.prefetch, known.stale) = (prefetch, stale);
            plugin.otherwise(draft, "there is one cache for all servers; the shortest TTLs hold");
        }
        Some(_) => {}
        none => *none = Some(cache),
    }
}

fn stale(plugin: &Plugin<'_>, draft: &mut Draft, cache: &mut Cache, option: &Line, args: &[String]) {
    const WINDOW_MAX: f64 = 604_800.0;
    let window = args.first().map_or(Some(3_600.0), |word| seconds(word));
    let Some(window) = window.filter(|window| (1.0..=WINDOW_MAX).contains(window)) else {
        return plugin.lost_option(draft, option, "no duration from 1 s to 7 days");
    };
    let waits = args.get(1).is_some_and(|mode| mode == "verify");
    #[expect(clippy::cast_sign_loss, reason = "it is within bounds")]
    let window = window as u64;
    cache.stale = Some((window, waits));
    plugin.option_otherwise(draft, option, "stale answers have a TTL of 1 s, not of 0");
}

/// Names of the cluster and our own zones are never in the cache, so not to remember them is no wish.
fn disable(plugin: &Plugin<'_>, draft: &mut Draft, cache: &mut Cache, option: &Line, (what, zones): (&str, &[String])) {
    let cluster = draft.kubernetes.as_ref().map_or(&[][..], |(_, zones)| zones);
    let is_cluster = |zone: &String| {
        let arpa = Name::from_labels([b"arpa".as_slice()]).unwrap_or_else(|_| Name::root());
        zone.parse::<Name>().is_ok_and(|name| name.is_within(&arpa) || cluster.iter().any(|zone| name.is_within(zone)))
    };
    match (what, zones) {
        ("denial", []) => cache.max_negative_ttl = 0,
        ("success" | "denial", zones @ [_, ..]) if zones.iter().all(is_cluster) => {
            plugin.option_otherwise(draft, option, "the cluster's own answers are not in the cache, whatever is in it");
        }
        _ => plugin.lost_option(draft, option, "what is asked elsewhere is remembered"),
    }
}

fn is_all_of(plugin: &Plugin<'_>, word: &str) -> bool {
    word.parse().is_ok_and(|name| plugin.server.zones.iter().all(|zone| zone.is_within(&name)))
}

pub(super) fn looping(plugin: &Plugin<'_>, draft: &mut Draft) {
    let why = "forwarding that leads back is looked for in any case; what is asked there is then SERVFAIL, all else is \
               answered as ever";
    plugin.otherwise(draft, why);
}
