//! What a running server does for the one that replaces it: offers its sockets, and steps down when it is bid to.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc as slots;
use tracing::{info, warn};

use super::control::Control;
use super::doors::Doors;
use super::lookout::Lookout;
use super::signals::Signals;
use super::threshold::HANDOVER;
use super::transfer::Transfers;
use super::updates::Updates;
use crate::edge::handover::{Incumbent, Offer};
use crate::edge::mailbox::{Letter, Mailbox};

/// A successor's bid to step down; dropped once that is done.
#[derive(Debug)]
pub struct Bid(#[expect(dead_code, reason = "who bids waits until it is dropped")] mpsc::Sender<()>);

/// Where bids arrive.
pub type Bids = slots::Receiver<Bid>;

struct Reigning {
    control: Arc<Control>,
    bids: slots::Sender<Bid>,
}

impl Incumbent for Reigning {
    fn sockets(&self) -> io::Result<Vec<OwnedFd>> {
        self.control.doors().map_or_else(|| Ok(Vec::new()), Doors::sockets)
    }

    fn prepare(&self) {
        info!("a successor has come: saving what it can begin with");
        self.control.save();
    }

    fn step_down(&self) {
        let (bid, is_done) = mpsc::channel();
        if self.bids.blocking_send(Bid(bid)).is_err() {
            // We end already. The successor goes on when the process has, and the state is settled.
            loop {
                std::thread::park();
            }
        }
        is_done.recv().ok();
    }
}

/// The place in the folder `state` where a successor asks for the sockets: it may come from now on, and waits. None where
/// there is no such folder.
#[must_use]
pub fn open(state: Option<&Path>) -> Option<Offer> {
    let place = state?.join(HANDOVER);
    let told = |fault| warn!("{}: {fault}; a successor cannot take over", place.display());
    Offer::open(&place).map_err(told).ok()
}

/// Hands the sockets to whoever comes; what is returned receives bids to step down, and never does where nothing
/// is offered.
#[must_use]
pub fn attend(offer: Option<Offer>, control: &Arc<Control>) -> Bids {
    let (bids, arriving) = slots::channel(1);
    let reigning = Reigning { control: Arc::clone(control), bids };
    let Some(offer) = offer else { return arriving };
    let attend = move || {
        if let Err(fault) = offer.attend(&reigning) {
            warn!("the sockets are offered to no successor any more: {fault}");
        }
    };
    if let Err(fault) = std::thread::Builder::new().name("meridian-offer".into()).spawn(attend) {
        warn!("a successor cannot take over: {fault}");
    }
    arriving
}

/// How often it is looked after the successor.
const LOOK: Duration = Duration::from_secs(1);
/// For how long it may say nothing, as when a machine is short of everything.
const PATIENCE: Duration = Duration::from_secs(5);

/// Rests after another has taken over, until we are told to end, or it has gone and nobody serves `address` any more.
///
/// Where whoever started us starts us again once we end, as a cluster does with what runs on its nodes, we would take
/// back what we have just handed over.
pub(super) async fn rest(mut signals: Signals, address: SocketAddr) {
    info!("resting until told to end; the other serves");
    loop {
        tokio::select! {
            () = signals.end() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let looked = tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await;
        if !matches!(looked, Ok(Ok(_))) {
            return warn!("nobody serves {address} any more");
        }
    }
}

/// Those who change what outlives the process.
pub struct Settled {
    /// Health and overrides.
    pub lookout: Arc<Lookout>,
    /// Zones of others.
    pub transfers: Arc<Transfers>,
    /// Zones that updates change.
    pub updates: Arc<Updates>,
}

/// Takes nothing more in, and leaves what outlives the process as it is from now on to another.
pub async fn step_down(control: &Arc<Control>, doors: &Doors, mailboxes: &[Mailbox], settled: Settled) {
    let (told, all_left) = mpsc::channel();
    for mailbox in mailboxes {
        mailbox.post(Letter::HandOn(told.clone())).ok(); // an order is never refused
    }
    drop(told);
    doors.shut();
    // What has come in changes what it asked to change before that is written down for the last time.
    doors.await_commands().await;
    let control = Arc::clone(control);
    let settle = move || {
        all_left.recv().ok(); // an error says that nobody holds the other end any more
        control.await_desk();
        control.retire();
        settled.transfers.retire();
        settled.updates.retire();
        settled.lookout.retire();
        control.trustee().retire();
    };
    tokio::task::spawn_blocking(settle).await.ok();
}
