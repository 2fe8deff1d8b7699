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
        name: &name,
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
