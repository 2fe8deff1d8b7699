/// The differences that have a reason. One entry is one reason; it excuses only the servers that it names.
const EXPLAINED: &[Explanation] = &[
    Explanation {
        names: &["*"],
        types: &[],
        dnssec: None,
        when: leads_to_another_zone,
        who: &["bind", "knot"],
        why: "do not follow an alias into another of their zones (RFC 1034 §4.3.2 step 3a starts again at step 1, \
              with all zones; NSD does so too)",
    },
    Explanation {
        names: &["*"],
        types: &[],
        dnssec: None,
        when: is_ring,
        who: &["bind"],
        why: "SERVFAIL for aliases in a ring (RFC 1034 §3.6.2 wants resolvers to signal it; the zone's own data are \
              what was asked for, and the others give them)",
    },
    Explanation {
        names: &["*"],
        types: &[],
        dnssec: Some(true),
        when: bind_and_knot_prove_less,
        who: &["bind", "knot"],
        why: "do not prove that the wildcard is an empty non-terminal (RFC 4035 §3.1.3.4 wants both: that the name does \
              not exist, and that the wildcard has no such data)",
    },
    Explanation {
        names: &["*"],
        types: &[],
        dnssec: Some(true),
        when: only_hashed_proofs_differ,
        who: &["nsd"],
        why: "takes a wildcard that was asked by its own name for one that was expanded, and does not match the hash of \
              one that is an empty non-terminal (RFC 5155 §7.2.3 and §7.2.5)",
    },
];
