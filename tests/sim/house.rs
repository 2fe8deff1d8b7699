//! The houses of a world: one for each version of its configuration, over the same cache and the same links.

use std::sync::Arc;
use std::time::Duration;

use meridian::app::house::{Capacity, House, Manner, Telling};
use meridian::base::collections::{Keyed, keyed};
use meridian::base::patience::Patience;
use meridian::base::{Dice, NetworkSet, bounds};
use meridian::chain::{Chain, Delegation, Memory, NameServer};
use meridian::dns::{Name, RecordType};
use meridian::handlers::authority::{Authority, Builder, Entry, Zones};
use meridian::handlers::cache::{self, Cache};
use meridian::handlers::gate::{Cookies, Gate, LimitSettings, Limits};
use meridian::handlers::hosts::{self, HostsHandler};
use meridian::handlers::local::Local;
use meridian::handlers::resolve::anchors::{Anchors, Validation};
use meridian::handlers::resolve::{Minimisation, Resolve, Settings, Wall};
use meridian::handlers::special::Special;
use meridian::steer::{Helm, Scene};

use crate::signing;
use crate::tree::Tree;

/// The wall's clock that signatures are checked by is ahead of the other so far, seconds.
pub(crate) const WALL: u32 = 1_779_000_000;

/// What stays the same over all versions.
pub(crate) struct Estate {
    pub(crate) cache_settings: cache::Settings,
    pub(crate) cache: Arc<Cache>,
    pub(crate) authority: Arc<Authority>,
    pub(crate) hosts: Arc<HostsHandler>,
    pub(crate) settings: Settings,
    /// Our own zone, which the public tree has too, with other data.
    pub(crate) own: Name,
    /// Where an alias of our own zone leads.
    pub(crate) outside: Name,
    /// Names that some versions of the hosts file list.
    pub(crate) listable: Vec<Name>,
    pub(crate) stale_wait: Option<Duration>,
    /// Nobody is limited here: every query is to get its answer.
    limits: Arc<Limits>,
    pub(crate) capacity: Capacity,
    homes: Keyed,
    keyed: Keyed,
}

fn our_zones(dice: &mut Dice) -> Arc<Authority> {
    let nobody_steers = Helm::idle(Arc::new(Scene::new(Arc::default())), None);
    Arc::new(Authority::new(Zones::new(keyed(dice)), nobody_steers))
}

impl Estate {
    pub(crate) fn random(tree: &Tree, own: Name, listable: Vec<Name>, dice: &mut Dice) -> Self {
        let servers = tree.zones[0].hosts.iter().map(|host| {
            let host = &tree.hosts[*host];
            NameServer { name: host.name.clone(), glue: host.addresses.clone() }
        });
        let min_ttl = if dice.chance(200) { 1 + dice.below(8) as u32 } else { 0 };
        // Some worlds are so narrow that a few clients crowd them.
        let is_narrow = dice.chance(200);
        let capacity = if is_narrow {
            let (per_client, per_proven_client) = (1 + dice.below(4) as u32, 1 + dice.below(8) as u32);
            Capacity { recursions: 1 + dice.index(8), per_client, per_proven_client }
        } else {
            Capacity::default()
        };
        let defaults = Settings::default();
        let settings = Settings {
            questions_per_zone: if is_narrow { 1 + dice.index(8) } else { defaults.questions_per_zone },
            roots: Arc::new(Delegation { zone: Name::root(), servers: servers.collect(), ttl: 86_400 }),
            denied: NetworkSet::default(),
            minimisation: [Minimisation::Relaxed, Minimisation::Relaxed, Minimisation::Strict, Minimisation::Off]
                [dice.index(4)],
            min_ttl,
            validation: tree.is_signed.then(|| {
                let mut anchors = Anchors::default();
                anchors.add(&Name::root(), RecordType::DS, &signing::ds(&Name::root(), 1)).unwrap();
                Arc::new(Validation::new(anchors, Vec::new()))
            }),
            wall: Wall(Arc::new(|now| WALL + now.seconds() as u32)),
            ..defaults
        };
        let defaults = cache::Settings::default();
        let cache_settings = cache::Settings {
            // Where keys do not stay, looking for them over and over costs more than a question may.
            size_bytes: [if tree.is_signed { 4 << 20 } else { 40_000 }, 400_000, 64 << 20][dice.index(3)],
            min_ttl: Duration::from_secs(u64::from(min_ttl)),
            prefetch: defaults.prefetch.filter(|_| dice.chance(800)),
            stale: defaults.stale.filter(|_| dice.chance(700)),
            validates: tree.is_signed,
            ..defaults
        };
        let mut outside = tree.some_name(dice);
        while outside.is_within(&own) {
            outside = tree.some_name(dice);
        }
        let is_stale = cache_settings.stale.is_some();
        let cache = Arc::new(Cache::simulated(cache_settings.clone(), dice));
        Self {
            cache_settings,
            cache,
            authority: our_zones(dice),
            hosts: Arc::new(HostsHandler::new(hosts::parse("", 60).0)),
            settings,
            own,
            outside,
            listable,
            stale_wait: (is_stale && dice.chance(800)).then(|| Duration::from_millis(1_800)),
            limits: Arc::new(Limits::new(LimitSettings::default(), dice)),
            capacity,
            homes: keyed(dice),
            keyed: keyed(dice),
        }
    }

    /// A restart: an empty cache, and links that know nothing of before.
    pub(crate) fn begin_anew(&mut self, dice: &mut Dice) {
        self.cache = Arc::new(Cache::simulated(self.cache_settings.clone(), dice));
        self.authority = our_zones(dice);
        self.hosts = Arc::new(HostsHandler::new(hosts::parse("", 60).0));
        self.homes = keyed(dice);
    }

    /// Whether version `version` of the hosts file lists the name that stands `at`th.
    pub(crate) const fn lists(version: u8, at: usize) -> bool {
        (version as usize * 7 + at * 13) % 5 < 2
    }

    /// Puts version `version` in force.
    pub(crate) fn build(&self, version: u8) -> Arc<House> {
        let mut zones = Zones::new(self.keyed.clone());
        let mut builder = Builder::new(self.own.clone());
        let mut add = |label: &str, rtype: RecordType, rdata: &[u8]| {
            let owner = if label.is_empty() { self.own.clone() } else { self.own.child(label.as_bytes()).unwrap() };
            builder.add(&Entry { owner: owner.wire(), rtype, ttl: 77, rdata, file: 0, line: 1 });
        };
        let server = self.own.child(b"ns").unwrap();
        let mut soa = [server.wire(), self.own.wire()].concat();
        for number in [u32::from(version), 7_200, 3_600, 1_209_600, 60] {
            soa.extend(number.to_be_bytes());
        }
        add("", RecordType::SOA, &soa);
        add("", RecordType::NS, server.wire());
        for (label, at) in [("ns", 9), ("h0", 1), ("h0", 2), ("h1", 3), ("h1", 4)] {
            add(label, RecordType::A, &[10, 77, version, at]);
        }
        add("t", RecordType::TXT, &[4, 10, 77, version, 5]);
        add("c0", RecordType::CNAME, self.outside.wire());
        if let (Some(zone), _) = builder.finish(self.keyed.clone()) {
            zones.insert(Arc::new(zone));
        }
        self.authority.swap(zones);
        let listed = self.listable.iter().enumerate().filter(|(at, _)| Self::lists(version, *at));
        let lines: Vec<String> =
            listed.flat_map(|(at, name)| [at, at + 100].map(|last| format!("10.66.{version}.{last} {name}"))).collect();
        let changed = self.hosts.swap(hosts::parse(&lines.join("\n"), 60).0);
        self.cache.forget(changed.iter());
        let special = Special::new(&[]);
        let settings = Settings { local: special.apexes().cloned().collect(), ..self.settings.clone() };
        let (listed, local) = (Arc::clone(&self.hosts), special.clone());
        self.cache.defer(move |name| listed.lists(name) || local.owns(name));
        let allow = NetworkSet::private();
        let chain = Chain::new(vec![
            Box::new(Arc::clone(&self.authority)),
            Box::new(Gate::new(allow.clone())),
            Box::new(Local),
            Box::new(Arc::clone(&self.cache)),
            Box::new(Arc::clone(&self.hosts)),
            Box::new(special),
            Box::new(Resolve),
        ]);
        Arc::new(House {
            cluster: None,
            finished_bytes: if self.cache_settings.size_bytes < 100_000 { 20_000 } else { 1 << 20 },
            telling: Telling::default(),
            nsid: Box::default(),
            manner: Manner::default(),
            has_desk: false,
            chain,
            policy: None,
            memory: Arc::clone(&self.cache) as Arc<dyn Memory>,
            resolution: Arc::new(settings),
            loops: None,
            allow,
            offers_recursion: true,
            stale_wait: self.stale_wait,
            homes: self.homes.clone(),
            limits: Arc::clone(&self.limits),
            patience: Arc::new(Patience::new(bounds::TCP_IDLE)),
            cookies: Cookies(None),
            capacity: self.capacity,
        })
    }
}
