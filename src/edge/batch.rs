//! Datagrams by the batch: many queries in with one system call, their answers out with another.
//!
//! What comes in: a readable [`Listener`]. What leaves: up to [`crate::base::bounds::BATCH`] queries, each with its
//! sender, the address it was sent to, and a buffer for its answer. The buffers are kept, so nothing is allocated per
//! packet.
//! Where the system has no `recvmmsg` ([`Batch::one_by_one`]) the same queries and answers move one by one.

#[cfg(target_os = "linux")]
mod grouping;
mod places;
mod portable;
mod system;

pub use system::await_readable;
use system::await_room;

use std::io;
use std::net::{IpAddr, SocketAddr};

use super::listen::{Listener, source_of};
use crate::base::bounds::{BATCH, UDP_QUERY_MAX, UDP_RESPONSE_MAX};

/// Whether a receive can wait for datagrams.
pub const CAN_WAIT: bool = cfg!(target_os = "linux");
/// The flag with which a send refuses to wait; elsewhere the sockets never do.
#[cfg(target_os = "linux")]
const NEVER_WAITS: i32 = libc::MSG_DONTWAIT;
#[cfg(not(target_os = "linux"))]
const NEVER_WAITS: i32 = 0;
/// The least room of a batch.
const ROOM_MIN: usize = 4;

/// What became of a batch's answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sent {
    /// Answers that the system took.
    pub sent: usize,
    /// Answers that it refused or had no room for.
    pub unsent: usize,
}

/// Buffers for a batch of queries and their answers.
#[derive(Debug)]
pub struct Batch {
    one_by_one: bool,
    /// Whether answers leave in groups: until the system refuses one.
    is_grouping: bool,
    count: usize,
    /// Datagrams that it is filled with next, at most.
    room: usize,
    is_full: bool,
    queries: Box<[u8]>,
    lengths: [usize; BATCH],
    peers: [SocketAddr; BATCH],
    locals: [Option<IpAddr>; BATCH],
    replies: [Vec<u8>; BATCH],
}

impl Batch {
    /// Buffers that are filled and sent by the batch where the system can.
    #[must_use]
    pub fn new() -> Self {
        Self { one_by_one: cfg!(not(target_os = "linux")), ..Self::one_by_one() }
    }

    /// Buffers that are filled and sent with one system call per datagram. On a wildcard listener the system then
    /// chooses the address that answers come from.
    #[must_use]
    pub fn one_by_one() -> Self {
        Self {
            one_by_one: true,
            is_grouping: true,
            count: 0,
            room: BATCH,
            is_full: false,
            queries: vec![0; BATCH * UDP_QUERY_MAX].into_boxed_slice(),
            lengths: [0; BATCH],
            peers: [SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0); BATCH],
            locals: [None; BATCH],
            replies: std::array::from_fn(|_| Vec::with_capacity(UDP_RESPONSE_MAX)),
        }
    }

    /// Fills the batch with waiting datagrams and says how many; what was in it is gone. Unless it [`Batch::is_full`] no
    /// more were waiting.
    ///
    /// # Errors
    /// `WouldBlock` where none is waiting, else the socket's error.
    pub fn receive(&mut self, listener: &Listener) -> io::Result<usize> {
        self.receive_within(listener, false)
    }

    /// As [`Batch::receive`], and where none is waiting it sleeps until one comes, [`crate::base::bounds::QUERY_WAIT`] at
    /// most: one system call where a poll would make two of it. Elsewhere than where it [`CAN_WAIT`] it does not.
    ///
    /// # Errors
    /// The same.
    pub fn await_datagrams(&mut self, listener: &Listener) -> io::Result<usize> {
        self.receive_within(listener, true)
    }

    fn receive_within(&mut self, listener: &Listener, waits: bool) -> io::Result<usize> {
        self.replies.iter_mut().take(self.count).for_each(Vec::clear);
        self.count = 0;
        #[cfg(target_os = "linux")]
        let received = if self.one_by_one {
            self.receive_one_by_one(listener)
        } else {
            system::linux::receive(self, listener, waits)
        };
        #[cfg(not(target_os = "linux"))]
        let (received, _) = (self.receive_one_by_one(listener), waits);
        self.count = *received.as_ref().unwrap_or(&0);
        self.is_full = self.count >= self.room;
        if !self.one_by_one {
            // Each place must be prepared for the system: a lone query is spared what a flood needs. Room is lost by
            // halves, and so not for a pause between two batches.
            self.room = (2 * self.count).max(self.room / 2).clamp(ROOM_MIN, BATCH);
        }
        received
    }

    /// Whether more datagrams may wait than the batch had room for.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.is_full
    }

    /// Sends every answer that is not empty, each from the address that its query was sent to; then the batch is empty.
    /// Answers of one length to one socket leave together, so that one client's need not leave in their order. A refused
    /// answer never holds up the others, and a full socket is waited for a few milliseconds at most.
    pub fn send(&mut self, listener: &Listener) -> Sent {
        #[cfg(target_os = "linux")]
        let sent = if self.one_by_one { self.send_one_by_one(listener) } else { system::linux::send(self, listener) };
        #[cfg(not(target_os = "linux"))]
        let sent = self.send_one_by_one(listener);
        self.replies.iter_mut().take(self.count).for_each(Vec::clear);
        self.count = 0;
        sent
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

/// Sends one answer that comes later than its batch, from `local` where the listener is a wildcard.
///
/// # Errors
/// The socket's; `WouldBlock` where it has no room.
pub fn send_to(listener: &Listener, bytes: &[u8], peer: SocketAddr, local: Option<IpAddr>) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if let Some(source) = source_of(listener, local) {
        return system::linux::send_from(listener, bytes, peer, source);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = source_of(listener, local);
    let socket = socket2::SockRef::from(&listener.socket);
    socket.send_to_with_flags(bytes, &peer.into(), NEVER_WAITS).map(|_| ())
}

/// Datagrams that the system has dropped because the listener's buffer was full, since the socket was opened; the number
/// begins anew past 2³². 0 where the system does not tell.
#[must_use]
pub fn drops(listener: &Listener) -> u32 {
    #[cfg(target_os = "linux")]
    return system::linux::drops(listener);
    #[cfg(not(target_os = "linux"))]
    return 0;
}

/// Whether the same call may succeed a moment later.
fn is_passing(fault: &io::Error) -> bool {
    matches!(fault.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
        || fault.raw_os_error() == Some(libc::ENOBUFS)
}

/// Has the kernel never set DF, and ignore what ICMP says of the path's width.
#[cfg(target_os = "linux")]
pub(super) fn omit_path_mtu(socket: &socket2::Socket, is_v4: bool) -> io::Result<()> {
    if is_v4 {
        system::linux::set_option(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_OMIT)
    } else {
        system::linux::set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_OMIT)
    }
}

/// Has the kernel say to which address each datagram was sent.
#[cfg(target_os = "linux")]
pub(super) fn ask_for_local_address(socket: &socket2::Socket, is_v4: bool) -> io::Result<()> {
    if is_v4 {
        system::linux::set_option(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)
    } else {
        system::linux::set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)
    }
}

/// Has the kernel look at a datagram's checksum before it counts as waiting. It would do so when the datagram is received
/// otherwise, and a receive that finds one broken begins anew, with all the time that it may wait. A kernel checks first
/// where a filter may look at the datagram; this one lets everything in.
#[cfg(target_os = "linux")]
pub(super) fn check_before_queueing(socket: &socket2::Socket) -> io::Result<()> {
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    socket.attach_filter(&[socket2::SockFilter::new(RETURN, 0, 0, u32::MAX)])
}

/// Whether the kernel knows how to cut (Linux 4.18).
#[cfg(target_os = "linux")]
pub(super) fn can_group(socket: &socket2::Socket) -> bool {
    system::linux::has_option(socket, libc::SOL_UDP, libc::UDP_SEGMENT)
}

/// Elsewhere nobody waits for one.
#[cfg(not(target_os = "linux"))]
pub(super) fn check_before_queueing(_: &socket2::Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Elsewhere the system does not cut.
#[cfg(not(target_os = "linux"))]
pub(super) fn can_group(_: &socket2::Socket) -> bool {
    false
}

/// Elsewhere the system's way is kept.
#[cfg(not(target_os = "linux"))]
pub(super) fn omit_path_mtu(_: &socket2::Socket, _: bool) -> io::Result<()> {
    Ok(())
}

/// Elsewhere the system chooses the address that answers come from.
#[cfg(not(target_os = "linux"))]
pub(super) fn ask_for_local_address(_: &socket2::Socket, _: bool) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
