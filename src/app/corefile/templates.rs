//! The plugin template, as far as its answers are fixed: they may tell the name that was asked for, and nothing else that
//! depends on the query.

use super::draft::{Draft, plain};
use super::plugins::Plugin;
use super::yaml::Yaml;
use crate::dns::{Name, RecordType};
use crate::handlers::authority::master_file;
use crate::handlers::fixed::Pattern;

/// What the rule of one zone is made of.
struct Parts {
    types: Option<RecordType>,
    patterns: Vec<String>,
    rcode: Option<String>,
    sections: Vec<(&'static str, String)>,
}

pub(super) fn template(plugin: &Plugin<'_>, draft: &mut Draft) {
    let [class, rtype, zones @ ..] = plugin.line.args() else {
        return plugin.lost(draft, "it names neither class nor type");
    };
    if !["IN", "ANY"].contains(&class.to_ascii_uppercase().as_str()) {
        return plugin.lost(draft, format!("class {class} is not answered"));
    }
    let types = match rtype.to_ascii_uppercase().as_str() {
        "ANY" => None,
        word => match word.parse::<RecordType>() {
            Ok(rtype) if !rtype.is_meta() => Some(rtype),
            _ => return plugin.lost(draft, format!("{rtype} is no type of records")),
        },
    };
    let zones: Vec<Name> = if zones.is_empty() {
        plugin.server.zones.clone()
    } else {
        zones.iter().filter_map(|zone| zone.parse().ok()).collect()
    };
    let mut parts = Parts { types, patterns: Vec::new(), rcode: None, sections: Vec::new() };
    let mut passing: Option<&[String]> = None;
    for option in &plugin.line.block {
        match (option.name(), option.args()) {
            ("match", patterns) => parts.patterns.extend(patterns.iter().cloned()),
            ("rcode", [rcode]) => parts.rcode = Some(rcode.to_ascii_uppercase()),
            ("answer", records) => parts.sections.extend(records.iter().map(|record| ("answer", record.clone()))),
            ("authority", records) => parts.sections.extend(records.iter().map(|record| ("authority", record.clone()))),
            ("additional", records) => {
                parts.sections.extend(records.iter().map(|record| ("additional", record.clone())));
            }
            ("fallthrough", zones) => passing = Some(zones),
            ("upstream", _) => plugin.option_otherwise(draft, option, "CoreDNS itself does nothing by it any more"),
            ("ederror", _) => plugin.lost_option(draft, option, "no extended error goes along"),
            _ => plugin.unknown_option(draft, option),
        }
    }
    if let Some(fault) = parts.patterns.iter().find_map(|pattern| Pattern::parse(pattern).err()) {
        return plugin.lost(draft, format!("its pattern cannot be used ({fault})"));
    }
    let known = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];
    if let Some(rcode) = parts.rcode.as_deref().filter(|rcode| !known.contains(rcode)) {
        return plugin.lost(draft, format!("the response code {rcode} is not given"));
    }
    let mut rules = Vec::new();
    for zone in zones {
        // Names of servers that are more at home there are theirs.
        let except: Vec<Name> = plugin.inner.iter().filter(|inner| inner.is_within(&zone)).cloned().collect();
        match rule(&zone, &except, &parts) {
            Ok(rule) => rules.push(rule),
            Err(why) => return plugin.lost(draft, why),
        }
        // A name that fits no pattern and may not pass is SERVFAIL.
        if !parts.patterns.is_empty()
            && let Some(zones) = not_passing(passing)
        {
            let except = except.into_iter().chain(zones).collect::<Vec<_>>();
            let rest = Parts { types, patterns: Vec::new(), rcode: Some("SERVFAIL".into()), sections: Vec::new() };
            rules.extend(rule(&zone, &except, &rest));
        }
    }
    draft.fixed.extend(rules);
}

/// The zones in which names may pass after all; none where all may.
fn not_passing(passing: Option<&[String]>) -> Option<Vec<Name>> {
    match passing {
        None => Some(Vec::new()),
        Some([]) => None,
        Some(zones) => Some(zones.iter().filter_map(|zone| zone.parse().ok()).collect()),
    }
}

fn rule(zone: &Name, except: &[Name], parts: &Parts) -> Result<Yaml, String> {
    let mut entries = vec![("zone", Yaml::text(plain(zone)))];
    if !except.is_empty() {
        entries.push(("except", Yaml::texts(except.iter().map(plain))));
    }
    match parts.patterns.as_slice() {
        [] => {}
        [one] => entries.push(("match", Yaml::text(one))),
        many => entries.push(("match", Yaml::texts(many))),
    }
    entries.extend(parts.types.map(|rtype| ("types", Yaml::texts([rtype]))));
    entries
        .extend(parts.rcode.as_deref().filter(|rcode| *rcode != "NOERROR").map(|rcode| ("rcode", Yaml::text(rcode))));
    for section in ["answer", "authority", "additional"] {
        // What says SERVFAIL says nothing else.
        let is_told = parts.rcode.as_deref() != Some("SERVFAIL");
        let own = parts.sections.iter().filter(|(name, _)| *name == section && is_told);
        let records: Vec<String> = own.map(|(_, text)| record(text, zone, parts.types)).collect::<Result<_, _>>()?;
        if !records.is_empty() {
            entries.push((section, Yaml::texts(records)));
        }
    }
    Ok(Yaml::map(entries))
}

/// A record with what the template says of the query put in its place; the name asked for can only be its owner.
fn record(text: &str, zone: &Name, rtype: Option<RecordType>) -> Result<String, String> {
    let not_fixed = |what: &str| format!("`{text}` is no fixed answer: it depends on {what}");
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once("{{") {
        let (what, behind) = behind.split_once("}}").ok_or_else(|| not_fixed("what is broken"))?;
        out.push_str(before);
        match what.trim_matches('-').trim() {
            ".Name" if out.trim().is_empty() => "@".clone_into(&mut out),
            ".Zone" => out.push_str(&zone.to_string()),
            ".Class" => out.push_str("IN"),
            ".Type" => match rtype {
                Some(rtype) => out.push_str(&rtype.to_string()),
                None => return Err(not_fixed(".Type")),
            },
            what => return Err(not_fixed(what)),
        }
        rest = behind;
    }
    out.push_str(rest);
    let out = out.trim().to_owned();
    let whole = out.strip_prefix('@').map_or_else(|| out.clone(), |rest| format!(".{rest}"));
    master_file::record(&whole).map(|_| out).map_err(|fault| format!("`{text}` is no record ({fault})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_may_tell_the_name_its_zone_and_its_type_and_no_more() {
        let zone: Name = "example.".parse().unwrap();
        let told = |text: &str| record(text, &zone, Some(RecordType::A));
        assert_eq!(told("{{ .Name }} 60 {{.Class}} {{ .Type }} 192.0.2.1").unwrap(), "@ 60 IN A 192.0.2.1");
        assert_eq!(
            told("{{ .Zone }} 60 IN SOA ns.{{ .Zone }} a.{{ .Zone }} (1 60 60 60 60)").unwrap(),
            "example. 60 IN SOA ns.example. a.example. (1 60 60 60 60)"
        );
        assert!(told("{{ .Name }} 60 IN A {{ .Group.ip }}").unwrap_err().contains("depends on .Group.ip"));
        assert!(told("{{ .Name }} 60 IN CNAME {{ .Name }}").is_err());
        assert!(told("{{ .Name }} 60 IN A here").unwrap_err().contains("is no record"));
    }
}
