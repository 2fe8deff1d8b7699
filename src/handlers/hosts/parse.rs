//! The text of a hosts file (hosts(5)): an address, then its names, the first being the canonical one; `#` begins
//! a comment. A bad line, or a bad part of one, is a warning with the line's number and the reason; what is good
//! in it counts.

use std::fmt;
use std::net::IpAddr;

use super::table::{Builder, Hosts};
use crate::base::bounds;
use crate::dns::Name;

/// What is wrong in a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Warning {
    /// The line's number, from 1.
    pub line: usize,
    /// The reason, in words.
    pub why: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

/// Reads the `text` of a hosts file whose records have `ttl` seconds.
///
/// At most [`bounds::HOSTS_LINES_MAX`] lines are read and [`bounds::HOSTS_WARNINGS_MAX`] warnings returned.
#[must_use]
pub fn parse(text: &str, ttl: u32) -> (Hosts, Vec<Warning>) {
    let mut warnings = Warnings::default();
    let mut builder = Builder::default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text); // a byte order mark
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if number > bounds::HOSTS_LINES_MAX {
            warnings.push(
                number,
                format!("the file has more than {} lines; the rest is not read", bounds::HOSTS_LINES_MAX),
            );
            break;
        }
        read_line(line, number, &mut builder, &mut warnings);
    }
    let (hosts, crowded) = builder.build(ttl);
    for line in crowded {
        warnings.push(
            line,
            format!("the name has more than {} addresses; this one is left out", bounds::RECORDS_PER_RRSET),
        );
    }
    (hosts, warnings.0)
}

fn read_line(line: &str, number: usize, builder: &mut Builder, warnings: &mut Warnings) {
    let content = line.split('#').next().unwrap_or_default();
    let mut words = content.split_ascii_whitespace();
    let Some(first) = words.next() else { return };
    // The zone of a scoped address (`fe80::1%eth0`, RFC 4007 §11) means something on this host only and has no
    // place in a record; the address itself counts.
    let (digits, scope) = first.split_once('%').map_or((first, None), |(digits, scope)| (digits, Some(scope)));
    let address = match digits.parse::<IpAddr>() {
        Ok(address) if scope.is_none() || address.is_ipv6() => address,
        _ => return warnings.push(number, format!("`{}` is no IP address", excerpt(first))),
    };
    let mut is_first = true;
    for word in words {
        match host_name(word) {
            Ok(name) if is_localhost(&name) && !address.to_canonical().is_loopback() => {
                // localhost is loopback whatever a file says (RFC 6761 §6.3); `fe80::1%lo0 localhost` is usual
                // on some systems and needs no word.
                if scope.is_none() {
                    warnings.push(number, format!("`{}` can only be a loopback address", excerpt(word)));
                }
            }
            Ok(name) => {
                builder.add(&name, address, is_first, number);
            }
            Err(why) => warnings.push(number, format!("`{}`: {why}", excerpt(word))),
        }
        is_first = false;
    }
    if is_first {
        warnings.push(number, format!("no name follows the address `{}`", excerpt(first)));
    }
}

fn host_name(word: &str) -> Result<Name, String> {
    if !word.is_ascii() {
        return Err("a name has only ASCII letters; others are written as xn-- labels".to_owned());
    }
    if word.contains('*') {
        return Err("a hosts file knows no wildcards".to_owned());
    }
    if word.parse::<IpAddr>().is_ok() {
        return Err("an address stands where a name belongs".to_owned());
    }
    if let Some(odd) = word.bytes().find(|byte| !(byte.is_ascii_alphanumeric() || b"-_.".contains(byte))) {
        return Err(format!("`{}` cannot stand in a host's name", char::from(odd).escape_default()));
    }
    match word.parse::<Name>() {
        Ok(name) if name.is_root() => Err("the root is no host".to_owned()),
        Ok(name) => Ok(name),
        Err(fault) => Err(fault.to_string()),
    }
}

/// Whether `name` is `localhost.` or lies below it.
pub(super) fn is_localhost(name: &Name) -> bool {
    name.labels().last().is_some_and(|label| label.eq_ignore_ascii_case(b"localhost"))
}

/// So much of a word as fits into a log line, control characters made visible.
fn excerpt(word: &str) -> String {
    word.chars().take(60).flat_map(char::escape_debug).collect()
}

#[derive(Default)]
struct Warnings(Vec<Warning>);

impl Warnings {
    fn push(&mut self, line: usize, why: String) {
        let why = match bounds::HOSTS_WARNINGS_MAX.saturating_sub(self.0.len()) {
            0 => return,
            1 => "from here on warnings are left out: there are too many".to_owned(),
            _ => why,
        };
        self.0.push(Warning { line, why });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v4(hosts: &Hosts, name: &str) -> Vec<[u8; 4]> {
        hosts.addresses(&name.parse().unwrap()).map(|found| found.v4.to_vec()).unwrap_or_default()
    }

    fn v6_count(hosts: &Hosts, name: &str) -> usize {
        hosts.addresses(&name.parse().unwrap()).map_or(0, |found| found.v6.len())
    }

    fn warned(text: &str) -> Vec<(usize, String)> {
        parse(text, 60).1.into_iter().map(|warning| (warning.line, warning.why)).collect()
    }

    #[test]
    fn comments_blank_lines_tabs_and_line_ends_do_not_matter() {
        let text = "\u{feff}# all\r\n\r\n  \t\n\t192.0.2.1\t a.example\tb.example. #c.example\r\n192.0.2.2 d.example#e\n192.0.2.3 f.example";
        let (hosts, warnings) = parse(text, 60);
        assert_eq!(warnings, []);
        assert_eq!(hosts.len(), 4);
        for (name, last) in [("a.example.", 1), ("B.EXAMPLE.", 1), ("d.example.", 2), ("f.example.", 3)] {
            assert_eq!(v4(&hosts, name), [[192, 0, 2, last]], "{name}");
        }
    }

    #[test]
    fn the_zone_of_an_ipv6_address_is_ignored() {
        let (hosts, warnings) = parse("fe80::1%eth0 printer.example\nfe80::1%lo0 localhost\n::1 localhost\n", 60);
        assert_eq!(warnings, []);
        assert_eq!((v6_count(&hosts, "printer.example."), v6_count(&hosts, "localhost.")), (1, 1));
    }

    #[test]
    fn a_bad_line_is_a_warning_with_its_number_and_the_rest_counts() {
        let text = "192.0.2.1 a.example\nwww.example 192.0.2.1\n192.0.2.300 x\n192.0.2.4\n\n192.0.2.5 bad..name good.example *.x.example ü.example a/b 192.0.2.6 .\n192.0.2.1%eth0 z\n192.0.2.9 localhost\n";
        let (hosts, warnings) = parse(text, 60);
        assert_eq!(warnings.iter().map(|warning| warning.line).collect::<Vec<_>>(), [2, 3, 4, 6, 6, 6, 6, 6, 6, 7, 8]);
        assert_eq!(warnings[0].to_string(), "line 2: `www.example` is no IP address");
        assert_eq!(warnings[2].why, "no name follows the address `192.0.2.4`");
        assert_eq!(warnings[3].why, "`bad..name`: a label is empty");
        assert_eq!(hosts.len(), 2);
        assert_eq!(v4(&hosts, "good.example."), [[192, 0, 2, 5]]);
    }

    #[test]
    fn the_same_record_twice_is_one() {
        let (hosts, warnings) = parse("192.0.2.1 a.example A.example\n192.0.2.2 a.example\n192.0.2.1 a.example\n", 60);
        assert_eq!((v4(&hosts, "a.example."), warnings), (vec![[192, 0, 2, 1], [192, 0, 2, 2]], vec![]));
    }

    #[test]
    fn a_file_of_nonsense_has_few_warnings() {
        let warnings = warned(&"nonsense\n".repeat(5_000));
        assert_eq!(warnings.len(), bounds::HOSTS_WARNINGS_MAX);
        assert!(warnings.last().unwrap().1.contains("left out"));
    }

    #[test]
    fn a_name_with_too_many_addresses_keeps_the_first() {
        use std::fmt::Write;
        let text = (0..300).fold(String::new(), |mut text, n| {
            writeln!(text, "10.0.{}.{} many.example", n / 256, n % 256).unwrap();
            text
        });
        let (hosts, warnings) = parse(&text, 60);
        assert_eq!(v4(&hosts, "many.example.").len(), bounds::RECORDS_PER_RRSET);
        assert_eq!((warnings.len(), warnings[0].line), (44, 257));
    }

    #[test]
    fn a_long_block_list_takes_little_memory() {
        use std::fmt::Write;
        let text = (0..100_000).fold(String::new(), |mut text, n| {
            writeln!(text, "0.0.0.0 host{n}.ads.example").unwrap();
            text
        });
        let (hosts, warnings) = parse(&text, 60);
        assert_eq!((hosts.len(), warnings.len()), (100_000, 0));
        assert_eq!(v4(&hosts, "host99999.ads.example."), [[0, 0, 0, 0]]);
        assert!(hosts.size_bytes() < 100_000 * 48, "{}", hosts.size_bytes());
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd_to_read(text in "(\\PC|[\\x00-\\x7f \n\t#%.:]){0,200}") {
            let (hosts, warnings) = parse(&text, 60);
            prop_assert!(hosts.len() + warnings.len() <= text.len());
        }

        #[test]
        fn every_listed_pair_is_found(pairs in proptest::collection::vec((0u8..20, 0u8..20), 0..60)) {
            use std::fmt::Write;
            let text = pairs.iter().fold(String::new(), |mut text, (n, last)| {
                writeln!(text, "192.0.2.{last} h{n}.example").unwrap();
                text
            });
            let (hosts, warnings) = parse(&text, 60);
            prop_assert!(warnings.is_empty());
            for n in 0..20 {
                let mut expected = Vec::new();
                for (_, last) in pairs.iter().filter(|(name, _)| *name == n) {
                    if !expected.contains(&[192, 0, 2, *last]) {
                        expected.push([192, 0, 2, *last]);
                    }
                }
                prop_assert_eq!(v4(&hosts, &format!("h{n}.example.")), expected);
            }
        }
    }
}
