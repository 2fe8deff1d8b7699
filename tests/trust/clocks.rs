//! The wall's clock leaps. Signatures go by it; what is remembered, and all waiting, does not.

use std::time::Duration;

use meridian::dns::{Rcode, RecordType};

use crate::keys::{DAY, WALL};
use crate::tree::Tree;
use crate::world::{CHECKED, World};

#[test]
fn leaps_of_the_clock_harm_nothing_that_is_remembered_and_nothing_for_good() {
    let tree = Tree::new();
    let (now, day) = (i64::from(WALL), i64::from(DAY));
    // The tree is signed from a day ago until two weeks ahead.
    let leaps: &[(&str, i64, bool)] = &[
        ("an hour ahead", now + 3_600, true),
        ("an hour back", now - 3_600, true),
        ("a day ahead", now + day, true),
        ("a day back", now - day, true),
        ("ten years ahead", now + 3_652 * day, false),
        ("ten years back", now - 3_652 * day, false),
        ("to 1970", 0, false),
        ("to the last second of 31 bits", (1 << 31) - 1, false),
        ("past 31 bits", 1 << 31, false),
        ("to the last second of 32 bits", (1 << 32) - 1, false),
        ("past 32 bits", (1 << 32) + 5, false),
        ("to 2106, a round later", now + (1 << 32), true),
    ];
    for (what, wall, is_within) in leaps {
        let mut world = World::honest(&tree);
        let before = world.ask("www.nsec.net.", RecordType::A, CHECKED).expect("an answer");
        assert!(before.is_authentic);
        let ttl = before.message.answer[0].ttl;
        world.set_wall(wall.cast_unsigned());
        world.pass(Duration::from_secs(10));
        let after = world.ask("www.nsec.net.", RecordType::A, CHECKED).expect("an answer");
        assert_eq!(after.answer, before.answer, "{what}");
        assert!(after.message.answer[0].ttl <= ttl - 10, "{what}: the TTL grows");
        let fresh = world.ask("mail.nsec3.net.", RecordType::MX, CHECKED).expect("an answer");
        if *is_within {
            assert!(fresh.is_authentic, "{what}: {} {:?}", fresh.rcode, fresh.ede);
        } else {
            assert_eq!(fresh.rcode, Rcode::SERVFAIL, "{what}");
            assert!(fresh.ede.iter().any(|code| [7, 8].contains(code)), "{what}: {:?}", fresh.ede);
        }
        // The clock is put right; what failed is forgotten after a while.
        world.set_wall(now.cast_unsigned() + 20);
        world.pass(Duration::from_secs(70));
        let healed = world.ask("mail.nsec3.net.", RecordType::MX, CHECKED).expect("an answer");
        assert!(healed.is_authentic, "{what}: {} {:?} after the clock was put right", healed.rcode, healed.ede);
        world.sweep();
    }
}

#[test]
fn nothing_is_remembered_for_longer_than_its_signature_holds() {
    let tree = Tree::new();
    let mut world = World::honest(&tree);
    let left = 600;
    world.set_wall(u64::from(WALL + 14 * DAY - left));
    let heard = world.ask("www.nsec.net.", RecordType::A, CHECKED).expect("an answer");
    assert!(heard.is_authentic);
    // A tenth of a signature's life more is given to slow clocks, an hour at most.
    let longest = heard.message.answer.iter().map(|row| row.ttl).max().unwrap();
    assert!(longest <= left + 3_600, "{longest} s, but the signature holds for {left}");
}
