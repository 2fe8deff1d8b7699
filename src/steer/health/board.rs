//! The board: how every member of every pool stands now, and how long that may be believed.

use std::time::Duration;

use super::tracker::State;
use crate::base::Instant;
use crate::steer::pool::Pool;

/// Why a member is out of new answers whatever its health: no panic brings it back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bar {
    /// Taken out; answers given earlier may still lead there.
    Draining,
    /// Taken out, and the last answer that led there has expired.
    Drained,
    /// Forced down.
    Forced,
    /// It has no address now.
    Absent,
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
            (Some(Bar::Absent), _) => State::Down.word(),
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
///
/// A reload gives pools other places while answers are still chosen from the old ones. So a place tells whose it is, and
/// pools that leave stay on the board until nobody chooses from them any more.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Board {
    pools: Vec<Row>,
    leaving: Vec<Row>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Row {
    identity: u64,
    standings: Box<[Standing]>,
}

impl Board {
    /// Puts the standings of a pool's members on the board, in the order of their declaration.
    pub fn post(&mut self, pool: &Pool, standings: impl IntoIterator<Item = Standing>) {
        let index = pool.id().0 as usize;
        if index >= self.pools.len() {
            self.pools.resize(index + 1, Row::default());
        }
        if let Some(row) = self.pools.get_mut(index) {
            *row = Row { identity: pool.identity(), standings: standings.into_iter().collect() };
        }
    }

    /// Keeps what `before` says of pools, for those who still choose from them.
    pub fn keep(&mut self, before: &Self) {
        self.leaving.clone_from(&before.pools);
    }

    /// The standings of a pool's members; a member beyond the slice is one that nothing checks.
    #[must_use]
    pub fn standings(&self, pool: &Pool) -> &[Standing] {
        let is_it = |row: &&Row| row.identity == pool.identity();
        let at_its_place = self.pools.get(pool.id().0 as usize).filter(is_it);
        let row = at_its_place.or_else(|| self.leaving.iter().chain(&self.pools).find(is_it));
        row.map_or(&[], |row| &row.standings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steer::{Member, PoolId};

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

    fn pool(id: u32, name: &str) -> Pool {
        let mut member = Member::new("fra");
        member.a.push([192, 0, 2, 1].into());
        Pool::new(PoolId(id), name, vec![member]).unwrap()
    }

    #[test]
    fn an_unknown_pool_has_no_standings() {
        let mut board = Board::default();
        board.post(&pool(2, "www"), [Standing::default()]);
        assert!(board.standings(&pool(1, "api")).is_empty() && board.standings(&pool(9, "api")).is_empty());
        assert!(board.standings(&pool(2, "api")).is_empty(), "another pool at that place");
        assert_eq!(board.standings(&pool(2, "www")).len(), 1);
    }

    #[test]
    fn a_pool_that_moves_or_leaves_is_found_until_nobody_chooses_from_it() {
        let down = Standing { state: State::Down, ..Standing::default() };
        let (mut before, mut after) = (Board::default(), Board::default());
        before.post(&pool(0, "www"), [down]);
        before.post(&pool(1, "old"), [down]);
        after.post(&pool(0, "new"), [Standing::default()]);
        after.post(&pool(1, "www"), [down]);
        after.keep(&before);
        for chosen_from in [pool(0, "www"), pool(1, "www"), pool(1, "old")] {
            assert_eq!(after.standings(&chosen_from), [down]);
        }
        assert_eq!(after.standings(&pool(0, "new")), [Standing::default()]);
    }
}
