//! What a frame holds: the parts of dnstap's protobuf schema that we fill in, with their field numbers there.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use prost::Message as _;

use super::{Party, Told};

/// `dnstap.Dnstap`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Dnstap {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(super) identity: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) version: Option<Vec<u8>>,
    #[prost(message, optional, tag = "14")]
    pub(super) message: Option<Message>,
    /// `MESSAGE` is 1, and there is no other.
    #[prost(int32, required, tag = "15")]
    pub(super) kind: i32,
}

/// `dnstap.Message`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Message {
    #[prost(enumeration = "Kind", required, tag = "1")]
    pub(super) kind: i32,
    /// `INET` is 1, `INET6` 2.
    #[prost(int32, optional, tag = "2")]
    pub(super) family: Option<i32>,
    /// `UDP` is 1, `TCP` 2.
    #[prost(int32, optional, tag = "3")]
    pub(super) protocol: Option<i32>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(super) query_address: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub(super) response_address: Option<Vec<u8>>,
    #[prost(uint32, optional, tag = "6")]
    pub(super) query_port: Option<u32>,
    #[prost(uint32, optional, tag = "7")]
    pub(super) response_port: Option<u32>,
    #[prost(uint64, optional, tag = "8")]
    pub(super) query_seconds: Option<u64>,
    #[prost(fixed32, optional, tag = "9")]
    pub(super) query_nanos: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "10")]
    pub(super) query: Option<Vec<u8>>,
    #[prost(uint64, optional, tag = "12")]
    pub(super) response_seconds: Option<u64>,
    #[prost(fixed32, optional, tag = "13")]
    pub(super) response_nanos: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "14")]
    pub(super) response: Option<Vec<u8>>,
}

/// `dnstap.Message.Type`, as far as we tell of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, prost::Enumeration)]
#[repr(i32)]
pub(super) enum Kind {
    AuthQuery = 1,
    AuthResponse = 2,
    ResolverQuery = 3,
    ResolverResponse = 4,
    ClientQuery = 5,
    ClientResponse = 6,
    UpdateQuery = 13,
    UpdateResponse = 14,
}

impl Kind {
    fn of(told: &Told) -> Self {
        const UPDATE: u8 = 5; // RFC 2136 §1.3
        let opcode = told.bytes.get(2).map_or(0, |bits| bits >> 3 & 0xF);
        match (told.party, told.is_response) {
            (Party::Client | Party::Auth, false) if opcode == UPDATE => Self::UpdateQuery,
            (Party::Client | Party::Auth, true) if opcode == UPDATE => Self::UpdateResponse,
            (Party::Client, false) => Self::ClientQuery,
            (Party::Client, true) => Self::ClientResponse,
            (Party::Auth, false) => Self::AuthQuery,
            (Party::Auth, true) => Self::AuthResponse,
            (Party::Resolver, false) => Self::ResolverQuery,
            (Party::Resolver, true) => Self::ResolverResponse,
        }
    }
}

/// Who we are, which stands in every frame; empty for nothing.
pub(super) struct Signature {
    pub(super) identity: Vec<u8>,
    pub(super) version: Vec<u8>,
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().into(),
        IpAddr::V6(address) => address.octets().into(),
    }
}

fn port(address: SocketAddr) -> Option<u32> {
    Some(u32::from(address.port())).filter(|port| *port != 0)
}

/// The frame that tells of `told`.
pub(super) fn encode(told: Told, signature: &Signature) -> Vec<u8> {
    let kind = Kind::of(&told);
    let Told { is_response, is_tcp, asker, asked, query_time, response_time, bytes, .. } = told;
    let time = |time: Option<Duration>| (time.map(|time| time.as_secs()), time.map(|time| time.subsec_nanos()));
    let (query_seconds, query_nanos) = time(Some(query_time));
    let (response_seconds, response_nanos) = time(response_time);
    let (query, response) = if is_response { (None, Some(bytes)) } else { (Some(bytes), None) };
    let message = Message {
        kind: kind.into(),
        family: asker.or(asked).map(|address| if address.is_ipv4() { 1 } else { 2 }),
        protocol: Some(if is_tcp { 2 } else { 1 }),
        query_address: asker.map(|address| octets(address.ip())),
        response_address: asked.map(|address| octets(address.ip())),
        query_port: asker.and_then(port),
        response_port: asked.and_then(port),
        query_seconds,
        query_nanos,
        query,
        response_seconds,
        response_nanos,
        response,
    };
    let text = |text: &[u8]| Some(text.to_vec()).filter(|text| !text.is_empty());
    let (identity, version) = (text(&signature.identity), text(&signature.version));
    Dnstap { identity, version, message: Some(message), kind: 1 }.encode_to_vec()
}
