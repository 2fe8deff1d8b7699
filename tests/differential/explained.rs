/// The differences that have a reason. One entry is one reason; it excuses only the servers that it names.
const EXPLAINED: &[Explanation] = &[
    Explanation {
        names: &["noedns.example.", "*.noedns.example."],
        types: &[],
        who: &["meridian"],
        why: "asks again without EDNS where a server is silent (RFC 6891 §6.2.2 leaves it open); the peers give up",
    },
    Explanation {
        names: &[
            "dead.example.",
            "*.dead.example.",
            "closed.example.",
            "*.closed.example.",
            "noedns.example.",
            "*.noedns.example.",
            "todead.alpha.example.",
        ],
        types: &[],
        who: &["unbound"],
        why: "keeps trying silent servers for longer than a client waits (no limit in RFC 1035 §7.2)",
    },
    Explanation {
        names: &[
            "long0.*", "long1.*", "long2.*", "long3.*", "long4.*", "long5.*", "long6.*", "long7.*", "long8.*",
            "long9.*", "long10.*", "long11.*", "long12.*", "long13.*", "long14.*", "long15.*", "long16.*", "long17.*",
            "long18.*", "long19.*",
        ],
        types: &[],
        who: &["unbound", "knot", "pdns"],
        why: "more than ten aliases: the bound is each server's own (RFC 1034 §5.3.3), and some count only what is not \
              in cache",
    },
    Explanation {
        names: &["*grow.dname.example."],
        types: &[],
        who: &["unbound"],
        why: "NOERROR with the first step of an endless DNAME (RFC 6672 §2.2 wants YXDOMAIN in the end, others \
              reach their bound before it)",
    },
    Explanation {
        names: &["*"],
        types: &["DS"],
        who: &["pdns"],
        why: "does not follow an alias for DS (RFC 4035 §3.1.4.1 speaks of zone cuts only)",
    },
    Explanation {
        names: &["rootns.", "*.rootns."],
        types: &[],
        who: &["pdns"],
        why: "root-nx-trust: NXDOMAIN for one name is taken for its whole TLD (against RFC 8020 §2)",
    },
    Explanation {
        names: &["*"],
        types: &["DNAME"],
        who: &["pdns"],
        why: "loses the alias in front of NODATA for DNAME (RFC 2308 §2.2 has it in the answer)",
    },
    Explanation {
        names: &["child.self.alpha.example."],
        types: &[],
        who: &["pdns"],
        why: "takes the alias loop of the parent name for one of the child (RFC 1034 §4.3.2: the child does not exist)",
    },
];
