//! Forwarding that leads back to the server that forwards, and away from it again.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail, and lives in real time"
)]

mod support;

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use support::process::{Server, meridian};
use support::{ask, wait, wire};

const WAIT: Duration = Duration::from_secs(10);
const A: u16 = 1;

/// A resolver that asks whoever it is told of, and knows nothing itself.
fn middleman() -> (SocketAddr, Arc<OnceLock<SocketAddr>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let whom = Arc::new(OnceLock::new());
    let told = Arc::clone(&whom);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            let (query, told, socket) = (buffer[..length].to_vec(), Arc::clone(&told), socket.try_clone().unwrap());
            std::thread::spawn(move || {
                let onward = UdpSocket::bind("127.0.0.1:0").unwrap();
                onward.set_read_timeout(Some(WAIT)).unwrap();
                onward.send_to(&query, told.wait()).unwrap();
                let mut buffer = [0; 4096];
                if let Ok(length) = onward.recv(&mut buffer) {
                    socket.send_to(&buffer[..length], peer).unwrap();
                }
            });
        }
    });
    (address, whom)
}

/// One who denies every name.
fn denier() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            let (_, _, end) = wire::read_question(&buffer[..length]).unwrap();
            let mut reply = buffer[..end].to_vec();
            reply[2..4].copy_from_slice(&[0x81, 0x83]);
            reply[4..12].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
            socket.send_to(&reply, peer).unwrap();
        }
    });
    address
}

fn configuration(upstream: SocketAddr) -> String {
    format!(
        "listen: [\"127.0.0.1:0\"]\nadmin: off\nrecursion: {{hosts: off, dnssec: off, forward: {{\".\": [\"{upstream}\"]}}}}\n\
         zones: {{own.example: {{records: [\"@ SOA ns hostmaster 1 1 1 1 1\", \"@ NS ns\", \"ns A 192.0.2.1\"]}}}}\n"
    )
}

#[test]
fn a_server_that_forwards_to_itself_by_others_says_so_and_answers_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let (upstream, whom) = middleman();
    std::fs::write(folder.path().join("m.yaml"), configuration(upstream)).unwrap();
    let mut server = Server::start("meridian", folder.path(), &[&meridian(), "serve", "--config", "m.yaml"]);
    let address = server.listens_on();
    whom.set(address).unwrap();

    wait::wait_for(|| server.output().contains("forwarding of . leads back to this server"), "the loop is found");
    let refused = ask::once(address, "www.example.", A, WAIT).unwrap();
    assert_eq!(refused.rcode, 2, "SERVFAIL, and at once");
    let own = ask::once(address, "ns.own.example.", A, WAIT).unwrap();
    assert_eq!((own.rcode, own.answer.len()), (0, 1));

    // The operator names somebody else.
    std::fs::write(folder.path().join("m.yaml"), configuration(denier())).unwrap();
    server.signal("HUP");
    wait::wait_for(
        || ask::once(address, "www.example.", A, WAIT).is_some_and(|answer| answer.rcode == 3),
        "what was refused is asked again",
    );
}
