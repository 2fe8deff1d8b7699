//! One worker's sockets for upstream queries over UDP.
//!
//! What comes in: a query and the server that it is for. What leaves: the response, or what ICMP said, under the
//! exchange's number. A socket serves one exchange at a time and is connected to its server for as long as it lives,
//! idle or not, so that to everybody else its port looks closed (RFC 5452 §9.2; side channels as in SAD DNS).
//!
//! Ports are drawn by the dice from 1024 to 65535. An idle socket is used again, which spares most of the system calls,
//! but only for the server that it is connected to: no other server has seen its port, so one that lures us into
//! asking it learns nothing of the ports used for anybody else. One of
//! [`bounds::UPSTREAM_SOCKETS_PER_SERVER`] ports is drawn for each query, counting those that are not open yet, so a
//! server seldom asked always gets a fresh one; after [`bounds::UPSTREAM_SOCKET_USES`] queries a port is given up.
#![forbid(unsafe_code)]

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::base::collections::{Keyed, Map, keyed};
use crate::base::{Dice, bounds};

/// Tries to find a port that nobody has.
const PORT_TRIES: u32 = 64;
/// Datagrams that an idle socket may receive before it is closed.
const IDLE_DATAGRAMS: u32 = 8;
/// Sockets looked at for one that is long unused.
const EVICTION_SAMPLE: usize = 16;
/// Sockets looked at in one [`UpstreamSockets::tidy`].
const TIDY_STEP: usize = 256;
/// Calls of [`UpstreamSockets::tidy`] after which an unused socket is closed.
const TIDY_AGE: u32 = 30;

#[derive(Debug)]
struct Place {
    socket: UdpSocket,
    server: SocketAddr,
    /// The exchange that the socket serves; none while it is idle.
    exchange: Option<u64>,
    uses: u16,
    /// Whether the exchange read something: once it is released, its event needs no more reading.
    was_read: bool,
    /// The count of [`UpstreamSockets::tidy`] at the last use.
    used_at: u32,
}

/// The upstream sockets of one worker, both families.
#[derive(Debug)]
pub struct UpstreamSockets {
    first_token: usize,
    places: Vec<Option<Place>>,
    vacant: Vec<usize>,
    /// Idle sockets by the server that they are connected to; never an empty list.
    idle: Map<SocketAddr, Vec<usize>>,
    idle_count: usize,
    exchanges: Map<u64, usize>,
    open: [usize; 2],
    /// Where the search for long unused sockets goes on.
    hand: usize,
    tidied: u32,
}

impl UpstreamSockets {
    /// Tokens that the sockets take, from the first one on.
    pub const TOKENS: usize = 2 * bounds::UPSTREAM_SOCKETS_MAX;

    /// No sockets yet. Theirs are the [`UpstreamSockets::TOKENS`] tokens from `first_token` on.
    #[must_use]
    pub fn new(first_token: usize, dice: &mut Dice) -> Self {
        let hasher: Keyed = keyed(dice);
        Self {
            first_token,
            places: Vec::new(),
            vacant: Vec::new(),
            idle: Map::with_hasher(hasher.clone()),
            idle_count: 0,
            exchanges: Map::with_hasher(hasher),
            open: [0; 2],
            hand: 0,
            tidied: 0,
        }
    }

    /// Whether an event with this token is for these sockets.
    #[must_use]
    pub const fn owns(&self, token: Token) -> bool {
        token.0 >= self.first_token && token.0 - self.first_token < Self::TOKENS
    }

    /// Sockets open, and how many of them serve an exchange.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.open.iter().sum(), self.exchanges.len())
    }

    /// Sends `bytes` to `server` for `exchange`, whose number must be its own.
    ///
    /// # Errors
    /// `QuotaExceeded` where [`bounds::UPSTREAM_SOCKETS_MAX`] exchanges of the server's family are under way; else
    /// the system's. After an error the exchange holds no socket.
    pub fn send(
        &mut self,
        registry: &Registry,
        exchange: u64,
        server: SocketAddr,
        bytes: &[u8],
        dice: &mut Dice,
    ) -> io::Result<()> {
        self.release(exchange);
        let index = match self.draw_idle(server, dice) {
            Some(index) => index,
            None => self.open(registry, server, dice)?,
        };
        let Some(place) = self.places.get_mut(index).and_then(Option::as_mut) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        place.exchange = Some(exchange);
        place.uses += 1;
        place.was_read = false;
        place.used_at = self.tidied;
        // An error may belong to the exchange before, told late; it is told once, so a second try is this one's.
        let outcome = place.socket.send(bytes).or_else(|_| place.socket.send(bytes));
        self.exchanges.insert(exchange, index);
        match outcome {
            Ok(_) => Ok(()),
            Err(fault) => {
                self.exchanges.remove(&exchange);
                self.close(index);
                Err(fault)
            }
        }
    }

    /// The next datagram, or error, at the socket of a readable `token`, with the exchange that it is for; to be
    /// called until it is none. It costs no system call once the exchange was released.
    pub fn receive(&mut self, token: Token, buf: &mut [u8]) -> Option<(u64, io::Result<usize>)> {
        let index = token.0.checked_sub(self.first_token)?;
        let place = self.places.get_mut(index)?.as_mut()?;
        let Some(exchange) = place.exchange else {
            if !std::mem::take(&mut place.was_read) {
                self.drain(index, buf);
            }
            return None;
        };
        loop {
            return match place.socket.recv(buf) {
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => None,
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => continue,
                outcome => {
                    place.was_read = true;
                    Some((exchange, outcome))
                }
            };
        }
    }

    /// The server whose socket `token` stands for.
    #[must_use]
    pub fn server_at(&self, token: Token) -> Option<SocketAddr> {
        let place = self.places.get(token.0.checked_sub(self.first_token)?)?.as_ref()?;
        Some(place.server)
    }

    /// Throws away what came to an idle socket; one that gets more than a few strays is closed.
    fn drain(&mut self, index: usize, buf: &mut [u8]) {
        let Some(Some(place)) = self.places.get(index) else { return };
        for _ in 0..IDLE_DATAGRAMS {
            match place.socket.recv(buf) {
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => return,
                _ => {}
            }
        }
        self.unlist(index);
        self.close(index);
    }

    /// Ends the wait of `exchange`; its socket may serve another. An unknown exchange is left alone.
    pub fn release(&mut self, exchange: u64) {
        let Some(index) = self.exchanges.remove(&exchange) else { return };
        // Before this one counts as idle, or it might be the one to go.
        if self.idle_count >= bounds::UPSTREAM_SOCKETS_IDLE {
            self.evict(None);
        }
        let Some(Some(place)) = self.places.get_mut(index) else { return };
        place.exchange = None;
        let (uses, server) = (place.uses, place.server);
        let idle_there = self.idle.get(&server).map_or(0, Vec::len);
        if uses >= bounds::UPSTREAM_SOCKET_USES || idle_there >= bounds::UPSTREAM_SOCKETS_PER_SERVER {
            return self.close(index);
        }
        self.idle.entry(server).or_default().push(index);
        self.idle_count += 1;
    }

    /// Closes idle sockets that are long unused, a bounded number; to be called about once a second.
    pub fn tidy(&mut self) {
        self.tidied = self.tidied.wrapping_add(1);
        for _ in 0..TIDY_STEP.min(self.places.len()) {
            let index = self.advance();
            if self.idle_age(index).is_some_and(|(age, _)| age >= TIDY_AGE) {
                self.unlist(index);
                self.close(index);
            }
        }
    }

    /// An idle socket of `server`, or none where the port drawn is not among the open ones.
    fn draw_idle(&mut self, server: SocketAddr, dice: &mut Dice) -> Option<usize> {
        let list = self.idle.get(&server)?;
        let drawn = dice.index(bounds::UPSTREAM_SOCKETS_PER_SERVER);
        let index = *list.get(drawn)?;
        self.unlist(index);
        Some(index)
    }

    /// Opens a socket at a random port, connects it to `server` and registers it.
    fn open(&mut self, registry: &Registry, server: SocketAddr, dice: &mut Dice) -> io::Result<usize> {
        let family = usize::from(server.is_ipv6());
        let is_full = |open: &[usize; 2]| open.get(family).is_none_or(|open| *open >= bounds::UPSTREAM_SOCKETS_MAX);
        if is_full(&self.open) {
            self.evict(Some(family));
        }
        if is_full(&self.open) {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let opened = connected(server, dice).or_else(|fault| match fault.raw_os_error() {
            // No descriptor left: an idle socket must go.
            Some(libc::EMFILE | libc::ENFILE) if self.evict(None) => connected(server, dice),
            _ => Err(fault),
        });
        let mut socket = opened?;
        let index = self.vacant.pop().unwrap_or(self.places.len());
        if let Err(fault) = registry.register(&mut socket, Token(self.first_token + index), Interest::READABLE) {
            if index < self.places.len() {
                self.vacant.push(index);
            }
            return Err(fault);
        }
        let place = Some(Place { socket, server, exchange: None, uses: 0, was_read: false, used_at: self.tidied });
        match self.places.get_mut(index) {
            Some(vacant) => *vacant = place,
            None => self.places.push(place),
        }
        if let Some(open) = self.open.get_mut(family) {
            *open += 1;
        }
        Ok(index)
    }

    /// Closes the longest unused of the next few idle sockets, of `family` if that matters; says whether one was found.
    fn evict(&mut self, family: Option<usize>) -> bool {
        let mut oldest: Option<(u32, usize)> = None;
        let mut seen = 0;
        for _ in 0..self.places.len() {
            let index = self.advance();
            let Some((age, is_v6)) = self.idle_age(index) else { continue };
            if family.is_some_and(|family| family != usize::from(is_v6)) {
                continue;
            }
            if oldest.is_none_or(|(oldest, _)| age > oldest) {
                oldest = Some((age, index));
            }
            seen += 1;
            if seen == EVICTION_SAMPLE {
                break;
            }
        }
        let Some((_, index)) = oldest else { return false };
        self.unlist(index);
        self.close(index);
        true
    }

    fn advance(&mut self) -> usize {
        self.hand = if self.hand + 1 >= self.places.len() { 0 } else { self.hand + 1 };
        self.hand
    }

    /// For how many calls of [`UpstreamSockets::tidy`] the socket is idle, and whether it is an IPv6 one.
    fn idle_age(&self, index: usize) -> Option<(u32, bool)> {
        let place = self.places.get(index)?.as_ref().filter(|place| place.exchange.is_none())?;
        Some((self.tidied.wrapping_sub(place.used_at), place.server.is_ipv6()))
    }

    /// Takes a socket off the idle ones, if it is among them.
    fn unlist(&mut self, index: usize) {
        let Some(Some(place)) = self.places.get(index) else { return };
        let server = place.server;
        let Some(list) = self.idle.get_mut(&server) else { return };
        if let Some(position) = list.iter().position(|listed| *listed == index) {
            list.swap_remove(position);
            self.idle_count -= 1;
        }
        if list.is_empty() {
            self.idle.remove(&server);
        }
    }

    /// Closes a socket that is on no list; the system forgets its registration with it.
    fn close(&mut self, index: usize) {
        let Some(place) = self.places.get_mut(index).and_then(Option::take) else { return };
        if let Some(open) = self.open.get_mut(usize::from(place.server.is_ipv6())) {
            *open -= 1;
        }
        self.vacant.push(index);
    }
}

/// A socket at a port of the dice's choice, connected to `server`.
fn connected(server: SocketAddr, dice: &mut Dice) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(server), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    let any: IpAddr = if server.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        socket.set_only_v6(true)?;
        Ipv6Addr::UNSPECIFIED.into()
    };
    let mut tries = PORT_TRIES;
    loop {
        let port = 1_024 + dice.below(65_536 - 1_024) as u16;
        match socket.bind(&SockAddr::from(SocketAddr::new(any, port))) {
            Ok(()) => break,
            Err(fault)
                if tries > 0 && matches!(fault.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) =>
            {
                tries -= 1;
            }
            Err(fault) => return Err(fault),
        }
    }
    socket.connect(&SockAddr::from(server))?;
    Ok(UdpSocket::from_std(socket.into()))
}

#[cfg(test)]
#[path = "upstream_tests.rs"]
mod tests;
