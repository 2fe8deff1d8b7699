//! How long the responses of a batch took, at the price of one look at the clock for all of them: they leave together,
//! so the time until they do is each one's own. And how many queries never made it into one.

use crate::base::Instant;
use crate::base::tally::{Event, Tally, Timing};
use crate::edge::batch;
use crate::edge::listen::Listener;

/// A batch under way.
#[derive(Debug)]
pub struct Stopwatch {
    since: Instant,
    recalled: u64,
}

impl Stopwatch {
    /// A batch has come at `now`.
    #[must_use]
    pub fn start(tally: &Tally, now: Instant) -> Self {
        Self { since: now, recalled: tally.read(Event::Recalled) }
    }

    /// It has been sent at `now`, with so many responses; the tally tells how many of them were recalled.
    pub fn stop(self, tally: &Tally, now: Instant, responses: u64) {
        let took = now.since(self.since);
        let recalled = tally.read(Event::Recalled).wrapping_sub(self.recalled).min(responses);
        for (what, times) in [(Timing::Recalled, recalled), (Timing::Composed, responses - recalled)] {
            if times > 0 {
                tally.time(what, took, times);
            }
        }
    }
}

/// What each listener, by its door, had dropped when it was looked at last.
#[derive(Debug, Default)]
pub struct Drops(Vec<(usize, u32)>);

impl Drops {
    /// Counts what `listeners` have dropped since the last look. What was dropped before the first look at one may have
    /// been another process's.
    pub fn count(&mut self, listeners: &[Listener], tally: &Tally) {
        self.0.retain(|(door, _)| listeners.iter().any(|listener| listener.door == *door));
        for listener in listeners {
            let drops = batch::drops(listener);
            match self.0.iter_mut().find(|(door, _)| *door == listener.door) {
                Some((_, seen)) => {
                    let more = drops.wrapping_sub(std::mem::replace(seen, drops));
                    tally.add(Event::SocketDrops, u64::from(more));
                }
                None => self.0.push((listener.door, drops)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_batch_takes_all_its_responses_the_same_time() {
        let tally = Tally::default();
        tally.add(Event::Recalled, 7);
        let now = Instant::from_seconds(5);
        let watch = Stopwatch::start(&tally, now);
        tally.add(Event::Recalled, 3);
        watch.stop(&tally, now + Duration::from_micros(40), 5);
        let times = [Timing::Recalled, Timing::Composed].map(|what| tally.read_times(what));
        assert_eq!(times.map(|spread| spread.count()), [3, 2]);
        assert!((times[0].seconds() - 120e-6).abs() < 1e-12 && (times[1].seconds() - 80e-6).abs() < 1e-12);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_finds_a_full_buffer_is_counted_once() {
        let listeners = crate::edge::listen::bind_udp("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let (tally, mut drops) = (Tally::default(), Drops::default());
        drops.count(&listeners, &tally);
        assert_eq!(tally.read(Event::SocketDrops), 0);
        let mut sent = 0;
        while tally.read(Event::SocketDrops) == 0 {
            client.send_to(&[0; 1_200], listeners[0].address).unwrap();
            sent += 1;
            drops.count(&listeners, &tally);
            assert!(sent < 1_000_000, "a buffer has an end");
        }
        drops.count(&listeners, &tally);
        assert_eq!(tally.read(Event::SocketDrops), 1);
    }
}
