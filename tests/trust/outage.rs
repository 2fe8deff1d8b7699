//! A top-level domain publishes signatures that do not fit, for hours, as .de did on 5 May 2026.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use meridian::dns::{Rcode, RecordType};

use crate::tree::{LEAVES, Tree, denial_of};
use crate::world::{CHECKED, World};

#[test]
fn when_a_top_level_domain_turns_bogus_cached_names_go_on_and_the_rest_hears_why() {
    let many = |apex: &str| (0..34).map(|at| format!("n{at}.{apex} A 192.0.2.{at}\n")).collect::<String>();
    let tree = Tree::with(&LEAVES.map(|apex| (apex, denial_of(apex), many(apex))));
    let is_broken = Rc::new(Cell::new(false));
    let breaks = Rc::clone(&is_broken);
    let mut world = World::new(
        &tree,
        Box::new(move |_, zone, _, message| {
            if breaks.get() && zone.apex == "net.".parse().unwrap() {
                for row in message.answer.iter_mut().chain(&mut message.authority) {
                    if row.rtype == RecordType::RRSIG {
                        *row.rdata.last_mut().unwrap() ^= 1;
                    }
                }
            }
        }),
    );
    let names: Vec<String> = (0..102).map(|number| format!("n{}.{}", number / 3, LEAVES[number % 3])).collect();
    for name in &names {
        let heard = world.ask(name, RecordType::A, CHECKED).expect("an answer");
        assert!(heard.rcode == Rcode::NOERROR && !heard.answer.is_empty(), "{name}: {} {:?}", heard.rcode, heard.ede);
    }
    is_broken.set(true);
    for (when, waited) in [("while the TTL runs", 1_000), ("when it is over", 7_000), ("hours later", 3_600)] {
        world.pass(Duration::from_secs(waited));
        let mut answered = 0;
        for name in &names {
            let heard = world.ask(name, RecordType::A, CHECKED).expect("an answer");
            answered += usize::from(heard.rcode == Rcode::NOERROR && !heard.answer.is_empty());
            if waited == 7_000 && heard.rcode == Rcode::NOERROR {
                assert!(heard.ede.contains(&3), "{name}: stale, and nobody says so: {:?}", heard.ede);
            }
        }
        println!("{when}: {answered} of {} cached names answer", names.len());
        assert!(answered * 100 >= names.len() * 99, "{when}: {answered} of {} cached names answer", names.len());
    }
    let unknown = world.ask("www.sibling.net.", RecordType::A, CHECKED).expect("an answer");
    assert_eq!(unknown.rcode, Rcode::SERVFAIL);
    assert!(unknown.ede.contains(&6), "{:?}", unknown.ede);
    is_broken.set(false);
    world.pass(Duration::from_secs(100));
    for name in &names {
        let heard = world.ask(name, RecordType::A, CHECKED).expect("an answer");
        assert!(heard.rcode == Rcode::NOERROR, "{name}: {} {:?} after the repair", heard.rcode, heard.ede);
    }
}
