//! What the API says, from octets to changes: the part of listening that needs no network, no clock and no wait.

use super::decode::{self, Event, Page, Status, Told};
use super::scope::Scope;
use super::split::Splitter;
pub use super::split::Unfit;
use crate::handlers::cluster::objects::{Key, Kind, Object};

/// A change of one object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// It is new, or is so now.
    Put(Object),
    /// It is gone, or nothing is called after it any more.
    Remove(Key),
}

/// A page of a list, as it comes in.
#[derive(Debug)]
pub struct Listing {
    kind: Kind,
    splitter: Splitter,
}

/// Some objects of a list.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Listed {
    /// Those that count and that names follow from.
    pub objects: Vec<Object>,
    /// How many could be read.
    pub read: u64,
    /// How many could not.
    pub unreadable: u64,
}

impl Listing {
    /// The beginning of a page with objects of `kind`.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self { kind, splitter: Splitter::list() }
    }

    /// Takes the next octets: which objects of `scope` end in them.
    ///
    /// # Errors
    /// For what is no list, or has more to it than is held.
    pub fn feed(&mut self, octets: &[u8], scope: &Scope) -> Result<Listed, Unfit> {
        let (kind, mut listed) = (self.kind, Listed::default());
        self.splitter.feed(octets, |object| match decode::decode(kind, object) {
            Some(Told { key, object, .. }) => {
                listed.read += 1;
                listed.objects.extend(object.filter(|_| scope.keeps(kind, &key)));
            }
            None => listed.unreadable += 1,
        })?;
        Ok(listed)
    }

    /// What surrounds the list; none for what is no list, or was cut off.
    #[must_use]
    pub fn page(&self) -> Option<Page> {
        decode::page(self.splitter.envelope())
    }
}

/// A watch, as it comes in.
#[derive(Debug)]
pub struct Watching {
    kind: Kind,
    splitter: Splitter,
    version: Box<str>,
}

/// What has changed.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Changes {
    /// The changes, in order.
    pub changes: Vec<Change>,
    /// How many events there were.
    pub events: u64,
    /// How many of them nobody can read.
    pub unreadable: u64,
    /// Why the watch has ended, if it has. What comes behind is not heard.
    pub end: Option<Status>,
}

/// The HTTP status of a version of the store that is not kept any more.
pub(super) const GONE: u16 = 410;

impl Watching {
    /// The beginning of a watch of what has happened to objects of `kind` since `version`.
    #[must_use]
    pub fn new(kind: Kind, version: Box<str>) -> Self {
        Self { kind, splitter: Splitter::events(), version }
    }

    /// The version of the store up to which everything has been told.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Takes the next octets: what has changed of `scope` by the events that end in them.
    ///
    /// # Errors
    /// For what are no events, or longer ones than are held.
    pub fn feed(&mut self, octets: &[u8], scope: &Scope) -> Result<Changes, Unfit> {
        let Self { kind, splitter, version } = self;
        let mut changes = Changes::default();
        splitter.feed(octets, |object| {
            if changes.end.is_none() {
                changes.events += 1;
                changes.end = changes.take(*kind, decode::event(*kind, object), scope, version);
            }
        })?;
        Ok(changes)
    }
}

impl Changes {
    /// Takes an event, and keeps the version that it leads to; why the watch ends, if it does.
    fn take(&mut self, kind: Kind, event: Event, scope: &Scope, version: &mut Box<str>) -> Option<Status> {
        let (told, is_gone) = match event {
            Event::Put(told) => (told, false),
            Event::Gone(told) => (told, true),
            Event::Bookmark(at) => return advance(version, at).err(),
            Event::Fault(status) => return Some(status),
            Event::Unknown => {
                self.unreadable += 1;
                return None;
            }
        };
        let Told { key, object, version: at } = told;
        if let Err(status) = advance(version, at) {
            return Some(status);
        }
        if scope.keeps(kind, &key) {
            self.changes.push(object.filter(|_| !is_gone).map_or(Change::Remove(key), Change::Put));
        }
        None
    }
}

/// Goes on to version `at`, which cannot lie before the one that we are at: within a watch versions only grow, and are
/// numbers ("Resource versions" in the API's concepts). One that does is of a store that was set back.
fn advance(version: &mut Box<str>, at: Box<str>) -> Result<(), Status> {
    let number = |text: &str| text.parse::<u128>().ok();
    let goes_back = number(&at).zip(number(version)).is_some_and(|(new, old)| new < old);
    if goes_back {
        return Err(Status { code: GONE, text: "the version went back".into(), retry_after: None });
    }
    if !at.is_empty() {
        *version = at;
    }
    Ok(())
}
