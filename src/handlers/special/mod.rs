//! Special-use names: answered here, never sent out (RFC 6761, RFC 6303 and their successors).
//!
//! A question comes in that the hosts file could not answer (so a hosts file may name the
//! machines of 10.0.0.0/8 although that reverse zone is empty here). If its name lies in a special-use zone the
//! answer leaves from that zone: loopback for `localhost.`, the empty zone of RFC 6303 §3 for private reverse
//! space and for names that are not in the DNS. All else passes; `example.` and `ipv4only.arpa.` are ordinary to
//! a resolver (RFC 6761 §6.5, RFC 8880 §7.1).
//!
//! `local.` gets the NXDOMAIN that RFC 6762 §22.1 asks for: multicast names never reach the root servers. A site
//! that has such a zone by unicast configures where it is served.
//!
//! What is configured under `forward` or `stub` wins: a zone at or above a special one switches that off, save
//! the root (to forward everything is no reason to leak these names), and a zone inside one is left alone while
//! the rest of the special zone stays. Names above those that another link has, as a cluster has addresses, are NODATA.

mod zones;

use std::collections::BTreeMap;

use self::zones::Zone;
use crate::chain::{Handler, Query, Stakes, Turn, Verdict};
use crate::dns::Name;

/// The link that answers for special-use names.
#[derive(Clone, Debug)]
pub struct Special {
    /// By apex, in canonical order; none lies within another.
    zones: BTreeMap<Name, Zone>,
    /// Configured zones inside special ones.
    open: Vec<Name>,
    stakes: Stakes,
}

impl Special {
    /// All special-use zones but those that `exempted` (the zones under `forward` and `stub`) concerns.
    #[must_use]
    pub fn new(exempted: &[Name]) -> Self {
        let is_switched_off =
            |zone: &Zone| exempted.iter().any(|exempt| !exempt.is_root() && zone.apex.is_within(exempt));
        let zones: BTreeMap<Name, Zone> =
            zones::all().filter(|zone| !is_switched_off(zone)).map(|zone| (zone.apex.clone(), zone)).collect();
        let is_inside = |name: &&Name| zones.keys().any(|apex| name.is_below(apex));
        let open = exempted.iter().filter(is_inside).cloned().collect();
        Self { zones, open, stakes: Stakes::default() }
    }

    /// The same beside links with `stakes` in names that are denied here.
    #[must_use]
    pub fn with_stakes(self, stakes: Stakes) -> Self {
        Self { stakes, ..self }
    }

    /// The zones answered here.
    pub fn apexes(&self) -> impl Iterator<Item = &Name> {
        self.zones.keys()
    }

    /// The special-use zone in which `name` lies.
    fn zone_of(&self, name: &Name) -> Option<&Zone> {
        // In canonical order a zone's names follow its apex, and no zone lies within another.
        let (apex, zone) = self.zones.range(..=name).next_back()?;
        name.is_within(apex).then_some(zone)
    }
}

impl Special {
    /// Whether `name` is answered here and nowhere else.
    #[must_use]
    pub fn owns(&self, name: &Name) -> bool {
        self.zone_of(name).is_some() && !self.open.iter().any(|open| name.is_within(open))
    }
}

impl Handler for Special {
    fn name(&self) -> &'static str {
        "special"
    }

    fn handle(&self, query: &Query, _: &mut Turn<'_>) -> Verdict {
        let name = &query.question.name;
        match self.zone_of(name) {
            Some(zone) if !self.open.iter().any(|open| name.is_within(open)) => {
                zone.answer(&query.question, &self.open, (self.stakes.0)(name))
            }
            _ => Verdict::Pass,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::chain::{Answer, Stake};
    use crate::dns::{Rcode, RecordType};
    use crate::handlers::testing::{Ask, answer, records};

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn special() -> Special {
        Special::new(&[])
    }

    fn ask(qname: &str, rtype: &str) -> Answer {
        answer(Ask::new(qname, rtype).of(&special()))
    }

    fn denied_by(answer: &Answer) -> (Rcode, Name) {
        assert!(answer.answer.is_empty() && answer.authoritative);
        assert_eq!(answer.authority.len(), 1);
        assert_eq!(answer.authority[0].set.rtype, RecordType::SOA);
        (answer.rcode, answer.authority[0].set.owner.clone())
    }

    #[test]
    fn localhost_and_all_below_it_are_loopback() {
        for qname in ["localhost.", "LOCALHOST.", "a.b.localhost."] {
            assert_eq!(records(&ask(qname, "A")), [(name(qname), "A".to_owned(), vec![127, 0, 0, 1])]);
            assert_eq!(records(&ask(qname, "AAAA"))[0].2, std::net::Ipv6Addr::LOCALHOST.octets());
            for rtype in ["MX", "NS", "SOA", "DS", "HTTPS"] {
                assert_eq!(denied_by(&ask(qname, rtype)), (Rcode::NOERROR, name("localhost.")));
            }
        }
    }

    #[test]
    fn the_reverse_of_loopback_is_localhost() {
        let reverse6 = format!("1.{}ip6.arpa.", "0.".repeat(31));
        for qname in ["1.0.0.127.in-addr.arpa.", &reverse6] {
            assert_eq!(records(&ask(qname, "PTR")), [(name(qname), "PTR".to_owned(), b"\x09localhost\0".to_vec())]);
            assert_eq!(denied_by(&ask(qname, "TXT")).0, Rcode::NOERROR);
        }
        assert_eq!(denied_by(&ask("2.0.0.127.in-addr.arpa.", "PTR")), (Rcode::NXDOMAIN, name("127.in-addr.arpa.")));
    }

    #[test]
    fn empty_non_terminals_above_a_pointer_are_nodata() {
        for qname in ["127.in-addr.arpa.", "0.127.in-addr.arpa.", "0.0.127.in-addr.arpa."] {
            assert_eq!(denied_by(&ask(qname, "PTR")), (Rcode::NOERROR, name("127.in-addr.arpa.")), "{qname}");
        }
    }

    #[test]
    fn names_above_those_of_another_link_are_nodata_and_not_for_long() {
        let stakes = Stakes(Arc::new(|asked| {
            let has_below = name("7.3.2.10.in-addr.arpa.").is_within(asked);
            asked.is_within(&name("2.10.in-addr.arpa.")).then_some(Stake { has_below, ttl: 5 })
        }));
        let special = special().with_stakes(stakes);
        let ask = |qname: &str| answer(Ask::new(qname, "PTR").of(&special));
        for (qname, rcode, ttl) in [
            ("2.10.in-addr.arpa.", Rcode::NOERROR, 5),
            ("3.2.10.in-addr.arpa.", Rcode::NOERROR, 5),
            ("8.3.2.10.in-addr.arpa.", Rcode::NXDOMAIN, 5),
            ("4.2.10.in-addr.arpa.", Rcode::NXDOMAIN, 5),
            ("3.10.in-addr.arpa.", Rcode::NXDOMAIN, zones::TTL),
        ] {
            let denied = ask(qname);
            assert_eq!(denied_by(&denied), (rcode, name("10.in-addr.arpa.")), "{qname}");
            assert_eq!(denied.authority[0].ttl, ttl, "{qname}");
        }
    }

    #[test]
    fn every_private_address_reads_nxdomain_in_reverse() {
        for (qname, apex) in [
            ("1.2.3.10.in-addr.arpa.", "10.in-addr.arpa."),
            ("1.2.16.172.in-addr.arpa.", "16.172.in-addr.arpa."),
            ("1.2.31.172.in-addr.arpa.", "31.172.in-addr.arpa."),
            ("1.2.168.192.in-addr.arpa.", "168.192.in-addr.arpa."),
            ("1.2.254.169.in-addr.arpa.", "254.169.in-addr.arpa."),
            ("1.2.64.100.in-addr.arpa.", "64.100.in-addr.arpa."),
            ("1.2.127.100.in-addr.arpa.", "127.100.in-addr.arpa."),
            ("1.2.0.192.in-addr.arpa.", "2.0.192.in-addr.arpa."),
            ("1.d.f.ip6.arpa.", "d.f.ip6.arpa."),
            ("0.8.e.f.ip6.arpa.", "8.e.f.ip6.arpa."),
            ("0.B.E.F.ip6.arpa.", "b.e.f.ip6.arpa."),
            ("1.8.b.d.0.1.0.0.2.ip6.arpa.", "8.b.d.0.1.0.0.2.ip6.arpa."),
            ("printer.home.arpa.", "home.arpa."),
            ("a.service.arpa.", "service.arpa."),
        ] {
            assert_eq!(denied_by(&ask(qname, "PTR")), (Rcode::NXDOMAIN, name(apex)), "{qname}");
        }
        let apex_of_all = "255.255.255.255.in-addr.arpa.";
        assert_eq!(denied_by(&ask(apex_of_all, "PTR")), (Rcode::NOERROR, name(apex_of_all)));
    }

    #[test]
    fn neighbours_of_private_space_are_ordinary() {
        for qname in [
            "1.2.15.172.in-addr.arpa.",
            "1.2.32.172.in-addr.arpa.",
            "1.2.63.100.in-addr.arpa.",
            "1.2.128.100.in-addr.arpa.",
            "8.8.8.8.in-addr.arpa.",
            "c.f.ip6.arpa.",
            "in-addr.arpa.",
            "arpa.",
            ".",
            "example.",
            "www.example.",
            "ipv4only.arpa.",
            "170.0.0.192.in-addr.arpa.",
            "notlocalhost.",
            "localhost.example.",
            "onion.example.",
        ] {
            for rtype in ["A", "PTR", "NS", "SOA"] {
                assert_eq!(Ask::new(qname, rtype).of(&special()), Verdict::Pass, "{qname} {rtype}");
            }
        }
    }

    #[test]
    fn names_that_are_not_in_the_dns_do_not_exist() {
        for apex in ["invalid.", "test.", "onion.", "alt.", "local."] {
            let below = ask(&format!("www.{apex}"), "A");
            assert_eq!(denied_by(&below), (Rcode::NXDOMAIN, name(apex)));
            assert!(below.ede.unwrap().text.contains("RFC"));
            assert_eq!(denied_by(&ask(apex, "DS")).0, Rcode::NOERROR);
        }
    }

    #[test]
    fn the_apex_has_the_soa_and_ns_of_rfc_6303() {
        let soa = ask("10.in-addr.arpa.", "SOA");
        let mut expected = name("10.in-addr.arpa.").wire().to_vec();
        expected.extend_from_slice(b"\x06nobody\x07invalid\0");
        for number in [1u32, 3_600, 1_200, 604_800, 10_800] {
            expected.extend_from_slice(&number.to_be_bytes());
        }
        assert_eq!(records(&soa)[0].2, expected);
        assert_eq!(soa.answer[0].ttl, 10_800);
        assert_eq!(records(&ask("10.in-addr.arpa.", "NS"))[0].2, name("10.in-addr.arpa.").wire());
        assert_eq!(denied_by(&ask("10.in-addr.arpa.", "TXT")).0, Rcode::NOERROR);
    }

    #[test]
    fn ds_at_the_apex_below_arpa_is_the_parents() {
        assert_eq!(Ask::new("home.arpa.", "DS").of(&special()), Verdict::Pass);
        assert_eq!(Ask::new("10.in-addr.arpa.", "DS").of(&special()), Verdict::Pass);
        assert_eq!(denied_by(&ask("a.home.arpa.", "DS")).0, Rcode::NXDOMAIN);
    }

    #[test]
    fn no_designated_resolver_is_nodata() {
        assert_eq!(denied_by(&ask("_dns.resolver.arpa.", "SVCB")), (Rcode::NOERROR, name("resolver.arpa.")));
    }

    #[test]
    fn a_configured_zone_at_or_above_switches_a_special_zone_off() {
        let special = Special::new(&[name("test."), name("172.in-addr.arpa.")]);
        for qname in ["www.test.", "1.1.16.172.in-addr.arpa.", "1.1.31.172.in-addr.arpa."] {
            assert_eq!(Ask::new(qname, "A").of(&special), Verdict::Pass, "{qname}");
        }
        assert_eq!(answer(Ask::new("www.invalid.", "A").of(&special)).rcode, Rcode::NXDOMAIN);
    }

    #[test]
    fn a_configured_zone_inside_leaves_the_rest_special() {
        let special = Special::new(&[name("2.1.10.in-addr.arpa."), name("corp.local.")]);
        assert_eq!(Ask::new("9.2.1.10.in-addr.arpa.", "PTR").of(&special), Verdict::Pass);
        assert_eq!(Ask::new("corp.local.", "SOA").of(&special), Verdict::Pass);
        assert_eq!(answer(Ask::new("9.3.1.10.in-addr.arpa.", "PTR").of(&special)).rcode, Rcode::NXDOMAIN);
        // A denial of the names above it would deny the configured zone too (RFC 8020).
        assert_eq!(answer(Ask::new("1.10.in-addr.arpa.", "PTR").of(&special)).rcode, Rcode::NOERROR);
    }

    #[test]
    fn forwarding_everything_leaks_no_special_name() {
        let special = Special::new(&[Name::root()]);
        assert_eq!(answer(Ask::new("a.onion.", "A").of(&special)).rcode, Rcode::NXDOMAIN);
    }

    #[test]
    fn no_special_zone_lies_within_another() {
        let zones: Vec<Name> = zones::all().map(|zone| zone.apex).collect();
        assert!(zones.len() > 100, "{}", zones.len());
        for one in &zones {
            assert!(!zones.iter().any(|other| one.is_below(other)), "{one}");
        }
    }
}
