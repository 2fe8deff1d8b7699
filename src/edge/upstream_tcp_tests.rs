use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::edge::mailbox::{Letters, mailbox};

struct Stage {
    _poll: mio::Poll,
    upstream: UpstreamTcp,
    mailbox: Mailbox,
    letters: Letters,
    server: TcpListener,
    at: SocketAddr,
}

async fn stage() -> Stage {
    let poll = mio::Poll::new().unwrap();
    let (mailbox, letters) = mailbox(mio::Waker::new(poll.registry(), mio::Token(0)).unwrap());
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = server.local_addr().unwrap();
    let upstream = UpstreamTcp::new(Handle::current(), Dice::from_number(1));
    Stage { _poll: poll, upstream, mailbox, letters, server, at }
}

impl Stage {
    fn send(&self, exchange: u64, id: u16, text: &str) {
        self.upstream.send(exchange, self.at, message(id, text), self.mailbox.clone());
    }

    async fn responses(&self, wanted: usize) -> BTreeMap<u64, Result<Vec<u8>, ExchangeFault>> {
        let mut all = BTreeMap::new();
        let mut taken = Vec::new();
        while all.len() < wanted {
            self.letters.collect(&mut taken);
            for letter in taken.drain(..) {
                let Letter::Response { exchange, outcome } = letter else { panic!("{letter:?}") };
                assert!(all.insert(exchange, outcome).is_none(), "exchange {exchange} ended twice");
            }
            tokio::task::yield_now().await;
        }
        all
    }
}

/// Something with an id that is long enough to be a message.
fn message(id: u16, text: &str) -> Vec<u8> {
    [&id.to_be_bytes()[..], b"0123456789", text.as_bytes()].concat()
}

async fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = vec![0; usize::from(stream.read_u16().await.unwrap())];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

async fn respond(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_u16(bytes.len() as u16).await.unwrap();
    stream.write_all(bytes).await.unwrap();
}

#[tokio::test]
async fn queries_share_a_connection_and_ids_never_clash() {
    let stage = stage().await;
    stage.send(1, 77, "one");
    stage.send(2, 77, "two");
    stage.send(3, 78, "three");
    let (mut line, _) = stage.server.accept().await.unwrap();
    let mut queries = Vec::new();
    for _ in 0..3 {
        queries.push(receive(&mut line).await);
    }
    assert_ne!(queries[0][..2], queries[1][..2]);
    for query in queries.iter().rev() {
        respond(&mut line, query).await;
    }
    let responses = stage.responses(3).await;
    assert_eq!(responses[&1], Ok(message(77, "one")));
    assert_eq!(responses[&2], Ok(message(77, "two")));
    assert_eq!(responses[&3], Ok(message(78, "three")));
    // and it is used again
    stage.send(4, 1, "four");
    let query = receive(&mut line).await;
    respond(&mut line, &query).await;
    assert_eq!(stage.responses(1).await[&4], Ok(message(1, "four")));
    assert_eq!(stage.upstream.connections(), 1);
}

#[tokio::test]
async fn a_refused_connection_is_told_to_every_exchange() {
    let mut stage = stage().await;
    let spare = TcpListener::bind("127.0.0.1:0").await.unwrap();
    stage.server = spare;
    stage.send(1, 1, "one");
    stage.send(2, 2, "two");
    let responses = stage.responses(2).await;
    assert_eq!(responses.into_values().collect::<Vec<_>>(), [Err(ExchangeFault::Refused), Err(ExchangeFault::Refused)]);
    assert_eq!(stage.upstream.connections(), 0);
}

#[tokio::test]
async fn a_close_with_queries_outstanding_is_a_fault_and_the_next_query_opens_anew() {
    let stage = stage().await;
    stage.send(1, 1, "one");
    let (mut line, _) = stage.server.accept().await.unwrap();
    receive(&mut line).await;
    drop(line);
    assert_eq!(stage.responses(1).await[&1], Err(ExchangeFault::Closed));
    stage.send(2, 2, "two");
    let (mut line, _) = stage.server.accept().await.unwrap();
    let query = receive(&mut line).await;
    respond(&mut line, &query).await;
    assert_eq!(stage.responses(1).await[&2], Ok(message(2, "two")));
}

#[tokio::test]
async fn a_response_to_no_query_is_thrown_away() {
    let stage = stage().await;
    stage.send(1, 1, "one");
    let (mut line, _) = stage.server.accept().await.unwrap();
    let query = receive(&mut line).await;
    respond(&mut line, &message(999, "stray")).await;
    respond(&mut line, b"").await;
    respond(&mut line, &query).await;
    respond(&mut line, &query).await;
    assert_eq!(stage.responses(1).await[&1], Ok(message(1, "one")));
}

#[tokio::test]
async fn a_server_that_says_nothing_times_out_and_an_idle_connection_ends() {
    let stage = stage().await;
    stage.send(1, 1, "one");
    let (mut silent, _) = stage.server.accept().await.unwrap();
    receive(&mut silent).await;
    // Only while nothing is on its way may the clock jump.
    tokio::time::pause();
    tokio::time::advance(bounds::WORK_DEADLINE + Duration::from_secs(1)).await;
    assert_eq!(stage.responses(1).await[&1], Err(ExchangeFault::TimedOut));
    assert_eq!(stage.upstream.connections(), 0);
    tokio::time::resume();

    stage.send(2, 2, "two");
    let (mut line, _) = stage.server.accept().await.unwrap();
    let query = receive(&mut line).await;
    respond(&mut line, &query).await;
    stage.responses(1).await;
    tokio::time::pause();
    tokio::time::advance(bounds::UPSTREAM_TCP_IDLE / 2).await;
    tokio::task::yield_now().await;
    assert_eq!(stage.upstream.connections(), 1);
    tokio::time::advance(bounds::UPSTREAM_TCP_IDLE).await;
    assert_eq!(line.read(&mut [0; 1]).await.unwrap(), 0);
    while stage.upstream.connections() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_connection_carries_a_bounded_number_of_queries() {
    let stage = stage().await;
    let total = u64::from(bounds::UPSTREAM_TCP_QUERIES) + 5;
    let mut accepted = 0;
    let mut sent = 0;
    while sent < total {
        let together = 50.min(total - sent);
        (0..together).for_each(|number| stage.send(sent + number, number as u16, "query"));
        sent += together;
        if accepted == 0 {
            let (mut line, _) = stage.server.accept().await.unwrap();
            accepted += 1;
            tokio::spawn(async move {
                for _ in 0..bounds::UPSTREAM_TCP_QUERIES {
                    let query = receive(&mut line).await;
                    respond(&mut line, &query).await;
                }
                assert_eq!(line.read(&mut [0; 1]).await.unwrap_or(0), 0);
            });
        }
        if sent == total {
            let (mut line, _) = stage.server.accept().await.unwrap();
            for _ in 0..5 {
                let query = receive(&mut line).await;
                respond(&mut line, &query).await;
            }
        }
        assert!(stage.responses(together as usize).await.values().all(Result::is_ok));
    }
}

#[tokio::test]
async fn what_is_no_message_is_not_sent() {
    let stage = stage().await;
    stage.upstream.send(1, stage.at, vec![0; 5], stage.mailbox.clone());
    assert_eq!(stage.responses(1).await[&1], Err(ExchangeFault::Closed));
    assert_eq!(stage.upstream.connections(), 0);
}
