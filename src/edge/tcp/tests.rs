use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::*;
use crate::base::patience::Patience;
use crate::base::tally::{Event, Tally};
use crate::base::{Dice, bounds};
use crate::chain::Carrier;
use crate::edge::mailbox::Reply;

type Queries = mpsc::UnboundedReceiver<(Vec<u8>, Reply)>;

struct Stage {
    at: SocketAddr,
    places: Arc<TcpPlaces>,
    patience: Arc<Patience>,
    tally: Arc<Tally>,
    queries: Queries,
    stop: watch::Sender<bool>,
    server: tokio::task::JoinHandle<()>,
}

impl Stage {
    /// Asks on `client`, and answers.
    async fn serve(&mut self, client: &mut TcpStream) {
        client.write_all(&framed(&[b"query"])).await.unwrap();
        answer(self.queries.recv().await.unwrap().1, b"answer");
        assert_eq!(message(client).await, b"answer");
    }

    fn counted(&self, event: Event) -> u64 {
        self.tally.read(event)
    }
}

/// Places with patience and counters of their own.
pub(super) fn places_for(connections: usize, in_flight: usize) -> (Arc<TcpPlaces>, Arc<Patience>, Arc<Tally>) {
    let (patience, tally) = (Arc::new(Patience::new(Duration::MAX)), Arc::new(Tally::default()));
    let settings = TcpSettings { connections, in_flight, idle: bounds::TCP_IDLE };
    (TcpPlaces::new(settings, patience.clone(), tally.clone(), &mut Dice::from_number(1)), patience, tally)
}

/// A server whose queries the test answers.
async fn stage(connections_max: usize, in_flight_max: usize) -> Stage {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (places, patience, tally) = places_for(connections_max, in_flight_max);
    let (sender, queries) = mpsc::unbounded_channel();
    let (stop, stopped) = watch::channel(false);
    let submit = move |letters: Vec<Letter>| {
        let mut refused = 0;
        for letter in letters {
            let Letter::Query { bytes, asker, reply, handed_over: false } = letter else { panic!("no query") };
            assert_eq!(asker.carrier, Carrier::Tcp);
            if bytes == b"full" {
                refused += 1;
            } else {
                sender.send((bytes, reply)).unwrap();
            }
        }
        refused
    };
    let server = tokio::spawn(serve(listener, places.clone(), submit, stopped));
    Stage { at, places, patience, tally, queries, stop, server }
}

fn framed(messages: &[&[u8]]) -> Vec<u8> {
    messages.iter().flat_map(|message| [&(message.len() as u16).to_be_bytes(), *message].concat()).collect()
}

async fn message(stream: &mut TcpStream) -> Vec<u8> {
    let mut message = vec![0; usize::from(stream.read_u16().await.unwrap())];
    stream.read_exact(&mut message).await.unwrap();
    message
}

fn answer(reply: Reply, message: &[u8]) {
    match reply {
        Reply::Tcp(reply) => reply.send(message),
        Reply::Udp { .. } | Reply::Inside(_) => panic!("a TCP query has a TCP reply"),
    }
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0; 1]).await, Ok(0) | Err(_))
}

#[tokio::test]
async fn queries_in_one_segment_may_be_answered_out_of_order() {
    let mut stage = stage(10, 8).await;
    let mut client = TcpStream::connect(stage.at).await.unwrap();
    client.write_all(&framed(&[b"one", b"two"])).await.unwrap();
    let (one, reply_one) = stage.queries.recv().await.unwrap();
    let (two, reply_two) = stage.queries.recv().await.unwrap();
    assert_eq!((&one[..], &two[..]), (&b"one"[..], &b"two"[..]));
    answer(reply_two, b"2");
    assert_eq!(message(&mut client).await, b"2");
    answer(reply_one, b"1");
    assert_eq!(message(&mut client).await, b"1");
}

#[tokio::test]
async fn any_split_of_the_stream_gives_the_same_queries() {
    let mut stage = stage(10, 8).await;
    let mut client = TcpStream::connect(stage.at).await.unwrap();
    client.set_nodelay(true).unwrap();
    let long = vec![9; 30_000];
    for octet in framed(&[b"a query", b"x"]) {
        client.write_all(&[octet]).await.unwrap();
        tokio::task::yield_now().await;
    }
    client.write_all(&framed(&[&long])).await.unwrap();
    for expected in [&b"a query"[..], b"x", &long] {
        let (bytes, reply) = stage.queries.recv().await.unwrap();
        assert_eq!(bytes, expected);
        answer(reply, &bytes);
        assert_eq!(message(&mut client).await, expected);
    }
}

#[tokio::test]
async fn no_more_queries_are_taken_than_may_be_under_way() {
    let mut stage = stage(10, 2).await;
    let mut client = TcpStream::connect(stage.at).await.unwrap();
    client.write_all(&framed(&[b"1", b"2", b"3", b"4"])).await.unwrap();
    let (_, first) = stage.queries.recv().await.unwrap();
    let (_, _second) = stage.queries.recv().await.unwrap();
    tokio::time::pause();
    assert!(tokio::time::timeout(Duration::from_secs(2), stage.queries.recv()).await.is_err());
    answer(first, b"done");
    assert_eq!(stage.queries.recv().await.unwrap().0, b"3");
    assert_eq!(stage.counted(Event::TcpHeldBack), 1);
}

#[tokio::test]
async fn silence_idleness_and_dribbling_end_a_connection() {
    let mut stage = stage(10, 2).await;
    let mut silent = TcpStream::connect(stage.at).await.unwrap();
    while stage.places.taken() == 0 {
        tokio::task::yield_now().await;
    }
    tokio::time::pause();
    let begun = Instant::now();
    assert!(is_closed(&mut silent).await);
    assert!(begun.elapsed() <= bounds::TCP_FIRST_OCTET + Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(stage.counted(Event::TcpSilent), 1);

    // The clock may jump only while nothing is on its way.
    tokio::time::resume();
    let mut idle = TcpStream::connect(stage.at).await.unwrap();
    stage.serve(&mut idle).await;
    tokio::time::pause();
    let begun = Instant::now();
    assert!(is_closed(&mut idle).await);
    assert!(begun.elapsed() <= bounds::TCP_IDLE + Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(stage.counted(Event::TcpIdle), 1);

    let mut dribbling = TcpStream::connect(stage.at).await.unwrap();
    let begun = Instant::now();
    for octet in framed(&[&[0; 100]]) {
        if dribbling.write_all(&[octet]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let all = bounds::TCP_FIRST_OCTET + bounds::TCP_MESSAGE;
    assert!(begun.elapsed() <= all + Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(stage.counted(Event::TcpDribbled), 1);
}

#[tokio::test]
async fn who_dribbles_behind_whole_queries_is_found_too() {
    let mut stage = stage(10, 2).await;
    let mut client = TcpStream::connect(stage.at).await.unwrap();
    client.write_all(&[&framed(&[b"query"])[..], &[0, 9, 1]].concat()).await.unwrap();
    answer(stage.queries.recv().await.unwrap().1, b"answer");
    assert_eq!(message(&mut client).await, b"answer");
    tokio::time::pause();
    assert!(is_closed(&mut client).await);
    assert_eq!(stage.counted(Event::TcpDribbled), 1);
}

#[tokio::test]
async fn an_idle_connection_takes_little() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (places, ..) = places_for(1, 32);
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (peer, outbox) = (stream.local_addr().unwrap(), Arc::new(Outbox::default()));
    let place = places.take(peer.ip(), &outbox).unwrap();
    let connection = Connection::new(stream, peer, (place, outbox), |letters: Vec<Letter>| letters.len()).unwrap();
    let size = size_of_val(&connection.serve()) + size_of::<Outbox>();
    assert!(size <= 1_024, "{size} octets");
}

#[tokio::test]
async fn a_slow_answer_keeps_the_connection() {
    let mut stage = stage(10, 2).await;
    let mut client = TcpStream::connect(stage.at).await.unwrap();
    client.write_all(&framed(&[b"query"])).await.unwrap();
    let (_, reply) = stage.queries.recv().await.unwrap();
    tokio::time::pause();
    tokio::time::sleep(3 * bounds::TCP_IDLE).await;
    answer(reply, b"late");
    assert_eq!(message(&mut client).await, b"late");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_not_read_from() {
    let stage = stage(10, 32).await;
    let mut client = TcpStream::connect(stage.at).await.unwrap();
    let answered = Arc::new(AtomicUsize::new(0));
    let count = answered.clone();
    let mut queries = stage.queries;
    let house = tokio::spawn(async move {
        while let Some((_, reply)) = queries.recv().await {
            count.fetch_add(1, Ordering::Relaxed);
            answer(reply, &vec![7; 60_000]);
        }
    });
    tokio::time::pause();
    let queries = framed(&vec![&b"query"[..]; 2_000]);
    let sent = tokio::time::timeout(Duration::from_millis(300), client.write_all(&queries)).await;
    let mut before = answered.load(Ordering::Relaxed);
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = answered.load(Ordering::Relaxed);
        if now == before {
            break;
        }
        before = now;
    }
    // What the kernel's buffers hold and what we do; far from 2000 answers of 60 kB.
    assert!(before < 500, "{before} answers, {sent:?}");
    assert!(stage.tally.read(Event::TcpHeldBack) > 0);
    // And it is not waited for without end.
    while stage.places.taken() > 0 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(stage.tally.read(Event::TcpUnread), 1);
    house.abort();
}

#[tokio::test]
async fn who_asks_for_much_at_once_gets_all_of_it() {
    let mut stage = stage(10, 32).await;
    let mut client = TcpStream::connect(stage.at).await.unwrap();
    let queries: Vec<[u8; 1]> = (0..40).map(|number| [number]).collect();
    client.write_all(&framed(&queries.iter().map(<[u8; 1]>::as_slice).collect::<Vec<_>>())).await.unwrap();
    client.shutdown().await.unwrap();
    let mut first = Vec::new();
    while first.len() < 32 {
        first.push(stage.queries.recv().await.unwrap());
    }
    // All at once, before the connection writes any.
    for (query, reply) in first {
        answer(reply, &vec![query[0]; 30_000]);
    }
    let mut reader = tokio::spawn(async move {
        let mut answered = Vec::new();
        for _ in 0..40 {
            answered.push(message(&mut client).await[0]);
        }
        (answered, is_closed(&mut client).await)
    });
    let (mut answered, is_closed) = loop {
        tokio::select! {
            query = stage.queries.recv() => {
                let (query, reply) = query.unwrap();
                answer(reply, &vec![query[0]; 30_000]);
            }
            answered = &mut reader => break answered.unwrap(),
        }
    };
    answered.sort_unstable();
    assert!(answered.into_iter().eq(0..40) && is_closed);
    assert_eq!(stage.counted(Event::TcpPutOff), 28);
}

#[tokio::test]
async fn a_query_that_finds_no_room_closes_the_connection_after_the_answers_owed() {
    let mut stage = stage(10, 8).await;
    let mut client = TcpStream::connect(stage.at).await.unwrap();
    client.write_all(&framed(&[b"good", b"full"])).await.unwrap();
    let (_, reply) = stage.queries.recv().await.unwrap();
    answer(reply, b"answer");
    assert_eq!(message(&mut client).await, b"answer");
    assert!(is_closed(&mut client).await);
    assert_eq!(stage.counted(Event::SilenceOverload), 1);
}

#[tokio::test]
async fn a_client_that_has_said_all_still_gets_its_answers() {
    let mut stage = stage(10, 8).await;
    let mut client = TcpStream::connect(stage.at).await.unwrap();
    client.write_all(&framed(&[b"query"])).await.unwrap();
    client.shutdown().await.unwrap();
    let (_, reply) = stage.queries.recv().await.unwrap();
    answer(reply, b"answer");
    assert_eq!(message(&mut client).await, b"answer");
    assert!(is_closed(&mut client).await);
}

#[tokio::test]
async fn where_no_place_is_left_who_has_rested_longest_makes_way() {
    let mut stage = stage(3, 8).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(TcpStream::connect(stage.at).await.unwrap());
    }
    for at in [1, 0, 2] {
        stage.serve(&mut clients[at]).await;
    }
    let mut newcomer = TcpStream::connect(stage.at).await.unwrap();
    stage.serve(&mut newcomer).await;
    assert!(is_closed(&mut clients[1]).await);
    assert_eq!((stage.places.taken(), stage.counted(Event::TcpYielded)), (3, 1));
    // The others have lost nothing.
    stage.serve(&mut clients[0]).await;
    stage.serve(&mut clients[2]).await;
    stage.serve(&mut newcomer).await;
    drop((clients, newcomer));
    while stage.places.taken() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!((stage.counted(Event::TcpAccepted), stage.counted(Event::TcpRefused)), (4, 0));
}

#[tokio::test]
async fn who_is_owed_answers_makes_way_for_nobody() {
    let mut stage = stage(2, 8).await;
    let (mut clients, mut replies) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let mut client = TcpStream::connect(stage.at).await.unwrap();
        client.write_all(&framed(&[b"query"])).await.unwrap();
        replies.push(stage.queries.recv().await.unwrap().1);
        clients.push(client);
    }
    let mut refused = TcpStream::connect(stage.at).await.unwrap();
    assert!(is_closed(&mut refused).await);
    assert_eq!((stage.counted(Event::TcpRefused), stage.counted(Event::TcpYielded)), (1, 0));
    for (client, reply) in clients.iter_mut().zip(replies) {
        answer(reply, b"answer");
        assert_eq!(message(client).await, b"answer");
    }
}

#[tokio::test]
async fn dribblers_and_slow_readers_make_way_too() {
    let mut stage = stage(2, 32).await;
    let mut dribbling = TcpStream::connect(stage.at).await.unwrap();
    dribbling.write_all(&[0]).await.unwrap();
    let mut slow = TcpStream::connect(stage.at).await.unwrap();
    slow.write_all(&framed(&vec![&b"query"[..]; 500])).await.unwrap();
    // Until nothing more of it is taken: what is unread is more than the system's buffers hold.
    while let Ok(query) = tokio::time::timeout(Duration::from_millis(300), stage.queries.recv()).await {
        answer(query.unwrap().1, &vec![7; 60_000]);
    }
    assert_eq!(stage.places.taken(), 2);
    let mut newcomers = Vec::new();
    for yielded in 1..=2 {
        let mut newcomer = TcpStream::connect(stage.at).await.unwrap();
        stage.serve(&mut newcomer).await;
        newcomers.push(newcomer);
        assert_eq!((stage.counted(Event::TcpYielded), stage.places.taken()), (yielded, 2));
    }
    assert!(is_closed(&mut dribbling).await);
    drop(slow);
}

#[tokio::test]
async fn a_stop_lets_the_answers_out_and_then_ends() {
    let mut stage = stage(10, 8).await;
    let mut client = TcpStream::connect(stage.at).await.unwrap();
    let mut idle = TcpStream::connect(stage.at).await.unwrap();
    client.write_all(&framed(&[b"query"])).await.unwrap();
    let (_, reply) = stage.queries.recv().await.unwrap();
    stage.stop.send(true).unwrap();
    assert!(is_closed(&mut idle).await);
    assert_eq!(stage.patience.read(), Duration::ZERO);
    answer(reply, b"answer");
    assert_eq!(message(&mut client).await, b"answer");
    assert!(is_closed(&mut client).await);
    stage.server.await.unwrap();
    assert!(TcpStream::connect(stage.at).await.is_err());
}

fn stream_of(reply: Reply) -> TcpStreamReply {
    match reply {
        Reply::Tcp(reply) => reply.stream(),
        Reply::Udp { .. } | Reply::Inside(_) => panic!("a TCP query has a TCP reply"),
    }
}

#[tokio::test]
async fn an_answer_of_several_messages_comes_whole_and_in_order() {
    let mut stage = stage(10, 2).await;
    let mut client = TcpStream::connect(stage.at).await.unwrap();
    client.write_all(&framed(&[b"transfer", b"query"])).await.unwrap();
    let mut stream = stream_of(stage.queries.recv().await.unwrap().1);
    let (_, other) = stage.queries.recv().await.unwrap();
    stream.send(b"1".to_vec()).await.unwrap();
    assert_eq!(message(&mut client).await, b"1");
    // Another query is answered in between.
    answer(other, b"answer");
    assert_eq!(message(&mut client).await, b"answer");
    stream.send(b"2".to_vec()).await.unwrap();
    stream.end().await;
    assert_eq!(message(&mut client).await, b"2");
    // The place is free again, and the connection still there.
    client.write_all(&framed(&[b"one", b"two"])).await.unwrap();
    for text in [b"one", b"two"] {
        let (bytes, reply) = stage.queries.recv().await.unwrap();
        assert_eq!(bytes, text);
        answer(reply, text);
        assert_eq!(message(&mut client).await, text);
    }
}

#[tokio::test]
async fn a_stream_waits_for_a_client_that_does_not_read() {
    let mut stage = stage(10, 2).await;
    let mut client = TcpStream::connect(stage.at).await.unwrap();
    client.write_all(&framed(&[b"transfer"])).await.unwrap();
    let mut stream = stream_of(stage.queries.recv().await.unwrap().1);
    let large = vec![7; 60_000];
    let mut sent = 0;
    // What the sockets take is the system's matter, what we hold is ours.
    while tokio::time::timeout(Duration::from_millis(200), stream.send(large.clone())).await.is_ok() {
        sent += 1;
        assert!(sent < 1_000);
    }
    for _ in 0..sent {
        assert_eq!(message(&mut client).await.len(), large.len());
    }
    stream.end().await;
}

#[tokio::test]
async fn half_a_stream_closes_the_connection() {
    let mut stage = stage(10, 2).await;
    let mut client = TcpStream::connect(stage.at).await.unwrap();
    client.write_all(&framed(&[b"transfer"])).await.unwrap();
    let mut stream = stream_of(stage.queries.recv().await.unwrap().1);
    stream.send(b"half".to_vec()).await.unwrap();
    drop(stream);
    assert_eq!(message(&mut client).await, b"half");
    assert!(is_closed(&mut client).await);
}

#[tokio::test]
async fn a_stream_ends_with_its_connection() {
    let mut stage = stage(10, 2).await;
    let mut client = TcpStream::connect(stage.at).await.unwrap();
    client.write_all(&framed(&[b"transfer"])).await.unwrap();
    let mut stream = stream_of(stage.queries.recv().await.unwrap().1);
    tokio::time::pause();
    drop(client);
    while stream.send(vec![7; 60_000]).await.is_ok() {}
}
