//! Asks upstreams for ourselves: whether a name validates, and which keys a zone has.
//!
//! A station of its own, without listeners, begun at the first question. It has a memory of its own that is empty before
//! each question, so what comes is fresh, and it makes none of the exceptions that clients enjoy.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;
use tracing::error;

use crate::app::house::{House, Manner, Telling};
use crate::app::serve::current::Current;
use crate::app::serve::station::{Station, Surroundings};
use crate::base::tally::Tally;
use crate::base::{Dice, Network, bounds};
use crate::chain::{Asker, Carrier, Chain, Memory};
use crate::dns::{Edns, Flags, Message, Name, Question, RecordType};
use crate::edge::mailbox::{Letter, Mailbox, Reply};
use crate::handlers::cache::{self, Cache};
use crate::handlers::gate::Cookies;
use crate::handlers::resolve::anchors::{Anchors, Validation};
use crate::handlers::resolve::{Resolve, Settings};

/// Octets of the memory for one question.
const MEMORY_BYTES: u64 = 4 << 20;

/// Who asks.
pub struct Inquiry {
    surroundings: Surroundings,
    private: Arc<Current>,
    memory: Arc<Cache>,
    /// What is trusted for these questions.
    validation: Arc<Validation>,
    /// The station's; none until there is something to ask.
    station: Mutex<(Option<Mailbox>, Dice)>,
}

impl Inquiry {
    /// Will ask the way the house in `surroundings` does.
    #[must_use]
    pub fn new(surroundings: Surroundings, dice: &mut Dice) -> Self {
        let (_, house, forwarders) = surroundings.current.snapshot();
        let settings =
            cache::Settings { size_bytes: MEMORY_BYTES, prefetch: None, stale: None, ..cache::Settings::default() };
        let memory = Arc::new(Cache::new(settings, dice));
        let validation = Arc::new(Validation::new(Anchors::default(), Vec::new()));
        let house = private(&house, &memory, &validation);
        let dice = Dice::from_seed(std::array::from_fn(|_| dice.bits() as u8));
        Self {
            surroundings,
            private: Arc::new(Current::new(Arc::new(house), forwarders)),
            memory,
            validation,
            station: Mutex::new((None, dice)),
        }
    }

    /// The response to a question of ours, validated by what is trusted now; none where none came in time. One question
    /// is asked at a time.
    pub async fn ask(&self, name: &Name, rtype: RecordType) -> Option<Message> {
        self.ask_as(name, rtype, false).await
    }

    /// The same as it comes, of which nothing is checked.
    pub async fn ask_unchecked(&self, name: &Name, rtype: RecordType) -> Option<Message> {
        self.ask_as(name, rtype, true).await
    }

    async fn ask_as(&self, name: &Name, rtype: RecordType, checking_disabled: bool) -> Option<Message> {
        let mailbox = self.mailbox()?;
        let (_, house, forwarders) = self.surroundings.current.snapshot();
        let trusted = house.resolution.validation.as_ref()?.trust().anchors.clone();
        self.validation.write(trusted, Vec::new());
        self.memory.flush(&Name::root(), true, None);
        self.private.replace(Arc::new(private(&house, &self.memory, &self.validation)), forwarders);
        let flags = Flags { recursion_desired: true, checking_disabled, ..Flags::default() };
        let edns = Edns { udp_size: bounds::UDP_RESPONSE_MAX as u16, dnssec_ok: true, ..Edns::default() };
        let question = Question::new(name.clone(), rtype);
        let query = Message { flags, questions: smallvec::smallvec![question], edns: Some(edns), ..Message::default() };
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

    fn mailbox(&self) -> Option<Mailbox> {
        let mut held = self.station.lock().unwrap_or_else(PoisonError::into_inner);
        if held.0.is_none() {
            let dice = Dice::from_seed(std::array::from_fn(|_| held.1.bits() as u8));
            let own = Surroundings { current: Arc::clone(&self.private), desk: None, ..self.surroundings.clone() };
            let begin = || {
                let mut station = Station::new(own, (0, 1), Vec::new(), dice, Arc::new(Tally::default()))?;
                let mailbox = station.mailbox();
                std::thread::Builder::new().name("meridian-trust".into()).spawn(move || station.run())?;
                Ok(mailbox)
            };
            let begun = begin().map_err(|fault: std::io::Error| error!("keys of anchors cannot be asked for: {fault}"));
            held.0 = begun.ok();
        }
        held.0.clone()
    }
}

/// The running house as this station has it: nothing but upstreams, for itself alone.
fn private(house: &House, memory: &Arc<Cache>, validation: &Arc<Validation>) -> House {
    House {
        telling: Telling::default(),
        policy: None,
        chain: Chain::new(vec![Box::new(Resolve)]),
        cluster: None,
        loops: None,
        memory: Arc::clone(memory) as Arc<dyn Memory>,
        resolution: Arc::new(Settings {
            validation: Some(Arc::clone(validation)),
            ..Settings::clone(&house.resolution)
        }),
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
