//! `overflow`: no member answers beyond its capacity; the clients of a full or dead one are spread over all others by
//! what these can still bear, instead of all falling on the next (R9).

use super::{Asker, Candidates, Dice, Scope, Stage, salt};
use crate::steer::asker::Key;
use crate::steer::hashing::{hash_words, lateness, unit};

/// The stage.
#[derive(Clone, PartialEq, Debug)]
pub struct Overflow {
    /// The metric that is measured in the unit of the members' capacity.
    pub metric: Box<str>,
}

impl Stage for Overflow {
    fn name(&self) -> &'static str {
        "overflow"
    }

    fn apply(&self, asker: &Asker<'_>, set: &mut Candidates<'_>, _: &mut Dice) -> Scope {
        let (key, _) = Key::default().of(asker);
        // What each can still bear; without a capacity its weight stands for it.
        let mut list = set.list.clone();
        for candidate in &mut list {
            let room = match set.member(candidate).and_then(|member| member.capacity) {
                _ if candidate.is_gone => 0.0,
                Some(capacity) => (capacity - set.last(&self.metric, candidate.member, asker).unwrap_or(0.0)).max(0.0),
                None => candidate.weight,
            };
            candidate.key = room;
            set.note(Some(candidate.member), || format!("room for {room:.2}"));
        }
        if list.iter().any(|candidate| candidate.key > 0.0) {
            let best = list.first().map(|candidate| candidate.rank);
            let has_leader = list.iter().any(|candidate| Some(candidate.rank) == best && candidate.key > 0.0);
            list.retain(|candidate| candidate.key > 0.0);
            for candidate in &mut list {
                if !has_leader {
                    candidate.rank = 0;
                }
                candidate.key = lateness(unit(hash_words(salt::OVERFLOW, &[key, candidate.hash])), candidate.key);
            }
        } else {
            list.retain(|candidate| !candidate.is_gone);
            set.note(None, || "everybody is full, so nobody is".to_owned());
        }
        set.list = list;
        set.order_ties();
        Scope::ALL
    }
}
