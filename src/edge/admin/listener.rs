//! The admin address's connections: so many at a time, and none that stays silent.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

use crate::base::bounds;

/// Pause after the system refused to accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listener that accepts no more connections than there are places.
pub(super) struct Bounded {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl Bounded {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(bounds::ADMIN_CONNECTIONS)) }
    }
}

impl axum::serve::Listener for Bounded {
    type Io = Timed;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Timed, SocketAddr) {
        loop {
            // The semaphore is never closed; were it, nobody would be let in.
            let Ok(place) = self.places.clone().acquire_owned().await else { std::future::pending().await };
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    let limit = Box::pin(sleep(bounds::ADMIN_IDLE));
                    return (Timed { stream, limit, busy: Busy::default(), _place: place }, peer);
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Whether a connection's request is being served: until it is, the other side waits for us.
#[derive(Clone, Default, Debug)]
pub(super) struct Busy(Arc<AtomicBool>);

impl Busy {
    /// From now on, until what is given is dropped.
    pub(super) fn begin(&self) -> Work {
        self.0.store(true, Ordering::Relaxed);
        Work(self.clone())
    }
}

/// A request that is being served.
pub(super) struct Work(Busy);

impl Drop for Work {
    fn drop(&mut self) {
        let Self(Busy(is_busy)) = self;
        is_busy.store(false, Ordering::Relaxed);
    }
}

impl Connected<IncomingStream<'_, Bounded>> for Busy {
    fn connect_info(stream: IncomingStream<'_, Bounded>) -> Self {
        stream.io().busy.clone()
    }
}

/// A connection that ends unless a response leaves it now and then, or is being made: a request that dribbles in does not
/// keep it.
pub(super) struct Timed {
    stream: TcpStream,
    limit: Pin<Box<Sleep>>,
    busy: Busy,
    _place: OwnedSemaphorePermit,
}

impl Timed {
    fn or_late<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        ready!(self.limit.as_mut().poll(context));
        if !self.busy.0.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.is_written();
        // It was just set: this only says whom to wake.
        ready!(self.limit.as_mut().poll(context));
        Poll::Pending
    }

    fn is_written(&mut self) {
        self.limit.as_mut().reset(Instant::now() + bounds::ADMIN_IDLE);
    }
}

impl AsyncRead for Timed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Pending => self.or_late(cx),
            ready @ Poll::Ready(_) => ready,
        }
    }
}

impl AsyncWrite for Timed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(cx, buf) {
            Poll::Pending => self.or_late(cx),
            ready @ Poll::Ready(_) => {
                self.is_written();
                ready
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
