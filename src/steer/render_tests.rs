use std::sync::Arc;

use super::*;
use crate::base::Dice;
use crate::steer::health::Board;
use crate::steer::pool::{PoolId, Srv};
use crate::steer::testing::asker;
use crate::steer::{Feeds, Member, Terms};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn shown(members: Vec<Member>, terms: Terms, rtype: RecordType) -> Rendered {
    let pool = Pool::new(PoolId(0), "p", members).unwrap();
    let steering = Steering::new(Arc::new(pool), &[], terms, None).unwrap();
    let (board, feeds) = (Board::default(), Feeds::default());
    let selection = steering.select(&asker("192.0.2.1"), &board, &feeds, &mut Dice::from_number(1), false);
    steering.render(&selection, &name("www.example."), rtype)
}

fn rdatas(rendered: Rendered) -> Vec<Vec<u8>> {
    match rendered {
        Rendered::Records(set) | Rendered::Alias(set) => set.rdatas.iter().map(<[u8]>::to_vec).collect(),
        Rendered::NoData | Rendered::ServFail => vec![],
    }
}

fn v4(name: &str, last: u8) -> Member {
    let mut member = Member::new(name);
    member.a.push([192, 0, 2, last].into());
    member
}

fn v6(name: &str) -> Member {
    let mut member = Member::new(name);
    member.aaaa.push("2001:db8::6".parse().unwrap());
    member
}

#[test]
fn a_member_answers_with_all_its_addresses_and_none_twice() {
    let mut one = v4("one", 1);
    one.a.extend([std::net::Ipv4Addr::new(192, 0, 2, 2), [192, 0, 2, 1].into()]);
    assert_eq!(rdatas(shown(vec![one.clone()], Terms::default(), RecordType::A)), [[192, 0, 2, 1], [192, 0, 2, 2]]);
    let both = Terms { answers: 2, ..Terms::default() };
    assert_eq!(rdatas(shown(vec![one, v4("two", 2)], both, RecordType::A)).len(), 2);
}

#[test]
fn a_missing_family_is_nodata_or_the_next_members() {
    let members = || vec![v4("one", 1), v6("two")];
    assert_eq!(shown(members(), Terms::default(), RecordType::AAAA), Rendered::NoData);
    let lenient = Terms { family: Family::NearestWith, ..Terms::default() };
    assert_eq!(rdatas(shown(members(), lenient, RecordType::AAAA)).len(), 1);
    assert_eq!(shown(members(), lenient, RecordType::TXT), Rendered::NoData);
}

#[test]
fn an_alias_stands_alone() {
    let mut alias = Member::new("alias");
    alias.cname = Some(name("cdn.example."));
    let terms = Terms { answers: 2, ..Terms::default() };
    let rendered = shown(vec![alias.clone(), v4("one", 1)], terms, RecordType::A);
    assert!(matches!(&rendered, Rendered::Alias(set) if set.rtype == RecordType::CNAME && set.rdatas.len() == 1));
    assert_eq!(rdatas(shown(vec![v4("one", 1), alias], terms, RecordType::A)), [[192, 0, 2, 1]]);
}

#[test]
fn srv_and_https_lead_where_the_addresses_do() {
    let mut member = v4("one", 1);
    member.aaaa.push("2001:db8::1".parse().unwrap());
    member.srv = Some(Srv { priority: 1, weight: 2, port: 443, target: name("one.example.") });
    member.service = Some(Service {
        priority: 1,
        target: Some(name("one.example.")),
        alpn: vec!["h2".into(), "h3".into()],
        port: Some(8443),
        ech: None,
        has_hints: true,
    });
    let srv = rdatas(shown(vec![member.clone()], Terms::default(), RecordType::SRV));
    assert_eq!(srv, [b"\0\x01\0\x02\x01\xbb\x03one\x07example\0".to_vec()]);
    let mut expected = b"\0\x01\x03one\x07example\0".to_vec();
    expected.extend(b"\0\x01\0\x06\x02h2\x02h3\0\x03\0\x02\x20\xfb\0\x04\0\x04\xc0\0\x02\x01\0\x06\0\x10");
    expected.extend("2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
    assert_eq!(rdatas(shown(vec![member.clone()], Terms::default(), RecordType::HTTPS)), [expected]);
    member.service.as_mut().unwrap().target = None;
    let own = rdatas(shown(vec![member], Terms::default(), RecordType::HTTPS));
    assert_eq!(own, [b"\0\x01\0\0\x01\0\x06\x02h2\x02h3\0\x03\0\x02\x20\xfb".to_vec()]);
}

#[test]
fn a_transfer_shows_all_members() {
    let pool = Pool::new(PoolId(0), "p", vec![v4("one", 1), v6("two"), v4("three", 3)]).unwrap();
    let set = pool.all_records(&name("www.example."), RecordType::A, 60).unwrap();
    assert_eq!(set.rdatas.iter().collect::<Vec<_>>(), [[192, 0, 2, 1], [192, 0, 2, 3]]);
    assert_eq!(pool.all_records(&name("www.example."), RecordType::SRV, 60), None);
}
