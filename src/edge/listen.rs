//! Binds what is listened on: for each address one UDP socket per worker and one TCP listener.
//!
//! The kernel spreads datagrams over the UDP sockets of an address by `SO_REUSEPORT`, which would also let a
//! foreign program of the same user share the port unseen; a first bind without it proves that nobody has it.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

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
    /// The socket, non-blocking; to be registered with the worker's poll.
    pub socket: UdpSocket,
    /// The address it is bound to.
    pub address: SocketAddr,
    /// Whether it is bound to the unspecified address, so that each datagram must say which one was asked.
    pub is_wildcard: bool,
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
    /// One UDP socket per worker.
    pub udp: Vec<Listener>,
    /// The TCP listener, non-blocking.
    pub tcp: TcpListener,
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

/// Binds `address` for UDP (`workers` sockets, at least one) and TCP. Port 0 finds one that is free for both.
///
/// # Errors
/// [`BindFault`] naming the address and the transport.
pub fn bind(address: SocketAddr, workers: usize) -> Result<Bound, BindFault> {
    for _ in 1..PORT_TRIES {
        match bind_once(address, workers) {
            Err(fault) if address.port() == 0 && fault.cause.kind() == io::ErrorKind::AddrInUse => {}
            outcome => return outcome,
        }
    }
    bind_once(address, workers)
}

fn bind_once(address: SocketAddr, workers: usize) -> Result<Bound, BindFault> {
    let udp = bind_udp(address, workers)?;
    let address = udp.first().map_or(address, |listener| listener.address);
    let tcp = bind_tcp(address)?;
    Ok(Bound { address, udp, tcp })
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
        .map(|socket| {
            let socket = socket?;
            let is_wildcard = address.ip().is_unspecified();
            // RFC 9715 §3.1: responses are never fragmented, and no forged ICMP may make the path look narrower.
            batch::omit_path_mtu(&socket, address.is_ipv4())?;
            if is_wildcard {
                batch::ask_for_local_address(&socket, address.is_ipv4())?;
            }
            // Best effort: the system caps both, and serving with smaller buffers beats not serving.
            socket.set_recv_buffer_size(bounds::SOCKET_BUFFER).ok();
            socket.set_send_buffer_size(bounds::SOCKET_BUFFER).ok();
            Ok(Listener { socket: UdpSocket::from_std(socket.into()), address, is_wildcard })
        })
        .collect::<io::Result<_>>()
        .map_err(fault)
}

/// Binds a TCP listener to `address`.
///
/// # Errors
/// [`BindFault`] naming the address.
pub fn bind_tcp(address: SocketAddr) -> Result<TcpListener, BindFault> {
    let open = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // A restart must not wait for connections in TIME-WAIT; on Linux this lets no second listener in.
        socket.set_reuse_address(true)?;
        socket.set_tcp_nodelay(true)?;
        socket.bind(&SockAddr::from(address))?;
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

/// The address that an answer must come from, where it is to be chosen at all.
pub(super) fn source_of(listener: &Listener, local: Option<IpAddr>) -> Option<IpAddr> {
    local.filter(|_| listener.is_wildcard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_worker_gets_a_socket_on_the_same_port() {
        for address in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"] {
            let bound = bind(address.parse().unwrap(), 3).unwrap();
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
    fn both_families_may_listen_on_all_addresses_of_one_port() {
        let v4 = bind("0.0.0.0:0".parse().unwrap(), 1).unwrap();
        let v6 = SocketAddr::new("::".parse().unwrap(), v4.address.port());
        assert!(bind(v6, 1).is_ok());
    }

    #[test]
    fn a_foreign_listener_is_an_error_that_names_the_address() {
        let foreign = udp_socket("127.0.0.1:0".parse().unwrap(), true).unwrap();
        let address = local_address(&foreign).unwrap();
        let text = bind(address, 2).unwrap_err().to_string();
        assert!(text.contains(&address.to_string()) && text.contains("another program"), "{text}");

        let foreign = TcpListener::bind("127.0.0.1:0").unwrap();
        let text = bind_tcp(foreign.local_addr().unwrap()).unwrap_err().to_string();
        assert!(text.contains("(TCP)"), "{text}");
    }
}
