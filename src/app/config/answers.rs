//! What is said of certain names before anything else is looked at, and in which order addresses are told: the keys
//! `answer_order`, `rewrite` and `fixed`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cursor::{Field, Section};
use super::raw::quoted;
use crate::chain::Rewrites;
use crate::dns::{Name, Rcode, RecordType, RrSet};
use crate::handlers::authority::master_file;
use crate::handlers::fixed::{Pattern, Rule, Told};

const REWRITE: &str = "a mapping such as {old.example: new.example}";
const FIXED: &str = "a list such as [{zone: internal, rcode: NXDOMAIN}]";
const NAME: &str = "a domain name such as example.com";
const RECORD: &str = "a record such as \"@ 60 IN A 192.0.2.1\"; @ is the name asked for, other names are whole";
const TYPES: &str = "all, or a list of record types such as [A, AAAA]";
const RCODES: [Rcode; 6] =
    [Rcode::NOERROR, Rcode::FORMERR, Rcode::SERVFAIL, Rcode::NXDOMAIN, Rcode::NOTIMP, Rcode::REFUSED];

/// Whether addresses come in another order from query to query.
pub(super) fn rotates(top: &mut Section<'_>) -> bool {
    top.choice("answer_order", false, &[("given", false), ("rotate", true)])
}

/// The names that are asked for under another.
pub(super) fn rewrites(top: &mut Section<'_>) -> Rewrites {
    let Some(field) = top.take("rewrite").filter(|field| !field.node.is_off()) else { return Rewrites::default() };
    let mut pairs: BTreeMap<Name, Name> = BTreeMap::new();
    for (text, at, meant) in field.entries(REWRITE).unwrap_or_default() {
        let Ok(asked) = text.parse::<Name>() else {
            meant.fault_at(at, quoted(text), NAME);
            continue;
        };
        let Some(name) = meant.scalar(NAME, |text| text.parse::<Name>().ok()) else { continue };
        if pairs.contains_key(&asked) {
            meant.fault_at(at, format!("the name {asked} again"), "each name once");
        }
        pairs.insert(asked, name);
    }
    pairs.into_iter().collect()
}

/// The fixed answers, in the order in which they are tried.
pub(super) fn fixed(top: &mut Section<'_>) -> Vec<Rule> {
    let Some(field) = top.take("fixed").filter(|field| !field.node.is_off()) else { return Vec::new() };
    field.items(FIXED).unwrap_or_default().iter().filter_map(rule).collect()
}

fn rule(field: &Field<'_>) -> Option<Rule> {
    let mut section = field.section("a mapping such as {zone: internal, rcode: NXDOMAIN}")?;
    let zone = section.require("zone", NAME).and_then(|field| name(&field));
    let except = section.take("except").map_or_else(Vec::new, |field| field.each().iter().filter_map(name).collect());
    let patterns =
        section.take("match").map_or_else(Vec::new, |field| field.each().iter().filter_map(pattern).collect());
    let types = section.take("types").filter(|field| field.node.text() != Some("all"));
    let types = types.map_or_else(Vec::new, |field| {
        let one = |item: &Field<'_>| {
            item.scalar(TYPES, |text| text.parse().ok().filter(|rtype: &RecordType| !rtype.is_meta()))
        };
        field.each().iter().filter_map(one).collect()
    });
    let choices = RCODES.map(|rcode| (rcode.to_string(), rcode));
    let choices: Vec<(&str, Rcode)> = choices.iter().map(|(word, rcode)| (word.as_str(), *rcode)).collect();
    let rcode = section.choice("rcode", Rcode::NOERROR, &choices);
    let mut told = |key| section.take(key).map_or_else(Vec::new, |field| told(&field));
    let (answer, authority, additional) = (told("answer"), told("authority"), told("additional"));
    section.close();
    Some(Rule { zone: zone?, except, patterns, types, rcode, answer, authority, additional })
}

fn name(field: &Field<'_>) -> Option<Name> {
    field.scalar(NAME, |text| text.parse().ok())
}

fn pattern(field: &Field<'_>) -> Option<Pattern> {
    match Pattern::parse(field.node.text().unwrap_or_default()) {
        Ok(pattern) if field.node.text().is_some() => Some(pattern),
        Ok(_) => {
            field.fault("a regular expression such as '^web-[0-9]+[.]'");
            None
        }
        Err(why) => {
            field.fault(format!("a regular expression such as '^web-[0-9]+[.]' ({why})"));
            None
        }
    }
}

/// Records, those of one owner and type that follow each other as one set.
fn told(field: &Field<'_>) -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    for item in field.each() {
        let Some(text) = item.node.text() else {
            item.fault(RECORD);
            continue;
        };
        let rest = text.trim_start().strip_prefix('@').filter(|rest| rest.starts_with([' ', '\t']));
        let read = rest.map_or_else(|| master_file::record(text), |rest| master_file::record(&format!(".{rest}")));
        let set = match read {
            Ok(set) => set,
            Err(fault) => {
                item.fault(format!("{RECORD} ({fault})"));
                continue;
            }
        };
        let is_of_asked = rest.is_some();
        match told.last_mut().filter(|last| last.is_of_asked == is_of_asked && is_same(&last.set, &set)) {
            Some(last) => {
                let rdatas = last.set.rdatas.iter().chain(set.rdatas.iter());
                last.set = Arc::new(RrSet::new(set.owner.clone(), set.rtype, last.set.ttl, rdatas));
            }
            None => told.push(Told { set: Arc::new(set), is_of_asked }),
        }
    }
    told
}

fn is_same(one: &RrSet, other: &RrSet) -> bool {
    (&one.owner, one.rtype) == (&other.owner, other.rtype)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::path::Path;

    use crate::app::config::{Config, Machine, load};

    fn read(text: &str) -> Result<Config, Vec<String>> {
        let machine = Machine { cores: NonZeroUsize::MIN, memory: None };
        let checked = load(Path::new("x"), text.as_bytes(), &machine);
        checked.map(|checked| checked.config).map_err(|faults| faults.iter().map(|fault| fault.key.clone()).collect())
    }

    #[test]
    fn records_of_one_owner_and_type_are_one_set() {
        let config = read(
            "fixed: [{zone: example.com, match: '^a[.]', types: A, answer: ['@ 60 IN A 192.0.2.1', '@ 60 A 192.0.2.2', \
             'b.example. 5 TXT \"x y\"'], authority: '. 1 SOA a. b. 1 2 3 4 5'}]",
        )
        .unwrap();
        let [rule] = config.fixed.as_slice() else { panic!("one rule") };
        let sets: Vec<_> =
            rule.answer.iter().map(|told| (told.is_of_asked, told.set.rdatas.len(), told.set.ttl)).collect();
        assert_eq!(sets, [(true, 2, 60), (false, 1, 5)]);
        assert_eq!((rule.authority.len(), rule.authority[0].is_of_asked), (1, false));
    }

    #[test]
    fn what_is_wrong_is_told_where_it_stands() {
        for (text, key) in [
            ("fixed: {zone: a}", "fixed"),
            ("fixed: [{rcode: NXDOMAIN}]", "fixed[0].zone"),
            ("fixed: [{zone: a, rcode: MAYBE}]", "fixed[0].rcode"),
            ("fixed: [{zone: a, types: [A, AXFR]}]", "fixed[0].types[1]"),
            ("fixed: [{zone: a, match: '('}]", "fixed[0].match"),
            ("fixed: [{zone: a, match: [a, {}]}]", "fixed[0].match[1]"),
            ("fixed: [{zone: a, answer: ['@ 60 A here']}]", "fixed[0].answer[0]"),
            ("fixed: [{zone: a, answer: ['@ 60 A 192.0.2.1\n@ 60 A 192.0.2.2']}]", "fixed[0].answer[0]"),
            ("fixed: [{zone: a, answers: []}]", "fixed[0].answers"),
            ("rewrite: {a..b: c}", "rewrite.\"a..b\""),
            ("rewrite: {a: b, A: c}", "rewrite.A"),
            ("rewrite: {a: []}", "rewrite.a"),
            ("answer_order: random", "answer_order"),
        ] {
            assert_eq!(read(text).map(drop), Err(vec![key.to_owned()]), "{text}");
        }
    }
}
