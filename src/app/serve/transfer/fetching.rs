//! One question to a primary: for its serial, or for the zone.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::Transfers;
use crate::app::config::{Server, ZoneSettings};
use crate::base::bounds;
use crate::dns::{Message, Name, Rcode, RecordType};
use crate::edge::clock::wall_seconds;
use crate::edge::transfer::{TransferStream, exchange};
use crate::handlers::authority::Zone;
use crate::handlers::authority::transfer::{Incoming, Progress, soa_of_zone, soa_query, soa_serial};
use crate::handlers::authority::tsig::{Key, Verifier, sign_request};

/// Why a transfer brought nothing.
pub(super) struct Failed {
    pub(super) why: String,
    /// The same primary may well give the zone whole.
    pub(super) calls_for_axfr: bool,
}

impl From<String> for Failed {
    fn from(why: String) -> Self {
        Self { why, calls_for_axfr: false }
    }
}

/// What is fetched.
#[derive(Clone, Copy)]
pub(super) struct Order<'o> {
    pub(super) is_incremental: bool,
    pub(super) newer_than: Option<u32>,
    pub(super) current: Option<&'o Arc<Zone>>,
}

impl Transfers {
    /// The serial that `server` has of the zone: asked for by datagram, and by TCP where that fails.
    pub(super) async fn serial_at(&self, server: &Server, settings: &ZoneSettings) -> Result<u32, String> {
        let key = self.key_for(server, settings)?;
        for turn in 0..bounds::PROBE_TRIES {
            let (id, query, verifier) = self.soa_question(settings, key.as_ref());
            let wait = bounds::PROBE_TIMEOUT * (1 << turn);
            match exchange(server.address, &self.own, &query, wait).await {
                Ok(answer) => match read_serial(&answer, id, &settings.apex, verifier) {
                    Ok(Some(serial)) => return Ok(serial),
                    // Truncated, forged, or refused: there are primaries that speak of catalogs by TCP only.
                    Ok(None) | Err(_) => break,
                },
                // Refused by the machine, it will be refused again.
                Err(fault) if fault.kind() == io::ErrorKind::ConnectionRefused => return Err(in_words(&fault)),
                Err(_) => {}
            }
        }
        let (id, query, verifier) = self.soa_question(settings, key.as_ref());
        let answer = self.ask_over_tcp(server.address, &query).await.map_err(|fault| in_words(&fault))?;
        let serial = read_serial(&answer, id, &settings.apex, verifier)?;
        serial.ok_or_else(|| "it truncates its answer".into())
    }

    fn soa_question(&self, settings: &ZoneSettings, key: Option<&Arc<Key>>) -> (u16, Vec<u8>, Option<Verifier>) {
        let id = self.new_id();
        let mut query = soa_query(id, &settings.apex, RecordType::SOA, None);
        let verifier = sign(key, &mut query);
        (id, query, verifier)
    }

    async fn ask_over_tcp(&self, target: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = TransferStream::open(target, &self.own).await?;
        stream.send(query).await?;
        stream.receive().await
    }

    /// Fetches the zone from `server`, and tells how it came; none where it gives the version that we have.
    pub(super) async fn fetch(
        &self,
        server: &Server,
        settings: &ZoneSettings,
        order: Order<'_>,
    ) -> Result<Option<(Arc<Zone>, &'static str)>, Failed> {
        let Ok(_place) = self.places_in.acquire().await else { return Err(String::from("we stop").into()) };
        let key = self.key_for(server, settings)?;
        let (id, apex) = (self.new_id(), &settings.apex);
        let soa = order.current.and_then(|zone| soa_of_zone(zone));
        let rtype = if order.is_incremental { RecordType::IXFR } else { RecordType::AXFR };
        let mut query = soa_query(id, apex, rtype, soa.as_ref());
        let mut verifier = sign(key.as_ref(), &mut query);
        let in_failed = |fault: io::Error| Failed::from(in_words(&fault));
        let mut stream = TransferStream::open(server.address, &self.own).await.map_err(in_failed)?;
        stream.send(&query).await.map_err(in_failed)?;
        let mut incoming = Incoming::new(id, apex.clone(), order.is_incremental, order.newer_than);
        loop {
            let message = stream.receive().await.map_err(in_failed)?;
            if let Some(verifier) = &mut verifier {
                verifier.verify(&message, wall_seconds()).map_err(|disbelief| disbelief.to_string())?;
            }
            let progress = incoming.handle_message(&message);
            match progress.map_err(|fault| Failed { why: fault.to_string(), calls_for_axfr: fault.calls_for_axfr() })? {
                Progress::More => {}
                Progress::Done => break,
            }
        }
        if verifier.is_some_and(|verifier| !verifier.is_settled()) {
            return Err(String::from("its last message is not signed").into());
        }
        drop(stream);
        let (current, keyed) = (order.current.cloned(), self.keyed.clone());
        let how = if incoming.is_incremental() { "IXFR" } else { "AXFR" };
        // A large zone takes its time, and the runtime's threads have other things to do.
        let finish = move || incoming.finish(current.as_deref(), &keyed);
        match tokio::task::spawn_blocking(finish).await {
            Ok(Ok(zone)) => Ok(zone.map(|zone| (Arc::new(zone), how))),
            Ok(Err(fault)) => Err(Failed { why: fault.to_string(), calls_for_axfr: fault.calls_for_axfr() }),
            Err(_) => Err(String::from("the zone could not be built").into()),
        }
    }
}

fn sign(key: Option<&Arc<Key>>, query: &mut Vec<u8>) -> Option<Verifier> {
    key.map(|key| sign_request(key, query, wall_seconds()))
}

/// The serial in `answer`; none where it is truncated.
fn read_serial(answer: &[u8], id: u16, apex: &Name, verifier: Option<Verifier>) -> Result<Option<u32>, String> {
    if let Some(mut verifier) = verifier {
        verifier.verify(answer, wall_seconds()).map_err(|disbelief| disbelief.to_string())?;
    }
    let message = Message::parse(answer).map_err(|fault| fault.to_string())?;
    if message.id != id || !message.flags.response {
        return Err("it answers something else".into());
    }
    if message.flags.truncated {
        return Ok(None);
    }
    match soa_serial(&message, apex) {
        Some(serial) => Ok(Some(serial)),
        None if message.rcode != Rcode::NOERROR => Err(format!("it answers {}", message.rcode)),
        None => Err("it has no authoritative SOA record".into()),
    }
}

fn in_words(fault: &io::Error) -> String {
    match fault.kind() {
        io::ErrorKind::TimedOut => "it does not answer in time".into(),
        io::ErrorKind::UnexpectedEof => "it closes the connection before the end".into(),
        _ => fault.to_string(),
    }
}
