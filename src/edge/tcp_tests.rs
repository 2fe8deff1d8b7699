use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::edge::mailbox::Letter;

type Queries = mpsc::UnboundedReceiver<(Vec<u8>, Reply)>;

struct Stage {
    at: SocketAddr,
    places: Arc<TcpPlaces>,
    queries: Queries,
    stop: watch::Sender<bool>,
    server: tokio::task::JoinHandle<()>,
}

/// A server whose queries the test answers.
async fn stage(connections_max: usize, in_flight_max: usize) -> Stage {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let places = TcpPlaces::new(connections_max, in_flight_max, bounds::TCP_IDLE, &mut Dice::from_number(1));
    let (sender, queries) = mpsc::unbounded_channel();
    let (stop, stopped) = watch::channel(false);
    let submit = move |bytes: Vec<u8>, asker: Asker, reply: Reply| {
        assert_eq!(asker.carrier, Carrier::Tcp);
        if bytes == b"full" {
            let asker = Asker { may_recurse: false, ..asker };
            return Err(Full(Box::new(Letter::Query { bytes, asker, reply, handed_over: false })));
        }
        sender.send((bytes, reply)).unwrap();
        Ok(())
    };
    let server = tokio::spawn(serve(listener, places.clone(), submit, stopped));
    Stage { at, places, queries, stop, server }
}

/// Places as the bounds have them.
fn by_default(descriptors: u64, dice: &mut Dice) -> Arc<TcpPlaces> {
    let connections = connections_within(descriptors, bounds::TCP_CONNECTIONS_MAX);
    TcpPlaces::new(connections, bounds::TCP_IN_FLIGHT, bounds::TCP_IDLE, dice)
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
        Reply::Tcp(reply) => reply.send(message.to_vec()),
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
}

#[tokio::test]
async fn silence_idleness_and_dribbling_end_a_connection() {
    let mut stage = stage(10, 2).await;
    tokio::time::pause();
    let begun = Instant::now();
    let mut silent = TcpStream::connect(stage.at).await.unwrap();
    assert!(is_closed(&mut silent).await);
    assert!(begun.elapsed() <= bounds::TCP_FIRST_OCTET + Duration::from_secs(1), "{:?}", begun.elapsed());

    // The clock may jump only while nothing is on its way.
    tokio::time::resume();
    let mut idle = TcpStream::connect(stage.at).await.unwrap();
    idle.write_all(&framed(&[b"query"])).await.unwrap();
    answer(stage.queries.recv().await.unwrap().1, b"answer");
    assert_eq!(message(&mut idle).await, b"answer");
    tokio::time::pause();
    let begun = Instant::now();
    assert!(is_closed(&mut idle).await);
    assert!(begun.elapsed() <= bounds::TCP_IDLE + Duration::from_secs(1), "{:?}", begun.elapsed());

    let mut dribbling = TcpStream::connect(stage.at).await.unwrap();
    let begun = Instant::now();
    for octet in framed(&[&[0; 100]]) {
        if dribbling.write_all(&[octet]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(begun.elapsed() <= bounds::TCP_IDLE + Duration::from_secs(3), "{:?}", begun.elapsed());
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
    let mut stage = stage(10, 32).await;
    let mut client = TcpStream::connect(stage.at).await.unwrap();
    let answered = Arc::new(AtomicUsize::new(0));
    let count = answered.clone();
    let house = tokio::spawn(async move {
        while let Some((_, reply)) = stage.queries.recv().await {
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
    house.abort();
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
async fn connections_past_the_bound_are_refused_and_places_come_back() {
    let stage = stage(2, 8).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(TcpStream::connect(stage.at).await.unwrap());
    }
    let mut refused = TcpStream::connect(stage.at).await.unwrap();
    assert!(is_closed(&mut refused).await);
    assert_eq!(stage.places.taken(), 2);
    drop(held);
    while stage.places.taken() > 0 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn patience_shrinks_as_places_fill() {
    let mut dice = Dice::from_number(1);
    let places = TcpPlaces::new(10, 8, Duration::from_secs(10), &mut dice);
    assert_eq!(places.patience(), Duration::from_secs(10));
    let held: Vec<_> = (0..10).map(|host| places.take(IpAddr::from([192, 0, 2, host])).unwrap()).collect();
    assert_eq!(places.patience(), bounds::TCP_IDLE_FLOOR);
    drop(held);
    assert_eq!(places.taken(), 0);

    let places = by_default(1 << 20, &mut dice);
    let held: Vec<_> = (0..2_000).filter_map(|_| places.take(IpAddr::from([192, 0, 2, 1]))).collect();
    assert_eq!(held.len(), bounds::TCP_CONNECTIONS_PER_NETWORK);
    assert!(places.take(IpAddr::from([198, 51, 100, 1])).is_some());
}

#[test]
fn connections_take_half_of_the_descriptors_at_most() {
    let places = by_default(64, &mut Dice::from_number(1));
    let held: Vec<_> = (0..64).filter_map(|host| places.take(IpAddr::from([192, 0, host, 1]))).collect();
    assert_eq!(held.len(), 32);
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
