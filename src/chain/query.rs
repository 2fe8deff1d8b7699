//! A query and who asks it.

use std::net::{IpAddr, SocketAddr};

use crate::dns::edns::option;
use crate::dns::{Edns, Flags, Question};

/// How a query came and how its response goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Carrier {
    /// One datagram each way; what does not fit is truncated.
    Udp,
    /// A connection; responses of up to 65,535 octets.
    Tcp,
}

/// Where a query comes from and what its sender may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asker {
    /// The source address.
    pub address: SocketAddr,
    /// The address that was asked, if it is known.
    pub local: Option<IpAddr>,
    /// How the query came.
    pub carrier: Carrier,
    /// Whether the access list lets the sender have recursion; the gate decides it.
    pub may_recurse: bool,
    /// Which policy of names holds for the sender, 0 for none; the house decides it. What one group is told is not
    /// told to another.
    pub group: u8,
}

/// A parsed query with one question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// The id, to be echoed.
    pub id: u16,
    /// The flags as they came.
    pub flags: Flags,
    /// What is asked, letters as they came.
    pub question: Question,
    /// The OPT record, if there is one.
    pub edns: Option<Edns>,
    /// Who asks.
    pub asker: Asker,
}

impl Query {
    /// Whether the client asks for recursion and may have it: it is told what becomes of its question, not how to go on.
    #[must_use]
    pub const fn has_recursion(&self) -> bool {
        self.flags.recursion_desired && self.asker.may_recurse
    }

    /// DO: DNSSEC records are wanted.
    #[must_use]
    pub fn wants_dnssec(&self) -> bool {
        self.edns.as_ref().is_some_and(|edns| edns.dnssec_ok)
    }

    /// Whether the client wants to know how long its connection is kept.
    #[must_use]
    pub fn asks_keepalive(&self) -> bool {
        self.edns.as_ref().is_some_and(|edns| edns.option(option::TCP_KEEPALIVE).is_some())
    }
}
