//! The service manager, where there is one (systemd, or what speaks like it): what it gives us and what it is told.
//!
//! It may give open sockets (`LISTEN_FDS`, `sd_listen_fds(3)`), from a socket unit or from its store of descriptors, and
//! is told over the socket in `NOTIFY_SOCKET` (`sd_notify(3)`) that we are ready, reload, stop or still turn. Sockets
//! given into its store outlive us: queries that come between our end and the next start wait in them.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use listenfd::ListenFd;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
    sendmsg_addr, socket_with,
};

use super::clock::monotonic_microseconds;

/// Descriptors in one message; the system takes 253 at most.
const AT_A_TIME: usize = 64;

/// Sockets that the service manager has opened for us or kept; nothing where it names another process.
#[must_use]
pub fn given() -> Vec<OwnedFd> {
    let mut given = ListenFd::from_env();
    let mut sockets: Vec<OwnedFd> = Vec::new();
    for at in 0..given.len() {
        // What is of the one kind is an error as the other, and stays.
        if let Ok(Some(socket)) = given.take_udp_socket(at) {
            sockets.push(socket.into());
        } else if let Ok(Some(listener)) = given.take_tcp_listener(at) {
            sockets.push(listener.into());
        }
    }
    sockets
}

/// How often the manager wants to hear that we turn; none where it does not watch.
#[must_use]
pub fn watchdog() -> Option<Duration> {
    watchdog_of(|name| std::env::var(name).ok(), std::process::id())
}

fn watchdog_of(variable: impl Fn(&str) -> Option<String>, own: u32) -> Option<Duration> {
    if variable("WATCHDOG_PID").is_some_and(|process| process.parse() != Ok(own)) {
        return None;
    }
    let microseconds = variable("WATCHDOG_USEC")?.parse().ok().filter(|microseconds| *microseconds > 0)?;
    Some(Duration::from_micros(microseconds))
}

/// News for the service manager.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum News {
    /// We serve. With what is to be shown to people.
    Ready(String),
    /// The configuration is being read again; [`News::Ready`] follows.
    Reloading,
    /// We end.
    Stopping,
    /// Everything turns.
    Turning,
}

impl News {
    fn text(&self) -> String {
        match self {
            Self::Ready(status) => format!("READY=1\nSTATUS={status}\n"),
            // Units of the type notify-reload match the answer to their order by the time.
            Self::Reloading => format!("RELOADING=1\nMONOTONIC_USEC={}\n", monotonic_microseconds()),
            Self::Stopping => "STOPPING=1\nSTATUS=answering what was asked\n".into(),
            Self::Turning => "WATCHDOG=1\n".into(),
        }
    }
}

/// Tells the service manager, where there is one; that it does not listen is its own affair.
pub fn tell(news: &News) {
    if let Some(place) = std::env::var_os("NOTIFY_SOCKET") {
        say(&place, &news.text(), &[]).ok();
    }
}

/// Gives the sockets of `address` into the manager's store, which takes each once.
pub fn keep(address: SocketAddr, sockets: &[OwnedFd]) {
    let Some(place) = std::env::var_os("NOTIFY_SOCKET") else { return };
    for some in sockets.chunks(AT_A_TIME) {
        say(&place, &format!("FDSTORE=1\nFDNAME={}\n", stored_name(address)), some).ok();
    }
}

/// Takes the sockets of `address` out of the manager's store.
pub fn forget(address: SocketAddr) {
    if let Some(place) = std::env::var_os("NOTIFY_SOCKET") {
        say(&place, &format!("FDSTOREREMOVE=1\nFDNAME={}\n", stored_name(address)), &[]).ok();
    }
}

/// The name in the store, in which a colon would end it.
fn stored_name(address: SocketAddr) -> String {
    address.to_string().replace(':', "_")
}

fn say(place: &OsStr, text: &str, descriptors: &[OwnedFd]) -> io::Result<()> {
    let address = match place.as_bytes().split_first() {
        Some((b'@', name)) => SocketAddrUnix::new_abstract_name(name)?,
        _ => SocketAddrUnix::new(place)?,
    };
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_A_TIME))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !borrowed.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(&borrowed));
    }
    sendmsg_addr(&socket, &address, &[IoSlice::new(text.as_bytes())], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn the_watchdog_is_ours_where_it_names_nobody_else() {
        let variables = |process: &'static str, microseconds: &'static str| {
            move |name: &str| {
                let value = if name == "WATCHDOG_PID" { process } else { microseconds };
                Some(value.to_owned()).filter(|value| !value.is_empty())
            }
        };
        assert_eq!(watchdog_of(variables("", "10000000"), 7), Some(Duration::from_secs(10)));
        assert_eq!(watchdog_of(variables("7", "500000"), 7), Some(Duration::from_millis(500)));
        for (process, microseconds) in [("8", "10000000"), ("7", ""), ("7", "0"), ("7", "soon"), ("x", "5")] {
            assert_eq!(watchdog_of(variables(process, microseconds), 7), None, "{process} {microseconds}");
        }
    }

    #[test]
    fn news_reaches_a_path_and_an_abstract_name() {
        use std::os::linux::net::SocketAddrExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("meridian-test-{}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let listeners = [UnixDatagram::bind(&path).unwrap(), UnixDatagram::bind_addr(&address).unwrap()];
        for (listener, place) in listeners.iter().zip([path.as_os_str().to_owned(), format!("@{name}").into()]) {
            say(&place, &News::Ready("two words".into()).text(), &[]).unwrap();
            let mut buffer = [0; 256];
            let length = listener.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"READY=1\nSTATUS=two words\n");
        }
        assert!(News::Reloading.text().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    }

    #[test]
    fn a_name_in_the_store_has_no_colon() {
        assert_eq!(stored_name("127.0.0.1:53".parse().unwrap()), "127.0.0.1_53");
        assert_eq!(stored_name("[2001:db8::1]:53".parse().unwrap()), "[2001_db8__1]_53");
    }
}
