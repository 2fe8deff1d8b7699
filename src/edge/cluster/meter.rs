//! What is counted of watching a cluster, and how long its changes take to become answers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::base::histogram::{Histogram, Spread};

/// What happens while a cluster is watched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Happening {
    /// An object was told to be so now.
    Put,
    /// An object was told to be gone.
    Removed,
    /// All objects of a kind were listed.
    Listed,
    /// A watch was begun.
    Watched,
    /// A list or watch failed.
    Failed,
    /// What was held of a kind was compared with a list of the same moment, and was the same.
    Agreed,
    /// It was not the same: an event had been lost.
    Diverged,
    /// An object or event could not be read.
    Unreadable,
    /// A table of names was put in force.
    Published,
}

impl Happening {
    /// All, with the word that metrics have for each.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Put, "put"),
        (Self::Removed, "removed"),
        (Self::Listed, "listed"),
        (Self::Watched, "watched"),
        (Self::Failed, "failed"),
        (Self::Agreed, "agreed"),
        (Self::Diverged, "diverged"),
        (Self::Unreadable, "unreadable"),
        (Self::Published, "published"),
    ];
}

/// What kind of service a changed slice belongs to, by the words of `CoreDNS`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum ServiceKind {
    /// It has an address of its own.
    ClusterIp,
    /// Its endpoints answer for it.
    Headless,
}

impl ServiceKind {
    /// All, with the word that metrics have for each.
    pub const ALL: [(Self, &'static str); 2] =
        [(Self::ClusterIp, "cluster_ip"), (Self::Headless, "headless_with_selector")];
}

#[derive(Default, Debug)]
struct Requests {
    /// By HTTP status; 0 where there was no response. There are no more than statuses.
    codes: BTreeMap<u16, u64>,
    times: Histogram,
}

/// Counts and times, kept for as long as the server runs; any thread may read.
#[derive(Default, Debug)]
pub struct Meter {
    happenings: [AtomicU64; Happening::ALL.len()],
    requests: Mutex<Requests>,
    programming: Mutex<[Histogram; ServiceKind::ALL.len()]>,
    delay: Mutex<Histogram>,
}

impl Meter {
    pub(super) fn count(&self, what: Happening, times: u64) {
        if let Some(count) = self.happenings.get(what as usize) {
            count.fetch_add(times, Ordering::Relaxed);
        }
    }

    /// How often it has happened.
    #[must_use]
    pub fn happened(&self, what: Happening) -> u64 {
        self.happenings.get(what as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    pub(super) fn note_request(&self, code: u16, took: Duration) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.codes.entry(code).or_default() += 1;
        requests.times.note(took, 1);
    }

    /// Requests made of the API, by the HTTP status of the response; 0 where there was none.
    #[must_use]
    pub fn requests(&self) -> BTreeMap<u16, u64> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).codes.clone()
    }

    /// How long responses of the API took to begin.
    #[must_use]
    pub fn request_times(&self) -> Spread {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).times.read()
    }

    pub(super) fn note_programming(&self, kind: ServiceKind, took: Duration) {
        let histograms = self.programming.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(histogram) = histograms.get(kind as usize) {
            histogram.note(took, 1);
        }
    }

    /// From the change that made the cluster change a service's endpoints, by the cluster's clock, to answers that show it.
    #[must_use]
    pub fn programming(&self, kind: ServiceKind) -> Spread {
        let histograms = self.programming.lock().unwrap_or_else(PoisonError::into_inner);
        histograms.get(kind as usize).map(Histogram::read).unwrap_or_default()
    }

    pub(super) fn note_delay(&self, took: Duration) {
        self.delay.lock().unwrap_or_else(PoisonError::into_inner).note(took, 1);
    }

    /// From the moment when a change was read from the API to answers that show it.
    #[must_use]
    pub fn delay(&self) -> Spread {
        self.delay.lock().unwrap_or_else(PoisonError::into_inner).read()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_happening_has_a_word_in_its_own_place() {
        assert!(Happening::ALL.iter().enumerate().all(|(at, (what, _))| *what as usize == at));
        assert!(ServiceKind::ALL.iter().enumerate().all(|(at, (kind, _))| *kind as usize == at));
    }
}
