use std::net::UdpSocket;

use tokio::runtime::Runtime;

use super::*;
use crate::app::build::{self, Files, Kept};
use crate::app::config::{self, Machine};
use crate::chain::{Answer, Chain, Handler, Query, Turn, Verdict};
use crate::dns::{Ede, EdeCode, Flags, Message, Question, Rcode, RecordType};
use crate::edge::listen;

/// A fault of ours: it cannot bear one name, and refuses every other.
struct Fragile;

impl Handler for Fragile {
    fn name(&self) -> &'static str {
        "fragile"
    }

    fn handle(&self, query: &Query, _: &mut Turn<'_>) -> Verdict {
        assert!(query.question.name != "poison.example.".parse().unwrap(), "the fault that this test makes");
        Verdict::Answer(Answer::refusal(Rcode::REFUSED, Ede::new(EdeCode::Other, "")))
    }
}

fn house(dice: &mut Dice) -> (Arc<House>, Arc<Forwarders>) {
    let machine = Machine { cores: std::num::NonZeroUsize::MIN, memory: None };
    let config = config::load(std::path::Path::new("x"), b"recursion: off\nlimits: {queries: off}", &machine);
    let built = build::build(&config.unwrap().config, Files::default(), &mut Kept::nothing(dice), |_, _| {}, dice);
    let house = Arc::try_unwrap(built.house).unwrap_or_else(|_| panic!("nobody else has it"));
    (Arc::new(House { chain: Chain::new(vec![Box::new(Fragile)]), ..house }), built.forwarders)
}

fn query(name: &str, id: u16) -> Vec<u8> {
    let questions = smallvec::smallvec![Question::new(name.parse().unwrap(), RecordType::A)];
    let mut bytes = Vec::new();
    Message { id, flags: Flags::default(), questions, ..Message::default() }.compose(&mut bytes, 512).unwrap();
    bytes
}

fn surroundings(runtime: &Runtime) -> Surroundings {
    let (house, forwarders) = house(&mut Dice::from_number(1));
    Surroundings {
        clock: MachineClock::new(),
        runtime: runtime.handle().clone(),
        tcp: UpstreamTcp::new(runtime.handle().clone(), Dice::from_number(2)),
        current: Arc::new(Current::new(house, forwarders)),
        desk: None,
    }
}

#[test]
fn a_panic_costs_what_was_under_way_at_that_worker_and_nothing_else() {
    let runtime = Runtime::new().unwrap();
    let surroundings = surroundings(&runtime);
    let bound: Vec<_> = (0..2)
        .map(|_| listen::bind("127.0.0.1:0".parse().unwrap(), 1, &mut listen::Given::default()).unwrap())
        .collect();
    let (mut addresses, mut mailboxes, mut tallies, mut stations) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (at, bound) in bound.into_iter().enumerate() {
        let tally = Arc::new(Tally::default());
        let own = Dice::from_number(3 + at as u64);
        let station = Station::new(surroundings.clone(), (at, 2), bound.udp, own, Arc::clone(&tally)).unwrap();
        addresses.push(bound.address);
        mailboxes.push(station.mailbox());
        tallies.push(tally);
        stations.push(station);
    }
    let at_rest = Arc::new(AtomicUsize::new(0));
    for station in &mut stations {
        station.meet(mailboxes.clone(), Arc::clone(&at_rest));
    }
    std::thread::scope(|scope| {
        for station in &mut stations {
            scope.spawn(|| station.run());
        }
        let clients: Vec<UdpSocket> = addresses
            .iter()
            .map(|address| {
                let client = UdpSocket::bind("127.0.0.1:0").unwrap();
                client.connect(address).unwrap();
                client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                client
            })
            .collect();
        let mut room = [0; 512];
        for id in 0..50 {
            clients[0].send(&query("poison.example.", id)).unwrap();
            // A datagram of the same batch may be lost with it; the other worker's never is.
            clients[1].send(&query("www.example.", id)).unwrap();
            let length = clients[1].recv(&mut room).unwrap();
            assert_eq!(Message::parse(&room[..length]).unwrap().id, id);
            while tallies[0].read(Event::WorkerPanics) <= u64::from(id) {
                std::thread::yield_now();
            }
            clients[0].send(&query("www.example.", id)).unwrap();
            let length = clients[0].recv(&mut room).unwrap();
            let response = Message::parse(&room[..length]).unwrap();
            assert_eq!((response.id, response.rcode), (id, Rcode::REFUSED));
        }
        for mailbox in &mailboxes {
            mailbox.post(Letter::Stop).ok();
        }
    });
    assert_eq!([0, 1].map(|at: usize| tallies[at].read(Event::WorkerPanics)), [50, 0]);
}

#[test]
fn who_is_asked_all_the_time_sleeps_in_the_receive_and_hears_of_letters_all_the_same() {
    let runtime = Runtime::new().unwrap();
    let surroundings = surroundings(&runtime);
    let bound = listen::bind("127.0.0.1:0".parse().unwrap(), 1, &mut listen::Given::default()).unwrap();
    let tally = Arc::new(Tally::default());
    let mut station = Station::new(surroundings, (0, 1), bound.udp, Dice::from_number(3), tally).unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(bound.address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut events = Events::with_capacity(16);
    let mut ask = |station: &mut Station, id: u16| {
        client.send(&query("www.example.", id)).unwrap();
        station.step(&mut events, LONGEST_STEP);
        let mut room = [0; 512];
        let length = client.recv(&mut room).unwrap();
        assert_eq!(Message::parse(&room[..length]).unwrap().id, id);
    };
    // However slow the machine is, some of these come soon after others.
    let steady_at = (0..u16::MAX).find(|id| {
        ask(&mut station, *id);
        station.may_await_queries()
    });
    assert!(steady_at.is_some());
    station.mailbox().post(Letter::Stop).unwrap();
    station.step(&mut Events::with_capacity(1), LONGEST_STEP); // in which nobody asks
    assert!(station.is_stopping && !station.may_await_queries());
    ask(&mut station, 7);
}

#[test]
fn a_door_is_closed_when_all_that_waited_before_it_is_answered() {
    const QUERIES: u16 = 1_000;
    let runtime = Runtime::new().unwrap();
    let surroundings = surroundings(&runtime);
    let bound = listen::bind("127.0.0.1:0".parse().unwrap(), 1, &mut listen::Given::default()).unwrap();
    let tally = Arc::new(Tally::default());
    let door = bound.udp[0].door;
    let mut station = Station::new(surroundings, (0, 1), bound.udp, Dice::from_number(3), Arc::clone(&tally)).unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    (0..QUERIES).for_each(|id| assert!(client.send_to(&query("www.example.", id), bound.address).is_ok()));
    let dropped = u64::from(batch::drops(&station.listeners[0])); // where the system grants little room
    station.leaving.push((door, Instant::ZERO));
    station.close_doors(Instant::ZERO);
    assert!(station.listeners.is_empty());
    assert_eq!(tally.read(Event::QueriesUdp) + dropped, u64::from(QUERIES));
}

#[test]
fn while_queries_pile_up_nobody_is_told_over_udp_that_a_query_cannot_be_read() {
    let mut dice = Dice::from_number(1);
    let (house, _) = house(&mut dice);
    let tally = Arc::new(Tally::default());
    let mut worker: Worker<Reply> = Worker::new(house, (0, 1), dice, Arc::clone(&tally));
    let (whole, mut broken) = (query("www.example.", 1), query("www.example.", 2));
    broken.push(0);
    let mut outcome = |is_pressed, carrier, bytes: &[u8]| {
        worker.press(is_pressed);
        let asker =
            Asker { address: "192.0.2.1:5353".parse().unwrap(), local: None, carrier, may_recurse: false, group: 0 };
        let mut out = Vec::new();
        worker.turn(bytes, asker, &mut None, Instant::ZERO, &mut out)
    };
    assert_eq!(outcome(false, Carrier::Udp, &broken), Next::Respond);
    assert_eq!(outcome(true, Carrier::Udp, &broken), Next::Silence);
    assert_eq!(outcome(true, Carrier::Tcp, &broken), Next::Respond, "a connection would wait for it");
    assert_eq!(outcome(true, Carrier::Udp, &whole), Next::Respond);
    assert_eq!(tally.read(Event::SilencePressed), 1);
}
