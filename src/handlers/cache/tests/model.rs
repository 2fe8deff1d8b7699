//! The cache against a model of it: a map, a clock, and the rules in their plainest form.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::dns::Rcode;

#[derive(Clone, Debug)]
enum Step {
    Learn { name: usize, rank: Rank, ttl: u32 },
    Deny { name: usize, is_nxdomain: bool, ttl: u32 },
    Fail { name: usize },
    Flush { name: usize },
    Pass { seconds: u64 },
    Sweep,
    Ask { name: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let rank = prop_oneof![Just(Rank::Additional), Just(Rank::Authority), Just(Rank::Answer)];
    let ttl = prop_oneof![Just(0u32), 1u32..40];
    prop_oneof![
        4 => (0usize..4, rank, ttl.clone()).prop_map(|(name, rank, ttl)| Step::Learn { name, rank, ttl }),
        2 => (0usize..4, any::<bool>(), ttl).prop_map(|(name, is_nxdomain, ttl)| Step::Deny { name, is_nxdomain, ttl }),
        1 => (0usize..4).prop_map(|name| Step::Fail { name }),
        1 => (0usize..4).prop_map(|name| Step::Flush { name }),
        4 => (0u64..60).prop_map(|seconds| Step::Pass { seconds }),
        1 => Just(Step::Sweep),
        4 => (0usize..4).prop_map(|name| Step::Ask { name }),
    ]
}

/// What the model knows of the type A of a name.
#[derive(Clone, Default, Debug)]
struct Known {
    set: Option<(Rank, u64, u32)>,
    nodata: Option<(u64, u32)>,
    nxdomain: Option<(u64, u32)>,
    failure: Option<(u64, u64)>,
}

const NAMES: [&str; 4] = ["a.example.", "b.example.", "c.b.example.", "d.test."];

/// What a client gets: the code and the TTL of the first record, or that upstreams are asked.
#[derive(PartialEq, Eq, Debug)]
enum Seen {
    Answer(Rcode, Option<u32>),
    Resolve(Option<Rcode>),
}

impl Known {
    fn learn(&mut self, rank: Rank, ttl: u32, now: u64) {
        if let Some((held, expiry, held_ttl)) = self.set {
            let is_stale_yet = held > Rank::Additional && now < expiry + 20 * u64::from(held_ttl);
            if held > rank && (now < expiry || (rank == Rank::Additional && is_stale_yet)) {
                return;
            }
        }
        self.set = (ttl > 0).then_some((rank, now + u64::from(ttl), ttl));
        if rank > Rank::Additional {
            (self.nodata, self.nxdomain, self.failure) = (None, None, None);
        }
    }

    fn deny(&mut self, is_nxdomain: bool, ttl: u32, now: u64) {
        self.failure = None;
        if ttl > 0 {
            let fact = Some((now + u64::from(ttl), ttl));
            self.set = None;
            (self.nodata, self.nxdomain) = if is_nxdomain { (None, fact) } else { (fact, None) };
        }
    }

    fn fail(&mut self, now: u64) {
        self.failure = match self.failure {
            Some((expiry, _)) if now < expiry => self.failure,
            Some((expiry, ttl)) if now < expiry + 30 => Some((now + (ttl * 2).min(30), (ttl * 2).min(30))),
            _ => Some((now + 5, 5)),
        };
    }

    fn ask(&self, now: u64) -> Seen {
        let set = self.set.filter(|(rank, ..)| *rank > Rank::Additional).map(|(_, expiry, ttl)| (expiry, ttl));
        let facts = [(set, Rcode::NOERROR), (self.nodata, Rcode::NOERROR), (self.nxdomain, Rcode::NXDOMAIN)];
        for (fact, rcode) in facts {
            if let Some((expiry, _)) = fact.filter(|(expiry, _)| now < *expiry) {
                return Seen::Answer(rcode, Some((expiry - now) as u32));
            }
        }
        let mut stale: Option<(u64, Rcode)> = None;
        for (fact, rcode) in facts {
            if let Some((expiry, ttl)) = fact.filter(|(expiry, ttl)| now < expiry + 20 * u64::from(*ttl)) {
                let born = expiry - u64::from(ttl);
                if stale.is_none_or(|(other, _)| born > other) {
                    stale = Some((born, rcode));
                }
            }
        }
        match (stale, self.failure) {
            (Some((born, rcode)), Some((expiry, ttl)))
                if expiry - ttl >= born && now < expiry.max(expiry - ttl + 30) =>
            {
                Seen::Answer(rcode, Some(30))
            }
            (Some((_, rcode)), _) => Seen::Resolve(Some(rcode)),
            (None, Some((expiry, _))) if now < expiry => Seen::Answer(Rcode::SERVFAIL, None),
            _ => Seen::Resolve(None),
        }
    }
}

fn ask(world: &mut World, owner: &str) -> Seen {
    match world.ask(owner, RecordType::A) {
        Verdict::Answer(answer) => {
            let ttl = answer.answer.first().or(answer.authority.first()).map(|aged| aged.ttl);
            if let Some(until) = answer.recallable_until {
                assert!(until > world.now && ttl.is_none_or(|ttl| until <= world.now + u64::from(ttl)));
            }
            Seen::Answer(answer.rcode, ttl)
        }
        Verdict::Resolve(goal) => Seen::Resolve(goal.stale.map(|stale| stale.rcode)),
        Verdict::Pass => Seen::Resolve(None),
        other @ (Verdict::Silence(_) | Verdict::Search(_)) => panic!("{other:?}"),
    }
}

fn run(mut world: World, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut model: BTreeMap<usize, Known> = BTreeMap::new();
    for step in steps {
        let now = world.now;
        match *step {
            Step::Learn { name, rank, ttl } => {
                world.learn(a(NAMES[name], ttl, 1), rank);
                model.entry(name).or_default().learn(rank, ttl, now);
            }
            Step::Deny { name, is_nxdomain, ttl } => {
                let zone = NAMES[name].split_once('.').unwrap().1;
                world.deny(NAMES[name], RecordType::A, denial(is_nxdomain, soa(zone, ttl, 100)));
                model.entry(name).or_default().deny(is_nxdomain, ttl, now);
            }
            Step::Fail { name } => {
                world.fail(NAMES[name], RecordType::A);
                model.entry(name).or_default().fail(now);
            }
            Step::Flush { name } => {
                world.cache.flush(&super::name(NAMES[name]), false, None);
                model.remove(&name);
            }
            Step::Pass { seconds } => {
                world.pass(seconds);
            }
            Step::Sweep => {
                let swept = world.cache.sweep().step(world.at(), 1000);
                prop_assert!(swept.is_done);
            }
            Step::Ask { name } => {
                let expected = model.entry(name).or_default().ask(now);
                prop_assert_eq!(ask(&mut world, NAMES[name]), expected, "{} at {}", NAMES[name], now);
            }
        }
    }
    for (index, owner) in NAMES.iter().enumerate() {
        let expected = model.entry(index).or_default().ask(world.now);
        prop_assert_eq!(ask(&mut world, owner), expected);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn the_cache_does_what_its_model_does(steps in proptest::collection::vec(step(), 1..60)) {
        run(world(), &steps)?;
    }

    #[test]
    fn the_shared_store_does_what_the_plain_one_does(steps in proptest::collection::vec(step(), 1..60)) {
        let mut world = world();
        world.cache = Arc::new(Cache::new(Settings { size_bytes: 64 << 20, ..Settings::default() }, &mut Dice::from_number(1)));
        run(world, &steps)?;
    }

    #[test]
    fn a_ttl_never_grows_however_often_it_is_asked(
        ttl in 1u32..100_000,
        pauses in proptest::collection::vec(0u64..5_000, 1..40),
    ) {
        let mut world = world();
        world.learn_answer(a("www.example.", ttl, 1));
        let mut last = u64::from(ttl.min(86_400)) + world.now;
        for pause in pauses {
            world.pass(pause);
            if let Seen::Answer(_, Some(left)) = ask(&mut world, "www.example.") {
                let until = world.now + u64::from(left);
                prop_assert_eq!(until, last);
                last = until;
            }
        }
    }
}
