//! The bytes of a query to an upstream.

use smallvec::SmallVec;

use super::Attempt;
use crate::base::{Dice, bounds};
use crate::dns::edns::option;
use crate::dns::{Name, Question};

/// The name with letters of random case (0x20): what comes back must be the same to the letter.
pub(super) fn random_case(name: &Name, dice: &mut Dice) -> Name {
    let mut wire: SmallVec<[u8; 64]> = SmallVec::from_slice(name.wire());
    let (mut bits, mut left) = (0u64, 0);
    for octet in &mut wire {
        if octet.is_ascii_alphabetic() {
            if left == 0 {
                (bits, left) = (dice.bits(), 64);
            }
            *octet = (*octet & !0x20) | if bits & 1 == 0 { 0x20 } else { 0 };
            (bits, left) = (bits >> 1, left - 1);
        }
    }
    Name::from_checked_wire(&wire)
}

/// The query's bytes. DO is always set: signatures are kept with their RRset for clients that want them.
pub(super) fn compose(attempt: &Attempt, question: &Question, server_cookie: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64 + attempt.name.wire().len());
    bytes.extend_from_slice(&attempt.id.to_be_bytes());
    bytes.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(attempt.with_edns)]);
    bytes.extend_from_slice(attempt.name.wire());
    bytes.extend_from_slice(&question.rtype.0.to_be_bytes());
    bytes.extend_from_slice(&question.class.0.to_be_bytes());
    if attempt.with_edns {
        bytes.extend_from_slice(&[0, 0, 41]);
        bytes.extend_from_slice(&bounds::UPSTREAM_UDP_SIZE.to_be_bytes());
        bytes.extend_from_slice(&[0, 0, 0x80, 0]);
        match attempt.cookie {
            Some(cookie) => {
                let length = (cookie.len() + server_cookie.len()) as u16;
                bytes.extend_from_slice(&(length + 4).to_be_bytes());
                bytes.extend_from_slice(&option::COOKIE.to_be_bytes());
                bytes.extend_from_slice(&length.to_be_bytes());
                bytes.extend_from_slice(&cookie);
                bytes.extend_from_slice(server_cookie);
            }
            None => bytes.extend_from_slice(&[0, 0]),
        }
    }
    bytes
}
