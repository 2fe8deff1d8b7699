//! A world: production workers over a model network, and a clock that jumps from event to event. What a seed draws
//! happens again, octet for octet, whenever the seed is run.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use meridian::app::worker::{Next, Worker};
use meridian::base::tally::{Event as Counter, Tally};
use meridian::base::{Dice, Instant, bounds};
use meridian::chain::Asker;
use meridian::dns::Question;

use crate::crowd::{Crowd, Sent};
use crate::house::{Estate, WALL};
use crate::judge::Witnesses;
use crate::network::{Arrival, Open};
use crate::tree::Tree;
use crate::weather::Weather;

/// Steps after which a world is said never to end.
const STEPS_MAX: u64 = 400_000;
/// Of so many worlds one has a signed tree.
const SIGNED: u64 = 4;
/// How long after the last fault servers are avoided, failures remembered and lameness believed, with two timeouts.
pub(crate) const RECOVERY: Duration = Duration::from_secs(30 + 30 + 6);

/// A client's query.
pub(crate) struct Asked {
    pub(crate) question: Question,
    pub(crate) sent: Sent,
    pub(crate) at: Instant,
    pub(crate) is_ended: bool,
    /// The version that the answering worker's house had, at the least, when the query came.
    pub(crate) version: u8,
    /// How far the clock had leapt by then.
    pub(crate) leapt: Duration,
}

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
/// By how much wall clocks jump: a changed zone of time, a wrong date, a dead battery.
const LEAPS: [i64; 6] = [-HOUR, HOUR, -DAY, DAY, -3_652 * DAY, 3_652 * DAY];
/// Where wall clocks are set: their origin, and the last seconds of 31 and 32 bits.
const MOMENTS: [i64; 3] = [0, (1 << 31) - 5, (1 << 32) - 5];

pub(crate) enum Event {
    Ask,
    HandedOver {
        to: usize,
        number: usize,
        restarts: u32,
    },
    Arrive(Box<Arrival>),
    /// A query should have been answered.
    Overdue {
        number: usize,
        leapt: u32,
    },
    Reload,
    Move {
        worker: usize,
        restarts: u32,
    },
    Change,
    MoveZone,
    Sweep,
    Flush,
    Leap(Duration),
    WallJump(i64),
    /// The wall clock is set.
    WallSet(i64),
    Restart,
}

/// Draws an event of one kind.
type Kind = fn(&mut Dice) -> Event;

/// See the module's text.
pub(crate) struct World {
    pub(crate) dice: Dice,
    pub(crate) tree: Tree,
    pub(crate) estate: Estate,
    pub(crate) weather: Weather,
    crowd: Crowd,
    pub(crate) workers: Vec<Worker<usize>>,
    pub(crate) tallies: Vec<Arc<Tally>>,
    pub(crate) now: Instant,
    /// What the wall clock says beside the world's.
    wall: i64,
    /// How much younger a snapshot made what it brought, by a wall clock set back.
    pub(crate) rejuvenation: u64,
    pub(crate) restarts: u32,
    pub(crate) has_flushed: bool,
    pub(crate) queue: BTreeMap<(Instant, u64), Event>,
    serial: u64,
    pub(crate) asked: Vec<Asked>,
    pub(crate) open: BTreeMap<(usize, u64), Open>,
    pub(crate) witnesses: Witnesses,
    /// The version of the configuration, and those that each worker may still answer from.
    pub(crate) version: u8,
    pub(crate) oldest: Vec<u8>,
    pub(crate) leaps: u32,
    pub(crate) leapt: Duration,
    /// When the last leap ended, and how long it was.
    pub(crate) last_leap: (Instant, Duration),
    pub(crate) is_alone: bool,
    gap: Duration,
    left: u32,
    pub(crate) silences: u64,
    pub(crate) lost_in_restarts: u64,
    pub(crate) sent: u64,
    pub(crate) sent_before: (u64, u64),
    /// When last something went wrong upstream.
    pub(crate) fault_seen: Instant,
    /// So many were refused for want of room, the last of them then.
    pub(crate) refused: u64,
    pub(crate) crowded_seen: Instant,
    pub(crate) digest: u64,
    steps: u64,
    trace: Option<VecDeque<String>>,
    pub(crate) broken: Option<String>,
}

/// How a world ended.
pub(crate) struct Ended {
    pub(crate) digest: u64,
    pub(crate) broken: Option<String>,
    pub(crate) trace: Vec<String>,
    pub(crate) queries: usize,
    pub(crate) sent: u64,
    pub(crate) steps: u64,
    pub(crate) seconds: u64,
}

impl World {
    fn random(seed: u64, is_traced: bool) -> Self {
        let mut dice = Dice::from_number(seed ^ 0x6d65_7269_6469_616e);
        let mut tree = Tree::random(&mut dice);
        let now = Instant::from_seconds(1_000_000);
        let is_signed = seed % SIGNED == SIGNED / 2;
        if is_signed {
            tree.be_signed(WALL + now.seconds() as u32, &mut dice);
        }
        let leaves: Vec<usize> = (1..tree.zones.len())
            .filter(|zone| !tree.zones[*zone].is_trap && tree.depth(*zone) >= 2)
            .filter(|zone| tree.zones.iter().all(|other| other.parent != *zone))
            .collect();
        let own = tree.zones[leaves.get(dice.index(leaves.len())).copied().unwrap_or(1)].zone.apex.clone();
        let crowd = Crowd::random(&tree, &own, &mut dice);
        let listable = crowd.questions.iter().map(|question| question.name.clone());
        let listable: Vec<_> = listable.filter(|name| !name.is_within(&own) && !name.is_root()).take(8).collect();
        let estate = Estate::random(&tree, own, listable, &mut dice);
        let is_alone = dice.chance(250);
        let gap = Duration::from_millis([1, 10, 100, 400, 1_500][dice.index(5)]);
        let left = if is_alone { 40 } else { 100 + dice.index(300) as u32 };
        let ends = now + if is_alone { Duration::from_secs(200) } else { gap * left };
        let mut weather = Weather::random(now, ends, tree.hosts.len(), &mut dice);
        if is_signed && dice.chance(500) {
            weather.alter(dice.below(200) as u32);
        }
        let count = 1 + dice.index(3);
        let house = estate.build(1);
        let tallies: Vec<Arc<Tally>> = (0..count).map(|_| Arc::new(Tally::default())).collect();
        let workers = tallies
            .iter()
            .enumerate()
            .map(|(at, tally)| {
                let own = Dice::from_number(dice.bits());
                Worker::new(Arc::clone(&house), (at, count), own, Arc::clone(tally))
            })
            .collect();
        let mut world = Self {
            witnesses: Witnesses::new(&mut dice),
            dice,
            tree,
            estate,
            weather,
            crowd,
            workers,
            tallies,
            now,
            wall: 1_800_000_000,
            rejuvenation: 0,
            restarts: 0,
            has_flushed: false,
            queue: BTreeMap::new(),
            serial: 0,
            asked: Vec::new(),
            open: BTreeMap::new(),
            version: 1,
            oldest: vec![1; count],
            leaps: 0,
            leapt: Duration::ZERO,
            last_leap: (Instant::ZERO, Duration::ZERO),
            is_alone,
            gap,
            left,
            silences: 0,
            lost_in_restarts: 0,
            sent: 0,
            sent_before: (0, 0),
            fault_seen: Instant::ZERO,
            refused: 0,
            crowded_seen: Instant::ZERO,
            digest: 0,
            steps: 0,
            trace: is_traced.then(VecDeque::new),
            broken: None,
        };
        world.plan();
        world
    }

    /// What happens to the world beside queries, at moments before its last fault.
    fn plan(&mut self) {
        let span = self.weather.ends.since(self.now);
        let kinds: [(u64, Kind); 11] = [
            (3, |_| Event::Reload),
            (8, |_| Event::Change),
            (3, |_| Event::MoveZone),
            (2, |_| Event::Sweep),
            (2, |_| Event::Flush),
            (2, |dice| Event::Leap(Duration::from_millis(100 + dice.below(20_000)))),
            (2, |dice| Event::Leap(Duration::from_secs(10 + dice.below(500)))),
            (2, |dice| Event::WallJump(dice.below(600) as i64 - 200)),
            (1, |dice| Event::WallJump(LEAPS[dice.index(LEAPS.len())])),
            (1, |dice| Event::WallSet(MOMENTS[dice.index(MOMENTS.len())])),
            (2, |_| Event::Restart),
        ];
        for (most, kind) in kinds {
            let count = if self.dice.chance(500) { self.dice.below(most + 1) } else { 0 };
            for _ in 0..count {
                let event = kind(&mut self.dice);
                let after = span.mul_f64(self.dice.below(1_000) as f64 / 1_000.0);
                self.schedule(after, event);
            }
        }
        self.schedule(Duration::ZERO, Event::Ask);
    }

    /// Runs the world of `seed` to its end.
    pub(crate) fn run(seed: u64, is_traced: bool) -> Ended {
        let mut world = Self::random(seed, is_traced);
        world.live();
        // After the last client everything comes to rest.
        if world.broken.is_none() {
            world.pass(Duration::from_secs(20));
            world.check_rest();
        }
        let seconds = world.now.since(Instant::from_seconds(1_000_000)).as_secs();
        Ended {
            digest: world.digest,
            broken: world.broken,
            trace: world.trace.map(Vec::from).unwrap_or_default(),
            queries: world.asked.len(),
            sent: world.sent,
            steps: world.steps,
            seconds,
        }
    }

    fn live(&mut self) {
        while self.broken.is_none() && self.left > 0 {
            self.pass(Duration::from_secs(3_600));
        }
        if self.broken.is_some() {
            return;
        }
        // The sun comes out: what failed may be remembered for a while, then everything must succeed.
        self.is_alone = false;
        self.left = 20;
        self.gap = RECOVERY / 20;
        self.schedule(Duration::ZERO, Event::Ask);
        while self.broken.is_none() && self.left > 0 {
            self.pass(Duration::from_secs(10));
        }
        self.pass(self.calm().since(self.now));
        self.now = self.now.max(self.calm());
        self.left = 60;
        self.gap = Duration::from_millis(100);
        self.schedule(Duration::ZERO, Event::Ask);
        while self.broken.is_none() && self.left > 0 {
            self.pass(Duration::from_secs(10));
        }
    }

    /// From when on every query must succeed.
    pub(crate) fn calm(&self) -> Instant {
        self.weather.ends + RECOVERY + self.leapt
    }

    /// Lets `span` pass, or what of it there is to do.
    fn pass(&mut self, span: Duration) {
        let limit = self.now + span;
        let is_ended = |world: &Self| world.broken.is_some();
        while !is_ended(self) {
            let arrival = self.queue.first_key_value().map(|((at, _), _)| *at);
            let alarms = self.workers.iter().enumerate();
            let alarm = alarms.filter_map(|(at, worker)| Some((worker.poll_timeout()?, at))).min();
            let next = [arrival, alarm.map(|(at, _)| at)].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= limit) else {
                self.now = self.now.max(limit);
                return;
            };
            self.now = self.now.max(next);
            let is_alarm = alarm.is_some_and(|(at, _)| at <= self.now);
            let is_arrival = arrival.is_some_and(|at| at <= self.now);
            self.steps += 1;
            if self.steps > STEPS_MAX {
                return self.breach("the world never comes to rest");
            }
            if is_alarm && (!is_arrival || self.dice.chance(500)) {
                let worker = alarm.map_or(0, |(_, at)| at);
                self.workers[worker].handle_timeout(self.now);
                self.collect(worker);
            } else if let Some((_, event)) = self.queue.pop_first() {
                self.happen(event);
            }
            if self.steps.is_multiple_of(64) {
                self.check_bounds();
            }
            if self.left == 0
                && self.queue.is_empty()
                && self.workers.iter().all(|worker| worker.poll_timeout().is_none())
            {
                return;
            }
        }
    }

    pub(crate) fn schedule(&mut self, after: Duration, event: Event) {
        self.serial += 1;
        self.queue.insert((self.now + after, self.serial), event);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Ask => self.ask(),
            Event::HandedOver { to, number, restarts } => {
                if restarts == self.restarts {
                    self.turn(to, number, true);
                } else {
                    self.asked[number].is_ended = true;
                }
            }
            Event::Arrive(arrival) => self.arrive(*arrival),
            Event::Overdue { number, leapt } => self.check_overdue(number, leapt),
            Event::Reload => {
                self.version += 1;
                self.has_flushed = true; // what the hosts file names anew is forgotten
                self.note(|| "reload".to_owned());
                _ = self.estate.build(self.version);
                for worker in 0..self.workers.len() {
                    let after = Duration::from_micros(self.dice.below(3_000));
                    self.schedule(after, Event::Move { worker, restarts: self.restarts });
                }
            }
            Event::Move { worker, restarts } if restarts == self.restarts => self.move_in(worker),
            Event::Move { .. } => {}
            Event::Change => self.tree.change(&mut self.dice),
            Event::MoveZone => {
                let zone = self.tree.move_zone(self.now, &mut self.dice);
                self.note_with(|world| format!("zone {} moves", world.tree.zones[zone].zone.apex));
            }
            Event::Sweep => {
                let cache = Arc::clone(&self.estate.cache);
                let mut sweep = cache.sweep();
                for _ in 0..1_000 {
                    if sweep.step(self.now, 100).is_done {
                        break;
                    }
                }
            }
            Event::Flush => {
                self.has_flushed = true;
                let name = self.tree.some_name(&mut self.dice);
                self.estate.cache.flush(&name, self.dice.chance(500), None);
                (0..self.workers.len()).for_each(|worker| self.move_in(worker));
            }
            Event::Leap(span) => {
                self.note(|| format!("nothing runs for {span:?}"));
                self.leap(span);
            }
            Event::WallJump(seconds) => self.wall += seconds,
            Event::WallSet(moment) => self.wall = moment - self.now.seconds() as i64,
            Event::Restart => self.restart(),
        }
    }

    fn leap(&mut self, span: Duration) {
        self.now = self.now + span;
        self.leaps += 1;
        self.leapt += span;
        self.last_leap = (self.now, span);
        self.fault_seen = self.now; // what was under way may have come too late
    }

    fn move_in(&mut self, worker: usize) {
        let house = self.estate.build(self.version);
        self.workers[worker].move_into(house);
        self.oldest[worker] = self.version;
    }

    fn ask(&mut self) {
        if self.left == 0 {
            return;
        }
        if self.is_alone && self.workers.iter().any(|worker| !worker.resolver().is_empty()) {
            return self.schedule(Duration::from_millis(300), Event::Ask);
        }
        self.check_alone();
        self.left -= 1;
        let pause = if self.dice.chance(15) { Duration::from_secs(self.dice.below(120)) } else { Duration::ZERO };
        if self.left > 0 {
            let gap = self.gap.mul_f64(self.dice.below(2_000) as f64 / 1_000.0);
            self.schedule(gap + if self.now < self.weather.ends { pause } else { Duration::ZERO }, Event::Ask);
        }
        let (question, sent) = self.crowd.ask(&mut self.dice);
        let number = self.asked.len();
        let worker = self.dice.index(self.workers.len());
        self.mix(&sent.bytes);
        self.note(|| format!("? {number} {} {} of worker {worker}", question.name, question.rtype));
        let version = self.oldest.iter().copied().min().unwrap_or(0);
        self.asked.push(Asked { question, sent, at: self.now, is_ended: false, version, leapt: self.leapt });
        self.schedule(
            bounds::CLIENT_DEADLINE + Duration::from_millis(20),
            Event::Overdue { number, leapt: self.leaps },
        );
        self.turn(worker, number, false);
    }

    fn turn(&mut self, at: usize, number: usize, is_handed_over: bool) {
        let asked = &self.asked[number];
        let asker =
            Asker { address: asked.sent.from, local: None, carrier: asked.sent.carrier, may_recurse: false, group: 0 };
        let (bytes, mut out, mut reply) = (asked.sent.bytes.clone(), Vec::new(), Some(number));
        let worker = &mut self.workers[at];
        let next = if is_handed_over {
            worker.turn_handed_over(&bytes, asker, &mut reply, self.now, &mut out)
        } else {
            worker.turn(&bytes, asker, &mut reply, self.now, &mut out)
        };
        self.check_crowding();
        match next {
            Next::Respond => self.answered(at, number, &out, true),
            Next::Silence => {
                self.silences += 1;
                self.asked[number].is_ended = true;
                self.check_silence(number);
            }
            Next::Wait => {}
            Next::HandOver(home) if home != at && home < self.workers.len() && !is_handed_over => {
                let after = Duration::from_micros(self.dice.below(2_000));
                self.schedule(after, Event::HandedOver { to: home, number, restarts: self.restarts });
            }
            Next::HandOver(_) => self.breach("a query is handed round"),
            Next::Elsewhere(_) => self.breach("nobody sits at the desk"),
        }
        self.collect(at);
    }

    /// The server dies and comes back, perhaps with what it had written down, whole or torn.
    fn restart(&mut self) {
        self.note(|| "restart".to_owned());
        self.restarts += 1;
        let mut snapshot = Vec::new();
        let before = self.wall_seconds();
        _ = self.estate.cache.compose_snapshot(&mut snapshot, before, self.now);
        self.mix(&snapshot);
        let jump = match self.dice.below(10) {
            0 => self.dice.below(120) as i64 - 60,
            1 => LEAPS[self.dice.index(LEAPS.len())],
            _ => 0,
        };
        self.wall += jump;
        let down = Duration::from_secs(self.dice.below(60));
        self.leap(down);
        for asked in &mut self.asked {
            if !asked.is_ended {
                asked.is_ended = true;
                self.lost_in_restarts += 1;
            }
        }
        self.open.clear();
        self.estate.begin_anew(&mut self.dice);
        match self.dice.below(5) {
            0 => snapshot.clear(),
            1 => snapshot.truncate(self.dice.index(snapshot.len() + 1)),
            2 if !snapshot.is_empty() => {
                let at = self.dice.index(snapshot.len());
                snapshot[at] ^= 1 << self.dice.below(8);
            }
            _ => {}
        }
        let after = self.wall_seconds();
        if self.estate.cache.load_snapshot(&mut snapshot.as_slice(), after, self.now).is_ok() {
            let passed = down.as_secs();
            self.rejuvenation += passed.saturating_sub(after.saturating_sub(before)) + 1;
        }
        let house = self.estate.build(self.version);
        let count = self.workers.len();
        for at in 0..count {
            let dice = Dice::from_number(self.dice.bits());
            self.workers[at] = Worker::new(Arc::clone(&house), (at, count), dice, Arc::clone(&self.tallies[at]));
            self.oldest[at] = self.version;
        }
    }

    fn wall_seconds(&self) -> u64 {
        (self.wall + self.now.seconds() as i64).max(0) as u64
    }

    pub(crate) fn count(&self, counter: Counter) -> u64 {
        self.tallies.iter().map(|tally| tally.read(counter)).sum()
    }

    // ---- the record ------------------------------------------------------------------------

    pub(crate) fn breach(&mut self, what: &str) {
        self.note(|| format!("!! {what}"));
        self.broken.get_or_insert_with(|| what.to_owned());
    }

    /// Mixes what happened now into the world's hash.
    pub(crate) fn mix(&mut self, bytes: &[u8]) {
        let mut hash = self.digest ^ self.now.nanos();
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            hash = (hash.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
        self.digest = hash.rotate_left(9).wrapping_add(bytes.len() as u64);
    }

    pub(crate) fn note(&mut self, what: impl FnOnce() -> String) {
        self.note_with(|_| what());
    }

    pub(crate) fn note_with(&mut self, what: impl FnOnce(&Self) -> String) {
        if self.trace.is_none() {
            return;
        }
        let line = format!("{:12.6} {}", self.now.since(Instant::from_seconds(1_000_000)).as_secs_f64(), what(self));
        if let Some(trace) = &mut self.trace {
            if trace.len() >= 4_000 {
                trace.pop_front();
            }
            trace.push_back(line);
        }
    }
}
