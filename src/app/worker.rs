//! A worker's turn: start reading here. One datagram comes in; what leaves is a response, a counted silence, or
//! a wait for upstreams.
//!
//! A worker owns its queries from end to end: the resolver, the waiting clients and the finished answers are
//! its own, so nothing here takes a lock. It knows no socket: the same code runs in production, under the
//! stories of `tests/` and in simulation. `R` is what the edge wants back with a late response.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

mod crowd;
mod guarding;
mod reading;
mod resuming;
mod searching;
mod source;
mod waiting;

use self::crowd::Crowd;
use self::guarding::Standing;
use self::reading::{Unreadable, read, word};
use self::searching::{Search, Walked};
pub use self::source::Source;
use self::waiting::{Held, Waiting, Wanted};
use super::house::House;
use crate::base::collections::{Map, keyed};
use crate::base::tally::{Event, Tally};
use crate::base::{Alarms, Dice, Instant, Network, Slots, bounds};
use crate::chain::{Answer, Asker, Carrier, Choice, Handler as _, Query, Recall, Sealed, Turn, Verdict, seal_as};
use crate::dns::wire::glance::type_of;
use crate::dns::wire::{Composer, Glance};
use crate::dns::{Flags, Question, Rcode};
use crate::handlers::cache::finished::Finished;
use crate::handlers::resolve::{ExchangeId, ForwardRequest, GoalId, Resolver, Transmit};

/// What a turn led to.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// The response stands in the buffer.
    Respond,
    /// Nothing is sent; it has been counted.
    Silence,
    /// The response comes later, through [`Worker::poll_late`].
    Wait,
    /// The name's home is another worker: hand the query over, unchanged.
    HandOver(usize),
    /// It takes more than a turn: hand the message to the desk, unchanged.
    Elsewhere(Errand),
}

/// What no worker answers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Errand {
    /// A question for AXFR or IXFR.
    Transfer,
    /// A NOTIFY (RFC 1996).
    Notify,
    /// An UPDATE (RFC 2136).
    Update,
    /// Any other query that is signed with TSIG (RFC 8945), as secondaries ask for the SOA record.
    Signed,
}

/// A response that comes after its turn.
#[derive(Debug)]
pub struct Late<R> {
    /// Where it goes.
    pub reply: R,
    /// The whole message.
    pub bytes: Vec<u8>,
    /// Who asked.
    pub asker: Asker,
    /// When.
    pub arrived: Instant,
    /// Where the answer came from.
    pub source: Source,
}

/// What a worker has under way, for whoever watches its bounds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Load {
    /// Clients' questions that have a place.
    pub recursions: usize,
    /// Questions that clients wait for, or waited for.
    pub goals: usize,
    /// Alarms set for their clients.
    pub alarms: usize,
    /// Responses held back.
    pub held: usize,
}

/// One worker: its share of the queries, and all that is under way for them.
pub struct Worker<R> {
    house: Arc<House>,
    /// This worker's number, and how many there are: every name has one home.
    place: (usize, usize),
    dice: Dice,
    tally: Arc<Tally>,
    resolver: Resolver,
    finished: Finished,
    waiting: Map<GoalId, Waiting<R>>,
    /// The places of goals.
    slots: Slots<Network, GoalId>,
    /// Clients in `waiting` and `held`.
    crowd: Crowd,
    alarms: Alarms<GoalId>,
    /// Responses that leave later, by when and in which order.
    held: BTreeMap<(Instant, u64), Held<R>>,
    holdings: u64,
    late: VecDeque<Late<R>>,
    /// Seconds from the clock's origin back to 1970.
    wall_ahead: u64,
    /// Whether queries come in faster than they are answered.
    is_pressed: bool,
    /// Where the answer to the last query came from.
    source: Source,
    /// What the links said, where somebody wants to know.
    said: Option<Vec<(&'static str, Verdict)>>,
    choices: Vec<Choice>,
}

impl<R> Worker<R> {
    /// The worker number `place.0` of `place.1`.
    #[must_use]
    pub fn new(house: Arc<House>, place: (usize, usize), mut dice: Dice, tally: Arc<Tally>) -> Self {
        let resolver = Resolver::new(Arc::clone(&house.resolution), &mut dice);
        Self {
            place,
            resolver,
            finished: Finished::new(&mut dice, house.finished_bytes),
            waiting: Map::with_hasher(keyed(&mut dice)),
            slots: Slots::new(house.capacity.recursions, Some(bounds::RECURSION_PATIENCE)),
            crowd: Crowd::new(house.capacity, &mut dice),
            alarms: Alarms::new(),
            held: BTreeMap::new(),
            holdings: 0,
            late: VecDeque::new(),
            wall_ahead: 0,
            is_pressed: false,
            source: Source::Nobody,
            said: None,
            choices: Vec::new(),
            house,
            dice,
            tally,
        }
    }

    /// Moves into a new house; what is under way goes on.
    pub fn move_into(&mut self, house: Arc<House>) {
        self.finished.forget_all();
        self.resolver.change_settings(Arc::clone(&house.resolution));
        self.house = house;
    }

    /// The resolver, for `explain` and for tests.
    #[must_use]
    pub const fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// Where the answer to the last query came from, if it was answered.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }

    /// What the links said, if the worker explains.
    pub fn said(&self) -> &[(&'static str, Verdict)] {
        self.said.as_deref().unwrap_or_default()
    }

    /// How the answer to the last query was chosen, if the worker explains.
    pub fn choices(&self) -> &[Choice] {
        &self.choices
    }

    /// Keeps from now on what the links say, and puts an explaining resolver in the place of the plain one.
    pub fn explain(&mut self) {
        self.said = Some(Vec::new());
        self.resolver = Resolver::explaining(Arc::clone(&self.house.resolution), &mut self.dice);
    }

    /// Clients that wait for upstreams, or for their response to leave.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.crowd.len()
    }

    /// What is under way.
    #[must_use]
    pub fn load(&self) -> Load {
        Load {
            recursions: self.slots.len(),
            goals: self.waiting.len(),
            alarms: self.alarms.len(),
            held: self.held.len(),
        }
    }

    /// Takes one query and writes the response into `out`, or says what else becomes of it. `reply` is taken
    /// only where the response comes later.
    pub fn turn(
        &mut self,
        datagram: &[u8],
        asker: Asker,
        reply: &mut Option<R>,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Next {
        self.turn_foreseen(&self.glance(datagram), datagram, asker, reply, now, out)
    }

    /// As [`Worker::turn`], of a query that was glanced at before.
    pub fn turn_foreseen(
        &mut self,
        glance: &Glance,
        datagram: &[u8],
        asker: Asker,
        reply: &mut Option<R>,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Next {
        self.tally.count(match asker.carrier {
            Carrier::Udp => Event::QueriesUdp,
            Carrier::Tcp => Event::QueriesTcp,
        });
        let (is_tcp, is_v6) = (asker.carrier == Carrier::Tcp, asker.address.is_ipv6());
        match glance {
            Glance::Plain(glanced) => self.tally.count_type(glanced.qtype.0, is_tcp, is_v6),
            Glance::Unsure => self.tally.count_type(type_of(datagram).map_or(0, |rtype| rtype.0), is_tcp, is_v6),
            Glance::Silence(_) => {} // no query
        }
        let standing = self.look(glance, datagram, &asker, now);
        if !matches!(glance, Glance::Silence(_))
            && let Some(next) = self.admit(datagram, &asker, &standing, now, out)
        {
            self.source = Source::Limits;
            return next;
        }
        self.answer((glance, &standing), datagram, asker, reply, now, out)
    }

    /// The same for a query that another worker has counted and handed over.
    pub fn turn_handed_over(
        &mut self,
        datagram: &[u8],
        asker: Asker,
        reply: &mut Option<R>,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Next {
        let glance = self.glance(datagram);
        let standing = self.look(&glance, datagram, &asker, now);
        self.answer((&glance, &standing), datagram, asker, reply, now, out)
    }

    fn answer(
        &mut self,
        (glance, standing): (&Glance, &Standing),
        datagram: &[u8],
        mut asker: Asker,
        reply: &mut Option<R>,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Next {
        asker.may_recurse = self.house.may_recurse(standing.address);
        asker.group = self.house.group_of(standing.address);
        let mut picked = None;
        match glance {
            Glance::Plain(glanced) => {
                let cookie = standing.reply_cookie();
                let dice = &mut self.dice;
                match self.finished.recall_glanced(glanced, datagram, &asker, cookie, now, dice, out) {
                    Recall::Hit(account) => {
                        self.tally.count(Event::Recalled);
                        self.source = Source::Recalled;
                        let rcode = Rcode(u16::from(out.get(3).copied().unwrap_or(0) & 0xF));
                        return self.release(&asker, standing, (account, rcode), now, out);
                    }
                    Recall::Picked(chooser, pick) => picked = Some((chooser, pick)),
                    _ => {}
                }
            }
            Glance::Silence(event) => {
                self.tally.count(*event);
                return Next::Silence;
            }
            Glance::Unsure => {}
        }
        self.source = Source::Nobody;
        let query = match read(datagram, asker) {
            Ok((_, Some(errand))) if self.house.has_desk => return self.elsewhere(errand),
            Ok((query, _)) => query,
            Err(Unreadable::Silence(event)) => {
                self.tally.count(event);
                return Next::Silence;
            }
            Err(Unreadable::Errand(errand)) if self.house.has_desk => return self.elsewhere(errand),
            Err(Unreadable::Errand(_)) => return self.refuse(datagram, Rcode::NOTIMP, out),
            // Nobody is owed an answer to what cannot be read.
            Err(Unreadable::Refuse(_)) if self.is_pressed && asker.carrier == Carrier::Udp => {
                self.tally.count(Event::SilencePressed);
                return Next::Silence;
            }
            Err(Unreadable::Refuse(rcode)) => return self.refuse(datagram, rcode, out),
            Err(Unreadable::Version(query)) => {
                return self.respond(&query, standing, &Answer::empty(Rcode::BADVERS), now, out);
            }
        };
        let meant = self.house.manner.rewrites.rewritten(&query);
        let choices = self.said.is_some().then(Vec::new);
        let mut turn = Turn { now, dice: &mut self.dice, tally: &self.tally, aside: None, choices };
        let (said, source) = (&mut self.said, &mut self.source);
        let verdict = match &picked {
            Some((chooser, pick)) => {
                *source = Source::Chosen;
                chooser.answer(&meant, pick, &mut turn)
            }
            None => self.house.chain.handle(&meant, &mut turn, |link, verdict| {
                if !matches!(verdict, Verdict::Pass) {
                    *source = Source::Link(link);
                }
                if let Some(said) = said {
                    said.push((link, verdict.clone()));
                }
            }),
        };
        let Turn { aside, choices, .. } = turn;
        let is_settled = self.is_settled(&meant.question);
        drop(meant);
        self.choices = choices.unwrap_or_default();
        if let Some(goal) = aside {
            self.pursue_aside(&goal, now);
        }
        let (verdict, search) = match verdict {
            Verdict::Search(path) => {
                let mut search = Box::new(Search::new(*path));
                match self.walk_path(&mut search, &query, now) {
                    Walked::Answer(answer) => (Verdict::Answer(answer), None),
                    Walked::Resolve(goal) => (Verdict::Resolve(goal), Some(search)),
                }
            }
            verdict => (verdict, None),
        };
        match verdict {
            Verdict::Answer(answer) => {
                let sealed = self.seal(&query, standing, &answer, out);
                let pick = picked.as_ref().map(|(_, pick)| pick);
                if pick.is_some() || is_settled {
                    self.finished.keep(&query, &answer, pick, &sealed, out, now);
                }
                self.release(&query.asker, standing, (sealed.account, answer.rcode), now, out)
            }
            Verdict::Silence(event) => {
                self.tally.count(event);
                Next::Silence
            }
            Verdict::Resolve(goal) => self.resolve(query, *standing, Wanted { goal, search }, reply, now, out),
            Verdict::Pass | Verdict::Search(_) => {
                self.respond(&query, standing, &Answer::empty(Rcode::REFUSED), now, out)
            }
        }
    }

    /// Takes a response of an upstream or a forwarder.
    pub fn handle_response(&mut self, exchange: ExchangeId, bytes: &[u8], now: Instant) {
        self.with_resolver(now, |resolver, around| resolver.handle_response(exchange, bytes, around));
    }

    /// Takes the response of a forwarder, and whose it is.
    pub fn handle_forwarded(&mut self, exchange: ExchangeId, by: Option<SocketAddr>, bytes: &[u8], now: Instant) {
        self.with_resolver(now, |resolver, around| resolver.handle_forwarded(exchange, by, bytes, around));
    }

    /// Takes the news that an upstream cannot be reached, or that no forwarder answered.
    pub fn handle_fault(&mut self, exchange: ExchangeId, now: Instant) {
        self.with_resolver(now, |resolver, around| resolver.handle_fault(exchange, around));
    }

    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.with_resolver(now, Resolver::handle_timeout);
        self.ring(now);
    }

    /// When [`Worker::handle_timeout`] wants to be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let held = self.held.first_key_value().map(|((leaves, _), _)| *leaves);
        [self.resolver.poll_timeout(), self.alarms.next(), held].into_iter().flatten().min()
    }

    /// The next query to send upstream.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.resolver.poll_transmit()
    }

    /// The next question for a forwarder.
    pub fn poll_forward(&mut self) -> Option<ForwardRequest> {
        self.resolver.poll_forward()
    }

    /// The next exchange for which no response is wanted any more.
    pub fn poll_release(&mut self) -> Option<ExchangeId> {
        self.resolver.poll_release()
    }

    /// The next response to a query that had to wait.
    pub fn poll_late(&mut self) -> Option<Late<R>> {
        self.late.pop_front()
    }

    fn respond(
        &mut self,
        query: &Query,
        standing: &Standing,
        answer: &Answer,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Next {
        let sealed = self.seal(query, standing, answer, out);
        self.release(&query.asker, standing, (sealed.account, answer.rcode), now, out)
    }

    fn seal(&self, query: &Query, standing: &Standing, answer: &Answer, out: &mut Vec<u8>) -> Sealed {
        let recursion_available = self.house.offers_recursion && query.asker.may_recurse;
        let answer = &*self.house.manner.rewrites.restored(query, answer);
        let mut sealed = seal_as(query, answer, recursion_available, self.extras(standing), out);
        sealed.account = self.house.limits.account(query, answer);
        if sealed.is_truncated {
            self.tally.count(Event::Truncated);
        }
        sealed
    }

    /// Whether whoever has answered `question` is who answers it until the house changes: what somebody else says of a
    /// name that the cluster may come to own is no finished answer.
    fn is_settled(&self, question: &Question) -> bool {
        let cluster = self.house.cluster.as_ref();
        cluster.is_none_or(|cluster| self.source == Source::Link(cluster.name()) || !cluster.may_own(&question.name))
    }

    fn elsewhere(&self, errand: Errand) -> Next {
        self.tally.count(Event::Errands);
        Next::Elsewhere(errand)
    }

    /// A bare header: all that can be said to a query that cannot be read.
    fn refuse(&self, datagram: &[u8], rcode: Rcode, out: &mut Vec<u8>) -> Next {
        let (Some(id), Some(bits)) = (word(datagram, 0), word(datagram, 2)) else { return Next::Silence };
        let asked = Flags::from_bits(bits);
        let flags = Flags {
            response: true,
            opcode: asked.opcode,
            recursion_desired: asked.recursion_desired,
            checking_disabled: asked.checking_disabled,
            ..Flags::default()
        };
        match Composer::new(out, bounds::UDP_RESPONSE_FLOOR, id, flags, rcode) {
            Ok(composer) => {
                composer.finish();
                self.count_response(rcode);
                Next::Respond
            }
            Err(_) => Next::Silence,
        }
    }

    fn count_response(&self, rcode: Rcode) {
        self.tally.count(match rcode {
            Rcode::NOERROR => Event::NoError,
            Rcode::FORMERR => Event::FormErr,
            Rcode::SERVFAIL => Event::ServFail,
            Rcode::NXDOMAIN => Event::NxDomain,
            Rcode::NOTIMP => Event::NotImp,
            Rcode::REFUSED => Event::Refused,
            _ => Event::OtherRcode,
        });
    }
}
