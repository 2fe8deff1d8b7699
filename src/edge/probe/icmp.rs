//! An echo request (RFC 792, RFC 4443), from a socket that needs no privilege where the system has such
//! (`net.ipv4.ping_group_range`), else from a raw one.

use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::{Finding, Probed, Target, addresses, blame};

const REQUEST_V4: u8 = 8;
const REQUEST_V6: u8 = 128;
const REPLY_V4: u8 = 0;
const REPLY_V6: u8 = 129;

pub(super) async fn probe(target: &Target, nonce: u64) -> Probed<Finding> {
    let addresses = addresses(target, 0).await?;
    let address = addresses.first().ok_or_else(|| Finding::untold("no address"))?;
    let fault = |fault: io::Error| blame("no exchange", &fault, &addresses);
    let socket = open(address)?;
    socket.send(&compose(address.ip(), nonce)).await.map_err(fault)?;
    let mut buffer = [0; 512];
    loop {
        let length = socket.recv(&mut buffer).await.map_err(fault)?;
        if is_reply(address.ip(), buffer.get(..length).unwrap_or_default(), nonce) {
            return Ok(Finding::good("echo reply"));
        }
    }
}

/// A socket connected to `address`; to the runtime it is like any other that carries datagrams.
fn open(address: &SocketAddr) -> Probed<UdpSocket> {
    let (domain, protocol) =
        if address.is_ipv4() { (Domain::IPV4, Protocol::ICMPV4) } else { (Domain::IPV6, Protocol::ICMPV6) };
    let open = |kind| Socket::new(domain, kind, Some(protocol));
    let socket = open(Type::DGRAM).or_else(|_| open(Type::RAW)).map_err(|fault| {
        let advice = "the system permits no ICMP (see net.ipv4.ping_group_range, or CAP_NET_RAW)";
        Finding::untold(format_args!("{advice}: {fault}"))
    })?;
    let ready = socket.set_nonblocking(true).and_then(|()| socket.connect(&(*address).into()));
    let socket = ready.and_then(|()| UdpSocket::from_std(socket.into()));
    socket.map_err(|fault| blame("no exchange", &fault, &[*address]))
}

/// Type, code, checksum, identifier, sequence number, and a nonce by which the reply is known: the system may change
/// the identifier.
fn compose(address: IpAddr, nonce: u64) -> Vec<u8> {
    let kind = if address.is_ipv4() { REQUEST_V4 } else { REQUEST_V6 };
    let mut packet = vec![kind, 0, 0, 0];
    packet.extend_from_slice(&((nonce >> 32) as u16).to_be_bytes());
    packet.extend_from_slice(&1u16.to_be_bytes());
    packet.extend_from_slice(&nonce.to_be_bytes());
    if address.is_ipv4() {
        // Of ICMPv6 the system computes it, since it covers addresses.
        let sum = checksum(&packet).to_be_bytes();
        packet.splice(2..4, sum);
    }
    packet
}

/// The Internet checksum (RFC 1071).
fn checksum(octets: &[u8]) -> u16 {
    let words = octets.chunks(2).map(|pair| match *pair {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        [high] => u32::from(high) << 8,
        _ => 0,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Whether a datagram is the reply to the request with `nonce`. A raw IPv4 socket hands over the IP header as well.
fn is_reply(address: IpAddr, datagram: &[u8], nonce: u64) -> bool {
    let kind = if address.is_ipv4() { REPLY_V4 } else { REPLY_V6 };
    let skipped = match datagram.first() {
        Some(first) if address.is_ipv4() && first >> 4 == 4 => usize::from(first & 0xf) * 4,
        _ => 0,
    };
    let Some(packet) = datagram.get(skipped..) else { return false };
    packet.first() == Some(&kind) && packet.get(8..16) == Some(nonce.to_be_bytes().as_slice())
}

#[cfg(test)]
mod unit_tests {
    use super::*;

    #[test]
    fn a_packet_with_its_checksum_sums_to_nothing() {
        let packet = compose(IpAddr::from([192, 0, 2, 1]), 0x0123_4567_89ab_cdef);
        assert_eq!(checksum(&packet), 0);
        // RFC 1071 §3: the sum of these words is ddf2.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }

    #[test]
    fn a_reply_is_known_by_its_nonce_with_or_without_an_ip_header() {
        let v4 = IpAddr::from([192, 0, 2, 1]);
        let mut reply = compose(v4, 7);
        assert!(!is_reply(v4, &reply, 7), "our own request, as loopback shows it");
        reply[0] = REPLY_V4;
        assert!(is_reply(v4, &reply, 7) && !is_reply(v4, &reply, 8));
        let mut with_header = vec![0x45; 20];
        with_header.extend_from_slice(&reply);
        assert!(is_reply(v4, &with_header, 7));
        assert!(!is_reply(v4, &[0x45], 7) && !is_reply(v4, &[], 7));
    }
}
