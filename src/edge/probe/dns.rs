//! One DNS query, and the RCODE that must come.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;

use super::{Finding, Probed, Target, addresses, blame, connect};
use crate::base::bounds;
use crate::dns::{Flags, Message, Name, Question, Rcode, RecordType};

/// What is asked and expected.
pub(super) struct Asking<'a> {
    pub(super) name: &'a Name,
    pub(super) rtype: RecordType,
    pub(super) rcode: Rcode,
    pub(super) id: u16,
}

pub(super) async fn probe(target: &Target, port: u16, asking: &Asking<'_>, is_tcp: bool) -> Probed<Finding> {
    let mut query = Vec::new();
    let message = Message {
        id: asking.id,
        // A recursive server would do nothing without it, an authoritative one does not mind.
        flags: Flags { recursion_desired: true, ..Flags::default() },
        questions: [Question::new(asking.name.clone(), asking.rtype)].into_iter().collect(),
        ..Message::default()
    };
    message.compose(&mut query, bounds::UDP_RESPONSE_FLOOR).map_err(|_| Finding::untold("the query is too long"))?;
    let response = if is_tcp { ask_tcp(target, port, &query).await? } else { ask_udp(target, port, &query).await? };
    match response.rcode {
        rcode if rcode == asking.rcode => Ok(Finding::good(rcode)),
        rcode => Ok(Finding::bad(rcode)),
    }
}

/// The response to `query` that `bytes` are; none if they are anything else.
fn response_to(query: &[u8], bytes: &[u8]) -> Option<Message> {
    let asked = Message::parse(query).ok()?;
    let response = Message::parse(bytes).ok()?;
    let repeats_question = response.questions.is_empty() || response.questions == asked.questions;
    (response.flags.response && response.id == asked.id && repeats_question).then_some(response)
}

async fn ask_udp(target: &Target, port: u16, query: &[u8]) -> Probed<Message> {
    let addresses = addresses(target, port).await?;
    let first = addresses.first().ok_or_else(|| Finding::untold("no address"))?;
    let any: std::net::IpAddr = if first.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let fault = |fault: io::Error| blame("no exchange", &fault, &addresses);
    let socket = UdpSocket::bind((any, 0)).await.map_err(fault)?;
    socket.connect(first).await.map_err(fault)?;
    socket.send(query).await.map_err(fault)?;
    let mut buffer = vec![0; bounds::UDP_QUERY_MAX];
    loop {
        let length = socket.recv(&mut buffer).await.map_err(fault)?;
        // Whatever else comes may be forged; the deadline ends the wait.
        if let Some(response) = response_to(query, buffer.get(..length).unwrap_or_default()) {
            return Ok(response);
        }
    }
}

async fn ask_tcp(target: &Target, port: u16, query: &[u8]) -> Probed<Message> {
    let broken = |fault: io::Error| Finding::bad(format_args!("no exchange: {fault}"));
    let mut stream = connect(target, port).await?;
    let mut framed = (query.len() as u16).to_be_bytes().to_vec();
    framed.extend_from_slice(query);
    stream.write_all(&framed).await.map_err(broken)?;
    let length = stream.read_u16().await.map_err(broken)?;
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes).await.map_err(broken)?;
    response_to(query, &bytes).ok_or_else(|| Finding::bad("the response does not belong to the query"))
}
