//! Who stays with a question in the fast tempo: tells whether the answer that was finished is still the same, though
//! the table is another by now.

use std::sync::Arc;

use smallvec::SmallVec;

use super::answer;
use super::find::find;
use super::table::Table;
use super::{Inner, Standing};
use crate::base::{Dice, Instant};
use crate::chain::{Asker, Chooser, Pick, Query, Turn, Verdict};
use crate::dns::{Class, ClientSubnet, Name, RecordType};

/// Octets of what is picked: a mark, and whether the table is old.
pub(super) const PICK: usize = 10;

/// Knows what decides the answer to one question.
#[derive(Debug)]
pub(super) struct Witness {
    cluster: Arc<Inner>,
    name: Name,
    rtype: RecordType,
}

impl Witness {
    /// A witness of the question of `query`. None where other links answer it now and then, or where the answer is not
    /// told by what is found at one name.
    pub(super) fn of(cluster: &Arc<Inner>, query: &Query) -> Option<Arc<dyn Chooser>> {
        let (name, rtype) = (&query.question.name, query.question.rtype);
        if query.question.class != Class::IN || cluster.settings.falls_through(name) {
            return None;
        }
        let witness = Self { cluster: Arc::clone(cluster), name: name.clone(), rtype };
        let is_told = witness.mark(&cluster.table.load()).is_some();
        let is_told = is_told && **cluster.standing.load() != Standing::Unsynced;
        is_told.then(|| Arc::new(witness) as Arc<dyn Chooser>)
    }

    /// What decides the answer.
    fn mark(&self, table: &Table) -> Option<(u8, u64)> {
        let settings = &*self.cluster.settings;
        let zone = settings.zone_of(&self.name)?;
        answer::mark(&find(table, settings, zone, &self.name), self.rtype, table.serial)
    }

    fn pick(&self, table: &Table, standing: Standing, now: Instant) -> Pick {
        /// Where the answer is not told by a mark.
        const UNTOLD: (u8, u64) = (u8::MAX, 0);
        let is_told = standing != Standing::Unsynced;
        let (kind, number) = self.mark(table).filter(|_| is_told).unwrap_or(UNTOLD);
        let mut octets = SmallVec::new();
        octets.push(kind);
        octets.push(u8::from(self.cluster.is_stale(standing, now)));
        octets.extend_from_slice(&number.to_be_bytes());
        Pick { octets, scope: 0 }
    }
}

impl Chooser for Witness {
    fn choose(&self, _: &Asker, _: Option<ClientSubnet>, now: Instant, _: &mut Dice) -> Pick {
        self.pick(&self.cluster.table.load(), **self.cluster.standing.load(), now)
    }

    fn answer(&self, query: &Query, pick: &Pick, turn: &mut Turn<'_>) -> Verdict {
        let (table, standing) = (self.cluster.table.load(), **self.cluster.standing.load());
        let Some(mut decision) = self.cluster.decide(query, &table, standing, turn.now) else { return Verdict::Pass };
        // The table may be another than the one that was chosen by; then the answer is given, but not kept.
        let is_same = *pick == self.pick(&table, standing, turn.now);
        if is_same && self.mark(&table).is_some() && standing != Standing::Unsynced {
            decision.answer.recallable_until = Some(u64::from(u32::MAX));
            decision.answer.is_ageless = true;
        }
        decision.verdict(query)
    }
}
