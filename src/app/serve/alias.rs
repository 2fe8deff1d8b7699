//! Resolves the targets of ALIAS records ahead, through our own resolver.
//!
//! A station of its own, without listeners, begun when the first such record is there, answers these questions out of our zones and else from upstreams, for
//! nobody else's sake: whom the configuration gives recursion does not matter to it. What it finds goes into the
//! zones' table of aliases.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tracing::{debug, error};

use super::current::Current;
use super::station::{Station, Surroundings};
use super::zones::Keeper;
use crate::app::house::{House, Manner, Telling};
use crate::base::tally::Tally;
use crate::base::{Clock, Dice, Network, bounds};
use crate::chain::{Asker, Carrier, Chain, Handler};
use crate::dns::{Edns, Flags, Message, Name, Question};
use crate::edge::mailbox::{Letter, Mailbox, Reply};
use crate::handlers::authority::alias::Watch;
use crate::handlers::authority::{Authority, Hosted};
use crate::handlers::gate::Cookies;
use crate::handlers::resolve::Resolve;

/// The least time between two looks at what has changed.
const PAUSE: Duration = Duration::from_millis(100);

/// Begins to resolve for the zones of `keeper`, for as long as the runtime lives.
pub fn start(surroundings: &Surroundings, keeper: &Arc<Keeper>, authority: &Arc<Authority>, dice: &mut Dice) {
    let (generation, house, forwarders) = surroundings.current.snapshot();
    let follower = Follower {
        surroundings: surroundings.clone(),
        keeper: Arc::clone(keeper),
        authority: Arc::clone(authority),
        mailbox: None,
        private: Arc::new(Current::new(Arc::new(private(&house, authority)), forwarders)),
        generation,
        dice: Dice::from_seed(std::array::from_fn(|_| dice.bits() as u8)),
    };
    surroundings.runtime.spawn(follower.run());
}

/// The running house as the aliases' station has it: our zones, then upstreams, for itself alone.
fn private(house: &House, authority: &Arc<Authority>) -> House {
    let mut links: Vec<Box<dyn Handler>> = vec![Box::new(Arc::clone(authority))];
    links.extend(house.cluster.iter().map(|cluster| Box::new(cluster.clone()) as Box<dyn Handler>));
    links.push(Box::new(Resolve));
    House {
        telling: Telling::default(),
        policy: None,
        chain: Chain::new(links),
        cluster: house.cluster.clone(),
        memory: Arc::clone(&house.memory),
        resolution: Arc::clone(&house.resolution),
        loops: None,
        allow: std::iter::once(Network::new(Ipv4Addr::LOCALHOST.into(), 32)).collect(),
        offers_recursion: true,
        stale_wait: None,
        finished_bytes: 0,
        nsid: Box::default(),
        manner: Manner::default(),
        has_desk: false,
        homes: house.homes.clone(),
        limits: Arc::default(),
        patience: Arc::clone(&house.patience),
        cookies: Cookies::default(),
        capacity: house.capacity,
    }
}

struct Follower {
    surroundings: Surroundings,
    keeper: Arc<Keeper>,
    authority: Arc<Authority>,
    /// The station's; none until there is something to ask.
    mailbox: Option<Mailbox>,
    private: Arc<Current>,
    generation: u64,
    dice: Dice,
}

impl Follower {
    async fn run(mut self) {
        let mut news = self.keeper.subscribe();
        let mut watch = Watch::default();
        let (answered, mut answers) = mpsc::channel::<(Question, Option<Message>)>(bounds::ALIAS_QUESTIONS);
        let mut under_way = 0;
        loop {
            self.follow_current();
            let now = self.surroundings.clock.now();
            let targets = self.targets();
            watch.follow(&targets, now);
            if !targets.is_empty() && self.mailbox.is_none() {
                self.mailbox = self.begin_station();
            }
            while under_way < bounds::ALIAS_QUESTIONS
                && let Some(question) = watch.poll_question(now)
            {
                under_way += 1;
                let (mailbox, answered) = (self.mailbox.clone(), answered.clone());
                tokio::spawn(async move {
                    let response = match mailbox {
                        Some(mailbox) => ask(&mailbox, &question).await,
                        None => None,
                    };
                    answered.send((question, response)).await.ok(); // fails only at the end of everything
                });
            }
            // What is stale changes its TTL by time alone.
            if self.keeper.zones().aliases().put(watch.known(now)) {
                self.surroundings.current.touch();
            }
            let due = watch.poll_timeout().map_or(bounds::ALIAS_RETRY_MAX, |due| due.since(now));
            tokio::select! {
                _ = news.recv() => {}
                Some((question, response)) = answers.recv() => {
                    under_way -= 1;
                    self.take(&mut watch, &question, response.as_ref());
                }
                () = tokio::time::sleep(due.min(bounds::ALIAS_RETRY_MAX)) => {}
            }
            tokio::time::sleep(PAUSE).await;
            while let Ok((question, response)) = answers.try_recv() {
                under_way -= 1;
                self.take(&mut watch, &question, response.as_ref());
            }
            while news.try_recv().is_ok() {}
        }
    }

    fn begin_station(&mut self) -> Option<Mailbox> {
        let own = Surroundings { current: Arc::clone(&self.private), desk: None, ..self.surroundings.clone() };
        let dice = Dice::from_seed(std::array::from_fn(|_| self.dice.bits() as u8));
        let begin = || {
            let mut station = Station::new(own, (0, 1), Vec::new(), dice, Arc::new(Tally::default()))?;
            let mailbox = station.mailbox();
            std::thread::Builder::new().name("meridian-alias".into()).spawn(move || station.run())?;
            Ok(mailbox)
        };
        begin().map_err(|fault: std::io::Error| error!("ALIAS targets cannot be resolved: {fault}")).ok()
    }

    fn take(&self, watch: &mut Watch, question: &Question, response: Option<&Message>) {
        let outcome = response.map_or("no response".to_owned(), |response| response.rcode.to_string());
        debug!("ALIAS target {} {}: {outcome}", question.name, question.rtype);
        watch.handle_response(question, response, self.surroundings.clock.now());
    }

    fn targets(&self) -> BTreeSet<Name> {
        let zones = self.keeper.zones();
        let target = |hosted: &Hosted| match hosted {
            Hosted::Serving(zone) => zone.alias().map(|(target, _)| target),
            Hosted::Unavailable => None,
        };
        zones.iter().filter_map(|(_, hosted)| target(hosted)).collect()
    }

    /// After a reload, the settings of the new house count here too.
    fn follow_current(&mut self) {
        if self.surroundings.current.generation() != self.generation {
            let (generation, house, forwarders) = self.surroundings.current.snapshot();
            self.private.replace(Arc::new(private(&house, &self.authority)), forwarders);
            self.generation = generation;
        }
    }
}

/// Asks the aliases' own station.
async fn ask(mailbox: &Mailbox, question: &Question) -> Option<Message> {
    let flags = Flags { recursion_desired: true, ..Flags::default() };
    let edns = Some(Edns { udp_size: bounds::UDP_RESPONSE_MAX as u16, ..Edns::default() });
    let query = Message { flags, questions: smallvec::smallvec![question.clone()], edns, ..Message::default() };
    let mut bytes = Vec::new();
    query.compose(&mut bytes, bounds::MESSAGE_MAX).ok()?;
    // Any port but 0; nothing is sent there.
    let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 53_000);
    let asker = Asker { address, local: None, carrier: Carrier::Tcp, may_recurse: true, group: 0 };
    let (reply, answer) = oneshot::channel();
    mailbox.post(Letter::Query { bytes, asker, reply: Reply::Inside(reply), handed_over: false }).ok()?;
    let answer = tokio::time::timeout(bounds::WORK_DEADLINE, answer).await.ok()?.ok()?;
    Message::parse(&answer).ok()
}
