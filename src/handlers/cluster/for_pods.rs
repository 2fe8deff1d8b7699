//! The cluster's names as its pods see them: with search paths gone through, and with ExternalName services leading
//! nowhere that a pod's policy does not let it go.

use std::sync::Arc;

use super::{Cluster, Policy, Search};
use crate::chain::{Handler, Query, Turn, Verdict};

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
        match (verdict, &self.policy) {
            (Verdict::Resolve(goal), Some(policy)) => match policy.refusal(query, &goal.question.name) {
                // Whether the service leads there at the next query is not known here.
                Some(refusal) => Verdict::Answer(crate::chain::Answer { recallable_until: None, ..refusal }),
                None => Verdict::Resolve(goal),
            },
            (verdict, _) => verdict,
        }
    }
}
