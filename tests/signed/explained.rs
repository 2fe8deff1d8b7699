/// The differences that have a reason. One entry is one reason; it excuses only the servers that it names.
const EXPLAINED: &[Explanation] = &[
    Explanation {
        names: &["ed448.example.", "*.ed448.example."],
        types: &[],
        who: &["meridian"],
        why: "does not know Ed448, so the zone is unsigned for it (RFC 8624 §3.1 only recommends it)",
    },
    Explanation {
        names: &["hashes100.net.", "*.hashes100.net."],
        types: &[],
        who: &["meridian"],
        why: "follows no more than 50 iterations of NSEC3 (RFC 9276 §3.2 lets each choose): insecure where it denies",
    },
    Explanation {
        names: &["hashes100.net.", "*.hashes100.net.", "manyhashes.net.", "*.manyhashes.net."],
        types: &[],
        who: &["knot"],
        why: "takes a whole zone for unsigned that iterates its hashes too often for it, positive answers too",
    },
    Explanation {
        names: &["toplain.*"],
        types: &[],
        who: &["knot"],
        why: "calls an alias itself insecure that leads to an unsigned zone below its own",
    },
    Explanation {
        names: &["*.wildfar.nsec3.net.", "*.wildfar.optout.net."],
        types: &[],
        who: &["bind"],
        why: "SERVFAIL for a wildcard's alias to a zone of the same server, whose response has the proofs of both",
    },
    Explanation {
        names: &["*.under.none.*", "broken.*", "*.broken.*"],
        types: &[],
        who: &["knot"],
        why: "answers from the NSEC and NSEC3 of the zone above what has a cut (RFC 5155 §12.2 for opt-out)",
    },
    Explanation {
        names: &["strange.*", "broken.*", "oddhash.*", "deep.under.none.*"],
        types: &["NS"],
        who: &["bind"],
        why: "gives the parent's NS records where checking is disabled; the others ask the child (RFC 2181 §5.4.1)",
    },
    Explanation {
        names: &["tonothing.*", "child.tonothing.*", "child.tosecurenone.*", "*.wildnothing.*"],
        types: &[],
        who: &["unbound", "behind"],
        why: "takes the denial of an alias's end for one of the alias itself: names below are answered with the alias's \
              message, or not at all",
    },
];
