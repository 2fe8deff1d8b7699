//! Binds what is listened on: for each address one UDP socket per worker and one TCP listener.
//!
//! The kernel spreads datagrams over the UDP sockets of an address by `SO_REUSEPORT`, which would also let a
//! foreign program of the same user share the port unseen; a first bind without it proves that nobody has it.
//!
//! Sockets that are open already, a predecessor's or the service manager's, are taken before any is opened
//! ([`Given`]): what waits in their queues is lost only when the last process that holds them closes them.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};

use mio::net::UdpSocket;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};

use super::batch;
use crate::base::bounds;

/// Tries to find a port that is free for UDP and TCP where port 0 is asked for.
const PORT_TRIES: u32 = 16;
/// Connections that the kernel completes before they are accepted.
const BACKLOG: i32 = 1_024;

/// A UDP socket on which queries arrive.
#[derive(Debug)]
pub struct Listener {
    /// The socket. Where one can wait for datagrams in the receive itself it blocks, for [`bounds::QUERY_WAIT`] at most,
    /// and every call says whether it may; elsewhere it never does.
    pub socket: UdpSocket,
    /// The address it is bound to.
    pub address: SocketAddr,
    /// Whether it is bound to the unspecified address, so that each datagram must say which one was asked.
    pub is_wildcard: bool,
    /// Whether the system cuts answers that leave together; one that does not know of it would send them as one.
    pub can_group: bool,
    /// The number of its address among those listened on: the same at every worker, and never another's. 0 until it
    /// gets one.
    pub door: usize,
}

impl Listener {
    /// Bounds what waits unread, in octets, as far as the system allows; what is beyond it is dropped by the system.
    pub fn queue(&self, octets: usize) {
        // Best effort: serving with another buffer beats not serving.
        SockRef::from(&self.socket).set_recv_buffer_size(octets).ok();
    }
}

/// One listen address, bound.
#[derive(Debug)]
pub struct Bound {
    /// The address, with the port that was found where 0 was asked for.
    pub address: SocketAddr,
    /// UDP sockets, at least one per worker; each wants to be read.
    pub udp: Vec<Listener>,
    /// The TCP listener, non-blocking.
    pub tcp: TcpListener,
}

impl Bound {
    /// The same sockets once more, for another process.
    ///
    /// # Errors
    /// The system's, where it has no descriptor left.
    pub fn duplicate(&self) -> io::Result<Vec<OwnedFd>> {
        let udp = self.udp.iter().map(|listener| listener.socket.as_fd().try_clone_to_owned());
        udp.chain(std::iter::once(self.tcp.as_fd().try_clone_to_owned())).collect()
    }
}

/// Sockets that were open before this process.
#[derive(Debug, Default)]
pub struct Given {
    udp: Vec<(SocketAddr, Socket)>,
    tcp: Vec<(SocketAddr, TcpListener)>,
    /// Whether somebody else keeps them too when we end.
    are_kept: bool,
}

impl Given {
    /// These sockets; what is neither UDP nor listens for TCP is closed.
    #[must_use]
    pub fn new(sockets: Vec<OwnedFd>, are_kept: bool) -> Self {
        let mut given = Self { are_kept, ..Self::default() };
        for socket in sockets.into_iter().map(Socket::from) {
            let Ok(address) = local_address(&socket) else { continue };
            if socket.set_nonblocking(true).is_err() {
                continue;
            }
            if socket.r#type().is_ok_and(|kind| kind == Type::DGRAM) {
                given.udp.push((address, socket));
            } else if socket.is_listener().unwrap_or(false) {
                given.tcp.push((address, socket.into()));
            }
        }
        given
    }

    /// The addresses of what nobody has taken.
    #[must_use]
    pub fn rest(&self) -> Vec<SocketAddr> {
        let udp = self.udp.iter().map(|(address, _)| *address);
        udp.chain(self.tcp.iter().map(|(address, _)| *address)).collect()
    }

    /// Whether none is kept by somebody else when we end.
    #[must_use]
    pub const fn are_kept(&self) -> bool {
        self.are_kept
    }

    /// The UDP sockets of an address; with port 0, of the first port of that host.
    fn take_udp(&mut self, wanted: SocketAddr) -> Vec<Socket> {
        let Some(found) = self.udp.iter().map(|(address, _)| *address).find(|address| fits(wanted, *address)) else {
            return Vec::new();
        };
        let (taken, rest) = std::mem::take(&mut self.udp).into_iter().partition(|(address, _)| *address == found);
        self.udp = rest;
        taken.into_iter().map(|(_, socket): (_, Socket)| socket).collect()
    }

    /// The TCP listener of an address; with port 0, of the first port of that host that UDP has no socket of. To be
    /// asked for after the addresses that have both.
    pub fn take_tcp(&mut self, wanted: SocketAddr) -> Option<TcpListener> {
        let is_alone = |address: SocketAddr| self.udp.iter().all(|(other, _)| *other != address);
        let at = self.tcp.iter().position(|(address, _)| fits(wanted, *address) && is_alone(*address))?;
        Some(self.tcp.swap_remove(at).1)
    }
}

/// Whether a socket at `address` is what is wanted.
fn fits(wanted: SocketAddr, address: SocketAddr) -> bool {
    wanted.ip() == address.ip() && (wanted.port() == 0 || wanted.port() == address.port())
}

/// An address that cannot be listened on.
#[derive(Debug)]
pub struct BindFault {
    /// The address.
    pub address: SocketAddr,
    /// `UDP` or `TCP`.
    pub transport: &'static str,
    /// What the system says.
    pub cause: io::Error,
}

impl BindFault {
    /// Whether the machine lacks the address or its family, rather than refusing us.
    #[must_use]
    pub fn is_without_family(&self) -> bool {
        matches!(self.cause.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
            || self.cause.raw_os_error() == Some(libc::EAFNOSUPPORT)
    }
}

impl fmt::Display for BindFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, transport, cause } = self;
        write!(f, "cannot listen on {address} ({transport}): {cause}")?;
        match cause.kind() {
            io::ErrorKind::AddrInUse => f.write_str("; another program has this port"),
            io::ErrorKind::PermissionDenied => f.write_str("; ports below 1024 need CAP_NET_BIND_SERVICE"),
            io::ErrorKind::AddrNotAvailable => f.write_str("; no interface has this address"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for BindFault {}

/// Binds `address` for UDP (`workers` sockets, at least one) and TCP, with what is `given` of it. Port 0 finds one that
/// is given, or free for both.
///
/// # Errors
/// [`BindFault`] naming the address and the transport.
pub fn bind(address: SocketAddr, workers: usize, given: &mut Given) -> Result<Bound, BindFault> {
    for _ in 1..PORT_TRIES {
        match bind_once(address, workers, given) {
            Err(fault) if address.port() == 0 && fault.cause.kind() == io::ErrorKind::AddrInUse => {}
            outcome => return outcome,
        }
    }
    bind_once(address, workers, given)
}

/// As [`bind`], where sockets of this process have the same port, at this address or at one that contains it: they share
/// it. Nothing then proves that a foreign program has not got it too, but that these were there first.
///
/// # Errors
/// As [`bind`].
pub fn bind_beside(address: SocketAddr, workers: usize) -> Result<Bound, BindFault> {
    let fault = |cause| BindFault { address, transport: "UDP", cause };
    let sockets = (0..workers.max(1)).map(|_| udp_socket(address, true));
    let udp = sockets.map(|socket| listener(socket?, address)).collect::<io::Result<_>>().map_err(fault)?;
    Ok(Bound { address, udp, tcp: bind_tcp_as(address, true, true)? })
}

fn bind_once(address: SocketAddr, workers: usize, given: &mut Given) -> Result<Bound, BindFault> {
    let there = given.take_udp(address);
    let udp = if there.is_empty() { bind_udp(address, workers) } else { adopt_udp(there, workers) }?;
    let address = udp.first().map_or(address, |listener| listener.address);
    let tcp = given.take_tcp(address).map_or_else(|| bind_tcp(address), Ok)?;
    Ok(Bound { address, udp, tcp })
}

/// Takes open sockets of one address, at least one. Where the workers are more, some share one: a further socket would get
/// queries at once, which nobody reads until its owner is ready, and which end with it where others keep the given ones.
fn adopt_udp(mut sockets: Vec<Socket>, workers: usize) -> Result<Vec<Listener>, BindFault> {
    let nowhere = SocketAddr::from(([0; 4], 0));
    let found = sockets.first().map_or(Ok(nowhere), local_address);
    let address = found.map_err(|cause| BindFault { address: nowhere, transport: "UDP", cause })?;
    let fault = |cause| BindFault { address, transport: "UDP", cause };
    let there = sockets.len();
    for at in there..workers {
        let shared = sockets.get(at % there).map_or_else(|| udp_socket(address, true), Socket::try_clone);
        sockets.push(shared.map_err(fault)?);
    }
    sockets.into_iter().map(|socket| listener(socket, address)).collect::<io::Result<_>>().map_err(fault)
}

/// Binds `workers` UDP sockets (at least one) to `address`.
///
/// # Errors
/// [`BindFault`], also where a foreign socket has the port.
pub fn bind_udp(address: SocketAddr, workers: usize) -> Result<Vec<Listener>, BindFault> {
    let fault = |cause| BindFault { address, transport: "UDP", cause };
    // The first is bound alone: that fails where a foreign socket has the port. Only then is the port opened to
    // the others, and a socket bound with the option from the start cannot slip in between.
    let first = udp_socket(address, false).map_err(fault)?;
    let address = local_address(&first).map_err(fault)?;
    first.set_reuse_port(true).map_err(fault)?;
    let others = (1..workers.max(1)).map(|_| udp_socket(address, true));
    std::iter::once(Ok(first))
        .chain(others)
        .map(|socket| listener(socket?, address))
        .collect::<io::Result<_>>()
        .map_err(fault)
}

/// The listener of a bound socket.
fn listener(socket: Socket, address: SocketAddr) -> io::Result<Listener> {
    let is_wildcard = address.ip().is_unspecified();
    // RFC 9715 §3.1: responses are never fragmented, and no forged ICMP may make the path look narrower.
    batch::omit_path_mtu(&socket, address.is_ipv4())?;
    if is_wildcard {
        batch::ask_for_local_address(&socket, address.is_ipv4())?;
    }
    // Best effort: the system caps both, and serving with smaller buffers beats not serving.
    socket.set_recv_buffer_size(bounds::SOCKET_BUFFER).ok();
    socket.set_send_buffer_size(bounds::SOCKET_BUFFER).ok();
    // Where the checksums are not checked first whoever sends wrong ones could have a receive wait without end.
    if batch::CAN_WAIT && batch::check_before_queueing(&socket).is_ok() {
        socket.set_read_timeout(Some(bounds::QUERY_WAIT))?;
        socket.set_nonblocking(false)?;
    }
    let can_group = batch::can_group(&socket);
    Ok(Listener { socket: UdpSocket::from_std(socket.into()), address, is_wildcard, can_group, door: 0 })
}

/// Binds a TCP listener to `address`.
///
/// # Errors
/// [`BindFault`] naming the address.
pub fn bind_tcp(address: SocketAddr) -> Result<TcpListener, BindFault> {
    bind_tcp_as(address, false, true)
}

/// Binds an admin address: as [`bind_tcp`], but all addresses of IPv6 are all of IPv4 too, and only those on a machine
/// without IPv6.
///
/// # Errors
/// As [`bind_tcp`].
pub fn bind_admin(address: SocketAddr) -> Result<TcpListener, BindFault> {
    if !address.is_ipv6() || !address.ip().is_unspecified() {
        return bind_tcp(address);
    }
    match bind_tcp_as(address, false, false) {
        Err(fault) if fault.is_without_family() => bind_tcp(SocketAddr::from(([0; 4], address.port()))),
        bound => bound,
    }
}

/// As [`bind_tcp`], where listeners of this process have the same port, as of [`bind_beside`].
///
/// # Errors
/// As [`bind_tcp`].
pub fn bind_tcp_beside(address: SocketAddr) -> Result<TcpListener, BindFault> {
    bind_tcp_as(address, true, true)
}

fn bind_tcp_as(address: SocketAddr, is_shared: bool, is_of_one_family: bool) -> Result<TcpListener, BindFault> {
    let open = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(is_of_one_family)?;
        }
        // A restart must not wait for connections in TIME-WAIT; on Linux this lets no second listener in.
        socket.set_reuse_address(true)?;
        socket.set_tcp_nodelay(true)?;
        if is_shared {
            socket.set_reuse_port(true)?;
        }
        socket.bind(&SockAddr::from(address))?;
        // From here on another of ours may stand beside it.
        socket.set_reuse_port(true)?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    open().map_err(|cause| BindFault { address, transport: "TCP", cause })
}

fn udp_socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&SockAddr::from(address))?;
    Ok(socket)
}

fn local_address(socket: &Socket) -> io::Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))
}

/// The address that an answer must come from, where it is to be chosen at all: nothing leaves from a group's address.
pub(super) fn source_of(listener: &Listener, local: Option<IpAddr>) -> Option<IpAddr> {
    local.filter(|local| listener.is_wildcard && !local.is_multicast())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_worker_gets_a_socket_on_the_same_port() {
        for address in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"] {
            let bound = bind(address.parse().unwrap(), 3, &mut Given::default()).unwrap();
            assert_eq!(bound.udp.len(), 3);
            assert_ne!(bound.address.port(), 0);
            assert_eq!(bound.tcp.local_addr().unwrap(), bound.address);
            for listener in &bound.udp {
                assert_eq!(listener.socket.local_addr().unwrap(), bound.address);
                assert_eq!(listener.is_wildcard, bound.address.ip().is_unspecified());
            }
        }
    }

    #[test]
    fn an_address_gives_way_to_a_narrower_or_wider_one_of_ours_while_it_is_still_served() {
        for (first, second) in
            [("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "0.0.0.0"), ("[::]", "[::1]"), ("[::1]", "[::1]")]
        {
            let old = bind(format!("{first}:0").parse().unwrap(), 2, &mut Given::default()).unwrap();
            let address: SocketAddr = format!("{second}:{}", old.address.port()).parse().unwrap();
            let foreign = bind(address, 1, &mut Given::default()).unwrap_err().to_string();
            assert!(foreign.contains("another program"), "{foreign}");
            let new = bind_beside(address, 2).unwrap();
            assert_eq!((new.address, new.udp.len()), (address, 2));
        }
    }

    #[test]
    fn both_families_may_listen_on_all_addresses_of_one_port() {
        let v4 = bind("0.0.0.0:0".parse().unwrap(), 1, &mut Given::default()).unwrap();
        let v6 = SocketAddr::new("::".parse().unwrap(), v4.address.port());
        assert!(bind(v6, 1, &mut Given::default()).is_ok());
    }

    #[test]
    fn a_foreign_listener_is_an_error_that_names_the_address() {
        let foreign = udp_socket("127.0.0.1:0".parse().unwrap(), true).unwrap();
        let address = local_address(&foreign).unwrap();
        let text = bind(address, 2, &mut Given::default()).unwrap_err().to_string();
        assert!(text.contains(&address.to_string()) && text.contains("another program"), "{text}");

        let foreign = TcpListener::bind("127.0.0.1:0").unwrap();
        let text = bind_tcp(foreign.local_addr().unwrap()).unwrap_err().to_string();
        assert!(text.contains("(TCP)"), "{text}");
    }
    #[test]
    fn open_sockets_are_taken_whatever_the_number_of_workers() {
        for (before, after) in [(2, 3), (2, 1), (1, 3)] {
            let first = bind("127.0.0.1:0".parse().unwrap(), before, &mut Given::default()).unwrap();
            let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            client.send_to(b"queued", first.address).unwrap();
            let mut given = Given::new(first.duplicate().unwrap(), false);
            let address = first.address;
            let second = bind("127.0.0.1:0".parse().unwrap(), after, &mut given).unwrap();
            assert_eq!((second.address, second.udp.len()), (address, before.max(after)));
            assert_eq!(second.tcp.local_addr().unwrap(), address);
            assert!(given.rest().is_empty());
            let arrived = |listener: &Listener| listener.socket.recv_from(&mut [0; 16]).is_ok();
            assert!(second.udp.iter().any(arrived), "what was queued is lost");
            // Until they take over, whatever comes still finds whoever had the sockets.
            for number in 0..20 {
                let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
                client.send_to(&[number], address).unwrap();
                assert!(first.udp.iter().any(arrived), "{before} → {after}");
            }
        }
    }

    #[test]
    fn a_given_socket_of_another_address_is_left_over() {
        let first = bind("127.0.0.1:0".parse().unwrap(), 1, &mut Given::default()).unwrap();
        let mut given = Given::new(first.duplicate().unwrap(), false);
        let second = bind("127.0.0.2:0".parse().unwrap(), 1, &mut given).unwrap();
        assert_ne!(second.address, first.address);
        assert_eq!(given.rest(), [first.address; 2]);
        assert!(given.take_tcp("127.0.0.1:0".parse().unwrap()).is_none(), "it has a UDP socket beside it");
    }
}
