//! Zone transfers of a running server: who answers secondaries, follows primaries and tells of changes.
//!
//! The decisions are [`crate::handlers::authority::transfer`]'s; here are the tasks that carry messages between it,
//! the network, the files in `state` and the [`Keeper`]. One task follows each secondary zone, one hears of all
//! changes, and each request is answered in a task of the desk.

mod answering;
mod cataloguing;
mod fetching;
mod following;
mod keeping;
mod telling;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

use super::zones::{Cause, Keeper, Witness};
use crate::app::config::{Config, KeyAlgorithm, Server, ZoneSettings};
use crate::base::collections::{Keyed, keyed};
use crate::base::{Dice, bounds};
use crate::dns::Name;
use crate::edge::clock::MachineClock;
use crate::handlers::authority::transfer::History;
use crate::handlers::authority::{Difference, Zone, tsig};

/// Everything that transfers share.
pub struct Transfers {
    keeper: Arc<Keeper>,
    clock: MachineClock,
    /// Where secondary zones are kept, if anywhere.
    state: Option<PathBuf>,
    /// The addresses that we serve at.
    own: Vec<IpAddr>,
    keyed: Keyed,
    dice: Mutex<Dice>,
    /// The past of each zone, for IXFR.
    histories: Mutex<BTreeMap<Name, History>>,
    places_out: Semaphore,
    places_in: Semaphore,
    /// The tasks that follow primaries.
    followed: Mutex<BTreeMap<Name, Followed>>,
    /// Secondaries that are being told of a change; a signal says that there is another one.
    telling: Mutex<BTreeMap<(Name, SocketAddr), watch::Sender<()>>>,
    /// The catalogs that we obey.
    catalogs: Mutex<BTreeMap<Name, cataloguing::Obeyed>>,
}

/// A secondary zone's task; it ends when this is dropped.
struct Followed {
    settings: Arc<ZoneSettings>,
    notes: mpsc::Sender<Note>,
    task: JoinHandle<()>,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A NOTIFY that was accepted.
#[derive(Clone, Copy, Debug)]
struct Note {
    /// The number of the primary that sent it.
    primary: usize,
    serial: Option<u32>,
}

impl Transfers {
    /// Begins to answer, follow and tell, for the zones of `keeper`. To be called within the runtime.
    #[must_use]
    pub fn start(config: &Config, keeper: &Arc<Keeper>, clock: MachineClock, dice: &mut Dice) -> Arc<Self> {
        let transfers = Arc::new(Self {
            keeper: Arc::clone(keeper),
            clock,
            state: config.state.clone(),
            own: config.listen.iter().map(|listen| listen.address.ip()).collect(),
            keyed: keyed(dice),
            dice: Mutex::new(Dice::from_seed(std::array::from_fn(|_| dice.bits() as u8))),
            histories: Mutex::default(),
            places_out: Semaphore::new(bounds::TRANSFERS_OUT_MAX),
            places_in: Semaphore::new(bounds::TRANSFERS_IN_MAX),
            followed: Mutex::default(),
            telling: Mutex::default(),
            catalogs: Mutex::default(),
        });
        keeper.show(Arc::clone(&transfers) as Arc<dyn Witness>);
        transfers.hear();
        transfers.follow_all();
        transfers
    }

    /// Follows no primary any more, so that nothing is written: another process does.
    pub fn retire(&self) {
        held(&self.followed).clear();
        held(&self.catalogs).clear();
    }

    /// The key that messages to and from `server` are signed with, about the zone of `settings`.
    ///
    /// # Errors
    /// In words, where the key is named and is not there: then nothing may be sent.
    fn key_for(&self, server: &Server, settings: &ZoneSettings) -> Result<Option<Arc<tsig::Key>>, String> {
        let Some(name) = server.key.as_ref().or(settings.transfer.key.as_ref()) else { return Ok(None) };
        self.key(name).map(Some).ok_or_else(|| format!("the key {name} is not configured"))
    }

    fn key(&self, name: &Name) -> Option<Arc<tsig::Key>> {
        let key = self.keeper.key(name)?;
        let algorithm = match key.algorithm {
            KeyAlgorithm::HmacSha256 => tsig::Algorithm::HmacSha256,
            KeyAlgorithm::HmacSha384 => tsig::Algorithm::HmacSha384,
            KeyAlgorithm::HmacSha512 => tsig::Algorithm::HmacSha512,
        };
        Some(Arc::new(tsig::Key::new(&key.name, algorithm, &key.secret)))
    }

    fn new_id(&self) -> u16 {
        held(&self.dice).bits16()
    }

    fn history(&self, apex: &Name) -> Option<History> {
        held(&self.histories).get(apex).cloned()
    }
}

impl Witness for Transfers {
    fn replaced(&self, old: Option<&Arc<Zone>>, new: &Arc<Zone>, _: Cause) {
        let Some(old) = old.filter(|old| !Arc::ptr_eq(old, new)) else { return };
        let step = Arc::new(Difference::between(old, new));
        // A file that was read again and says the same is no new version.
        if step.from_serial != step.to_serial || !step.is_empty() {
            held(&self.histories).entry(new.apex().clone()).or_default().push(step, new.size_bytes());
        }
    }

    fn removed(&self, apex: &Name) {
        held(&self.histories).remove(apex);
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
