//! What a running server does for the one that replaces it: offers its sockets, and steps down when it is bid to.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;

use tokio::sync::mpsc as slots;
use tracing::{info, warn};

use super::control::Control;
use super::doors::HANDOVER;
use crate::edge::handover::{Incumbent, Offer};

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

/// Offers the sockets `spare` in the folder `state` to whoever comes; what is returned receives bids to step down, and
/// never does where there is no such folder.
#[must_use]
pub fn offer(state: Option<&Path>, spare: Vec<OwnedFd>, control: &Arc<Control>) -> Bids {
    let (bids, arriving) = slots::channel(1);
    let Some(place) = state.map(|state| state.join(HANDOVER)) else { return arriving };
    let reigning = Reigning { control: Arc::clone(control), bids };
    let begin = || {
        let offer = Offer::open(&place)?;
        let attend = move || match offer.attend(&spare, &reigning) {
            Ok(()) => drop(spare),
            Err(fault) => warn!("the sockets are offered to no successor any more: {fault}"),
        };
        std::thread::Builder::new().name("meridian-offer".into()).spawn(attend)
    };
    if let Err(fault) = begin() {
        warn!("{}: {fault}; a successor cannot take over", place.display());
    }
    arriving
}
