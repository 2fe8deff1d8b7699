//! Servers that misbehave as no real one will: a few threads each, a function from query to reply.
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use super::{ask, wire};

/// How a query came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Udp,
    Tcp,
}

/// A query as a fake server sees it.
pub struct Query<'a> {
    pub bytes: &'a [u8],
    /// In lower case, with the final dot.
    pub name: String,
    pub rtype: u16,
    pub transport: Transport,
    /// Whether it has an OPT record.
    pub edns: bool,
    question_end: usize,
}

impl<'a> Query<'a> {
    fn read(bytes: &'a [u8], transport: Transport) -> Option<Self> {
        let (name, rtype, question_end) = wire::read_question(bytes)?;
        let edns = bytes.get(11).is_some_and(|additional| *additional > 0);
        Some(Self { bytes, name, rtype, transport, edns, question_end })
    }

    /// A reply of header and question alone, not authoritative.
    pub fn reply(&self, rcode: u8) -> Vec<u8> {
        let mut reply = self.bytes[..self.question_end].to_vec();
        reply[2] = 0x80 | (reply[2] & 0x79);
        reply[3] = rcode;
        reply[6..12].fill(0);
        reply
    }

    /// An empty reply with TC=1.
    pub fn truncated(&self) -> Vec<u8> {
        let mut reply = self.reply(0);
        reply[2] |= 0x06;
        reply
    }

    /// A referral up to the root: the sign of a server that does not know the zone.
    pub fn upward_referral(&self) -> Vec<u8> {
        let mut reply = self.reply(0);
        reply[9] = 1;
        reply.extend([0, 0, 2, 0, 1, 0, 1, 0, 0]);
        let target = wire::compose_name("a.rootns.");
        reply.extend([0, u8::try_from(target.len()).expect("a short name")]);
        reply.extend(target);
        reply
    }

    /// What the server at `backend` replies, by the same transport.
    pub fn relay(&self, backend: IpAddr) -> Option<Vec<u8>> {
        let backend = SocketAddr::new(backend, 53);
        let wait = Duration::from_secs(2);
        if self.transport == Transport::Tcp {
            return ask::exchange_tcp(backend, self.bytes, wait);
        }
        let socket = ask::socket(backend);
        socket.set_read_timeout(Some(wait)).ok()?;
        socket.send(self.bytes).ok()?;
        let mut buffer = vec![0; 65_535];
        let length = socket.recv(&mut buffer).ok()?;
        buffer.truncate(length);
        Some(buffer)
    }
}

/// What a fake server does with a query; nothing is silence.
pub type Behaviour = dyn Fn(&Query) -> Option<Vec<u8>> + Send + Sync;

/// Starts a fake server at `address`, port 53, for the rest of the process's life.
pub fn start(address: IpAddr, behaviour: impl Fn(&Query) -> Option<Vec<u8>> + Send + Sync + 'static) {
    let behaviour: Arc<Behaviour> = Arc::new(behaviour);
    let socket = UdpSocket::bind((address, 53)).expect("an address of the tree");
    let listener = TcpListener::bind((address, 53)).expect("an address of the tree");
    let udp = Arc::clone(&behaviour);
    std::thread::spawn(move || serve_udp(&socket, &*udp));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let behaviour = Arc::clone(&behaviour);
            std::thread::spawn(move || serve_tcp(stream, &*behaviour));
        }
    });
}

fn serve_udp(socket: &UdpSocket, behaviour: &Behaviour) {
    let mut buffer = vec![0; 65_535];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        let reply = Query::read(&buffer[..length], Transport::Udp).and_then(|query| behaviour(&query));
        if let Some(reply) = reply {
            socket.send_to(&reply, from).ok();
        }
    }
}

fn serve_tcp(mut stream: TcpStream, behaviour: &Behaviour) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    loop {
        let mut length = [0; 2];
        stream.read_exact(&mut length).ok()?;
        let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut bytes).ok()?;
        let reply = Query::read(&bytes, Transport::Tcp).and_then(|query| behaviour(&query))?;
        let mut framed = u16::try_from(reply.len()).ok()?.to_be_bytes().to_vec();
        framed.extend(reply);
        stream.write_all(&framed).ok()?;
    }
}

/// Starts a fake server at `address`, port 53, whose answers may be several messages (over UDP: the first) and
/// which closes a connection after them unless the behaviour says that it falls silent.
pub fn start_streaming(address: &str, behaviour: impl Fn(&Query) -> (Vec<Vec<u8>>, bool) + Send + Sync + 'static) {
    let behaviour = Arc::new(behaviour);
    let address: IpAddr = address.parse().expect("an address");
    let socket = UdpSocket::bind((address, 53)).expect("a local address");
    let listener = TcpListener::bind((address, 53)).expect("a local address");
    let udp = Arc::clone(&behaviour);
    std::thread::spawn(move || serve_udp(&socket, &move |query: &Query| udp(query).0.into_iter().next()));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let behaviour = Arc::clone(&behaviour);
            std::thread::spawn(move || stream_messages(stream, &*behaviour));
        }
    });
}

fn stream_messages(mut stream: TcpStream, behaviour: &dyn Fn(&Query) -> (Vec<Vec<u8>>, bool)) -> Option<()> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut bytes).ok()?;
    let (messages, is_silent) = behaviour(&Query::read(&bytes, Transport::Tcp)?);
    for message in messages {
        stream.write_all(&u16::try_from(message.len()).ok()?.to_be_bytes()).ok()?;
        stream.write_all(&message).ok()?;
    }
    if is_silent {
        stream.read_exact(&mut length).ok()?; // until the other side has had enough
    }
    Some(())
}
