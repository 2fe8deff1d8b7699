//! The law of the quiet heap: a recall that hits allocates nothing.
#![expect(clippy::unwrap_used, reason = "a test may")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use meridian::app::config::{self, Machine};
use meridian::app::house::{Capacity, House, Manner, Telling};
use meridian::app::worker::{Next, Worker};
use meridian::base::collections::keyed;
use meridian::base::patience::Patience;
use meridian::base::tally::{Event, Tally};
use meridian::base::{Dice, Instant, NetworkSet, bounds};
use meridian::chain::{Aged, Answer, Asker, Carrier, Chain, Handler, Query, Recall, Turn, Verdict, seal};
use meridian::dns::cookie::{CookieSecret, CookieSecrets};
use meridian::dns::{Edns, Flags, Message, Question, RecordType, RrSet};
use meridian::handlers::cache::finished::Finished;
use meridian::handlers::cache::{self, Cache};
use meridian::handlers::gate::{Cookies, Limits};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "a counting allocator can be had in no other way")]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn a_recall_that_hits_allocates_nothing() {
    let mut query = Query {
        id: 7,
        flags: Flags { recursion_desired: true, ..Flags::default() },
        question: Question::new("a-rather-long-name.of.several.labels.example.".parse().unwrap(), RecordType::A),
        edns: Some(Edns { udp_size: 1232, ..Edns::default() }),
        asker: Asker {
            address: "192.0.2.1:5353".parse().unwrap(),
            local: None,
            carrier: Carrier::Udp,
            may_recurse: true,
            group: 0,
        },
    };
    let set = RrSet::new(query.question.name.clone(), RecordType::A, 300, (0..20).map(|last| [192, 0, 2, last]));
    let answer = Answer {
        answer: vec![Aged { set: Arc::new(set), ttl: 300 }],
        recallable_until: Some(300),
        ..Answer::default()
    };
    let mut finished = Finished::new(&mut Dice::from_number(1), 1 << 20);
    let mut bytes = Vec::new();
    let sealed = seal(&query, &answer, true, &mut bytes);
    finished.keep(&query, &answer, None, &sealed, &bytes, Instant::ZERO);

    query.edns = Some(Edns { udp_size: 4096, options: vec![(10, vec![1; 8])], ..Edns::default() });
    let message = Message {
        id: 9,
        flags: query.flags,
        questions: [query.question.clone()].into_iter().collect(),
        edns: query.edns.clone(),
        ..Message::default()
    };
    let (mut datagram, mut out) = (Vec::new(), Vec::with_capacity(bounds::UDP_RESPONSE_MAX));
    message.compose(&mut datagram, bounds::MESSAGE_MAX).unwrap();

    let mut dice = Dice::from_number(2);
    let before = ALLOCATIONS.with(Cell::get);
    for second in 0..300 {
        let now = Instant::from_seconds(second);
        let recalled = finished.recall(black_box(&datagram), &query.asker, now, &mut dice, &mut out);
        assert_eq!(recalled, Recall::Hit(0));
    }
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
    assert!(ALLOCATIONS.with(Cell::get) > 0, "the allocator does count");
}

/// What is hostile in a message must not cost more than its octets can hold.
#[test]
fn names_that_unfold_cost_allocations_by_the_record_and_endless_options_by_the_bound() {
    let allocated = |bytes: &[u8]| {
        let before = ALLOCATIONS.with(Cell::get);
        let is_read = Message::parse(black_box(bytes)).is_ok();
        (is_read, ALLOCATIONS.with(Cell::get) - before)
    };
    let header = |counts: [u16; 4]| -> Vec<u8> {
        [0, 1, 0x80, 0].into_iter().chain(counts.iter().flat_map(|count| count.to_be_bytes())).collect()
    };
    // Each record is 14 octets and unfolds into two names of 255, the longest way from pointer to pointer.
    let longest: Vec<u8> = (0..127).flat_map(|_| [1, b'a']).chain([0, 0, 1, 0, 1]).collect();
    let records = (bounds::MESSAGE_MAX - 12 - longest.len()) / 14;
    let mut bomb = [header([1, records as u16, 0, 0]), longest].concat();
    for _ in 0..records {
        bomb.extend_from_slice(&[0xC0, 12, 0, 2, 0, 1, 0, 0, 0, 60, 0, 2, 0xC0, 12]);
    }
    let (is_read, count) = allocated(&bomb);
    assert!(is_read && count <= 6 * records as u64, "{count} allocations for {records} records");

    let options = |count: u16| {
        let opt = [&[0, 0, 41, 4, 208, 0, 0, 0, 0], &(4 * count).to_be_bytes()[..]].concat();
        [header([0, 0, 0, 1]), opt, [0, 12, 0, 0].repeat(count.into())].concat()
    };
    let most = bounds::EDNS_OPTIONS_MAX as u64;
    let (is_read, count) = allocated(&options(16_000));
    assert!(!is_read && count <= most + 10, "{count} allocations for 16,000 options");
}

/// Answers everything, so that it is recalled from then on.
struct Parrot;

impl Handler for Parrot {
    fn name(&self) -> &'static str {
        "parrot"
    }

    fn handle(&self, query: &Query, _: &mut Turn<'_>) -> Verdict {
        let set = RrSet::new(query.question.name.clone(), RecordType::A, 300, (0..20).map(|last| [192, 0, 2, last]));
        Verdict::Answer(Answer {
            answer: vec![Aged { set: Arc::new(set), ttl: 300 }],
            authoritative: true,
            recallable_until: Some(300),
            ..Answer::default()
        })
    }
}

/// The parrot's house with every limit and with cookies.
fn house(limits: &str) -> House {
    let machine = Machine { cores: std::num::NonZeroUsize::MIN, memory: None };
    let limits = config::load(Path::new("limits"), limits.as_bytes(), &machine).unwrap().config.limits.rates;
    let mut dice = Dice::from_number(1);
    House {
        cluster: None,
        chain: Chain::new(vec![Box::new(Parrot)]),
        policy: None,
        memory: Arc::new(Cache::simulated(cache::Settings::default(), &mut dice)),
        resolution: Arc::default(),
        loops: None,
        allow: NetworkSet::default(),
        offers_recursion: false,
        stale_wait: None,
        finished_bytes: 1 << 20,
        telling: Telling::default(),
        nsid: Box::default(),
        manner: Manner::default(),
        has_desk: false,
        homes: keyed(&mut dice),
        limits: Arc::new(Limits::new(limits, &mut dice)),
        patience: Arc::new(Patience::new(bounds::TCP_IDLE)),
        cookies: Cookies(Some(CookieSecrets { first: CookieSecret([1; 16]), second: Some(CookieSecret([2; 16])) })),
        capacity: Capacity::default(),
    }
}

fn datagram(options: Vec<(u16, Vec<u8>)>) -> Vec<u8> {
    let question = Question::new("a-rather-long-name.of.several.labels.example.".parse().unwrap(), RecordType::A);
    let message = Message {
        id: 9,
        questions: std::iter::once(question).collect(),
        edns: Some(Edns { udp_size: 4096, options, ..Edns::default() }),
        ..Message::default()
    };
    let mut datagram = Vec::new();
    message.compose(&mut datagram, bounds::MESSAGE_MAX).unwrap();
    datagram
}

#[test]
fn a_turn_under_limits_allocates_nothing_whether_it_passes_slips_or_stays_silent() {
    let all = "limits: {queries: [{rate: 1000/s}, {rate: 60000/m, algorithm: sliding_window_log}], \
               responses: {rate: 50/s, all: 70/s}}";
    let tally = Arc::new(Tally::default());
    let mut worker: Worker<()> = Worker::new(Arc::new(house(all)), (0, 1), Dice::from_number(2), Arc::clone(&tally));
    let (plain, with_cookie) = (datagram(Vec::new()), datagram(vec![(10, vec![1; 8])]));
    let asker = Asker {
        address: "198.51.100.1:5353".parse().unwrap(),
        local: None,
        carrier: Carrier::Udp,
        may_recurse: false,
        group: 0,
    };
    let mut out = Vec::with_capacity(bounds::UDP_RESPONSE_MAX);
    let mut turn = |datagram: &[u8], second: u64| {
        worker.turn(black_box(datagram), asker, &mut None, Instant::from_seconds(second), &mut out)
    };
    assert_eq!(turn(&plain, 0), Next::Respond);
    let before = ALLOCATIONS.with(Cell::get);
    for step in 0..3_000_u64 {
        let next = turn(if step % 2 == 0 { &plain } else { &with_cookie }, 1);
        assert!(matches!(next, Next::Respond | Next::Silence));
    }
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
    for event in [
        Event::Recalled,
        Event::QueriesLimited,
        Event::ResponsesLimited,
        Event::Slipped,
        Event::BadCookies,
        Event::SilenceLimited,
    ] {
        assert!(tally.read(event) > 0, "{event:?}");
    }
}

#[path = "instructions/worlds.rs"]
mod worlds;

#[test]
fn choosing_for_a_client_subnet_allocates_nothing() {
    let mut world = worlds::steered(true);
    let recalled = world.tally.read(Event::Recalled);
    let before = ALLOCATIONS.with(Cell::get);
    for _ in 0..2_000 {
        assert_eq!(world.turn(), Next::Respond);
    }
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
    assert_eq!(world.tally.read(Event::Recalled) - recalled, 2_000);
    let echo = Message::parse(world.response()).unwrap().edns.unwrap();
    assert_eq!(echo.option(8).map(|echo| echo[3]), Some(8), "the scope is the network's in the database");
}
