//! Several checks of a member, or several nodes' views of a check, made into one.

use super::board::Standing;
use super::tracker::{State, Tracker};
use crate::base::Instant;

/// How many of a member's checks must be good.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Need {
    /// All of them.
    #[default]
    All,
    /// One of them.
    Any,
    /// So many of them.
    Count(usize),
}

/// The better of two states is answered longer.
const fn goodness(state: State) -> u8 {
    match state {
        State::Healthy => 4,
        State::Unknown => 3,
        State::Suspect => 2,
        State::Probing => 1,
        State::Down => 0,
    }
}

impl Need {
    /// The state of a member whose checks are in `states`: the worst of the best that are needed. Without checks a
    /// member is healthy; more needed than there are counts as all.
    #[must_use]
    pub fn state(self, states: impl IntoIterator<Item = State>) -> State {
        let mut states: smallvec::SmallVec<[State; 4]> = states.into_iter().collect();
        states.sort_by_key(|state| std::cmp::Reverse(goodness(*state)));
        let needed = match self {
            Self::All => states.len(),
            Self::Any => 1,
            Self::Count(count) => count.clamp(1, states.len().max(1)),
        };
        needed.checked_sub(1).and_then(|last| states.get(last)).copied().unwrap_or(State::Healthy)
    }

    /// The standing of a member under `checks`, before people's word. When the member as a whole went down or came
    /// back is told by the check that decided it: the last one, or, where one is enough, the first.
    #[must_use]
    pub fn standing(self, checks: &[Standing]) -> Standing {
        let state = self.state(checks.iter().map(|check| check.state));
        let came_back = match self {
            // One check always held: the member as a whole was never away.
            Self::Any if checks.iter().any(|check| check.went_down.is_none()) => None,
            _ => checks.iter().filter_map(|check| check.came_back).max(),
        };
        Standing {
            state,
            flips_in: checks.iter().filter_map(|check| check.flips_in).min(),
            went_down: checks.iter().filter_map(|check| check.went_down).max(),
            came_back,
            slow_start: checks.iter().map(|check| check.slow_start).max().unwrap_or_default(),
            ..Standing::default()
        }
    }
}

impl From<&Tracker> for Standing {
    /// The standing of a member that has this check alone.
    fn from(check: &Tracker) -> Self {
        Self {
            state: check.state(),
            flips_in: Some(check.flips_in()),
            went_down: check.went_down(),
            came_back: check.came_back(),
            slow_start: check.timing().slow_start,
            ..Self::default()
        }
    }
}

/// What another node says of a check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Its state there.
    pub state: State,
    /// When the node was heard last.
    pub heard: Instant,
}

/// The state on which at least `quorum` (a share, 0 to 1) of all nodes heard since `since` agree, usable or not, this
/// node included. A node that hears nobody goes by its own view; the flag says that it is alone.
#[must_use]
pub fn quorum(own: State, peers: &[Peer], quorum: f64, since: Instant) -> (State, bool) {
    let heard: Vec<State> = peers.iter().filter(|peer| peer.heard >= since).map(|peer| peer.state).collect();
    if heard.is_empty() {
        return (own, true);
    }
    let votes = heard.len() as f64 + 1.0;
    let usable = heard.iter().chain([&own]).filter(|state| state.is_usable()).count() as f64;
    let is_usable = usable / votes >= quorum;
    let state = match (is_usable, own.is_usable()) {
        (true, false) => State::Suspect,
        (false, true) => State::Down,
        _ => own,
    };
    (state, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_checks_must_be_good_as_are_needed() {
        use State::{Down, Healthy, Suspect, Unknown};
        assert_eq!(Need::All.state([Healthy, Suspect, Down]), Down);
        assert_eq!(Need::Any.state([Healthy, Suspect, Down]), Healthy);
        assert_eq!(Need::Count(2).state([Healthy, Suspect, Down]), Suspect);
        assert_eq!(Need::Count(9).state([Healthy, Unknown]), Unknown);
        assert_eq!(Need::All.state([]), Healthy);
    }

    #[test]
    fn a_quorum_overrules_one_node_and_a_lonely_node_says_so() {
        let peer = |state| Peer { state, heard: Instant::from_seconds(100) };
        let peers = [peer(State::Healthy), peer(State::Healthy)];
        assert_eq!(quorum(State::Down, &peers, 0.5, Instant::from_seconds(90)), (State::Suspect, false));
        assert_eq!(quorum(State::Down, &peers, 0.5, Instant::from_seconds(110)), (State::Down, true));
        let peers = [peer(State::Down), peer(State::Down)];
        assert_eq!(quorum(State::Healthy, &peers, 0.5, Instant::from_seconds(90)), (State::Down, false));
    }
}
