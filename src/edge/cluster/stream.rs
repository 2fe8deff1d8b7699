//! Lists and watches as they come in: octets from the API, objects and events out, nothing held in between.

use std::time::Duration;

use kube::client::Body;

use super::access::{self, Access, Fault};
use super::decode::Status;
use super::heard::{Changes, GONE, Listing, Watching};
use super::meter::{Happening, Meter};
use super::scope::Scope;
use crate::base::bounds;
use crate::handlers::cluster::objects::{Kind, Object};

/// Which moment a list is of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Moment {
    /// The present one.
    Now,
    /// Exactly that of a version.
    At(Box<str>),
}

/// A list that comes in page by page, and each page piece by piece.
pub(super) struct List<'a> {
    access: &'a Access,
    meter: &'a Meter,
    scope: &'a Scope,
    kind: Kind,
    path: &'a str,
    selector: &'a str,
    moment: Moment,
    /// Objects a page; 0 for all at once, because a store that changes fast forgets a list before its last page.
    page: u32,
    body: Option<(Body, Listing)>,
    next: Option<Box<str>>,
    version: Option<Box<str>>,
}

impl<'a> List<'a> {
    pub(super) fn new(
        (access, meter): (&'a Access, &'a Meter),
        scope: &'a Scope,
        (kind, path, selector): (Kind, &'a str, &'a str),
        moment: Moment,
        page: u32,
    ) -> Self {
        Self { access, meter, scope, kind, path, selector, moment, page, body: None, next: None, version: None }
    }

    /// The version that the list is of, once it has ended.
    pub(super) fn version(self) -> Option<Box<str>> {
        self.version
    }

    /// The objects that came next, as far as they count; none at the end. After a fault the same page is asked for again, and what had come of it
    /// comes again.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Object>>, Fault> {
        let come = self.advance().await;
        if come.is_err() {
            self.body = None;
        }
        come
    }

    async fn advance(&mut self) -> Result<Option<Vec<Object>>, Fault> {
        loop {
            let Some((body, listing)) = &mut self.body else {
                if self.version.is_some() && self.next.is_none() {
                    return Ok(None);
                }
                let body = self.ask().await?;
                self.body = Some((body, Listing::new(self.kind)));
                continue;
            };
            let Some(octets) = access::read(body, bounds::CLUSTER_RESPONSE).await? else {
                // A page that was cut off has no readable end.
                let page = listing.page().ok_or(Fault::Unfit)?;
                // The first page's: what has changed since is told by the watch, and told twice does no harm.
                self.version.get_or_insert(page.version);
                self.next = page.next;
                self.body = None;
                continue;
            };
            let listed = listing.feed(&octets, self.scope).map_err(|_| Fault::Unfit)?;
            self.meter.count(Happening::Unreadable, listed.unreadable);
            if listed.read > 0 {
                return Ok(Some(listed.objects));
            }
        }
    }

    async fn ask(&mut self) -> Result<Body, Fault> {
        let limit = self.page.to_string();
        let mut query: Vec<(&str, &str)> = Vec::new();
        if self.page > 0 {
            query.push(("limit", &limit));
        }
        match (&self.next, &self.moment) {
            // The token knows the version.
            (Some(next), _) => query.push(("continue", next)),
            (None, Moment::At(version)) => {
                query.extend([("resourceVersion", version.as_ref()), ("resourceVersionMatch", "Exact")]);
            }
            (None, Moment::Now) => {}
        }
        if !self.selector.is_empty() {
            query.push(("labelSelector", self.selector));
        }
        self.access.ask(self.path, &query, self.meter).await
    }
}

/// A watch that has begun.
pub(super) struct Stream {
    body: Body,
    watching: Watching,
    silence_max: Duration,
}

impl Stream {
    /// Begins a watch of what has changed after `version`, which the API ends after `lasting`.
    pub(super) async fn begin(
        access: &Access,
        meter: &Meter,
        (kind, path, selector): (Kind, &str, &str),
        version: &str,
        lasting: Duration,
        silence_max: Duration,
    ) -> Result<Self, Fault> {
        let seconds = lasting.as_secs().max(1).to_string();
        let mut query = vec![
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", version),
            ("timeoutSeconds", &seconds),
        ];
        if !selector.is_empty() {
            query.push(("labelSelector", selector));
        }
        let body = access.ask(path, &query, meter).await?;
        Ok(Self { body, watching: Watching::new(kind, version.into()), silence_max })
    }

    /// The version up to which everything has been told.
    pub(super) fn version(&self) -> &str {
        self.watching.version()
    }

    /// What has changed next; none at the end. Given up while it waits, it goes on as if nothing had been.
    pub(super) async fn next(&mut self, scope: &Scope) -> Result<Option<Changes>, Fault> {
        loop {
            let Some(octets) = access::read(&mut self.body, self.silence_max).await? else { return Ok(None) };
            let changes = self.watching.feed(&octets, scope).map_err(|_| Fault::Unfit)?;
            if changes.events > 0 {
                return Ok(Some(changes));
            }
        }
    }
}

impl Fault {
    /// Whether the version asked for is not kept any more, or not there yet.
    pub(super) fn is_about_version(&self) -> bool {
        matches!(self, Self::Refused(Status { code: GONE | 400 | 504, .. }))
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Self::Refused(Status { code: GONE, .. }))
    }

    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Refused(Status { code: 404, .. }))
    }
}
