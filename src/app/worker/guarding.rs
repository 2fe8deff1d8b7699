//! The gate in a worker's turn: who is let in, with which cookie, and which responses leave.
//!
//! Before a query is parsed it is counted by the limits of queries; when its response is known, by those of
//! responses. Where either says no, the client is told in brief to come again, over TCP or with a cookie, now and
//! then; mostly it is told nothing.

use std::net::IpAddr;

use super::crowd::Client;
use super::{Next, Worker};
use crate::base::Instant;
use crate::base::tally::Event;
use crate::chain::{Asker, Carrier, Extras};
use crate::dns::Rcode;
use crate::dns::cookie::{Examined, WholeCookie};
use crate::dns::wire::glance::opt_of;
use crate::dns::wire::{BriefOpt, Glance, cut_short, glance};
use crate::handlers::gate::Release;

/// What a query says of its sender beside the question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// The address that it was sent from; one of IPv4 mapped into IPv6 is one of IPv4.
    pub(super) address: IpAddr,
    /// DO, if there is an OPT record.
    opt: Option<bool>,
    /// The cookie, if there is one and we use them.
    cookie: Option<Examined>,
    /// Octets of the query.
    length: usize,
}

impl Standing {
    /// What the response's cookie option holds.
    pub(super) fn reply_cookie(&self) -> Option<&WholeCookie> {
        self.cookie.as_ref().map(|cookie| &cookie.reply)
    }

    /// The client, as the crowd counts it.
    pub(super) fn client(&self, asker: &Asker) -> Client {
        let address = asker.address.ip();
        // Nobody outside can send from a loopback address: the system drops what says so.
        let is_proven = self.proves(asker) || address.is_loopback();
        Client { address, is_proven }
    }

    fn proves(&self, asker: &Asker) -> bool {
        asker.carrier == Carrier::Tcp || self.has_valid_cookie()
    }

    fn has_valid_cookie(&self) -> bool {
        self.cookie.as_ref().is_some_and(|cookie| cookie.is_valid)
    }
}

impl<R> Worker<R> {
    /// Tells the time of day at `now`, in seconds since 1970, which cookies are made with. To be told again now and
    /// then, as the machine's clock may be set.
    pub fn tell_wall(&mut self, now: Instant, wall_seconds: u64) {
        self.wall_ahead = wall_seconds.wrapping_sub(now.seconds());
    }

    /// What a response says of us and its client beside the answer.
    pub(super) fn extras<'a>(&'a self, standing: &'a Standing) -> Extras<'a> {
        let (cookie, idle) = (standing.reply_cookie(), Some(self.house.patience.read()));
        Extras { nsid: &self.house.nsid, cookie, rotates: self.house.manner.rotates, idle }
    }

    /// What a datagram is at first sight.
    #[must_use]
    pub fn glance(&self, datagram: &[u8]) -> Glance {
        glance(datagram, self.finished.keyed())
    }

    /// Fetches what the answers to a whole batch will be made of, before the first of it is answered. Of each query the
    /// glance, the datagram and who sent it.
    pub fn foresee<'a>(&self, queries: impl Iterator<Item = (&'a Glance, (&'a [u8], IpAddr))> + Clone) {
        std::hint::black_box(self.finished.foresee(queries));
    }

    /// What a query says of its sender beside the question.
    pub(super) fn look(&self, glance: &Glance, datagram: &[u8], asker: &Asker, now: Instant) -> Standing {
        let (opt, cookie) = match glance {
            Glance::Plain(glanced) => (glanced.udp_size.map(|_| glanced.dnssec_ok), glanced.cookie(datagram)),
            Glance::Unsure => opt_of(datagram).map_or((None, None), |(dnssec_ok, cookie)| (Some(dnssec_ok), cookie)),
            Glance::Silence(_) => (None, None),
        };
        let wall = now.seconds().wrapping_add(self.wall_ahead) as u32;
        let address = asker.address.ip().to_canonical();
        let cookie = cookie.and_then(|data| self.house.cookies.examine(data, address, wall));
        Standing { address, opt, cookie, length: datagram.len() }
    }

    /// Counts a query, before it is parsed; what becomes of it, if that is settled here.
    pub(super) fn admit(
        &mut self,
        datagram: &[u8],
        asker: &Asker,
        standing: &Standing,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Option<Next> {
        let address = standing.address;
        if self.house.limits.is_denied(address) {
            self.tally.count(Event::SilenceDenied);
            return Some(Next::Silence);
        }
        if let Some(cookie) = standing.cookie.as_ref().filter(|cookie| cookie.is_complete) {
            self.tally.count(if cookie.is_valid { Event::CookiesValid } else { Event::CookiesInvalid });
        }
        let is_proven = standing.proves(asker);
        let admission = self.house.limits.admit(address, is_proven, now);
        if admission.would_be_refused {
            self.tally.count(Event::QueriesWouldBeLimited);
        }
        let slip = admission.refused?;
        self.tally.count(Event::QueriesLimited);
        out.clear();
        out.extend_from_slice(datagram);
        Some(match asker.carrier {
            Carrier::Udp => self.slip(standing, slip, out),
            // A connection has nowhere else to go, and waits until it is told so.
            Carrier::Tcp if cut(Rcode::REFUSED, false, standing, out) => {
                self.count_response(Rcode::REFUSED);
                Next::Respond
            }
            Carrier::Tcp => self.keep_silent(out),
        })
    }

    /// Counts the response in `out`, about `account` and with `rcode`; it is sent unless it is one too many.
    pub(super) fn release(
        &mut self,
        asker: &Asker,
        standing: &Standing,
        (account, rcode): (u64, Rcode),
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Next {
        match self.house.limits.release(asker, standing.has_valid_cookie(), account, now) {
            Release::Sent => {}
            Release::WouldBeKept => self.tally.count(Event::ResponsesWouldBeLimited),
            Release::Kept { slip } => {
                self.tally.count(Event::ResponsesLimited);
                return self.slip(standing, slip, out);
            }
        }
        self.count_response(rcode);
        Next::Respond
    }

    /// Says whether queries come in faster than they are answered. What is owed to nobody is left out then.
    pub fn press(&mut self, is_pressed: bool) {
        self.is_pressed = is_pressed;
    }

    /// Answers one in `slip` limited clients over UDP, whose query or response stands in `out`: those with a cookie,
    /// but not ours, by the one to come back with (RFC 7873 §5.2.3), others by TC=1. None while queries pile up: the
    /// time goes to those who are within their limits.
    fn slip(&mut self, standing: &Standing, slip: u32, out: &mut Vec<u8>) -> Next {
        // By chance, so that nobody can arrange for the others to be those who get nothing.
        if self.is_pressed || slip == 0 || self.dice.below(u64::from(slip)) != 0 {
            return self.keep_silent(out);
        }
        let is_stranger = standing.cookie.is_some_and(|cookie| !cookie.is_valid);
        let (rcode, event) =
            if is_stranger { (Rcode::BADCOOKIE, Event::BadCookies) } else { (Rcode::NOERROR, Event::Slipped) };
        let is_brief = cut(rcode, !is_stranger, standing, out);
        // A cookie is longer than the half that asks for it. It is sent so much less often: on the whole nobody whose
        // address was forged gets more octets than were sent in its name.
        if !is_brief || self.dice.below(out.len() as u64) >= standing.length as u64 {
            return self.keep_silent(out);
        }
        self.tally.count(event);
        self.count_response(rcode);
        Next::Respond
    }

    fn keep_silent(&self, out: &mut Vec<u8>) -> Next {
        out.clear();
        self.tally.count(Event::SilenceLimited);
        Next::Silence
    }
}

/// Makes of the query or response in `out` the brief response without records; false if it has no single question.
fn cut(rcode: Rcode, is_truncated: bool, standing: &Standing, out: &mut Vec<u8>) -> bool {
    let opt = standing.opt.map(|dnssec_ok| BriefOpt { dnssec_ok, cookie: standing.reply_cookie().copied() });
    cut_short(out, rcode, is_truncated, opt)
}
