//! What the plugins of a Corefile have come to so far: a configuration in parts, and what is to be known of it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::blocks::Server;
use super::reading::Spot;
use super::yaml::{Yaml, document};
use crate::dns::Name;

/// How much something that is to be known matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Weight {
    /// The configuration does not do it.
    Lost,
    /// It is done by itself, or otherwise.
    Otherwise,
}

/// What is to be known of a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// Where it stands.
    pub spot: Spot,
    /// The plugin.
    pub plugin: String,
    /// How much it matters.
    pub weight: Weight,
    /// What is to be known.
    pub why: String,
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { spot, plugin, weight, why } = self;
        let word = if *weight == Weight::Lost { "not translated: " } else { "" };
        write!(f, "{}:{}: {plugin}: {word}{why}", spot.file, spot.line)
    }
}

/// The keys of a block.
type Keys = Vec<(&'static str, Yaml)>;

/// A configuration in parts.
#[derive(Clone, Default, Debug)]
pub(super) struct Draft {
    /// What is to be known.
    pub notes: Vec<Note>,
    /// Addresses that queries come to, without ports.
    pub hosts_bound: Vec<String>,
    /// The admin address, and those for health and readiness.
    pub admin: BTreeMap<&'static str, String>,
    /// How long queries are answered still at the end.
    pub lame_duck: Option<String>,
    /// The block `log`.
    pub log: BTreeMap<&'static str, String>,
    /// Whether addresses are rotated.
    pub rotates: bool,
    /// Names that are asked for under another.
    pub rewrites: Vec<(Name, Name)>,
    /// Those of them whose rules let further rules follow.
    pub rewrites_going_on: Vec<Name>,
    /// Zones that some server of others is not asked about.
    pub excepted: Vec<Name>,
    /// Fixed answers.
    pub fixed: Vec<Yaml>,
    /// Fixed answers that come after the others: of the hosts file inside the cluster's zone.
    pub fixed_hosts: Vec<(Name, Yaml)>,
    /// Forwarded zones.
    pub forward: Vec<(Name, Yaml)>,
    /// The file, the lines and the TTL of hosts.
    pub hosts: Option<Hosts>,
    /// What is remembered.
    pub cache: Option<Cache>,
    /// The block `kubernetes`, and its zones.
    pub kubernetes: Option<(Keys, Vec<Name>)>,
    /// Zones of our own, and their files.
    pub zones: Vec<(Name, String)>,
    /// What is said of the server.
    pub identity: BTreeMap<&'static str, String>,
}

/// The plugin hosts.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    /// The file.
    pub file: String,
    /// Lines beside it.
    pub lines: Vec<String>,
    /// Seconds.
    pub ttl: u32,
}

/// The plugin cache.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Cache {
    /// Entries.
    pub entries: u64,
    /// Seconds, at most, of answers.
    pub max_ttl: u32,
    /// Seconds, at least.
    pub min_ttl: u32,
    /// Seconds, at most, of denials.
    pub max_negative_ttl: u32,
    /// Hits, and percent of the TTL.
    pub prefetch: Option<(u32, u32)>,
    /// Seconds, and whether the client waits for a fresh answer first.
    pub stale: Option<(u64, bool)>,
}

impl Draft {
    /// Notes that the configuration does not do something.
    pub(super) fn lost(&mut self, spot: &Spot, plugin: &str, why: impl Into<String>) {
        self.note(spot, plugin, Weight::Lost, why.into());
    }

    /// Notes that something is done by itself, or otherwise.
    pub(super) fn otherwise(&mut self, spot: &Spot, plugin: &str, why: impl Into<String>) {
        self.note(spot, plugin, Weight::Otherwise, why.into());
    }

    fn note(&mut self, spot: &Spot, plugin: &str, weight: Weight, why: String) {
        // What is quoted may go over several lines; a note is one.
        let why = if why.contains(['\n', '\r']) { why.split_whitespace().collect::<Vec<_>>().join(" ") } else { why };
        self.notes.push(Note { spot: spot.clone(), plugin: plugin.to_owned(), weight, why });
    }

    /// Decides what follows from all plugins together.
    pub(super) fn finish(&mut self, servers: &[Server]) {
        let cluster = self.kubernetes.as_ref().map_or_else(Vec::new, |(_, zones)| zones.clone());
        let (inside, outside): (Vec<_>, Vec<_>) = std::mem::take(&mut self.fixed_hosts)
            .into_iter()
            .partition(|(name, _)| cluster.iter().any(|zone| name.is_within(zone)));
        drop(outside); // the hosts file answers for them
        self.fixed.extend(inside.into_iter().map(|(_, rule)| rule));
        let mut zones: Vec<Name> = servers.iter().flat_map(|server| server.zones.clone()).collect();
        zones.sort();
        zones.dedup();
        for zone in &zones {
            let is_answered = cluster.contains(zone)
                || self.zones.iter().any(|(own, _)| own == zone)
                || self.forward.iter().any(|(own, _)| own == zone);
            // CoreDNS asks nobody where no plugin does.
            if !is_answered {
                self.forward.push((zone.clone(), Yaml::text("nobody")));
            }
        }
        for zone in std::mem::take(&mut self.excepted) {
            let is_answered = cluster.iter().any(|own| zone.is_within(own))
                || self.zones.iter().any(|(own, _)| zone.is_within(own))
                || self.forward.iter().any(|(own, _)| *own == zone);
            if !is_answered {
                self.forward.push((zone, Yaml::text("nobody")));
            }
        }
        self.forward.sort_by(|(one, _), (other, _)| one.cmp(other));
        if !zones.iter().any(Name::is_root) {
            let except = Yaml::texts(zones.iter().map(plain));
            let rule = [("zone", Yaml::text(".")), ("except", except), ("rcode", Yaml::text("REFUSED"))];
            self.fixed.push(Yaml::map(rule));
        }
        let ports = |server: &Server| {
            let mut ports = server.ports.clone();
            ports.sort_unstable();
            ports
        };
        let mut all: Vec<u16> = servers.iter().flat_map(ports).collect();
        all.sort_unstable();
        all.dedup();
        for server in servers.iter().filter(|server| ports(server) != all) {
            self.lost(&server.spot, "port", "every port answers all zones alike");
        }
        if self.hosts_bound.is_empty() {
            self.hosts_bound = vec!["0.0.0.0".into(), "[::]".into()];
        }
        let hosts = std::mem::take(&mut self.hosts_bound);
        self.hosts_bound = all.iter().flat_map(|port| hosts.iter().map(move |host| format!("{host}:{port}"))).collect();
    }

    /// The configuration as text, the notes in front.
    pub(super) fn text(&self, path: &Path, notes: &[Note]) -> String {
        let mut text = format!("# Translated from {}.\n", path.display().to_string().replace(['\n', '\r'], " "));
        for (weight, title) in [(Weight::Lost, "Not translated:"), (Weight::Otherwise, "Done by itself, or otherwise:")]
        {
            let told: Vec<&Note> = notes.iter().filter(|note| note.weight == weight).collect();
            if !told.is_empty() {
                writeln!(text, "#\n# {title}").unwrap_or_default();
            }
            for Note { spot, plugin, why, .. } in told {
                let line = format!("#   {}:{}: {plugin}: {why}", spot.file, spot.line).replace(['\n', '\r'], " ");
                writeln!(text, "{line}").unwrap_or_default();
            }
        }
        text.push('\n');
        text + &document(&self.entries())
    }

    fn entries(&self) -> Vec<(String, Yaml)> {
        let mut entries = vec![("listen".to_owned(), Yaml::texts(&self.hosts_bound))];
        let mut add = |key: &str, value: Option<Yaml>| entries.extend(value.map(|value| (key.to_owned(), value)));
        let mut admin = self.admin.iter().map(|(key, value)| (*key, Yaml::text(value))).collect::<Vec<_>>();
        admin.sort_by_key(|(key, _)| *key != "address");
        // Whoever reaches it is to see nothing but health, readiness and metrics.
        admin.push(("token_file", Yaml::text("off")));
        add("admin", Some(Yaml::map(admin)));
        add("lame_duck", self.lame_duck.as_ref().map(Yaml::text));
        add("log", some_map(self.log.iter().map(|(key, value)| (*key, Yaml::text(value)))));
        add("answer_order", self.rotates.then(|| Yaml::text("rotate")));
        add("rewrite", some_map(self.rewrites.iter().map(|(from, to)| (plain(from), Yaml::text(plain(to))))));
        add("fixed", (!self.fixed.is_empty()).then(|| Yaml::List(self.fixed.clone())));
        add("kubernetes", self.kubernetes.as_ref().map(|(keys, _)| Yaml::map(keys.iter().cloned())));
        // CoreDNS answers everybody, as often as they ask.
        let hosts = self.hosts.as_ref().map_or_else(|| Yaml::text("off"), Hosts::yaml);
        let forward = Yaml::map(self.forward.iter().map(|(zone, to)| (plain(zone), to.clone())));
        // CoreDNS validates nothing, and resolvers that are forwarded to may strip signatures.
        let dnssec = Yaml::text("off");
        let recursion = [("allow", Yaml::text("any")), ("hosts", hosts), ("dnssec", dnssec), ("forward", forward)];
        add("recursion", Some(Yaml::map(recursion)));
        add("cache", Some(self.cache.as_ref().map_or_else(|| Yaml::text("off"), Cache::yaml)));
        add("limits", Some(Yaml::map([("queries", Yaml::text("off"))])));
        let file = |file: &String| Yaml::map([("file", Yaml::text(file))]);
        add("zones", some_map(self.zones.iter().map(|(zone, path)| (plain(zone), file(path)))));
        add("identity", some_map(self.identity.iter().map(|(key, text)| (*key, Yaml::text(text)))));
        entries
    }
}

fn some_map<K: ToString>(entries: impl Iterator<Item = (K, Yaml)>) -> Option<Yaml> {
    let Yaml::Map(entries) = Yaml::map(entries) else { return None };
    (!entries.is_empty()).then_some(Yaml::Map(entries))
}

/// A name as people write it.
pub(super) fn plain(name: &Name) -> String {
    let mut text = name.to_string();
    // One dot: a label may end in one of its own.
    if !name.is_root() {
        text.pop();
    }
    text
}

impl Hosts {
    fn yaml(&self) -> Yaml {
        let mut entries = vec![("file", Yaml::text(&self.file)), ("ttl", Yaml::text(format!("{}s", self.ttl)))];
        if !self.lines.is_empty() {
            entries.push(("lines", Yaml::Lines(self.lines.join("\n"))));
        }
        Yaml::map(entries)
    }
}

impl Cache {
    fn yaml(&self) -> Yaml {
        /// Octets that an entry of CoreDNS is worth, about.
        const ENTRY: u64 = 1_024;
        let size = (self.entries * ENTRY).div_ceil(1 << 20).max(8);
        let seconds = |seconds: u64| Yaml::text(format!("{seconds}s"));
        let prefetch = self.prefetch.map_or_else(
            || Yaml::text("off"),
            |(hits, window)| Yaml::map([("hits", Yaml::text(hits)), ("window", Yaml::text(format!("{window}%")))]),
        );
        let stale = self.stale.map_or_else(
            || Yaml::text("off"),
            |(window, waits)| {
                let mut entries = vec![("window", seconds(window)), ("ttl", seconds(1))];
                if !waits {
                    entries.push(("wait", seconds(0)));
                }
                Yaml::map(entries)
            },
        );
        Yaml::map([
            ("size", Yaml::text(format!("{size}MiB"))),
            ("min_ttl", seconds(self.min_ttl.into())),
            ("max_ttl", seconds(self.max_ttl.into())),
            ("max_negative_ttl", seconds(self.max_negative_ttl.into())),
            ("prefetch", prefetch),
            ("stale", stale),
        ])
    }
}
