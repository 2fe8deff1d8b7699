//! Asking a server over UDP and TCP as a stub resolver does: EDNS, patience, TCP after truncation.
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use super::wire::{self, Response};

static NEXT_ID: AtomicU16 = AtomicU16::new(1);

fn next_id() -> u16 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

/// A UDP socket of any port that speaks with `server` alone.
pub fn socket(server: SocketAddr) -> UdpSocket {
    let any: SocketAddr =
        if server.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any).expect("a free port");
    socket.connect(server).expect("a local address");
    socket
}

/// One query over UDP, one attempt.
pub fn once(server: SocketAddr, name: &str, rtype: u16, wait: Duration) -> Option<Response> {
    let id = next_id();
    let socket = socket(server);
    socket.send(&wire::compose(id, name, rtype, Some(1232))).ok()?;
    let deadline = Instant::now() + wait;
    let mut buffer = [0; 4096];
    loop {
        let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        socket.set_read_timeout(Some(left)).ok()?;
        let length = socket.recv(&mut buffer).ok()?;
        if let Some(response) = wire::read(&buffer[..length]).filter(|response| response.id == id) {
            return Some(response);
        }
    }
}

/// One query over TCP.
pub fn over_tcp(server: SocketAddr, name: &str, rtype: u16, wait: Duration) -> Option<Response> {
    exchange_tcp(server, &wire::compose(next_id(), name, rtype, Some(1232)), wait).as_deref().and_then(wire::read)
}

/// Sends `query` over a connection of its own and reads one response.
pub fn exchange_tcp(server: SocketAddr, query: &[u8], wait: Duration) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, wait).ok()?;
    stream.set_read_timeout(Some(wait)).ok()?;
    let mut framed = u16::try_from(query.len()).ok()?.to_be_bytes().to_vec();
    framed.extend(query);
    stream.write_all(&framed).ok()?;
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut response = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut response).ok()?;
    Some(response)
}

/// One question with `tries` attempts of `wait` each, over TCP when the response is truncated.
pub fn patiently(server: SocketAddr, name: &str, rtype: u16, tries: usize, wait: Duration) -> Option<Response> {
    let response = (0..tries).find_map(|_| once(server, name, rtype, wait))?;
    if !response.truncated {
        return Some(response);
    }
    (0..tries).find_map(|_| over_tcp(server, name, rtype, wait))
}
