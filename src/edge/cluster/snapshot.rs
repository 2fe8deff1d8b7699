//! A cluster on disk: what was known of it last, so that a server that starts while the API is away answers at once.
//!
//! A head line says what was watched and where; objects follow, each with its length before it; a digest of it all closes
//! the file. Neither reading nor writing holds more than one object.

use std::io::{self, Read, Write};

use ring::digest::{Context, SHA256};

use crate::base::bounds;
use crate::handlers::cluster::objects::Object;

/// The first line of every snapshot: what it is, and in which form.
const MAGIC: &[u8] = b"meridian cluster 1\n";
const DIGEST_LEN: usize = 32;

/// Writes and remembers what was written.
struct Summing<I> {
    inner: I,
    sum: Context,
}

impl<I> Summing<I> {
    fn new(inner: I) -> Self {
        Self { inner, sum: Context::new(&SHA256) }
    }
}

impl<W: Write> Summing<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.sum.update(octets);
        self.inner.write_all(octets)
    }

    fn write_framed(&mut self, octets: &[u8]) -> io::Result<()> {
        let length = u32::try_from(octets.len()).map_err(|_| io::Error::other("an object is too long"))?;
        self.write(&length.to_be_bytes())?;
        self.write(octets)
    }
}

impl<R: Read> Summing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.inner.read_exact(into)?;
        self.sum.update(into);
        Ok(())
    }

    fn read_framed(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        let mut length = [0; 4];
        self.read(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        if length > bounds::CLUSTER_OBJECT_MAX {
            return Err(unfit());
        }
        into.clear();
        into.resize(length, 0);
        self.read(into)
    }
}

fn unfit() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not a snapshot of a cluster")
}

/// Writes `objects` as they were at `saved`, seconds of Unix time; `about` says of what.
///
/// # Errors
/// The system's.
pub(super) fn write(out: impl Write, about: &str, saved: u64, objects: impl Iterator<Item = Object>) -> io::Result<()> {
    let mut out = Summing::new(io::BufWriter::new(out));
    out.write(MAGIC)?;
    out.write(&saved.to_be_bytes())?;
    out.write_framed(about.as_bytes())?;
    for object in objects {
        let octets = postcard::to_allocvec(&object).map_err(|fault| io::Error::other(fault.to_string()))?;
        out.write_framed(&octets)?;
    }
    // No object is empty.
    out.write_framed(&[])?;
    let Summing { mut inner, sum } = out;
    inner.write_all(sum.finish().as_ref())?;
    inner.flush()
}

/// Reads a snapshot of what `about` says, hands out its objects, and tells when it was saved. Whoever takes the objects
/// must forget them if the end shows that the file is damaged.
///
/// # Errors
/// The system's, and [`io::ErrorKind::InvalidData`] for what is no such snapshot.
pub(super) fn read(input: impl Read, about: &str, mut each: impl FnMut(Object)) -> io::Result<u64> {
    let mut input = Summing::new(io::BufReader::new(input));
    let mut magic = [0; MAGIC.len()];
    input.read(&mut magic)?;
    if magic != MAGIC {
        return Err(unfit());
    }
    let mut saved = [0; 8];
    input.read(&mut saved)?;
    let mut octets = Vec::new();
    input.read_framed(&mut octets)?;
    if octets != about.as_bytes() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a snapshot of another cluster, or of another part of it",
        ));
    }
    loop {
        input.read_framed(&mut octets)?;
        if octets.is_empty() {
            break;
        }
        each(postcard::from_bytes(&octets).map_err(|_| unfit())?);
    }
    let Summing { mut inner, sum } = input;
    let mut told = [0; DIGEST_LEN];
    inner.read_exact(&mut told)?;
    if sum.finish().as_ref() == told { Ok(u64::from_be_bytes(saved)) } else { Err(unfit()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handlers::cluster::objects::{
        Addresses, Endpoint, Key, Kind, Namespace, Pod, Port, Protocol, Service, Slice, Target,
    };

    fn key(name: &str) -> Key {
        Key { namespace: "default".into(), name: name.into() }
    }

    fn objects() -> Vec<Object> {
        let port = Port { name: "https".into(), protocol: Protocol::Tcp, number: 443 };
        let endpoint = Endpoint {
            addresses: ["192.0.2.1".parse().unwrap()].into_iter().collect(),
            hostname: Some("one".into()),
            pod: None,
            zone: Some("zone-a".into()),
        };
        vec![
            Object::Namespace(Namespace { name: "default".into(), labels: [("team".into(), "a".into())].into() }),
            Object::Service(Service {
                key: key("web"),
                target: Target::Addresses(
                    ["192.0.2.9", "2001:db8::9"].iter().map(|text| text.parse().unwrap()).collect(),
                ),
                ports: [port.clone()].into(),
                external: Addresses::default(),
            }),
            Object::Slice(Slice {
                key: key("web-1"),
                service: "web".into(),
                cluster: None,
                ports: [port].into(),
                endpoints: [endpoint].into(),
                triggered: Some(7),
            }),
            Object::Pod(Pod {
                key: key("web-pod"),
                addresses: Addresses::default(),
                is_on_host: true,
                started: Some(1),
            }),
        ]
    }

    fn written() -> Vec<u8> {
        let mut file = Vec::new();
        write(&mut file, "a cluster", 1_700_000_000, objects().into_iter()).unwrap();
        file
    }

    #[test]
    fn what_was_written_is_read_again() {
        let mut read_again = Vec::new();
        let saved = read(written().as_slice(), "a cluster", |object| read_again.push(object)).unwrap();
        assert_eq!((saved, read_again), (1_700_000_000, objects()));
        assert!(objects().iter().any(|object| object.kind() == Kind::Pod));
    }

    #[test]
    fn another_clusters_snapshot_is_refused() {
        assert!(read(written().as_slice(), "another cluster", |_| panic!("no object of it")).is_err());
    }

    #[test]
    fn a_damaged_or_shortened_snapshot_is_refused() {
        let whole = written();
        for length in 0..whole.len() {
            assert!(read(&whole[..length], "a cluster", drop).is_err(), "{length} octets");
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x20;
            // When it was saved is only covered by the digest, as all else.
            assert!(read(damaged.as_slice(), "a cluster", drop).is_err(), "octet {at}");
        }
    }
}
