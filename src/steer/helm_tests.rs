use super::*;
use crate::steer::Terms;
use crate::steer::testing::{member, pool_of};

fn orders(owner: &str, members: &[&str]) -> Orders {
    Orders {
        owner: owner.parse().unwrap(),
        pool: Arc::new(pool_of(members.iter().map(|name| member(name, 1.0)).collect())),
        stages: vec![StageSpec::RoundRobin { is_smooth: false }],
        terms: Terms { ttl_min: 30, ttl_max: 30, ..Terms::default() },
        fallback: None,
        client: Client::Auto,
        unknown: Unknown::Nobody,
    }
}

fn scene() -> Arc<Scene> {
    let scene = Scene::new(Arc::default());
    scene.set_calendar(1_700_000_000, Instant::ZERO);
    Arc::new(scene)
}

fn first(helm: &Helm, owner: &str) -> u16 {
    let name = owner.parse().unwrap();
    let call = Call {
        name: name_hash(&name),
        resolver: "192.0.2.7".parse().unwrap(),
        subnet: None,
        now: Instant::ZERO,
        is_rehearsal: false,
    };
    let steered = helm.find(&name).unwrap();
    let bearing = helm.steer(steered, &call, &mut Dice::from_number(1));
    let rendered = steered.steering().render(&bearing.selection, &name, RecordType::A);
    assert!(matches!(rendered, crate::steer::Rendered::Records(_)));
    bearing.selection.chosen()[0]
}

#[test]
fn what_has_not_changed_goes_on_where_it_was() {
    let idle = Helm::idle(scene(), None);
    let both = |members: &[&str]| [orders("a.example.", &["x", "y", "z"]), orders("b.example.", members)];
    let helm = Helm::relieve(&idle, None, both(&["x", "y", "z"])).unwrap();
    let turns = |helm: &Helm, owner: &str| [first(helm, owner), first(helm, owner)];
    let before = [turns(&helm, "a.example."), turns(&helm, "b.example.")];
    let next = Helm::relieve(&helm, None, both(&["w", "x", "y", "z"])).unwrap();
    assert_eq!((before[0][1] + 1) % 3, first(&next, "a.example."), "the counter stands where it stood");
    // The changed name remembers who was handed out, by name.
    let (old, new) = (helm.find(&"b.example.".parse().unwrap()), next.find(&"b.example.".parse().unwrap()));
    for index in 0..3 {
        let until = old.unwrap().steering().empties_at(index);
        assert_eq!(new.unwrap().steering().empties_at(index + 1), until);
        assert_eq!(until > 0, before[1].contains(&index));
    }
    let fewer = Helm::relieve(&next, None, [orders("a.example.", &["x"])]).unwrap();
    assert!(fewer.find(&"b.example.".parse().unwrap()).is_none());
}

#[test]
fn every_name_whose_policy_does_not_fit_is_told() {
    let bad = |owner: &str| {
        let bias = vec![("nobody".into(), 5.0)];
        let stages =
            vec![StageSpec::Nearest { within: super::super::stages::nearest::Within::Equal, bias, fallback: vec![] }];
        Orders { stages, ..orders(owner, &["x"]) }
    };
    let helm = Helm::relieve(&Helm::idle(scene(), None), None, [bad("a.example."), bad("b.example.")]);
    assert_eq!(helm.unwrap_err().len(), 2);
}

#[test]
fn a_zone_has_every_type_that_some_member_or_the_fallback_answers() {
    let mut orders = orders("a.example.", &["x", "y"]);
    let types = |orders: &Orders| orders.all_records().map(|set| (set.rtype, set.rdatas.len())).collect::<Vec<_>>();
    assert_eq!(types(&orders), [(RecordType::A, 2)]);
    let mut six = member("six", 1.0);
    six.aaaa = vec!["2001:db8::6".parse().unwrap()];
    orders.fallback = Some(Arc::new(pool_of(vec![six])));
    assert_eq!(types(&orders), [(RecordType::A, 2), (RecordType::AAAA, 1)]);
    let aliases = ["one", "two"].map(|name| {
        let mut alias = crate::steer::Member::new(name);
        alias.cname = Some(format!("{name}.example.net.").parse().unwrap());
        alias
    });
    orders.pool = Arc::new(pool_of(aliases.into()));
    orders.fallback = None;
    assert_eq!(types(&orders), [(RecordType::CNAME, 1)]);
}

/// A number from `dice` below `bound`.
fn below(dice: &mut Dice, bound: u64) -> u64 {
    dice.below(bound)
}

fn angle(dice: &mut Dice, half: f64) -> f64 {
    (dice.bits() as f64 / u64::MAX as f64 * 2.0 - 1.0) * half
}

const CODES: [(&str, &str); 5] = [("EU", "DE"), ("EU", "FR"), ("NA", "US"), ("AS", "JP"), ("OC", "AU")];

/// Places with and without coordinates, in networks of all lengths, one within the other, with holes and systems.
fn random_atlas(dice: &mut Dice) -> Atlas {
    let mut places: Vec<Place> = Vec::new();
    for _ in 0..40 {
        let (continent, country) = CODES[dice.index(CODES.len())];
        let mut place = Place { continent: continent.parse().ok(), country: country.parse().ok(), ..Place::default() };
        if below(dice, 3) > 0 {
            (place.latitude, place.longitude) = (Some(angle(dice, 90.0)), Some(angle(dice, 180.0)));
        }
        place.asn = (below(dice, 4) == 0).then(|| 64_500 + below(dice, 3) as u32);
        places.push(place);
    }
    let networks: Vec<(u32, u8, u32)> = (0..400)
        .map(|_| {
            let length = 4 + below(dice, 24) as u8;
            (dice.bits() as u32 & (u32::MAX << (32 - length)), length, below(dice, 40) as u32)
        })
        .collect();
    let v4 = crate::steer::spans::Spans::of_networks(networks);
    Atlas::of([crate::steer::Source { places, v4, v6: crate::steer::spans::Spans::unknown() }])
}

fn random_orders(dice: &mut Dice) -> Orders {
    use crate::steer::stages::nearest::Within;
    use crate::steer::stages::rules::{On, Rule};
    let count = 1 + dice.index(9);
    let names: Vec<String> = (0..count).map(|at| format!("m{at}")).collect();
    let members = names.iter().map(|name| {
        let mut member = member(name, if below(dice, 8) == 0 { 0.0 } else { 1.0 });
        if below(dice, 8) > 0 {
            member.place = Place::at(angle(dice, 90.0), angle(dice, 180.0));
        }
        member
    });
    let pool = Arc::new(pool_of(members.collect()));
    let some = |dice: &mut Dice, most: usize| -> Vec<Box<str>> {
        let mut some: Vec<Box<str>> =
            (0..dice.index(most + 1)).map(|_| names[dice.index(count)].as_str().into()).collect();
        some.sort();
        some.dedup();
        some
    };
    let mut rules = Vec::new();
    let geos = ["EU", "NA", "NA-US", "EU-DE"].map(|code| On::Geo(code.parse().unwrap()));
    let networks = ["16.0.0.0/4", "18.0.0.0/9", "200.1.0.0/16"].map(|network| On::Network(network.parse().unwrap()));
    for on in geos.into_iter().chain(networks).chain([On::Asn(64_500), On::Default]) {
        if below(dice, 3) == 0 {
            let bias = some(dice, 1).into_iter().map(|name| (name, angle(dice, 90.0))).collect();
            rules.push(Rule { on, prefer: some(dice, 2), exclude: some(dice, 2), bias });
        }
    }
    let within = match below(dice, 3) {
        0 => Within::Equal,
        1 => Within::Share(0.2),
        _ => Within::Kilometres(900.0),
    };
    let bias = some(dice, 2).into_iter().map(|name| (name, angle(dice, 60.0))).collect();
    let nearest = StageSpec::Nearest { within, bias, fallback: some(dice, 2) };
    let stages = match below(dice, 3) {
        0 => vec![nearest],
        1 => vec![StageSpec::Rules(rules), nearest],
        _ => vec![StageSpec::Rules(rules), nearest, StageSpec::First(2)],
    };
    let terms = Terms { answers: 1 + dice.index(2), ..Terms::default() };
    Orders { pool, stages, terms, ..orders("a.example.", &["x"]) }
}

fn at(helm: &Helm, address: u32) -> Bearing {
    let name = "a.example.".parse().unwrap();
    let subnet = ClientSubnet::of_address(std::net::Ipv4Addr::from_bits(address).into());
    let resolver = "192.0.2.7".parse().unwrap();
    let call = Call { name: name_hash(&name), resolver, subnet: Some(subnet), now: Instant::ZERO, is_rehearsal: false };
    helm.steer(helm.find(&name).unwrap(), &call, &mut Dice::from_number(1))
}

/// An address that a client on the Internet can have.
fn client(dice: &mut Dice) -> u32 {
    loop {
        let address = dice.bits() as u32;
        if crate::steer::subject::is_global_unicast(std::net::Ipv4Addr::from_bits(address).into()) {
            return address;
        }
    }
}

#[test]
fn a_compiled_policy_chooses_as_its_stages_do_whoever_is_down() {
    use crate::steer::health::{Board, Standing, State};
    let mut compiled_scopes = 0;
    for seed in 0..150 {
        let mut dice = Dice::from_number(seed);
        let scene = scene();
        scene.move_to(Arc::new(random_atlas(&mut dice)));
        let idle = Helm::idle(scene, Some(ScopeCap::default()));
        let orders = random_orders(&mut dice);
        let plain = Helm::relieve(&idle, idle.ecs, [orders.clone()]).unwrap();
        let compiled = Helm::relieve(&idle, idle.ecs, [orders.clone()]).unwrap();
        compiled.compile().unwrap();
        for round in 0..4 {
            let mut board = Board::default();
            let down = Standing { state: State::Down, ..Standing::default() };
            let told = |_| if below(&mut dice, 4) < round { down } else { Standing::default() };
            let standings: Vec<Standing> = (0..orders.pool.members().len()).map(told).collect();
            board.post(&orders.pool, standings.clone());
            idle.scene.post(board);
            for _ in 0..60 {
                let address = client(&mut dice);
                let (slow, fast) = (at(&plain, address), at(&compiled, address));
                assert_eq!(
                    (slow.selection.chosen(), slow.selection.outcome),
                    (fast.selection.chosen(), fast.selection.outcome),
                    "seed {seed}, {address:x}, {orders:?}, {standings:?}"
                );
                assert!(fast.scope <= slow.scope, "no scope is longer than what was looked at");
                compiled_scopes += u32::from(fast.scope < slow.scope);
            }
        }
    }
    assert!(compiled_scopes > 0);
}

#[test]
fn a_scope_holds_for_everybody_in_it_and_not_for_the_prefix_around_it() {
    for seed in 0..12 {
        let mut dice = Dice::from_number(1_000 + seed);
        let scene = scene();
        scene.move_to(Arc::new(random_atlas(&mut dice)));
        let idle = Helm::idle(scene, Some(ScopeCap::default()));
        let helm = Helm::relieve(&idle, idle.ecs, [random_orders(&mut dice)]).unwrap();
        helm.compile().unwrap();
        let steered = helm.find(&"a.example.".parse().unwrap()).unwrap();
        if !steered.locates {
            continue;
        }
        let chart = steered.chart.load_full().unwrap();
        for _ in 0..10 {
            let address = client(&mut dice);
            let bearing = at(&helm, address);
            let host = u32::MAX.checked_shr(u32::from(bearing.scope)).unwrap_or(0);
            for _ in 0..1_000 {
                let other = (address & !host) | (dice.bits() as u32 & host);
                if crate::steer::subject::is_global_unicast(std::net::Ipv4Addr::from_bits(other).into()) {
                    let theirs = at(&helm, other);
                    assert_eq!(
                        theirs.selection.chosen(),
                        bearing.selection.chosen(),
                        "seed {seed}, {address:x}, {other:x}"
                    );
                    assert_eq!(theirs.scope, bearing.scope);
                }
            }
            // Minimal: the other half of the prefix around it is not all the same.
            let find = |bits: u32| chart.compiled.find(std::net::Ipv4Addr::from_bits(bits).into());
            let own = find(address & 0xFFFF_FF00);
            if own.length > 0 && bearing.scope == own.length {
                let sibling = find((address & !host) ^ (1 << (32 - own.length)));
                assert!(sibling.length > own.length || sibling.ranking != own.ranking, "seed {seed}, {address:x}");
            }
        }
    }
}

#[test]
fn equal_pairs_share_a_compilation_and_another_atlas_makes_another() {
    let mut dice = Dice::from_number(5);
    let scene = scene();
    scene.move_to(Arc::new(random_atlas(&mut dice)));
    let nearest = || vec![StageSpec::from_word("nearest").unwrap()];
    let both = ["a.example.", "b.example."].map(|owner| Orders { stages: nearest(), ..orders(owner, &["x", "y"]) });
    let helm = Helm::relieve(&Helm::idle(Arc::clone(&scene), None), None, both).unwrap();
    let charts =
        || ["a.example.", "b.example."].map(|owner| helm.find(&owner.parse().unwrap()).unwrap().chart.load_full());
    assert!(charts()[0].is_none());
    helm.compile().unwrap();
    let [one, other] = charts().map(Option::unwrap);
    assert!(Arc::ptr_eq(&one, &other));
    helm.compile().unwrap();
    assert!(Arc::ptr_eq(&one, &charts()[0].clone().unwrap()), "nothing has changed");
    scene.move_to(Arc::new(random_atlas(&mut dice)));
    helm.compile().unwrap();
    assert!(!Arc::ptr_eq(&one, &charts()[0].clone().unwrap()));
}
