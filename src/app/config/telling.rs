//! What is told of the server's work: the blocks `log` and `dnstap`.

use std::path::Path;

use tracing::level_filters::LevelFilter;

use super::cursor::{Field, Section};
use super::raw::Value;
use super::types::{Dnstap, Levels, Log, LogFormat, QueryLog, TapPeer};
use super::{addresses, scalars};
use crate::edge::tap::{Party, TapSettings};

const LEVELS: &[(&str, LevelFilter)] = &[
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
    ("off", LevelFilter::OFF),
];
const LEVEL_FORM: &str = "off, error, warn, info, debug or trace, perhaps with others for modules, such as \
    info,meridian::handlers::resolve=debug";
const SAMPLE_FORM: &str = "off, all, a percentage such as 1% or a part such as 1/100";
/// One in so many is the smallest sample.
const SAMPLE_OF_MAX: u32 = 1_000_000;
/// Octets of a text that dnstap tells (RFC 5001 has no more for an NSID).
const TEXT_MAX: usize = 255;

/// The block `log`.
pub(super) fn log(section: &mut Section<'_>) -> Log {
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    Log {
        levels: section.take("level").map_or_else(Levels::default, |field| levels(&field)),
        format: section.choice("format", LogFormat::Text, &formats),
        queries: section.take("queries").map_or_else(QueryLog::default, |field| queries(&field)),
    }
}

/// `log: off` still lets errors through: a server that dies in silence helps nobody.
pub(super) fn quiet_log() -> Log {
    let levels = Levels { all: LevelFilter::ERROR, modules: Vec::new() };
    Log { levels, format: LogFormat::Text, queries: QueryLog::default() }
}

fn level(text: &str) -> Option<LevelFilter> {
    let word = if text == "false" { "off" } else { text };
    LEVELS.iter().find(|(name, _)| *name == word).map(|(_, level)| *level)
}

fn is_module(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "_:-".contains(letter))
}

/// A level and others for modules: as a text, or as a mapping in which `default` is for all others.
fn levels(field: &Field<'_>) -> Levels {
    let mut levels = Levels::default();
    if let Value::Map(_) = &field.node.value {
        for (module, at, value) in field.entries("a mapping").unwrap_or_default() {
            let level = value.scalar("off, error, warn, info, debug or trace", level).unwrap_or(LevelFilter::INFO);
            match module {
                "default" => levels.all = level,
                module if is_module(module) => levels.modules.push((module.to_owned(), level)),
                _ => value.fault_at(at, "a key that is no module", "default, or a module such as meridian::edge"),
            }
        }
    } else {
        let read = |text: &str| {
            let mut levels = Levels::default();
            for part in text.split(',').map(str::trim) {
                match part.split_once('=') {
                    None => levels.all = level(part)?,
                    Some((module, of)) if is_module(module) => levels.modules.push((module.to_owned(), level(of)?)),
                    Some(_) => return None,
                }
            }
            Some(levels)
        };
        levels = field.scalar(LEVEL_FORM, read).unwrap_or_default();
    }
    levels.modules.sort();
    levels.modules.dedup_by(|next, kept| next.0 == kept.0);
    levels
}

/// `off`, `all` or a sample, in parts of a million.
fn sample(text: &str) -> Option<u32> {
    match text {
        "off" | "false" => Some(0),
        "all" | "true" => Some(1_000_000),
        part => match part.strip_prefix("1/") {
            Some(of) => of.parse().ok().filter(|of| (1..=SAMPLE_OF_MAX).contains(of)).map(|of| 1_000_000 / of),
            None => scalars::share(part),
        },
    }
}

fn queries(field: &Field<'_>) -> QueryLog {
    let Value::Map(_) = &field.node.value else {
        let allowed = format!("{SAMPLE_FORM}; or a mapping such as {{sample: 1/100, slow: 200ms}}");
        return QueryLog { per_million: field.scalar(allowed, sample).unwrap_or(0), slow: None };
    };
    let Some(mut section) = field.section("a mapping") else { return QueryLog::default() };
    let per_million = section.take("sample").and_then(|field| field.scalar(SAMPLE_FORM, sample)).unwrap_or(0);
    let slow = section.take("slow").filter(|field| !field.node.is_off()).and_then(|field| {
        let read = |text: &str| scalars::duration(text).filter(|slow| slow.as_secs() < 60);
        field.scalar("off, or a duration below 1m, such as 200ms", read)
    });
    section.close();
    QueryLog { per_million, slow }
}

/// The block `dnstap`.
pub(super) fn dnstap(top: &mut Section<'_>, folder: &Path) -> Option<Dnstap> {
    const FORM: &str = "off, or a mapping such as {socket: /run/dnstap.sock}";
    let field = top.take("dnstap").filter(|field| !field.node.is_off())?;
    let mut section = field.section(FORM)?;
    let socket = section.path("socket", folder).map(TapPeer::Socket);
    let tcp = section.take("tcp").filter(|field| !field.node.is_off());
    let tcp = tcp.and_then(|field| addresses::socket(&field)).map(TapPeer::Tcp);
    let queries = parties(&mut section, "queries");
    let responses = parties(&mut section, "responses");
    let sample = section.take("sample").and_then(|field| field.scalar(SAMPLE_FORM, sample));
    let mut text = |key| {
        let field = section.take(key)?;
        if field.node.is_off() {
            return Some(Some(String::new()));
        }
        let read = |text: &str| Some(text.to_owned()).filter(|text| (1..=TEXT_MAX).contains(&text.len()));
        Some(field.scalar("off, or a text of 1 to 255 octets", read))
    };
    let (identity, version) = (text("identity"), text("version"));
    section.close();
    let to = match (socket, tcp) {
        (Some(_), Some(_)) => {
            field.fault_found("socket and tcp", "one of the two");
            return None;
        }
        (None, None) => {
            field.fault_found("neither socket nor tcp", "one of the two");
            return None;
        }
        (socket, tcp) => socket.or(tcp)?,
    };
    let settings = TapSettings { queries, responses, per_million: sample.unwrap_or(1_000_000) };
    let version = version.flatten().unwrap_or_else(|| concat!("meridian ", env!("CARGO_PKG_VERSION")).to_owned());
    Some(Dnstap { to, settings, identity: identity.flatten(), version })
}

/// With whom messages are exchanged that are told.
fn parties(section: &mut Section<'_>, key: &'static str) -> Vec<Party> {
    const ALL: [Party; 3] = [Party::Client, Party::Auth, Party::Resolver];
    const FORM: &str = "all, off, or a list of these: client, auth, resolver";
    let Some(field) = section.take(key) else { return ALL.into() };
    if field.node.is_off() {
        return Vec::new();
    }
    if matches!(field.node.text(), Some("all" | "true")) {
        return ALL.into();
    }
    let read = |text: &str| match text {
        "client" => Some(Party::Client),
        "auth" => Some(Party::Auth),
        "resolver" => Some(Party::Resolver),
        _ => None,
    };
    let mut parties: Vec<Party> = field.each().iter().filter_map(|field| field.scalar(FORM, read)).collect();
    parties.sort();
    parties.dedup();
    parties
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::time::Duration;

    use super::*;
    use crate::app::config::{Machine, load};

    fn read(text: &str) -> Result<(Log, Option<Dnstap>), Vec<String>> {
        let machine = Machine { cores: NonZeroUsize::MIN, memory: None };
        let folder = Path::new("/etc/meridian.yaml");
        let checked = load(folder, text.as_bytes(), &machine);
        checked
            .map(|checked| (checked.config.log, checked.config.dnstap))
            .map_err(|faults| faults.iter().map(|fault| format!("{}: {}", fault.key, fault.found)).collect())
    }

    #[test]
    fn modules_have_levels_of_their_own_in_either_form() {
        let (text, _) = read("log: {level: 'warn,meridian::edge=debug,hickory_proto=off'}").unwrap();
        let mapping = "log: {level: {default: warn, 'meridian::edge': debug, hickory_proto: off}}";
        assert_eq!(read(mapping).unwrap().0, text);
        assert_eq!(text.levels.all, LevelFilter::WARN);
        let named = [("hickory_proto", LevelFilter::OFF), ("meridian::edge", LevelFilter::DEBUG)];
        assert_eq!(text.levels.modules, named.map(|(module, level)| (module.to_owned(), level)));
        assert_eq!(read("log: {level: off}").unwrap().0.levels.all, LevelFilter::OFF);
        for bad in ["'warn,meridian::edge'", "'x y=info'", "'=info'", "''", "[info]", "{'a b': info}", "{a: loud}"] {
            assert!(read(&format!("log: {{level: {bad}}}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn queries_are_sampled_and_slow_ones_are_kept() {
        let queries = |text: &str| read(&format!("log: {{queries: {text}}}")).map(|(log, _)| log.queries);
        let of = |per_million, slow| Ok(QueryLog { per_million, slow });
        assert_eq!(queries("1/100"), of(10_000, None));
        assert_eq!(queries("all"), of(1_000_000, None));
        assert_eq!(queries("{sample: 0.5%, slow: 200ms}"), of(5_000, Some(Duration::from_millis(200))));
        assert_eq!(queries("{slow: 1s}"), of(0, Some(Duration::from_secs(1))));
        assert_eq!(queries("{sample: off, slow: off}"), of(0, None));
        for bad in ["1/0", "1/2000000", "2/3", "{slow: 1m}", "{slow: soon}", "{sample: 1}", "{rate: 1%}"] {
            assert!(queries(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_tap_has_one_reader_and_tells_what_is_wanted() {
        let tap = |text: &str| read(&format!("dnstap: {text}")).map(|(_, dnstap)| dnstap);
        let all = vec![Party::Client, Party::Auth, Party::Resolver];
        let plain = tap("{socket: tap.sock}").unwrap().unwrap();
        assert_eq!(plain.to, TapPeer::Socket("/etc/tap.sock".into()));
        let settings = TapSettings { queries: all.clone(), responses: all, per_million: 1_000_000 };
        assert_eq!((plain.settings, plain.identity), (settings, None));
        assert!(plain.version.starts_with("meridian "));
        let text = "{tcp: '192.0.2.1:6000', queries: off, responses: [resolver, client], sample: 1/10, identity: here, \
                    version: off}";
        let chosen = tap(text).unwrap().unwrap();
        assert_eq!(chosen.to, TapPeer::Tcp("192.0.2.1:6000".parse().unwrap()));
        let (queries, responses) = (Vec::new(), vec![Party::Client, Party::Resolver]);
        assert_eq!(chosen.settings, TapSettings { queries, responses, per_million: 100_000 });
        assert_eq!((chosen.identity.as_deref(), chosen.version.as_str()), (Some("here"), ""));
        assert_eq!(tap("off"), Ok(None));
        for bad in ["{}", "on", "{socket: a, tcp: '192.0.2.1:1'}", "{socket: a, queries: [all]}", "{socket: a, x: 1}"] {
            assert!(tap(bad).is_err(), "{bad}");
        }
    }
}
