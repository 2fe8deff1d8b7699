use super::*;

fn server(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 53))
}

fn board() -> (Scoreboard, Dice, Instant) {
    let mut dice = Dice::from_number(3);
    (Scoreboard::new(&mut dice), dice, Instant::from_seconds(1_000))
}

#[test]
fn a_near_server_gets_most_queries_and_a_far_one_some() {
    let (mut board, mut dice, now) = board();
    let servers = [server(1), server(2)];
    for _ in 0..20 {
        board.note_response(servers[0], Duration::from_millis(10), now);
        board.note_response(servers[1], Duration::from_millis(600), now);
    }
    let far = (0..10_000).filter(|_| board.select(&servers, &Name::root(), None, now, &mut dice) == Some(1)).count();
    assert!((100..600).contains(&far), "{far} of 10,000 explored the far server");
}

#[test]
fn a_server_at_the_edge_of_the_band_shares_the_queries_and_one_beyond_it_does_not() {
    for (behind, share) in [(bounds::RTT_BAND, 2_000..3_000), (bounds::RTT_BAND + Duration::from_millis(35), 100..500)]
    {
        let (mut board, mut dice, now) = board();
        let (servers, near) = ([server(1), server(2)], Duration::from_millis(10));
        board.note_response(servers[0], near, now);
        board.note_response(servers[1], near + behind, now);
        let far = (0..10_000).filter(|_| board.select(&servers, &Name::root(), None, now, &mut dice) == Some(1));
        let far = far.count();
        assert!(share.contains(&far), "{behind:?} behind: {far} of 10,000");
    }
}

#[test]
fn a_penalty_ends_after_thirty_seconds_however_many_timeouts_there_were() {
    let (mut board, _, now) = board();
    for _ in 0..100 {
        board.note_timeout(server(1), now);
    }
    assert!(board.is_avoided(server(1), now + Duration::from_secs(15)));
    assert!(!board.is_avoided(server(1), now + bounds::SERVER_PENALTY_MAX));
}

#[test]
fn the_first_success_after_an_outage_forgives_everybody() {
    let (mut board, _, now) = board();
    for last in 1..=8 {
        for _ in 0..5 {
            board.note_timeout(server(last), now + Duration::from_millis(300) * u32::from(last));
        }
    }
    let later = now + Duration::from_secs(3);
    assert!(board.is_outage(later) && board.is_avoided(server(8), later));
    board.note_response(server(1), Duration::from_millis(5), later);
    assert!((1..=8).all(|last| !board.is_avoided(server(last), later)));
}

#[test]
fn a_single_dead_server_among_live_ones_is_not_an_outage() {
    let (mut board, _, now) = board();
    for second in 0..20 {
        board.note_timeout(server(1), now + Duration::from_secs(second));
        board.note_response(server(2), Duration::from_millis(5), now + Duration::from_secs(second));
    }
    assert!(!board.is_outage(now + Duration::from_secs(20)));
    assert!(board.is_avoided(server(1), now + Duration::from_secs(20)));
}

#[test]
fn a_lame_server_is_asked_last_and_only_for_other_zones_first() {
    let (mut board, mut dice, now) = board();
    let (zone, servers): (Name, _) = ("example.".parse().unwrap(), [server(1), server(2)]);
    board.note_lame(servers[0], &zone, now);
    assert!((0..100).all(|_| board.select(&servers, &zone, None, now, &mut dice) == Some(1)));
    assert_eq!(board.select(&servers[..1], &zone, None, now, &mut dice), Some(0));
    assert!((0..100).any(|_| board.select(&servers, &Name::root(), None, now, &mut dice) == Some(0)));
}

#[test]
fn the_wanted_family_comes_first_and_a_silent_one_last() {
    let (mut board, mut dice, now) = board();
    let servers = [server(1), SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 53))];
    let zone = Name::root();
    for (wanted, chosen) in [(Some(true), 1), (Some(false), 0)] {
        assert!((0..100).all(|_| board.select(&servers, &zone, wanted, now, &mut dice) == Some(chosen)));
    }
    for last in 2..=5 {
        board.note_timeout(SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, last], 53)), now);
    }
    assert!((0..100).all(|_| board.select(&servers, &zone, None, now, &mut dice) == Some(0)));
    let later = now + bounds::SERVER_PENALTY_MAX;
    assert!((0..100).any(|_| board.select(&servers, &zone, None, later, &mut dice) == Some(1)));
}

#[test]
fn hedges_keep_to_five_percent() {
    let (mut board, _, _) = board();
    let mut hedges = 0;
    for _ in 0..1_000 {
        let hedge = board.may_hedge();
        board.note_sent(false);
        if hedge {
            board.note_sent(true);
            hedges += 1;
        }
    }
    assert!((40..=55).contains(&hedges), "{hedges}");
}

#[test]
fn timeouts_follow_the_round_trip_time_within_their_bounds() {
    let (mut board, _, now) = board();
    assert_eq!(Score::default().timeout(), bounds::RTO_INITIAL);
    for _ in 0..50 {
        board.note_response(server(1), Duration::from_micros(300), now);
    }
    assert_eq!(board.score(server(1)).unwrap().timeout(), bounds::RTO_MIN);
    board.note_response(server(2), Duration::from_secs(9), now);
    assert_eq!(board.score(server(2)).unwrap().timeout(), bounds::RTO_MAX);
}
