//! From a checked configuration to a house: the chain in the order in which its links are asked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::config::{self, Config, Dnstap};
use super::house::{Capacity, House, Manner, Telling};
use super::pods;
use crate::base::collections::{Keyed, keyed};
use crate::base::patience::Patience;
use crate::base::tally::Tally;
use crate::base::{Dice, NetworkSet, bounds};
use crate::chain::{Chain, Delegation, Handler, Memory, Stakes};
use crate::dns::cookie::{CookieSecret, CookieSecrets};
use crate::dns::{Name, RecordType};
use crate::edge::clock::wall_seconds;
use crate::edge::forward::{self, Account, Forwarder, Preference, Target};
use crate::edge::tap::{self, Tap};
use crate::handlers::authority::{Authority, Zones};
use crate::handlers::cache::{self, Cache};
use crate::handlers::cluster::Cluster;
use crate::handlers::fixed::Fixed;
use crate::handlers::gate::{Cookies, Gate, Limits};
use crate::handlers::hosts::{Hosts, HostsHandler};
use crate::handlers::identity::Identity;
use crate::handlers::local::Local;
use crate::handlers::resolve::anchors::{Anchors, Validation};
use crate::handlers::resolve::{self, Families, Loops, Minimisation, Ours, Resolve, Stub, Wall};
use crate::handlers::special::Special;
use crate::steer::{Helm, Scene};

/// The forward zones' upstreams, in the order of [`resolve::Settings::forward`].
pub type Forwarders = Vec<Forwarder>;

/// What a configuration names and the edge has read.
#[derive(Debug, Default)]
pub struct Files {
    /// The hosts file's content.
    pub hosts: Option<Hosts>,
    /// The root hints; none for the built-in ones.
    pub roots: Option<Delegation>,
    /// The trust anchors; none for the built-in ones.
    pub anchors: Option<Anchors>,
    /// The secrets that cookies are made with; none for our own.
    pub cookie_secrets: Option<CookieSecrets>,
}

/// What outlives a reload.
pub struct Kept {
    /// The cache, if the configuration before had one with the same settings.
    pub cache: Option<(cache::Settings, Arc<Cache>)>,
    /// The hasher that gives questions their home workers.
    pub homes: Keyed,
    /// The link that answers for our zones; their keeper fills it.
    pub authority: Arc<Authority>,
    /// The link that answers for a cluster, if the configuration has one; who watches the cluster fills it.
    pub cluster: Option<Cluster>,
    /// What clients have used up, if the configuration before had the same limits.
    pub limits: Option<Arc<Limits>>,
    /// How long idle connections are kept; who keeps them tells it.
    pub patience: Arc<Patience>,
    /// Our own secret, if it was ever needed.
    pub cookie_secret: Option<CookieSecret>,
    /// The tap, if the configuration before had the same.
    pub tap: Option<(Dnstap, Tap)>,
    /// What became of the questions to each forwarder.
    pub accounts: BTreeMap<SocketAddr, Arc<Account>>,
    /// What is trusted, if anything was ever validated.
    pub validation: Option<Arc<Validation>>,
    /// Where it is counted what taps write.
    pub tap_tally: Arc<Tally>,
}

impl Kept {
    /// Nothing yet.
    #[must_use]
    pub fn nothing(dice: &mut Dice) -> Self {
        // Nothing is known of places until a steered name asks for them.
        let helm = Helm::idle(Arc::new(Scene::new(Arc::default())), None);
        let authority = Arc::new(Authority::new(Zones::new(keyed(dice)), helm));
        let patience = Arc::new(Patience::new(bounds::TCP_IDLE));
        Self {
            cache: None,
            homes: keyed(dice),
            authority,
            cluster: None,
            limits: None,
            patience,
            cookie_secret: None,
            tap: None,
            accounts: BTreeMap::new(),
            validation: None,
            tap_tally: Arc::default(),
        }
    }
}

/// A house and the parts of it that others reach into.
#[derive(Clone)]
pub struct Built {
    /// The house.
    pub house: Arc<House>,
    /// Its forwarders.
    pub forwarders: Arc<Forwarders>,
    /// Its cache, for flushes, sweeps and snapshots.
    pub cache: Option<Arc<Cache>>,
    /// Its hosts link, for a changed file.
    pub hosts: Option<Arc<HostsHandler>>,
}

/// Builds the house that `config` describes. The cache of the house before is kept where its settings are the
/// same; where they are not, its content moves into the new one.
pub fn build(
    config: &Config,
    files: Files,
    kept: &mut Kept,
    move_cache: impl Fn(&Cache, &Cache),
    dice: &mut Dice,
) -> Built {
    let cache = cache_settings(config).map(|settings| match kept.cache.take() {
        Some((old_settings, old)) if old_settings == settings => (settings, old),
        old => {
            let new = Arc::new(Cache::new(settings.clone(), dice));
            if let Some((_, old)) = old {
                move_cache(&old, &new);
            }
            (settings, new)
        }
    });
    kept.cache.clone_from(&cache);
    let cache = cache.map(|(_, cache)| cache);
    let hosts = files.hosts.map(|hosts| Arc::new(HostsHandler::new(hosts)));
    let recursion = config.recursion.as_ref();
    let special = Special::new(&recursion.map_or_else(Vec::new, |recursion| zones(recursion).cloned().collect()));
    let special = match kept.cluster.clone() {
        Some(cluster) => special.with_stakes(Stakes(Arc::new(move |name| cluster.stake(name)))),
        None => special,
    };
    let local = special.apexes().cloned().collect();
    let fixed = Fixed::new(config.fixed.clone());
    if let Some(cache) = &cache {
        let (hosts, special, authority) = (hosts.clone(), special.clone(), Arc::clone(&kept.authority));
        let fixed = fixed.clone();
        let cluster = kept.cluster.clone();
        // Anybody's alias to localhost makes the root say, and the cache learn, that there is no such name. Others'
        // aliases into our own zones end there.
        cache.defer(move |name| {
            hosts.as_ref().is_some_and(|hosts| hosts.lists(name))
                || special.owns(name)
                || authority.answers(name, RecordType::A)
                || fixed.answers(name, RecordType::A)
                || cluster.as_ref().is_some_and(|cluster| cluster.owns(name))
        });
    }
    let resolution = Arc::new(resolve::Settings {
        ours: ours(&fixed, kept),
        validation: validation(config, files.anchors, kept),
        wall: Wall(Arc::new(|_| wall_seconds() as u32)),
        ..resolution(config, files.roots, local)
    });
    let loops = (!resolution.forward.is_empty()).then(|| Loops::new(Arc::clone(&resolution)));
    let mut links: Vec<Box<dyn Handler>> = Vec::new();
    if !config.fixed.is_empty() {
        links.push(Box::new(fixed.clone()));
    }
    links.push(Box::new(Arc::clone(&kept.authority)));
    let pods = pods::links(config, kept.cluster.as_ref(), kept.authority.helm().scene());
    links.extend(pods.iter().map(|pods| Box::new(pods.names.clone()) as Box<dyn Handler>));
    let identity = &config.identity;
    links.push(Box::new(Identity::new(
        identity.version.as_deref(),
        identity.id.as_deref(),
        identity.hostname.as_deref(),
    )));
    if let Some(recursion) = recursion {
        links.push(Box::new(Gate::new(recursion.allow.clone())));
        links.push(Box::new(Local));
        let policy = pods.iter().filter_map(|pods| pods.policy.clone());
        links.extend(policy.map(|policy| Box::new(policy) as Box<dyn Handler>));
        links.extend(cache.iter().map(|cache| Box::new(Arc::clone(cache)) as Box<dyn Handler>));
        links.extend(hosts.iter().map(|hosts| Box::new(Arc::clone(hosts)) as Box<dyn Handler>));
        let tlds = pods.iter().filter_map(|pods| pods.tlds.clone());
        links.extend(tlds.map(|tlds| Box::new(tlds) as Box<dyn Handler>)); // behind all that is known here
        links.push(Box::new(special)); // behind the hosts file, which may name private addresses
        links.extend(loops.iter().map(|loops| Box::new(loops.clone()) as Box<dyn Handler>));
        links.push(Box::new(Resolve));
    } else {
        links.push(Box::new(Local));
    }
    let accounts = &mut kept.accounts;
    let is_named = |address: &SocketAddr| {
        let mut named = recursion.iter().flat_map(|recursion| &recursion.forward).flat_map(|zone| &zone.upstreams);
        named.any(|upstream| upstream.address == *address)
    };
    accounts.retain(|address, _| is_named(address));
    let forwarders = recursion.map(|recursion| {
        let mut forwarder = |zone: &config::ForwardZone| {
            let preference = match zone.order {
                config::ForwardOrder::Given => Preference::First,
                config::ForwardOrder::Random => Preference::Any(dice.bits()),
                config::ForwardOrder::RoundRobin => Preference::Next,
            };
            let manner = forward::Manner {
                randomises_case: recursion.case_randomisation,
                preference,
                concurrent: zone.concurrent.map(|most| most as usize),
            };
            let upstreams = zone.upstreams.iter().map(|one| {
                let target = Target { address: one.address, is_tcp_only: one.is_tcp_only };
                (target, Arc::clone(accounts.entry(one.address).or_default()))
            });
            Forwarder::with(upstreams, manner)
        };
        recursion.forward.iter().map(&mut forwarder).collect()
    });
    let memory: Arc<dyn Memory> = match &cache {
        Some(cache) => Arc::clone(cache) as Arc<dyn Memory>,
        None => Arc::new(Forgetful),
    };
    let house = House {
        chain: Chain::new(links),
        policy: pods.and_then(|pods| pods.policy),
        cluster: kept.cluster.clone(),
        memory,
        resolution,
        loops,
        allow: recursion.map_or_else(NetworkSet::default, |recursion| recursion.allow.clone()),
        offers_recursion: recursion.is_some(),
        stale_wait: config.cache.as_ref().and_then(|cache| cache.stale).map(|stale| stale.wait),
        finished_bytes: finished_bytes(config),
        telling: Telling { queries: config.log.queries, tap: tap(config, kept, dice) },
        nsid: identity.nsid.clone().unwrap_or_default(),
        manner: Manner { rotates: config.rotates, rewrites: config.rewrites.clone() },
        has_desk: has_zones(config),
        homes: kept.homes.clone(),
        limits: limits(config, kept, dice),
        patience: Arc::clone(&kept.patience),
        cookies: cookies(config, files.cookie_secrets, kept, dice),
        capacity: Capacity::default(),
    };
    Built { house: Arc::new(house), forwarders: Arc::new(forwarders.unwrap_or_default()), cache, hosts }
}

/// What is answered here, wherever an alias comes from.
fn ours(fixed: &Fixed, kept: &Kept) -> Ours {
    let (authority, cluster, fixed) = (Arc::clone(&kept.authority), kept.cluster.clone(), fixed.clone());
    Ours(Arc::new(move |name, rtype| {
        authority.answers(name, rtype)
            || fixed.answers(name, rtype)
            || cluster.as_ref().is_some_and(|cluster| cluster.owns(name))
    }))
}

/// The limits of the house before, with what clients have used up, where the configuration has the same.
fn limits(config: &Config, kept: &mut Kept, dice: &mut Dice) -> Arc<Limits> {
    let same = kept.limits.take().filter(|limits| *limits.settings() == config.limits.rates);
    let limits = same.unwrap_or_else(|| Arc::new(Limits::new(config.limits.rates.clone(), dice)));
    kept.limits = Some(Arc::clone(&limits));
    limits
}

/// What answers are validated by: one for all houses, as what zones and operators told since outlives a reload.
fn validation(config: &Config, read: Option<Anchors>, kept: &mut Kept) -> Option<Arc<Validation>> {
    let dnssec = config.recursion.as_ref()?.dnssec.as_ref()?;
    let (written, negative) = (read.unwrap_or_else(Anchors::builtin), dnssec.negative.clone());
    if let Some(validation) = &kept.validation {
        validation.write(written, negative);
        return Some(Arc::clone(validation));
    }
    let validation = Arc::new(Validation::new(written, negative));
    kept.validation = Some(Arc::clone(&validation));
    Some(validation)
}

/// The tap of the house before, where the configuration has the same; else another, and the one before ends.
fn tap(config: &Config, kept: &mut Kept, dice: &mut Dice) -> Option<Tap> {
    let wanted = config.dnstap.clone();
    let same = kept.tap.take().filter(|(before, _)| Some(before) == wanted.as_ref());
    kept.tap = same.or_else(|| {
        let wanted = wanted?;
        let identity = wanted.identity.clone().map_or_else(tap::machine_name, String::into_bytes);
        let signature = (identity, wanted.version.clone().into_bytes());
        let tally = Arc::clone(&kept.tap_tally);
        let tap = Tap::open(wanted.to.clone(), wanted.settings.clone(), signature, tally, dice);
        Some((wanted, tap))
    });
    kept.tap.as_ref().map(|(_, tap)| tap.clone())
}

/// The cookies by the secrets that were read, or by one of our own that lives as long as we.
fn cookies(config: &Config, read: Option<CookieSecrets>, kept: &mut Kept, dice: &mut Dice) -> Cookies {
    if config.limits.cookies.is_none() {
        return Cookies(None);
    }
    let first = *kept.cookie_secret.get_or_insert_with(|| CookieSecret::drawn(dice));
    Cookies(Some(read.unwrap_or(CookieSecrets { first, second: None })))
}

/// Finished answers take a part of the cache's size, shared by the workers; the store behind them has the rest. An
/// answer takes half as much again as the fact that it tells. Our own zones are worth some in any case.
const FINISHED_SHARE: u64 = 4;

fn finished_bytes(config: &Config) -> usize {
    let of_cache = |size| usize::try_from(size / FINISHED_SHARE).unwrap_or(usize::MAX);
    let of_cache = config.cache.as_ref().map_or(0, |cache| of_cache(cache.size));
    let of_zones = if has_zones(config) { bounds::FINISHED_OF_ZONES } else { 0 };
    of_cache.max(of_zones) / config.workers.max(1)
}

/// Whether there are zones of our own: all that a house knows of them.
#[must_use]
pub const fn has_zones(config: &Config) -> bool {
    !config.zones.is_empty()
}

fn zones(recursion: &config::Recursion) -> impl Iterator<Item = &Name> {
    let forwards = recursion.forward.iter().map(|forward| &forward.zone);
    forwards.chain(recursion.stub.iter().map(|stub| &stub.zone))
}

fn cache_settings(config: &Config) -> Option<cache::Settings> {
    let cache = config.cache.as_ref()?;
    Some(cache::Settings {
        size_bytes: cache.size - cache.size / FINISHED_SHARE,
        min_ttl: cache.min_ttl,
        max_ttl: cache.max_ttl,
        max_negative_ttl: cache.max_negative_ttl,
        prefetch: cache.prefetch.map(|one| cache::Prefetch {
            hits: u8::try_from(one.hits).unwrap_or(u8::MAX),
            window_percent: one.window_percent as u8,
        }),
        stale: cache.stale.map(|one| cache::Stale { window: one.window, ttl: one.ttl, recheck: one.recheck }),
        forwarded: config.recursion.iter().flat_map(zones).cloned().collect(),
        validates: config.recursion.as_ref().is_some_and(|recursion| recursion.dnssec.is_some()),
    })
}

fn resolution(config: &Config, roots: Option<Delegation>, local: Vec<Name>) -> resolve::Settings {
    let mut settings = resolve::Settings { local, ..resolve::Settings::default() };
    if let Some(roots) = roots {
        settings.roots = Arc::new(roots);
    }
    if let Some(cache) = &config.cache {
        let seconds = |duration: std::time::Duration| u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
        settings.min_ttl = seconds(cache.min_ttl);
        settings.max_ttl = seconds(cache.max_ttl);
        settings.max_negative_ttl = seconds(cache.max_negative_ttl);
    }
    let Some(recursion) = &config.recursion else { return settings };
    settings.minimisation = match recursion.qname_minimisation {
        config::QnameMinimisation::Strict => Minimisation::Strict,
        config::QnameMinimisation::Relaxed => Minimisation::Relaxed,
        config::QnameMinimisation::Off => Minimisation::Off,
    };
    settings.families = match recursion.families {
        config::Families::Both => Families::Both,
        config::Families::Ipv4 => Families::Ipv4,
        config::Families::Ipv6 => Families::Ipv6,
    };
    settings.randomises_case = recursion.case_randomisation;
    settings.forward = recursion.forward.iter().map(|forward| forward.zone.clone()).collect();
    let stub = |stub: &config::StubZone| Stub { zone: stub.zone.clone(), servers: stub.servers.clone().into() };
    settings.stubs = recursion.stub.iter().map(stub).collect();
    settings.denied = recursion.deny_upstreams.clone();
    settings.port = recursion.authority_port;
    settings
}

/// The memory of a resolver with `cache: off`: every question is pursued from the root.
struct Forgetful;

impl Memory for Forgetful {
    fn rrset(&self, _: &Name, _: crate::dns::RecordType, _: crate::base::Instant) -> Option<crate::chain::Remembered> {
        None
    }

    fn denial(&self, _: &Name, _: crate::dns::RecordType, _: crate::base::Instant) -> Option<crate::chain::Denial> {
        None
    }

    fn delegation(&self, _: &Name, _: crate::base::Instant) -> Option<Arc<Delegation>> {
        None
    }

    fn failure(&self, _: &Name, _: crate::dns::RecordType, _: crate::base::Instant) -> Option<crate::dns::Ede> {
        None
    }

    fn bogus(&self, _: &Name, _: crate::dns::RecordType, _: crate::base::Instant) -> Option<crate::dns::Ede> {
        None
    }

    fn learn(&self, _: crate::chain::Learned, _: crate::base::Instant) {}
}
