//! What is said at names that answer from pools, as a resolver sees it.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::chain::{Aged, Asker, Carrier, Choice};
use crate::dns::edns::option;
use crate::dns::{ClientSubnet, Edns, Flags, Question};
use crate::steer::health::{Board, Standing, State};
use crate::steer::stages::nearest::Within;
use crate::steer::{
    Atlas, Client, Family, Member, Orders, Place, Pool, PoolId, Scene, ScopeCap, Source, StageSpec, Terms, Unknown,
    WhenAllDown,
};

const ZONE: &str = "$TTL 3600\n@ SOA ns hostmaster 7 2 3 4 300\n@ NS ns\nns A 192.0.2.53\n\
                    alias CNAME www\nmail MX 10 www\nwww TXT \"plain\"\nother A 192.0.2.1\n";

fn member(name: &str, last: u8) -> Member {
    let mut member = Member::new(name);
    member.a = vec![Ipv4Addr::new(203, 0, 113, last)];
    member
}

/// Berlin is `192.0.2.0/25`, Sydney the rest of `192.0.2.0/24`; nothing is known of anybody else.
fn atlas() -> Arc<Atlas> {
    let berlin = Place { continent: "EU".parse().ok(), country: "DE".parse().ok(), ..Place::at(52.5, 13.4) };
    let sydney = Place { continent: "OC".parse().ok(), country: "AU".parse().ok(), ..Place::at(-33.9, 151.2) };
    let networks = [("192.0.2.0/25", 0), ("192.0.2.128/25", 1), ("198.51.100.0/24", 0)].map(|(network, place)| {
        let network: crate::base::Network = network.parse().unwrap();
        let IpAddr::V4(v4) = network.address() else { panic!("an IPv4 network") };
        (v4.to_bits(), network.prefix_length(), place)
    });
    let v4 = crate::steer::spans::Spans::of_networks(networks);
    let v6 = crate::steer::spans::Spans::unknown();
    Arc::new(Atlas::of([Source { places: vec![berlin, sydney], v4, v6 }]))
}

fn orders(owner: &str, members: Vec<Member>) -> Orders {
    let pool = Pool::new(PoolId(0), "www", members).unwrap();
    Orders {
        owner: owner.parse().unwrap(),
        pool: Arc::new(pool),
        stages: vec![StageSpec::Nearest { within: Within::Equal, bias: Vec::new(), fallback: vec!["syd".into()] }],
        terms: Terms { ttl_min: 15, ttl_max: 30, ..Terms::default() },
        fallback: None,
        client: Client::Auto,
        unknown: Unknown::Nobody,
    }
}

fn sites() -> Vec<Member> {
    let (mut fra, mut syd) = (member("fra", 1), member("syd", 2));
    (fra.place, syd.place) = (Place::at(50.0, 8.6), Place::at(-33.9, 151.2));
    fra.aaaa = vec!["2001:db8::1".parse().unwrap()];
    vec![fra, syd]
}

struct World {
    authority: Authority,
    dice: Dice,
    ecs: Option<&'static str>,
    resolver: &'static str,
}

impl World {
    fn new(all: Vec<Orders>) -> Self {
        let origin: Name = "example.".parse().unwrap();
        let mut builder = Builder::new(origin);
        master_file::read(ZONE.as_bytes(), "zone", &mut master_file::no_include, &mut builder);
        let file = builder.add_file("config");
        for (orders, line) in all.iter().zip(1..) {
            orders.all_records().for_each(|set| builder.add_chosen(&set, file, line));
        }
        let (zone, findings) = builder.finish(Keyed::with_seeds(1, 2, 3, 4));
        let zone = zone.unwrap_or_else(|| panic!("{:?}", findings.iter().collect::<Vec<_>>()));
        let mut zones = Zones::new(Keyed::with_seeds(1, 2, 3, 4));
        zones.insert(Arc::new(zone));
        let scene = Arc::new(Scene::new(atlas()));
        let helm = Helm::relieve(&Helm::idle(scene, None), Some(ScopeCap::default()), all).unwrap();
        let authority = Authority::new(zones, helm);
        Self { authority, dice: Dice::from_number(1), ecs: None, resolver: "198.51.100.7" }
    }

    fn query(&self, name: &str, rtype: RecordType) -> Query {
        let option = |network: &str| {
            let network: crate::base::Network = network.parse().unwrap();
            let IpAddr::V4(v4) = network.address() else { panic!("an IPv4 network") };
            let length = network.prefix_length();
            let mut data = vec![0, 1, length, 0];
            data.extend(&v4.octets()[..usize::from(length.div_ceil(8))]);
            (option::CLIENT_SUBNET, data)
        };
        Query {
            id: 1,
            flags: Flags { recursion_desired: true, ..Flags::default() },
            question: Question::new(name.parse().unwrap(), rtype),
            edns: self.ecs.map(|network| Edns { udp_size: 1232, options: vec![option(network)], ..Edns::default() }),
            asker: Asker {
                address: format!("{}:5353", self.resolver).parse().unwrap(),
                local: None,
                carrier: Carrier::Tcp,
                may_recurse: true,
                group: 0,
            },
        }
    }

    fn decide(&mut self, name: &str, rtype: RecordType) -> Decision {
        self.authority.decide(&self.query(name, rtype), Instant::ZERO, &mut self.dice, &mut None).unwrap()
    }

    /// Each record of the answer as text, and the scope.
    fn ask(&mut self, name: &str, rtype: RecordType) -> (Vec<String>, Option<u8>) {
        let answer = self.decide(name, rtype).answer;
        (shown(&answer.answer), answer.scope)
    }

    fn from(&mut self, ecs: &'static str) -> &mut Self {
        self.ecs = Some(ecs);
        self
    }

    fn down(&self, states: &[bool]) {
        let mut board = Board::default();
        let state = |is_down: &bool| if *is_down { State::Down } else { State::Healthy };
        let helm = self.authority.helm();
        let mut pools = helm.names().map(|name| Arc::clone(name.steering().pool()));
        let pool = pools.find(|pool| pool.id() == PoolId(0)).unwrap();
        board.post(&pool, states.iter().map(|is_down| Standing { state: state(is_down), ..Standing::default() }));
        self.authority.helm().scene().post(board);
    }
}

fn shown(section: &[Aged]) -> Vec<String> {
    let mut lines = Vec::new();
    for aged in section {
        for rdata in aged.set.rdatas.iter() {
            let mut text = String::new();
            master_file::write_rdata(aged.set.rtype, rdata, &mut text);
            lines.push(format!("{} {} {} {text}", aged.set.owner, aged.ttl, aged.set.rtype));
        }
    }
    lines
}

const FRA: &str = "www.example. 30 A 203.0.113.1";
const SYD: &str = "www.example. 30 A 203.0.113.2";

#[test]
fn the_clients_network_decides_and_the_scope_says_how_much_of_it() {
    let mut world = World::new(vec![orders("www.example.", sites())]);
    assert_eq!(world.ask("www.example.", RecordType::A), (vec![FRA.into()], Some(0)));
    assert_eq!(world.from("198.51.100.0/24").ask("www.example.", RecordType::A), (vec![FRA.into()], Some(24)));
    // The database says /25; the answer is for no more than came.
    assert_eq!(world.from("192.0.2.0/24").ask("www.example.", RecordType::A), (vec![FRA.into()], Some(24)));
    // A hole has a true scope too: 203.0.112.0 up to the next network that is known of.
    let (records, scope) = world.from("203.0.113.0/24").ask("www.example.", RecordType::A);
    assert_eq!(records, [SYD]);
    assert!(scope.unwrap() > 0 && scope.unwrap() < 24);
}

#[test]
fn without_use_of_the_option_the_resolver_decides_for_everybody() {
    let mut world = World::new(vec![orders("www.example.", sites())]);
    for ecs in ["0.0.0.0/0", "10.1.0.0/16", "127.0.0.0/8"] {
        assert_eq!(world.from(ecs).ask("www.example.", RecordType::A), (vec![FRA.into()], Some(0)), "{ecs}");
    }
    let by_resolver = Orders { client: Client::Resolver, ..orders("www.example.", sites()) };
    let mut world = World::new(vec![by_resolver]);
    assert_eq!(world.from("203.0.113.0/24").ask("www.example.", RecordType::A), (vec![FRA.into()], Some(0)));
}

#[test]
fn whose_place_counts_is_the_policys_to_say() {
    let by_client = Orders { client: Client::Ecs, ..orders("www.example.", sites()) };
    let mut world = World::new(vec![by_client]);
    assert_eq!(world.ask("www.example.", RecordType::A), (vec![SYD.into()], Some(0)), "nobody's place: the fallback");
    let mut world = World::new(vec![Orders { unknown: Unknown::Resolver, ..orders("www.example.", sites()) }]);
    let (records, scope) = world.from("203.0.113.0/24").ask("www.example.", RecordType::A);
    assert_eq!(records, [FRA], "the resolver's");
    assert!(scope > Some(0));
}

#[test]
fn everything_else_is_for_everybody() {
    let mut world = World::new(vec![orders("www.example.", sites())]);
    world.from("192.0.2.0/24");
    for (name, rtype) in [
        ("www.example.", RecordType::TXT),
        ("www.example.", RecordType::MX),
        ("example.", RecordType::SOA),
        ("example.", RecordType::NS),
        ("nothing.example.", RecordType::A),
        ("other.example.", RecordType::A),
    ] {
        assert_eq!(world.decide(name, rtype).answer.scope, Some(0), "{name} {rtype}");
    }
}

#[test]
fn a_malformed_option_is_formerr_and_an_unheeded_one_is_nothing() {
    let mut world = World::new(vec![orders("www.example.", sites())]);
    let mut query = world.query("other.example.", RecordType::A);
    let options = vec![(option::CLIENT_SUBNET, vec![0, 1, 24, 0, 192, 0])];
    query.edns = Some(Edns { udp_size: 1232, options, ..Edns::default() });
    let decide = |world: &World, query: &Query| {
        world.authority.decide(query, Instant::ZERO, &mut Dice::from_number(1), &mut None).map(|it| it.answer)
    };
    assert_eq!(decide(&world, &query).unwrap().rcode, Rcode::FORMERR);
    let mut elsewhere = query.clone();
    elsewhere.question.name = "example.net.".parse().unwrap();
    assert_eq!(decide(&world, &elsewhere), None, "it is for others to say");
    let deaf = Helm::relieve(&world.authority.helm(), None, [orders("www.example.", sites())]).unwrap();
    world.authority.take_helm(deaf);
    assert_eq!(decide(&world, &query).unwrap().rcode, Rcode::NOERROR);
    assert_eq!(world.from("192.0.2.128/25").ask("www.example.", RecordType::A), (vec![FRA.into()], None));
}

#[test]
fn a_type_that_the_chosen_member_lacks_is_denied_for_everybody_and_not_for_long() {
    let mut world = World::new(vec![orders("www.example.", sites())]);
    assert_eq!(world.from("192.0.2.0/25").ask("www.example.", RecordType::AAAA).0.len(), 1);
    let denied = world.from("203.0.113.0/24").decide("www.example.", RecordType::AAAA).answer;
    assert_eq!((denied.rcode, denied.answer.len(), denied.scope), (Rcode::NOERROR, 0, Some(0)));
    assert_eq!(
        denied.authority.iter().map(|aged| (aged.set.rtype, aged.ttl)).collect::<Vec<_>>(),
        [(RecordType::SOA, 10)]
    );
    let mut lenient = orders("www.example.", sites());
    lenient.terms.family = Family::NearestWith;
    let mut world = World::new(vec![lenient]);
    assert_eq!(
        world.from("203.0.113.0/24").ask("www.example.", RecordType::AAAA).0,
        ["www.example. 30 AAAA 2001:db8::1"]
    );
    // A type that nobody has is denied as everywhere.
    let denied = world.decide("www.example.", RecordType::HTTPS).answer;
    assert_eq!(denied.authority[0].ttl, 300);
}

#[test]
fn when_all_are_down_the_terms_decide() {
    let said = |when_all_down, fallback: Option<Vec<Member>>| {
        let mut orders = orders("www.example.", sites());
        orders.terms.when_all_down = when_all_down;
        orders.fallback = fallback.map(|members| Arc::new(Pool::new(PoolId(1), "sorry", members).unwrap()));
        let mut world = World::new(vec![orders]);
        world.down(&[true, true]);
        let answer = world.decide("www.example.", RecordType::A).answer;
        (answer.rcode, shown(&answer.answer), answer.ede.map(|ede| ede.text.into_owned()))
    };
    let text = |line: &str| vec![line.replace(" 30 ", " 15 ")];
    assert_eq!(said(WhenAllDown::ServeAll, None), (Rcode::NOERROR, text(FRA), None));
    assert_eq!(said(WhenAllDown::NoData, None), (Rcode::NOERROR, vec![], None));
    let (rcode, records, ede) = said(WhenAllDown::ServFail, None);
    assert_eq!((rcode, records.len()), (Rcode::SERVFAIL, 0));
    assert_eq!(ede.as_deref(), Some("no member of the pool www is usable"));
    let fallback = said(WhenAllDown::Fallback, Some(vec![member("sorry", 99)]));
    assert_eq!(fallback.1, ["www.example. 15 A 203.0.113.99"]);
}

fn alias(name: &str, target: &str) -> Member {
    let mut member = Member::new(name);
    member.cname = Some(target.parse().unwrap());
    member
}

#[test]
fn aliases_are_followed_to_what_is_chosen_and_a_tailored_one_stands_alone() {
    let mut world = World::new(vec![
        orders("www.example.", sites()),
        orders(
            "cdn.example.",
            vec![
                {
                    let mut fra = alias("fra", "other.example.");
                    fra.place = Place::at(50.0, 8.6);
                    fra
                },
                {
                    let mut syd = alias("syd", "elsewhere.test.");
                    syd.place = Place::at(-33.9, 151.2);
                    syd
                },
            ],
        ),
    ]);
    let chain = world.from("198.51.100.0/24").ask("alias.example.", RecordType::A);
    assert_eq!(chain, (vec!["alias.example. 3600 CNAME www.example.".into(), FRA.into()], Some(24)));
    // Without a client subnet the answer is this resolver's own, and the alias may be followed.
    world.ecs = None;
    let followed = world.ask("cdn.example.", RecordType::A).0;
    assert_eq!(followed, ["cdn.example. 30 CNAME other.example.", "other.example. 3600 A 192.0.2.1"]);
    let alone = world.from("198.51.100.0/24").decide("cdn.example.", RecordType::A);
    assert_eq!(shown(&alone.answer.answer), ["cdn.example. 30 CNAME other.example."]);
    let alone = world.from("203.0.113.0/24").decide("cdn.example.", RecordType::A);
    assert_eq!(
        (shown(&alone.answer.answer), alone.leads_outside),
        (vec!["cdn.example. 30 CNAME elsewhere.test.".into()], None)
    );
    world.ecs = None;
    world.resolver = "203.0.113.7";
    assert_eq!(world.decide("cdn.example.", RecordType::A).leads_outside, "elsewhere.test.".parse().ok());
    assert_eq!(world.decide("cdn.example.", RecordType::CNAME).leads_outside, None);
}

#[test]
fn a_wildcard_answers_from_its_pool_and_other_sections_name_nobody() {
    let mut world = World::new(vec![orders("*.cdn.example.", sites()), orders("www.example.", sites())]);
    assert_eq!(world.ask("a.b.cdn.example.", RecordType::A).0, ["a.b.cdn.example. 30 A 203.0.113.1"]);
    assert_eq!(world.decide("cdn.example.", RecordType::A).answer.rcode, Rcode::NOERROR, "an empty non-terminal");
    let mail = world.decide("mail.example.", RecordType::MX).answer;
    assert!(mail.additional.is_empty(), "{:?}", mail.additional);
}

#[test]
fn any_shows_the_chosen_member_and_the_rest_of_the_zone() {
    let mut world = World::new(vec![orders("www.example.", sites())]);
    let mut all = world.ask("www.example.", RecordType::ANY).0;
    all.sort();
    assert_eq!(all, [FRA, "www.example. 30 AAAA 2001:db8::1", "www.example. 3600 TXT \"plain\""]);
    let apex = World::new(vec![orders("example.", sites())]).ask("example.", RecordType::NS).0;
    assert_eq!(apex, ["example. 3600 NS ns.example."]);
}

#[test]
fn what_is_chosen_is_not_kept_and_what_stands_is() {
    let world = World::new(vec![orders("www.example.", sites())]);
    let kept = |name: &str| {
        let query = world.query(name, RecordType::A);
        let (tally, mut dice) = (crate::base::tally::Tally::default(), Dice::from_number(1));
        let mut turn = Turn { now: Instant::ZERO, dice: &mut dice, tally: &tally, aside: None, choices: None };
        match world.authority.handle(&query, &mut turn) {
            Verdict::Answer(answer) => answer.recallable_until.is_some(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!([kept("www.example."), kept("alias.example."), kept("other.example.")], [false, false, true]);
}

#[test]
fn a_rehearsal_tells_each_stage_and_leaves_no_trace() {
    let mut world = World::new(vec![orders("www.example.", sites())]);
    world.down(&[true, false]);
    let query = world.query("www.example.", RecordType::A);
    let mut choices: Option<Vec<Choice>> = Some(Vec::new());
    world.authority.decide(&query, Instant::ZERO, &mut world.dice, &mut choices).unwrap();
    let choices = choices.unwrap();
    let [choice] = choices.as_slice() else { panic!("{choices:?}") };
    assert_eq!(choice.health, [("fra".to_owned(), "DOWN"), ("syd".to_owned(), "HEALTHY")]);
    let stages: Vec<_> = choice.steps.iter().map(|step| (step.stage, step.before.len(), step.after.len())).collect();
    assert_eq!(stages, [("healthy", 2, 1), ("nearest", 1, 1), ("location", 1, 1), ("first", 1, 1)]);
    assert_eq!((choice.chosen.as_slice(), choice.place.as_str()), (&["syd".to_owned()][..], "EU-DE, 52.50 13.40"));
    let helm = world.authority.helm();
    let steered = helm.find(&"www.example.".parse().unwrap()).unwrap();
    assert_eq!([0, 1].map(|index| steered.steering().empties_at(index)), [0, 0]);
}

#[test]
fn what_cannot_be_chosen_is_a_fault_of_the_zone() {
    let faults = |zone: &str, all: Vec<Orders>| {
        let mut builder = Builder::new("example.".parse().unwrap());
        let text = format!("$TTL 60\n@ SOA ns hostmaster 7 2 3 4 300\n@ NS ns\nns A 192.0.2.53\n{zone}\n");
        master_file::read(text.as_bytes(), "zone", &mut master_file::no_include, &mut builder);
        let file = builder.add_file("config");
        for (orders, line) in all.iter().zip(1..) {
            orders.all_records().for_each(|set| builder.add_chosen(&set, file, line));
        }
        let (zone, findings) = builder.finish(Keyed::with_seeds(1, 2, 3, 4));
        let errors = findings.iter().filter(|finding| finding.severity() == Severity::Error);
        let errors: Vec<String> = errors.map(ToString::to_string).collect();
        assert_eq!(zone.is_none(), !errors.is_empty());
        errors.join("\n")
    };
    let www = || orders("www.example.", vec![member("one", 1)]);
    assert_eq!(faults("www TXT x", vec![www()]), "");
    assert!(faults("www A 192.0.2.1", vec![www()]).contains("zone:5: error: www.example. A stands here, but"));
    assert!(faults("www CNAME ns", vec![www()]).contains("www.example. has both CNAME and A"));
    assert!(faults("x.www NS ns", vec![orders("a.x.www.example.", vec![member("one", 1)])]).contains("delegation"));
    assert!(faults("x.www NS ns", vec![orders("x.www.example.", vec![member("one", 1)])]).contains("is delegated"));
    assert!(faults("", vec![orders("www.test.", vec![member("one", 1)])]).contains("outside the zone"));
    let apex = faults("", vec![orders("example.", vec![alias("one", "a.test.")])]);
    assert!(apex.contains("example. has both CNAME and"), "{apex}");
    assert!(faults("@ NSEC a.example. SOA NS", vec![www()]).contains("signed elsewhere"));
}

#[test]
fn the_option_of_the_answer_is_there_even_where_the_answer_is_cut() {
    let mut all = orders("www.example.", (1..=200).map(|last| member(&format!("m{last}"), last)).collect());
    all.stages = vec![StageSpec::All];
    let mut world = World::new(vec![all]);
    world.from("192.0.2.0/24");
    let mut query = world.query("www.example.", RecordType::A);
    query.asker.carrier = Carrier::Udp;
    let decision = world.authority.decide(&query, Instant::ZERO, &mut world.dice, &mut None).unwrap();
    let mut bytes = Vec::new();
    let sealed = crate::chain::seal(&query, &decision.answer, true, &mut bytes);
    assert!(sealed.is_truncated && bytes.len() <= 1232);
    let response = crate::dns::Message::parse(&bytes).unwrap();
    let echoed = response.edns.unwrap().option(option::CLIENT_SUBNET).map(<[u8]>::to_vec);
    assert_eq!(echoed, Some(vec![0, 1, 24, 0, 192, 0, 2]));
    assert_eq!(ClientSubnet::of_address("192.0.2.1".parse().unwrap()).network(), "192.0.2.1/32".parse().unwrap());
}
