use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::base::Instant;
use crate::steer::health::{Bar, State};
use crate::steer::pool::PoolId;
use crate::steer::stages::nearest::Within;
use crate::steer::stages::tier::Tier;
use crate::steer::testing::{asker, asker_at, down, member, pool, pool_of};
use crate::steer::{Member, Place};

fn steering(pool: Pool, stages: &[StageSpec], terms: Terms) -> Steering {
    Steering::new(Arc::new(pool), stages, terms, None).unwrap()
}

fn board(pool: &Pool, standings: &[Standing]) -> Board {
    let mut board = Board::default();
    board.post(pool, standings.iter().copied());
    board
}

fn select(steering: &Steering, standings: &[Standing]) -> Selection {
    let (board, feeds) = (board(steering.pool(), standings), Feeds::default());
    steering.select(&asker("192.0.2.1"), &board, &feeds, &mut Dice::from_number(1), false)
}

fn barred(bar: Bar) -> Standing {
    Standing { bar: Some(bar), ..Standing::default() }
}

fn three(terms: Terms) -> Steering {
    steering(pool(&[("a", 1.0), ("b", 1.0), ("c", 1.0)]), &[StageSpec::Weighted], terms)
}

#[test]
fn when_all_are_down_the_terms_say_what_is_answered() {
    let answer = |when_all_down| {
        let selection = select(&three(Terms { when_all_down, ttl_min: 5, ..Terms::default() }), &[down(); 3]);
        (selection.outcome, selection.chosen().len(), selection.ttl)
    };
    assert_eq!(answer(WhenAllDown::ServeAll), (Outcome::Members, 1, 5));
    assert_eq!(answer(WhenAllDown::NoData), (Outcome::NoData, 0, 5));
    assert_eq!(answer(WhenAllDown::ServFail), (Outcome::ServFail, 0, 5));
    let went = |seconds| Standing { went_down: Some(Instant::from_seconds(seconds)), ..down() };
    let last = three(Terms { when_all_down: WhenAllDown::LastGood, ..Terms::default() });
    assert_eq!(select(&last, &[went(10), went(30), went(20)]).order.as_slice(), [1]);
}

#[test]
fn a_fallback_pool_answers_when_all_are_down() {
    let terms = Terms { when_all_down: WhenAllDown::Fallback, ..Terms::default() };
    let sorry = Pool::new(PoolId(1), "sorry", vec![member("static", 1.0)]).unwrap();
    let own = Arc::new(pool(&[("a", 1.0)]));
    let steering = Steering::new(own, &[StageSpec::Weighted], terms, Some(Arc::new(sorry))).unwrap();
    let selection = select(&steering, &[down()]);
    assert!(selection.is_fallback);
    assert_eq!(steering.source(selection.is_fallback).pool().name(), "sorry");
    assert!(!select(&steering, &[]).is_fallback);
}

#[test]
fn panic_ignores_health_but_never_peoples_word() {
    let steering = three(Terms { panic_below: 0.5, answers: 3, ..Terms::default() });
    let chosen = |standings: &[Standing]| {
        let mut chosen = select(&steering, standings).chosen().to_vec();
        chosen.sort_unstable();
        chosen
    };
    assert_eq!(chosen(&[down()]), [1, 2]);
    assert_eq!(chosen(&[down(), down()]), [0, 1, 2]);
    assert_eq!(chosen(&[down(), down(), barred(Bar::Drained)]), [0, 1]);
    assert_eq!(chosen(&[barred(Bar::Drained), barred(Bar::Forced)]), [2]);
    let trusting = three(Terms { answers: 3, ..Terms::default() });
    assert_eq!(select(&trusting, &[down(), down()]).chosen(), [2]);
}

#[test]
fn a_tier_in_panic_is_left_for_the_next_one() {
    let mut members: Vec<Member> = ["a", "b", "c", "d"].map(|name| member(name, 1.0)).into();
    members[3].tier = 2;
    let terms = Terms { panic_below: 0.5, ..Terms::default() };
    let steering = steering(pool_of(members), &[StageSpec::Tier(Tier::default()), StageSpec::Weighted], terms);
    assert_eq!(select(&steering, &[down(), down()]).order.as_slice(), [3]);
    assert!(!select(&steering, &[down()]).order.contains(&3));
}

#[test]
fn the_ttl_is_what_health_allows_in_four_steps() {
    let steering = three(Terms { ttl_min: 15, ttl_max: 120, ..Terms::default() });
    let ttl = |seconds: u64, state| {
        let standing = Standing { state, flips_in: Some(Duration::from_secs(seconds)), ..Standing::default() };
        select(&steering, &[standing]).ttl
    };
    let healthy: Vec<u32> = [500, 119, 60, 59, 30, 29, 1].map(|seconds| ttl(seconds, State::Healthy)).into();
    assert_eq!(healthy, [120, 60, 60, 30, 30, 15, 15]);
    assert_eq!(ttl(500, State::Suspect), 15);
    assert_eq!(select(&steering, &[barred(Bar::Draining)]).ttl, 15);
    assert_eq!(select(&steering, &[]).ttl, 120);
}

#[test]
fn agreeing_draws_hold_for_a_ttl_on_every_node_and_every_family() {
    let terms = Terms { agree: Agree::Ttl, secret: 9, ..Terms::default() };
    let (one, other) = (three(terms), three(terms));
    let (board, feeds) = (Board::default(), Feeds::default());
    let mut asker = asker("192.0.2.1");
    let mut changes = 0;
    let mut last: Option<u16> = None;
    for second in 0..6_000 {
        asker.wall = 1_700_000_000 + second;
        let first = one.select(&asker, &board, &feeds, &mut Dice::from_number(second), false).order[0];
        let twin = other.select(&asker, &board, &feeds, &mut Dice::from_number(7_777), false).order[0];
        assert_eq!(first, twin);
        changes += u32::from(last.is_some_and(|last| last != first));
        last = Some(first);
    }
    assert!((40..=100).contains(&changes), "{changes} changes in a hundred epochs");
}

#[test]
fn draws_agree_by_themselves_once_a_member_has_both_families() {
    let mut dual = member("a", 1.0);
    dual.aaaa.push("2001:db8::1".parse().unwrap());
    assert!(steering(pool_of(vec![dual]), &[StageSpec::Weighted], Terms::default()).agrees());
    assert!(!three(Terms::default()).agrees());
}

#[test]
fn the_scope_is_the_longest_prefix_looked_at_and_never_more_than_is_known() {
    let place = Place::at(1.0, 1.0);
    let (board, feeds) = (Board::default(), Feeds::default());
    let scope = |stages: &[&str], source| {
        let stages: Vec<StageSpec> = stages.iter().filter_map(|word| StageSpec::from_word(word)).collect();
        let steering = steering(pool(&[("a", 1.0), ("b", 1.0)]), &stages, Terms::default());
        let mut asker = asker_at("192.0.2.1", &place);
        asker.source = source;
        steering.select(&asker, &board, &feeds, &mut Dice::from_number(1), false).scope.0
    };
    assert_eq!(scope(&["weighted"], 24), 0);
    assert_eq!(scope(&["nearest", "weighted"], 24), 16);
    assert_eq!(scope(&["nearest", "sticky"], 24), 24);
    assert_eq!(scope(&["nearest", "sticky"], 20), 20);
    assert_eq!(scope(&["nearest"], 8), 8);
}

#[test]
fn a_trace_tells_what_each_stage_did() {
    let steering = three(Terms::default());
    let (board, feeds) = (board(steering.pool(), &[down()]), Feeds::default());
    let selection = steering.select(&asker("192.0.2.1"), &board, &feeds, &mut Dice::from_number(1), true);
    let trace = selection.trace.unwrap();
    let stages: Vec<&str> = trace.steps.iter().map(|step| step.stage).collect();
    assert_eq!(stages, ["healthy", "weighted", "first"]);
    assert_eq!(
        (trace.steps[0].before.as_slice(), trace.steps[0].after.as_slice()),
        ([0, 1, 2].as_slice(), [1, 2].as_slice())
    );
    assert!(trace.steps[0].facts.contains(&(Some(0), "DOWN".to_owned())));
    assert_eq!(trace.steps[2].after.len(), 1);
}

#[test]
fn clients_of_a_dead_member_overflow_onto_all_the_others() {
    let mut members = vec![];
    for (name, latitude) in [("near", 0.0), ("next", 10.0), ("far", 50.0)] {
        let mut member = member(name, 1.0);
        (member.place, member.capacity) = (Place::at(latitude, 0.0), Some(100.0));
        members.push(member);
    }
    let stages = ["nearest", "overflow"].map(|word| StageSpec::from_word(word).unwrap());
    let steering = steering(pool_of(members), &stages, Terms::default());
    let place = Place::at(0.0, 0.0);
    let feeds = Feeds::default();
    let mut seen = [0; 3];
    for number in 0..1_000 {
        let address = crate::steer::testing::client(number);
        let asker = asker_at(&address, &place);
        let first = |standings: &[Standing]| {
            steering.select(&asker, &board(steering.pool(), standings), &feeds, &mut Dice::from_number(1), false).order
                [0]
        };
        assert_eq!(first(&[]), 0);
        seen[usize::from(first(&[down()]))] += 1;
    }
    assert!(seen[0] == 0 && seen[1] > 400 && seen[2] > 400, "{seen:?}");
}

#[test]
fn a_rehearsal_hands_nothing_out() {
    let steering = three(Terms::default());
    let owner = "www.example.".parse().unwrap();
    let mut asker = asker("192.0.2.1");
    for (is_rehearsal, until) in [(true, 0), (false, asker.wall + 60)] {
        asker.is_rehearsal = is_rehearsal;
        let selection = steering.select(&asker, &Board::default(), &Feeds::default(), &mut Dice::from_number(1), false);
        let _shown = steering.render(&selection, &owner, crate::dns::RecordType::A);
        assert_eq!(steering.empties_at(selection.order[0]), until);
    }
}

#[test]
fn everybody_within_a_scope_is_answered_alike() {
    use crate::steer::stages::rules::{On, Rule};
    let mut dice = Dice::from_number(8);
    let mut rules: Vec<Rule> = (0..60)
        .map(|_| {
            let address = std::net::Ipv4Addr::from_bits(dice.bits() as u32);
            let network = crate::base::Network::new(address.into(), 6 + dice.below(15) as u8);
            let prefer = vec![format!("m{}", dice.below(5)).into()];
            Rule { on: On::Network(network), prefer, exclude: vec![], bias: vec![] }
        })
        .collect();
    rules.push(Rule { on: On::Default, prefer: vec!["m4".into()], exclude: vec![], bias: vec![] });
    let sticky = StageSpec::from_word("sticky").unwrap();
    let (board, feeds) = (Board::default(), Feeds::default());
    for stages in [vec![StageSpec::Rules(rules.clone())], vec![StageSpec::Rules(rules), sticky]] {
        let steering = steering(crate::steer::testing::crowd(5), &stages, Terms::default());
        for _ in 0..300 {
            let subject = dice.bits() as u32;
            let answer = |bits: u32, dice: &mut Dice| {
                let address = std::net::Ipv4Addr::from_bits(bits).to_string();
                let selection = steering.select(&asker(&address), &board, &feeds, dice, false);
                (selection.scope, selection.order)
            };
            let (scope, order) = answer(subject, &mut dice);
            for _ in 0..50 {
                let noise = dice.bits() as u32 & u32::MAX.checked_shr(u32::from(scope.0)).unwrap_or(0);
                assert_eq!(answer(subject ^ noise, &mut dice), (scope, order.clone()), "/{}", scope.0);
            }
        }
    }
}

fn any_standing() -> impl Strategy<Value = Standing> {
    let states = [State::Unknown, State::Healthy, State::Suspect, State::Down, State::Probing];
    let bars = [None, None, None, Some(Bar::Draining), Some(Bar::Drained), Some(Bar::Forced)];
    (prop::sample::select(states.to_vec()), prop::sample::select(bars.to_vec()), prop::bool::weighted(0.1), 0u64..1_000)
        .prop_map(|(state, bar, is_forced_up, at)| Standing {
            state,
            bar,
            is_forced_up,
            came_back: Some(Instant::from_seconds(at)),
            went_down: Some(Instant::from_seconds(at)),
            slow_start: Duration::from_secs(30),
            ..Standing::default()
        })
}

fn any_stages() -> impl Strategy<Value = Vec<StageSpec>> {
    let words: Vec<StageSpec> = StageSpec::WORDS
        .iter()
        .filter_map(|word| StageSpec::from_word(word))
        .chain([
            StageSpec::RoundRobin { is_smooth: true },
            StageSpec::Nearest { within: Within::Share(0.1), bias: vec![], fallback: vec![] },
            StageSpec::Cohort {
                seed: "s".into(),
                key: Key::default(),
                split: vec![("x".into(), 1.0), ("y".into(), 1.0)],
            },
        ])
        .collect();
    prop::collection::vec(prop::sample::select(words), 0..5)
}

fn any_member() -> impl Strategy<Value = (f64, u16, bool, Option<(f64, f64)>, Option<f64>)> {
    (
        prop::sample::select(vec![0.0, 0.5, 1.0, 3.0]),
        1u16..4,
        any::<bool>(),
        prop::option::of((-90.0..90.0, -180.0..180.0)),
        prop::option::of(0.0..100.0),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_answer_holds_an_unusable_member_while_another_is_usable(
        members in prop::collection::vec((any_member(), any_standing()), 1..9),
        stages in any_stages(),
        seed in any::<u64>(),
        loads in prop::collection::vec(0.0..200.0, 0..9),
        knows_place in any::<bool>(),
        answers in 1usize..4,
    ) {
        let declared: Vec<Member> = members.iter().enumerate().map(|(at, ((weight, tier, is_x, place, capacity), _))| {
            let mut member = member(&format!("m{at}"), *weight);
            member.tier = *tier;
            member.group = Some(if *is_x { "x" } else { "y" }.into());
            member.place = place.map_or_else(Place::default, |(latitude, longitude)| Place::at(latitude, longitude));
            member.capacity = *capacity;
            member
        }).collect();
        let standings: Vec<Standing> = members.iter().map(|(_, standing)| *standing).collect();
        let Ok(steering) = Steering::new(Arc::new(pool_of(declared)), &stages, Terms { answers, ..Terms::default() }, None)
        else { return Ok(()) }; // a cohort without members in a group
        let mut feeds = Feeds::default();
        for (member, load) in loads.iter().enumerate() {
            for metric in ["load", "conns", "latency", "bandit"] {
                let now = Instant::from_seconds(999);
                feeds.pool_mut(PoolId(0)).unwrap().observe(metric, member as u16, *load, Duration::from_secs(9), now);
            }
        }
        let place = if knows_place { Place::at(10.0, 10.0) } else { Place::default() };
        let asker = asker_at("192.0.2.1", &place);
        let selection = steering.select(&asker, &board(steering.pool(), &standings), &feeds, &mut Dice::from_number(seed), false);
        let any_usable = standings.iter().any(Standing::is_usable);
        for member in &selection.order {
            let standing = standings[usize::from(*member)];
            prop_assert!(standing.bar.is_none(), "a barred member");
            prop_assert!(standing.is_usable() || !any_usable, "a member that is down");
        }
        let any_unbarred = standings.iter().any(|standing| standing.bar.is_none());
        prop_assert_eq!(selection.chosen().is_empty(), !any_unbarred, "somebody answers if anybody may");
        let mut order = selection.order.to_vec();
        order.sort_unstable();
        order.dedup();
        prop_assert_eq!(order.len(), selection.order.len(), "nobody twice");
        prop_assert!(selection.scope.0 <= 32);
    }
}
