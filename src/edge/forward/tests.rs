use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;

use super::*;
use crate::chain::Carrier;
use crate::dns::{Ede, EdeCode, Flags, Message, Rcode, Record, RecordType};

/// An upstream on loopback that answers UDP and TCP as its script says: the messages to be sent for a query.
struct Server {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<()>>,
}

impl Server {
    async fn start(script: impl Fn(&Message, Carrier) -> Vec<Vec<u8>> + Send + Sync + 'static) -> Self {
        let (udp, tcp) = sockets().await;
        let (script, asked) = (Arc::new(script), Arc::new(AtomicUsize::new(0)));
        let address = udp.local_addr().unwrap();
        let (udp_script, udp_asked) = (Arc::clone(&script), Arc::clone(&asked));
        let over_udp = tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
                udp_asked.fetch_add(1, Ordering::Relaxed);
                for message in udp_script(&Message::parse(&buffer[..length]).unwrap(), Carrier::Udp) {
                    udp.send_to(&message, from).await.unwrap();
                }
            }
        });
        let tcp_asked = Arc::clone(&asked);
        // Every connection is closed after its first query: the next one finds it gone.
        let over_tcp = tokio::spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                let Ok(length) = stream.read_u16().await else { continue };
                let mut query = vec![0; usize::from(length)];
                stream.read_exact(&mut query).await.unwrap();
                tcp_asked.fetch_add(1, Ordering::Relaxed);
                for message in script(&Message::parse(&query).unwrap(), Carrier::Tcp) {
                    stream.write_u16(message.len() as u16).await.unwrap();
                    stream.write_all(&message).await.unwrap();
                }
            }
        });
        Self { address, asked, tasks: vec![over_udp, over_tcp] }
    }

    /// An upstream that never says anything.
    async fn dead() -> Self {
        Self::start(|_, _| Vec::new()).await
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        match TcpListener::bind(udp.local_addr().unwrap()).await {
            Ok(tcp) => return (udp, tcp),
            Err(fault) => assert_eq!(fault.kind(), io::ErrorKind::AddrInUse),
        }
    }
}

fn question() -> Question {
    Question::new("www.Example.".parse().unwrap(), RecordType::A)
}

fn response(query: &Message, rcode: Rcode) -> Message {
    let flags = Flags { response: true, recursion_available: true, ..query.flags };
    Message { flags, rcode, answer: Vec::new(), ..query.clone() }
}

/// 192.0.2.`last` in answer to `query`.
fn answer(query: &Message, last: u8) -> Message {
    let question = &query.questions[0];
    let rdata = [192, 0, 2, last].as_slice().into();
    let record = Record { owner: question.name.clone(), rtype: RecordType::A, class: question.class, ttl: 60, rdata };
    Message { answer: vec![record], ..response(query, Rcode::NOERROR) }
}

fn bytes(message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    message.compose(&mut out, bounds::MESSAGE_MAX).unwrap();
    out
}

/// Asks and reads the response.
async fn ask(upstreams: &[&Server]) -> Result<Message, ForwardFault> {
    ask_within(upstreams, Duration::from_secs(5)).await
}

async fn ask_within(upstreams: &[&Server], within: Duration) -> Result<Message, ForwardFault> {
    let addresses: Vec<SocketAddr> = upstreams.iter().map(|server| server.address).collect();
    let response = Forwarder::new(addresses, true).forward(&question(), (true, true), &[], within).await?.bytes;
    Ok(Message::parse(&response).unwrap())
}

#[tokio::test]
async fn an_answer_comes_whole_and_with_the_letters_asked() {
    let server = Server::start(|query, _| {
        assert!(query.flags.recursion_desired && query.flags.checking_disabled && !query.flags.response);
        let edns = query.edns.as_ref().unwrap();
        assert_eq!((edns.udp_size, edns.dnssec_ok), (bounds::UPSTREAM_UDP_SIZE, true));
        vec![bytes(&answer(query, 1))]
    })
    .await;
    let response = ask(&[&server]).await.unwrap();
    assert!(response.questions[0].name.is_same_case(&question().name));
    assert!(response.answer[0].owner.is_same_case(&question().name));
    assert_eq!(response.answer[0].rdata.as_slice(), [192, 0, 2, 1]);
}

#[tokio::test]
async fn nxdomain_keeps_its_soa() {
    let server = Server::start(|query, _| {
        let mut rdata = b"\x02ns\x07example\0\x04root\x07example\0".to_vec();
        rdata.extend_from_slice(&[0, 0, 0, 9].repeat(5));
        let (owner, class) = ("example.".parse().unwrap(), query.questions[0].class);
        let soa = Record { owner, rtype: RecordType::SOA, class, ttl: 900, rdata: rdata.into() };
        vec![bytes(&Message { authority: vec![soa], ..response(query, Rcode::NXDOMAIN) })]
    })
    .await;
    let response = ask(&[&server]).await.unwrap();
    assert_eq!(response.rcode, Rcode::NXDOMAIN);
    assert_eq!((response.authority[0].rtype, response.authority[0].ttl), (RecordType::SOA, 900));
}

#[tokio::test]
async fn a_truncated_response_is_fetched_over_tcp() {
    let server = Server::start(|query, carrier| match carrier {
        Carrier::Udp => {
            let mut cut = response(query, Rcode::NOERROR);
            cut.flags.truncated = true;
            vec![bytes(&cut)]
        }
        Carrier::Tcp => vec![bytes(&answer(query, 2))],
    })
    .await;
    assert_eq!(ask(&[&server]).await.unwrap().answer.len(), 1);
}

#[tokio::test]
async fn a_connection_that_the_upstream_closed_is_made_anew() {
    let server = Server::start(|query, carrier| {
        let mut response = answer(query, 2);
        response.flags.truncated = carrier == Carrier::Udp;
        vec![bytes(&response)]
    })
    .await;
    let forwarder = Forwarder::new([server.address], true);
    for _ in 0..3 {
        let response = forwarder.forward(&question(), (false, false), &[], Duration::from_secs(5)).await.unwrap().bytes;
        assert!(!Message::parse(&response).unwrap().flags.truncated);
    }
}

#[tokio::test]
async fn who_is_to_be_avoided_is_asked_only_where_nobody_else_answers() {
    let (first, second) = (
        Server::start(|query, _| vec![bytes(&answer(query, 1))]).await,
        Server::start(|query, _| vec![bytes(&answer(query, 2))]).await,
    );
    let forwarder = Forwarder::new([first.address, second.address], true);
    let within = Duration::from_secs(5);
    for (avoided, expected) in [
        (vec![], &first),
        (vec![first.address], &second),
        (vec![second.address], &first),
        (vec![first.address, second.address], &first),
    ] {
        let answered = forwarder.forward(&question(), (true, true), &avoided, within).await.unwrap();
        assert_eq!(answered.by, Some(expected.address), "{avoided:?}");
    }
    let dead = Server::dead().await;
    let forwarder = Forwarder::new([first.address, dead.address], true);
    let answered = forwarder.forward(&question(), (true, true), &[first.address], within).await.unwrap();
    assert_eq!(answered.by, Some(first.address));
}

#[tokio::test]
async fn the_second_upstream_answers_for_a_dead_first() {
    let (dead, alive) = (Server::dead().await, Server::start(|query, _| vec![bytes(&answer(query, 3))]).await);
    let begun = Moment::now();
    assert_eq!(ask(&[&dead, &alive]).await.unwrap().answer.len(), 1);
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(dead.asked() >= 1);
}

#[tokio::test]
async fn a_slow_first_upstream_may_still_win() {
    // The second is asked when the first is late, and is dead; the first answers its repeated query.
    let asked = AtomicUsize::new(0);
    let slow = Server::start(move |query, _| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => Vec::new(),
        _ => vec![bytes(&answer(query, 4))],
    })
    .await;
    assert_eq!(ask(&[&slow, &Server::dead().await]).await.unwrap().answer.len(), 1);
}

#[tokio::test]
async fn dead_upstreams_are_a_fault_at_the_deadline() {
    let (one, other) = (Server::dead().await, Server::dead().await);
    let begun = Moment::now();
    let fault = ask_within(&[&one, &other], Duration::from_millis(600)).await.unwrap_err();
    assert_eq!(fault, ForwardFault::Timeout);
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(one.asked() >= 1 && other.asked() >= 1);
}

#[tokio::test]
async fn garbage_before_the_answer_is_ignored() {
    let server = Server::start(|query, _| {
        let mut wrong_id = answer(query, 66);
        wrong_id.id ^= 1;
        let mut wrong_question = answer(query, 66);
        wrong_question.questions[0].name = "other.example.".parse().unwrap();
        vec![vec![], vec![0xFF], vec![0xFF; 100], bytes(&wrong_id), bytes(&wrong_question), bytes(&answer(query, 5))]
    })
    .await;
    assert_eq!(ask(&[&server]).await.unwrap().answer[0].rdata.as_slice(), [192, 0, 2, 5]);
}

#[tokio::test]
async fn a_response_that_is_no_message_is_fetched_over_tcp() {
    let server = Server::start(|query, carrier| match carrier {
        Carrier::Udp => vec![[&query.id.to_be_bytes()[..], &[0xFF; 40]].concat()],
        Carrier::Tcp => vec![bytes(&answer(query, 6))],
    })
    .await;
    assert_eq!(ask(&[&server]).await.unwrap().answer.len(), 1);
}

#[tokio::test]
async fn other_letters_than_asked_are_fetched_over_tcp() {
    let server = Server::start(|query, carrier| {
        let mut response = answer(query, if carrier == Carrier::Udp { 66 } else { 7 });
        if carrier == Carrier::Udp {
            let name = &mut response.questions[0].name;
            let text = name.to_string();
            let flipped: String = text
                .chars()
                .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
                .collect();
            *name = flipped.parse().unwrap();
        }
        vec![bytes(&response)]
    })
    .await;
    assert_eq!(ask(&[&server]).await.unwrap().answer[0].rdata.as_slice(), [192, 0, 2, 7]);
}

#[tokio::test]
async fn the_next_upstream_is_asked_at_once_after_servfail_or_refused() {
    for rcode in [Rcode::SERVFAIL, Rcode::REFUSED] {
        let bad = Server::start(move |query, _| vec![bytes(&response(query, rcode))]).await;
        let good = Server::start(|query, _| vec![bytes(&answer(query, 8))]).await;
        let begun = Moment::now();
        assert_eq!(ask(&[&bad, &good]).await.unwrap().answer.len(), 1);
        assert!(begun.elapsed() < bounds::RTO_INITIAL);
    }
}

#[tokio::test]
async fn an_upstream_that_declined_what_another_answered_is_avoided() {
    let bad = Server::start(|query, _| vec![bytes(&response(query, Rcode::SERVFAIL))]).await;
    let good = Server::start(|query, _| vec![bytes(&answer(query, 8))]).await;
    let forwarder = Forwarder::new([bad.address, good.address], true);
    for _ in 0..5 {
        forwarder.forward(&question(), (false, false), &[], Duration::from_secs(5)).await.unwrap();
    }
    assert_eq!((bad.asked(), good.asked()), (1, 5));
}

#[tokio::test]
async fn a_servfail_of_all_comes_back_with_its_ede() {
    let bogus = |query: &Message, _| {
        let mut failed = response(query, Rcode::SERVFAIL);
        let ede = Ede::new(EdeCode::InvalidData, "broken");
        failed.edns.as_mut().unwrap().options = vec![ede.to_option()];
        vec![bytes(&failed)]
    };
    let response = ask(&[&Server::start(bogus).await, &Server::start(bogus).await]).await.unwrap();
    assert_eq!(response.rcode, Rcode::SERVFAIL);
    assert_eq!(response.edns.unwrap().options[0], Ede::new(EdeCode::InvalidData, "broken").to_option());
}

#[tokio::test]
async fn an_upstream_without_edns_is_asked_without() {
    let server = Server::start(|query, _| {
        let reply = if query.edns.is_some() { response(query, Rcode::FORMERR) } else { answer(query, 9) };
        vec![bytes(&Message { edns: None, ..reply })]
    })
    .await;
    assert_eq!(ask(&[&server]).await.unwrap().rcode, Rcode::NOERROR);
}

#[tokio::test]
async fn an_answer_to_another_question_over_tcp_is_a_fault() {
    let server = Server::start(|query, carrier| {
        let mut response = answer(query, 66);
        response.flags.truncated = carrier == Carrier::Udp;
        if carrier == Carrier::Tcp {
            response.questions[0].name = "other.example.".parse().unwrap();
        }
        vec![bytes(&response)]
    })
    .await;
    assert!(matches!(ask(&[&server]).await, Err(ForwardFault::Unusable(_))));
}

#[tokio::test]
async fn without_upstreams_there_is_a_fault_of_its_own() {
    assert_eq!(ask(&[]).await.unwrap_err(), ForwardFault::NoUpstream);
}

#[tokio::test]
async fn an_upstream_named_with_tcp_sees_no_datagram() {
    let server = Server::start(|query, carrier| {
        assert_eq!(carrier, Carrier::Tcp);
        vec![bytes(&answer(query, 1))]
    })
    .await;
    let forwarder = Forwarder::new([Target { address: server.address, is_tcp_only: true }], true);
    let response = forwarder.forward(&question(), (true, false), &[], Duration::from_secs(5)).await.unwrap().bytes;
    assert_eq!(Message::parse(&response).unwrap().answer.len(), 1);
    assert_eq!(server.asked(), 1);
}
