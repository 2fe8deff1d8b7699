//! R21 and R22: TCP clients that are idle, slow, or never read.
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::load;
use crate::support::{ask, resolvers, wire};
use crate::world::{A, World};
use crate::{Figure, Row, at_least, at_most, told};

pub const ROWS: &[Row] = &[
    Row { id: "R21", what: "10,000 idle and 1,000 slow TCP connections", measure: idle, has_peers: false, limit_s: 90 },
    Row { id: "R22", what: "TCP clients that ask and never read", measure: unread, has_peers: false, limit_s: 90 },
];

fn connect(source: Ipv4Addr, server: SocketAddr) -> Option<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).ok()?;
    socket.bind(&SocketAddr::from((source, 0)).into()).ok()?;
    socket.connect_timeout(&server.into(), Duration::from_secs(2)).ok()?;
    Some(socket.into())
}

fn framed(name: &str) -> Vec<u8> {
    let query = wire::compose(1, name, A, Some(1232));
    let mut bytes = (query.len() as u16).to_be_bytes().to_vec();
    bytes.extend(query);
    bytes
}

fn idle(_: &str) -> Vec<Figure> {
    rlimit::increase_nofile_limit(u64::MAX).ok();
    let world = World::new();
    let resolver = resolvers::start_meridian_in(world.path(), "open", "  allow: any", "");
    let server = resolver.address;
    ask::once(server, "warm.good.example.", A, Duration::from_secs(5));
    let before = resolver.server.resident();
    // Each has asked once, as stub resolvers do that keep their connection.
    let query = framed("warm.good.example.");
    let idle: Vec<TcpStream> = (0..10_000u32)
        .filter_map(|number| {
            let mut stream = connect(Ipv4Addr::new(198, 19, (number % 40) as u8, 1 + (number / 250) as u8), server)?;
            stream.write_all(&query).ok()?;
            Some(stream)
        })
        .collect();
    std::thread::sleep(Duration::from_millis(300));
    let each = resolver.server.resident().saturating_sub(before) as f64 / 1_024.0 / idle.len().max(1) as f64;
    let begun = Instant::now();
    let mut slow: Vec<TcpStream> =
        (0..1_000).filter_map(|n: u32| connect(Ipv4Addr::new(198, 19, 99, 1 + (n % 200) as u8), server)).collect();
    let (mut ok, mut tries) = (0u32, 0u32);
    let mut beside = std::thread::scope(|scope| {
        let client = scope.spawn(move || {
            let ends = ([198, 18, 200, 1].into(), server);
            load::paced(ends, 200, Duration::from_secs(12), Duration::from_secs(1), |_| "warm.good.example.".into())
        });
        let mut octet = 0;
        while begun.elapsed() < Duration::from_secs(13) {
            for stream in &mut slow {
                stream.write_all(&query[octet % query.len()..=octet % query.len()]).ok();
            }
            octet += 1;
            for _ in 0..10 {
                tries += 1;
                ok += u32::from(ask::over_tcp(server, "warm.good.example.", A, Duration::from_secs(2)).is_some());
            }
            std::thread::sleep(Duration::from_millis(900));
        }
        client.join().expect("a client")
    });
    let is_open = |stream: &mut TcpStream| {
        stream.set_nonblocking(true).ok();
        let mut room = [0; 64];
        matches!(stream.read(&mut room), Err(error) if error.kind() == ErrorKind::WouldBlock)
    };
    let open = slow.iter_mut().filter_map(|stream| is_open(stream).then_some(())).count();
    vec![
        at_least("fresh TCP queries answered %", 100.0 * f64::from(ok) / f64::from(tries.max(1)), 100.0),
        at_most("KiB an idle connection", each, 2.0),
        at_most("p99 ms of UDP beside", beside.permille(990), 1.0),
        at_most("slow connections open after 13 s", open as f64, 0.0),
        told("idle connections made", idle.len() as f64),
    ]
}

fn unread(_: &str) -> Vec<Figure> {
    let world = World::new();
    let resolver = resolvers::start_meridian_in(world.path(), "open", "  allow: any", "");
    let server = resolver.address;
    ask::once(server, "warm.good.example.", A, Duration::from_secs(5));
    let before = resolver.server.resident();
    let query = framed("warm.good.example.").repeat(20_000);
    let mut connections: Vec<(TcpStream, usize)> =
        (0..100u8).filter_map(|n| Some((connect(Ipv4Addr::new(198, 19, 90, 1 + n), server)?, 0))).collect();
    for (stream, _) in &connections {
        stream.set_nonblocking(true).expect("a socket can be");
    }
    let mut most = 0;
    let mut beside = std::thread::scope(|scope| {
        let client = scope.spawn(move || {
            let ends = ([198, 18, 200, 1].into(), server);
            load::paced(ends, 200, Duration::from_secs(6), Duration::from_secs(1), |_| "warm.good.example.".into())
        });
        while !client.is_finished() {
            for (stream, written) in &mut connections {
                if let Ok(length) = stream.write(&query[*written..]) {
                    *written += length;
                }
            }
            most = most.max(resolver.server.resident().saturating_sub(before));
            std::thread::sleep(Duration::from_millis(1));
        }
        client.join().expect("a client")
    });
    let written = connections.iter().map(|(_, written)| written).sum::<usize>() / framed("warm.good.example.").len();
    vec![
        at_most("p99 ms of UDP beside", beside.permille(990), 1.0),
        at_most("KiB a connection", most as f64 / 1_024.0 / 100.0, 128.0),
        told("queries written a connection", written as f64 / 100.0),
    ]
}
