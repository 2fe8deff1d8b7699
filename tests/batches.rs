//! Datagrams by the batch where the network is not as usual: broken checksums, a narrow path, addresses of one link.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail, and lives in real time"
)]

mod support;

use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use meridian::edge::batch::{Batch, Sent};
use meridian::edge::listen::{Listener, bind_udp};
use socket2::{Domain, Protocol, Socket, Type};
use support::namespace;

/// So long something goes on that must hold up nobody.
const FLOOD: Duration = Duration::from_secs(5);

fn listener(address: &str) -> Listener {
    bind_udp(address.parse().unwrap(), 1).unwrap().remove(0)
}

fn client(address: &str) -> UdpSocket {
    let client = UdpSocket::bind(address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    client
}

fn ip(arguments: &str) {
    let done = Command::new(namespace::find("ip").unwrap()).args(arguments.split(' ')).status().unwrap();
    assert!(done.success(), "ip {arguments}");
}

/// Answers each datagram with itself, so often one behind the other.
fn answer(batch: &mut Batch, listener: &Listener, times: usize) -> Sent {
    for index in 0..batch.count() {
        let (bytes, reply) = batch.exchange(index).unwrap();
        reply.extend_from_slice(&bytes.repeat(times));
    }
    batch.send(listener)
}

#[test]
fn broken_datagrams_do_not_lengthen_the_sleep_in_a_receive() {
    let name = "broken_datagrams_do_not_lengthen_the_sleep_in_a_receive";
    namespace::inside(name, &[], || {
        let (listener, mut batch) = (listener("127.0.0.1:0"), Batch::new());
        let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP)).unwrap();
        // Long enough for the system to leave the checksum to who receives it.
        let length = 8 + 200;
        let [p0, p1] = listener.address.port().to_be_bytes();
        let mut datagram = vec![0x12, 0x34, p0, p1, 0, length, 0xBA, 0xD1];
        datagram.resize(usize::from(length), 7);
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let begun = Instant::now();
                while !is_over.load(Ordering::Relaxed) && begun.elapsed() < FLOOD {
                    raw.send_to(&datagram, &listener.address.into()).unwrap();
                    std::thread::sleep(Duration::from_micros(500));
                }
            });
            let begun = Instant::now();
            for _ in 0..20 {
                let received = batch.await_datagrams(&listener);
                assert_eq!(received.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
            }
            is_over.store(true, Ordering::Relaxed);
            assert!(begun.elapsed() < FLOOD, "{:?}", begun.elapsed());
        });
    });
}

#[test]
fn on_a_narrow_path_answers_leave_that_are_too_long_together() {
    let name = "on_a_narrow_path_answers_leave_that_are_too_long_together";
    namespace::inside(name, &["ip"], || {
        let (listener, mut batch) = (listener("127.0.0.1:0"), Batch::new());
        let client = client("127.0.0.1:0");
        for mtu in [1_100, 65_536] {
            ip(&format!("link set lo mtu {mtu}"));
            for number in 0..8 {
                client.send_to(&[number; 100], listener.address).unwrap();
            }
            assert_eq!(batch.receive(&listener).unwrap(), 8);
            assert_eq!(answer(&mut batch, &listener, 12), Sent { sent: 8, unsent: 0 });
            let mut room = [0; 2_048];
            let answered: Vec<(usize, u8)> = (0..8).map(|_| (client.recv(&mut room).unwrap(), room[0])).collect();
            assert_eq!(answered, (0..8).map(|number| (1_200, number)).collect::<Vec<_>>());
        }
    });
}

#[test]
fn who_asks_an_address_of_the_link_is_answered_from_it_wherever_he_asks_from() {
    let name = "who_asks_an_address_of_the_link_is_answered_from_it_wherever_he_asks_from";
    namespace::inside(name, &["ip"], || {
        ip("link add m0 type veth peer name m1");
        for (link, number) in [("m0", 1), ("m1", 2)] {
            ip(&format!("address add fe80::{number}/64 dev {link} nodad"));
            ip(&format!("link set {link} up"));
        }
        ip("address add 2001:db8::1/64 dev m0 nodad");
        let (listener, mut batch) = (listener("[::]:0"), Batch::new());
        let shown = Command::new(namespace::find("ip").unwrap()).args(["-o", "link", "show", "m0"]).output().unwrap();
        let link = String::from_utf8(shown.stdout).unwrap().split(':').next().unwrap().parse().unwrap();
        let asked = std::net::SocketAddrV6::new("fe80::1".parse().unwrap(), listener.address.port(), 0, link);
        let client = client("[2001:db8::1]:0");
        for _ in 0..2 {
            for number in 0..4 {
                client.send_to(&[number; 20], SocketAddr::from(asked)).unwrap();
            }
            assert_eq!(batch.receive(&listener).unwrap(), 4);
            assert_eq!(answer(&mut batch, &listener, 1), Sent { sent: 4, unsent: 0 });
            for number in 0..4 {
                let mut room = [0; 64];
                let (length, from) = client.recv_from(&mut room).unwrap();
                assert_eq!(
                    (&room[..length], from.ip(), from.port()),
                    (&[number; 20][..], (*asked.ip()).into(), asked.port())
                );
            }
        }
    });
}
