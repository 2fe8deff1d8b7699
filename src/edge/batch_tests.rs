use std::net::UdpSocket;
use std::time::Duration;

use super::*;
use crate::edge::listen::bind_udp;

fn listener(address: &str) -> Listener {
    bind_udp(address.parse().unwrap(), 1).unwrap().remove(0)
}

fn client(address: &str) -> UdpSocket {
    let client = UdpSocket::bind(address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    client
}

fn next(client: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut room = [0; 2_048];
    let (length, from) = client.recv_from(&mut room).unwrap();
    (room[..length].to_vec(), from)
}

/// Answers each datagram with itself behind `mark`.
fn echo(batch: &mut Batch, listener: &Listener, mark: u8) -> Sent {
    for index in 0..batch.count() {
        let (bytes, reply) = batch.exchange(index).unwrap();
        reply.push(mark);
        reply.extend_from_slice(bytes);
    }
    batch.send(listener)
}

#[test]
fn both_ways_move_the_same_bytes_in_order() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        for mut batch in [Batch::new(), Batch::one_by_one()] {
            let listener = listener(address);
            let client = client(address);
            for number in 0..(BATCH as u8 + 3) {
                client.send_to(&[number; 20], listener.address).unwrap();
            }
            assert_eq!(batch.receive(&listener).unwrap(), BATCH);
            assert_eq!(batch.peer(0), client.local_addr().unwrap());
            assert_eq!(batch.local(0), Some(listener.address.ip()));
            assert_eq!(batch.bytes(5), [5; 20]);
            assert_eq!(echo(&mut batch, &listener, 9), Sent { sent: BATCH, unsent: 0 });
            assert_eq!(batch.receive(&listener).unwrap(), 3);
            assert_eq!(batch.bytes(3), [0u8; 0]);
            assert!(batch.reply(3).is_none());
            assert_eq!(echo(&mut batch, &listener, 9), Sent { sent: 3, unsent: 0 });
            for number in 0..(BATCH as u8 + 3) {
                let (bytes, from) = next(&client);
                assert_eq!((bytes[0], &bytes[1..]), (9, &[number; 20][..]));
                assert_eq!(from, listener.address);
            }
            assert_eq!(batch.receive(&listener).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
    }
}

#[test]
fn a_wildcard_listener_answers_from_the_address_that_was_asked() {
    let mut batch = Batch::new();
    for (wildcard, asked) in [("0.0.0.0:0", "127.0.0.77"), ("[::]:0", "::1")] {
        let listener = listener(wildcard);
        let asked: IpAddr = asked.parse().unwrap();
        let target = SocketAddr::new(asked, listener.address.port());
        let client = client(if asked.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" });
        client.send_to(b"query", target).unwrap();
        assert_eq!(batch.receive(&listener).unwrap(), 1);
        assert_eq!(batch.local(0), Some(asked));
        let (peer, local) = (batch.peer(0), batch.local(0));
        assert_eq!(echo(&mut batch, &listener, 1).sent, 1);
        assert_eq!(next(&client), (b"\x01query".to_vec(), target));
        // and so does an answer that comes later
        send_to(&listener, b"late", peer, local).unwrap();
        assert_eq!(next(&client), (b"late".to_vec(), target));
    }
}

/// What each of some clients is answered, who ask two addresses of a wildcard listener in turns.
fn exchange_in_turns(batch: &mut Batch, asked: [&str; 2], home: &str) {
    let listener = listener(if home.contains('[') { "[::]:0" } else { "0.0.0.0:0" });
    let targets = asked.map(|asked| SocketAddr::new(asked.parse().unwrap(), listener.address.port()));
    let clients = [client(home), client(home), client(home)];
    for number in 0..BATCH as u8 {
        // Of two lengths, and not in step with who asks whom.
        let query = [number; 20];
        let query = if number % 5 == 0 { &query[..12] } else { &query[..] };
        clients[usize::from(number % 3)].send_to(query, targets[usize::from(number / 2 % 2)]).unwrap();
    }
    assert_eq!(batch.receive(&listener).unwrap(), BATCH);
    assert_eq!(echo(batch, &listener, 9), Sent { sent: BATCH, unsent: 0 });
    for (at, client) in clients.iter().enumerate() {
        let mut numbers: Vec<u8> = (0..BATCH as u8).filter(|number| usize::from(number % 3) == at).collect();
        while !numbers.is_empty() {
            let (answer, from) = next(client);
            let number = answer[1];
            assert_eq!(answer.len(), if number % 5 == 0 { 13 } else { 21 });
            assert!(answer[1..].iter().all(|octet| *octet == number) && answer[0] == 9);
            assert_eq!(from, targets[usize::from(number / 2 % 2)]);
            numbers.remove(numbers.iter().position(|one| *one == number).expect("once each"));
        }
    }
}

#[test]
fn answers_that_leave_together_arrive_one_by_one() {
    let mut batch = Batch::new();
    exchange_in_turns(&mut batch, ["127.0.0.77", "127.0.0.78"], "127.0.0.1:0");
    exchange_in_turns(&mut batch, ["::1", "::1"], "[::1]:0");
    assert!(batch.is_grouping);
}

/// Without checksums the kernel does not cut.
#[cfg(target_os = "linux")]
#[test]
fn where_the_system_refuses_groups_every_answer_leaves_alone() {
    let mut batch = Batch::new();
    let listener = listener("127.0.0.1:0");
    system::linux::set_option(&socket2::SockRef::from(&listener.socket), libc::SOL_SOCKET, libc::SO_NO_CHECK, 1)
        .unwrap();
    let clients = [client("127.0.0.1:0"), client("127.0.0.1:0")];
    for round in [false, true] {
        for number in 0..8 {
            clients[usize::from(number > 0)].send_to(&[number; 20], listener.address).unwrap();
        }
        assert_eq!(batch.receive(&listener).unwrap(), 8);
        assert_eq!(batch.is_grouping, !round);
        assert_eq!(echo(&mut batch, &listener, 9), Sent { sent: 8, unsent: 0 });
        assert_eq!(next(&clients[0]).0[1], 0);
        let answered: Vec<u8> = (1..8).map(|_| next(&clients[1]).0[1]).collect();
        assert_eq!(answered, [1, 2, 3, 4, 5, 6, 7]);
    }
}

/// An address that was taken away while the query waited.
#[cfg(target_os = "linux")]
#[test]
fn answers_that_cannot_leave_at_all_do_not_stop_the_groups() {
    let mut batch = Batch::new();
    let listener = listener("[::]:0");
    let client = client("[::1]:0");
    let target = SocketAddr::new("::1".parse().unwrap(), listener.address.port());
    for number in 0..8 {
        client.send_to(&[number; 20], target).unwrap();
    }
    assert_eq!(batch.receive(&listener).unwrap(), 8);
    (0..4).for_each(|at: usize| batch.locals[at] = Some("2001:db8::1".parse().unwrap()));
    assert_eq!(echo(&mut batch, &listener, 9), Sent { sent: 4, unsent: 4 });
    assert!(batch.is_grouping);
    let answered: Vec<u8> = (0..4).map(|_| next(&client).0[1]).collect();
    assert_eq!(answered, [4, 5, 6, 7]);
}

#[test]
fn a_refused_answer_never_holds_up_the_others() {
    for mut batch in [Batch::new(), Batch::one_by_one()] {
        let listener = listener("127.0.0.1:0");
        let client = client("127.0.0.1:0");
        for number in 0..4u8 {
            client.send_to(&[number], listener.address).unwrap();
        }
        assert_eq!(batch.receive(&listener).unwrap(), 4);
        // Nothing can be sent to port 0, nor from an IPv4 socket to IPv6; nor is an empty answer sent at all.
        batch.peers[1].set_port(0);
        batch.peers[2] = "[::1]:9".parse().unwrap();
        assert_eq!(echo(&mut batch, &listener, 7), Sent { sent: 2, unsent: 2 });
        assert_eq!(next(&client).0, [7, 0]);
        assert_eq!(next(&client).0, [7, 3]);
    }
}

#[test]
fn what_is_left_empty_is_not_sent() {
    let mut batch = Batch::new();
    let listener = listener("127.0.0.1:0");
    let client = client("127.0.0.1:0");
    for number in 0..3u8 {
        client.send_to(&[number], listener.address).unwrap();
    }
    assert_eq!(batch.receive(&listener).unwrap(), 3);
    batch.reply(2).unwrap().push(42);
    assert_eq!(batch.send(&listener), Sent { sent: 1, unsent: 0 });
    assert_eq!(next(&client).0, [42]);
}

#[test]
fn a_query_that_is_too_long_arrives_cut() {
    for mut batch in [Batch::new(), Batch::one_by_one()] {
        let listener = listener("127.0.0.1:0");
        client("127.0.0.1:0").send_to(&vec![3; UDP_QUERY_MAX + 100], listener.address).unwrap();
        assert_eq!(batch.receive(&listener).unwrap(), 1);
        assert_eq!(batch.bytes(0), vec![3; UDP_QUERY_MAX]);
    }
}
