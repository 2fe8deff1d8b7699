use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A hash that spreads like a real one; a few names share theirs.
fn hash(name: u32) -> u64 {
    u64::from(name - name % 100 / 98).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn record(name: u32, content: u8, length: usize) -> Vec<u8> {
    let mut octets = name.to_ne_bytes().to_vec();
    octets.resize(4 + length, content);
    octets
}

fn is_of(name: u32) -> impl Fn(&[u8]) -> bool {
    move |octets| octets.starts_with(&name.to_ne_bytes())
}

fn put(log: &mut Log, name: u32, octets: &[u8]) -> bool {
    log.put(hash(name), octets, is_of(name), |old| old.was_used)
}

fn get(log: &Log, name: u32) -> Option<Vec<u8>> {
    log.octets(log.find(hash(name), is_of(name))?).map(<[u8]>::to_vec)
}

/// The names that a walk shows.
fn walked(log: &Log) -> Vec<u32> {
    let (mut names, mut next) = (Vec::new(), Some(0));
    while let Some(from) = next {
        next = log.walk(from, |octets| names.push(u32::from_ne_bytes(*octets.first_chunk().unwrap())));
    }
    names
}

#[derive(Clone, Debug)]
enum Step {
    Put { name: u32, length: usize },
    Remove { name: u32 },
    Use { name: u32 },
}

fn step() -> impl Strategy<Value = Step> {
    let length = prop_oneof![8 => 1..100_usize, 1 => 100..3_000_usize];
    prop_oneof![
        6 => (0..3_000_u32, length).prop_map(|(name, length)| Step::Put { name, length }),
        1 => (0..3_000_u32).prop_map(|name| Step::Remove { name }),
        2 => (0..3_000_u32).prop_map(|name| Step::Use { name }),
    ]
}

/// Runs `steps` and checks after each that what is found is what was put last; returns the model.
fn run(log: &mut Log, steps: &[Step], bound: usize) -> Result<BTreeMap<u32, Vec<u8>>, TestCaseError> {
    let mut model = BTreeMap::new();
    for (at, step) in steps.iter().enumerate() {
        match *step {
            Step::Put { name, length } => {
                let octets = record(name, at as u8, length);
                prop_assert!(put(log, name, &octets));
                prop_assert_eq!(get(log, name), Some(octets.clone()), "what has just come is there");
                model.insert(name, octets);
            }
            Step::Remove { name } => {
                if let Some(place) = log.find(hash(name), is_of(name)) {
                    log.remove(hash(name), place);
                }
                prop_assert_eq!(get(log, name), None);
                model.remove(&name);
            }
            Step::Use { name } => {
                let found = get(log, name);
                prop_assert!(found.is_none() || found.as_ref() == model.get(&name));
                if let Some(place) = log.find(hash(name), is_of(name)) {
                    log.mark_used(place);
                }
            }
        }
        prop_assert!(log.size_bytes() <= bound, "{} octets", log.size_bytes());
    }
    Ok(model)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn next_to_nothing_is_lost_where_there_is_room(steps in vec(step(), 1..4_000)) {
        let mut log = Log::new(16 << 20);
        let model = run(&mut log, &steps, 16 << 20)?;
        // A set of the index may overflow before its piece grows.
        let lost: Vec<_> = model.keys().filter(|name| get(&log, **name).is_none()).copied().collect();
        prop_assert!(lost.len() <= 2 + model.len() / 100, "{} of {}", lost.len(), model.len());
        let walked = walked(&log);
        prop_assert_eq!((walked.len(), log.len()), (model.len() - lost.len(), walked.len()), "each once");
        for name in walked {
            prop_assert!(get(&log, name).as_ref() == model.get(&name), "{name}");
        }
    }

    #[test]
    fn the_bound_holds_and_nothing_false_is_found(steps in vec(step(), 1..4_000), bound in 16_384..200_000_usize) {
        let mut log = Log::new(bound);
        let model = run(&mut log, &steps, bound)?;
        let walked = walked(&log);
        prop_assert_eq!(walked.len(), log.len());
        let live: usize = walked.iter().map(|name| room(get(&log, *name).unwrap().len())).sum();
        prop_assert_eq!(live, log.live_bytes);
        for name in walked {
            prop_assert!(get(&log, name).as_ref() == model.get(&name), "{name}");
        }
    }
}

#[test]
fn what_is_used_stays_and_a_log_is_full_of_what_came_last() {
    let mut log = Log::new(4 << 20);
    for name in 0..200_000 {
        assert!(put(&mut log, name, &record(name, 1, 40)));
        let place = log.find(hash(5), is_of(5)).filter(|_| name >= 5);
        assert!(place.is_some() || name < 5, "after {name} others");
        if let Some(place) = place {
            log.mark_used(place);
        }
    }
    // 56 octets each and some 16 of the index, of which a sixth may lie idle.
    assert!(log.len() > (4 << 20) / 72 * 5 / 6, "{}", log.len());
    let newest = 200_000 - log.len() as u32 * 95 / 100;
    let lost = (newest..200_000).filter(|name| get(&log, *name).is_none()).count();
    assert!(lost < log.len() / 100, "{lost} of {}", log.len());
}

#[test]
fn holes_are_filled_and_what_is_empty_gives_its_memory_back() {
    let mut log = Log::new(64 << 20);
    // A hundred names, renewed again and again with ever other lengths.
    for turn in 0..100_000 {
        assert!(put(&mut log, turn % 100, &record(turn % 100, 1, 20 + turn as usize * 7 % 500)));
    }
    assert!(log.len() == 100 && log.size_bytes() < 6 * SEGMENT_MAX, "{} octets", log.size_bytes());
    for name in 0..100 {
        let place = log.find(hash(name), is_of(name)).unwrap();
        log.remove(hash(name), place);
    }
    assert_eq!((log.len(), log.size_bytes()), (0, 0));
}

#[test]
fn what_is_too_large_is_refused() {
    let mut log = Log::new(1 << 20);
    assert!(put(&mut log, 1, &record(1, 1, SEGMENT_MAX - 24)));
    assert!(!put(&mut log, 2, &record(2, 1, SEGMENT_MAX)));
    assert!(!put(&mut Log::new(10_000), 1, &record(1, 1, 1)), "too small to work with");
}
