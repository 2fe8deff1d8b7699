//! Forwarding: a question goes to another recursive server, and its whole response comes back as it was sent.
//!
//! A [`Forwarder`] serves one forward zone. It asks the upstream that [`Failover`] puts first; if no response has
//! come when one was due, or none that is an answer (SERVFAIL, REFUSED and the like), the next is asked while the
//! earlier ones may still answer, and the first answer wins. If nobody has a better one, the first upstream's
//! refusal is returned, its EDE included. Each exchange runs to its own end even when nobody waits for it any
//! more, because that is how a dead upstream is told from a slow one; all exchanges share one bound.
//!
//! hickory does the single exchange: random port and id, 0x20, repetition, TCP. Its name-server pool is not used:
//! it reduces NXDOMAIN, NODATA, SERVFAIL and REFUSED to errors without the response's SOA, signatures or EDE, it
//! gives up at a SERVFAIL or REFUSED instead of asking the next server, and the time for which it avoids a failed
//! one is not bounded.

mod account;
mod exchange;
mod failover;

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant as Moment, timeout_at};

pub use self::account::{Account, Statement};
use self::exchange::{Asking, Reply, Upstream};
pub use self::failover::Failover;
use crate::base::{Instant, bounds};
use crate::dns::Question;
use crate::steer::hashing::hash_bytes;

/// Why there is no response at all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ForwardFault {
    /// The zone has no upstream.
    NoUpstream,
    /// No upstream answered in time.
    Timeout,
    /// An upstream could not be reached, or what came from it was no response; with the reason.
    Unusable(String),
    /// As many exchanges as are allowed were under way all the time.
    Busy,
}

impl fmt::Display for ForwardFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUpstream => f.write_str("no forwarder is configured"),
            Self::Timeout => f.write_str("no forwarder answered in time"),
            Self::Unusable(why) => write!(f, "the forwarder's response cannot be used: {why}"),
            Self::Busy => f.write_str("too many questions wait for forwarders"),
        }
    }
}

impl std::error::Error for ForwardFault {}

/// A response of an upstream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answered {
    /// Whose it is.
    pub by: Option<SocketAddr>,
    /// Its octets: the question as it was asked, the id of no meaning.
    pub bytes: Vec<u8>,
}

/// The upstreams of one forward zone.
#[derive(Clone)]
pub struct Forwarder(Arc<Shared>);

/// An upstream as the operator names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    /// Its address.
    pub address: SocketAddr,
    /// Whether it is asked over TCP from the start.
    pub is_tcp_only: bool,
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        Self { address, is_tcp_only: false }
    }
}

/// Which of several upstreams that are equally good is asked first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Preference {
    /// The first.
    #[default]
    First,
    /// Any; a chance by this seed.
    Any(u64),
    /// The one behind the last that was asked first.
    Next,
}

/// How a forwarder asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner {
    /// Whether queries over UDP have letters of random case; a response that does not repeat them is fetched again over
    /// TCP.
    pub randomises_case: bool,
    /// Whom it asks first.
    pub preference: Preference,
    /// Exchanges at a time, at most, below [`bounds::FORWARD_EXCHANGES`].
    pub concurrent: Option<usize>,
}

struct Shared {
    upstreams: Vec<Upstream>,
    preference: Preference,
    /// Questions so far.
    turns: AtomicUsize,
    failover: Mutex<Failover>,
    slots: Arc<Semaphore>,
    origin: Moment,
    randomises_case: bool,
}

/// What an exchange came to, and with which upstream.
type Outcome = (usize, Result<Reply, ForwardFault>);

impl Forwarder {
    /// A forwarder to `upstreams`, in the order in which they are preferred. With `randomises_case`, queries over
    /// UDP have letters of random case, and a response that does not repeat them is fetched again over TCP.
    #[must_use]
    pub fn new(upstreams: impl IntoIterator<Item = impl Into<Target>>, randomises_case: bool) -> Self {
        let upstreams = upstreams.into_iter().map(|target| (target.into(), Arc::default()));
        Self::with(upstreams, Manner { randomises_case, ..Manner::default() })
    }

    /// A forwarder to these upstreams, each with its account.
    #[must_use]
    pub fn with(upstreams: impl IntoIterator<Item = (Target, Arc<Account>)>, manner: Manner) -> Self {
        let upstreams: Vec<_> = upstreams.into_iter().map(|(target, account)| Upstream::new(target, account)).collect();
        let concurrent =
            manner.concurrent.map_or(bounds::FORWARD_EXCHANGES, |most| most.min(bounds::FORWARD_EXCHANGES));
        Self(Arc::new(Shared {
            failover: Mutex::new(Failover::new(upstreams.len())),
            upstreams,
            preference: manner.preference,
            turns: AtomicUsize::new(0),
            slots: Arc::new(Semaphore::new(concurrent)),
            origin: Moment::now(),
            randomises_case: manner.randomises_case,
        }))
    }

    /// The accounts of the upstreams, in their order.
    pub fn accounts(&self) -> impl Iterator<Item = (SocketAddr, &Arc<Account>)> {
        self.0.upstreams.iter().map(|upstream| (upstream.address(), upstream.account()))
    }

    /// Asks `question` of the upstreams, with RD, EDNS, and DO and CD as given; of those to be `avoided` last. Ends
    /// `within` this time.
    ///
    /// The response has been checked to be a well-formed response to the question, and no more than that.
    ///
    /// # Errors
    /// [`ForwardFault`] where no upstream gave any response.
    pub async fn forward(
        &self,
        question: &Question,
        (dnssec_ok, checking_disabled): (bool, bool),
        avoided: &[SocketAddr],
        within: Duration,
    ) -> Result<Answered, ForwardFault> {
        let deadline = Moment::now() + within;
        let asking = Arc::new(Asking {
            question: question.clone(),
            dnssec_ok,
            checking_disabled,
            randomises_case: self.0.randomises_case,
        });
        let mut plan = self.0.failover().plan_from(self.0.first(), self.0.now());
        plan.order.sort_by_key(|index| self.0.address(*index).is_some_and(|address| avoided.contains(&address)));
        let (results, mut outcomes) = mpsc::channel::<Outcome>(plan.order.len().max(1));
        let mut next = plan.order.into_iter();
        let Some(first) = next.next() else { return Err(ForwardFault::NoUpstream) };
        let Ok(Ok(slot)) = timeout_at(deadline, Arc::clone(&self.0.slots).acquire_owned()).await else {
            return Err(ForwardFault::Busy);
        };
        let mut due = self.0.start(first, &asking, &results, slot);
        if let Some(probe) = plan.probe
            && let Ok(slot) = Arc::clone(&self.0.slots).try_acquire_owned()
        {
            // Nobody waits for the probe: its outcome goes nowhere but into the failover's books.
            self.0.start(probe, &asking, &mpsc::channel(1).0, slot);
        }
        let (mut waiting, mut fault, mut declined) = (1_u32, ForwardFault::Timeout, None::<(usize, Reply)>);
        let mut decliners = Vec::new();
        while waiting > 0 {
            let wake = if next.len() == 0 { deadline } else { due.min(deadline) };
            match timeout_at(wake, outcomes.recv()).await {
                Ok(Some((index, Ok(reply)))) if reply.is_answer() => {
                    self.0.blame(&decliners);
                    return Ok(Answered { by: self.0.address(index), bytes: reply.bytes });
                }
                Ok(Some((index, Ok(reply)))) => {
                    declined.get_or_insert((index, reply));
                    decliners.push(index);
                    waiting -= 1;
                }
                Ok(Some((_, Err(why)))) => {
                    fault = why;
                    waiting -= 1;
                }
                Ok(None) => break,
                Err(_) if Moment::now() >= deadline => break,
                Err(_) => {}
            }
            // Whatever woke us, it was no answer: the next upstream, if there is one and a place for it.
            if next.len() > 0 {
                match Arc::clone(&self.0.slots).try_acquire_owned() {
                    Ok(slot) => {
                        if let Some(index) = next.next() {
                            due = self.0.start(index, &asking, &results, slot);
                            waiting += 1;
                        }
                    }
                    Err(_) if waiting == 0 => fault = ForwardFault::Busy,
                    Err(_) => due = Moment::now() + bounds::RTO_INITIAL,
                }
            }
        }
        declined.map(|(index, reply)| Answered { by: self.0.address(index), bytes: reply.bytes }).ok_or(fault)
    }
}

impl Shared {
    fn address(&self, index: usize) -> Option<SocketAddr> {
        self.upstreams.get(index).map(Upstream::address)
    }

    /// The number of the upstream that the next question prefers, in a ring of them.
    fn first(&self) -> usize {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        match self.preference {
            Preference::First => 0,
            Preference::Any(seed) => hash_bytes(seed, &turn.to_ne_bytes()) as usize % self.upstreams.len().max(1),
            Preference::Next => turn % self.upstreams.len().max(1),
        }
    }

    /// Starts an exchange with the `index`th upstream; its outcome goes to `results`. Returns when its response
    /// is due.
    fn start(
        self: &Arc<Self>,
        index: usize,
        asking: &Arc<Asking>,
        results: &mpsc::Sender<Outcome>,
        slot: OwnedSemaphorePermit,
    ) -> Moment {
        let begun = self.now();
        let patience = self.failover().timeout(index);
        let (shared, asking, results) = (Arc::clone(self), Arc::clone(asking), results.clone());
        tokio::spawn(async move {
            let _slot = slot;
            let Some(upstream) = shared.upstreams.get(index) else { return };
            let outcome = upstream.exchange(&asking, patience).await;
            let now = shared.now();
            match &outcome {
                // REFUSED is about us, whatever the name; SERVFAIL and the others are about the name until
                // another upstream shows that it can be answered.
                Ok(reply) if reply.is_refusal() => shared.failover().failed(index, begun, now),
                Ok(_) => shared.failover().answered(index, begun, now),
                Err(_) => shared.failover().failed(index, begun, now),
            }
            results.send((index, outcome)).await.unwrap_or_default(); // nobody may be waiting any more
        });
        Moment::now() + patience
    }

    /// What these upstreams declined to answer, another has answered: it is they that are at fault.
    fn blame(&self, decliners: &[usize]) {
        let now = self.now();
        for &index in decliners {
            self.failover().failed(index, now, now);
        }
    }

    fn failover(&self) -> std::sync::MutexGuard<'_, Failover> {
        self.failover.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.origin.elapsed()
    }
}

impl fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.upstreams.iter().map(Upstream::address)).finish()
    }
}

#[cfg(test)]
mod tests;
