//! What answers are counted as, and who is counted at all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::chain::Aged;
use crate::dns::{Flags, Name, Question, Rcode, RecordType, RrSet};
use crate::handlers::gate::{Prefix, Rate};

fn limit() -> ResponseLimit {
    let rate = Some(Rate { count: 10, per: Duration::from_secs(1) });
    ResponseLimit {
        answers: rate,
        referrals: rate,
        nodata: rate,
        nxdomain: rate,
        errors: rate,
        all: None,
        window: Duration::from_secs(15),
        prefix: Prefix { v4: 24, v6: 56 },
        slip: 2,
        exempt: NetworkSet::loopback(),
        exempts_clients: true,
        is_dry_run: false,
    }
}

fn limits(limit: ResponseLimit) -> Limits {
    let settings = LimitSettings { responses: Some(limit), ..LimitSettings::default() };
    Limits::new(settings, &mut Dice::from_number(1))
}

fn asker(address: &str) -> Asker {
    let address = SocketAddr::new(address.parse().unwrap(), 5353);
    Asker { address, local: None, carrier: Carrier::Udp, may_recurse: false, group: 0 }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn query(qname: &str, qtype: RecordType) -> Query {
    Query {
        id: 1,
        flags: Flags::default(),
        question: Question::new(name(qname), qtype),
        edns: None,
        asker: asker("192.0.2.1"),
    }
}

fn set(owner: &str, rtype: RecordType, rdata: &[u8]) -> Aged {
    Aged { set: Arc::new(RrSet::new(name(owner), rtype, 60, [rdata])), ttl: 60 }
}

fn denial(zone: &str, rcode: Rcode) -> Answer {
    Answer { rcode, authoritative: true, authority: vec![set(zone, RecordType::SOA, &[0; 22])], ..Answer::default() }
}

fn positive(owner: &str, last: u8) -> Answer {
    Answer { authoritative: true, answer: vec![set(owner, RecordType::A, &[192, 0, 2, last])], ..Answer::default() }
}

/// How many of 1,000 responses at once are sent.
fn sent(limits: &Limits, asker: &Asker, account: u64) -> usize {
    let now = Instant::from_seconds(1_000);
    (0..1_000).filter(|_| limits.release(asker, false, account, now) == Release::Sent).count()
}

#[test]
fn steered_variants_of_a_name_share_an_account() {
    let limits = limits(limit());
    let query = query("WWW.example.", RecordType::A);
    let one = limits.account(&query, &positive("WWW.example.", 1));
    assert_eq!(one, limits.account(&query, &positive("www.example.", 2)));
    assert_ne!(one, limits.account(&query, &positive("mail.example.", 1)));
}

#[test]
fn names_that_do_not_exist_share_their_zones_account() {
    let limits = limits(limit());
    let account = |qname: &str, zone| limits.account(&query(qname, RecordType::A), &denial(zone, Rcode::NXDOMAIN));
    assert_eq!(account("a.example.", "example."), account("b.c.example.", "example."));
    assert_ne!(account("a.example.", "example."), account("a.test.", "test."));
}

#[test]
fn what_a_wildcard_makes_up_shares_its_zones_account() {
    let limits = limits(limit());
    let made_up = |qname: &str| {
        let answer = Answer { wildcard_zone: Some(Box::new(name("example."))), ..positive(qname, 1) };
        limits.account(&query(qname, RecordType::A), &answer)
    };
    assert_eq!(made_up("a.example."), made_up("b.example."));
    assert_ne!(made_up("a.example."), limits.account(&query("a.example.", RecordType::A), &positive("a.example.", 1)));
    let nodata = |qname: &str| {
        let answer = Answer { wildcard_zone: Some(Box::new(name("example."))), ..denial("example.", Rcode::NOERROR) };
        limits.account(&query(qname, RecordType::A), &answer)
    };
    assert_eq!(nodata("a.example."), nodata("b.example."));
}

#[test]
fn asking_for_other_types_opens_no_other_account_for_an_alias_or_for_nothing() {
    let limits = limits(limit());
    let account = |rtype: u16, answer: &Answer| limits.account(&query("www.example.", RecordType(rtype)), answer);
    let alias = Answer {
        answer: vec![set("www.example.", RecordType::CNAME, name("web.example.").wire())],
        authoritative: true,
        ..Answer::default()
    };
    let nodata = denial("example.", Rcode::NOERROR);
    for rtype in [28, 16, 4_711] {
        assert_eq!(account(1, &alias), account(rtype, &alias));
        assert_eq!(account(1, &nodata), account(rtype, &nodata));
    }
}

#[test]
fn every_class_has_an_account_of_its_own() {
    let limits = limits(limit());
    let query = query("example.", RecordType::A);
    let referral =
        Answer { authority: vec![set("example.", RecordType::NS, name("ns.example.").wire())], ..Answer::default() };
    let answers = [
        positive("example.", 1),
        referral,
        denial("example.", Rcode::NOERROR),
        denial("example.", Rcode::NXDOMAIN),
        Answer::empty(Rcode::REFUSED),
    ];
    let accounts: Vec<u64> = answers.iter().map(|answer| limits.account(&query, answer)).collect();
    let classes: Vec<u64> = accounts.iter().map(|account| account & 7).collect();
    assert_eq!(classes, [1, 2, 3, 4, 5]);
    for account in accounts {
        assert_eq!(sent(&limits, &query.asker, account), 10);
    }
}

#[test]
fn all_together_have_a_limit_of_their_own() {
    let all = Some(Rate { count: 15, per: Duration::from_secs(1) });
    let limits = limits(ResponseLimit { all, ..limit() });
    let sent: Vec<usize> = (1..5).map(|account| sent(&limits, &asker("192.0.2.1"), account << 3 | 1)).collect();
    assert_eq!(sent.iter().sum::<usize>(), 10, "{sent:?}: what the first flood is refused counts against all");
}

#[test]
fn the_proven_the_exempt_and_our_clients_are_not_counted() {
    let limits = limits(limit());
    let (now, account) = (Instant::from_seconds(1_000), 9);
    assert_eq!(sent(&limits, &asker("192.0.2.1"), account), 10);
    assert_eq!(sent(&limits, &asker("192.0.2.200"), account), 0, "one network");
    assert_eq!(sent(&limits, &asker("192.0.3.1"), account), 10);
    assert_eq!(sent(&limits, &asker("127.0.0.1"), account), 1_000);
    assert_eq!(sent(&limits, &Asker { carrier: Carrier::Tcp, ..asker("192.0.2.1") }, account), 1_000);
    let client = Asker { may_recurse: true, ..asker("192.0.2.1") };
    assert_eq!(sent(&limits, &client, account), 1_000);
    assert_eq!(limits.release(&asker("192.0.2.1"), true, account, now), Release::Sent);
    assert_eq!(sent(&limits, &asker("192.0.2.1"), 0), 1_000, "what is counted as nothing");

    let strict = self::limits(ResponseLimit { exempts_clients: false, ..limit() });
    assert_eq!(sent(&strict, &client, account), 10);
}

#[test]
fn a_dry_run_keeps_nothing() {
    let limits = limits(ResponseLimit { is_dry_run: true, ..limit() });
    let released: Vec<Release> =
        (0..20).map(|_| limits.release(&asker("192.0.2.1"), false, 9, Instant::from_seconds(1_000))).collect();
    assert_eq!(released[..10], [Release::Sent; 10]);
    assert_eq!(released[10..], [Release::WouldBeKept; 10]);
}
