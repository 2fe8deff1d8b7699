//! Zone files, configurations and hosts files: examples as the RFCs and the manuals have them, retyped, and each oddity
//! of the formats once.

use meridian::app::config::BUILTIN;

/// Before every zone below that does not begin with its own.
const HEAD: &str =
    "$TTL 1h\n@ IN SOA ns1 hostmaster.example. ( 2026010100 7200 900 1209600 300 )\n  NS ns1\nns1 A 192.0.2.53\n";

/// Zones named `example.`.
pub(super) fn zone_files() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let bodies = [
        ("empty-but-lawful", ""),
        // RFC 1035 §5.3, RFC 1034 §6.1.
        (
            "rfc1035",
            "@ MX 10 VENERA\n  MX 20 VAXA\nA A 192.0.2.3\nVENERA A 192.0.2.52\n  A 128.9.0.32\nVAXA A 192.0.2.27\n  A 128.9.0.33\n$INCLUDE more\n",
        ),
        // RFC 4592 §2.2.1.
        (
            "rfc4592",
            "*.example. 3600 TXT \"this is a wildcard\"\n*.example. 3600 MX 10 host1.example.\nsub.*.example. 3600 TXT \"this is not a wildcard\"\nhost1.example. 3600 A 192.0.2.1\n_ssh._tcp.host1.example. 3600 SRV 0 0 22 host1\n_ssh._tcp.host2.example. 3600 SRV 0 0 22 host1\nsubdel.example. 3600 NS ns.example.com.\nsubdel.example. 3600 NS ns.example.net.\n",
        ),
        // RFC 6672 §2, RFC 2317 §4.
        (
            "dname",
            "frobozz DNAME frobozz-division.acme.example.\n$ORIGIN 2.0.192.example.\n0/25 NS ns.a.example.\n1 CNAME 1.0/25\n",
        ),
        // RFC 5155, Appendix A, shortened.
        (
            "nsec3",
            "@ NSEC3PARAM 1 0 12 aabbccdd\n0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NSEC3 1 1 12 aabbccdd ( 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS SOA NSEC3PARAM RRSIG )\n",
        ),
        (
            "signed",
            "@ DNSKEY 256 3 13 oJMRESz5E4gYzS/q6XDrvU1qMPYIjCWzJaOau8XNEZeqCYKD5ar0IRd8KqXXFJkqmVfRvMGPmM1x8fGAa2XhSA==\n@ RRSIG A 13 1 3600 20260201000000 20260101000000 1 example. AAAA\n@ NSEC ns1 NS SOA RRSIG NSEC DNSKEY TYPE65534\nsub NS ns.sub\nsub DS 1 13 2 e2d3c916f6deeac73294e8268fb5885044a833fc5459588f4a9184cfc41a5766\nns.sub A 192.0.2.2\n",
        ),
        (
            "every-type",
            "a A 192.0.2.1\na AAAA 2001:db8::1\nb CNAME a\nc MX 10 a\nd TXT \"x\" y \"\\\"z\\\"\" \"\\065\"\ne SRV 1 2 53 a\nf NAPTR 100 50 \"s\" \"z3950+I2L+I2C\" \"\" _z3950._tcp\ng CAA 0 issue \"ca.example; x=y\"\nh HINFO \"PC\" 'X'\ni LOC 42 21 54.000 N 71 06 18.000 W -24.00m 30m 10000m 10m\nj SSHFP 4 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\nk TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\nl SVCB 1 a alpn=\"h2,h3\" port=853 ipv4hint=192.0.2.1 ipv6hint=2001:db8::1 key65333=\"\\000x\" mandatory=alpn\nm HTTPS 0 a\nn URI 10 1 \"https://a.example/\"\no PTR a\np RP a b\nq AFSDB 1 a\nr APL 1:192.0.2.0/24 !2:2001:db8::/32\ns EUI48 00-00-5e-00-53-2a\nt EUI64 00-00-5e-ef-10-00-00-2a\nu CERT PGP 0 0 AAAA\nv DHCID AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=\nw IPSECKEY 10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==\nx HIP 2 200100107B1A74DF365639CC39F1D578 AwEAAbdxyhNuSutc5EMzxTs9LBPCIkOFH8cIvM4p9+LrV4e19WzK00+CI6zBCQTdtWsuxKbWIy87UOoJTwkUs7lBu+Upr1gsNrut79ryra+bSRGQb1slImA8YVJyuIDsj7kwzG7jnERNqnWxZ48AWkskmdHaVDP4BcelrTI3rMXdXF5D\ny ZONEMD 2026010100 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\nz NID 10 0014:4fff:ff20:ee64\naa L32 10 10.1.2.0\nab L64 10 2001:0DB8:1140:1000\nac LP 10 a\nad CSYNC 66 3 A NS AAAA\nae OPENPGPKEY AAAA\naf SMIMEA 3 0 0 AA\nag AMTRELAY 10 0 1 203.0.113.15\nah KX 10 a\nai PX 10 a b\naj GPOS -32.6882 116.8652 10.0\nak X25 311061700956\nal ISDN \"150862028003217\" \"004\"\nam RT 10 a\nan NSAP 0x47.0005.80.005a00.0000.0001.e133.ffffff000161.00\nao SPF \"v=spf1 -all\"\n",
        ),
        (
            "rfc3597",
            "a TYPE65280 \\# 4 0a000001\nb CLASS1 TYPE1 \\# 4 c0000201\nc TYPE16 \\# 2 01 61\nd A \\# 4 C0 00 02 01\ne TYPE65281 \\# 0\n",
        ),
        (
            "generate",
            "$GENERATE 1-20 host$ A 192.0.2.$\n$GENERATE 0-30/10 h${1,3,x} CNAME host${1}\n$GENERATE 2-1 x A 192.0.2.1\n",
        ),
        (
            "escapes",
            "a\\.b A 192.0.2.1\n\\000\\255 A 192.0.2.2\n\\@ TXT \\\"\n\"q u o\" TXT \"a;b\" ; not text\nx TXT \\; \\( \\)\n",
        ),
        (
            "parentheses",
            "a ( A\n 192.0.2.1 )\nb TXT ( \"1\" ; one\n\n \"2\" ) ; two\nc ( ( A 192.0.2.1 ) )\nd A 192.0.2.1 )\ne ( A 192.0.2.1\n",
        ),
        ("line-ends", "a A 192.0.2.1\r\nb\tA\t192.0.2.2\r\n\tAAAA 2001:db8::2\r\n"),
        (
            "ttls",
            "a 1w2d3h4m5s A 192.0.2.1\nb IN 5 A 192.0.2.1\nc 5 IN A 192.0.2.1\nd 2147483648 A 192.0.2.1\n$TTL 0\ne A 192.0.2.1\n",
        ),
        ("classes", "a CH TXT x\nb HS A 192.0.2.1\nc CLASS3 TXT x\nd IN A 192.0.2.1\n"),
        (
            "faults",
            "a A 192.0.2.256\nb AAAA ::1::\nc MX mail\nd NONSENSE x\n$NONSENSE\ne TXT \"unclosed\nf..g A 192.0.2.1\noutside.test. A 192.0.2.1\nh SOA a b 1 2 3 4 5\ni CNAME a\ni A 192.0.2.1\n",
        ),
        (
            "long",
            "0123456789012345678901234567890123456789012345678901234567890123456789 A 192.0.2.1\na TXT 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345\n",
        ),
        ("alias", "@ ALIAS www.example.net.\nwww ALIAS x\n"),
        ("includes", "$INCLUDE more\n$INCLUDE more sub\n$INCLUDE nothing\n$INCLUDE \"more\" example.\n"),
    ];
    let whole = bodies.into_iter().map(|(name, body)| (name, [HEAD, body].concat().into_bytes()));
    let others = [
        ("nothing", &b""[..]),
        ("no-soa", b"a 60 A 192.0.2.1\n"),
        ("two-soas", b"@ 60 SOA a b 1 2 3 4 5\n@ 60 SOA a b 2 2 3 4 5\n@ NS a\na A 192.0.2.1\n"),
        ("byte-order-mark", b"\xef\xbb\xbf@ 60 SOA a b 1 2 3 4 5\n@ NS a\na A 192.0.2.1\n"),
        ("binary", b"\x00\x01\xff\xfe(\x00\"\x80\n"),
        ("blank-owner-first", b"  60 A 192.0.2.1\n"),
    ];
    whole.chain(others.into_iter().map(|(name, text)| (name, text.to_vec())))
}

pub(super) fn configurations() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    [
        ("built-in", BUILTIN),
        ("nothing", ""),
        ("everything-off", "admin: off\nrecursion: off\ncache: off\nstate: off\n"),
        ("unknown-keys", "lissten: 1\nrecursion: {alow: any}\ncache: {sise: 1MiB, stale: {windw: 1d}}\n"),
        ("wrong-kinds", "listen: {a: 1}\nworkers: many\nlog: [info]\nrecursion: 5\ncache: yes\nzones: []\nkeys: x\nidentity: []\n"),
        ("wrong-values", "listen: [a:b, 256.1.1.1:53, '::1']\nworkers: 0\ncache: {size: 1KiB, min_ttl: 2d, max_ttl: 1d}\nrecursion: {allow: [10.0.0.1/8, 300/8], families: ipv5}\n"),
        ("twice", "workers: 1\nworkers: 2\n"),
        ("list-at-the-top", "- a\n- b\n"),
        ("text-at-the-top", "hello\n"),
        ("anchors", "a: &a [1, 2]\nb: *a\n"),
        ("aliases-fanned-out", "a: &a [x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c]\ne: [*d, *d, *d, *d, *d, *d, *d, *d]\n"),
        ("merge", "x: &x {level: info}\nlog: {<<: *x}\n"),
        ("broken", "listen: [\n  a\n"),
        ("tabs", "log:\n\tlevel: info\n"),
        ("tags", "workers: !!str 1\nlog: !custom {level: info}\n"),
        ("nulls", "listen: ~\nlog:\nrecursion: null\n"),
        ("documents", "---\nworkers: 1\n---\nworkers: 2\n...\n"),
        ("deep", "a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n"),
        ("zones", "zones:\n  example.com:\n    records:\n      '@': {NS: ns1, MX: 10 mail, TXT: 'v=spf1 -all'}\n      ns1: 192.0.2.53\n      www: {A: [192.0.2.1, 192.0.2.2], ttl: 5m}\n    transfer: {allow: [192.0.2.0/24, {key: k}], notify: [192.0.2.9], key: k}\n    update: [{key: k, names: '*.dyn.example.com', types: [A]}]\n  example.net: {primaries: [{address: 192.0.2.1, key: k}], catalog: consume}\n  example.org: {file: example.org.zone}\nkeys: {k: {algorithm: hmac-sha256, secret: 'c2VjcmV0'}}\n"),
        ("zones-as-text", "zones:\n  example.com:\n    records: |\n      @ SOA ns1 h 1 2 3 4 5\n      @ NS ns1\n      ns1 A 192.0.2.1\n"),
        ("zones-wrong", "zones:\n  bad..name: {}\n  example.com: {file: 5, primaries: [x], records: [1]}\n  example.net: {transfer: {allow: any}, update: [{names: '*'}], catalog: both}\nkeys: {k: {algorithm: md5, secret: '*'}}\n"),
        ("forward", "recursion:\n  forward: {'.': [tls://192.0.2.1], corp.example: [192.0.2.1, '[2001:db8::1]:5353', tcp://192.0.2.2]}\n  stub: {lab.example: [192.0.2.7], lab.example.: [192.0.2.8]}\n"),
        ("numbers", "workers: 1e3\ncache: {size: 18446744073709551616, min_ttl: 1.5s, max_ttl: -1d}\nlog: {queries: 0.00001%}\n"),
        ("letters", "identity: {version: \"\\u0000\\u202e\\n\", id: '\u{fc}'}\n\u{fc}: 1\n"),
        ("line-ends", "workers: 1\r\nlog:\r\n  level: loud\r\n"),
    ]
    .into_iter()
    .map(|(name, text)| (name, text.as_bytes().to_vec()))
    .chain([("no-utf-8", b"workers: 1\nlog: \xff\xfe\n".to_vec())])
}

/// The stock one, one of each plugin, imports and what is broken.
pub(super) fn corefiles() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    [
        ("stock", ".:53 {\n errors\n health {\n lameduck 5s\n }\n ready\n kubernetes cluster.local in-addr.arpa ip6.arpa {\n pods insecure\n fallthrough in-addr.arpa ip6.arpa\n ttl 30\n }\n prometheus :9153\n forward . 192.0.2.1 {\n max_concurrent 1000\n }\n cache 30 {\n disable success cluster.local\n }\n loop\n reload\n loadbalance\n}\n"),
        ("names", "{$ZONE}:53 {\n kubernetes {$ZONE} {\n namespaces a b\n labels x in (y)\n pods verified\n endpoint_pod_names\n }\n k8s_external ext.example {\n apex dns\n ttl 9\n headless\n }\n autopath @kubernetes\n}\nexample.com:53 {\n rewrite name exact a.example.com b.example.com\n template IN A example.com {\n match \"^x[.]\"\n answer \"{{ .Name }} 60 IN A 192.0.2.1\"\n rcode NOERROR\n fallthrough\n }\n hosts {\n 192.0.2.7 h.example.com\n ttl 9\n fallthrough\n }\n forward example.com 192.0.2.1:5353 tls://192.0.2.2 /etc/resolv.conf {\n except x.example.com\n force_tcp\n policy sequential\n tls_servername x\n }\n log . combined\n}\n"),
        ("imports", "(common) {\n errors\n cache 30\n}\n(both) {\n import common\n import common\n}\n. {\n import both\n import more\n import none*\n}\nimport *.server\n"),
        ("addresses", "dns://a.example, b.example:1053,\n 10.0.0.0/8 2001:db8::/33 {\n whoami\n bind 127.0.0.1 lo\n}\ntls://.:853 {\n tls a b\n}\n"),
        ("quotes", ". {\n template ANY ANY {\n answer \"a \\\" {$NONE} {%ZONE%}\" # x\n}\n }\n"),
        ("doubling", "(a) {\n x\n x\n}\n(a) {\n import a\n import a\n}\n(a) {\n import a\n import a\n}\n. {\n import a\n}\n"),
        ("broken", ". {\n { a\n"),
        ("nothing", ""),
    ]
    .into_iter()
    .map(|(name, text)| (name, text.as_bytes().to_vec()))
}

pub(super) fn hosts_files() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    [
        ("usual", "127.0.0.1\tlocalhost\n127.0.1.1\thost.example host\n\n# IPv6\n::1 localhost ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\n"),
        ("block-list", "0.0.0.0 ads.example\n0.0.0.0 Ads.Example # again\n:: ads.example\n"),
        ("odd", "fe80::1%eth0 router\n192.0.2.1%eth0 x\n192.0.2.1\nname 192.0.2.1\n192.0.2.1 a..b .c d. *.e f_g -h 192.0.2.9 \u{fc}\n"),
        ("line-ends", "\u{feff}192.0.2.1 a\r\n\r\n192.0.2.2 b\r192.0.2.3 c\u{b}d\u{c}e"),
        ("localhost-elsewhere", "192.0.2.1 localhost x.localhost localhost.\n"),
        ("nothing", ""),
    ]
    .into_iter()
    .map(|(name, text)| (name, text.as_bytes().to_vec()))
    .chain([
        ("binary", b"192.0.2.1 \x00a \xff\n\x80\n".to_vec()),
        ("long", [b"192.0.2.1 ".to_vec(), b"a.".repeat(126), b"a ".to_vec(), b"b.".repeat(127), b"c".to_vec()].concat()),
        ("many-addresses", (0..=260u16).flat_map(|n| format!("10.0.{}.{} many\n", n >> 8, n & 255).into_bytes()).collect()),
        ("many-warnings", b"x\n".repeat(120)),
    ])
}
