//! `meridian serve`: from a configuration to a running server, and back to rest.

pub mod alias;
pub mod cluster;
pub mod control;
pub mod current;
pub mod desk;
mod digest;
pub mod doors;
pub mod explain;
pub mod files;
mod handing;
pub mod hatches;
pub mod listings;
pub mod log;
pub mod lookout;
pub mod loops;
pub mod metering;
pub mod notes;
pub mod places;
pub mod reload;
mod signals;
pub mod station;
pub mod stopwatch;
pub mod succession;
pub mod threshold;
pub mod transfer;
pub mod trust;
pub mod updates;
pub mod watchdog;
mod witness;
pub mod zones;

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::mpsc::Receiver;

use serde_json::Value;
use tokio::runtime::{Builder, Handle, Runtime};
use tracing::{error, info, warn};

use self::cluster::Clusters;
use self::control::{Bench, Control, Held};
use self::current::Current;
use self::desk::{Clerk, Clerks};
use self::doors::{Doors, Opened};
use self::hatches::Ajar;
use self::lookout::Lookout;
use self::metering::Gauges;
use self::places::Places;
use self::reload::Order;
use self::signals::Signals;
use self::station::{Station, Surroundings};
use self::succession::{Bid, Bids, Settled};
use self::threshold::Threshold;
use self::transfer::Transfers;
use self::trust::Trustee;
use self::updates::Updates;
use self::zones::{Keeper, Steward};
use super::build::{self, Kept};
use super::config::{self, Checked, Config, Source, TcpLimits};
use super::steered;
use super::zone_files::{Library, Reading};
use crate::base::bounds;
use crate::base::collections::keyed;
use crate::base::patience::Patience;
use crate::base::scalars;
use crate::base::tally::{Event, Tally};
use crate::base::{Clock, Dice};
use crate::dns::{Name, RecordType};
use crate::edge::admin::{self, Metrics};
use crate::edge::clock::{MachineClock, wall_seconds};
use crate::edge::mailbox::{Letter, Mailbox};
use crate::edge::manager::{self, News};
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

/// Serves the configuration `checked`, which came from `path` or is built in, and the `zones` read for it, by what was
/// opened on the `threshold`, until TERM or INT, or until another server takes over.
///
/// # Errors
/// In words, where serving cannot begin.
pub fn serve(checked: &Checked, zones: Reading, path: Option<&Path>, threshold: Threshold) -> Result<(), String> {
    let Checked { config, source, .. } = checked;
    let _log = log::queue();
    let states = reload::states_of(config, source);
    let clock = MachineClock::new();
    let mut dice = seed::dice().map_err(|fault| format!("the system gives no randomness: {fault}"))?;
    let runtime = start_runtime(config.workers.clamp(1, 4))?;
    let mut signals = {
        let _within = runtime.enter();
        Signals::hook()?
    };
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
    let clusters = Arc::new(Clusters::default());
    kept.cluster = clusters.follow(config, (clock, runtime.handle()), &mut dice);
    lookout.look_into(kept.cluster.clone());
    let Threshold { mut opened, admin, are_kept, predecessor, descriptors } = threshold;
    let now = clock.now();
    // The forwarders' sockets belong to the runtime.
    let built = runtime.block_on(async { build::build(config, files, &mut kept, files::move_cache(now), &mut dice) });
    if let (Some(state), Some(cache)) = (&config.state, &built.cache) {
        files::load_snapshot(state, cache, now);
    }
    // Before the other steps down, too: a fault that can be known now leaves it in its place.
    hatches::token_of(config)?;
    // Before the other steps down: whoever comes next finds one of the two, at any time.
    let offer = succession::open(config.state.as_deref());
    if let Some(predecessor) = predecessor {
        // The last moment: from here to the first answer nobody reads the sockets, and nobody else changes the state.
        match predecessor.step_down() {
            Ok(()) => info!("the running server has stepped down"),
            Err(fault) => warn!("the running server has not stepped down in order: {fault}"),
        }
        lookout.resume();
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
    let trustee = Arc::new(Trustee::new(surroundings.clone(), config.state.as_deref(), &mut dice));
    loops::start(&surroundings, &mut dice);
    let patience = Arc::clone(&kept.patience);
    let mut crew = man_stations(config, &mut opened, descriptors, &surroundings, patience, &mut dice)
        .map_err(|fault| format!("cannot start a worker: {fault}"))?;
    crew.tallies.extend([Arc::clone(&kept.tap_tally), Arc::clone(keeper.tally())]);
    let mut bench = Bench { kept, places, library: zones.library, watched: Vec::new(), hosts: None };
    bench.watch(config, source, &states);
    let held = Held { config: config.clone(), source: source.clone(), built, digests };
    let (control, orders) =
        Control::new(path, (held, bench), keeper, (surroundings, lookout, clusters, trustee), crew.tallies.clone());
    let control = Arc::new(control);
    // Who answers transfers and updates; both change zones through the keeper.
    let transfers = {
        let _within = runtime.enter();
        Transfers::start(config, control.keeper(), clock, &mut dice)
    };
    let clerks =
        Clerks { transfers: Arc::clone(&transfers) as Arc<dyn Clerk>, updates: Arc::clone(&updates) as Arc<dyn Clerk> };
    runtime.spawn(desk::attend(errands, clerks));
    let settled = Settled { lookout: Arc::clone(control.lookout()), transfers, updates };
    let doors = runtime.block_on(async { open_doors(config, &control, &crew, (opened, are_kept), admin) })?;
    // Kept to the end: who bids while we stop takes over when all that is saved is saved.
    let mut bids = succession::attend(offer, &control);
    let end = runtime.block_on(live(&control, (crew, doors), orders, &mut signals, (&mut bids, settled)))?;
    control.clusters().stop();
    if matches!(end, End::Asked) {
        control.save();
    }
    if let Some(tap) = control.tap() {
        runtime.block_on(tap.close());
    }
    let node_local = config.kubernetes.as_ref().and_then(|kubernetes| kubernetes.node_local.as_ref());
    if let (End::Replaced, Some(address)) = (end, node_local.and_then(|it| it.addresses.first())) {
        runtime.block_on(succession::rest(signals, *address));
    }
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    info!("stopped");
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

/// Why we end.
enum End {
    /// Somebody told us to.
    Asked,
    /// Another server has what was ours.
    Replaced,
}

/// The threads at work and the ways to reach them.
struct Crew {
    threads: Vec<std::thread::JoinHandle<()>>,
    mailboxes: Vec<Mailbox>,
    turns: Vec<Arc<AtomicU64>>,
    tallies: Vec<Arc<Tally>>,
    tcp_places: Arc<TcpPlaces>,
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
        // Taken over, they may be more than there are workers.
        for (at, listener) in one.take_udp().into_iter().enumerate() {
            if let Some(own) = listeners.get_mut(at % config.workers) {
                own.push(listener);
            }
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
    let turns = stations.iter().map(Station::turns).collect();
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
    Ok(Crew { threads, mailboxes, turns, tallies, tcp_places })
}

/// Takes queries and commands by what was opened. To be called within the runtime.
fn open_doors<'c>(
    config: &Config,
    control: &'c Arc<Control>,
    crew: &Crew,
    opened: (Vec<Opened>, bool),
    admin: Ajar,
) -> Result<&'c Doors, String> {
    let gauges = Gauges { control: Arc::clone(control), places: Arc::clone(&crew.tcp_places) };
    let (tallies, gauges) = (crew.tallies.clone(), Arc::new(gauges));
    let metrics = move || Metrics::new(tallies.clone(), Arc::clone(&gauges) as Arc<_>);
    let machine = (control.clock(), Handle::current());
    let doors = Doors::new(machine, crew.mailboxes.clone(), Arc::clone(&crew.tcp_places), Box::new(metrics));
    let doors = control.keep_doors(doors);
    doors.begin(opened, config, admin, &(Arc::clone(control) as Arc<dyn admin::AdminHouse>))?;
    Ok(doors)
}

/// Everything that the runtime does while the stations serve; returns once they have ended.
async fn live(
    control: &Arc<Control>,
    (crew, doors): (Crew, &Doors),
    orders: Receiver<Order>,
    signals: &mut Signals,
    (bids, settled): (&mut Bids, Settled),
) -> Result<End, String> {
    let attending = Arc::clone(control);
    std::thread::Builder::new()
        .name("meridian-reload".to_owned())
        .spawn(move || attending.attend(&orders))
        .map_err(|fault| format!("cannot start threads: {fault}"))?;
    let sweeper = tokio::spawn(sweep(Arc::clone(control)));
    let saver = tokio::spawn(save_now_and_then(Arc::clone(control)));
    let watchdog = tokio::spawn(watchdog::feed(crew.turns.clone()));
    tokio::spawn(Arc::clone(control.trustee()).run(forgetting(control)));
    control.set_ready();
    manager::tell(&News::Ready(control.summary()));
    let bid = tokio::select! {
        () = signals.obey(control) => lame_duck(control, signals, bids).await,
        Some(bid) = bids.recv() => Some(bid),
    };
    [sweeper, saver].iter().for_each(tokio::task::JoinHandle::abort);
    manager::tell(&News::Stopping);
    let end = if let Some(bid) = bid {
        info!("another server takes over: answering what was asked");
        succession::step_down(control, doors, &crew.mailboxes, settled).await;
        drop::<Bid>(bid);
        End::Replaced
    } else {
        info!("stopping: answering what was asked");
        End::Asked
    };
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
    watchdog.abort();
    Ok(end)
}

/// Forgets what is remembered of a name and all below it.
fn forgetting(control: &Arc<Control>) -> Box<trust::Forget> {
    let control = Arc::clone(control);
    Box::new(move |name| {
        let control = Arc::clone(&control);
        tokio::spawn(async move {
            admin::AdminHouse::flush(&*control, name, true, None).await;
        })
    })
}

/// Answers on for a while once we are told to stop, as a lame duck: who sends queries here finds out by then that there are
/// others. Ends at once when we are told again, or when another server takes over.
async fn lame_duck(control: &Arc<Control>, signals: &mut Signals, bids: &mut Bids) -> Option<Bid> {
    let wait = control.lame_duck();
    if wait.is_zero() {
        return None;
    }
    control.unset_ready();
    info!("told to stop: not ready from now on, and answering for {} more", scalars::duration_text(wait));
    tokio::select! {
        () = tokio::time::sleep(wait) => None,
        () = signals.obey(control) => None,
        Some(bid) = bids.recv() => Some(bid),
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
    // What is saved is the running server's.
    let watched = &Config { state: None, ..config.clone() };
    kept.cluster = Clusters::default().follow(watched, (clock, runtime.handle()), &mut dice);
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
