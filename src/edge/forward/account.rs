//! What became of the questions that one upstream was asked: for those who watch, and kept over reloads by whoever builds
//! the forwarders.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::histogram::{Histogram, Spread};
use crate::dns::Rcode;

/// The account of one upstream.
#[derive(Debug, Default)]
pub struct Account(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    asked: u64,
    /// By the response code, of which there are a few dozens.
    answered: BTreeMap<u16, u64>,
    times: Histogram,
}

/// What stands in an account.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Statement {
    /// Questions asked.
    pub asked: u64,
    /// Responses, by their code.
    pub answered: Vec<(Rcode, u64)>,
    /// How long responses took.
    pub times: Spread,
}

impl Account {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ask(&self) {
        let mut book = self.book();
        book.asked = book.asked.wrapping_add(1);
    }

    pub(super) fn answer(&self, rcode: Rcode, took: Duration) {
        let mut book = self.book();
        let count = book.answered.entry(rcode.0).or_default();
        *count = count.wrapping_add(1);
        book.times.note(took, 1);
    }

    /// What stands in it now.
    #[must_use]
    pub fn read(&self) -> Statement {
        let book = self.book();
        let answered = book.answered.iter().map(|(rcode, count)| (Rcode(*rcode), *count)).collect();
        Statement { asked: book.asked, answered, times: book.times.read() }
    }
}
