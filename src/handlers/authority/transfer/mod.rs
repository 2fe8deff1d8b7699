//! Zone transfers: giving our zones to secondaries and having others' zones from primaries.
//!
//! A [`Request`] comes in and is refused or answered by an [`Outgoing`], message by message from a snapshot of the
//! zone: whole (AXFR, RFC 5936) or as the steps that lead to it (IXFR, RFC 1995), which a [`History`] keeps. The
//! other way, a [`Secondary`] decides when which primary is asked for what (RFC 1035 §3.3.13, RFC 1996), and an
//! [`Incoming`] makes a zone of the messages, or nothing at all. Nothing here knows a socket or a clock.

pub mod catalog;
mod history;
mod incoming;
mod notify;
mod outgoing;
mod request;
mod secondary;
#[cfg(test)]
mod stream_tests;

pub use history::History;
pub use incoming::{Fault, Incoming, Progress};
pub use notify::{Notification, NotifyFault, Notifying, acknowledgement, compose_notify, soa_query, soa_serial};
pub use outgoing::{Content, Outgoing, Unsendable};
pub use request::{Request, plan};
pub use secondary::{Action, Secondary, Timers};

/// The zone's SOA record.
#[must_use]
pub fn soa_of_zone(zone: &super::Zone) -> Option<crate::dns::Record> {
    super::difference::soa_record(zone)
}

/// Whether the serial number `one` is newer than `two` (RFC 1982 §3.2); where the RFC leaves it open, it is not.
#[must_use]
pub const fn is_newer(one: u32, two: u32) -> bool {
    one != two && one.wrapping_sub(two) < 0x8000_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_go_round() {
        assert!(is_newer(2, 1) && !is_newer(1, 2) && !is_newer(1, 1));
        assert!(is_newer(0, u32::MAX) && is_newer(5, 0xFFFF_FFF0) && !is_newer(0xFFFF_FFF0, 5));
        assert!(is_newer(0x7FFF_FFFF, 0));
        assert!(!is_newer(0x8000_0000, 0) && !is_newer(0, 0x8000_0000));
    }
}
