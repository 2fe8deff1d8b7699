//! What must hold of a world whatever is said: silences, deadlines, costs and sizes.

use meridian::base::bounds;
use meridian::base::tally::Event as Counter;

use crate::world::{Event, World};

impl World {
    pub(crate) fn check_silence(&mut self, number: usize) {
        let asked = &self.asked[number];
        if !asked.sent.is_odd {
            self.breach("a query gets silence");
        }
        let counters = [Counter::SilenceShort, Counter::SilenceResponse, Counter::SilenceLoop];
        if counters.into_iter().map(|counter| self.count(counter)).sum::<u64>() != self.silences {
            self.breach("a silence is not counted");
        }
    }

    /// Notes when somebody was last refused for want of room: who asks then may hear of it, and of what follows.
    pub(crate) fn check_crowding(&mut self) {
        let counters =
            [Counter::ClientCrowded, Counter::RecursionsRefused, Counter::RecursionsStolen, Counter::ZoneCrowded];
        let refused = counters.into_iter().map(|counter| self.count(counter)).sum();
        if refused != self.refused {
            self.refused = refused;
            self.crowded_seen = self.now;
            self.fault_seen = self.now;
        }
    }

    pub(crate) fn check_overdue(&mut self, number: usize, leapt: u32) {
        if self.asked[number].is_ended {
            return;
        }
        if leapt != self.leaps {
            // The clock leapt over the deadline: what was due is done now.
            let leapt = self.leaps;
            return self.schedule(bounds::CLIENT_DEADLINE + bounds::RTO_MIN, Event::Overdue { number, leapt });
        }
        self.asked[number].is_ended = true;
        self.breach(&format!("query {number} has no answer after 4.5 s"));
    }

    /// One query at a time: what went upstream since the last is what that one cost.
    pub(crate) fn check_alone(&mut self) {
        let resolutions = self.count(Counter::Resolutions);
        let (sent, begun) = (self.sent - self.sent_before.0, resolutions - self.sent_before.1);
        if self.is_alone && sent > u64::from(bounds::UPSTREAM_QUERIES) * begun {
            self.breach(&format!("{sent} upstream queries for {begun} resolutions"));
        }
        self.sent_before = (self.sent, resolutions);
    }

    pub(crate) fn check_bounds(&mut self) {
        let limit = bounds::WORK_DEADLINE + bounds::RTO_MAX + self.leapt;
        if let Some((_, open)) = self.open.iter().find(|(_, open)| self.now.since(open.at) > limit) {
            let question = format!("{} {}", open.question.name, open.question.rtype);
            self.breach(&format!("an exchange about {question} never ends"));
        }
        if self.estate.cache.bytes() > self.estate.cache_settings.size_bytes {
            self.breach("the cache is larger than it may be");
        }
        for at in 0..self.workers.len() {
            let (worker, waiting) = (&self.workers[at], self.asked.iter().filter(|asked| !asked.is_ended).count());
            let load = worker.load();
            let (alarms, states) = worker.resolver().alarms();
            if worker.waiting() > waiting {
                self.breach("more clients wait than there are");
            } else if load.recursions > self.estate.capacity.recursions {
                self.breach("more questions are being resolved than there are places");
            } else if load.goals != load.recursions {
                self.breach("a question that somebody waits for has no place, or none that has one");
            } else if load.alarms > load.goals || alarms > states {
                self.breach("there are alarms of what has ended");
            } else if worker.resolver().most_crowded() > self.estate.settings.questions_per_zone {
                self.breach("more questions of a zone are under way than may be");
            } else if worker.resolver().len() > bounds::RESOLUTIONS_MAX
                || worker.resolver().scoreboard().len() > bounds::SCOREBOARD_SERVERS
            {
                self.breach("a table is larger than it may be");
            }
        }
    }

    pub(crate) fn check_rest(&mut self) {
        let waiting = self.asked.iter().filter(|asked| !asked.is_ended).count();
        let busy: usize = self
            .workers
            .iter()
            .map(|worker| {
                let load = worker.load();
                let kept = load.recursions + load.goals + load.alarms + load.held + worker.resolver().most_crowded();
                kept + worker.resolver().len() + worker.resolver().alarms().0 + worker.waiting()
            })
            .sum();
        if self.broken.is_none() && (waiting > 0 || busy > 0 || !self.open.is_empty()) {
            let open = self.open.len();
            self.breach(&format!("{waiting} clients, {busy} resolutions and {open} exchanges never end"));
        }
        self.check_memory();
    }
}
