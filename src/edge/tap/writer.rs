//! The task that writes: it connects, agrees with the reader, writes what waits, and begins again when the reader has
//! gone. While nobody reads, the queue fills up and what comes then is dropped where it comes in.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tracing::{info, warn};

use super::message::{Signature, encode};
use super::{TapPeer, Told, frames};
use crate::base::bounds;
use crate::base::tally::{Event, Tally};

/// Messages written at once.
const TOGETHER: usize = 256;
/// The first pause before another try to connect; it doubles.
const PAUSE_MIN: Duration = Duration::from_millis(250);

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// What waits to be written.
pub(super) struct Inbox {
    pub(super) queue: mpsc::Receiver<Told>,
    /// Octets of it.
    pub(super) waiting: Arc<AtomicUsize>,
    /// Whether it is to be written to the end; as well when nobody is left to say so.
    pub(super) is_closing: watch::Receiver<bool>,
}

impl Inbox {
    /// Returns once no more comes.
    async fn closes(&mut self) {
        self.is_closing.wait_for(|is_closing| *is_closing).await.ok();
    }
}

pub(super) struct Writer {
    peer: TapPeer,
    signature: Signature,
    inbox: Inbox,
    tally: Arc<Tally>,
    batch: Vec<Told>,
}

impl Writer {
    pub(super) fn new(peer: TapPeer, signature: Signature, inbox: Inbox, tally: Arc<Tally>) -> Self {
        Self { peer, signature, inbox, tally, batch: Vec::with_capacity(TOGETHER) }
    }

    /// Writes until every tap is gone, or one was closed.
    pub(super) async fn run(mut self) {
        let (mut pause, mut was_told) = (PAUSE_MIN, false);
        loop {
            match self.connect().await {
                Ok(mut stream) => {
                    info!("dnstap: {} reads", self.peer);
                    (pause, was_told) = (PAUSE_MIN, false);
                    match self.write_to(&mut stream).await {
                        Ok(()) => return,
                        Err(fault) => warn!("dnstap: {} reads no more: {fault}", self.peer),
                    }
                }
                Err(fault) if !was_told => {
                    warn!("dnstap: nobody reads at {}: {fault}; it is tried again and again", self.peer);
                    was_told = true;
                }
                Err(_) => {}
            }
            // An end that nobody reads is an end all the same.
            if timeout(pause, self.inbox.closes()).await.is_ok() {
                return;
            }
            pause = (pause * 2).min(bounds::TAP_RECONNECT);
        }
    }

    async fn connect(&self) -> io::Result<BufStream<Box<dyn Stream>>> {
        let connect = async {
            let stream: Box<dyn Stream> = match &self.peer {
                TapPeer::Socket(path) => Box::new(UnixStream::connect(path).await?),
                TapPeer::Tcp(address) => Box::new(TcpStream::connect(address).await?),
            };
            let mut stream = BufStream::new(stream);
            frames::begin(&mut stream).await?;
            stream.flush().await?;
            Ok(stream)
        };
        timeout(bounds::TAP_PATIENCE, connect).await?
    }

    /// Writes what comes until the end, and ends the stream.
    async fn write_to(&mut self, stream: &mut BufStream<Box<dyn Stream>>) -> io::Result<()> {
        let mut is_closing = false;
        loop {
            if is_closing {
                self.take_rest();
            } else {
                let mut octet = [0];
                let queue = &mut self.inbox.queue;
                tokio::select! {
                    _ = queue.recv_many(&mut self.batch, TOGETHER) => {}
                    _ = self.inbox.is_closing.wait_for(|is_closing| *is_closing) => is_closing = true,
                    // A reader says nothing before the end; that it has gone is heard here.
                    read = stream.read(&mut octet) => {
                        let gone = if read? == 0 { io::ErrorKind::UnexpectedEof } else { io::ErrorKind::InvalidData };
                        return Err(gone.into());
                    }
                }
            }
            if is_closing && self.batch.is_empty() && self.inbox.queue.is_empty() {
                return timeout(bounds::TAP_PATIENCE, frames::end(stream)).await?;
            }
            self.write_batch(stream).await?;
        }
    }

    /// Takes of what waits as much as is written at once.
    fn take_rest(&mut self) {
        while self.batch.len() < TOGETHER
            && let Ok(told) = self.inbox.queue.try_recv()
        {
            self.batch.push(told);
        }
    }

    async fn write_batch(&mut self, stream: &mut BufStream<Box<dyn Stream>>) -> io::Result<()> {
        let count = self.batch.len() as u64;
        let octets = self.batch.iter().map(|told| told.bytes.len()).sum();
        let write = async {
            for told in self.batch.drain(..) {
                let frame = encode(told, &self.signature);
                stream.write_u32(frame.len() as u32).await?;
                stream.write_all(&frame).await?;
            }
            stream.flush().await
        };
        let written = timeout(bounds::TAP_PATIENCE, write).await.map_err(io::Error::from).and_then(|written| written);
        self.batch.clear();
        self.inbox.waiting.fetch_sub(octets, Ordering::Relaxed);
        let event = if written.is_ok() { Event::TapWritten } else { Event::TapDropped };
        self.tally.add_among(event, count);
        written
    }
}
