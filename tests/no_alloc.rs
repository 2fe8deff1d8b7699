//! The law of the quiet heap: a recall that hits allocates nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::Arc;

use meridian::base::{Dice, Instant, bounds};
use meridian::chain::{Aged, Answer, Asker, Carrier, Query, Recall, seal};
use meridian::dns::{Edns, Flags, Message, Question, RecordType, RrSet};
use meridian::handlers::cache::finished::Finished;

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
        },
    };
    let set = RrSet::new(query.question.name.clone(), RecordType::A, 300, (0..20).map(|last| [192, 0, 2, last]));
    let answer = Answer {
        answer: vec![Aged { set: Arc::new(set), ttl: 300 }],
        recallable_until: Some(300),
        ..Answer::default()
    };
    let mut finished = Finished::new(&mut Dice::from_number(1), 1_000, 1 << 20);
    let mut bytes = Vec::new();
    let sealed = seal(&query, &answer, true, &mut bytes);
    finished.keep(&query, &answer, &sealed, &bytes, Instant::ZERO);

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

    let before = ALLOCATIONS.with(Cell::get);
    for second in 0..300 {
        let recalled = finished.recall(black_box(&datagram), &query.asker, Instant::from_seconds(second), &mut out);
        assert_eq!(recalled, Recall::Hit(0));
    }
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
    assert!(ALLOCATIONS.with(Cell::get) > 0, "the allocator does count");
}
