// Differences from the right answer or scope that have a reason, by server. A peer's difference must be exactly the one
// that its reason makes: what it says instead is computed from the same world. Included by steer_differential.rs.

/// A difference with a reason.
struct Explanation {
    who: &'static str,
    /// Whole names.
    names: &'static [&'static str],
    what: What,
    /// What must hold of what was asked and heard.
    when: fn(&Case<'_>, &Heard) -> bool,
    why: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    Answer,
    Scope,
}

use What::{Answer, Scope};

const MERIDIAN: &str = "meridian";
const GDNSD: &str = "gdnsd";
const POWERDNS: &str = "powerdns";
const KNOT: &str = "knot";
const BY_PLACE: &[&str] = &["place", "alias"];

const EXPLAINED: &[Explanation] = &[
    Explanation {
        who: MERIDIAN,
        names: &["net"],
        what: Scope,
        when: |case, heard| heard.scope > Some(case.truth.scope) && case.is_answer(heard, case.truth),
        why: "keeps a rule apart from a longer one within it that prefers the same member",
    },
    // What all peers do.
    Explanation { who: GDNSD, names: ALL, what: Answer, when: is_private, why: PRIVATE },
    Explanation { who: GDNSD, names: ALL, what: Scope, when: is_private, why: PRIVATE },
    Explanation { who: POWERDNS, names: ALL, what: Answer, when: is_private_to_powerdns, why: PRIVATE },
    Explanation { who: KNOT, names: ALL, what: Answer, when: is_private, why: PRIVATE },
    Explanation { who: GDNSD, names: ALL, what: Answer, when: is_finer_client, why: NO_CAP },
    Explanation { who: POWERDNS, names: &["place", "alias", "asn", "net"], what: Answer, when: is_finer_client, why: NO_CAP },
    Explanation { who: KNOT, names: ALL, what: Answer, when: is_finer_client, why: NO_CAP },
    // gdnsd.
    Explanation {
        who: GDNSD,
        names: &["near", "far"],
        what: Answer,
        when: |case, heard| {
            case.record.coordinates.is_none() && case.is_answer(heard, case.flat())
        },
        why: "knows no centre of a country or continent: without coordinates, the order of declaration",
    },
    Explanation {
        who: GDNSD,
        names: &["near", "far"],
        what: Scope,
        when: |case, heard| heard.scope == Some(case.flat().scope) && case.flat().scope <= case.truth.scope,
        why: "so networks without coordinates are one with the unknown ones beside them",
    },
    Explanation {
        who: GDNSD,
        names: ALL,
        what: Scope,
        when: |case, heard| heard.scope == Some(case.flat().scope) && case.flat().scope > case.truth.scope,
        why: "says scopes longer than /24 and /56, and longer than what it was told",
    },
    // PowerDNS.
    Explanation {
        who: POWERDNS,
        names: &["near", "far"],
        what: Answer,
        when: |case, heard| case.record.coordinates.is_some() && case.is_near_on_a_flat_map(heard),
        why: "measures in degrees on a flat map, without a way over the antimeridian to the east",
    },
    Explanation {
        who: POWERDNS,
        names: &["near", "far"],
        what: Answer,
        when: |case, heard| case.record.coordinates.is_none() && case.is_near_on_a_flat_map(heard),
        why: "takes who has no coordinates to be at 0° 0°",
    },
    Explanation {
        who: POWERDNS,
        names: &["net"],
        what: Answer,
        when: |case, heard| is_carried(case.client) && heard.answer == [case.member(NETWORKS.len() - 1)],
        why: "does not see the IPv4 address in a 6to4 one, in networks of the configuration",
    },
    Explanation {
        who: POWERDNS,
        names: &["near", "far", "net", "asn"],
        what: Scope,
        when: |case, heard| heard.scope == Some(case.client.source),
        why: "says of every Lua record that it is for the whole source prefix alone",
    },
    Explanation {
        who: POWERDNS,
        names: BY_PLACE,
        what: Scope,
        when: |case, heard| heard.scope >= Some(case.truth.scope) && heard.scope >= Some(case.found),
        why: "says the prefix of the database's entry, unmerged, or of an unknown address all its bits; no cap",
    },
    // Knot.
    Explanation {
        who: KNOT,
        names: &["place", "alias", "asn", "net"],
        what: Scope,
        when: |case, heard| heard.scope == Some(0) && heard.answer == [case.default()],
        why: "answers who matches no rule from the zone with scope 0, which covers everybody's network",
    },
    Explanation {
        who: KNOT,
        names: &["net"],
        what: Answer,
        when: |case, heard| is_carried(case.client) && heard.answer == [case.member(NETWORKS.len() - 1)],
        why: "does not see the IPv4 address in a 6to4 one, in networks of the configuration",
    },
    Explanation {
        who: KNOT,
        names: &["net"],
        what: Scope,
        when: |case, heard| heard.scope == case.longest_rule(),
        why: "says the rule's own prefix, over the longer rules within it, and unmerged",
    },
    Explanation {
        who: KNOT,
        names: &["place", "alias", "asn"],
        what: Scope,
        when: |case, heard| heard.scope >= Some(case.truth.scope) && heard.scope >= Some(case.found),
        why: "says the prefix of the database's entry, unmerged; no cap",
    },
];

const ALL: &[&str] = &["place", "alias", "asn", "net", "near", "far"];
const PRIVATE: &str = "looks up addresses that no client on the Internet has, instead of the resolver's";
const NO_CAP: &str = "decides by more than /24 or /56, which resolvers keep no answers for";

fn is_private(case: &Case<'_>, heard: &Heard) -> bool {
    truth::is_private(case.client.address)
        && (case.is_answer(heard, case.atlas.uncapped(case.rule(), case.client)) || case.is_answer(heard, case.flat()))
}

fn is_private_to_powerdns(case: &Case<'_>, heard: &Heard) -> bool {
    let is_near = ["near", "far"].contains(&case.name) && case.is_near_on_a_flat_map(heard);
    is_private(case, heard) || (truth::is_private(case.client.address) && is_near)
}

fn is_finer_client(case: &Case<'_>, heard: &Heard) -> bool {
    let cap = if case.client.address.is_ipv4() { 24 } else { 56 };
    case.client.source > cap && case.is_answer(heard, case.flat())
}

/// Whether the address is one of 6to4.
fn is_carried(client: Client) -> bool {
    matches!(client.address, IpAddr::V6(v6) if v6.segments()[0] == 0x2002)
}

impl Case<'_> {
    /// The rule that the name goes by.
    fn rule(&self) -> &'static str {
        truth::rule(self.name)
    }

    /// What a server says that decides by the whole address and knows no centres of countries.
    fn flat(&self) -> Truth {
        let rule = if self.rule() == "near" { "near by coordinates alone" } else { self.rule() };
        self.atlas.uncapped(rule, self.client)
    }

    fn member(&self, index: usize) -> String {
        if self.name == "alias" { target(index) } else { member(self.name, index).to_string() }
    }

    /// The member for those whom no rule is for.
    fn default(&self) -> String {
        let count = match self.name {
            "asn" => truth::SYSTEMS.len(),
            "net" => NETWORKS.len(),
            _ => truth::PLACES.len(),
        };
        self.member(count - 1)
    }

    /// The answer that follows from a ranking.
    fn answer(&self, truth: Truth) -> String {
        let is_up = |site: &u8| self.name != "far" || !truth::DOWN.contains(&usize::from(*site));
        self.member(truth.ranking.into_iter().find(is_up).unwrap().into())
    }

    fn is_answer(&self, heard: &Heard, truth: Truth) -> bool {
        heard.answer == [self.answer(truth)]
    }

    /// Whether the answer is a nearest site in degrees, from 0° 0° for want of coordinates.
    fn is_near_on_a_flat_map(&self, heard: &Heard) -> bool {
        let here = self.record.coordinates.unwrap_or((0.0, 0.0));
        let sites = SITES.iter().enumerate().filter(|(index, _)| self.name != "far" || !truth::DOWN.contains(index));
        let distances = sites.map(|(index, (_, latitude, longitude))| (index, truth::planar(here, (*latitude, *longitude))));
        let least = distances.clone().map(|(_, distance)| distance).fold(f64::INFINITY, f64::min);
        distances.filter(|(_, distance)| *distance <= least).any(|(index, _)| heard.answer == [self.member(index)])
    }

    /// The length of the longest rule around the address.
    fn longest_rule(&self) -> Option<u8> {
        let rules = NETWORKS.iter().flat_map(|(_, networks)| truth::parsed(networks));
        let bits = world::aligned(self.client.address);
        let around = rules.filter(|(address, length)| {
            address.is_ipv4() == self.client.address.is_ipv4() && world::cut(bits, *length) == world::aligned(*address)
        });
        around.map(|(_, length)| length).max()
    }
}
