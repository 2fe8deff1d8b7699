//! Datagrams by the batch: many queries in with one system call, their answers out with another.
//!
//! What comes in: a readable [`Listener`]. What leaves: up to [`crate::base::bounds::BATCH`] queries, each with its
//! sender, the address it was sent to, and a buffer for its answer. The buffers are kept, so nothing is allocated per
//! packet.
//! Where the system has no `recvmmsg` ([`Batch::one_by_one`]) the same queries and answers move one by one.
#![allow(unsafe_code, reason = "recvmmsg, sendmmsg and packet info have no safe form; all unsafe code is here")]

mod places;
mod portable;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use smallvec::SmallVec;

use super::listen::{Listener, source_of};
use crate::base::bounds::{BATCH, SEND_RETRIES, UDP_QUERY_MAX, UDP_RESPONSE_MAX};

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
        let received =
            if self.one_by_one { self.receive_one_by_one(listener) } else { linux::receive(self, listener, waits) };
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

    /// Sends every answer that is not empty, in order, each from the address that its query was sent to; then the
    /// batch is empty. A refused answer never holds up the others, and a full socket is waited for a few
    /// milliseconds at most.
    pub fn send(&mut self, listener: &Listener) -> Sent {
        #[cfg(target_os = "linux")]
        let sent = if self.one_by_one { self.send_one_by_one(listener) } else { linux::send(self, listener) };
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
        return linux::send_from(listener, bytes, peer, source);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = source_of(listener, local);
    let socket = socket2::SockRef::from(&listener.socket);
    socket.send_to_with_flags(bytes, &peer.into(), NEVER_WAITS).map(|_| ())
}

/// Sleeps until a listener or one of the sockets of `poll` can be read, `longest` at most. Listeners that can be read
/// are marked in `is_ready`, which has a place for each; what is returned says whether `poll` has something to tell.
pub fn await_readable(
    poll: &impl std::os::fd::AsRawFd,
    listeners: &[Listener],
    longest: Duration,
    is_ready: &mut [bool],
) -> bool {
    let wanted = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let mut fds: SmallVec<[libc::pollfd; 8]> = SmallVec::new();
    fds.push(wanted(poll.as_raw_fd()));
    fds.extend(listeners.iter().map(|listener| wanted(std::os::fd::AsRawFd::as_raw_fd(&listener.socket))));
    // Rounded up, or the last part of a millisecond would be spun away.
    let milliseconds = i32::try_from(longest.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX);
    // SAFETY: `fds` holds as many pollfds as are said, alive and exclusively borrowed for the call; the descriptors are
    // open since `poll` and the listeners own them.
    let found = unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, milliseconds) };
    let mut told = fds.iter().map(|fd| found > 0 && fd.revents != 0);
    let has_events = told.next().unwrap_or(false);
    is_ready.iter_mut().zip(told).for_each(|(ready, is_readable)| *ready |= is_readable);
    has_events
}

/// Datagrams that the system has dropped because the listener's buffer was full, since the socket was opened; the number
/// begins anew past 2³². 0 where the system does not tell.
#[must_use]
pub fn drops(listener: &Listener) -> u32 {
    #[cfg(target_os = "linux")]
    return linux::drops(listener);
    #[cfg(not(target_os = "linux"))]
    return 0;
}

/// Whether the same call may succeed a moment later.
fn is_passing(fault: &io::Error) -> bool {
    matches!(fault.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
        || fault.raw_os_error() == Some(libc::ENOBUFS)
}

/// Waits until the socket has room, one millisecond at most.
fn await_room(listener: &Listener) {
    use std::os::fd::AsRawFd;
    let mut wanted = libc::pollfd { fd: listener.socket.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: `wanted` is one pollfd, alive and exclusively borrowed for the call; the descriptor is open since
    // the listener owns it. The result does not matter: the caller tries again either way.
    unsafe { libc::poll(&raw mut wanted, 1, 1) };
}

/// Has the kernel never set DF, and ignore what ICMP says of the path's width.
#[cfg(target_os = "linux")]
pub(super) fn omit_path_mtu(socket: &socket2::Socket, is_v4: bool) -> io::Result<()> {
    if is_v4 {
        linux::set_option(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_OMIT)
    } else {
        linux::set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_OMIT)
    }
}

/// Has the kernel say to which address each datagram was sent.
#[cfg(target_os = "linux")]
pub(super) fn ask_for_local_address(socket: &socket2::Socket, is_v4: bool) -> io::Result<()> {
    if is_v4 {
        linux::set_option(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)
    } else {
        linux::set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)
    }
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

#[cfg(target_os = "linux")]
mod linux {
    use std::mem::{MaybeUninit, size_of, zeroed};
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV6};
    use std::os::fd::AsRawFd;

    use super::{BATCH, Batch, IpAddr, Listener, SEND_RETRIES, Sent, SocketAddr, UDP_QUERY_MAX, io, source_of};
    use super::{await_room, is_passing};

    /// Room for one control message with an `in_pktinfo` or `in6_pktinfo`, aligned for its header.
    type Control = [u64; 8];

    /// Places for the datagrams of a batch, of which only those are written that are needed.
    type Vacant<T> = [MaybeUninit<T>; BATCH];

    const fn vacant<T>() -> Vacant<T> {
        [const { MaybeUninit::uninit() }; BATCH]
    }

    fn no_header() -> libc::mmsghdr {
        // SAFETY: a header is integers and pointers, for which zero is a value.
        unsafe { zeroed() }
    }

    /// A socket address of either family as the kernel writes it.
    #[derive(Clone, Copy)]
    #[repr(C)]
    union SystemAddress {
        v4: libc::sockaddr_in,
        v6: libc::sockaddr_in6,
    }

    impl SystemAddress {
        fn empty() -> Self {
            // SAFETY: both members are plain integers, for which zero is a value.
            unsafe { zeroed() }
        }

        fn of(address: SocketAddr) -> (Self, libc::socklen_t) {
            let mut raw = Self::empty();
            match address {
                SocketAddr::V4(v4) => {
                    raw.v4 = libc::sockaddr_in {
                        sin_family: libc::AF_INET as libc::sa_family_t,
                        sin_port: v4.port().to_be(),
                        sin_addr: libc::in_addr { s_addr: u32::from(*v4.ip()).to_be() },
                        sin_zero: [0; 8],
                    };
                    (raw, size_of::<libc::sockaddr_in>() as libc::socklen_t)
                }
                SocketAddr::V6(v6) => {
                    raw.v6 = libc::sockaddr_in6 {
                        sin6_family: libc::AF_INET6 as libc::sa_family_t,
                        sin6_port: v6.port().to_be(),
                        sin6_flowinfo: v6.flowinfo(),
                        sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                        sin6_scope_id: v6.scope_id(),
                    };
                    (raw, size_of::<libc::sockaddr_in6>() as libc::socklen_t)
                }
            }
        }

        fn read(&self) -> SocketAddr {
            // SAFETY: the union begins zeroed and every member is plain integers, so each is readable at any
            // time; the family stands at the same place in both and says which was written.
            unsafe {
                if i32::from(self.v4.sin_family) == libc::AF_INET6 {
                    let raw = &self.v6;
                    let ip = Ipv6Addr::from(raw.sin6_addr.s6_addr);
                    SocketAddrV6::new(ip, u16::from_be(raw.sin6_port), raw.sin6_flowinfo, raw.sin6_scope_id).into()
                } else {
                    let ip = Ipv4Addr::from(u32::from_be(self.v4.sin_addr.s_addr));
                    SocketAddr::new(ip.into(), u16::from_be(self.v4.sin_port))
                }
            }
        }
    }

    pub(super) fn set_option(socket: &socket2::Socket, level: i32, name: i32, value: i32) -> io::Result<()> {
        let size = size_of::<i32>() as libc::socklen_t;
        // SAFETY: the descriptor is open since `socket` owns it; `value` lives through the call and `size` is its size.
        match unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), size) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    pub(super) fn drops(listener: &Listener) -> u32 {
        let mut numbers = [0_u32; 9]; // SK_MEMINFO_VARS; the last is SK_MEMINFO_DROPS
        let mut size = size_of_val(&numbers) as libc::socklen_t;
        let (fd, into) = (listener.socket.as_raw_fd(), numbers.as_mut_ptr().cast());
        // SAFETY: the descriptor is open since the listener owns it; `numbers` is exclusively borrowed for the call and
        // `size` is its size in octets.
        let outcome = unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_MEMINFO, into, &raw mut size) };
        if outcome == 0 { numbers.last().copied().unwrap_or(0) } else { 0 }
    }

    pub(super) fn receive(batch: &mut Batch, listener: &Listener, waits: bool) -> io::Result<usize> {
        let (mut headers, mut slices): (Vacant<libc::mmsghdr>, Vacant<libc::iovec>) = (vacant(), vacant());
        let (mut names, mut controls): (Vacant<SystemAddress>, Vacant<Control>) = (vacant(), vacant());
        let rooms = batch.queries.chunks_exact_mut(UDP_QUERY_MAX).take(batch.room);
        let places = headers.iter_mut().zip(&mut slices).zip(&mut names).zip(&mut controls).zip(rooms);
        for ((((header, slice), name), control), room) in places {
            let slice = slice.write(libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() });
            let name = name.write(SystemAddress::empty());
            let header = &mut header.write(no_header()).msg_hdr;
            header.msg_name = (&raw mut *name).cast();
            header.msg_namelen = size_of::<SystemAddress>() as libc::socklen_t;
            header.msg_iov = slice;
            header.msg_iovlen = 1;
            if listener.is_wildcard {
                header.msg_control = control.as_mut_ptr().cast();
                header.msg_controllen = size_of::<Control>() as _;
            }
        }
        let flags = if waits { libc::MSG_WAITFORONE } else { libc::MSG_DONTWAIT };
        let (fd, none) = (listener.socket.as_raw_fd(), std::ptr::null_mut());
        // SAFETY: the first `room` headers are written, no more than there are; each points at one slice, one name and
        // perhaps one control buffer of the stated sizes, all alive and borrowed by nobody else until the call returns;
        // the descriptor is open.
        let received = unsafe { libc::recvmmsg(fd, headers.as_mut_ptr().cast(), batch.room as _, flags as _, none) };
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        let places = batch.lengths.iter_mut().zip(&mut batch.peers).zip(&mut batch.locals);
        for (((length, peer), local), (header, name)) in places.zip(headers.iter().zip(&names)).take(received) {
            // SAFETY: the system has received no more than `room`, and so many of both are written.
            let (header, name) = unsafe { (header.assume_init_ref(), name.assume_init_ref()) };
            *length = (header.msg_len as usize).min(UDP_QUERY_MAX);
            *peer = name.read();
            *local = if listener.is_wildcard { local_address(&header.msg_hdr) } else { Some(listener.address.ip()) };
        }
        Ok(received)
    }

    /// The address that a received datagram was sent to.
    fn local_address(header: &libc::msghdr) -> Option<IpAddr> {
        // SAFETY: the kernel has filled the control buffer that `header` points at and set its length; the macros
        // stay within it, and the payload is read unaligned after its type has been checked. Only packet info
        // was asked for, so the first control message is the only one.
        unsafe {
            let control = libc::CMSG_FIRSTHDR(header).as_ref()?;
            match (control.cmsg_level, control.cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info = libc::CMSG_DATA(control).cast::<libc::in_pktinfo>().read_unaligned();
                    // The local address that it came to; for a broadcast, that of the interface.
                    Some(Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr)).into())
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info = libc::CMSG_DATA(control).cast::<libc::in6_pktinfo>().read_unaligned();
                    Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into())
                }
                _ => None,
            }
        }
    }

    /// Has the datagram of `header` leave from `source`, by way of `control`. The interface is left to routing.
    fn set_source(header: &mut libc::msghdr, control: &mut Control, source: IpAddr) {
        *control = [0; 8];
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of::<Control>() as _;
        // SAFETY: `control` is zeroed, aligned for a control header and longer than one with either packet info, so
        // the first header exists and its payload lies within; it is written unaligned.
        unsafe {
            let Some(first) = libc::CMSG_FIRSTHDR(header).as_mut() else { return };
            let (level, kind, size) = match source {
                IpAddr::V4(ip) => {
                    let mut info: libc::in_pktinfo = zeroed();
                    info.ipi_spec_dst.s_addr = u32::from(ip).to_be();
                    libc::CMSG_DATA(first).cast::<libc::in_pktinfo>().write_unaligned(info);
                    (libc::IPPROTO_IP, libc::IP_PKTINFO, size_of::<libc::in_pktinfo>())
                }
                IpAddr::V6(ip) => {
                    let mut info: libc::in6_pktinfo = zeroed();
                    info.ipi6_addr.s6_addr = ip.octets();
                    libc::CMSG_DATA(first).cast::<libc::in6_pktinfo>().write_unaligned(info);
                    (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, size_of::<libc::in6_pktinfo>())
                }
            };
            first.cmsg_level = level;
            first.cmsg_type = kind;
            first.cmsg_len = libc::CMSG_LEN(size as _) as _;
            header.msg_controllen = libc::CMSG_SPACE(size as _) as _;
        }
    }

    pub(super) fn send(batch: &mut Batch, listener: &Listener) -> Sent {
        let (mut headers, mut slices): (Vacant<libc::mmsghdr>, Vacant<libc::iovec>) = (vacant(), vacant());
        let (mut names, mut controls): (Vacant<SystemAddress>, Vacant<Control>) = (vacant(), vacant());
        let replies = batch.replies.iter_mut().zip(&batch.peers).zip(&batch.locals).take(batch.count);
        let places = headers.iter_mut().zip(&mut slices).zip(&mut names).zip(&mut controls);
        let mut filled = 0;
        for (((reply, peer), local), (((header, slice), name), control)) in
            replies.filter(|((reply, _), _)| !reply.is_empty()).zip(places)
        {
            let slice = slice.write(libc::iovec { iov_base: reply.as_mut_ptr().cast(), iov_len: reply.len() });
            let header = &mut header.write(no_header()).msg_hdr;
            let (address, length) = SystemAddress::of(*peer);
            header.msg_namelen = length;
            header.msg_name = (&raw mut *name.write(address)).cast();
            header.msg_iov = slice;
            header.msg_iovlen = 1;
            if let Some(source) = source_of(listener, *local) {
                set_source(header, control.write([0; 8]), source);
            }
            filled += 1;
        }
        let mut outcome = Sent::default();
        let mut tries = SEND_RETRIES;
        let mut at = 0;
        while let Some(rest) = headers.get_mut(at..filled).filter(|rest| !rest.is_empty()) {
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            let (fd, first) = (listener.socket.as_raw_fd(), rest.as_mut_ptr().cast());
            // SAFETY: the `rest` are headers that were written, as the first `filled` are; each points at one slice, one
            // name and perhaps one control buffer of the stated sizes, all alive and unchanged until the call returns; the
            // descriptor is open.
            let taken = unsafe { libc::sendmmsg(fd, first, rest.len() as _, flags as _) };
            match usize::try_from(taken) {
                Ok(taken) if taken > 0 => {
                    at += taken;
                    outcome.sent += taken;
                }
                _ => {
                    let fault = io::Error::last_os_error();
                    if !is_passing(&fault) {
                        // The error is that of the first: it is left out, the others go on.
                        at += 1;
                    } else if tries == 0 {
                        break;
                    } else {
                        tries -= 1;
                        await_room(listener);
                    }
                }
            }
        }
        outcome.unsent = filled - outcome.sent;
        outcome
    }

    pub(super) fn send_from(listener: &Listener, bytes: &[u8], peer: SocketAddr, source: IpAddr) -> io::Result<()> {
        let mut slice = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let (mut name, length) = SystemAddress::of(peer);
        let mut control = [0; 8];
        // SAFETY: a header is integers and pointers, for which zero is a value.
        let mut header: libc::msghdr = unsafe { zeroed() };
        header.msg_name = (&raw mut name).cast();
        header.msg_namelen = length;
        header.msg_iov = &raw mut slice;
        header.msg_iovlen = 1;
        set_source(&mut header, &mut control, source);
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: the header points at one slice, one name and one control buffer of the stated sizes, all alive until
        // the call returns, which only reads them; the descriptor is open.
        let taken = unsafe { libc::sendmsg(listener.socket.as_raw_fd(), &raw const header, flags) };
        if taken < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
