//! Messages to other name servers around zone transfers: one datagram and its answer, or a stream of messages.
//!
//! Every wait has an end: for the connection, for the next message, for the whole.
#![forbid(unsafe_code)]

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::time::{Instant, timeout, timeout_at};

use crate::base::bounds;

/// The address to speak from to `target`: the first of `own` by which it can be reached, since others know us by
/// the addresses that we serve at; none for whatever the system chooses.
#[must_use]
pub fn source_for(target: IpAddr, own: &[IpAddr]) -> Option<IpAddr> {
    let is_fit = |address: &&IpAddr| {
        !address.is_unspecified()
            && address.is_ipv4() == target.is_ipv4()
            && address.is_loopback() == target.is_loopback()
    };
    own.iter().find(is_fit).copied()
}

/// Sends one datagram and waits for the response with the same id.
///
/// # Errors
/// The system's; [`io::ErrorKind::TimedOut`] after `wait`.
pub async fn exchange(target: SocketAddr, own: &[IpAddr], message: &[u8], wait: Duration) -> io::Result<Vec<u8>> {
    let any = if target.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
    let source = source_for(target.ip(), own).unwrap_or(any);
    // The system draws the port; connected, the socket hears nobody else.
    let socket = UdpSocket::bind(SocketAddr::new(source, 0)).await?;
    socket.connect(target).await?;
    socket.send(message).await?;
    let mut room = vec![0; bounds::MESSAGE_MAX];
    let receive = async {
        loop {
            let length = socket.recv(&mut room).await?;
            let response = room.get(..length).unwrap_or_default();
            let is_response = response.get(2).is_some_and(|bits| bits & 0x80 != 0);
            if is_response && response.get(..2) == message.get(..2) {
                return Ok(response.to_vec());
            }
        }
    };
    timeout(wait, receive).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// A connection to a primary.
#[derive(Debug)]
pub struct TransferStream {
    stream: TcpStream,
    deadline: Instant,
}

impl TransferStream {
    /// Connects to `target`.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::TimedOut`] after [`bounds::TRANSFER_CONNECT`].
    pub async fn open(target: SocketAddr, own: &[IpAddr]) -> io::Result<Self> {
        let deadline = Instant::now() + bounds::TRANSFER_DEADLINE;
        let socket = if target.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(source) = source_for(target.ip(), own) {
            socket.bind(SocketAddr::new(source, 0))?;
        }
        let connected = timeout(bounds::TRANSFER_CONNECT, socket.connect(target)).await;
        let stream = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, deadline })
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::TimedOut`].
    pub async fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let length = u16::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let framed = [&length.to_be_bytes(), message].concat();
        let sent = timeout(bounds::TRANSFER_IDLE, self.stream.write_all(&framed)).await;
        sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// The next message.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::UnexpectedEof`] where the primary closes, [`io::ErrorKind::TimedOut`] where
    /// the message takes longer than [`bounds::TRANSFER_IDLE`] or the whole longer than
    /// [`bounds::TRANSFER_DEADLINE`].
    pub async fn receive(&mut self) -> io::Result<Vec<u8>> {
        let deadline = self.deadline.min(Instant::now() + bounds::TRANSFER_IDLE);
        let receive = async {
            let mut message = vec![0; usize::from(self.stream.read_u16().await?)];
            self.stream.read_exact(&mut message).await?;
            Ok(message)
        };
        timeout_at(deadline, receive).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn we_speak_from_an_address_that_we_serve_at() {
        let own: Vec<IpAddr> =
            ["0.0.0.0", "127.0.0.1", "192.0.2.1", "2001:db8::1"].iter().map(|one| one.parse().unwrap()).collect();
        let source = |target: &str| source_for(target.parse().unwrap(), &own).map(|source| source.to_string());
        assert_eq!(source("192.0.2.9").as_deref(), Some("192.0.2.1"));
        assert_eq!(source("127.0.0.9").as_deref(), Some("127.0.0.1"));
        assert_eq!(source("2001:db8::9").as_deref(), Some("2001:db8::1"));
        assert_eq!(source("::1"), None);
    }

    #[tokio::test]
    async fn only_the_answer_to_our_message_counts() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let target = server.local_addr().unwrap();
        let asked = tokio::spawn(async move { exchange(target, &[], &[1, 2, 0, 0], Duration::from_secs(5)).await });
        let mut room = [0; 16];
        let (_, client) = server.recv_from(&mut room).await.unwrap();
        for answer in [[1, 3, 0x80, 0], [1, 2, 0, 0], [1, 2, 0x80, 9]] {
            server.send_to(&answer, client).await.unwrap();
        }
        assert_eq!(asked.await.unwrap().unwrap(), [1, 2, 0x80, 9]);
    }

    #[tokio::test]
    async fn messages_come_one_by_one_until_the_primary_closes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        let primary = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut query = [0; 5];
            stream.read_exact(&mut query).await.unwrap();
            stream.write_all(&[0, 1, 7, 0, 2, 8]).await.unwrap();
            query
        });
        let mut stream = TransferStream::open(target, &[]).await.unwrap();
        stream.send(&[4, 5, 6]).await.unwrap();
        assert_eq!(stream.receive().await.unwrap(), [7]);
        assert_eq!(stream.receive().await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(primary.await.unwrap(), [0, 3, 4, 5, 6]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_primary_that_falls_silent_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut stream = TransferStream::open(listener.local_addr().unwrap(), &[]).await.unwrap();
        assert_eq!(stream.receive().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
