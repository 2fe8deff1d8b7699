//! EDNS(0): the OPT record of a message and its options (RFC 6891).

use std::time::Duration;

use super::Ede;
use super::subnet::{ClientSubnet, SubnetFault};

/// Option codes that Meridian reads or writes.
pub mod option {
    /// Name server identifier (RFC 5001).
    pub const NSID: u16 = 3;
    /// Client subnet (RFC 7871).
    pub const CLIENT_SUBNET: u16 = 8;
    /// DNS cookie (RFC 7873).
    pub const COOKIE: u16 = 10;
    /// TCP keepalive (RFC 7828).
    pub const TCP_KEEPALIVE: u16 = 11;
    /// Padding (RFC 7830).
    pub const PADDING: u16 = 12;
    /// Extended DNS Error (RFC 8914).
    pub const EDE: u16 = 15;
}

/// Octets of an OPT record without options: root, type, class, TTL and length (RFC 6891 §6.1.2).
pub const OPT_SIZE: usize = 11;

/// The keepalive option of a response: for how long the connection is kept while it is idle, in units of 100 ms rounded
/// down, so that the client never takes it for longer than it is; 0 asks the client to close it (RFC 7828 §3.1).
#[must_use]
pub fn keepalive(idle: Duration) -> (u16, Vec<u8>) {
    let units = u16::try_from(idle.as_millis() / 100).unwrap_or(u16::MAX);
    (option::TCP_KEEPALIVE, units.to_be_bytes().to_vec())
}

/// The OPT record of a message, without its extended RCODE (that is part of the message's RCODE).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Edns {
    /// The UDP payload size that the sender can take, octets, as it stands there; below 512 it means 512.
    pub udp_size: u16,
    /// The EDNS version; only 0 exists.
    pub version: u8,
    /// DO: DNSSEC records are wanted (RFC 3225).
    pub dnssec_ok: bool,
    /// The options in order: code and data.
    pub options: Vec<(u16, Vec<u8>)>,
}

impl Edns {
    /// The data of the first option with `code`.
    #[must_use]
    pub fn option(&self, code: u16) -> Option<&[u8]> {
        self.options.iter().find(|(found, _)| *found == code).map(|(_, data)| data.as_slice())
    }

    /// The cookie, if there is one of a lawful length: 8 octets of the client, then none or 8–32 of the server
    /// (RFC 7873 §4).
    ///
    /// # Errors
    /// [`BadCookie`] for any other length: the answer is FORMERR (RFC 7873 §5.2.2).
    pub fn cookie(&self) -> Result<Option<Cookie<'_>>, BadCookie> {
        let Some(data) = self.option(option::COOKIE) else { return Ok(None) };
        match (data.split_at_checked(8), data.len()) {
            (Some((client, server)), 8 | 16..=40) => Ok(Some(Cookie { client, server })),
            _ => Err(BadCookie),
        }
    }

    /// The client subnet, if there is one.
    ///
    /// # Errors
    /// [`SubnetFault`]: whoever heeds the option answers FORMERR (RFC 7871 §7.1.2).
    pub fn client_subnet(&self) -> Result<Option<ClientSubnet>, SubnetFault> {
        self.option(option::CLIENT_SUBNET).map(ClientSubnet::parse).transpose()
    }
}

/// A DNS cookie: the client's part, and the server's (empty when the client has none yet).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cookie<'a> {
    /// 8 octets.
    pub client: &'a [u8],
    /// 0 or 8–32 octets.
    pub server: &'a [u8],
}

/// A COOKIE option of unlawful length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadCookie;

impl Ede {
    /// The option's data: INFO-CODE, then EXTRA-TEXT (RFC 8914 §2).
    #[must_use]
    pub fn to_option(&self) -> (u16, Vec<u8>) {
        let mut data = self.code.number().to_be_bytes().to_vec();
        data.extend_from_slice(self.text.as_bytes());
        (option::EDE, data)
    }
}
