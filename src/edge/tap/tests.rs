use prost::Message as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use super::frames::{Control, control, expect};
use super::*;

const QUERY: &[u8] = &[0x12, 0x34, 0x01, 0x00, 0, 0, 0, 0, 0, 0, 0, 0];
const CLIENT: &str = "192.0.2.7:53000";

fn told(bytes: &[u8]) -> Told {
    Told {
        party: Party::Client,
        is_response: false,
        is_tcp: false,
        asker: Some(CLIENT.parse().unwrap()),
        asked: Some("192.0.2.1:53".parse().unwrap()),
        query_time: Duration::new(1_700_000_000, 5),
        response_time: None,
        bytes: bytes.to_vec(),
    }
}

fn open_with(peer: TapPeer, per_million: u32, tally: &Arc<Tally>) -> Tap {
    let all = vec![Party::Client, Party::Resolver];
    let settings = TapSettings { queries: all.clone(), responses: all, per_million };
    let mut dice = Dice::from_seed([7; 32]);
    Tap::open(peer, settings, (b"here".to_vec(), b"test".to_vec()), Arc::clone(tally), &mut dice)
}

fn open(path: &std::path::Path, tally: &Arc<Tally>) -> Tap {
    open_with(TapPeer::Socket(path.to_owned()), 1_000_000, tally)
}

/// Takes the next connection as a reader does, up to its first frame.
async fn accept(listener: &UnixListener) -> UnixStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    expect(&mut stream, Control::Ready).await.unwrap();
    stream.write_all(&control(Control::Accept)).await.unwrap();
    expect(&mut stream, Control::Start).await.unwrap();
    stream
}

async fn frame(stream: &mut UnixStream) -> message::Dnstap {
    let length = stream.read_u32().await.unwrap();
    assert_ne!(length, 0, "a control frame");
    let mut frame = vec![0; length as usize];
    stream.read_exact(&mut frame).await.unwrap();
    message::Dnstap::decode(frame.as_slice()).unwrap()
}

#[tokio::test]
async fn what_is_told_is_read_and_the_end_is_agreed_upon() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tap");
    let listener = UnixListener::bind(&path).unwrap();
    let (theirs, ours) = (Arc::new(Tally::default()), Tally::default());
    let tap = open(&path, &theirs);
    tap.tell(told(QUERY), &ours);
    let response = Told { is_response: true, response_time: Some(Duration::from_secs(1_700_000_001)), ..told(QUERY) };
    tap.tell(response, &ours);
    let mut stream = accept(&listener).await;
    let first = frame(&mut stream).await;
    assert_eq!((first.identity.as_deref(), first.version.as_deref()), (Some(&b"here"[..]), Some(&b"test"[..])));
    let first = first.message.unwrap();
    assert_eq!((first.kind(), first.query.as_deref()), (message::Kind::ClientQuery, Some(QUERY)));
    assert_eq!((first.query_address, first.query_port), (Some(vec![192, 0, 2, 7]), Some(53_000)));
    assert_eq!((first.query_seconds, first.query_nanos), (Some(1_700_000_000), Some(5)));
    let second = frame(&mut stream).await.message.unwrap();
    assert_eq!((second.kind(), second.response.as_deref()), (message::Kind::ClientResponse, Some(QUERY)));
    assert_eq!((second.response_seconds, second.query), (Some(1_700_000_001), None));
    let reader = async {
        expect(&mut stream, Control::Stop).await.unwrap();
        stream.write_all(&control(Control::Finish)).await.unwrap();
    };
    tokio::join!(tap.close(), reader);
    assert_eq!((theirs.read(Event::TapWritten), theirs.read(Event::TapDropped)), (2, 0));
    assert_eq!(tap.waiting.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_reader_that_comes_back_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tap");
    let (theirs, ours) = (Arc::new(Tally::default()), Tally::default());
    let tap = open(&path, &theirs);
    tap.tell(told(QUERY), &ours);
    let listener = UnixListener::bind(&path).unwrap();
    let mut stream = accept(&listener).await;
    frame(&mut stream).await;
    drop(stream);
    let mut stream = accept(&listener).await;
    tap.tell(told(QUERY), &ours);
    assert_eq!(frame(&mut stream).await.message.unwrap().kind(), message::Kind::ClientQuery);
}

#[tokio::test]
async fn nobody_waits_for_a_reader_and_what_is_lost_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (theirs, ours) = (Arc::new(Tally::default()), Tally::default());
    let tap = open(&folder.path().join("nobody"), &theirs);
    for _ in 0..bounds::TAP_MESSAGES + 3 {
        tap.tell(told(QUERY), &ours);
    }
    assert_eq!(ours.read(Event::TapDropped), 3);
    let large = vec![0; 65_535];
    let tap = open(&folder.path().join("nobody"), &theirs);
    let fit = bounds::TAP_BYTES / large.len();
    for _ in 0..fit + 2 {
        tap.tell(told(&large), &ours);
    }
    assert_eq!(ours.read(Event::TapDropped), 3 + 2);
    tap.close().await; // at once: there is nobody to wait for
}

#[tokio::test]
async fn another_reader_than_one_of_dnstap_is_not_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tap");
    let listener = UnixListener::bind(&path).unwrap();
    let _tap = open(&path, &Arc::default());
    let (mut stream, _) = listener.accept().await.unwrap();
    expect(&mut stream, Control::Ready).await.unwrap();
    let mut accept = control(Control::Accept);
    *accept.last_mut().unwrap() ^= 1;
    stream.write_all(&accept).await.unwrap();
    let mut rest = Vec::new();
    assert_eq!(stream.read_to_end(&mut rest).await.unwrap(), 0);
}

#[tokio::test]
async fn both_messages_of_an_exchange_are_told_or_none() {
    let tap = open_with(TapPeer::Tcp("127.0.0.1:9".parse().unwrap()), 100_000, &Arc::default());
    let client: SocketAddr = CLIENT.parse().unwrap();
    let mut count = 0;
    for id in 0..=u16::MAX {
        let is_told = tap.wants(Party::Client, false, client, id);
        assert_eq!(is_told, tap.wants(Party::Client, true, client, id));
        assert!(!tap.wants(Party::Auth, true, client, id));
        count += u32::from(is_told);
    }
    assert!((5_500..7_600).contains(&count), "{count} of 65,536 at 10 %");
}

#[tokio::test]
async fn no_first_octets_upset_the_reader_of_control_frames() {
    for length in 0..64_usize {
        let mut octets: Vec<u8> = (0..length).map(|at| if at < 7 { 0 } else { (at * 37) as u8 }).collect();
        if let Some(last) = octets.get_mut(7) {
            *last = length as u8;
        }
        assert!(expect(&mut octets.as_slice(), Control::Accept).await.is_err());
    }
}
