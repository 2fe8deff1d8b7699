//! What becomes of work when there is too much: goals that are given up, and the places that a zone's questions share.
//!
//! A zone whose servers are slow or dead gathers questions. It may have so many under way and no more, shared fairly
//! among the client networks for whom they are asked, so that it takes neither the worker's places nor its servers'
//! patience from anybody else.

use smallvec::SmallVec;

use super::Surroundings;
use super::ask::{self, Trouble};
use super::resolver::{GoalId, Resolver};
use super::walk::{Ended, Stage, Walk};
use crate::base::tally::Event;
use crate::base::{Instant, Network, Room, Slots};
use crate::dns::Name;

impl Resolver {
    /// Gives up a goal without a resolution; what others need of its work goes on.
    pub fn abandon(&mut self, goal: GoalId) {
        let Some(walk) = self.walks.get_mut(goal.at as usize).filter(|walk| walk.serial == goal.serial) else { return };
        walk.is_goal = false;
        let mut open: SmallVec<[u32; 8]> = SmallVec::from_slice(&[goal.at]);
        while let Some(at) = open.pop() {
            let is_needed = |walk: &Walk| walk.is_goal || !walk.parents.is_empty();
            if self.walks.get(at as usize).is_none_or(is_needed) {
                continue;
            }
            let Some(walk) = self.walks.try_remove(at as usize) else { continue };
            self.goals.remove(&(walk.question.name, walk.question.rtype, walk.checking_disabled));
            match walk.stage {
                Stage::Moving => {}
                Stage::Asking(asking) => self.leave_ask(asking.ask, at),
                Stage::Forwarding(forwarding) => {
                    self.close_forwarded(forwarding.exchange);
                }
                Stage::Checking(checking) => {
                    if let Some(child) = checking.pending() {
                        if let Some(child) = self.walks.get_mut(child as usize) {
                            child.parents.retain(|parent| *parent != at);
                        }
                        open.push(child);
                    }
                }
                Stage::Fetching(fetching) => {
                    for child in fetching.pending {
                        if let Some(child) = self.walks.get_mut(child as usize) {
                            child.parents.retain(|parent| *parent != at);
                        }
                        open.push(child);
                    }
                }
            }
        }
    }

    /// A walk needs an ask no more; nobody hears of one that nobody needs.
    fn leave_ask(&mut self, key: u32, at: u32) {
        let Some(shared) = self.asks.get_mut(key as usize) else { return };
        shared.waiters.retain(|waiter| *waiter != at);
        if shared.waiters.is_empty() {
            self.forget_sending(key);
            self.close_ask(key);
        }
    }

    /// What an ask would have sent in this very step is not sent: nobody would wait for the response.
    fn forget_sending(&mut self, key: u32) {
        self.outbox.retain(|transmit| ask::key(transmit.exchange) != key);
    }

    /// Makes room for one more question about `zone` on behalf of the walk `at`; whether there is any.
    pub(super) fn make_room(&mut self, zone: &Name, at: u32, around: &mut Surroundings<'_>) -> bool {
        let Some(owner) = self.walks.get(at as usize).map(|walk| walk.ledger.owner()) else { return false };
        let Some(slots) = self.crowds.get_mut(zone) else { return true };
        match slots.make_room(&owner, around.now) {
            Room::Free => true,
            Room::Taken(key) => {
                around.tally.count(Event::ZoneCrowded);
                self.forget_sending(key);
                self.end_ask(key, &Err(Trouble::Crowded), around);
                true
            }
            Room::Refused => {
                around.tally.count(Event::ZoneCrowded);
                self.end(at, Ended::Failed(Trouble::Crowded), around);
                false
            }
        }
    }

    /// The ask `key` of `zone` is under way.
    pub(super) fn join_crowd(&mut self, zone: &Name, key: u32, owner: Option<Network>, now: Instant) {
        let most = self.settings.questions_per_zone;
        self.crowds.entry(zone.clone()).or_insert_with(|| Slots::new(most, None)).hold(key, owner, now);
    }

    /// The ask `key` of `zone` has ended.
    pub(super) fn leave_crowd(&mut self, zone: &Name, key: u32) {
        if let Some(slots) = self.crowds.get_mut(zone) {
            slots.free(&key);
            if slots.is_empty() {
                self.crowds.remove(zone);
            }
        }
    }
}
