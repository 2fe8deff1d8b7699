//! Root hints: the names and addresses at which the tree begins.

use std::net::IpAddr;

use crate::base::bounds;
use crate::chain::{Delegation, NameServer};
use crate::dns::Name;

/// The root servers, as IANA's root hints list them.
const ROOT_SERVERS: [(&str, &str, &str); 13] = [
    ("a.root-servers.net.", "198.41.0.4", "2001:503:ba3e::2:30"),
    ("b.root-servers.net.", "170.247.170.2", "2801:1b8:10::b"),
    ("c.root-servers.net.", "192.33.4.12", "2001:500:2::c"),
    ("d.root-servers.net.", "199.7.91.13", "2001:500:2d::d"),
    ("e.root-servers.net.", "192.203.230.10", "2001:500:a8::e"),
    ("f.root-servers.net.", "192.5.5.241", "2001:500:2f::f"),
    ("g.root-servers.net.", "192.112.36.4", "2001:500:12::d0d"),
    ("h.root-servers.net.", "198.97.190.53", "2001:500:1::53"),
    ("i.root-servers.net.", "192.36.148.17", "2001:7fe::53"),
    ("j.root-servers.net.", "192.58.128.30", "2001:503:c27::2:30"),
    ("k.root-servers.net.", "193.0.14.129", "2001:7fd::1"),
    ("l.root-servers.net.", "199.7.83.42", "2001:500:9f::42"),
    ("m.root-servers.net.", "202.12.27.33", "2001:dc3::35"),
];

/// The root's delegation with the servers known at build time.
#[must_use]
pub fn builtin() -> Delegation {
    let servers = ROOT_SERVERS.iter().filter_map(|(name, v4, v6)| {
        let glue = [v4, v6].iter().filter_map(|address| address.parse().ok()).collect();
        Some(NameServer { name: name.parse().ok()?, glue })
    });
    Delegation { zone: Name::root(), servers: servers.collect(), ttl: 0 }
}

/// What is wrong with a root hints file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HintsFault {
    /// A line is neither an NS record of the root nor an address record.
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No root server has an address.
    Empty,
}

/// Reads a root hints file: `. [TTL] [IN] NS name` and `name [TTL] [IN] A|AAAA address`, a record a line, `;` comments.
///
/// # Errors
/// Every bad line, or [`HintsFault::Empty`].
pub fn parse(text: &str) -> Result<Delegation, Vec<HintsFault>> {
    let mut faults = Vec::new();
    let mut servers: Vec<NameServer> = Vec::new();
    let mut addresses: Vec<(Name, IpAddr)> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.split(';').next().unwrap_or_default();
        let mut fields = line.split_whitespace();
        let Some(owner) = fields.next() else { continue };
        if owner.starts_with('$') {
            continue;
        }
        match entry(owner, fields) {
            Ok(Entry::Server(name)) => servers.push(NameServer { name, glue: Vec::new() }),
            Ok(Entry::Address(owner, address)) => addresses.push((owner, address)),
            Err(why) => faults.push(HintsFault::Line { line: at + 1, why }),
        }
    }
    servers.truncate(bounds::NAME_SERVERS_MAX);
    for server in &mut servers {
        let own = addresses.iter().filter(|(owner, _)| *owner == server.name).map(|(_, address)| *address);
        server.glue = own.take(bounds::ADDRESSES_PER_SERVER).collect();
    }
    if faults.is_empty() && servers.iter().all(|server| server.glue.is_empty()) {
        faults.push(HintsFault::Empty);
    }
    if faults.is_empty() { Ok(Delegation { zone: Name::root(), servers, ttl: 0 }) } else { Err(faults) }
}

enum Entry {
    Server(Name),
    Address(Name, IpAddr),
}

fn entry<'a>(owner: &str, fields: impl Iterator<Item = &'a str>) -> Result<Entry, &'static str> {
    let owner: Name = owner.parse().map_err(|_| "the owner is no name")?;
    let mut fields = fields.skip_while(|field| field.eq_ignore_ascii_case("IN") || field.parse::<u32>().is_ok());
    let rtype = fields.next().ok_or("the type is missing")?;
    let data = fields.next().ok_or("the data are missing")?;
    match rtype.to_ascii_uppercase().as_str() {
        "NS" if owner.is_root() => data.parse().map(Entry::Server).map_err(|_| "the server is no name"),
        "NS" => Err("only the root has NS records here"),
        "A" | "AAAA" => data.parse().map(|address| Entry::Address(owner, address)).map_err(|_| "no address"),
        _ => Err("only NS, A and AAAA belong here"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirteen_servers_with_both_families_are_built_in() {
        let roots = builtin();
        assert_eq!(roots.servers.len(), 13);
        assert!(roots.servers.iter().all(|server| server.glue.len() == 2));
    }

    #[test]
    fn a_hints_file_reads_as_iana_publishes_it() {
        let text = "; comment\n.  3600000  NS  A.ROOT-SERVERS.NET.\nA.ROOT-SERVERS.NET. 3600000 IN A 198.41.0.4\n\
                    A.ROOT-SERVERS.NET. 3600000 AAAA 2001:503:ba3e::2:30\n";
        let roots = parse(text).unwrap();
        assert_eq!(roots.servers.len(), 1);
        assert_eq!(roots.servers[0].glue.len(), 2);
    }

    #[test]
    fn every_bad_line_of_a_hints_file_is_named() {
        let faults = parse(". NS\nexample. NS a.\na. A 300.0.0.1\n").unwrap_err();
        let lines: Vec<_> = faults.iter().map(|fault| matches!(fault, HintsFault::Line { .. })).collect();
        assert_eq!(lines, [true; 3]);
        assert_eq!(parse(""), Err(vec![HintsFault::Empty]));
    }
}
