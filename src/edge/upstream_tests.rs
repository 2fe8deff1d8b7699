use std::collections::BTreeSet;
use std::net::UdpSocket as StdSocket;
use std::time::Duration;

use super::*;

const FIRST: usize = 100;

struct Stage {
    poll: mio::Poll,
    sockets: UpstreamSockets,
    dice: Dice,
}

impl Stage {
    fn new() -> Self {
        // Tests run beside each other: the same dice would draw the same ports.
        let mut dice = crate::edge::seed::dice().unwrap();
        Self { poll: mio::Poll::new().unwrap(), sockets: UpstreamSockets::new(FIRST, &mut dice), dice }
    }

    fn send(&mut self, exchange: u64, server: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        self.sockets.send(self.poll.registry(), exchange, server, bytes, &mut self.dice)
    }

    /// All that is received until `wanted` results are there, each as exchange and bytes or error.
    fn receive(&mut self, wanted: usize) -> Vec<(u64, Result<Vec<u8>, io::ErrorKind>)> {
        let mut events = mio::Events::with_capacity(64);
        let (mut results, mut buf) = (Vec::new(), [0; 512]);
        while results.len() < wanted {
            self.poll.poll(&mut events, Some(Duration::from_secs(5))).unwrap();
            assert!(!events.is_empty(), "only {results:?}");
            for event in &events {
                assert!(self.sockets.owns(event.token()));
                while let Some((exchange, outcome)) = self.sockets.receive(event.token(), &mut buf) {
                    let outcome = outcome.map(|length| buf[..length].to_vec()).map_err(|fault| fault.kind());
                    results.push((exchange, outcome));
                }
            }
        }
        results
    }
}

fn server(address: &str) -> (StdSocket, SocketAddr) {
    let server = StdSocket::bind(address).unwrap();
    server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let address = server.local_addr().unwrap();
    (server, address)
}

fn query(server: &StdSocket) -> (Vec<u8>, SocketAddr) {
    let mut room = [0; 512];
    let (length, from) = server.recv_from(&mut room).unwrap();
    (room[..length].to_vec(), from)
}

#[test]
fn responses_come_under_their_exchange_in_both_families() {
    let mut stage = Stage::new();
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (server, at) = server(address);
        stage.send(1, at, b"one").unwrap();
        stage.send(2, at, b"two").unwrap();
        let (one, from_one) = query(&server);
        let (two, from_two) = query(&server);
        assert_eq!((&one[..], &two[..]), (&b"one"[..], &b"two"[..]));
        assert_ne!(from_one.port(), from_two.port());
        server.send_to(b"2", from_two).unwrap();
        server.send_to(b"1", from_one).unwrap();
        server.send_to(b"1 again", from_one).unwrap();
        let mut results = stage.receive(3);
        results.sort();
        assert_eq!(results, [(1, Ok(b"1".to_vec())), (1, Ok(b"1 again".to_vec())), (2, Ok(b"2".to_vec()))]);
        stage.sockets.release(1);
        stage.sockets.release(2);
    }
    assert_eq!(stage.sockets.counts(), (4, 0));
}

#[test]
fn a_closed_port_is_told_to_the_exchange() {
    let mut stage = Stage::new();
    let (gone, at) = server("127.0.0.1:0");
    drop(gone);
    stage.send(5, at, b"query").unwrap();
    assert_eq!(stage.receive(1), [(5, Err(io::ErrorKind::ConnectionRefused))]);
}

#[test]
fn nobody_but_the_server_reaches_a_socket_idle_or_not() {
    let mut stage = Stage::new();
    let (server, at) = server("127.0.0.1:0");
    stage.send(1, at, b"query").unwrap();
    let (_, from) = query(&server);
    for _ in 0..2 {
        let prober = StdSocket::bind("127.0.0.1:0").unwrap();
        prober.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        prober.connect(from).unwrap();
        prober.send(b"guess").unwrap();
        // just like a port that nobody has
        assert_eq!(prober.recv(&mut [0; 8]).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        stage.sockets.release(1);
    }
    assert_eq!(stage.sockets.counts(), (1, 0));
}

#[test]
fn a_port_is_used_for_one_server_only_and_not_for_long() {
    let mut stage = Stage::new();
    let servers = [server("127.0.0.1:0"), server("127.0.0.1:0")];
    let mut seen = [BTreeSet::new(), BTreeSet::new()];
    let (mut repeats, mut uses) = (0, Map::with_hasher(keyed(&mut Dice::from_number(1))));
    for exchange in 0..1_500u64 {
        let which = (exchange % 2) as usize;
        stage.send(exchange, servers[which].1, b"query").unwrap();
        let (_, from) = query(&servers[which].0);
        assert!(from.port() >= 1_024);
        repeats += usize::from(!seen[which].insert(from.port()));
        *uses.entry(from.port()).or_insert(0) += 1;
        stage.sockets.release(exchange);
    }
    // A port given up may be drawn again later by chance, hence the slack.
    assert!(seen[0].intersection(&seen[1]).count() <= 5);
    assert!(uses.values().filter(|uses| **uses > bounds::UPSTREAM_SOCKET_USES).count() <= 2);
    assert!(repeats > 500, "only {repeats} of 1500 queries used an open socket");
}

#[test]
fn strays_to_an_idle_socket_are_thrown_away_and_many_close_it() {
    let mut stage = Stage::new();
    let (server, at) = server("127.0.0.1:0");
    let mut events = mio::Events::with_capacity(8);
    for (strays, open) in [(2, 1), (IDLE_DATAGRAMS + 1, 0)] {
        stage.send(1, at, b"query").unwrap();
        let (_, from) = query(&server);
        stage.sockets.release(1);
        for _ in 0..strays {
            server.send_to(b"stray", from).unwrap();
        }
        stage.poll.poll(&mut events, Some(Duration::from_secs(5))).unwrap();
        let token = events.iter().next().unwrap().token();
        assert!(stage.sockets.receive(token, &mut [0; 64]).is_none());
        let before = stage.sockets.counts().0;
        assert!(before == open || (strays > 2 && before <= 1), "{before} open");
    }
}

#[test]
fn the_pool_refuses_past_its_bound_and_evicts_the_idle_before() {
    let mut stage = Stage::new();
    let (server, at) = server("127.0.0.1:0");
    // Fewer descriptors than sockets would show another error, and need not be a fault of the pool.
    let mut under_way = 0u64;
    let fault = loop {
        match stage.send(under_way, at, b"q") {
            Ok(()) => under_way += 1,
            Err(fault) => break fault,
        }
        assert!(under_way <= bounds::UPSTREAM_SOCKETS_MAX as u64);
    };
    if under_way == bounds::UPSTREAM_SOCKETS_MAX as u64 {
        assert_eq!(fault.kind(), io::ErrorKind::QuotaExceeded);
    }
    let (_other, elsewhere) = self::server("127.0.0.1:0");
    assert!(stage.send(u64::MAX, elsewhere, b"q").is_err());
    stage.sockets.release(0);
    // The one idle socket belongs to the first server; it makes room for the second.
    stage.send(u64::MAX, elsewhere, b"q").unwrap();
    drop(server);
}

#[test]
fn unused_sockets_are_closed_in_time() {
    let mut stage = Stage::new();
    let (_server, at) = server("127.0.0.1:0");
    for exchange in 0..20 {
        stage.send(exchange, at, b"q").unwrap();
    }
    for exchange in 0..19 {
        stage.sockets.release(exchange);
    }
    for _ in 0..=TIDY_AGE {
        stage.sockets.tidy();
    }
    assert_eq!(stage.sockets.counts(), (1, 1));
}

#[test]
fn the_idle_are_bounded_and_every_listed_one_is_open() {
    let mut stage = Stage::new();
    let servers: Vec<_> = (0..40).map(|_| server("127.0.0.1:0")).collect();
    let mut exchange = 0;
    for _ in 0..20 {
        let first = exchange;
        for _ in 0..2_000 {
            exchange += 1;
            stage.send(exchange, servers[(exchange % 40) as usize].1, b"q").unwrap();
        }
        (first..=exchange).for_each(|exchange| stage.sockets.release(exchange));
        let sockets = &stage.sockets;
        assert_eq!(sockets.idle.values().map(Vec::len).sum::<usize>(), sockets.idle_count);
        assert!(sockets.idle.values().flatten().all(|index| sockets.places[*index].is_some()));
        assert_eq!(sockets.counts(), (sockets.idle_count, 0));
    }
    assert_eq!(stage.sockets.idle_count, bounds::UPSTREAM_SOCKETS_IDLE);
}
