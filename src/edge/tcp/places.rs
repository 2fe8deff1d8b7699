//! The places for TCP connections: how many there are, whose, and who gives way to whom.
//!
//! A connection *rests* while it is the client's turn: to ask, to end its message, to read its answers. It *works* while
//! we owe it answers. Where a place is wanted and none is left, the connection that has rested longest closes for the
//! newcomer, of the same network if that has its share already; who works is never disturbed. So whoever only holds
//! connections, however slowly it stirs, holds up nobody.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::reply::Outbox;
use crate::base::collections::{Map, keyed};
use crate::base::patience::Patience;
use crate::base::tally::{Event, Tally};
use crate::base::{Dice, Network, bounds};

/// Of `wanted` connections those for which half of the `descriptors` that the process may open are enough: clients who
/// only hold connections must not keep the others' questions from going upstream.
#[must_use]
pub fn connections_within(descriptors: u64, wanted: usize) -> usize {
    wanted.min(usize::try_from(descriptors / 2).unwrap_or(usize::MAX))
}

/// How much clients get of our connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcpSettings {
    /// Connections at a time.
    pub connections: usize,
    /// Queries answered at a time on one of them; at least 1.
    pub in_flight: usize,
    /// How long one is kept without a query, while places are plentiful.
    pub idle: Duration,
}

/// What all TCP listeners share.
#[derive(Debug)]
pub struct TcpPlaces {
    settings: TcpSettings,
    /// What of them one client network may take.
    share: usize,
    /// Where clients are told from how long a connection is kept.
    patience: Arc<Patience>,
    tally: Arc<Tally>,
    taken: AtomicUsize,
    is_closed: AtomicBool,
    book: Mutex<Book>,
    emptied: Notify,
}

/// Connections are numbered anew whenever they come to rest, so the least number has rested longest.
#[derive(Debug)]
struct Book {
    by_network: Map<Network, Neighbours>,
    resting: BTreeMap<u64, Network>,
    last: u64,
}

#[derive(Debug, Default)]
struct Neighbours {
    taken: usize,
    resting: BTreeMap<u64, Arc<Outbox>>,
}

impl Book {
    fn rest(&mut self, network: Network, outbox: &Arc<Outbox>) -> u64 {
        self.last += 1;
        self.resting.insert(self.last, network);
        self.by_network.entry(network).or_default().resting.insert(self.last, Arc::clone(outbox));
        self.last
    }

    /// Whether it was still there: if not, its place is somebody else's.
    fn rouse(&mut self, network: Network, number: u64) -> bool {
        if let Some(neighbours) = self.by_network.get_mut(&network) {
            neighbours.resting.remove(&number);
        }
        self.resting.remove(&number).is_some()
    }

    fn leave(&mut self, network: Network) {
        if let Some(neighbours) = self.by_network.get_mut(&network) {
            neighbours.taken -= 1;
            if neighbours.taken == 0 {
                self.by_network.remove(&network);
            }
        }
    }

    /// Takes its place from the connection that has rested longest, of `network` or of all.
    fn make_way(&mut self, network: Option<Network>) -> Option<Arc<Outbox>> {
        let (number, network) = match network {
            Some(network) => (*self.by_network.get(&network)?.resting.first_key_value()?.0, network),
            None => self.resting.first_key_value().map(|(number, network)| (*number, *network))?,
        };
        self.resting.remove(&number);
        let outbox = self.by_network.get_mut(&network)?.resting.remove(&number);
        self.leave(network);
        outbox
    }
}

impl TcpPlaces {
    /// Places as `settings` say. `patience` is told how long connections are kept, `tally`, which nobody else may
    /// count in by [`Tally::count`], what happens.
    #[must_use]
    pub fn new(settings: TcpSettings, patience: Arc<Patience>, tally: Arc<Tally>, dice: &mut Dice) -> Arc<Self> {
        let share = (settings.connections / bounds::TCP_SHARE_OF_PLACES).max(bounds::TCP_SHARE_FLOOR);
        let by_network = Map::with_hasher(keyed(dice));
        let places = Self {
            settings: TcpSettings { in_flight: settings.in_flight.max(1), ..settings },
            share,
            patience,
            tally,
            taken: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
            book: Mutex::new(Book { by_network, resting: BTreeMap::new(), last: 0 }),
            emptied: Notify::new(),
        };
        places.changed(0);
        Arc::new(places)
    }

    /// Connections open.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// How long an idle connection is kept: the less, the fewer places are left (RFC 9210 §4.3).
    #[must_use]
    pub fn idle(&self) -> Duration {
        let TcpSettings { connections, idle, .. } = self.settings;
        let free = connections.saturating_sub(self.taken());
        let share = free as f64 / connections.max(1) as f64;
        idle.mul_f64((2.0 * share).min(1.0)).max(bounds::TCP_IDLE_FLOOR.min(idle))
    }

    pub(super) const fn in_flight_max(&self) -> usize {
        self.settings.in_flight
    }

    /// Whether no more queries are taken.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, event: Event, times: u64) {
        self.tally.add_among(event, times);
    }

    /// A place for a connection of `client`, which rests until it is told to [`TcpPlace::work`].
    pub(super) fn take(self: &Arc<Self>, client: IpAddr, outbox: &Arc<Outbox>) -> Option<TcpPlace> {
        let client = client.to_canonical();
        let network = Network::of_client(client);
        let mut book = self.book();
        if self.is_closed() {
            return None;
        }
        let there = book.by_network.get(&network).map_or(0, |neighbours| neighbours.taken);
        let mut taken = self.taken();
        let yielding = if there >= self.share {
            Some(book.make_way(Some(network)))
        } else if taken >= self.settings.connections {
            Some(book.make_way(None))
        } else {
            None
        };
        match yielding {
            Some(None) => {
                self.count(Event::TcpRefused, 1);
                return None;
            }
            Some(Some(resting)) => {
                self.count(Event::TcpYielded, 1);
                resting.dismiss();
            }
            None => taken += 1,
        }
        book.by_network.entry(network).or_default().taken += 1;
        let number = book.rest(network, outbox);
        self.changed(taken);
        self.count(Event::TcpAccepted, 1);
        Some(TcpPlace { places: Arc::clone(self), outbox: Arc::clone(outbox), network, resting: Some(number) })
    }

    /// Takes no more connections, and no more queries than have come: who rests closes now, the others when their
    /// answers are out.
    pub(super) fn close(&self) {
        let book = self.book();
        self.is_closed.store(true, Ordering::Relaxed);
        self.changed(self.taken());
        for outbox in book.by_network.values().flat_map(|neighbours| neighbours.resting.values()) {
            outbox.wake();
        }
    }

    /// Waits until no place is taken.
    pub(super) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            if self.taken() == 0 {
                return;
            }
            emptied.await;
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many places are taken now. Where none is left, or we stop, clients are told that they had better close
    /// (RFC 7828 §3.3.2).
    fn changed(&self, taken: usize) {
        self.taken.store(taken, Ordering::Relaxed);
        let is_full = taken >= self.settings.connections;
        self.patience.tell(if is_full || self.is_closed() { Duration::ZERO } else { self.idle() });
        if taken == 0 {
            self.emptied.notify_waiters();
        }
    }
}

/// One connection's place, given back when dropped.
#[derive(Debug)]
pub(super) struct TcpPlace {
    places: Arc<TcpPlaces>,
    outbox: Arc<Outbox>,
    network: Network,
    /// Its number while it rests.
    resting: Option<u64>,
}

impl TcpPlace {
    pub(super) fn places(&self) -> &TcpPlaces {
        &self.places
    }

    pub(super) const fn is_resting(&self) -> bool {
        self.resting.is_some()
    }

    /// We owe the client something from now on. False if somebody else has the place already.
    pub(super) fn work(&mut self) -> bool {
        let Some(number) = self.resting else { return true };
        if !self.places.book().rouse(self.network, number) {
            return false;
        }
        self.resting = None;
        true
    }

    /// It is the client's turn from now on.
    pub(super) fn rest(&mut self) {
        if !self.work() {
            return;
        }
        let mut book = self.places.book();
        self.resting = Some(book.rest(self.network, &self.outbox));
        if self.places.is_closed() {
            self.outbox.wake();
        }
    }
}

impl Drop for TcpPlace {
    fn drop(&mut self) {
        self.outbox.abandon();
        let mut book = self.places.book();
        if self.resting.is_none_or(|number| book.rouse(self.network, number)) {
            book.leave(self.network);
            self.places.changed(self.places.taken() - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::places_for;
    use super::*;

    #[test]
    fn a_network_gets_its_share_and_makes_way_for_itself_alone() {
        let (places, _, tally) = places_for(1_000, 8);
        let take = |address: &str| {
            let outbox = Arc::new(Outbox::default());
            let place = places.take(address.parse().unwrap(), &outbox);
            place.map(|place| (place, outbox))
        };
        let stranger = take("192.0.2.1").unwrap();
        let mut crowd: Vec<_> = (0..100).map(|host| take(&format!("::ffff:198.51.100.{host}")).unwrap()).collect();
        assert_eq!(places.taken(), 101);
        // The first one works, so the second makes way.
        assert!(crowd[0].0.work());
        crowd.push(take("198.51.100.200").unwrap());
        assert_eq!((places.taken(), tally.read(Event::TcpYielded)), (101, 1));
        assert!(!crowd[1].0.work(), "its place is given away");
        drop(crowd.remove(1));
        assert_eq!(places.taken(), 101);
        for (place, _) in &mut crowd {
            assert!(place.work());
        }
        assert!(take("198.51.100.201").is_none());
        assert_eq!(tally.read(Event::TcpRefused), 1);
        assert!(take("198.51.101.1").is_some());
        let sixes: Vec<_> = (0..150).filter_map(|host| take(&format!("2001:db8:0:{host:x}::1"))).collect();
        assert_eq!((sixes.len(), places.taken()), (150, 201), "a /56 has its share too");
        drop((crowd, sixes));
        assert_eq!(places.taken(), 1);
        drop(stranger);
        assert_eq!(places.taken(), 0);
    }

    #[test]
    fn patience_shrinks_as_places_fill() {
        let (places, patience, _) = places_for(10, 8);
        assert_eq!((places.idle(), patience.read()), (bounds::TCP_IDLE, bounds::TCP_IDLE));
        let take = |host: u8| places.take(IpAddr::from([192, 0, 2, host]), &Arc::default()).unwrap();
        let mut held: Vec<_> = (0..8).map(take).collect();
        assert_eq!(places.idle(), bounds::TCP_IDLE * 2 / 5);
        assert_eq!(patience.read(), places.idle());
        held.extend((8..10).map(take));
        assert_eq!(places.idle(), bounds::TCP_IDLE_FLOOR);
        // Who asks now had better not stay.
        assert_eq!(patience.read(), Duration::ZERO);
        drop(held);
        assert_eq!((places.taken(), patience.read()), (0, bounds::TCP_IDLE));
    }

    #[test]
    fn connections_take_half_of_the_descriptors_at_most() {
        assert_eq!(connections_within(64, bounds::TCP_CONNECTIONS_MAX), 32);
        assert_eq!(connections_within(1 << 20, bounds::TCP_CONNECTIONS_MAX), bounds::TCP_CONNECTIONS_MAX);
    }
}
