//! Tries whether forwarding leads back to us: asks each forward zone's upstreams for a name that only we know.

use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info};

use super::current::Current;
use super::station::Surroundings;
use crate::app::build::Forwarders;
use crate::base::{Clock, Dice, bounds};
use crate::edge::clock::MachineClock;
use crate::handlers::resolve::Loops;
use crate::handlers::resolve::loops::Change;

/// How long a probe has to come back.
const PATIENCE: Duration = Duration::from_secs(2);
/// How soon it is seen that other upstreams are in force.
const LOOK: Duration = Duration::from_secs(1);

/// Begins to try the forward zones of whichever house is the present one, for as long as the runtime lives.
pub fn start(surroundings: &Surroundings, dice: &mut Dice) {
    let dice = Dice::from_seed(std::array::from_fn(|_| dice.bits() as u8));
    surroundings.runtime.spawn(keep_trying(Arc::clone(&surroundings.current), surroundings.clock, dice));
}

/// The forward zones that lead back to us.
#[must_use]
pub fn zones(current: &Current) -> Vec<String> {
    let (_, house, _) = current.snapshot();
    let zones = house.loops.iter().flat_map(Loops::zones);
    zones.filter(|(_, leads_back)| *leads_back).map(|(zone, _)| zone.to_string()).collect()
}

async fn keep_trying(current: Arc<Current>, clock: MachineClock, mut dice: Dice) {
    loop {
        let (_, house, forwarders) = current.snapshot();
        let mut leads_back = false;
        if let Some(loops) = &house.loops {
            leads_back = try_all(loops, &forwarders, &mut dice).await;
        }
        let tried = clock.now();
        let rest = if leads_back { bounds::LOOP_RECHECK } else { bounds::LOOP_CHECK };
        // The house is let go of while we rest: it may be large, and another may be in force soon.
        let upstreams = Arc::downgrade(&forwarders);
        drop((house, forwarders));
        while clock.now().since(tried) < rest && upstreams.ptr_eq(&Arc::downgrade(&current.snapshot().2)) {
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Tries every forward zone, one after the other; whether any leads back.
async fn try_all(loops: &Loops, forwarders: &Forwarders, dice: &mut Dice) -> bool {
    for (at, forwarder) in forwarders.iter().enumerate() {
        let Some(probe) = loops.begin(at, dice) else { continue };
        // Whatever is answered does not matter, only whether we are asked meanwhile. No cache in between is to have a say.
        forwarder.forward(&probe, (false, true), &[], PATIENCE).await.ok();
        let zone = loops.zones().nth(at).map(|(zone, _)| zone.to_string()).unwrap_or_default();
        match loops.end(at) {
            Change::LeadsBack => {
                error!("forwarding of {zone} leads back to this server: what it is asked there is answered SERVFAIL");
            }
            Change::LeadsAway => info!("forwarding of {zone} leads back to this server no longer"),
            Change::None => {}
        }
    }
    loops.zones().any(|(_, leads_back)| leads_back)
}
