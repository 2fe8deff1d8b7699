//! The board: how every member of every pool stands now, and how long that may be believed.

use std::time::Duration;

use super::tracker::State;
use crate::base::Instant;
use crate::steer::pool::PoolId;

/// Why a member is out of new answers whatever its health: no panic brings it back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bar {
    /// Taken out; answers given earlier may still lead there.
    Draining,
    /// Taken out, and the last answer that led there has expired.
    Drained,
    /// Forced down.
    Forced,
}

/// How a member stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// What its checks say (`real_state`).
    pub state: State,
    /// What people say: out of new answers.
    pub bar: Option<Bar>,
    /// What people say: up, whatever its checks say.
    pub is_forced_up: bool,
    /// The soonest that the state can change; none for a member without checks.
    pub flips_in: Option<Duration>,
    /// When it went down last.
    pub went_down: Option<Instant>,
    /// When it came back last; none if it has never been down, or if its return was confirmed.
    pub came_back: Option<Instant>,
    /// For so long after its return its weight grows from a tenth to the whole.
    pub slow_start: Duration,
}

impl Default for Standing {
    /// A member that nothing checks: up, and it stays so.
    fn default() -> Self {
        Self {
            state: State::Healthy,
            bar: None,
            is_forced_up: false,
            flips_in: None,
            went_down: None,
            came_back: None,
            slow_start: Duration::ZERO,
        }
    }
}

impl Standing {
    /// Whether new answers may hold the member.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.bar.is_none() && (self.is_forced_up || self.state.is_usable())
    }

    /// The state in force, people's word before the checks'.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match (self.bar, self.is_forced_up) {
            (Some(Bar::Draining), _) => "DRAINING",
            (Some(Bar::Drained), _) => "DRAINED",
            (Some(Bar::Forced), _) => "FORCED_DOWN",
            (None, true) => "FORCED_UP",
            (None, false) => self.state.word(),
        }
    }

    /// Whether answers should be short-lived: the state is shaky, or people meddled.
    #[must_use]
    pub fn is_shaky(&self) -> bool {
        self.bar.is_some() || self.is_forced_up || matches!(self.state, State::Suspect | State::Unknown)
    }

    /// The part of its weight that a member has at `now`: 0.1 on its return, growing to 1 (R5).
    #[must_use]
    pub fn ramp(&self, now: Instant) -> f64 {
        match self.came_back {
            Some(back) if self.slow_start > Duration::ZERO => {
                let part = now.since(back).as_secs_f64() / self.slow_start.as_secs_f64();
                (0.1 + 0.9 * part).min(1.0)
            }
            _ => 1.0,
        }
    }
}

/// How all members stand; a snapshot that is replaced as a whole.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Board {
    pools: Vec<Box<[Standing]>>,
}

impl Board {
    /// Puts the standings of a pool's members on the board, in the order of their declaration.
    pub fn post(&mut self, pool: PoolId, standings: impl IntoIterator<Item = Standing>) {
        let index = pool.0 as usize;
        if index >= self.pools.len() {
            self.pools.resize(index + 1, Box::default());
        }
        if let Some(slot) = self.pools.get_mut(index) {
            *slot = standings.into_iter().collect();
        }
    }

    /// The standings of a pool's members; a member beyond the slice is one that nothing checks.
    #[must_use]
    pub fn standings(&self, pool: PoolId) -> &[Standing] {
        self.pools.get(pool.0 as usize).map_or(&[], |slot| slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weight_grows_from_a_tenth_after_a_return() {
        let standing = Standing {
            came_back: Some(Instant::from_seconds(100)),
            slow_start: Duration::from_secs(30),
            ..Standing::default()
        };
        let ramp = |seconds| standing.ramp(Instant::from_seconds(seconds));
        assert!((ramp(100) - 0.1).abs() < 1e-9);
        assert!((ramp(115) - 0.55).abs() < 1e-9);
        assert!((ramp(130) - 1.0).abs() < 1e-9 && (ramp(999) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_bar_is_stronger_than_health_and_force() {
        let barred = Standing { bar: Some(Bar::Forced), is_forced_up: true, ..Standing::default() };
        assert!(!barred.is_usable());
        assert!(Standing { state: State::Down, is_forced_up: true, ..Standing::default() }.is_usable());
        assert!(!Standing { state: State::Down, ..Standing::default() }.is_usable());
    }

    #[test]
    fn an_unknown_pool_has_no_standings() {
        let mut board = Board::default();
        board.post(PoolId(2), [Standing::default()]);
        assert!(board.standings(PoolId(1)).is_empty() && board.standings(PoolId(9)).is_empty());
        assert_eq!(board.standings(PoolId(2)).len(), 1);
    }
}
