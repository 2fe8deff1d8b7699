//! A reload's first half: everything is read, checked and built aside of what is in force, and every fault is found.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use super::difference::{Differences, What};
use super::{Bench, Control, Held};
use crate::app::config::{self, Config, Examined, Fault, Severity, Source, Steering, ZoneSettings};
use crate::app::serve::doors::Moves;
use crate::app::serve::files;
use crate::app::serve::places::Found;
use crate::app::steered;
use crate::app::zone_files::Reading;
use crate::app::{build, machine};
use crate::steer::Helm;

/// What is ready to be put in force.
pub struct Prepared {
    /// The configuration, with what cannot change as it is in force.
    pub config: Config,
    /// What it was read from.
    pub source: Source,
    /// What its author probably wants to know.
    pub lints: Vec<Fault>,
    /// What is written and takes a restart.
    pub restart: Vec<String>,
    /// What its files say.
    pub read: files::Read,
    /// What its zones say.
    pub reading: Reading,
    /// Who steers, and where addresses are; none where nothing of that has changed.
    pub steering: Option<Steerage>,
    /// Whether the house has to be built anew.
    pub rebuilds: bool,
    /// Whether the hosts file alone says something else.
    pub swaps_hosts: bool,
    /// Whether zones, or what is said of them, have changed.
    pub changes_zones: bool,
    /// Doors that open and close.
    pub moves: Moves,
    /// What is other than before.
    pub differences: Differences,
}

/// What steers from now on.
pub struct Steerage {
    /// With the names that are steered no longer: until their zones have changed too.
    pub meanwhile: Helm,
    /// Without them.
    pub helm: Helm,
    /// The databases of places.
    pub found: Found,
}

impl Prepared {
    /// Whether anything has to be swapped.
    pub const fn changes_anything(&self) -> bool {
        let parts = self.rebuilds || self.swaps_hosts || self.changes_zones || self.steering.is_some();
        parts || !self.moves.is_nothing()
    }
}

impl Control {
    /// Reads and checks everything, and builds what is slow to build.
    pub(super) fn prepare(&self, bench: &Bench, is_rehearsal: bool) -> Result<Prepared, Vec<Fault>> {
        let examined = match &self.path {
            Some(path) => config::examine(path, &machine()),
            None => config::examine_builtin(&machine()),
        };
        let is_sound = !examined.has_faults();
        let Examined { config, noted, source } = examined;
        let (mut faults, mut lints): (Vec<_>, Vec<_>) =
            noted.into_iter().partition(|noted| noted.severity == Severity::Fault);
        let Some(mut config) = config else { return Err(faults) };
        if !is_sound {
            // What is wrong beside is told all the same, as far as it does not follow from the faults.
            forget_doubtful(&mut config, &faults);
        }
        let read = match files::read(&config, &source) {
            Ok(read) => Some(read),
            Err(mut found) => {
                faults.append(&mut found);
                None
            }
        };
        let reading = bench.library.read(&config);
        for noted in &reading.noted {
            let list = if noted.severity == Severity::Fault { &mut faults } else { &mut lints };
            list.push(noted.clone());
        }
        if !is_sound {
            return Err(faults);
        }
        let held = self.held();
        let restart = keep_fixed(&mut config, &held.config);
        let Held { config: old, digests, source: old_source, .. } = &*held;
        let (old, digests, old_source) = (old.clone(), *digests, old_source.clone());
        drop(held);
        let steering = match self.prepare_steering(bench, &old, &config, &source) {
            Ok(steering) => steering,
            Err(mut found) => {
                faults.append(&mut found);
                None
            }
        };
        // Last, and not for good while there are faults: what is bound takes queries that nobody answers yet.
        let moves = match self.doors().map(|doors| doors.prepare(&config, &source, is_rehearsal || !faults.is_empty()))
        {
            Some(Ok(moves)) => moves,
            Some(Err(mut found)) => {
                faults.append(&mut found);
                Moves::default()
            }
            None => Moves::default(),
        };
        let (Some(read), true) = (read, faults.is_empty()) else { return Err(faults) };
        let rebuilds = recipe(&old) != recipe(&config) || digests.house != read.digests.house;
        let swaps_hosts = !rebuilds && digests.hosts != read.digests.hosts;
        let settings = |config: &Config| config.zones.iter().map(|one| placeless(one)).collect::<Vec<_>>();
        let same_settings = old.keys == config.keys && settings(&old) == settings(&config);
        let mut differences = Differences::default();
        differences.of_keys(&old_source.written(), &source.written());
        differences.of_listeners(&old, &config);
        self.compare_zones(&mut differences, &old, &config, &reading);
        differences.of_steering(&old.steering, &config.steering);
        if old.steering.geo == config.steering.geo
            && steering.as_ref().is_some_and(|it| matches!(it.found, Found::Other(..)))
        {
            differences.note(What::Files, "databases of places", json!("as read"), json!("changed"));
        }
        if digests.hosts != read.digests.hosts {
            differences.note(What::Files, "hosts", digest(digests.hosts), digest(read.digests.hosts));
        }
        if digests.house != read.digests.house {
            differences.note(
                What::Files,
                "roots, anchors and secrets",
                digest(digests.house),
                digest(read.digests.house),
            );
        }
        Ok(Prepared {
            changes_zones: !same_settings || !reading.fresh.is_empty(),
            config,
            source,
            lints,
            restart,
            read,
            reading,
            steering,
            rebuilds,
            swaps_hosts,
            moves,
            differences,
        })
    }

    fn prepare_steering(
        &self,
        bench: &Bench,
        old: &Config,
        config: &Config,
        source: &Source,
    ) -> Result<Option<Steerage>, Vec<Fault>> {
        let before = self.keeper().authority().helm();
        let leaving = before.names().filter(|name| !config.steering.names.iter().any(|one| one.owner == *name.owner()));
        let leaving = leaving.map(|name| name.orders().clone()).collect();
        let meanwhile = steered::helm_with(&config.steering, &before, leaving)?;
        let helm = steered::helm(&config.steering, &meanwhile)?;
        let found = bench.places.read(&config.steering, &helm).map_err(|found| {
            let (file, at) = (source.file().to_owned(), source.place(&["geo"]));
            let allowed = "databases that can be used".to_owned();
            vec![Fault { severity: Severity::Fault, file, at, key: "geo".into(), found, allowed }]
        })?;
        let is_same = steering_without_places(&old.steering) == steering_without_places(&config.steering);
        let is_trusted = bench.watched.iter().all(|watch| !watch.is_trust || !watch.has_changed());
        let is_nothing = is_same && is_trusted && matches!(found, Found::Same);
        Ok((!is_nothing).then_some(Steerage { meanwhile, helm, found }))
    }

    fn compare_zones(&self, differences: &mut Differences, old: &Config, new: &Config, reading: &Reading) {
        let is_in = |all: &[Arc<ZoneSettings>], one: &ZoneSettings| all.iter().any(|it| it.apex == one.apex);
        for zone in &reading.fresh {
            let known = self.keeper().zone(zone.apex());
            differences.of_zone(&zone.apex().to_string(), known.as_deref(), Some(zone));
        }
        for gone in old.zones.iter().filter(|one| !is_in(&new.zones, one)) {
            let known = self.keeper().zone(&gone.apex);
            let name = gone.apex.to_string();
            match known {
                Some(known) => differences.of_zone(&name, Some(&known), None),
                None => differences.note(What::Zones, name, json!({}), Value::Null),
            }
        }
        differences.of_settings(&old.zones, &new.zones);
    }
}

fn digest(number: u64) -> Value {
    if number == 0 { Value::Null } else { format!("{number:016x}").into() }
}

/// Takes out of a configuration with faults what may be wrong only because of these.
fn forget_doubtful(config: &mut Config, faults: &[Fault]) {
    const STEERING: [&str; 7] = ["geo", "ecs", "checks", "feeds", "pools", "policies", "steer"];
    let top = |key: &str| key.split(['.', '[']).next().unwrap_or_default().to_owned();
    let is_of_steering = |key: &str| STEERING.contains(&&*top(key)) || key.contains(".steer");
    if faults.iter().any(|fault| fault.key.is_empty() || fault.key == "zones" || is_of_steering(&fault.key)) {
        // What stands in zones for their steered names is not known.
        config.zones.clear();
        config.steering = Steering::default();
    }
    config.zones.retain(|zone| {
        let name = zone.apex.to_string();
        let (quoted, plain) =
            (format!("zones.\"{}\"", name.trim_end_matches('.')), format!("zones.{}", name.trim_end_matches('.')));
        !faults.iter().any(|fault| fault.key.starts_with(&quoted) || fault.key.starts_with(&plain))
    });
    if faults.iter().any(|fault| fault.key.starts_with("limits.cookies")) {
        config.limits.cookies = None;
    }
    let is_of_files = |key: &str| key.starts_with("recursion.roots") || key.starts_with("recursion.dnssec");
    if faults.iter().any(|fault| is_of_files(&fault.key) || fault.key == "recursion") {
        config.recursion = None;
    }
}

/// Keeps in `wanted` what a running server cannot change, and says what it would have been.
fn keep_fixed(wanted: &mut Config, held: &Config) -> Vec<String> {
    let mut told = Vec::new();
    let mut keep = |key: &str, is_same: bool, held: String, wanted: String| {
        if !is_same {
            told.push(format!("{key} takes a restart: {held} is in force, {wanted} is written"));
        }
    };
    let folder = |state: &Option<PathBuf>| state.as_ref().map_or("off".to_owned(), |state| state.display().to_string());
    let same = |one: &dyn std::fmt::Debug, other: &dyn std::fmt::Debug| format!("{one:?}") == format!("{other:?}");
    let tcp = |config: &Config| {
        let it = config.limits.tcp;
        format!("{} connections, {} in flight, idle for {:?}", it.connections, it.in_flight, it.idle)
    };
    let text = |it: &dyn std::fmt::Debug| format!("{it:?}").to_ascii_lowercase();
    keep("workers", wanted.workers == held.workers, held.workers.to_string(), wanted.workers.to_string());
    let user = |config: &Config| config.user.as_deref().unwrap_or("off").to_owned();
    keep("user", wanted.user == held.user, user(held), user(wanted));
    keep("state", wanted.state == held.state, folder(&held.state), folder(&wanted.state));
    keep("limits.tcp", same(&wanted.limits.tcp, &held.limits.tcp), tcp(held), tcp(wanted));
    keep("log.format", wanted.log.format == held.log.format, text(&held.log.format), text(&wanted.log.format));
    wanted.workers = held.workers;
    wanted.user.clone_from(&held.user);
    wanted.state.clone_from(&held.state);
    wanted.limits.tcp = held.limits.tcp;
    wanted.log.format = held.log.format;
    told
}

/// What a house is built from: all that another part does not follow by itself.
fn recipe(config: &Config) -> (Config, bool) {
    let recipe = Config {
        listen: Vec::new(),
        admin: None,
        user: None,
        files: Vec::new(),
        zones: Vec::new(),
        zones_folder: None,
        keys: Vec::new(),
        steering: Steering::default(),
        ..config.clone()
    };
    (recipe, build::has_zones(config))
}

/// The settings of a zone, wherever they stand.
fn placeless(settings: &ZoneSettings) -> ZoneSettings {
    let mut settings = settings.clone();
    settings.origin = config::Origin::default();
    for record in &mut settings.records {
        (record.file, record.line, record.column) = (String::new(), 0, 0);
    }
    settings
}

/// What steers, wherever it stands.
fn steering_without_places(steering: &Steering) -> Steering {
    let mut steering = steering.clone();
    for pool in &mut steering.pools {
        let mut own = config::PoolSettings::clone(pool);
        own.origin = config::Origin::default();
        *pool = Arc::new(own);
    }
    for name in &mut steering.names {
        let mut own = config::SteeredName::clone(name);
        own.origin = config::Origin::default();
        *name = Arc::new(own);
    }
    steering
}
