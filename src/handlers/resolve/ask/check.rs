//! Whether what came for an attempt is a response to it: id, question, letters, cookie, form.

use super::{Ask, Attempt, Bench, NEAR_MISSES_MAX};
use crate::base::bounds;
use crate::dns::{Message, Rcode};
use crate::handlers::resolve::Transport;
use crate::handlers::resolve::scoreboard::Score;

/// What a datagram or message is to the attempt that it came for.
pub(super) enum Checked {
    Junk,
    /// With the right id.
    Unreadable,
    NearMiss,
    Genuine(Box<Message>),
}

impl Ask {
    pub(super) fn check(&self, at: usize, bytes: &[u8], bench: &mut Bench<'_, '_>) -> Checked {
        let Some(attempt) = self.attempts.get(at) else { return Checked::Junk };
        let Some((id, rest)) = bytes.split_first_chunk::<2>() else { return Checked::Junk };
        if rest.first().is_none_or(|flags| flags & 0xF8 != 0x80) {
            return Checked::Junk; // QR=0, or another opcode
        }
        if u16::from_be_bytes(*id) != attempt.id {
            return Checked::NearMiss;
        }
        if attempt.near_misses > NEAR_MISSES_MAX && attempt.transport == Transport::Udp {
            return Checked::Junk;
        }
        let Ok(message) = Message::parse_within(bytes, bounds::SECTION_RECORDS_READ) else {
            // A truncated response may end anywhere (RFC 2181 §9).
            return match bytes.get(2) {
                Some(flags) if flags & 0x02 != 0 => Checked::Genuine(Box::new(Message {
                    flags: crate::dns::Flags { response: true, truncated: true, ..Default::default() },
                    ..Message::default()
                })),
                _ => Checked::Unreadable,
            };
        };
        match message.questions.as_slice() {
            // Servers that do not understand a query may send back a bare header.
            [] if !matches!(message.rcode, Rcode::NOERROR | Rcode::NXDOMAIN) || message.flags.truncated => {}
            [asked]
                if asked.name == attempt.name
                    && asked.rtype == self.question.rtype
                    && asked.class == self.question.class =>
            {
                if !asked.name.is_same_case(&attempt.name) && attempt.transport == Transport::Udp {
                    return Checked::NearMiss;
                }
                if attempt.transport == Transport::Tcp
                    && let Some(target) = self.targets.get(attempt.target)
                    && !asked.name.is_same_case(&attempt.name)
                {
                    bench.scoreboard.note_letter_case(target.address, false, bench.around.now);
                }
            }
            _ => return Checked::NearMiss,
        }
        if !self.check_cookie(attempt, &message, bench) {
            return Checked::NearMiss;
        }
        Checked::Genuine(Box::new(message))
    }

    /// Whether the response's cookie is ours, where the server is known to send one (RFC 7873 §5.3).
    fn check_cookie(&self, attempt: &Attempt, message: &Message, bench: &mut Bench<'_, '_>) -> bool {
        let (Some(ours), Some(target)) = (attempt.cookie, self.targets.get(attempt.target)) else { return true };
        let now = bench.around.now;
        match message.edns.as_ref().and_then(|edns| edns.cookie().ok().flatten()) {
            Some(cookie) if cookie.client != ours => false,
            Some(cookie) if cookie.server.is_empty() => true,
            Some(cookie) => {
                bench.scoreboard.note_cookie(target.address, Some(cookie.server), now);
                true
            }
            // Cut short, it may have lost the cookie too; what is believed of it is that TCP is to be asked.
            None if message.flags.truncated => true,
            None => {
                let is_known = bench.scoreboard.score(target.address).is_some_and(Score::is_known_for_cookies);
                if is_known && attempt.transport == Transport::Udp {
                    return false;
                }
                bench.scoreboard.note_cookie(target.address, None, now);
                true
            }
        }
    }
}
