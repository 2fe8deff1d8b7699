//! How a running server hands its sockets to the one that replaces it: descriptors over a Unix socket.
//!
//! Both hold the same sockets for a while, so no queue is ever closed. The newcomer is given the sockets, makes itself
//! ready while the old one still serves, and then bids it step down; only when the old one says that it takes and
//! changes nothing more does the newcomer begin. Whatever fails before that leaves the old one as it is.
//!
//! ```text
//! newcomer                          incumbent
//!   connect ───────────────────────▶  is it one of us? saves the cache
//!   ◀──────────── "sockets N" + descriptors, several messages
//!   (reads its configuration, zones and cache)
//!   "step down" ───────────────────▶  reads nothing more, saves what it was told
//!   ◀─────────────────────── "yours"
//!   (serves)                          answers what it has under way, ends
//! ```
#![forbid(unsafe_code)]

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_peercred};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen, recv, recvmsg, send,
    sendmsg, socket_with,
};

use crate::base::bounds;

/// Descriptors in one message; the system takes 253 at most.
const AT_A_TIME: usize = 64;
/// Octets of a message.
const MESSAGE_MAX: usize = 64;

const STEP_DOWN: &[u8] = b"step down";
const YOURS: &[u8] = b"yours";

/// What a running server does when it is replaced.
pub trait Incumbent {
    /// The sockets that are served by now.
    ///
    /// # Errors
    /// The system's, where it has no descriptor left.
    fn sockets(&self) -> io::Result<Vec<OwnedFd>>;
    /// Somebody is about to take over: what takes long to save is saved now. Serving goes on.
    fn prepare(&self);
    /// Takes and changes nothing more, from when this returns.
    fn step_down(&self);
}

/// The place where a newcomer can ask for the sockets.
#[derive(Debug)]
pub struct Offer(OwnedFd);

impl Offer {
    /// Opens the place at `path`, for this user alone; one of a former process gives way.
    ///
    /// # Errors
    /// The system's, such as for a path longer than a socket's may be.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut aside = path.as_os_str().to_owned();
        aside.push(".new");
        std::fs::remove_file(&aside).or_else(absent_is_fine)?;
        let socket = unix_socket()?;
        bind(&socket, &SocketAddrUnix::new(Path::new(&aside))?)?;
        std::fs::set_permissions(&aside, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        listen(&socket, 1)?;
        // The newcomer's takes the place of the old one, which goes on with who is connected.
        std::fs::rename(&aside, path)?;
        Ok(Self(socket))
    }

    /// Hands the sockets to newcomers, one after the other, until one has taken over.
    ///
    /// # Errors
    /// The system's, where nobody can connect any more.
    pub fn attend(self, incumbent: &impl Incumbent) -> io::Result<()> {
        loop {
            let newcomer = match accept_with(&self.0, SocketFlags::CLOEXEC) {
                Err(Errno::INTR | Errno::CONNABORTED) => continue,
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                    // Short of something for now; whoever comes waits.
                    std::thread::sleep(bounds::HANDOVER_REST);
                    continue;
                }
                accepted => accepted?,
            };
            // A fault of this connection is the newcomer's to tell; the next may come.
            if is_one_of_us(&newcomer) && serve(&newcomer, incumbent).unwrap_or(false) {
                return Ok(());
            }
        }
    }
}

/// Hands over to one newcomer; whether it has taken over.
fn serve(newcomer: &OwnedFd, incumbent: &impl Incumbent) -> io::Result<bool> {
    incumbent.prepare();
    let sockets = incumbent.sockets()?;
    let mut left = sockets.len();
    for some in sockets.chunks(AT_A_TIME) {
        left -= some.len();
        let fds: Vec<_> = some.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_A_TIME))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&fds));
        let text = left.to_string();
        sendmsg(newcomer, &[IoSlice::new(text.as_bytes())], &mut control, SendFlags::NOSIGNAL)?;
    }
    set_socket_timeout(newcomer, Timeout::Recv, Some(bounds::HANDOVER_START))?;
    let mut buffer = [0; MESSAGE_MAX];
    let (length, _) = recv(newcomer, &mut buffer, RecvFlags::empty())?;
    if buffer.get(..length) != Some(STEP_DOWN) {
        return Ok(false);
    }
    incumbent.step_down();
    // Whether or not it is still there: this one has stepped down.
    send(newcomer, YOURS, SendFlags::NOSIGNAL).ok();
    Ok(true)
}

/// The server that is being replaced.
#[derive(Debug)]
pub struct Predecessor(OwnedFd);

impl Predecessor {
    /// Asks whoever offers its sockets at `path` for them; none where nobody does.
    ///
    /// # Errors
    /// The system's, or that the other does not keep to the order above.
    pub fn meet(path: &Path) -> io::Result<Option<(Self, Vec<OwnedFd>)>> {
        use rustix::io::Errno;
        let socket = unix_socket()?;
        match connect(&socket, &SocketAddrUnix::new(path)?) {
            Err(Errno::NOENT | Errno::CONNREFUSED | Errno::NOTDIR) => return Ok(None),
            connected => connected?,
        }
        set_socket_timeout(&socket, Timeout::Recv, Some(bounds::HANDOVER_SAVE))?;
        let mut sockets = Vec::new();
        loop {
            let mut buffer = [0; MESSAGE_MAX];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_A_TIME))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let received =
                recvmsg(&socket, &mut [IoSliceMut::new(&mut buffer)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(fds) = message {
                    sockets.extend(fds);
                }
            }
            let text = buffer.get(..received.bytes).and_then(|text| std::str::from_utf8(text).ok());
            match text.and_then(|text| text.parse().ok()) {
                Some(0_usize) => return Ok(Some((Self(socket), sockets))),
                Some(_) if sockets.len() <= bounds::HANDOVER_SOCKETS_MAX => {}
                _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "it hands over no sockets")),
            }
        }
    }

    /// Bids the other take nothing more, and waits until it does not.
    ///
    /// # Errors
    /// Where it has ended, or does not say in time that it has stepped down.
    pub fn step_down(self) -> io::Result<()> {
        set_socket_timeout(&self.0, Timeout::Recv, Some(bounds::HANDOVER_STEP_DOWN))?;
        send(&self.0, STEP_DOWN, SendFlags::NOSIGNAL)?;
        let mut buffer = [0; MESSAGE_MAX];
        let (length, _) = recv(&self.0, &mut buffer, RecvFlags::empty())?;
        if buffer.get(..length) == Some(YOURS) {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ended without a word"))
    }
}

fn unix_socket() -> io::Result<OwnedFd> {
    Ok(socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// Whether the other side is root's or our own user's: nobody else gets our sockets, however the folder is guarded.
fn is_one_of_us(newcomer: &OwnedFd) -> bool {
    socket_peercred(newcomer).is_ok_and(|peer| peer.uid.is_root() || peer.uid == rustix::process::geteuid())
}

fn absent_is_fine(fault: io::Error) -> io::Result<()> {
    if fault.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(fault) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Counting([AtomicUsize; 2], Vec<OwnedFd>);

    impl Incumbent for Counting {
        fn sockets(&self) -> io::Result<Vec<OwnedFd>> {
            self.1.iter().map(OwnedFd::try_clone).collect()
        }
        fn prepare(&self) {
            self.0[0].fetch_add(1, Ordering::Relaxed);
        }
        fn step_down(&self) {
            self.0[1].fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn sockets_move_with_what_waits_in_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("handover");
        let offer = Offer::open(&path).unwrap();
        let sockets: Vec<UdpSocket> = (0..130).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        let addresses: Vec<_> = sockets.iter().map(|socket| socket.local_addr().unwrap()).collect();
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"queued", addresses[129]).unwrap();
        let incumbent = Counting(Default::default(), sockets.into_iter().map(Into::into).collect());
        std::thread::scope(|scope| {
            let attending = scope.spawn(|| offer.attend(&incumbent).unwrap());
            // One that fails on the way takes nothing.
            drop(Predecessor::meet(&path).unwrap().expect("somebody is there"));
            let (predecessor, given) = Predecessor::meet(&path).unwrap().expect("still there");
            assert_eq!(incumbent.0[1].load(Ordering::Relaxed), 0);
            predecessor.step_down().unwrap();
            attending.join().unwrap();
            assert_eq!(incumbent.0.each_ref().map(|count| count.load(Ordering::Relaxed)), [2, 1]);
            let given: Vec<UdpSocket> = given.into_iter().map(UdpSocket::from).collect();
            assert_eq!(given.iter().map(|socket| socket.local_addr().unwrap()).collect::<Vec<_>>(), addresses);
            let mut buffer = [0; 16];
            assert_eq!(given[129].recv(&mut buffer).unwrap(), 6);
        });
        assert!(Predecessor::meet(&path).unwrap().is_none(), "nobody is there any more");
    }

    #[test]
    fn where_nobody_offers_anything_there_is_no_predecessor() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Predecessor::meet(&folder.path().join("handover")).unwrap().is_none());
        drop(Offer::open(&folder.path().join("handover")).unwrap());
        assert!(Predecessor::meet(&folder.path().join("handover")).unwrap().is_none());
    }
}
