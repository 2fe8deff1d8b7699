//! `meridian serve`: from a configuration to a running server, and back to rest.

pub mod alias;
pub mod control;
pub mod current;
pub mod desk;
mod digest;
pub mod explain;
pub mod files;
pub mod log;
pub mod lookout;
pub mod places;
mod signals;
pub mod station;
pub mod succession;
pub mod threshold;
pub mod transfer;
pub mod updates;
pub mod watchdog;
pub mod zones;

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tracing::{error, info, warn};

use self::control::{Control, Held};
use self::current::Current;
use self::desk::{Clerk, Clerks};
use self::lookout::Lookout;
use self::places::Places;
use self::signals::Signals;
use self::station::{Station, Surroundings};
use self::succession::{Bid, Bids, Settled};
use self::threshold::Threshold;
use self::transfer::Transfers;
use self::updates::Updates;
use self::zones::{Keeper, Steward};
use super::build::{self, Kept};
use super::config::{Config, TcpLimits};
use super::steered;
use super::zone_files::{Library, Reading};
use crate::base::bounds;
use crate::base::collections::keyed;
use crate::base::patience::Patience;
use crate::base::tally::{Event, Tally};
use crate::base::{Clock, Dice};
use crate::dns::{Name, RecordType};
use crate::edge::admin::{self, Gauge, Metrics, Token};
use crate::edge::clock::{MachineClock, wall_seconds};
use crate::edge::files::read_octets;
use crate::edge::listen::Bound;
use crate::edge::mailbox::{Letter, Mailbox};
use crate::edge::manager::{self, News};
use crate::edge::seed;
use crate::edge::tcp::{self, TcpPlaces, TcpSettings};
use crate::edge::upstream_tcp::UpstreamTcp;

/// Entries of the cache that one step of a sweep looks at. Steps are small and frequent, so that none of them keeps
/// a query waiting where there is one core only.
const SWEEP_STEP: usize = 200;
/// How often a step is taken during a sweep.
const SWEEP_TICK: std::time::Duration = std::time::Duration::from_millis(10);
/// The pause between two sweeps.
const SWEEP_REST: std::time::Duration = std::time::Duration::from_secs(5);

/// Serves `config`, which came from `path` or is built in, and the `zones` read for it, by what was opened on the
/// `threshold`, until TERM or INT, or until another server takes over.
///
/// # Errors
/// In words, where serving cannot begin.
pub fn serve(config: &Config, zones: Reading, path: Option<&Path>, threshold: Threshold) -> Result<(), String> {
    let clock = MachineClock::new();
    let mut dice = seed::dice().map_err(|fault| format!("the system gives no randomness: {fault}"))?;
    let runtime = start_runtime(config.workers.clamp(1, 4))?;
    let signals = {
        let _within = runtime.enter();
        Signals::hook()?
    };
    let files = files::read(config)?;
    let watched = files.fingerprints;
    let mut kept = Kept::nothing(&mut dice);
    let now = clock.now();
    let scene = Arc::clone(kept.authority.helm().scene());
    scene.set_calendar(wall_seconds(), now);
    let helm = steered::helm(&config.steering, &kept.authority.helm())?;
    let mut places = Places::default();
    let found = places.read(&config.steering, &helm)?;
    {
        let _within = runtime.enter();
        let authority = Arc::clone(&kept.authority);
        places.settle(found, &scene, move || steered::compile(&authority.helm()));
    }
    steered::compile(&helm);
    kept.authority.take_helm(helm);
    let lookout = look_around(config, &kept, &runtime, clock, &mut dice);
    let Threshold { bound, admin, spare, predecessor, descriptors } = threshold;
    let now = clock.now();
    // The forwarders' sockets belong to the runtime.
    let built =
        runtime.block_on(async { build::build(config, files.files, &mut kept, files::move_cache(now), &mut dice) });
    if let (Some(state), Some(cache)) = (&config.state, &built.cache) {
        files::load_snapshot(state, cache, now);
    }
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
    control::tell(&zones.fresh);
    keeper.configure(&config.zones, &config.keys, zones.fresh);
    let (slot, errands) = desk::desk();
    let mut surroundings = surround(clock, &runtime, Arc::clone(&current), &mut dice);
    surroundings.desk = Some(slot);
    alias::start(&surroundings, &keeper, &kept.authority, &mut dice);
    let patience = Arc::clone(&kept.patience);
    let crew = man_stations(config, bound, descriptors, &surroundings, patience, &mut dice)
        .map_err(|fault| format!("cannot start a worker: {fault}"))?;
    let control = Arc::new(Control::new(
        path,
        Held { config: config.clone(), built, kept, watched, places },
        (keeper, zones.library),
        (surroundings, lookout),
        crew.tallies.clone(),
    ));
    // Who answers transfers and updates; both change zones through the keeper.
    let transfers = {
        let _within = runtime.enter();
        Transfers::start(config, control.keeper(), clock, &mut dice)
    };
    let clerks =
        Clerks { transfers: Arc::clone(&transfers) as Arc<dyn Clerk>, updates: Arc::clone(&updates) as Arc<dyn Clerk> };
    runtime.spawn(desk::attend(errands, clerks));
    let settled = Settled { lookout: Arc::clone(control.lookout()), transfers, updates };
    let bids = succession::attend(offer, spare, &control);
    let end = runtime.block_on(live(config, &control, crew, admin, signals, (bids, settled)))?;
    if matches!(end, End::Asked) {
        control.save();
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
    tcp: Vec<std::net::TcpListener>,
    tcp_places: Arc<TcpPlaces>,
}

fn man_stations(
    config: &Config,
    bound: Vec<Bound>,
    descriptors: u64,
    surroundings: &Surroundings,
    patience: Arc<Patience>,
    dice: &mut Dice,
) -> io::Result<Crew> {
    let mut listeners: Vec<Vec<_>> = (0..config.workers).map(|_| Vec::new()).collect();
    let mut tcp = Vec::new();
    for one in bound {
        // Taken over, they may be more than there are workers.
        for (at, listener) in one.udp.into_iter().enumerate() {
            if let Some(own) = listeners.get_mut(at % config.workers) {
                own.push(listener);
            }
        }
        tcp.push(one.tcp);
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
    Ok(Crew { threads, mailboxes, turns, tallies, tcp, tcp_places })
}

/// Everything that the runtime does while the stations serve; returns once they have ended.
async fn live(
    config: &Config,
    control: &Arc<Control>,
    crew: Crew,
    admin_listener: Option<std::net::TcpListener>,
    signals: Signals,
    (mut bids, settled): (Bids, Settled),
) -> Result<End, String> {
    let (stop, stopped) = watch::channel(false);
    let mut streams = tokio::task::JoinSet::new();
    let (next, mailboxes) = (Arc::new(AtomicUsize::new(0)), Arc::<[Mailbox]>::from(crew.mailboxes.clone()));
    for listener in crew.tcp {
        let listener =
            TcpListener::from_std(listener).map_err(|fault| format!("cannot accept connections: {fault}"))?;
        let (mailboxes, next) = (Arc::clone(&mailboxes), Arc::clone(&next));
        // What comes together stays together: one worker is woken, and answers together.
        let submit = move |letters: Vec<Letter>| {
            let turn = next.fetch_add(1, Ordering::Relaxed) % mailboxes.len().max(1);
            mailboxes.get(turn).map_or(letters.len(), |mailbox| mailbox.post_all(letters))
        };
        streams.spawn(tcp::serve(listener, Arc::clone(&crew.tcp_places), submit, stopped.clone()));
    }
    let mut commands = tokio::task::JoinSet::new();
    if let (Some(admin), Some(listener)) = (&config.admin, admin_listener) {
        let listener = TcpListener::from_std(listener).map_err(|fault| format!("cannot take commands: {fault}"))?;
        let metrics = Metrics::new(crew.tallies.clone(), gauges(control, &crew.tcp_places));
        let house = Arc::clone(control) as Arc<dyn admin::AdminHouse>;
        let token = admin.token_file.as_deref().map(token).transpose()?;
        commands.spawn(admin::serve(listener, house, metrics, token, stopped.clone()));
    }
    let watch = tokio::spawn(Arc::clone(control).watch_hosts());
    let sweeper = tokio::spawn(sweep(Arc::clone(control)));
    let looker = tokio::spawn(look_at_zones(Arc::clone(control)));
    let saver = tokio::spawn(save_now_and_then(Arc::clone(control)));
    let watchdog = tokio::spawn(watchdog::feed(crew.turns.clone()));
    control.set_ready();
    manager::tell(&News::Ready(control.summary()));
    let bid = tokio::select! {
        () = signals.obey(control) => None,
        Some(bid) = bids.recv() => Some(bid),
    };
    [watch, sweeper, looker, saver].iter().for_each(tokio::task::JoinHandle::abort);
    manager::tell(&News::Stopping);
    let end = if let Some(bid) = bid {
        info!("another server takes over: answering what was asked");
        succession::step_down(control, &crew.mailboxes, &stop, commands, settled).await;
        drop::<Bid>(bid);
        End::Replaced
    } else {
        info!("stopping: answering what was asked");
        stop.send(true).ok();
        End::Asked
    };
    // Connections first: their last queries need the stations.
    let streams_end = async { while streams.join_next().await.is_some() {} };
    tokio::time::timeout(crate::base::bounds::DRAIN, streams_end).await.ok();
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

/// Notices changed zone files, for ever.
async fn look_at_zones(control: Arc<Control>) {
    loop {
        tokio::time::sleep(bounds::FILE_POLL).await;
        let control = Arc::clone(&control);
        tokio::task::spawn_blocking(move || control.look_at_zones()).await.ok();
    }
}

fn gauges(control: &Arc<Control>, places: &Arc<TcpPlaces>) -> Vec<Gauge> {
    let gauge = |name, help, read: Box<dyn Fn() -> f64 + Send + Sync>| Gauge { name, help, read };
    let (entries, bytes, places, clock) =
        (Arc::clone(control), Arc::clone(control), Arc::clone(places), Arc::clone(control));
    vec![
        gauge(
            "cache_entries",
            "Facts in the cache.",
            Box::new(move || entries.cache().map_or(0.0, |cache| cache.len() as f64)),
        ),
        gauge(
            "cache_bytes",
            "Octets that the cache takes.",
            Box::new(move || bytes.cache().map_or(0.0, |cache| cache.bytes() as f64)),
        ),
        gauge("tcp_connections", "Open TCP connections of clients.", Box::new(move || places.taken() as f64)),
        gauge("uptime_seconds", "Seconds since the start.", Box::new(move || clock.now().seconds() as f64)),
    ]
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
    let mut dice = seed::dice().map_err(|fault| fault.to_string())?;
    let runtime = start_runtime(1)?;
    let files = files::read(config)?.files;
    let mut kept = Kept::nothing(&mut dice);
    let helm = steered::helm(&config.steering, &kept.authority.helm())?;
    let mut places = Places::default();
    let found = places.read(&config.steering, &helm)?;
    {
        let _within = runtime.enter();
        places.settle(found, helm.scene(), || {});
    }
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

/// The token of the admin address.
fn token(path: &Path) -> Result<Token, String> {
    let (octets, _) =
        read_octets(path, bounds::TEXT_FILE_MAX).map_err(|fault| format!("{}: {fault}", path.display()))?;
    let wanted = format!("a token of {} to {} visible ASCII letters", Token::OCTETS_MIN, Token::OCTETS_MAX);
    Token::parse(&octets).ok_or_else(|| format!("{}: found something else, allowed: {wanted}", path.display()))
}
