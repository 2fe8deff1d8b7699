//! Bounds that take more lines to be driven than anybody would write by hand.

use std::fmt::Write;

use meridian::base::bounds;

use crate::generated::tell_all;

const ROOT: &str = "\
server 192.0.2.1 zone .
  example. NS ns.example.
  ns.example. A 192.0.2.2
server 192.0.2.2 zone example.
  www.example. A 192.0.2.80
";

/// A tower of zones, each a label below the other and on a server of its own; `count` referrals lead to the top.
fn tower(count: u8) -> String {
    let mut text = String::from("config minimisation off\n");
    let mut zone = String::from(".");
    for number in 0..=count {
        let below = format!("z{number}.{}", zone.trim_start_matches('.'));
        _ = writeln!(text, "server 10.1.0.{number} zone {zone}");
        if number < count {
            _ = writeln!(text, "  {below} NS ns.{below}\n  ns.{below} A 10.1.0.{}", number + 1);
        } else {
            _ = writeln!(text, "  www.{zone} A 192.0.2.80");
        }
        zone = if number < count { below } else { zone };
    }
    _ = write!(text, "story: a way of {count} referrals\n  ask www.{zone} A");
    text
}

#[test]
fn thirty_two_referrals_are_followed_and_not_one_more() {
    let most = bounds::REFERRALS_MAX;
    let found = "expect NOERROR\n  expect answer has 1\n  expect counter bound_referrals 0";
    let refused = "expect SERVFAIL\n  expect ede 0 too many referrals\n  expect counter bound_referrals 1";
    tell_all(
        "referrals",
        &[
            format!("{}\n  {found}\n  expect sent {}\n", tower(most), most + 1),
            format!("{}\n  {refused}\n  expect sent {}\n", tower(most + 1), most + 1),
        ],
    );
}

/// What a response to `q.example.` has beside RDATA: header, question, the record's head, and OPT.
const FRAME: usize = 12 + 15 + 12;
const OPT: usize = 11;

fn record_of(octets: usize) -> String {
    format!("{ROOT}  q.example. TYPE65280 {}\n", "ab".repeat(octets))
}

#[test]
fn a_udp_response_fills_what_the_client_takes_and_is_cut_one_octet_later() {
    let (most, floor) = (bounds::UDP_RESPONSE_MAX, bounds::UDP_RESPONSE_FLOOR);
    let mut stories = Vec::new();
    for (limit, rest, options) in
        [(most, FRAME + OPT, "+bufsize=4096"), (floor, FRAME, "+noedns"), (floor, FRAME + OPT, "+bufsize=10")]
    {
        stories.push(format!(
            "{}story: {limit} octets {options}
  ask q.example. TYPE65280 {options}
  expect NOERROR !tc
  expect size {limit}
  expect answer has 1
  expect counter truncated 0\n",
            record_of(limit - rest)
        ));
        stories.push(format!(
            "{}story: {limit} octets and one {options}
  ask q.example. TYPE65280 {options}
  expect NOERROR tc
  expect answer empty
  expect counter truncated 1\n",
            record_of(limit - rest + 1)
        ));
    }
    tell_all("sizes", &stories);
}

#[test]
fn an_rrset_of_64_kib_is_answered_and_a_larger_one_is_not() {
    // What the set is kept with beside its RDATA: its own fields, its owner and a length.
    let fields = size_of::<meridian::dns::RrSet>() + "q.example.".len() + 1 + 2;
    let most = bounds::RRSET_BYTES_MAX - fields;
    let (whole, larger) = (record_of(most), record_of(most + 1));
    let ask = "  ask q.example. TYPE65280 +tcp\n";
    tell_all(
        "large sets",
        &[
            format!("{whole}story: 64 KiB\n{ask}  expect NOERROR\n  expect answer has 1\n{ask}  expect sent 0\n"),
            format!(
                "{larger}story: more\n{ask}  expect SERVFAIL\n  expect ede 24\n  expect counter bound_records >= 1\n"
            ),
        ],
    );
}

/// Aliases in large responses: they spend the octets of one question before its aliases or queries.
#[test]
fn octets_are_taken_up_to_128_kib_and_what_goes_beyond_ends_the_question() {
    let filler = |octets: usize| format!("additional f.example. TYPE65280 {}", "ab".repeat(octets));
    let story = |octets: usize, expected: &str| {
        let mut text = format!("{ROOT}  l4.example. A 192.0.2.84\nstory: {octets} octets\n");
        text += "  on 192.0.2.2 udp truncate\n";
        for number in 1..=3 {
            _ = writeln!(
                text,
                "  on 192.0.2.2 tcp name l{number}.example. reply aa\n    answer l{number}.example. CNAME l{}.example.\n    {}",
                number + 1,
                filler(octets / 3)
            );
        }
        text + "  ask l1.example. A\n" + expected
    };
    let most = bounds::UPSTREAM_BYTES;
    tell_all(
        "octets",
        &[
            story(most - 1_000, "  expect NOERROR\n  expect answer has 4\n  expect counter bound_bytes 0\n"),
            story(most, "  expect SERVFAIL\n  expect ede 0 octets\n  expect counter bound_bytes 1\n"),
        ],
    );
}

#[test]
fn a_query_may_have_thirty_two_options_and_not_one_more() {
    let ask = |count: usize| format!("  ask www.example. A{}\n", " +option=65001".repeat(count));
    let most = bounds::EDNS_OPTIONS_MAX;
    tell_all(
        "options",
        &[
            format!("{ROOT}story: as many as may be\n{}  expect NOERROR\n", ask(most)),
            format!(
                "{ROOT}story: one more\n{}  expect FORMERR\n  expect counter rcode_formerr 1\n  expect sent 0\n",
                ask(most + 1)
            ),
        ],
    );
}
