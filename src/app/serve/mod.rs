//! `meridian serve`: from a configuration to a running server, and back to rest.

pub mod alias;
pub mod control;
pub mod current;
pub mod desk;
mod digest;
pub mod doors;
pub mod explain;
pub mod files;
mod handing;
pub mod log;
pub mod lookout;
pub mod metering;
pub mod notes;
pub mod places;
pub mod reload;
pub mod station;
pub mod stopwatch;
pub mod transfer;
pub mod updates;
mod witness;
pub mod zones;

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::Receiver;

use serde_json::Value;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};

use self::control::{Bench, Control, Held};
use self::current::Current;
use self::desk::Clerks;
use self::doors::{Doors, Opened};
use self::lookout::Lookout;
use self::metering::Gauges;
use self::places::Places;
use self::reload::{By, Order};
use self::station::{Station, Surroundings};
use self::transfer::Transfers;
use self::updates::Updates;
use self::zones::{Keeper, Steward};
use super::build::{self, Kept};
use super::config::{self, Checked, Config, Source, TcpLimits};
use super::steered;
use super::zone_files::{Library, Reading};
use crate::base::bounds;
use crate::base::collections::keyed;
use crate::base::patience::Patience;
use crate::base::tally::{Event, Tally};
use crate::base::{Clock, Dice};
use crate::dns::{Name, RecordType};
use crate::edge::admin::{self, Metrics};
use crate::edge::clock::{MachineClock, wall_seconds};
use crate::edge::mailbox::{Letter, Mailbox};
use crate::edge::seed;
use crate::edge::tcp::{self, TcpPlaces, TcpSettings};
use crate::edge::upstream_tcp::UpstreamTcp;
use crate::handlers::authority::Zone;

/// Entries of the cache that one step of a sweep looks at. Steps are small and frequent, so that none of them keeps
/// a query waiting where there is one core only.
const SWEEP_STEP: usize = 200;
/// How often a step is taken during a sweep.
const SWEEP_TICK: std::time::Duration = std::time::Duration::from_millis(10);
/// The pause between two sweeps.
const SWEEP_REST: std::time::Duration = std::time::Duration::from_secs(5);
/// What POSIX systems commonly allow; below it the start is warned of.
const FILES_AT_LEAST: u64 = 1_024;

/// Serves the configuration `checked`, which came from `path` or is built in, and the `zones` read for it, until TERM or INT.
///
/// # Errors
/// In words, where serving cannot begin.
pub fn serve(checked: &Checked, zones: Reading, path: Option<&Path>) -> Result<(), String> {
    let Checked { config, source, .. } = checked;
    let _log = log::begin(&config.log);
    let states = reload::states_of(config, source);
    let descriptors = raise_descriptors();
    if descriptors < FILES_AT_LEAST {
        warn!("no more than {descriptors} files may be open; names may fail under load (see `ulimit -n`)");
    }
    let clock = MachineClock::new();
    let mut dice = seed::dice().map_err(|fault| format!("the system gives no randomness: {fault}"))?;
    let runtime = start_runtime(config.workers.clamp(1, 4))?;
    let files::Read { files, digests } = files::read(config, source).map_err(|faults| config::lines(&faults))?;
    let mut kept = Kept::nothing(&mut dice);
    let now = clock.now();
    let scene = Arc::clone(kept.authority.helm().scene());
    scene.set_calendar(wall_seconds(), now);
    let helm = steered::helm(&config.steering, &kept.authority.helm()).map_err(|it| config::lines(&it))?;
    let mut places = Places::default();
    let found = places.read(&config.steering, &helm).map_err(|fault| format!("geo: {fault}"))?;
    places.settle(found, &scene);
    steered::compile(&helm);
    kept.authority.take_helm(helm);
    let lookout = look_around(config, &kept, &runtime, clock, &mut dice);
    let mut opened = doors::bind(config)?;
    let now = clock.now();
    // The forwarders' sockets belong to the runtime.
    let built = runtime.block_on(async { build::build(config, files, &mut kept, files::move_cache(now), &mut dice) });
    if let (Some(state), Some(cache)) = (&config.state, &built.cache) {
        files::load_snapshot(state, cache, now);
    }
    let current = Arc::new(Current::new(Arc::clone(&built.house), Arc::clone(&built.forwarders)));
    let keeper = Arc::new(Keeper::new(Arc::clone(&kept.authority), Arc::clone(&current)));
    let updates = start_updates(config, &keeper, &mut dice)?;
    tell(&zones.fresh);
    keeper.configure(&config.zones, &config.keys, zones.fresh);
    let (slot, errands) = desk::desk();
    let mut surroundings = surround(clock, &runtime, Arc::clone(&current), &mut dice);
    surroundings.desk = Some(slot);
    alias::start(&surroundings, &keeper, &kept.authority, &mut dice);
    let patience = Arc::clone(&kept.patience);
    let mut crew = man_stations(config, &mut opened, descriptors, &surroundings, patience, &mut dice)
        .map_err(|fault| format!("cannot start a worker: {fault}"))?;
    crew.tallies.extend([Arc::clone(&kept.tap_tally), Arc::clone(keeper.tally())]);
    let mut bench = Bench { kept, places, library: zones.library, watched: Vec::new(), hosts: None };
    bench.watch(config, source, &states);
    let held = Held { config: config.clone(), source: source.clone(), built, digests };
    let (control, orders) = Control::new(path, (held, bench), keeper, (surroundings, lookout), crew.tallies.clone());
    let control = Arc::new(control);
    // Who answers transfers and updates; both change zones through the keeper.
    let transfers = {
        let _within = runtime.enter();
        Transfers::start(config, control.keeper(), clock, &mut dice)
    };
    let clerks = Clerks { transfers, updates };
    runtime.spawn(desk::attend(errands, clerks));
    runtime.block_on(live(config, &control, (crew, opened), orders))?;
    rest(&control, runtime);
    Ok(())
}

/// Begins to watch the members of pools, and waits for the first round: nobody is to be led to the dead, so nothing
/// listens before.
fn look_around(config: &Config, kept: &Kept, runtime: &Runtime, clock: MachineClock, dice: &mut Dice) -> Arc<Lookout> {
    let helm = kept.authority.helm();
    let (scene, state) = (Arc::clone(helm.scene()), config.state.as_deref());
    let lookout = Arc::new(Lookout::new(&config.steering, scene, state, clock, dice));
    lookout.follow(helm.names().cloned().collect());
    runtime.spawn(Arc::clone(&lookout).keep_watch());
    runtime.block_on(lookout.first_round(config.steering.startup_timeout));
    lookout
}

/// The clerk of updates, to whom the keeper hands the zones that they may change.
fn start_updates(config: &Config, keeper: &Arc<Keeper>, dice: &mut Dice) -> Result<Arc<Updates>, String> {
    let folder = config.state.as_ref().map(|state| state.join("updates"));
    let updates = Arc::new(Updates::start(Arc::clone(keeper), folder, Arc::new(wall_seconds), keyed(dice))?);
    keeper.entrust(Arc::clone(&updates) as Arc<dyn Steward>);
    Ok(updates)
}

/// The threads at work and the ways to reach them.
struct Crew {
    threads: Vec<std::thread::JoinHandle<()>>,
    mailboxes: Vec<Mailbox>,
    tallies: Vec<Arc<Tally>>,
    tcp_places: Arc<TcpPlaces>,
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

fn man_stations(
    config: &Config,
    opened: &mut [Opened],
    descriptors: u64,
    surroundings: &Surroundings,
    patience: Arc<Patience>,
    dice: &mut Dice,
) -> io::Result<Crew> {
    let mut listeners: Vec<Vec<_>> = (0..config.workers).map(|_| Vec::new()).collect();
    for one in opened {
        for (own, listener) in listeners.iter_mut().zip(one.take_udp()) {
            own.push(listener);
        }
    }
    let mut stations = Vec::new();
    let mut tallies = Vec::new();
    for (at, own) in listeners.into_iter().enumerate() {
        let tally = Arc::new(Tally::default());
        let own_dice = Dice::from_seed(std::array::from_fn(|_| dice.bits() as u8));
        stations.push(Station::new(surroundings.clone(), (at, config.workers), own, own_dice, Arc::clone(&tally))?);
        tallies.push(tally);
    }
    let mailboxes: Vec<Mailbox> = stations.iter().map(Station::mailbox).collect();
    let at_rest = Arc::new(AtomicUsize::new(0));
    let mut threads = Vec::new();
    for (at, mut station) in stations.into_iter().enumerate() {
        station.meet(mailboxes.clone(), Arc::clone(&at_rest));
        threads.push(std::thread::Builder::new().name(format!("meridian-{at}")).spawn(move || station.run())?);
    }
    let TcpLimits { connections, in_flight, idle } = config.limits.tcp;
    let connections = tcp::connections_within(descriptors, connections);
    let settings = TcpSettings { connections, in_flight, idle };
    // Beside the workers' tallies one that all connections count in.
    let tally = Arc::new(Tally::default());
    let tcp_places = TcpPlaces::new(settings, patience, Arc::clone(&tally), dice);
    tallies.push(tally);
    // And one that reloads count in.
    tallies.push(Arc::default());
    Ok(Crew { threads, mailboxes, tallies, tcp_places })
}

/// Everything that the runtime does while the stations serve; returns once they have ended.
async fn live(
    config: &Config,
    control: &Arc<Control>,
    (crew, opened): (Crew, Vec<Opened>),
    orders: Receiver<Order>,
) -> Result<(), String> {
    let gauges = Gauges { control: Arc::clone(control), places: Arc::clone(&crew.tcp_places) };
    let (tallies, gauges) = (crew.tallies.clone(), Arc::new(gauges));
    let metrics = move || Metrics::new(tallies.clone(), Arc::clone(&gauges) as Arc<_>);
    let machine = (control.clock(), Handle::current());
    let doors = Doors::new(machine, crew.mailboxes.clone(), Arc::clone(&crew.tcp_places), Box::new(metrics));
    let doors = control.keep_doors(doors);
    doors.begin(opened, config.admin.as_ref(), &(Arc::clone(control) as Arc<dyn admin::AdminHouse>))?;
    let attending = Arc::clone(control);
    std::thread::Builder::new()
        .name("meridian-reload".to_owned())
        .spawn(move || attending.attend(&orders))
        .map_err(|fault| format!("cannot start threads: {fault}"))?;
    let sweeper = tokio::spawn(sweep(Arc::clone(control)));
    let saver = tokio::spawn(save_now_and_then(Arc::clone(control)));
    control.set_ready();
    await_signals(control).await?;
    info!("stopping: answering what was asked");
    sweeper.abort();
    saver.abort();
    // Connections first: their last queries need the stations.
    doors.close().await;
    for mailbox in &crew.mailboxes {
        mailbox.post(Letter::Stop).ok();
    }
    let threads = crew.threads;
    tokio::task::spawn_blocking(move || {
        for thread in threads {
            if thread.join().is_err() {
                error!("a worker ended in a panic");
            }
        }
    })
    .await
    .ok();
    Ok(())
}

async fn await_signals(control: &Arc<Control>) -> Result<(), String> {
    let hook = |kind| signal(kind).map_err(|fault| format!("cannot listen for signals: {fault}"));
    let mut term = hook(SignalKind::terminate())?;
    let mut interrupt = hook(SignalKind::interrupt())?;
    let mut hup = hook(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = term.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hup.recv() => control.order(By::Signal),
        }
    }
}

/// Removes from the cache, bit by bit and for ever, what nobody will ask for again.
async fn sweep(control: Arc<Control>) {
    let mut tick = tokio::time::interval(SWEEP_TICK);
    // Ticks missed while resting must not be made up for: that would be the whole cache in one go.
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        if let Some(cache) = control.cache() {
            let mut sweep = cache.sweep();
            while !sweep.step(control.now(), SWEEP_STEP).is_done {
                tick.tick().await;
            }
        }
        tokio::time::sleep(SWEEP_REST).await;
    }
}

/// Saves what a sudden end would lose, for ever, and is busy with that for a hundredth of the time at most.
async fn save_now_and_then(control: Arc<Control>) {
    let mut rest = bounds::SAVE_INTERVAL;
    loop {
        tokio::time::sleep(rest).await;
        let (begun, saving) = (control.now(), Arc::clone(&control));
        tokio::task::spawn_blocking(move || saving.save()).await.ok();
        rest = bounds::SAVE_INTERVAL.max(control.now().since(begun).saturating_mul(100));
    }
}

fn rest(control: &Control, runtime: Runtime) {
    control.save();
    if let Some(tap) = control.tap() {
        runtime.block_on(tap.close());
    }
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    info!("stopped");
}

/// The number that all tallies together have counted of `event`.
#[must_use]
pub fn total(tallies: &[Arc<Tally>], event: Event) -> u64 {
    tallies.iter().map(|tally| tally.read(event)).sum()
}

/// Explains one answer by `config`, without a running server.
///
/// # Errors
/// In words, where the machine refuses something or a file is bad.
pub fn explain_once(config: &Config, name: &Name, rtype: RecordType, client: Option<IpAddr>) -> Result<Value, String> {
    let clock = MachineClock::new();
    // Nobody else is told of it.
    let config = &Config { dnstap: None, ..config.clone() };
    let mut dice = seed::dice().map_err(|fault| fault.to_string())?;
    let runtime = start_runtime(1)?;
    let files = files::read(config, &Source::default()).map_err(|faults| config::lines(&faults))?.files;
    let mut kept = Kept::nothing(&mut dice);
    let helm = steered::helm(&config.steering, &kept.authority.helm()).map_err(|it| config::lines(&it))?;
    let mut places = Places::default();
    let found = places.read(&config.steering, &helm).map_err(|fault| format!("geo: {fault}"))?;
    places.settle(found, helm.scene());
    steered::compile(&helm);
    helm.scene().set_calendar(wall_seconds(), clock.now());
    kept.authority.take_helm(helm);
    let zones = Library::new(keyed(&mut dice)).read(config);
    if zones.has_faults() {
        return Err(zones.noted.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    }
    let built = runtime.block_on(async { build::build(config, files, &mut kept, |_, _| {}, &mut dice) });
    let current = Arc::new(Current::new(built.house, built.forwarders));
    Keeper::new(kept.authority, Arc::clone(&current)).configure(&config.zones, &config.keys, zones.fresh);
    let surroundings = surround(clock, &runtime, current, &mut dice);
    explain::explain(&surroundings, name, rtype, client).map_err(|fault| fault.to_string())
}

fn start_runtime(threads: usize) -> Result<Runtime, String> {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(threads).thread_name("meridian-slow").enable_all();
    builder.build().map_err(|fault| format!("cannot start threads: {fault}"))
}

fn surround(clock: MachineClock, runtime: &Runtime, current: Arc<Current>, dice: &mut Dice) -> Surroundings {
    let tcp_dice = Dice::from_seed(std::array::from_fn(|_| dice.bits() as u8));
    let tcp = UpstreamTcp::new(runtime.handle().clone(), tcp_dice);
    Surroundings { clock, runtime: runtime.handle().clone(), tcp, current, desk: None }
}

/// Says which zones have come.
pub fn tell(zones: &[Arc<Zone>]) {
    /// Zones that are named; more are counted.
    const NAMED_MAX: usize = 20;
    for zone in zones.iter().take(NAMED_MAX) {
        info!("zone {}: serial {}, {} names", zone.apex(), zone.serial(), zone.name_count());
    }
    if zones.len() > NAMED_MAX {
        info!("and {} zones more", zones.len() - NAMED_MAX);
    }
}
