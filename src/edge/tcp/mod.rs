//! Clients over TCP (RFC 7766): two octets of length before each message, queries in a row, answers as they come.
//!
//! What comes in: connections. What leaves: the queries of each read together by `submit`, every one with a
//! [`TcpReply`] that brings its answer back to the connection. Everything a client can make grow is bounded: connections
//! in all and per network (`places`), queries under way and octets unsent (`reply`), and the time for each
//! (`connection`); a client that does not read is not read from.
#![forbid(unsafe_code)]

mod answers;
mod connection;
mod places;
mod reply;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use self::connection::Connection;
pub use self::places::{TcpPlaces, TcpSettings, connections_within};
use self::reply::Outbox;
pub use self::reply::{Gone, Nudge, TcpReply, TcpStreamReply};
use super::mailbox::Letter;

/// Pause after the system refused to accept: it has run out of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `listener` until `stop` turns true (or its sender is gone); then the connections finish the queries under
/// way and close, and this returns when the last of them has, whichever listener of these `places` took it.
///
/// `submit` is given the queries of one read and says how many of them found no room.
pub async fn serve<S>(listener: TcpListener, places: Arc<TcpPlaces>, submit: S, mut stop: watch::Receiver<bool>)
where
    S: Fn(Vec<Letter>) -> usize + Clone + Send + Sync + 'static,
{
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let outbox = Arc::new(Outbox::default());
                let Some(place) = places.take(peer.ip(), &outbox) else { continue };
                if let Some(connection) = Connection::new(stream, peer, (place, outbox), submit.clone()) {
                    tokio::spawn(connection.serve());
                }
            }
            Err(fault) if is_of_one_connection(&fault) => {}
            // Out of descriptors or memory: the connection still waits, and accepting at once would spin.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
    drop(listener);
    places.close();
    places.emptied().await;
}

/// Whether accepting failed for one connection only (accept(2)), so that the next may be taken at once.
fn is_of_one_connection(fault: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, TimedOut};
    matches!(fault.kind(), ConnectionAborted | ConnectionReset | Interrupted | TimedOut)
}

#[cfg(test)]
mod tests;
