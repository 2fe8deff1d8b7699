//! The cluster's names as its pods see them: with search paths gone through, and with ExternalName services leading
//! nowhere that a pod's policy does not let it go.

use std::sync::Arc;

use super::{Cluster, Policy, Search};
use crate::base::{Dice, Instant};
use crate::chain::{Answer, Asker, Chooser, Handler, Pick, Query, Turn, Verdict};
use crate::dns::ClientSubnet;

/// The link that answers for a cluster, in the place of [`Cluster`] itself.
#[derive(Clone, Debug)]
pub struct ForPods {
    /// The cluster.
    pub cluster: Cluster,
    /// Who goes through search paths, if anybody does.
    pub search: Option<Search>,
    /// Which names outside its pods may resolve; none where all may.
    pub policy: Option<Arc<Policy>>,
}

impl Handler for ForPods {
    fn name(&self) -> &'static str {
        self.cluster.name()
    }

    fn handle(&self, query: &Query, turn: &mut Turn<'_>) -> Verdict {
        let verdict = match &self.search {
            Some(search) => search.handle(query, turn),
            None => self.cluster.handle(query, turn),
        };
        let Some(policy) = &self.policy else { return verdict };
        let guarded = |mut answer: Answer| {
            let guard = |chooser| Arc::new(Guard { chooser, policy: Arc::clone(policy) }) as Arc<dyn Chooser>;
            answer.chooser = answer.chooser.take().map(guard);
            answer
        };
        match policy.check(query, verdict) {
            Verdict::Answer(answer) => Verdict::Answer(guarded(answer)),
            Verdict::Search(mut path) => {
                path.otherwise = guarded(std::mem::take(&mut path.otherwise));
                Verdict::Search(path)
            }
            verdict => verdict,
        }
    }
}

impl Policy {
    /// Lets `verdict` on `query` lead nowhere that the asker may not go.
    fn check(&self, query: &Query, verdict: Verdict) -> Verdict {
        match verdict {
            Verdict::Resolve(goal) => match self.refusal(query, &goal.question.name) {
                // Whether the service leads there at the next query is not known here.
                Some(refusal) => Verdict::Answer(Answer { recallable_until: None, ..refusal }),
                None => Verdict::Resolve(goal),
            },
            verdict => verdict,
        }
    }
}

/// Checks what a chooser leads to as well: the service at a name may have become another one.
#[derive(Debug)]
struct Guard {
    chooser: Arc<dyn Chooser>,
    policy: Arc<Policy>,
}

impl Chooser for Guard {
    fn choose(&self, asker: &Asker, subnet: Option<ClientSubnet>, now: Instant, dice: &mut Dice) -> Pick {
        self.chooser.choose(asker, subnet, now, dice)
    }

    fn answer(&self, query: &Query, pick: &Pick, turn: &mut Turn<'_>) -> Verdict {
        self.policy.check(query, self.chooser.answer(query, pick, turn))
    }
}
