//! Lints: what is right alone and, seen together, probably not what its author wants.

use std::sync::Arc;

use super::cursor::Report;
use super::fault::Severity;
use super::raw::Node;
use super::steering::PoolSettings;
use super::types::{Config, Roots, TrustAnchors};
use super::{Machine, scalars};
use crate::steer::Member;

/// Notes the lints of a configuration without faults; `tree` tells their places.
pub(super) fn lint(config: &Config, tree: &Node, report: &Report, machine: &Machine) {
    let note = |path: &[&str], found: String, better: &str| {
        let at = path.iter().try_fold(tree, |node, key| node.entry(key)).unwrap_or(tree).at;
        report.note(Severity::Lint, at, &path.join("."), found, better);
    };
    let public = config.listen.iter().find(|listen| !listen.address.ip().is_loopback());
    if let Some(recursion) = &config.recursion
        && let Some(listen) = public
    {
        if recursion.allow.networks().iter().any(|network| network.prefix_length() == 0) {
            let found = format!("everybody, while listening on {}", listen.address);
            note(&["recursion", "allow"], found, "the networks of your clients; open resolvers are used for attacks");
        }
        if recursion.deny_upstreams.networks().is_empty() {
            let found = format!("no networks, while listening on {}", listen.address);
            let better = "default; a foreign delegation could make us query this very machine";
            note(&["recursion", "deny_upstreams"], found, better);
        }
    }
    if let Some(recursion) = &config.recursion
        && let Some(dnssec) = &recursion.dnssec
    {
        if let (Roots::File(file), TrustAnchors::Builtin) = (&recursion.roots, &dnssec.anchors) {
            let found = format!("the anchors of the public root beside the servers of {}", file.display());
            let better = "a file with the keys of that root, or `dnssec: off` if it is not signed";
            note(&["recursion", "dnssec"], found, better);
        }
        if let Some(listen) = public
            && config.state.is_none()
        {
            let found = format!("no folder, while validating for those who reach {}", listen.address);
            note(&["state"], found, "a folder, in which is kept what the root's keys change to (RFC 5011)");
        }
    }
    if let Some(listen) = public
        && config.limits.rates.responses.is_none()
    {
        let found = format!("no limit of responses, while listening on {}", listen.address);
        note(&["limits", "responses"], found, "{dry_run: true} at least; forged queries make a weapon of us");
    }
    if config.state.is_none()
        && let Some(zone) = config.zones.iter().find(|zone| !zone.update.is_empty())
    {
        let found = format!("no folder, while {} has `update`", zone.apex);
        note(&["state"], found, "a folder for journals; without one updates are refused, as a restart would lose them");
    }
    if let Some(admin) = &config.admin
        && !admin.address.ip().is_loopback()
        && admin.token_file.is_none()
        && tree.entry("admin").is_none_or(|admin| admin.entry("token_file").is_none())
    {
        let found = format!("{}, which others can reach", admin.address);
        note(
            &["admin"],
            found,
            "a loopback address or a `token_file`; without either only /health, /ready and /metrics answer",
        );
    }
    if let Some(cache) = &config.cache
        && let Some(memory) = machine.memory
        && cache.size > memory / 2
    {
        let (size, memory) = (scalars::size_text(cache.size), memory >> 20);
        note(&["cache", "size"], format!("{size} on a machine of {memory}MiB"), "at most half of the memory");
    }
    let listed = |pool: &&Arc<PoolSettings>| pool.pool.members().iter().any(Member::is_listed);
    if let Some(pool) = config.steering.pools.iter().find(listed)
        && config.kubernetes.is_none()
    {
        let name = pool.pool.name();
        note(
            &["pools", name],
            "a service beside no cluster".to_owned(),
            "the block `kubernetes`; it tells the addresses",
        );
    }
    if let Some(cache) = &config.cache
        && config.recursion.is_none()
        && tree.entry("cache").is_some()
    {
        let size = scalars::size_text(cache.size);
        note(&["cache"], format!("a cache of {size} beside `recursion: off`"), "off; only recursion fills it");
    }
}
