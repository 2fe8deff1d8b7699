//! The threshold: opens the sockets that queries and commands come in by, and gives up the rights that this took.
//!
//! Comes first, before any thread is started, as what is given up belongs to the thread that does and to those it
//! starts. What comes in before there is anybody to answer waits in the sockets.

use std::path::{Path, PathBuf};

use tracing::{error, info, warn};

use super::cluster;
use super::doors::{self, Opened};
use super::hatches::{self, Ajar};
use crate::app::config::{Admin, Config};
use crate::base::bounds;
use crate::edge::handover::Predecessor;
use crate::edge::listen::Given;
use crate::edge::privileges::{self, Account, Files};
use crate::edge::{interface, manager, process};
use crate::steer::health::Probe;

/// The place in `state` where a newcomer asks for the sockets.
pub const HANDOVER: &str = "handover";
/// What POSIX systems commonly allow; below it the start is warned of.
const FILES_AT_LEAST: u64 = 1_024;

/// Open sockets, before anybody reads them.
#[derive(Debug)]
pub struct Threshold {
    /// Where queries come in, at least one address.
    pub(super) opened: Vec<Opened>,
    /// Where commands come in.
    pub(super) admin: Ajar,
    /// Whether the service manager keeps them already.
    pub(super) are_kept: bool,
    /// Who still serves by these sockets.
    pub(super) predecessor: Option<Predecessor>,
    /// Files that may be open at a time.
    pub(super) descriptors: u64,
}

/// Opens what `config`, read from `path`, names; with `replaces`, as the successor of the server that runs with the
/// same `state`, if there is one.
///
/// # Errors
/// In words, where an address cannot be had, or the user is not there.
pub fn open(config: &Config, path: Option<&Path>, replaces: bool) -> Result<Threshold, String> {
    super::log::begin(&config.log);
    let descriptors = raise_descriptors();
    let foreseen = config.workers * bounds::UPSTREAM_SOCKETS_MAX + config.limits.tcp.connections + bounds::BATCH;
    if let Err(fault) = process::make_room_for_files(descriptors.min(foreseen as u64)) {
        info!("no room was made for open files: {fault}");
    }
    process::take_small_pages();
    if descriptors < FILES_AT_LEAST {
        warn!("no more than {descriptors} files may be open; names may fail under load (see `ulimit -n`)");
    }
    let account = account(config)?;
    furnish(config);
    let (predecessor, mut given) = given(config, replaces)?;
    let opened = doors::bind(config, &mut given)?;
    let admin = hatches::bind(config, &mut given)?;
    for address in given.rest() {
        info!("{address} is no longer listened on");
        manager::forget(address);
    }
    give_up(config, path, account.as_ref())?;
    Ok(Threshold { opened, admin, are_kept: given.are_kept(), predecessor, descriptors })
}

/// The interface of a node's cache. Where it cannot be had, it may be there without us; if not, binding says so.
fn furnish(config: &Config) {
    let node_local = config.kubernetes.as_ref().and_then(|kubernetes| kubernetes.node_local.as_ref());
    if let Some((node_local, name)) = node_local.and_then(|it| Some((it, it.interface.as_ref()?))) {
        let addresses: Vec<_> = node_local.addresses.iter().map(std::net::SocketAddr::ip).collect();
        match interface::furnish(name, &addresses) {
            Ok(()) => info!("interface {name} has {} addresses", addresses.len()),
            Err(fault) => warn!("{fault}"),
        }
    }
}

/// Every exchange upstream and every connection takes a descriptor: as many as the system lets us have.
fn raise_descriptors() -> u64 {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => limit,
        Err(fault) => {
            warn!("the number of open files stays as it is: {fault}");
            rlimit::Resource::NOFILE.get_soft().unwrap_or(FILES_AT_LEAST)
        }
    }
}

/// Who is to be become.
fn account(config: &Config) -> Result<Option<Account>, String> {
    match &config.user {
        Some(name) if privileges::is_root() => Account::find(name).map(Some),
        Some(name) => {
            info!("not started by root: `user: {name}` changes nothing");
            Ok(None)
        }
        None => {
            if privileges::is_root() {
                warn!("serving as root; `user` names who is to be become");
            }
            Ok(None)
        }
    }
}

/// Sockets that are open already: the predecessor's, or else the service manager's.
fn given(config: &Config, replaces: bool) -> Result<(Option<Predecessor>, Given), String> {
    let place = config.state.as_ref().map(|state| state.join(HANDOVER)).filter(|_| replaces);
    if let Some(place) = place {
        let met = Predecessor::meet(&place).map_err(|fault| format!("{}: {fault}", place.display()))?;
        if let Some((predecessor, sockets)) = met {
            info!("taking over {} sockets from the running server", sockets.len());
            return Ok((Some(predecessor), Given::new(sockets, false)));
        }
        info!("no server runs with this `state`: starting as the first");
    } else if replaces {
        return Err("a running server is found by its `state`, which is off".into());
    }
    let sockets = manager::given();
    let are_kept = !sockets.is_empty();
    if are_kept {
        info!("the service manager gives {} sockets", sockets.len());
    }
    Ok((None, Given::new(sockets, are_kept)))
}

/// Becomes who is to be become, and gives up what serving does not take.
fn give_up(config: &Config, path: Option<&Path>, account: Option<&Account>) -> Result<(), String> {
    if let Some(state) = &config.state {
        match account {
            Some(account) => account.own(state)?,
            // Confinement knows only what exists; a folder that cannot be made is told of at each saving too.
            None => std::fs::create_dir_all(state).unwrap_or_else(|fault| error!("{}: {fault}", state.display())),
        }
    }
    if let Some(account) = account {
        account.become_it(binds_low(config))?;
    }
    let shed = privileges::shed(&files(config, path), binds_low(config));
    if shed.is_whole() {
        info!("given up: {shed}");
    } else {
        warn!("given up: {shed}");
    }
    Ok(())
}

/// Whether a reload may have to bind ports that take a right to: where there is one such port, another may come.
fn binds_low(config: &Config) -> bool {
    const FREE: u16 = 1_024;
    let admin = config.admin.iter().flat_map(Admin::parts).map(|(_, address)| address);
    config.listen.iter().map(|listen| listen.address).chain(admin).any(|address| (1..FREE).contains(&address.port()))
}

/// The files that a server of `config` touches.
fn files(config: &Config, path: Option<&Path>) -> Files {
    // What the built-in configuration names lies in the working folder.
    let own = path.map_or_else(|| PathBuf::from("."), Path::to_owned);
    let runs_programs = config.steering.checks.iter().any(|check| matches!(check.probe, Probe::Command { .. }));
    let named = config.files.iter().cloned().chain([own]);
    Files { read: named.chain(cluster::files(config)).collect(), written: config.state.clone(), runs_programs }
}
