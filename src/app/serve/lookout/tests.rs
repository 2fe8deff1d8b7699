//! The lookout in simulated time, and once in real time with a real server.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::app::config::Machine;
use crate::steer::health::Standing;
use crate::steer::health::{Refusal, State};
use crate::steer::{Feeds, PoolId};

const MACHINE: Machine = Machine { cores: NonZeroUsize::new(4).unwrap(), memory: Some(8 << 30) };
const WALL: u64 = 1_800_000_000;

fn settings(text: &str) -> config::Steering {
    let loaded = config::load(Path::new("test.yaml"), text.as_bytes(), &MACHINE);
    loaded.unwrap_or_else(|faults| panic!("{faults:#?}")).config.steering
}

/// A tower whose targets a test lets live and die, in simulated time.
struct World {
    tower: Tower,
    now: Instant,
    dead: BTreeSet<String>,
    untold: bool,
    board: Board,
    probed: BTreeMap<CheckKey, usize>,
    feeds: Feeds,
}

impl World {
    fn new(text: &str) -> Self {
        let mut tower = Tower::new(7, Dice::from_number(1));
        let now = Instant::from_seconds(1);
        tower.replace(Plan::new(&settings(text)), Moment { now, wall: WALL });
        let (dead, board) = (BTreeSet::new(), Board::default());
        Self { tower, now, dead, untold: false, board, probed: BTreeMap::new(), feeds: Feeds::default() }
    }

    fn at(&self) -> Moment {
        Moment { now: self.now, wall: WALL + self.now.seconds() }
    }

    /// Lets time pass; every probe takes a millisecond.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now < end {
            while let Some((key, task)) = self.tower.poll_probe(self.at()) {
                *self.probed.entry(key.clone()).or_default() += 1;
                let is_dead = self.dead.contains(&task.subject.target.to_string());
                let finding = match (self.untold, is_dead) {
                    (true, _) => Finding::Untold("not permitted".into()),
                    (false, true) => Finding::Bad("status 503".into()),
                    (false, false) => Finding::Good("status 200".into()),
                };
                self.tower.handle_finding(&key, &finding, Duration::from_millis(1), self.at());
            }
            if self.now.nanos().is_multiple_of(1_000_000_000) {
                self.tower.tick(self.at());
            }
            if let Some(board) = self.tower.poll_board(self.at().wall) {
                self.board = board;
            }
            if let Some(feeds) = self.tower.feeding.poll_feeds() {
                self.feeds = feeds;
            }
            self.now = self.now + Duration::from_millis(100);
        }
    }

    fn words(&self, pool: u32) -> Vec<&'static str> {
        self.board.standings(&self.tower.plan.pools[pool as usize].pool).iter().map(Standing::word).collect()
    }
}

const TWO_POOLS: &str = r#"
checks: {web: {http: /healthz, every: 10s, timeout: 3s}, tcp: {tcp: 443, every: 5s}}
pools:
  www:
    check: [web]
    members: {fra: {a: 192.0.2.1}, iad: {a: [192.0.2.2, 192.0.2.3]}, sin: {a: 192.0.2.4}}
  api: {check: [web], members: {one: {a: 192.0.2.1}, two: {a: 192.0.2.5}}}
  free: {members: {any: {a: 192.0.2.9}}}
zones:
  example.com:
    records: ["@ SOA ns h 1 3600 600 86400 60", "@ NS ns.example.net."]
    steer: {www: {pool: www, ttl: 60}, api: {pool: api, ttl: 30}}
"#;

fn order(reason: &str) -> Order {
    Order { actor: "ops".into(), reason: reason.into(), lasts: None, breaks_glass: false }
}

#[test]
fn equal_checks_run_once_for_all_pools_and_every_address_is_checked() {
    let mut world = World::new(TWO_POOLS);
    assert_eq!(world.tower.plan.tasks.len(), 5, "192.0.2.1 is in two pools");
    assert!(!world.tower.is_first_round_over());
    world.pass(Duration::from_secs(1));
    assert!(world.tower.is_first_round_over());
    assert_eq!(world.probed.values().copied().collect::<Vec<_>>(), [1; 5]);
    world.pass(Duration::from_secs(100));
    assert!(world.probed.values().all(|&count| (10..=13).contains(&count)), "{:?}", world.probed);
    assert_eq!(world.words(0), ["HEALTHY"; 3]);
    assert_eq!(world.words(2), ["HEALTHY"], "nothing checks it");
}

#[test]
fn a_death_is_on_the_board_in_time_and_a_return_too() {
    let mut world = World::new(TWO_POOLS);
    world.pass(Duration::from_secs(60));
    world.dead.insert("192.0.2.3".into());
    world.pass(Duration::from_secs(11));
    assert!(["SUSPECT", "DOWN"].contains(&world.words(0)[1]), "within one interval and a tenth");
    world.pass(Duration::from_secs(9));
    assert_eq!(world.words(0), ["HEALTHY", "DOWN", "HEALTHY"], "one bad address makes a member bad");
    world.dead.clear();
    world.pass(Duration::from_secs(34));
    assert_eq!(world.words(0), ["HEALTHY"; 3]);
    assert!(world.board.standings(&world.tower.plan.pools[0].pool)[1].ramp(world.now) < 1.0, "it returns slowly");
}

#[test]
fn the_dead_are_out_before_the_first_answer() {
    let mut world = World::new(TWO_POOLS);
    world.dead.insert("192.0.2.1".into());
    world.pass(Duration::from_secs(1));
    assert!(world.tower.is_first_round_over());
    assert_eq!((world.words(0), world.words(1)), (vec!["DOWN", "HEALTHY", "HEALTHY"], vec!["DOWN", "HEALTHY"]));
}

#[test]
fn trouble_of_our_own_makes_nobody_down() {
    let mut world = World::new(TWO_POOLS);
    world.pass(Duration::from_secs(60));
    world.untold = true;
    world.pass(Duration::from_secs(60));
    assert_eq!(world.words(0), ["UNKNOWN"; 3]);
    assert!(world.board.standings(&world.tower.plan.pools[0].pool).iter().all(Standing::is_usable));
    assert_eq!(world.tower.unknown().len(), 5);
}

#[test]
fn a_reload_goes_on_with_what_is_known_and_ends_what_is_gone() {
    let mut world = World::new(TWO_POOLS);
    world.dead.insert("192.0.2.4".into());
    world.pass(Duration::from_secs(30));
    let since = world.tower.view(world.now, world.at().wall)[0].members[2].since;
    // Another pool comes first, so places change; another timing; a member leaves.
    let text = TWO_POOLS
        .replace("pools:\n", "pools:\n  new: {members: {x: {a: 192.0.2.8}}}\n")
        .replace("every: 10s", "every: 8s")
        .replace(", two: {a: 192.0.2.5}", "");
    world.tower.replace(Plan::new(&settings(&text)), world.at());
    let board = world.tower.poll_board(world.at().wall).unwrap();
    assert_eq!(board.standings(&world.tower.plan.pools[1].pool)[2].state, State::Down, "at once, and before any probe");
    assert_eq!(world.tower.plan.tasks.len(), 4);
    assert_eq!(world.tower.view(world.now, world.at().wall)[1].members[2].since, since);
    world.probed.clear();
    world.pass(Duration::from_secs(60));
    assert!(!world.probed.keys().any(|key| key.contains("192.0.2.5")));
}

#[test]
fn checks_that_differ_in_timing_alone_are_two() {
    let text = TWO_POOLS.replace("tcp: {tcp: 443", "slow: {http: /healthz, every: 60s}, tcp: {tcp: 443");
    let world = World::new(&text.replace("api: {check: [web]", "api: {check: [slow]"));
    assert_eq!(world.tower.plan.tasks.len(), 6);
}

#[test]
fn what_was_saved_is_taken_over_and_needs_no_first_round() {
    let mut world = World::new(TWO_POOLS);
    world.dead.insert("192.0.2.1".into());
    world.pass(Duration::from_secs(30));
    let at = world.at();
    world.tower.decide(("www/iad", Action::Drain), &order("power work"), at.wall + 60, at).unwrap();
    assert!(world.tower.take_unsaved() && !world.tower.take_unsaved());
    let text = world.tower.compose(at.wall);
    let mut fresh = World::new(TWO_POOLS);
    fresh.tower.restore(&saved::parse(&text), Moment { now: fresh.now, wall: at.wall + 300 });
    assert!(fresh.tower.is_first_round_over());
    let board = fresh.tower.poll_board(at.wall + 300).unwrap();
    let words: Vec<_> = board.standings(&fresh.tower.plan.pools[0].pool).iter().map(Standing::word).collect();
    assert_eq!(words, ["DOWN", "DRAINED", "HEALTHY"]);
    let mut late = World::new(TWO_POOLS);
    late.tower.restore(&saved::parse(&text), Moment { now: late.now, wall: at.wall + 601 });
    assert!(!late.tower.is_first_round_over(), "too old");
}

#[test]
fn an_override_is_on_the_board_and_in_view_until_its_time() {
    let mut world = World::new(TWO_POOLS);
    world.pass(Duration::from_secs(2));
    let hour = Order { lasts: Some(Duration::from_secs(10)), ..order("power work") };
    assert_eq!(world.tower.decide(("www/*a", Action::Down), &hour, 0, world.at()), Ok(1));
    world.pass(Duration::from_millis(100));
    assert_eq!(world.words(0), ["FORCED_DOWN", "HEALTHY", "HEALTHY"]);
    world.pass(Duration::from_secs(11));
    assert_eq!(world.words(0), ["HEALTHY"; 3]);
}

#[test]
fn the_last_member_is_not_forced_down_without_breaking_the_glass() {
    let mut world = World::new(TWO_POOLS);
    world.dead.insert("192.0.2.5".into());
    world.pass(Duration::from_secs(2));
    let down = |world: &mut World, breaks_glass| {
        let order = Order { breaks_glass, ..order("work") };
        let at = world.at();
        world.tower.decide(("api/one", Action::Down), &order, 0, at)
    };
    let names = vec!["api.example.com.".to_owned()];
    assert_eq!(down(&mut world, false), Err(Refused::Override(Refusal::LeavesWithoutMember(names))));
    assert_eq!(down(&mut world, true), Ok(1));
    world.pass(Duration::from_millis(100));
    let view = world.tower.view(world.now, world.at().wall);
    let member = &view[1].members[0];
    assert_eq!((member.state, member.real_state, member.is_usable), ("FORCED_DOWN", "HEALTHY", false));
    let overridden = member.overridden.as_ref().unwrap();
    assert_eq!((overridden.action, overridden.actor.as_str(), overridden.reason.as_str()), ("down", "ops", "work"));
    let last = member.checks[0].last.as_ref().unwrap();
    assert_eq!((last.is_good, last.why.as_str()), (Some(true), "status 200"));
    assert_eq!(world.tower.lift("api/one"), 1);
}

const PUSHED: &str = r#"
checks: {told: {push: true, max_age: 60s, every: 10s}}
feeds: {load: {push: true}, temperature: {http: "http://{address}/t", every: 10s}}
pools:
  www: {check: [told], feeds: [load, temperature], members: {fra: {a: 192.0.2.1}, iad: {a: 192.0.2.2}}}
policies: {learned: [bandit]}
zones:
  example.com:
    records: ["@ SOA ns h 1 3600 600 86400 60", "@ NS ns.example.net."]
    steer: {www: {pool: www, policy: learned, ttl: 30}}
"#;

#[test]
fn a_pushed_result_counts_until_it_is_too_old() {
    let mut world = World::new(PUSHED);
    world.pass(Duration::from_secs(2));
    assert!(world.tower.is_first_round_over() && world.words(0) == ["UNKNOWN"; 2]);
    for (member, is_good) in [("fra", false), ("iad", true)] {
        let at = world.at();
        assert_eq!(world.tower.push_result(("www", member), Some("told"), is_good, at), Ok(()));
    }
    world.pass(Duration::from_secs(50));
    assert_eq!(world.words(0), ["DOWN", "HEALTHY"]);
    let view = world.tower.view(world.now, world.at().wall);
    assert_eq!(view[0].members[0].checks[0].last.as_ref().unwrap().why, "pushed: down");
    world.pass(Duration::from_secs(30));
    assert_eq!(world.words(0), ["UNKNOWN"; 2]);
    let at = world.at();
    for (pool, member, check, refused) in [
        ("ww", "fra", None, Refused::NoPool),
        ("www", "fr", None, Refused::NoMember),
        ("www", "fra", Some("other"), Refused::NoCheck),
    ] {
        assert_eq!(world.tower.push_result((pool, member), check, true, at), Err(refused));
    }
}

#[test]
fn a_pushed_number_is_in_the_feeds_and_a_fetched_one_is_not_pushed() {
    let mut world = World::new(PUSHED);
    let now = world.now;
    assert_eq!(world.tower.push_feed(("www", "iad"), "load", 0.5, now), Ok(()));
    assert_eq!(world.tower.push_feed(("www", "iad"), "load", f64::NAN, now), Err(Refused::BadNumber));
    assert_eq!(world.tower.push_feed(("www", "iad"), "temperature", 1.0, now), Err(Refused::NoFeed));
    world.pass(Duration::from_secs(1));
    assert_eq!(world.feeds.pool(PoolId(0)).unwrap().last("load", 1, world.now), Some(0.5));
    let view = world.tower.view(world.now, WALL);
    let load = view[0].members[1].feeds.iter().find(|feed| feed.metric == "load").unwrap();
    assert_eq!(load.value, Some(0.5));
}

#[test]
fn every_number_is_fetched_in_turn_and_again_after_its_period() {
    let mut world = World::new(PUSHED);
    let mut fetched: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..600 {
        while let Some((key, fetch)) = world.tower.feeding.poll_fetch(world.now) {
            *fetched.entry(fetch.url).or_default() += 1;
            let is_lost = fetched.len() == 1;
            world.tower.handle_number(&key, (!is_lost).then_some(20.0), world.now);
        }
        world.pass(Duration::from_millis(100));
    }
    let urls = ["http://192.0.2.1/t", "http://192.0.2.2/t"].map(str::to_owned);
    assert_eq!(fetched.keys().cloned().collect::<Vec<_>>(), urls);
    assert!(fetched.values().all(|&count| (5..=7).contains(&count)), "{fetched:?}");
    assert_eq!(world.feeds.pool(PoolId(0)).unwrap().last("temperature", 1, world.now), Some(20.0));
}

#[test]
fn what_clients_report_teaches_the_bandit_and_makes_no_more_than_suspect() {
    let mut world = World::new(PUSHED);
    for member in ["fra", "iad"] {
        let at = world.at();
        world.tower.push_result(("www", member), None, true, at).unwrap();
    }
    for _ in 0..40 {
        let at = world.at();
        world.tower.push_outcomes(("www", "fra"), (10.0, 90.0), at).unwrap();
        world.tower.push_outcomes(("www", "iad"), (99.0, 1.0), at).unwrap();
        world.pass(Duration::from_secs(1));
    }
    assert_eq!(world.words(0), ["SUSPECT", "HEALTHY"]);
    let shares = [0, 1].map(|member| world.feeds.pool(PoolId(0)).unwrap().last("bandit", member, world.now).unwrap());
    assert!(shares[0] < 0.2 && shares[1] > 0.8 && (shares[0] + shares[1] - 1.0).abs() < 1e-6, "{shares:?}");
    let at = world.at();
    assert_eq!(world.tower.push_outcomes(("www", "fra"), (-1.0, 0.0), at), Err(Refused::BadNumber));
}

/// A server that answers 200 while it lives.
async fn serve_while(alive: Arc<std::sync::atomic::AtomicBool>) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let status = if alive.load(std::sync::atomic::Ordering::Relaxed) { "200 OK" } else { "500 Broken" };
            let mut head = [0; 2048];
            let _read = stream.read(&mut head).await;
            let response = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(response.as_bytes()).await.ok();
        }
    });
    port
}

#[tokio::test]
async fn the_lookout_sees_a_real_server_die_and_return_and_tells_the_scene() {
    let alive = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let port = serve_while(Arc::clone(&alive)).await;
    let text = format!(
        "checks: {{web: {{http: /, port: {port}, every: 200ms, timeout: 200ms, slow_start: 0s}}}}\n\
         pools: {{www: {{check: [web], members: {{fra: {{a: 127.0.0.1}}, free: {{a: 127.0.0.2}}}}}}}}\n"
    );
    let pool = Arc::clone(&settings(&text).pools[0].pool);
    let folder = tempfile::tempdir().unwrap();
    let scene = Arc::new(Scene::new(Arc::default()));
    let (clock, mut dice) = (MachineClock::new(), Dice::from_number(1));
    let lookout = Lookout::new(&settings(&text), Arc::clone(&scene), Some(folder.path()), clock, &mut dice);
    let lookout = Arc::new(lookout);
    tokio::spawn(Arc::clone(&lookout).keep_watch());
    assert!(lookout.first_round(Duration::from_secs(20)).await);
    let until = async |wanted: State| {
        while scene.board().standings(&pool)[0].state != wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    until(State::Healthy).await;
    alive.store(false, std::sync::atomic::Ordering::Relaxed);
    until(State::Down).await;
    alive.store(true, std::sync::atomic::Ordering::Relaxed);
    until(State::Healthy).await;
    let eta = lookout.drain("www/fra", &Order { breaks_glass: true, ..order("work") }).unwrap();
    assert!(eta >= wall_seconds());
    assert!(!scene.board().standings(&pool)[0].is_usable(), "at once");
    lookout.save();
    let again = Arc::new(Scene::new(Arc::default()));
    let _restarted = Lookout::new(&settings(&text), Arc::clone(&again), Some(folder.path()), clock, &mut dice);
    assert!(!again.board().standings(&pool)[0].is_usable(), "the drain outlives a restart");
    assert_eq!(lookout.unforce("*"), 1);
    assert!(scene.board().standings(&pool)[0].is_usable());
}
