//! An upstream exchange over loopback UDP: pooled sockets beside a fresh socket per query.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark on its own machine")]

use std::net::{SocketAddr, UdpSocket};

use meridian::base::Dice;
use meridian::edge::upstream::UpstreamSockets;
use mio::{Events, Interest, Poll, Token};

fn main() {
    divan::main();
}

/// A server that answers each datagram with itself, on a thread that ends with the program.
fn echo_server() -> SocketAddr {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut room = [0; 2_048];
        while let Ok((length, peer)) = server.recv_from(&mut room) {
            server.send_to(room.get(..length).unwrap_or(&[]), peer).ok();
        }
    });
    address
}

const QUERY: [u8; 40] = [7; 40];
/// Exchanges under way at a time.
const TOGETHER: u64 = 32;

#[divan::bench(args = [1, 16])]
fn pooled(bencher: divan::Bencher, servers: usize) {
    let servers: Vec<_> = (0..servers).map(|_| echo_server()).collect();
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(256);
    let mut dice = Dice::from_number(1);
    let mut sockets = UpstreamSockets::new(0, &mut dice);
    let mut exchange = 0;
    let mut room = [0; 2_048];
    let mut turn = || {
        for _ in 0..TOGETHER {
            exchange += 1;
            let server = servers[exchange as usize % servers.len()];
            sockets.send(poll.registry(), exchange, server, &QUERY, &mut dice).unwrap();
        }
        let mut done = 0;
        while done < TOGETHER {
            poll.poll(&mut events, None).unwrap();
            for event in &events {
                while let Some((exchange, outcome)) = sockets.receive(event.token(), &mut room) {
                    outcome.unwrap();
                    sockets.release(exchange);
                    done += 1;
                }
            }
        }
    };
    // Until the pool is full the ports are fresh ones.
    (0..400).for_each(|_| turn());
    bencher.counter(TOGETHER).bench_local(turn);
}

#[divan::bench(args = [1, 16])]
fn fresh(bencher: divan::Bencher, servers: usize) {
    let servers: Vec<_> = (0..servers).map(|_| echo_server()).collect();
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(256);
    let mut dice = Dice::from_number(1);
    let mut exchange = 0;
    let mut room = [0; 2_048];
    bencher.counter(TOGETHER).bench_local(|| {
        let mut sockets: Vec<Option<mio::net::UdpSocket>> = Vec::new();
        for _ in 0..TOGETHER {
            exchange += 1;
            let mut socket = loop {
                let port = 1_024 + dice.below(64_512) as u16;
                if let Ok(socket) = mio::net::UdpSocket::bind(SocketAddr::from(([0; 4], port))) {
                    break socket;
                }
            };
            socket.connect(servers[exchange % servers.len()]).unwrap();
            poll.registry().register(&mut socket, Token(sockets.len()), Interest::READABLE).unwrap();
            socket.send(&QUERY).unwrap();
            sockets.push(Some(socket));
        }
        let mut done = 0;
        while done < TOGETHER {
            poll.poll(&mut events, None).unwrap();
            for event in &events {
                if let Some(socket) = sockets.get_mut(event.token().0).and_then(Option::take) {
                    socket.recv(&mut room).unwrap();
                    done += 1;
                }
            }
        }
    });
}
