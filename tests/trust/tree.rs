//! The signed tree of these tests: a root, a TLD, zones that deny in three ways, a sibling of each, children signed and
//! unsigned. Each zone has a server of its own.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use meridian::dns::{Edns, Flags, Message, Name, Question, RecordType};

use crate::zone::{Denial, Zone};

/// All zones, the root first, and where they are served.
pub(crate) struct Tree {
    pub(crate) zones: Vec<Zone>,
    hosts: BTreeMap<IpAddr, usize>,
    /// The server that was asked last.
    pub(crate) asked: Cell<Option<IpAddr>>,
}

/// The zones that scenarios ask in.
pub(crate) const LEAVES: [&str; 3] = ["nsec.net.", "nsec3.net.", "optout.net."];

/// What each of them holds; `@` stands for its apex.
const LEAF: &str = "
www.@ A 192.0.2.2
www.@ A 192.0.2.3
mail.@ MX 10 www.@
alias.@ CNAME www.@
nothing.@ CNAME missing.@
far.@ CNAME www.sibling.net.
insecure.@ CNAME www.plain.net.
*.wild.@ A 192.0.2.10
here.wild.@ TXT here
*.walias.@ CNAME www.@
*.wfar.@ CNAME www.sibling.net.
a.b.ents.@ A 192.0.2.21
dn.@ DNAME sibling.net.
sub.@ NS ns.sub.@
plain.@ NS ns.plain.@
";

/// What every zone has so that it can be asked for anything at all.
const SIMPLE: &str = "
www.@ A 192.0.2.4
*.wild.@ A 192.0.2.5
";

fn number(address: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, address as u8 + 1))
}

impl Tree {
    /// The tree with all that is true.
    pub(crate) fn new() -> Self {
        Self::with(&LEAVES.map(|apex| (apex, denial_of(apex), LEAF.replace('@', apex))))
    }

    /// A tree of the root, `net.`, some unsigned and plain zones, and these leaves (apex, denial, records).
    pub(crate) fn with(leaves: &[(&str, Denial, String)]) -> Self {
        // Children first, so that parents have something to sign.
        let mut plan: Vec<(String, Denial, String)> = Vec::new();
        for (apex, denial, _) in leaves {
            let sub = format!("sub.{apex}");
            plan.push((sub.clone(), denial.clone(), SIMPLE.replace('@', &sub)));
            let plain = format!("plain.{apex}");
            plan.push((plain.clone(), Denial::Unsigned, SIMPLE.replace('@', &plain)));
        }
        plan.push(("plain.net.".into(), Denial::Unsigned, SIMPLE.replace('@', "plain.net.")));
        plan.push(("sibling.net.".into(), Denial::Nsec, SIMPLE.replace('@', "sibling.net.")));
        plan.extend(leaves.iter().map(|(apex, denial, lines)| ((*apex).to_owned(), denial.clone(), lines.clone())));
        plan.push(("net.".into(), Denial::Nsec, "www.net. A 192.0.2.6".into()));
        plan.push((".".into(), Denial::Nsec, String::new()));
        let count = plan.len();
        let apexes: Vec<Name> = plan.iter().map(|(apex, _, _)| apex.parse().unwrap()).collect();
        let is_child = |child: &Name, parent: &Name| {
            let above = apexes.iter().filter(|apex| child.is_below(apex)).max_by_key(|apex| apex.label_count());
            above == Some(parent)
        };
        let mut zones: Vec<Zone> = Vec::new();
        for (at, (apex, denial, mut lines)) in plan.into_iter().enumerate() {
            let name: Name = apex.parse().unwrap();
            let here = number(count - 1 - at);
            let ns = if apex == "." { "ns.root.".to_owned() } else { format!("ns.{apex}") };
            lines += &format!("\n{apex} NS {ns}\n{ns} A {here}\n");
            for (child, zone) in zones.iter().enumerate() {
                if is_child(&zone.apex, &name) {
                    let child_at = number(count - 1 - child);
                    lines = lines.replace(&format!("{0} NS ns.{0}\n", zone.apex), "");
                    lines += &format!("{0} NS ns.{0}\nns.{0} A {child_at}\n", zone.apex);
                }
            }
            let mut made = Zone::new(&apex, Denial::Unsigned, &lines);
            for zone in zones.iter().filter(|zone| zone.is_signed()) {
                if is_child(&zone.apex, &name) {
                    let (owner, ds) = (zone.apex.clone(), zone.ds());
                    made.add(&owner, RecordType::DS, &ds);
                }
            }
            made.be_signed(denial);
            zones.push(made);
        }
        zones.reverse();
        let hosts = (0..count).map(|at| (number(at), at)).collect();
        Self { zones, hosts, asked: Cell::default() }
    }

    /// Gives the zone a second server, of which its parent tells too.
    pub(crate) fn add_server(&mut self, apex: &str) -> IpAddr {
        let apex: Name = apex.parse().unwrap();
        let at = self.zones.iter().position(|zone| zone.apex == apex).unwrap();
        let (address, server) = (number(100 + at), apex.child(b"ns2").unwrap());
        let IpAddr::V4(octets) = address else { unreachable!("all are") };
        let parent = apex.parent().unwrap();
        let parent = self.zones.iter_mut().find(|zone| zone.apex == parent).unwrap();
        parent.add(&apex, RecordType::NS, server.wire());
        parent.add(&server, RecordType::A, &octets.octets());
        self.hosts.insert(address, at);
        address
    }

    /// The address of the root's server.
    pub(crate) fn root() -> IpAddr {
        number(0)
    }

    /// The trust anchor, as the data of a DS record.
    pub(crate) fn anchor(&self) -> Vec<u8> {
        self.zones[0].ds()
    }

    pub(crate) fn zone(&self, apex: &str) -> &Zone {
        let apex: Name = apex.parse().unwrap();
        self.zones.iter().find(|zone| zone.apex == apex).unwrap()
    }

    /// What the server at `address` honestly says, and for which zone.
    pub(crate) fn respond(&self, address: IpAddr, query: &Message) -> Option<(&Zone, Message)> {
        let zone = &self.zones[*self.hosts.get(&address)?];
        self.asked.set(Some(address));
        let question: &Question = query.questions.first()?;
        let is_signed = query.edns.as_ref().is_some_and(|edns| edns.dnssec_ok);
        let mut message = reply_to(query);
        if question.name.is_within(&zone.apex) {
            zone.answer(&question.name, question.rtype, is_signed, &mut message);
        } else {
            message.rcode = meridian::dns::Rcode::REFUSED;
        }
        Some((zone, message))
    }
}

/// How a leaf denies, by its name.
pub(crate) fn denial_of(apex: &str) -> Denial {
    match apex {
        "nsec3.net." => Denial::Nsec3 { iterations: 0, salt: Vec::new(), opts_out: false },
        "optout.net." => Denial::Nsec3 { iterations: 2, salt: vec![0xab, 0xcd], opts_out: true },
        _ => Denial::Nsec,
    }
}

pub(crate) fn reply_to(query: &Message) -> Message {
    let flags = Flags { response: true, recursion_desired: query.flags.recursion_desired, ..Flags::default() };
    let edns = query.edns.as_ref().map(|asked| Edns {
        udp_size: 1232,
        version: 0,
        dnssec_ok: asked.dnssec_ok,
        options: Vec::new(),
    });
    Message { id: query.id, flags, questions: query.questions.clone(), edns, ..Message::default() }
}
