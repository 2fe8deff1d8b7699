//! Follows the objects of one kind: lists them all, watches what changes, and does so again whenever the API has lost the
//! thread. What is heard goes to the keeper in the order in which it happened.
//!
//! * A list whose version is gone before its last page is asked for without pages.
//! * A watch that ends goes on where it was; only a version that the API does not know any more makes a new list.
//! * Every so often the digest of what is held is compared with a list of exactly the same version: an event that was lost
//!   without a trace leaves one there. So it is soon after the API was away: it may have come back with another past.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::Tempo;
use super::access::{Access, Fault};
use super::heard::{Change, Changes};
use super::meter::{Happening, Meter};
use super::retry::Retry;
use super::scope::{Scope, paths, word};
use super::stream::{List, Moment, Stream};
use crate::base::{Clock, Dice};
use crate::edge::clock::MachineClock;
use crate::handlers::cluster::Digester;
use crate::handlers::cluster::objects::{Kind, Object};

/// A watch that ends sooner than this, without a word, has failed.
const WATCH_SHORT: Duration = Duration::from_secs(1);
/// After so many refusals in a row a watch's version is given up: whatever is wrong with it, a list is right.
const REFUSALS_MAX: u32 = 4;
/// After so many failures in a row a list begins again from its first page.
const PAGE_FAILURES_MAX: u32 = 6;

/// What is heard of a kind.
pub(super) enum News {
    /// A list begins.
    Begin,
    /// Objects of the list.
    Listed(Vec<Object>),
    /// All objects of the kind have been told since the list began.
    End,
    /// What has changed, in order.
    Changed(Vec<Change>),
    /// The watch has begun: from now on, what changes is heard.
    Heard,
    /// The API does not answer as it should, and says or shows this.
    Lost(String),
    /// What is the digest of all that is held of the kind now?
    Digest(oneshot::Sender<(u64, Digester)>),
}

/// Some news of a kind, and when they were heard.
pub(super) struct Batch {
    pub(super) kind: Kind,
    pub(super) heard: crate::base::Instant,
    pub(super) news: News,
}

/// The keeper has ended.
struct Ended;

/// What to do next.
enum Course {
    List { is_paged: bool },
    Watch { version: Box<str> },
}

pub(super) struct Follower {
    pub(super) kind: Kind,
    pub(super) access: Arc<Access>,
    pub(super) scope: Arc<Scope>,
    pub(super) meter: Arc<Meter>,
    pub(super) tempo: Tempo,
    pub(super) outlet: mpsc::Sender<Batch>,
    pub(super) dice: Dice,
    pub(super) clock: MachineClock,
    pub(super) retry: Retry,
    /// Which of the paths that the kind may have.
    pub(super) path: usize,
    /// Whether the kind has ever been listed.
    pub(super) is_known: bool,
    /// When what is held is to be compared.
    pub(super) check_at: Instant,
}

impl Follower {
    /// Follows until the keeper has ended.
    pub(super) async fn run(mut self) {
        let mut course = Course::List { is_paged: true };
        loop {
            let next = match course {
                Course::List { is_paged } => self.list(is_paged).await,
                Course::Watch { version } => self.watch(version).await,
            };
            match next {
                Ok(next) => course = next,
                Err(Ended) => return,
            }
        }
    }

    fn what(&self) -> (Kind, &'static str, String) {
        let paths = paths(self.kind);
        let path = paths.get(self.path % paths.len().max(1)).copied().unwrap_or_default();
        (self.kind, path, self.scope.selector(self.kind).to_owned())
    }

    async fn tell(&self, news: News) -> Result<(), Ended> {
        let batch = Batch { kind: self.kind, heard: self.clock.now(), news };
        self.outlet.send(batch).await.map_err(|_| Ended)
    }

    /// Tells of a failure, and waits before the next try.
    async fn fail(&mut self, fault: &Fault, is_at_once: bool) -> Result<(), Ended> {
        self.meter.count(Happening::Failed, 1);
        let is_first = self.retry.failures() == 0;
        if is_first {
            warn!(kind = word(self.kind), "the cluster's API does not answer as it should: {fault}");
        }
        let bidden = match fault {
            Fault::Refused(status) => status.retry_after,
            _ => None,
        };
        let wait = self.retry.fail((self.tempo.retry_min, self.tempo.retry_max), bidden, &mut self.dice);
        if is_at_once && is_first {
            return Ok(());
        }
        self.tell(News::Lost(fault.to_string())).await?;
        sleep(wait).await;
        if self.outlet.is_closed() { Err(Ended) } else { Ok(()) }
    }

    fn succeed(&mut self) {
        if self.retry.failures() > 0 {
            info!(kind = word(self.kind), "the cluster's API answers again");
            // Not at once: everybody asks now.
            self.check_at = self.check_at.min(Instant::now() + self.drawn(self.tempo.check_every / 8));
        }
        self.retry.succeed();
    }

    /// A time up to twice `least`.
    fn drawn(&mut self, least: Duration) -> Duration {
        least + least.mul_f64(self.dice.below(1_000) as f64 / 1_000.0)
    }

    /// Lists all objects, page by page where it may.
    async fn list(&mut self, is_paged: bool) -> Result<Course, Ended> {
        let (access, meter, scope) = (self.access.clone(), self.meter.clone(), self.scope.clone());
        let (kind, path, selector) = self.what();
        let page = if is_paged { self.tempo.page } else { 0 };
        let mut list = List::new((&access, &meter), &scope, (kind, path, &selector), Moment::Now, page);
        self.tell(News::Begin).await?;
        let mut failures = 0;
        loop {
            match list.next().await {
                Ok(Some(objects)) => {
                    failures = 0;
                    self.tell(News::Listed(objects)).await?;
                }
                Ok(None) => break,
                Err(fault) if fault.is_missing() && paths(kind).len() > 1 => return self.miss(&fault).await,
                Err(fault) => {
                    let is_gone = fault.is_gone();
                    failures += 1;
                    self.fail(&fault, is_gone).await?;
                    if is_gone || failures >= PAGE_FAILURES_MAX {
                        return Ok(Course::List { is_paged: is_paged && !is_gone });
                    }
                }
            }
        }
        let Some(version) = list.version() else { return Ok(Course::List { is_paged }) };
        meter.count(Happening::Listed, 1);
        self.is_known = true;
        self.tell(News::End).await?;
        Ok(Course::Watch { version })
    }

    /// The API knows no such kind under this path. Not to be installed is to have none; to be installed no more may be a
    /// mishap, and takes no name away.
    async fn miss(&mut self, fault: &Fault) -> Result<Course, Ended> {
        self.path += 1;
        if !self.path.is_multiple_of(paths(self.kind).len()) {
            return Ok(Course::List { is_paged: true });
        }
        if self.is_known {
            self.fail(fault, false).await?;
        } else {
            self.tell(News::End).await?;
            info!(kind = word(self.kind), "the cluster's API does not know them (yet)");
            sleep(self.tempo.retry_max).await;
        }
        Ok(Course::List { is_paged: true })
    }

    /// Watches what changes after `version`.
    async fn watch(&mut self, version: Box<str>) -> Result<Course, Ended> {
        let (kind, path, selector) = self.what();
        let scope = self.scope.clone();
        let lasting = self.drawn(self.tempo.watch);
        let what = (kind, path, selector.as_str());
        let begun = Stream::begin(&self.access, &self.meter, what, &version, lasting, self.tempo.silence_max).await;
        let mut stream = match begun {
            Ok(stream) => stream,
            Err(fault) => {
                let is_refused = matches!(fault, Fault::Refused(_)) && self.retry.failures() >= REFUSALS_MAX;
                let is_lost = fault.is_about_version() || is_refused;
                self.fail(&fault, is_lost).await?;
                return Ok(if is_lost { Course::List { is_paged: true } } else { Course::Watch { version } });
            }
        };
        self.meter.count(Happening::Watched, 1);
        self.tell(News::Heard).await?;
        let began = Instant::now();
        let mut has_told = false;
        let mut checking: Option<Checking> = None;
        if Instant::now() >= self.check_at + self.tempo.silence_max {
            // No event came for so long after which to compare. The version may be one that the API has yet to reach.
            checking = Some(self.check(&version).await?);
        }
        loop {
            let come = tokio::select! {
                biased;
                verdict = async { match &mut checking { Some(checking) => checking.await, None => std::future::pending().await } } => {
                    checking = None;
                    match verdict {
                        Verdict::Same => self.meter.count(Happening::Agreed, 1),
                        Verdict::Unknown => {}
                        Verdict::Different => {
                            self.meter.count(Happening::Diverged, 1);
                            warn!(kind = word(kind), "what was heard of the cluster is not what the API has: listing all anew");
                            return Ok(Course::List { is_paged: true });
                        }
                    }
                    continue;
                }
                come = stream.next(&scope) => come,
            };
            let fault = match come {
                Ok(Some(changes)) => {
                    let fault = self.take(changes).await?;
                    if fault.is_none() {
                        has_told = true;
                        self.succeed();
                        if checking.is_none() && Instant::now() >= self.check_at {
                            checking = Some(self.check(stream.version()).await?);
                        }
                        continue;
                    }
                    fault
                }
                Ok(None) if has_told || began.elapsed() >= WATCH_SHORT.min(self.tempo.watch / 2) => {
                    self.succeed();
                    None
                }
                Ok(None) => Some(Fault::Broken("a watch ended at once".into())),
                // What is silent for so long has something between us that forgot us.
                Err(Fault::Silent) => None,
                Err(fault) => Some(fault),
            };
            let version = stream.version().into();
            let Some(fault) = fault else { return Ok(Course::Watch { version }) };
            let is_lost =
                fault.is_about_version() || matches!(fault, Fault::Refused(_)) && self.retry.failures() >= REFUSALS_MAX;
            // A watch that went well until now is taken up at once.
            self.fail(&fault, is_lost || has_told).await?;
            return Ok(if is_lost { Course::List { is_paged: true } } else { Course::Watch { version } });
        }
    }

    /// Passes changes on. The fault that ends the watch, if one does.
    async fn take(&self, changes: Changes) -> Result<Option<Fault>, Ended> {
        let Changes { changes, unreadable, end, .. } = changes;
        self.meter.count(Happening::Unreadable, unreadable);
        if !changes.is_empty() {
            self.tell(News::Changed(changes)).await?;
        }
        Ok(end.map(Fault::Refused))
    }

    /// Begins to compare what is held, which is just now of `version`, with what the API has of that version.
    async fn check(&mut self, version: &str) -> Result<Checking, Ended> {
        self.check_at = Instant::now() + self.drawn(self.tempo.check_every);
        let (ask, answer) = oneshot::channel();
        self.tell(News::Digest(ask)).await?;
        let (held, digester) = answer.await.map_err(|_| Ended)?;
        let (access, meter, scope) = (self.access.clone(), self.meter.clone(), self.scope.clone());
        let (what, moment, page) = (self.what(), Moment::At(version.into()), self.tempo.page);
        Ok(Box::pin(async move {
            let mut sum = 0_u64;
            let (kind, path, selector) = what;
            let mut list = List::new((&access, &meter), &scope, (kind, path, &selector), moment, page);
            loop {
                match list.next().await {
                    Ok(Some(objects)) => {
                        let digests = objects.iter().map(|object| digester.digest(object));
                        sum = digests.fold(sum, u64::wrapping_add);
                    }
                    Ok(None) if sum == held => return Verdict::Same,
                    Ok(None) => return Verdict::Different,
                    // A version that the API forgets is of no use; one that it has yet to reach is another store's.
                    Err(fault) if fault.is_about_version() && !fault.is_gone() => return Verdict::Different,
                    Err(_) => return Verdict::Unknown,
                }
            }
        }))
    }
}

/// A comparison under way.
type Checking = Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// What came of a comparison.
enum Verdict {
    Same,
    Different,
    /// There was nothing to compare with.
    Unknown,
}
