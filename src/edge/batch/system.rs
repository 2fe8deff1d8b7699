//! The system's calls that have no safe form: receiving and sending by the batch, packet info, waiting.
#![allow(unsafe_code, reason = "recvmmsg, sendmmsg and packet info have no safe form; all unsafe code is here")]

use std::os::fd::AsRawFd;
use std::time::Duration;

use smallvec::SmallVec;

use super::super::listen::Listener;

/// Sleeps until a listener or one of the sockets of `poll` can be read, `longest` at most. Listeners that can be read
/// are marked in `is_ready`, which has a place for each; what is returned says whether `poll` has something to tell.
pub fn await_readable(poll: &impl AsRawFd, listeners: &[Listener], longest: Duration, is_ready: &mut [bool]) -> bool {
    let wanted = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let mut fds: SmallVec<[libc::pollfd; 8]> = SmallVec::new();
    fds.push(wanted(poll.as_raw_fd()));
    fds.extend(listeners.iter().map(|listener| wanted(listener.socket.as_raw_fd())));
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

/// Waits until the socket has room, one millisecond at most.
pub(super) fn await_room(listener: &Listener) {
    let mut wanted = libc::pollfd { fd: listener.socket.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: `wanted` is one pollfd, alive and exclusively borrowed for the call; the descriptor is open since
    // the listener owns it. The result does not matter: the caller tries again either way.
    unsafe { libc::poll(&raw mut wanted, 1, 1) };
}

#[cfg(target_os = "linux")]
pub(super) mod linux {
    use std::io;
    use std::mem::{MaybeUninit, size_of, zeroed};
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
    use std::os::fd::AsRawFd;

    use super::super::super::listen::source_of;
    use super::super::grouping::{Groups, Leaving};
    use super::super::{Batch, Sent, is_passing, send_to};
    use super::{Listener, await_room};
    use crate::base::bounds::{BATCH, SEND_RETRIES, UDP_QUERY_MAX};

    /// Room for control messages with an `in_pktinfo` or `in6_pktinfo` and a length of segments, aligned for their headers.
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

    pub(in super::super) fn set_option(socket: &socket2::Socket, level: i32, name: i32, value: i32) -> io::Result<()> {
        let size = size_of::<i32>() as libc::socklen_t;
        // SAFETY: the descriptor is open since `socket` owns it; `value` lives through the call and `size` is its size.
        match unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), size) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Whether the system knows an option.
    pub(in super::super) fn has_option(socket: &socket2::Socket, level: i32, name: i32) -> bool {
        let (mut value, mut size) = (0_i32, size_of::<i32>() as libc::socklen_t);
        let fd = socket.as_raw_fd();
        // SAFETY: the descriptor is open since `socket` owns it; `value` is exclusively borrowed for the call and `size` is
        // its size in octets.
        unsafe { libc::getsockopt(fd, level, name, (&raw mut value).cast(), &raw mut size) == 0 }
    }

    pub(in super::super) fn drops(listener: &Listener) -> u32 {
        let mut numbers = [0_u32; 9]; // SK_MEMINFO_VARS; the last is SK_MEMINFO_DROPS
        let mut size = size_of_val(&numbers) as libc::socklen_t;
        let (fd, into) = (listener.socket.as_raw_fd(), numbers.as_mut_ptr().cast());
        // SAFETY: the descriptor is open since the listener owns it; `numbers` is exclusively borrowed for the call and
        // `size` is its size in octets.
        let outcome = unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_MEMINFO, into, &raw mut size) };
        if outcome == 0 { numbers.last().copied().unwrap_or(0) } else { 0 }
    }

    pub(in super::super) fn receive(batch: &mut Batch, listener: &Listener, waits: bool) -> io::Result<usize> {
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
            *local =
                if listener.is_wildcard { local_address(&header.msg_hdr, peer) } else { Some(listener.address.ip()) };
        }
        Ok(received)
    }

    /// The address that a received datagram was sent to. Of one that is unique on its link alone, the link goes with
    /// `peer`, whose scope says nothing else: the system wants to know it when the answer leaves.
    fn local_address(header: &libc::msghdr, peer: &mut SocketAddr) -> Option<IpAddr> {
        // SAFETY: the kernel has filled the control buffer that `header` points at and set its length; the macros
        // stay within it, and the payload is read unaligned after its type has been checked. Only packet info
        // was asked for, so the first control message is the only one.
        unsafe {
            let control = libc::CMSG_FIRSTHDR(header);
            if control.is_null() {
                return None;
            }
            match ((*control).cmsg_level, (*control).cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info = libc::CMSG_DATA(control).cast::<libc::in_pktinfo>().read_unaligned();
                    // The local address that it came to; for a broadcast, that of the interface.
                    Some(Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr)).into())
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info = libc::CMSG_DATA(control).cast::<libc::in6_pktinfo>().read_unaligned();
                    let local = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                    if let SocketAddr::V6(peer) = peer
                        && local.is_unicast_link_local()
                    {
                        peer.set_scope_id(info.ipi6_ifindex as u32);
                    }
                    Some(local.into())
                }
                _ => None,
            }
        }
    }

    /// Adds a control message to those of `header`, which all stand in `control`. It has room for one of each kind.
    fn add_control<T: Copy>(header: &mut libc::msghdr, control: &mut Control, (level, kind): (i32, i32), value: T) {
        let at: usize = header.msg_controllen as _;
        // SAFETY: these only compute.
        let (length, space) = unsafe { (libc::CMSG_LEN(size_of::<T>() as _), libc::CMSG_SPACE(size_of::<T>() as _)) };
        if at + space as usize > size_of::<Control>() {
            return;
        }
        // SAFETY: `control` is written, and aligned for a control header, as is `at`, a sum of CMSG_SPACEs; header and
        // payload lie within it, as was checked, and the payload is written unaligned.
        unsafe {
            let message = control.as_mut_ptr().byte_add(at).cast::<libc::cmsghdr>();
            (*message).cmsg_level = level;
            (*message).cmsg_type = kind;
            (*message).cmsg_len = length as _;
            libc::CMSG_DATA(message).cast::<T>().write_unaligned(value);
        }
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = (at + space as usize) as _;
    }

    /// Has the datagram of `header` to `peer` leave from `source`, by way of `control`. The interface is left to routing,
    /// unless the source is unique on its link alone.
    fn set_source(header: &mut libc::msghdr, control: &mut Control, source: IpAddr, peer: SocketAddr) {
        // SAFETY: both are integers, for which zero is a value.
        let (mut v4, mut v6): (libc::in_pktinfo, libc::in6_pktinfo) = unsafe { (zeroed(), zeroed()) };
        match source {
            IpAddr::V4(ip) => {
                v4.ipi_spec_dst.s_addr = u32::from(ip).to_be();
                add_control(header, control, (libc::IPPROTO_IP, libc::IP_PKTINFO), v4);
            }
            IpAddr::V6(ip) => {
                v6.ipi6_addr.s6_addr = ip.octets();
                if let SocketAddr::V6(peer) = peer
                    && ip.is_unicast_link_local()
                {
                    v6.ipi6_ifindex = peer.scope_id() as _; // of another sign elsewhere
                }
                add_control(header, control, (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO), v6);
            }
        }
    }

    pub(in super::super) fn send(batch: &mut Batch, listener: &Listener) -> Sent {
        let Batch { replies, peers, locals, count, is_grouping, .. } = batch;
        let leaving = |number: u8| {
            let at = usize::from(number);
            let length = replies.get(at)?.len();
            (length > 0).then_some(Leaving { length, peer: *peers.get(at)?, local: *locals.get(at)? })
        };
        let groups = if *is_grouping && listener.can_group {
            Groups::of(*count, leaving)
        } else {
            Groups::of_one(*count, leaving)
        };
        let (mut headers, mut slices): (Vacant<libc::mmsghdr>, Vacant<libc::iovec>) = (vacant(), vacant());
        let (mut names, mut controls): (Vacant<SystemAddress>, Vacant<Control>) = (vacant(), vacant());
        let answers = groups.iter().flatten().filter_map(|number| replies.get(usize::from(*number)));
        for (slice, answer) in slices.iter_mut().zip(answers) {
            slice.write(libc::iovec { iov_base: answer.as_ptr().cast_mut().cast(), iov_len: answer.len() });
        }
        let mut filled = 0;
        let mut slice = slices.as_mut_ptr().cast::<libc::iovec>();
        for (group, ((header, name), control)) in
            groups.iter().zip(headers.iter_mut().zip(&mut names).zip(&mut controls))
        {
            let Some(first) = group.first().and_then(|first| leaving(*first)) else { break };
            let header = &mut header.write(no_header()).msg_hdr;
            header.msg_iov = slice;
            header.msg_iovlen = group.len() as _; // of another width elsewhere
            slice = slice.wrapping_add(group.len());
            let (address, length) = SystemAddress::of(first.peer);
            header.msg_namelen = length;
            header.msg_name = (&raw mut *name.write(address)).cast();
            let source = source_of(listener, first.local);
            if source.is_some() || group.len() > 1 {
                let control = control.write([0; 8]);
                if let Some(source) = source {
                    set_source(header, control, source, first.peer);
                }
                if group.len() > 1 {
                    add_control(header, control, (libc::SOL_UDP, libc::UDP_SEGMENT), first.length as u16);
                }
            }
            filled += 1;
        }
        let mut outcome = Sent::default();
        let mut tries = SEND_RETRIES;
        let mut at = 0;
        while let Some(rest) = headers.get_mut(at..filled).filter(|rest| !rest.is_empty()) {
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            let (fd, first) = (listener.socket.as_raw_fd(), rest.as_mut_ptr().cast());
            // SAFETY: the `rest` are headers that were written, as the first `filled` are; each points at its slices, which
            // lie side by side, at one name and perhaps one control buffer of the stated sizes, all alive and unchanged until
            // the call returns, which only reads them; the descriptor is open.
            let taken = unsafe { libc::sendmmsg(fd, first, rest.len() as _, flags as _) };
            match usize::try_from(taken) {
                Ok(taken) if taken > 0 => {
                    outcome.sent += groups.iter().skip(at).take(taken).map(<[u8]>::len).sum::<usize>();
                    at += taken;
                }
                _ => {
                    let fault = io::Error::last_os_error();
                    let refused = groups.iter().nth(at).map_or(0, <[u8]>::len);
                    if is_passing(&fault) {
                        if tries == 0 {
                            break;
                        }
                        tries -= 1;
                        await_room(listener);
                    } else if refused > 1
                        && let Some(errno @ (libc::EIO | libc::EINVAL | libc::EMSGSIZE)) = fault.raw_os_error()
                    {
                        let group = groups.iter().nth(at).unwrap_or_default();
                        let alone = |number: &&u8| {
                            let at = usize::from(**number);
                            let (Some(bytes), Some(peer)) = (replies.get(at), peers.get(at)) else { return false };
                            send_to(listener, bytes, *peer, locals.get(at).copied().flatten()).is_ok()
                        };
                        let sent = group.iter().filter(alone).count();
                        outcome.sent += sent;
                        at += 1;
                        // What goes alone was refused for being cut: here nothing can be. Or it was too long for a narrow
                        // path before it was cut, which says nothing of others.
                        *is_grouping &= sent == 0 || errno == libc::EMSGSIZE;
                    } else {
                        // The error is that of the first: it is left out, the others go on.
                        at += 1;
                    }
                }
            }
        }
        outcome.unsent = groups.answers() - outcome.sent;
        outcome
    }

    pub(in super::super) fn send_from(
        listener: &Listener,
        bytes: &[u8],
        peer: SocketAddr,
        source: IpAddr,
    ) -> io::Result<()> {
        let mut slice = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let (mut name, length) = SystemAddress::of(peer);
        let mut control = [0; 8];
        // SAFETY: a header is integers and pointers, for which zero is a value.
        let mut header: libc::msghdr = unsafe { zeroed() };
        header.msg_name = (&raw mut name).cast();
        header.msg_namelen = length;
        header.msg_iov = &raw mut slice;
        header.msg_iovlen = 1;
        set_source(&mut header, &mut control, source, peer);
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: the header points at one slice, one name and one control buffer of the stated sizes, all alive until
        // the call returns, which only reads them; the descriptor is open.
        let taken = unsafe { libc::sendmsg(listener.socket.as_raw_fd(), &raw const header, flags) };
        if taken < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}
