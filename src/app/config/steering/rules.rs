//! The stages `rules` and `fence`: who is answered by whom, by network, system and place.

use std::collections::BTreeSet;

use super::super::cursor::{Field, Section};
use super::super::raw::{Value, quoted};
use super::stages::biases;
use super::words;
use crate::base::Network;
use crate::steer::StageSpec;
use crate::steer::stages::fence::{OnEmpty, Same};
use crate::steer::stages::rules::{On, Rule};

const FORM: &str = "a mapping such as {cidr: {10.0.0.0/8: fra}, geo: {EU: [fra]}, default: iad}";
const WANTED: &str =
    "a member, a list of members in which \"!fra\" leaves fra out, or {prefer: […], exclude: […], bias: {fra: 20}}";

/// How the key of a rule is read.
type Reading = fn(&str) -> Option<On>;

/// The rules of the stage `rules`.
pub(super) fn read(told: &Field<'_>) -> Option<Vec<Rule>> {
    let mut section = told.section(FORM)?;
    let rules = from_section(&mut section);
    section.close();
    if rules.as_ref().is_some_and(Vec::is_empty) {
        told.fault_found("no rule", FORM);
        return None;
    }
    rules
}

/// The stage `fence`: rules, what client and member must have in common, and what is done where nobody is left.
pub(super) fn fence(told: &Field<'_>) -> Option<StageSpec> {
    const FENCE: &str = "continent, country, subdivision, or a mapping such as {same: continent, on_empty: open}";
    let sames = [("continent", Same::Continent), ("country", Same::Country), ("subdivision", Same::Subdivision)];
    if !matches!(told.node.value, Value::Map(_)) {
        let read = |text: &str| sames.iter().find(|(word, _)| *word == text).map(|(_, same)| *same);
        let same = told.scalar(FENCE, read)?;
        return Some(StageSpec::Fence { rules: Vec::new(), same: Some(same), on_empty: OnEmpty::default() });
    }
    let mut section = told.section(FENCE)?;
    let rules = from_section(&mut section);
    let same = section.take("same").is_some().then(|| section.choice("same", Same::Continent, &sames));
    let outcomes = [("fallback", OnEmpty::Fallback), ("open", OnEmpty::Open), ("nodata", OnEmpty::NoData)];
    let on_empty = section.choice("on_empty", OnEmpty::Fallback, &outcomes);
    section.close();
    let rules = rules?;
    if rules.is_empty() && same.is_none() {
        told.fault_found("a fence around nothing", FENCE);
        return None;
    }
    Some(StageSpec::Fence { rules, same, on_empty })
}

/// The rules of a section; none if one of them is wrong.
fn from_section(section: &mut Section<'_>) -> Option<Vec<Rule>> {
    let network = |text: &str| {
        let network: Network = text.parse().ok()?;
        Some(On::Network(network))
    };
    let asn = |text: &str| text.trim_start_matches("AS").parse().ok().filter(|asn| *asn != 0).map(On::Asn);
    let city = |text: &str| (!text.is_empty()).then(|| On::City(text.into()));
    let geo = |text: &str| text.parse().ok().map(On::Geo);
    let levels: [(&'static str, &str, Reading); 4] = [
        ("cidr", "a network such as 10.0.0.0/8, no bits set behind the prefix", network),
        ("asn", "the number of an autonomous system such as 64500", asn),
        ("city", "a city's English name", city),
        ("geo", "a continent, country or subdivision such as EU, NA-US or NA-US-HI (a bare code is a continent)", geo),
    ];
    let (mut rules, mut is_whole) = (Vec::new(), true);
    for (key, allowed, read) in levels {
        let Some(field) = section.take(key) else { continue };
        let mut seen = BTreeSet::new();
        let entries = field.entries("a mapping from what is matched to members");
        is_whole &= entries.is_some();
        for (text, at, wanted) in entries.unwrap_or_default() {
            let Some(on) = read(text) else {
                wanted.fault_at(at, quoted(text), allowed);
                is_whole = false;
                continue;
            };
            if !seen.insert(on.to_string().to_ascii_lowercase()) {
                wanted.fault_at(at, format!("{on} again"), "each once");
            }
            match rule(on, &wanted) {
                Some(rule) => rules.push(rule),
                None => is_whole = false,
            }
        }
    }
    if let Some(field) = section.take("default") {
        match rule(On::Default, &field) {
            Some(rule) => rules.push(rule),
            None => is_whole = false,
        }
    }
    is_whole.then_some(rules)
}

fn rule(on: On, wanted: &Field<'_>) -> Option<Rule> {
    let mut rule = Rule { on, prefer: Vec::new(), exclude: Vec::new(), bias: Vec::new() };
    let names = |field: &Field<'_>| -> Option<Vec<Box<str>>> {
        let items = field.each();
        let names: Vec<Box<str>> = items.iter().filter_map(words::name).collect();
        (names.len() == items.len()).then_some(names)
    };
    if matches!(wanted.node.value, Value::Map(_)) {
        let mut section = wanted.section(WANTED)?;
        let prefer = section.take("prefer").map_or(Some(Vec::new()), |field| names(&field));
        let exclude = section.take("exclude").map_or(Some(Vec::new()), |field| names(&field));
        rule.bias = section.take("bias").map(|field| biases(&field)).unwrap_or_default();
        section.close();
        (rule.prefer, rule.exclude) = (prefer?, exclude?);
    } else {
        for item in wanted.each() {
            let text = item.node.text().filter(|text| !text.is_empty());
            match (text, text.and_then(|text| text.strip_prefix('!'))) {
                (_, Some(name)) => rule.exclude.push(name.into()),
                (Some(name), None) => rule.prefer.push(name.into()),
                (None, None) => {
                    item.fault(WANTED);
                    return None;
                }
            }
        }
    }
    if rule.prefer.is_empty() && rule.exclude.is_empty() && rule.bias.is_empty() {
        wanted.fault(WANTED);
        return None;
    }
    Some(rule)
}
