//! `shed`: turns a growing share of clients away from members under load; the same clients leave first and return
//! last, so nothing flaps (R15).

use super::{Asker, Candidates, Dice, Scope, Stage, salt};
use crate::steer::asker::Key;
use crate::steer::hashing::{hash_words, unit};

/// The stage.
#[derive(Clone, PartialEq, Debug)]
pub struct Shed {
    /// The metric.
    pub metric: Box<str>,
    /// Up to here nobody is turned away.
    pub low: f64,
    /// From here on everybody is.
    pub high: f64,
}

impl Stage for Shed {
    fn name(&self) -> &'static str {
        "shed"
    }

    fn apply(&self, asker: &Asker<'_>, set: &mut Candidates<'_>, _: &mut Dice) -> Scope {
        let (key, _) = Key::default().of(asker);
        let loads: smallvec::SmallVec<[Option<f64>; 8]> =
            set.list().iter().map(|candidate| set.last(&self.metric, candidate.member, asker)).collect();
        let mut list = set.list.clone();
        for (candidate, load) in list.iter_mut().zip(loads) {
            // A member without a fresh number is not under load that anybody knows of.
            let shed = load.map_or(0.0, |load| ((load - self.low) / (self.high - self.low)).clamp(0.0, 1.0));
            candidate.key = shed;
            set.note(Some(candidate.member), || match load {
                Some(load) => format!("{} {load:.2}: sheds {:.0} %", self.metric, shed * 100.0),
                None => format!("no fresh {}", self.metric),
            });
        }
        list.retain(|candidate| unit(hash_words(salt::SHED, &[key, candidate.hash])) > candidate.key);
        // Where everybody is under load, turning all clients away helps nobody.
        if list.iter().any(|candidate| !candidate.is_gone) {
            set.list = list;
        }
        Scope::ALL
    }
}
