//! What is to be watched: a configuration's pools and checks, spelled out into one task for every check of every
//! target. Equal tasks are one, however many members and pools they serve.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::app::config::{PoolSettings, SteeredName, Steering};
use crate::edge::probe::{Subject, Target};
use crate::steer::health::watch::CheckKey;
use crate::steer::health::{Check, HttpProbe, Need, Probe, Timing};
use crate::steer::{Member, Pool, PoolId, StageSpec};

/// One check of one target.
#[derive(Clone, PartialEq, Debug)]
pub struct Task {
    /// The check.
    pub check: Arc<Check>,
    /// Its target, and a member that it is probed for.
    pub subject: Subject,
    /// When it is probed; the check's own timing.
    pub timing: Timing,
}

/// How a member is watched: of each of its checks, the keys of its targets, all of which must be good.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Watched {
    /// How many of the checks must be good.
    pub need: Need,
    /// A check, and its tasks.
    pub checks: Vec<(Arc<Check>, Vec<CheckKey>)>,
}

impl Watched {
    /// All tasks.
    pub fn keys(&self) -> impl Iterator<Item = &CheckKey> {
        self.checks.iter().flat_map(|(_, keys)| keys)
    }
}

/// Everything that is to be watched.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Plan {
    /// The pools.
    pub pools: Vec<Arc<PoolSettings>>,
    /// Of each pool, its members.
    pub members: Vec<Vec<Watched>>,
    /// The tasks by their keys.
    pub tasks: BTreeMap<CheckKey, Task>,
    /// The names that are steered.
    pub names: Vec<Arc<SteeredName>>,
}

impl Plan {
    /// The plan of a configuration.
    #[must_use]
    pub fn new(settings: &Steering) -> Self {
        let mut plan = Self { pools: settings.pools.clone(), names: settings.names.clone(), ..Self::default() };
        for settings in &settings.pools {
            let members = settings.pool.members();
            let watched = members.iter().map(|member| plan.watch(settings, member)).collect();
            plan.members.push(watched);
        }
        plan
    }

    fn watch(&mut self, settings: &PoolSettings, member: &Member) -> Watched {
        let mut watched = Watched { need: settings.need, checks: Vec::new() };
        if member.is_listed() {
            return watched; // whoever knows its addresses knows how it stands
        }
        for check in &settings.checks {
            let targets = if is_by_address(&check.probe) { targets(member) } else { named(member) };
            let subject = |target| Subject { target, pool: settings.pool.name().into(), member: member.name.clone() };
            let keys = targets.into_iter().map(|target| self.add(check, subject(target))).collect();
            watched.checks.push((Arc::clone(check), keys));
        }
        watched
    }

    fn add(&mut self, check: &Arc<Check>, subject: Subject) -> CheckKey {
        let text = describe(check, &subject);
        // Equal but for their timing: the first has the plain key, so that its state survives another timing.
        let key = match self.tasks.get(text.as_str()) {
            Some(known) if known.timing != check.timing => CheckKey::from(format!("{text} {:?}", check.timing)),
            _ => CheckKey::from(text),
        };
        let task = || Task { check: Arc::clone(check), subject, timing: check.timing };
        self.tasks.entry(Arc::clone(&key)).or_insert_with(task);
        key
    }

    /// The pool of that name.
    #[must_use]
    pub fn pool(&self, name: &str) -> Option<&Arc<PoolSettings>> {
        self.pools.iter().find(|settings| settings.pool.name() == name)
    }

    /// Each pool, and how its members are watched.
    pub fn rows(&self) -> impl Iterator<Item = (&Arc<PoolSettings>, &Vec<Watched>)> {
        self.pools.iter().zip(&self.members)
    }

    /// How a member is watched.
    #[must_use]
    pub fn watched(&self, pool: PoolId, member: u16) -> Option<&Watched> {
        self.members.get(pool.0 as usize)?.get(usize::from(member))
    }

    /// The longest TTL that answers from `pool` have, seconds; none if no name answers from it.
    #[must_use]
    pub fn ttl_max(&self, pool: PoolId) -> Option<u32> {
        let names = self.names.iter().filter(|name| name.pool == pool || name.fallback == Some(pool));
        names.map(|name| name.terms.ttl_max).max()
    }

    /// The bounds of the shares that `bandit` may give members of `pool`: those of the first policy that has it.
    #[must_use]
    pub fn shares(&self, pool: PoolId) -> Option<(f64, f64)> {
        let names = self.names.iter().filter(|name| name.pool == pool);
        names.flat_map(|name| &name.policy.stages).find_map(|stage| match stage {
            StageSpec::Bandit { min, max } => Some((*min, *max)),
            _ => None,
        })
    }

    /// The settings of a pool by its place.
    #[must_use]
    pub fn settings(&self, pool: PoolId) -> Option<&Arc<PoolSettings>> {
        self.pools.get(pool.0 as usize)
    }
}

/// Whether every address of a member is probed for itself.
fn is_by_address(probe: &Probe) -> bool {
    match probe {
        Probe::Http(_) | Probe::Tcp { .. } | Probe::Tls { .. } | Probe::Dns { .. } | Probe::Icmp => true,
        Probe::Command { arguments, .. } => arguments.iter().any(|argument| argument.contains("{address}")),
        Probe::File { .. } | Probe::Push { .. } => false,
    }
}

/// All that a member answers with: an answer holds all its addresses, so each must be good.
fn targets(member: &Member) -> Vec<Target> {
    let v4 = member.a.iter().map(|address| IpAddr::V4(*address));
    let addresses: Vec<Target> =
        v4.chain(member.aaaa.iter().map(|address| IpAddr::V6(*address))).map(Target::Address).collect();
    if addresses.is_empty() { host(member).into_iter().collect() } else { addresses }
}

fn host(member: &Member) -> Option<Target> {
    let service = || member.service.as_ref().and_then(|service| service.target.as_ref());
    let host = member.cname.as_ref().or_else(|| member.srv.as_ref().map(|srv| &srv.target)).or_else(service)?;
    Some(Target::Host(host.to_string().into()))
}

/// The member itself, whatever it answers with.
fn named(member: &Member) -> Vec<Target> {
    vec![targets(member).into_iter().next().unwrap_or_else(|| Target::Host(member.name.clone()))]
}

/// The text that names a task: what is done, to whom, and everything that it depends on.
fn describe(check: &Check, subject: &Subject) -> String {
    let Subject { target, pool, member } = subject;
    match &check.probe {
        Probe::Http(probe) => {
            let HttpProbe { is_tls, verifies, roots, port, method, path, host, statuses, body } = probe;
            let scheme = if *is_tls { "https" } else { "http" };
            let trust = is_tls.then_some((verifies, roots));
            format!("{scheme} {target} {port} {method} {path:?} {host:?} {statuses:?} {body:?} {trust:?}")
        }
        Probe::Tcp { port, send, expect } => format!("tcp {target} {port} {send:?} {expect:?}"),
        Probe::Tls { port, server_name, verifies, roots } => {
            format!("tls {target} {port} {server_name:?} {verifies} {roots:?}")
        }
        Probe::Dns { port, name, rtype, rcode, is_tcp } => {
            format!("dns {target} {port} {name} {rtype} {rcode} {}", if *is_tcp { "tcp" } else { "udp" })
        }
        Probe::Icmp => format!("icmp {target}"),
        Probe::Command { program, arguments } => {
            let arguments: Vec<String> = arguments.iter().map(|argument| subject.fill(argument)).collect();
            format!("command {:?} {arguments:?}", program.to_string_lossy())
        }
        Probe::File { path, .. } => format!("file {:?} {pool:?} {member:?}", path.to_string_lossy()),
        Probe::Push { .. } => format!("push {pool:?} {member:?} {:?}", check.name),
    }
}

/// `pool/member`, as overrides name it.
#[must_use]
pub fn title(pool: &Pool, member: &Member) -> String {
    format!("{}/{}", pool.name(), member.name)
}
