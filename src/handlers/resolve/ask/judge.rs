//! What a response to an ask means for it: an end, another way to ask, or another server.

use std::sync::Arc;

use super::super::Transport;
use super::super::classify::{Finding, classify};
use super::super::trace::{What, describe};
use super::{Ask, Bench, Found, Outcome, Trouble};
use crate::base::tally::{Event, Timing};
use crate::dns::{Message, Rcode};

impl Ask {
    /// Takes a response to the attempt `at` that has passed every check.
    pub(super) fn judge(&mut self, at: usize, message: &Message, bench: &mut Bench<'_, '_>) -> Option<Outcome> {
        let now = bench.around.now;
        let attempt = self.attempts.get_mut(at)?;
        let (target_at, transport, with_edns) = (attempt.target, attempt.transport, attempt.with_edns);
        let was_over = attempt.is_over;
        attempt.is_over = true;
        attempt.hedge = None;
        let rtt = now.since(attempt.sent);
        bench.around.tally.time(Timing::Upstream, rtt, 1);
        let target = self.targets.get_mut(target_at)?;
        let server = target.address;
        if transport == Transport::Udp {
            bench.scoreboard.note_response(server, rtt, now);
        }
        let verdict = |bench: &mut Bench<'_, '_>, text: String| {
            bench.trace.note(now, || What::Judge { server: Some(server), verdict: text });
        };
        if message.flags.truncated && transport == Transport::Udp {
            verdict(bench, "truncated: asked again over TCP".into());
            if message.edns.is_some() {
                bench.scoreboard.note_edns(server, true, now);
            }
            return if target.tried_tcp { self.advance(bench) } else { self.send(target_at, Transport::Tcp, bench) };
        }
        match message.rcode {
            Rcode::NOERROR | Rcode::NXDOMAIN | Rcode::YXDOMAIN => {}
            Rcode::FORMERR | Rcode::NOTIMP | Rcode::BADVERS if with_edns && !target.without_edns => {
                verdict(bench, format!("{}: asked again without EDNS", message.rcode));
                target.without_edns = true;
                self.trouble = Trouble::Rcode(message.rcode);
                return self.send(target_at, transport, bench);
            }
            Rcode::BADCOOKIE if transport == Transport::Udp && !target.tried_tcp => {
                // The right cookie is known now; whom it does not please is asked over TCP (RFC 7873 §5.3).
                let next = if target.soft_failures == 0 { Transport::Udp } else { Transport::Tcp };
                target.soft_failures += 1;
                self.trouble = Trouble::Rcode(message.rcode);
                return self.send(target_at, next, bench);
            }
            rcode => {
                verdict(bench, rcode.to_string());
                target.soft_failures += 1;
                if rcode != Rcode::SERVFAIL {
                    target.is_spent = true;
                    bench.scoreboard.note_lame(server, &self.zone, now);
                }
                self.trouble = Trouble::Rcode(rcode);
                return if was_over { None } else { self.advance(bench) };
            }
        }
        if message.edns.is_some() {
            bench.scoreboard.note_edns(server, true, now);
        } else if target.without_edns {
            bench.scoreboard.note_edns(server, false, now);
        } else if !with_edns && target.tries > 1 {
            bench.scoreboard.note_edns_doubt(server, now);
        }
        match classify(message, &self.zone, &self.question, false, bench.around.tally) {
            Ok(Finding::Lame(why)) => {
                verdict(bench, format!("lame: {why}"));
                bench.around.tally.count(Event::UpstreamLame);
                bench.scoreboard.note_lame(server, &self.zone, now);
                target.is_spent = true;
                self.trouble = Trouble::Lame;
                if was_over { None } else { self.advance(bench) }
            }
            Ok(finding) => {
                verdict(bench, describe(&finding, message.rcode));
                Some(Ok(Found { finding: Arc::new(finding), server }))
            }
            Err(why) => {
                verdict(bench, why.into());
                bench.around.tally.count(Event::BoundRecords);
                target.is_spent = true;
                self.trouble = Trouble::Oversized;
                if was_over { None } else { self.advance(bench) }
            }
        }
    }
}
