//! The doors: every address at which the server is reached, opened and closed while it serves.
//!
//! A door has a number, a UDP socket at every worker and a TCP listener on the runtime. New doors are opened before old
//! ones are closed, and one that cannot be opened opens none. A door that closes takes no new connections at once; its
//! datagrams are answered for a while yet, so that what is under way comes to its end, and its connections stay.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tracing::{info, warn};

use super::hatches::{Ajar, HatchMoves, Hatches};
use crate::app::config::{Config, Fault, Listen, Severity, Source};
use crate::base::{Clock, Instant, bounds};
use crate::edge::admin::{AdminHouse, Metrics};
use crate::edge::clock::MachineClock;
use crate::edge::listen::{self, BindFault, Bound, Given};
use crate::edge::mailbox::{Letter, Mailbox};
use crate::edge::manager;
use crate::edge::tcp::{self, TcpPlaces};

/// The workers look at closing doors about every second.
const CLOSING_SLACK: Duration = Duration::from_secs(2);

/// What a server answers by; one metric writer for each admin server.
pub type MetricsOf = Box<dyn Fn() -> Metrics + Send + Sync>;

/// The doors of a running server.
pub struct Doors {
    clock: MachineClock,
    runtime: Handle,
    workers: Vec<Mailbox>,
    next: Arc<AtomicUsize>,
    places: Arc<TcpPlaces>,
    hatches: Hatches,
    stop: watch::Sender<bool>,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    doors: Vec<Door>,
    streams: JoinSet<()>,
    last: usize,
}

struct Door {
    number: usize,
    /// As the configuration has it; the port may be 0.
    wanted: SocketAddr,
    address: SocketAddr,
    stream: AbortHandle,
    /// Its sockets once more, for a successor, as long as it stays open.
    spare: Vec<OwnedFd>,
    /// When it is closed, if it is to be.
    leaves: Option<Instant>,
}

/// An address that was bound for the first time: what is wanted, and what it became.
#[derive(Debug)]
pub struct Opened {
    wanted: SocketAddr,
    bound: Bound,
    spare: Vec<OwnedFd>,
}

impl Opened {
    /// The UDP sockets, one a worker, with the number of their door.
    pub fn take_udp(&mut self) -> Vec<listen::Listener> {
        std::mem::take(&mut self.bound.udp)
    }
}

/// What a configuration changes of the doors, ready to be done.
#[derive(Default)]
pub struct Moves {
    new: Vec<Opened>,
    /// Closing doors that stay after all, with a new TCP listener.
    back: Vec<(usize, TcpListener)>,
    gone: Vec<usize>,
    admin: HatchMoves,
}

impl Moves {
    /// Whether nothing moves.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        let has_moves = !self.new.is_empty() || !self.back.is_empty() || !self.gone.is_empty();
        !has_moves && self.admin.is_nothing()
    }
}

/// Binds all of `config`, at the start, with what is `given` of it.
///
/// # Errors
/// In words, naming the address.
pub fn bind(config: &Config, given: &mut Given) -> Result<Vec<Opened>, String> {
    let mut opened = Vec::new();
    for (number, Listen { address, .. }) in config.listen.iter().enumerate() {
        let bound = bind_one(*address, config.workers, Beside::Nothing(given)).map_err(|fault| fault.to_string())?;
        opened.extend(bound.map(|bound| numbered(*address, bound, number)));
    }
    if opened.is_empty() { Err("no address to listen on".into()) } else { Ok(opened) }
}

fn numbered(wanted: SocketAddr, mut bound: Bound, number: usize) -> Opened {
    bound.udp.iter_mut().for_each(|listener| listener.door = number);
    // Without them, a successor cannot take the door over; serving goes on.
    let spare = bound.duplicate().unwrap_or_default();
    Opened { wanted, bound, spare }
}

/// What there may be already where an address is bound.
enum Beside<'g> {
    /// Sockets of ours, which go on being served.
    Ours,
    /// Nothing but what is given, which is taken.
    Nothing(&'g mut Given),
}

/// Binds one address; none where a machine without IPv6 is to serve IPv6's loopback address, or all of its addresses, as
/// configurations for any machine want.
fn bind_one(address: SocketAddr, workers: usize, beside: Beside<'_>) -> Result<Option<Bound>, BindFault> {
    let bound = match beside {
        Beside::Ours => listen::bind_beside(address, workers),
        Beside::Nothing(given) => listen::bind(address, workers, given),
    };
    match bound {
        Ok(bound) => Ok(Some(bound)),
        Err(fault) if address.is_ipv6() && is_common(address.ip()) && fault.is_without_family() => {
            warn!("{fault}; not listening there");
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

/// Whether every machine of the address's family has it.
const fn is_common(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}

/// Whether a socket at the one address would be in the way of one at the other.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let any = |address: IpAddr| address.is_unspecified();
    one.port() == other.port()
        && one.is_ipv4() == other.is_ipv4()
        && (one.ip() == other.ip() || any(one.ip()) || any(other.ip()))
}

impl Doors {
    /// The doors of `workers`, with no one open yet.
    #[must_use]
    pub fn new(
        (clock, runtime): (MachineClock, Handle),
        workers: Vec<Mailbox>,
        places: Arc<TcpPlaces>,
        metrics: MetricsOf,
    ) -> Self {
        let stop = watch::Sender::new(false);
        let next = Arc::default();
        let hatches = Hatches::new(runtime.clone(), metrics);
        Self { clock, runtime, workers, next, places, hatches, stop, book: Mutex::default() }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens those bound at the start, whose UDP sockets the workers have already, and the admin address.
    ///
    /// # Errors
    /// In words, where a listener is refused.
    pub fn begin(
        &self,
        (opened, are_kept): (Vec<Opened>, bool),
        config: &Config,
        admin: Ajar,
        house: &Arc<dyn AdminHouse>,
    ) -> Result<(), String> {
        let mut book = self.book();
        for (number, Opened { wanted, bound, spare }) in opened.into_iter().enumerate() {
            info!("listening on {} (UDP, TCP)", bound.address);
            let number = bound.udp.first().map_or(number, |listener| listener.door);
            let stream = self.accept(&mut book.streams, bound.tcp);
            if !are_kept {
                manager::keep(bound.address, &spare);
            }
            book.doors.push(Door { number, wanted, address: bound.address, stream, spare, leaves: None });
            book.last = book.last.max(number);
        }
        drop(book);
        self.hatches.begin(config, admin, house)
    }

    /// Gets ready what `config`, which was read from `source`, changes of the doors. Where `is_rehearsal`, nothing is bound
    /// that would take queries from an open door.
    ///
    /// # Errors
    /// Every address that cannot be bound, and a token that cannot be read; nothing is bound then.
    pub fn prepare(&self, config: &Config, source: &Source, is_rehearsal: bool) -> Result<Moves, Vec<Fault>> {
        let now = self.clock.now();
        let mut book = self.book();
        let is_known = |door: &Door| door.leaves.is_none_or(|at| now < at + CLOSING_SLACK);
        book.doors.retain(is_known);
        let workers = self.workers.len();
        let mut none = Given::default();
        let (mut moves, mut faults, mut kept) = (Moves::default(), Vec::new(), Vec::new());
        let fault_at = |key: &[&str], fault: String| Fault {
            severity: Severity::Fault,
            file: source.file().to_owned(),
            at: source.place(key),
            key: key.first().map_or_else(String::new, |first| (*first).to_owned()),
            found: fault,
            allowed: "an address that this machine lets us bind".into(),
        };
        for (at, Listen { address, .. }) in config.listen.iter().enumerate() {
            let same = |door: &&Door| door.wanted == *address && !kept.contains(&door.number);
            if let Some(door) = book.doors.iter().filter(same).find(|door| door.leaves.is_none()) {
                kept.push(door.number);
                continue;
            }
            let at = at.to_string();
            let fault = |fault: BindFault| fault_at(&["listen", at.as_str()], fault.to_string());
            let is_back = |door: &&Door| door.leaves.is_some_and(|at| now + CLOSING_SLACK < at);
            if let Some(door) = book.doors.iter().filter(same).find(is_back) {
                kept.push(door.number);
                match listen::bind_tcp_beside(door.address) {
                    Ok(tcp) => moves.back.push((door.number, tcp)),
                    Err(cause) => faults.push(fault(cause)),
                }
                continue;
            }
            let is_beside = book.doors.iter().any(|door| overlap(door.address, *address));
            if is_beside && is_rehearsal {
                continue;
            }
            let beside = if is_beside { Beside::Ours } else { Beside::Nothing(&mut none) };
            match bind_one(*address, workers, beside) {
                Ok(Some(bound)) => moves.new.push(Opened { wanted: *address, bound, spare: Vec::new() }),
                Ok(None) => {}
                Err(cause) => faults.push(fault(cause)),
            }
        }
        let closing = book.doors.iter().filter(|door| door.leaves.is_none() && !kept.contains(&door.number));
        moves.gone = closing.map(|door| door.number).collect();
        match self.hatches.prepare(config, source) {
            Ok(admin) => moves.admin = admin,
            Err(mut found) => faults.append(&mut found),
        }
        if faults.is_empty() { Ok(moves) } else { Err(faults) }
    }

    /// Opens what is new, then closes what is old.
    pub fn carry_out(&self, moves: Moves, house: &Arc<dyn AdminHouse>) {
        let leaves = self.clock.now() + bounds::DRAIN;
        let mut book = self.book();
        for Opened { wanted, bound, .. } in moves.new {
            book.last += 1;
            let number = book.last;
            let Opened { bound, spare, .. } = numbered(wanted, bound, number);
            manager::keep(bound.address, &spare);
            info!("listening on {} (UDP, TCP)", bound.address);
            for (worker, listener) in self.workers.iter().zip(bound.udp) {
                worker.post(Letter::Open(Box::new(listener))).ok(); // an order is never refused
            }
            let stream = self.accept(&mut book.streams, bound.tcp);
            book.doors.push(Door { number, wanted, address: bound.address, stream, spare, leaves: None });
        }
        for (number, tcp) in moves.back {
            let stream = self.accept(&mut book.streams, tcp);
            self.tell(number, None);
            if let Some(door) = book.doors.iter_mut().find(|door| door.number == number) {
                (door.stream, door.leaves) = (stream, None);
                info!("listening on {} (UDP, TCP) after all", door.address);
            }
        }
        for number in moves.gone {
            self.tell(number, Some(leaves));
            if let Some(door) = book.doors.iter_mut().find(|door| door.number == number) {
                door.stream.abort();
                door.leaves = Some(leaves);
                // A socket that is open anywhere would get queries that nobody reads.
                door.spare.clear();
                manager::forget(door.address);
                info!("no longer listening on {}", door.address);
            }
        }
        while book.streams.try_join_next().is_some() {}
        drop(book);
        self.hatches.carry_out(moves.admin, house);
    }

    /// Wakes every worker, so that those who sleep look at what has changed.
    pub fn wake(&self) {
        for worker in &self.workers {
            worker.post(Letter::Look).ok(); // an order is never refused
        }
    }

    /// Tells every worker when a door is closed.
    fn tell(&self, door: usize, at: Option<Instant>) {
        for worker in &self.workers {
            worker.post(Letter::Leave { door, at }).ok(); // an order is never refused
        }
    }

    /// Takes the connections of `listener` from now on.
    fn accept(&self, streams: &mut JoinSet<()>, listener: TcpListener) -> AbortHandle {
        let (workers, next) = (self.workers.clone(), Arc::clone(&self.next));
        // What comes together stays together: one worker is woken, and answers together.
        let submit = move |letters: Vec<Letter>| {
            let turn = next.fetch_add(1, Ordering::Relaxed) % workers.len().max(1);
            workers.get(turn).map_or(letters.len(), |mailbox| mailbox.post_all(letters))
        };
        let (places, stop) = (Arc::clone(&self.places), self.stop.subscribe());
        let serve = async move {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => tcp::serve(listener, places, submit, stop).await,
                Err(fault) => warn!("cannot accept connections: {fault}"),
            }
        };
        streams.spawn_on(serve, &self.runtime)
    }

    /// All sockets of open doors once more.
    ///
    /// # Errors
    /// The system's, where it has no descriptor left.
    pub fn sockets(&self) -> io::Result<Vec<OwnedFd>> {
        let book = self.book();
        let open = book.doors.iter().filter(|door| door.leaves.is_none());
        let mut sockets: Vec<OwnedFd> =
            open.flat_map(|door| door.spare.iter().map(OwnedFd::try_clone)).collect::<io::Result<_>>()?;
        sockets.extend(self.hatches.sockets()?);
        Ok(sockets)
    }

    /// Takes no more connections and commands.
    pub fn shut(&self) {
        self.stop.send_replace(true);
        self.hatches.shut();
    }

    /// Waits for the commands that are under way, once no more are taken.
    pub async fn await_commands(&self) {
        self.hatches.await_commands().await;
    }

    /// Takes no more connections and no more queries of those there are; returns when the last has its answers, or after
    /// [`bounds::DRAIN`]. Whoever has been given the sockets holds them alone then.
    pub async fn close(&self) {
        self.shut();
        let Book { mut streams, .. } = std::mem::take(&mut *self.book());
        let end = async { while streams.join_next().await.is_some() {} };
        tokio::time::timeout(bounds::DRAIN, end).await.ok();
    }
}
