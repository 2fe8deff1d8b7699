//! What a reload changes, told before or after it: keys as they are written, and the zones, pools and members behind them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::app::config::{Admin, Config, PoolSettings, SteeredName, Steering, ZoneSettings};
use crate::base::bounds;
use crate::handlers::authority::Zone;
use crate::steer::{Member, PoolId};

/// What has changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// A key of the configuration.
    Keys,
    /// An address that is listened on.
    Listeners,
    /// A zone.
    Zones,
    /// A health check.
    Checks,
    /// A feed.
    Feeds,
    /// A pool.
    Pools,
    /// A member of a pool.
    Members,
    /// A policy.
    Policies,
    /// A name that is steered.
    Names,
    /// A file that says something else than before.
    Files,
}

impl What {
    const ALL: [Self; 10] = [
        Self::Keys,
        Self::Listeners,
        Self::Zones,
        Self::Checks,
        Self::Feeds,
        Self::Pools,
        Self::Members,
        Self::Policies,
        Self::Names,
        Self::Files,
    ];

    const fn key(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Listeners => "listeners",
            Self::Zones => "zones",
            Self::Checks => "checks",
            Self::Feeds => "feeds",
            Self::Pools => "pools",
            Self::Members => "members",
            Self::Policies => "policies",
            Self::Names => "names",
            Self::Files => "files",
        }
    }
}

/// One thing that has changed; null where it was not there, or is not any more.
#[derive(Clone, PartialEq, Debug)]
struct Change {
    what: What,
    name: String,
    from: Value,
    to: Value,
}

/// Everything that has changed.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Differences {
    changes: Vec<Change>,
    /// Changes past the bound.
    untold: usize,
}

impl Differences {
    /// Whether nothing has changed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Notes one thing.
    pub fn note(&mut self, what: What, name: impl Into<String>, from: Value, to: Value) {
        if self.changes.len() < bounds::DIFFERENCES_TOLD {
            self.changes.push(Change { what, name: name.into(), from, to });
        } else {
            self.untold += 1;
        }
    }

    /// Whether clients of steered names may be answered otherwise.
    #[must_use]
    pub fn moves_answers(&self) -> bool {
        let steers = |what| matches!(what, What::Pools | What::Members | What::Policies | What::Names);
        self.changes.iter().any(|change| steers(change.what))
    }

    /// All of it, by what has changed.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut told = Map::new();
        for what in What::ALL {
            let of_it = self.changes.iter().filter(|change| change.what == what);
            let list: Vec<Value> = of_it
                .map(|Change { name, from, to, .. }| {
                    let how = match (from, to) {
                        (Value::Null, _) => "added",
                        (_, Value::Null) => "removed",
                        _ => "changed",
                    };
                    json!({ "name": name, "change": how, "from": from, "to": to })
                })
                .collect();
            told.insert(what.key().to_owned(), list.into());
        }
        told.insert("untold".to_owned(), self.untold.into());
        told.into()
    }

    /// A few words: how many of what.
    #[must_use]
    pub fn summary(&self) -> String {
        let count = |what| self.changes.iter().filter(|change| change.what == what).count();
        let parts: Vec<String> = What::ALL
            .into_iter()
            .filter(|what| count(*what) > 0)
            .map(|what| format!("{} {}", what.key(), count(what)))
            .collect();
        if self.untold > 0 { format!("{}, and {} more", parts.join(", "), self.untold) } else { parts.join(", ") }
    }

    /// Compares what is written, key by key. The records of zones are left to the zones; secrets are not shown.
    pub fn of_keys(&mut self, from: &Value, to: &Value) {
        self.of_key(&mut Vec::new(), from, to);
    }

    fn of_key(&mut self, path: &mut Vec<String>, from: &Value, to: &Value) {
        if from == to || matches!(path.as_slice(), [zones, _, records] if zones == "zones" && records == "records") {
            return;
        }
        let nothing = Map::new();
        let (mine, theirs) = match (from, to) {
            (Value::Object(mine), Value::Object(theirs)) => (mine, theirs),
            (Value::Object(mine), Value::Null) if !mine.is_empty() => (mine, &nothing),
            (Value::Null, Value::Object(theirs)) if !theirs.is_empty() => (&nothing, theirs),
            _ => {
                let is_secret = path.last().is_some_and(|key| key == "secret");
                let shown = |value: &Value| match value {
                    value if is_secret && !value.is_null() => json!("(not shown)"),
                    value => value.clone(),
                };
                return self.note(What::Keys, dotted(path), shown(from), shown(to));
            }
        };
        let keys: std::collections::BTreeSet<&String> = mine.keys().chain(theirs.keys()).collect();
        for key in keys {
            path.push(key.clone());
            self.of_key(path, mine.get(key).unwrap_or(&Value::Null), theirs.get(key).unwrap_or(&Value::Null));
            path.pop();
        }
    }

    /// Compares the addresses that are listened on.
    pub fn of_listeners(&mut self, old: &Config, new: &Config) {
        let all = |config: &Config| {
            let listen = config.listen.iter().map(|listen| (listen.address.to_string(), json!("dns")));
            let admin = config.admin.iter().flat_map(Admin::parts);
            let admin = admin.map(|(part, address)| (address.to_string(), json!(part.word())));
            listen.chain(admin).collect::<BTreeMap<_, _>>()
        };
        self.of_maps(What::Listeners, &all(old), &all(new));
    }

    /// Compares what steers.
    pub fn of_steering(&mut self, old: &Steering, new: &Steering) {
        let map = |all: Vec<(String, Value, String)>| -> BTreeMap<String, (Value, String)> {
            all.into_iter().map(|(name, shown, all)| (name, (shown, all))).collect()
        };
        let checks = |it: &Steering| {
            map(it.checks.iter().map(|one| (one.name.to_string(), json!({}), format!("{one:?}"))).collect())
        };
        self.of_shown(What::Checks, &checks(old), &checks(new));
        let feeds = |it: &Steering| {
            map(it.feeds.iter().map(|one| (one.name.to_string(), json!({}), format!("{one:?}"))).collect())
        };
        self.of_shown(What::Feeds, &feeds(old), &feeds(new));
        let pools = |it: &Steering| map(it.pools.iter().map(|one| pool(one)).collect());
        self.of_shown(What::Pools, &pools(old), &pools(new));
        let members = |it: &Steering| {
            let all = it.pools.iter().flat_map(|one| one.pool.members().iter().map(|it| member(one.pool.name(), it)));
            map(all.collect())
        };
        self.of_shown(What::Members, &members(old), &members(new));
        let policies = |it: &Steering| {
            let shown = |stages| json!({ "stages": stages });
            let one = |one: &std::sync::Arc<crate::app::config::Policy>| {
                (one.name.to_string(), shown(one.stages.len()), format!("{one:?}"))
            };
            map(it.policies.iter().map(one).collect())
        };
        self.of_shown(What::Policies, &policies(old), &policies(new));
        let names = |it: &Steering| map(it.names.iter().map(|one| steered(it, one)).collect());
        self.of_shown(What::Names, &names(old), &names(new));
    }

    /// One zone that came, went or changed.
    pub fn of_zone(&mut self, name: &str, from: Option<&Zone>, to: Option<&Zone>) {
        let shown = |zone: Option<&Zone>| {
            zone.map_or(Value::Null, |zone| {
                let records: usize = zone.rrsets().map(|(_, set)| set.rdatas().count()).sum();
                json!({ "serial": zone.serial(), "records": records })
            })
        };
        self.note(What::Zones, name, shown(from), shown(to));
    }

    /// Zones that are named from now on, or no longer, with the data that are in force for them.
    pub fn of_settings(&mut self, old: &[std::sync::Arc<ZoneSettings>], new: &[std::sync::Arc<ZoneSettings>]) {
        let is_in = |all: &[std::sync::Arc<ZoneSettings>], one: &ZoneSettings| all.iter().any(|it| it.apex == one.apex);
        for settings in new.iter().filter(|one| one.is_secondary() && !is_in(old, one)) {
            let primaries: Vec<String> = settings.primaries.iter().map(|one| one.address.to_string()).collect();
            self.note(What::Zones, settings.apex.to_string(), Value::Null, json!({ "primaries": primaries }));
        }
    }

    fn of_maps(&mut self, what: What, old: &BTreeMap<String, Value>, new: &BTreeMap<String, Value>) {
        let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            let side = |map: &BTreeMap<String, Value>| map.get(name).cloned().unwrap_or(Value::Null);
            let (from, to) = (side(old), side(new));
            if from != to {
                self.note(what, name.clone(), from, to);
            }
        }
    }

    /// As [`Self::of_maps`], of things that have more to them than is shown.
    fn of_shown(
        &mut self,
        what: What,
        old: &BTreeMap<String, (Value, String)>,
        new: &BTreeMap<String, (Value, String)>,
    ) {
        let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            let (from, to) = (old.get(name), new.get(name));
            if from != to {
                let shown = |side: Option<&(Value, String)>| side.map_or(Value::Null, |(shown, _)| shown.clone());
                self.note(what, name.clone(), shown(from), shown(to));
            }
        }
    }
}

fn dotted(path: &[String]) -> String {
    let is_plain = |key: &String| key.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_*".contains(letter));
    let part = |key: &String| if is_plain(key) { key.clone() } else { format!("{key:?}") };
    path.iter().map(part).collect::<Vec<_>>().join(".")
}

fn pool(settings: &PoolSettings) -> (String, Value, String) {
    let PoolSettings { pool, checks, need, feeds, origin: _ } = settings;
    let checks: Vec<&str> = checks.iter().map(|check| &*check.name).collect();
    let feeds: Vec<&str> = feeds.iter().map(|feed| &*feed.name).collect();
    let shown = json!({ "members": pool.members().len(), "checks": checks });
    (pool.name().to_owned(), shown, format!("{need:?} {feeds:?} {:?}", pool.members()))
}

fn member(pool: &str, member: &Member) -> (String, Value, String) {
    let v4 = member.a.iter().map(ToString::to_string);
    let mut addresses: Vec<String> = v4.chain(member.aaaa.iter().map(ToString::to_string)).collect();
    addresses.extend(member.listed.iter().map(|listed| listed.service().to_string()));
    let shown = json!({ "weight": member.weight.value(), "tier": member.tier, "addresses": addresses });
    (format!("{pool}/{}", member.name), shown, format!("{member:?}"))
}

fn steered(of: &Steering, name: &SteeredName) -> (String, Value, String) {
    let SteeredName { owner, zone: _, pool, policy, terms, fallback, origin: _ } = name;
    let named = |id: PoolId| of.pools.get(id.0 as usize).map_or("", |settings| settings.pool.name());
    let fallback = fallback.map(named);
    let shown = json!({ "pool": named(*pool), "policy": &*policy.name, "fallback": fallback });
    (owner.to_string(), shown, format!("{policy:?} {terms:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::config::{self, Machine};

    fn told(differences: &Differences, what: &str) -> Vec<String> {
        let told = differences.to_json();
        let line = |one: &Value| format!("{} {} {} {}", one["name"], one["change"], one["from"], one["to"]);
        told[what].as_array().unwrap().iter().map(line).collect()
    }

    #[test]
    fn keys_are_compared_where_they_differ_and_secrets_are_not_shown() {
        let mut differences = Differences::default();
        differences.of_keys(
            &json!({"cache": {"size": "1MiB", "stale": {"ttl": 3}}, "keys": {"k": {"secret": "old"}},
                    "zones": {"a.example": {"records": {"x": 1}, "file": "a"}}, "same": [1]}),
            &json!({"cache": {"size": "2MiB"}, "keys": {"k": {"secret": "new"}},
                    "zones": {"a.example": {"records": {"x": 2}, "file": "b"}}, "same": [1]}),
        );
        assert_eq!(
            told(&differences, "keys"),
            [
                r#""cache.size" "changed" "1MiB" "2MiB""#,
                r#""cache.stale.ttl" "removed" 3 null"#,
                r#""keys.k.secret" "changed" "(not shown)" "(not shown)""#,
                r#""zones.\"a.example\".file" "changed" "a" "b""#,
            ]
        );
    }

    #[test]
    fn pools_members_and_names_are_told_by_name_wherever_they_stand() {
        let steering = |text: &str| {
            let machine = Machine { cores: std::num::NonZeroUsize::MIN, memory: None };
            config::load(std::path::Path::new("x"), text.as_bytes(), &machine).unwrap().config.steering
        };
        let zone = "zones: {e.example: {records: {\"@\": {NS: ns}, ns: 192.0.2.9}, steer: {www: {pool: web}}}}\n";
        let old = steering(&format!("{zone}pools:\n  web: {{members: {{a: 192.0.2.1, b: 192.0.2.2}}}}\n"));
        let moved = steering(&format!(
            "\n# moved\n{zone}pools:\n  more: {{members: {{z: 192.0.2.5}}}}\n  \
             web: {{members: {{a: 192.0.2.1, b: {{a: [192.0.2.2], weight: 3}}, c: 192.0.2.3}}}}\n"
        ));
        let mut differences = Differences::default();
        differences.of_steering(&old, &old);
        assert!(differences.is_empty());
        differences.of_steering(&old, &moved);
        let names = |what| {
            told(&differences, what)
                .iter()
                .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
                .collect::<Vec<_>>()
        };
        assert_eq!(names("pools"), [r#""more" "added""#, r#""web" "changed""#]);
        assert_eq!(names("members"), [r#""more/z" "added""#, r#""web/b" "changed""#, r#""web/c" "added""#]);
        assert_eq!(names("names"), Vec::<String>::new());
        assert!(differences.moves_answers());
    }

    #[test]
    fn past_the_bound_differences_are_counted() {
        let mut differences = Differences::default();
        for number in 0..bounds::DIFFERENCES_TOLD + 5 {
            differences.note(What::Files, number.to_string(), Value::Null, json!(1));
        }
        assert_eq!(differences.to_json()["untold"], 5);
        assert!(differences.summary().ends_with("and 5 more"));
    }
}
