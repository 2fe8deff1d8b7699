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
        when: nsd_differs_in_hashed_proofs,
        who: &["nsd"],
        why: "takes a wildcard that was asked by its own name for one that was expanded, and does not match the hash of \
              one that is an empty non-terminal (RFC 5155 §7.2.3 and §7.2.5)",
    },
    Explanation {
        names: &["*"],
        types: &[],
        dnssec: Some(true),
        when: nsd_differs_in_proofs_behind_a_dname,
        who: &["nsd"],
        why: "leaves out one of the two NSEC records for the name that a DNAME has made (RFC 4035 §3.1.3.2 and §3.1.3.4)",
    },
    Explanation {
        names: &["*"],
        types: &[],
        dnssec: Some(true),
        when: knot_differs_in_hashed_proofs,
        who: &["knot"],
        why: "leaves out NSEC3 records: of a wildcard that an opt-out span hides, and of a name with a star that a DNAME \
              has made (RFC 5155 §7.2.2 and §7.2.5)",
    },
    Explanation {
        names: &["*.b.b.z197.test."],
        types: &[],
        dnssec: Some(true),
        when: always,
        who: &["knot"],
        why: "NXDOMAIN without AA and SOA where an opt-out span hides the parent (RFC 2308 §2.1 wants the SOA)",
    },
];
