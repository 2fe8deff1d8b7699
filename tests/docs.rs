//! The documentation is held to the code: its YAML loads, its commands parse, its links lead somewhere, its tables
//! say what the source says. `MERIDIAN_DOCS=write cargo test --test docs` writes the tables' columns anew.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Parser as _;
use clap::error::ErrorKind;
use meridian::app::cli::Cli;
use meridian::app::config::{self, Machine};
use meridian::base::bounds;
use meridian::base::tally::Event;
use meridian::edge::admin::catalogue::{self, Metric};
use serde_json::Value;

const MACHINE: Machine = Machine { cores: NonZeroUsize::new(4).unwrap(), memory: Some(8 << 30) };

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every page, by its path from the root.
fn pages() -> Vec<(PathBuf, String)> {
    let mut pages = vec![root().join("README.md")];
    let mut open = vec![root().join("docs")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    assert!(pages.len() > 6, "the pages are found");
    pages.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

fn page(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Fails with every line of `found`.
#[track_caller]
fn none(found: &[String]) {
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The fenced blocks of a page: the words behind the fence, and the content.
fn blocks(text: &str) -> Vec<(&str, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(&str, String)> = None;
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(info), None) => open = Some((info, String::new())),
            (None, Some((_, content))) => writeln!(content, "{line}").unwrap(),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is never closed");
    blocks
}

/// The text outside fenced blocks.
fn prose(text: &str) -> String {
    let mut is_block = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_block = !is_block;
        } else if !is_block {
            writeln!(prose, "{line}").unwrap();
        }
    }
    prose
}

/// What stands between single backticks.
fn spans(text: &str) -> Vec<String> {
    prose(text)
        .split("\n\n")
        .flat_map(|part| part.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[test]
fn every_yaml_block_is_a_configuration_without_faults_or_lints() {
    let mut found = Vec::new();
    let mut count = 0;
    for (path, text) in pages() {
        for (info, content) in blocks(&text) {
            if info != "yaml" {
                continue; // "yaml fragment" is a part of one
            }
            count += 1;
            let noted = match config::load(&path, content.as_bytes(), &MACHINE) {
                Ok(checked) => checked.lints,
                Err(faults) => faults,
            };
            found.extend(noted.iter().map(ToString::to_string));
        }
    }
    none(&found);
    assert!(count >= 3, "only {count} blocks");
}

#[test]
fn every_example_file_is_clean() {
    let mut count = 0;
    for entry in fs::read_dir(root().join("docs/examples")).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.extension().is_some_and(|extension| extension == "yaml"), "{}", path.display());
        let checked = config::read(&path, &MACHINE).unwrap_or_else(|faults| panic!("{faults:#?}"));
        assert_eq!(checked.lints, [], "{}", path.display());
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(page("docs/configuration.md").contains(&format!("examples/{name}")), "{name} is not spoken of");
        count += 1;
    }
    assert!(count >= 3);
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut found = Vec::new();
    for (path, text) in pages() {
        let text = prose(&text);
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap();
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
            let file = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            if !file.exists() {
                found.push(format!("{}: {target} leads nowhere", path.display()));
            } else if let Some(anchor) = anchor
                && !headings(&fs::read_to_string(&file).unwrap()).contains(anchor)
            {
                found.push(format!("{}: {target} has no such heading", path.display()));
            }
        }
    }
    none(&found);
}

/// The headings as links name them.
fn headings(text: &str) -> BTreeSet<String> {
    let plain = |heading: &str| {
        let kept = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        kept.chars().filter(|letter| letter.is_alphanumeric() || "-_".contains(*letter)).collect()
    };
    prose(text).lines().filter(|line| line.starts_with('#')).map(plain).collect()
}

#[test]
fn every_command_that_is_shown_is_understood() {
    let mut lines = Vec::new();
    for (path, text) in pages() {
        lines.extend(
            spans(&text).into_iter().filter(|span| span.starts_with("meridian ")).map(|span| (path.clone(), span)),
        );
        let indented = prose(&text);
        let indented = indented.lines().filter_map(|line| line.strip_prefix("    "));
        let blocks = blocks(&text);
        let fenced = blocks.iter().filter(|(info, _)| matches!(*info, "console" | "sh"));
        let fenced =
            fenced.flat_map(|(_, content)| content.lines()).map(|line| line.strip_prefix("$ ").unwrap_or(line));
        for line in indented.chain(fenced) {
            let words: Vec<&str> = line.split_whitespace().take(2).collect();
            let is_ours = |word: &&str| *word == "meridian" || word.ends_with("/meridian");
            if words.iter().any(is_ours) && !line.starts_with("meridian 0.") {
                lines.push((path.clone(), line[line.find("meridian").unwrap()..].to_owned()));
            }
        }
    }
    assert!(lines.len() > 8, "{lines:?}");
    let mut found = Vec::new();
    for (path, line) in lines {
        let line = line.rsplit_once("/meridian ").map_or(line.clone(), |(_, rest)| format!("meridian {rest}"));
        let end = line.find(['|', ';', '&', '#', '>']).unwrap_or(line.len());
        match Cli::try_parse_from(line[..end].split_whitespace()) {
            Err(fault) if !matches!(fault.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
                found.push(format!("{}: {line}: {fault}", path.display()));
            }
            _ => {}
        }
    }
    none(&found);
}

#[test]
fn every_command_is_spoken_of() {
    let text: String = pages().into_iter().map(|(_, text)| text).collect();
    let command = <Cli as clap::CommandFactory>::command();
    let untold: Vec<_> = command.get_subcommands().map(|command| format!("meridian {}", command.get_name())).collect();
    let untold: Vec<_> = untold.into_iter().filter(|command| !text.contains(command.as_str())).collect();
    none(&untold);
}

/// Holds the table under the line `before` of a page to `rows`: the first columns are the code's, the last is free
/// where `rows` gives one less than the table has.
#[track_caller]
fn hold_table(path: &str, before: &str, rows: &[Vec<String>]) {
    let text = page(path);
    let start = text.find(before).unwrap_or_else(|| panic!("{path} has no {before:?}"));
    let head = start + text[start..].find("\n|---").unwrap_or_else(|| panic!("{path}: no table behind {before:?}"));
    let first = head + 1 + text[head + 1..].find('\n').unwrap() + 1;
    let end = first + text[first..].find("\n\n").map_or(text.len() - first, |end| end + 1);
    let shown: Vec<Vec<&str>> = text[first..end].lines().map(cells).collect();
    let columns = cells(text[..head].lines().last().unwrap()).len();
    let mut wanted = String::new();
    for row in rows {
        let mut row: Vec<&str> = row.iter().map(String::as_str).collect();
        if row.len() < columns {
            let known = shown.iter().find(|known| known.first() == row.first()).and_then(|known| known.last());
            row.push(known.copied().filter(|text| !text.is_empty()).unwrap_or("?"));
        }
        writeln!(wanted, "| {} |", row.join(" | ")).unwrap();
    }
    if std::env::var_os("MERIDIAN_DOCS").is_some_and(|wish| wish == "write") {
        fs::write(root().join(path), format!("{}{wanted}{}", &text[..first], &text[end..])).unwrap();
        return;
    }
    assert_eq!(text[first..end], wanted, "{path}: MERIDIAN_DOCS=write cargo test --test docs mends it");
    assert!(!wanted.contains("| ? |"), "{path}: a row has no words yet");
}

fn cells(line: &str) -> Vec<&str> {
    line.trim().trim_matches('|').split(" | ").map(str::trim).collect()
}

#[test]
fn the_table_of_bounds_is_the_codes() {
    let row = |bound: &bounds::Bound| {
        let about = bound.about.replace("  ", " ");
        vec![format!("`{}`", bound.name), (bound.value)(), about]
    };
    let rows: Vec<_> = bounds::ALL.iter().map(row).collect();
    hold_table("docs/bounds.md", "# Bounds", &rows);
}

/// The rows of the table under the line `before` of a page, cell by cell.
fn rows_under(path: &str, before: &str) -> Vec<Vec<String>> {
    let text = page(path);
    let (_, below) = text.split_once(before).unwrap_or_else(|| panic!("{path} has no {before:?}"));
    let table = below.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    table
        .take_while(|line| line.starts_with('|'))
        .map(|line| cells(line).into_iter().map(str::to_owned).collect())
        .collect()
}

/// What stands between `mark`s.
fn marked(text: &str, mark: char) -> Vec<&str> {
    text.split(mark).skip(1).step_by(2).collect()
}

/// What is wrong with a cell that names tests: `functions` by their names and *stories* by their claims.
fn faults_of_tests(cell: &str, sources: &str, stories: &str) -> Vec<String> {
    let (functions, claims) = (marked(cell, '`'), marked(cell, '*'));
    let mut found = Vec::new();
    if functions.is_empty() && claims.is_empty() {
        found.push(format!("{cell:?} names no test"));
    }
    for function in functions {
        let is_test = sources.match_indices(&format!("fn {function}(")).any(|(at, _)| {
            let before = sources[..at].trim_end().trim_end_matches("async").trim_end();
            before.ends_with("test]")
        });
        if !is_test {
            found.push(format!("there is no test `{function}`"));
        }
    }
    let has_story = |claim: &&str| stories.lines().any(|line| line.strip_prefix("story: ") == Some(claim));
    found.extend(claims.iter().filter(|claim| !has_story(claim)).map(|claim| format!("there is no story *{claim}*")));
    found
}

/// All files under `folders` whose names end with `ending`, as one text.
fn text_of(folders: &[&str], ending: &str) -> String {
    let mut text = String::new();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                text += &fs::read_to_string(path).unwrap();
            }
        }
    }
    text
}

/// Every bound that strangers could reach for has a test that reaches for it, and is told by what the test looks at.
#[test]
fn every_bound_of_resolving_is_driven_by_a_test_that_exists() {
    let (sources, stories) = (text_of(&["src", "tests"], ".rs"), text_of(&["tests/stories"], ".story"));
    let defaults = config::builtin_json();
    let mut found = Vec::new();
    let mut told = BTreeSet::new();
    let rows = rows_under("docs/bounds.md", "## Driven to the bound");
    for row in &rows {
        let [what, bounds, counters, tests] = row.as_slice() else { panic!("{row:?}") };
        for bound in marked(bounds, '`') {
            let is_bound = bounds::ALL.iter().any(|known| known.name == bound);
            if !is_bound && defaults.pointer(&format!("/{}", bound.replace('.', "/"))).is_none() {
                found.push(format!("{what}: `{bound}` is neither a bound nor a key"));
            }
        }
        for counter in marked(counters, '`') {
            told.insert(counter.to_owned());
            if !Event::ALL.iter().any(|event| event.name() == counter) {
                found.push(format!("{what}: there is no counter `{counter}`"));
            }
        }
        found.extend(faults_of_tests(tests, &sources, &stories).into_iter().map(|fault| format!("{what}: {fault}")));
    }
    let of_bounds = Event::ALL.iter().map(|event| event.name()).filter(|name| name.starts_with("bound_"));
    found.extend(of_bounds.filter(|name| !told.contains(*name)).map(|name| format!("no row is told by `{name}`")));
    none(&found);
    assert!(rows.len() >= 30);
}

#[test]
fn every_mishap_that_is_told_of_has_its_test() {
    let (sources, stories) = (text_of(&["src", "tests"], ".rs"), text_of(&["tests/stories"], ".story"));
    let rows = rows_under("docs/operating.md", "## When something goes wrong");
    let mut found = Vec::new();
    for row in &rows {
        let [what, _, tests] = row.as_slice() else { panic!("{row:?}") };
        found.extend(faults_of_tests(tests, &sources, &stories).into_iter().map(|fault| format!("{what}: {fault}")));
    }
    none(&found);
    assert!(rows.len() >= 11);
}

#[test]
fn every_mistake_of_others_has_its_tests_or_waits_for_its_feature() {
    let (sources, stories) = (text_of(&["src", "tests"], ".rs"), text_of(&["tests/stories"], ".story"));
    let rows = rows_under("docs/reliability.md", "## Mistakes of others");
    let mut found = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let [number, what, tests] = row.as_slice() else { panic!("{row:?}") };
        assert_eq!(*number, (at + 1).to_string(), "{what}");
        if !tests.starts_with("comes with ") {
            let faults = faults_of_tests(tests, &sources, &stories);
            found.extend(faults.into_iter().map(|fault| format!("{what}: {fault}")));
        }
    }
    none(&found);
    assert_eq!(rows.len(), 23);
}

#[test]
fn the_tables_of_metrics_are_the_codes() {
    let or_dash = |text: String| if text.is_empty() { "–".to_owned() } else { text };
    let row = |metric: &Metric| {
        let labels = metric.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        let name = format!("`{}`", metric.full_name());
        let kind = metric.kind.word().to_owned();
        vec![name, kind, or_dash(labels), or_dash(metric.unit().to_owned()), metric.help.to_owned()]
    };
    let rows: Vec<_> = catalogue::metrics().iter().map(row).collect();
    hold_table("docs/metrics.md", "## Every metric", &rows);
    let series = |event: &Event| match event.series() {
        None => format!("meridian_{}_total", event.name()),
        Some((metric, label, value)) => format!("meridian_{metric}_total{{{label}=\"{value}\"}}"),
    };
    let row = |event: &Event| {
        vec![format!("`{}`", event.name()), format!("`{}`", series(event)), event.help().trim().to_owned()]
    };
    let rows: Vec<_> = Event::ALL.iter().map(row).collect();
    hold_table("docs/metrics.md", "## Short names", &rows);
}

/// The words of `text` that are names of metrics: without the endings of histograms' samples.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let ours = words.filter(|word| {
        ["meridian_", "process_"].iter().any(|start| word.len() > start.len() && word.starts_with(start))
    });
    let endings = ["_bucket", "_sum", "_count"];
    ours.map(|word| endings.iter().find_map(|ending| word.strip_suffix(ending)).unwrap_or(word).to_owned()).collect()
}

#[test]
fn every_metric_that_is_spoken_of_exists() {
    let known: BTreeSet<String> = catalogue::metrics().iter().map(Metric::full_name).collect();
    let mut texts: Vec<(PathBuf, String)> = pages();
    for path in ["deploy/prometheus/meridian.rules.yml", "deploy/grafana/meridian.json"] {
        let text = page(path);
        assert!(metrics_in(&text).len() > 10, "{path} uses metrics");
        texts.push((PathBuf::from(path), text));
    }
    let mut found = Vec::new();
    for (path, text) in texts {
        let unknown = metrics_in(&text).into_iter().filter(|name| !known.contains(name));
        found.extend(unknown.map(|name| format!("{}: there is no metric {name}", path.display())));
    }
    none(&found);
}

#[test]
fn the_dashboard_and_the_alerts_are_whole() {
    let dashboard: Value = serde_json::from_str(&page("deploy/grafana/meridian.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        assert!(panel["gridPos"]["w"].as_u64().is_some_and(|width| (1..=24).contains(&width)), "{panel}");
        if panel["type"] != "row" {
            let targets = panel["targets"].as_array().unwrap();
            assert!(targets.iter().all(|target| target["expr"].as_str().is_some_and(is_balanced)), "{panel}");
        }
    }
    assert!(panels.len() > 15);
    // The rules are read as what they are: lists of an alert with an expression, a time and words.
    let text = page("deploy/prometheus/meridian.rules.yml");
    let alerts = text.matches("- alert: ").count();
    assert!(alerts > 10);
    for key in ["expr: ", "for: ", "severity: ", "summary: ", "description: "] {
        assert_eq!(text.matches(key).count(), alerts, "{key}");
    }
    let expressions = text.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    expressions.for_each(|expression| assert!(is_balanced(expression), "{expression}"));
}

/// Whether every bracket that is opened is closed.
fn is_balanced(expression: &str) -> bool {
    let mut open = Vec::new();
    for letter in expression.chars() {
        match letter {
            '(' | '[' | '{' => open.push(letter),
            ')' | ']' | '}' => match (open.pop(), letter) {
                (Some('('), ')') | (Some('['), ']') | (Some('{'), '}') => {}
                _ => return false,
            },
            _ => {}
        }
    }
    open.is_empty() && !expression.trim().is_empty()
}

#[test]
fn the_admin_resources_are_the_codes() {
    let text = page("docs/operating.md");
    let source = page("src/edge/admin/mod.rs") + &page("src/edge/admin/members.rs") + &page("src/edge/admin/trust.rs");
    let routes: Vec<&str> = source.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(routes.len() >= 15);
    let untold: Vec<_> =
        routes.iter().filter(|route| !text.contains(&format!("`{route}"))).map(|r| (*r).to_owned()).collect();
    none(&untold);
}

#[test]
fn the_table_of_keys_is_the_codes() {
    let mut rows = Vec::new();
    describe("", &config::builtin_json(), &mut rows);
    hold_table("docs/configuration.md", "## Every key", &rows);
}

#[test]
fn the_table_of_a_clusters_keys_is_the_codes() {
    let known = rows_under("docs/kubernetes.md", "## Every key");
    let block: Vec<String> = known.iter().map(|row| default_of(row)).collect();
    let empty = kubernetes("{}");
    assert!(empty.is_some());
    assert_eq!(kubernetes(&format!("{{{}}}", block.join(", "))), empty, "the defaults are what stands there");
    let unknown = config::load(Path::new("x"), b"kubernetes: {'': 1}", &MACHINE).unwrap_err();
    let keys = unknown[0].allowed.replace(" or ", ", ");
    let keys: BTreeSet<String> = keys.split(", ").map(|key| format!("`kubernetes.{key}`")).collect();
    assert_eq!(known.iter().map(|row| row[0].clone()).collect::<BTreeSet<_>>(), keys);
    let row = |row: &Vec<String>| vec![row[0].clone(), row[1].clone(), allowed(row[0].trim_matches('`'))];
    hold_table("docs/kubernetes.md", "## Every key", &known.iter().map(row).collect::<Vec<_>>());
}

fn kubernetes(block: &str) -> Option<config::Kubernetes> {
    config::load(Path::new("x"), format!("kubernetes: {block}").as_bytes(), &MACHINE).unwrap().config.kubernetes
}

/// The default in a row, as it would be written.
fn default_of(row: &[String]) -> String {
    let key = row[0].trim_matches('`').trim_start_matches("kubernetes.");
    format!("{key}: {}", row[1].trim_matches('`'))
}

/// A row for each key: its path, its default, and what is allowed in the program's own words.
fn describe(path: &str, value: &Value, rows: &mut Vec<Vec<String>>) {
    let Value::Object(keys) = value else { return };
    for (key, value) in keys {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let (default, inner) = match value {
            // Names that people choose: no keys of the program's own.
            Value::Object(_) if ["pools", "policies", "zones"].contains(&path.as_str()) => {
                ("the demo".to_owned(), false)
            }
            Value::Object(keys) if !keys.is_empty() => ("see below".to_owned(), true),
            Value::String(text) => (format!("`{text}`"), false),
            other => (format!("`{other}`"), false),
        };
        rows.push(vec![format!("`{path}`"), default, allowed(&path)]);
        if inner {
            describe(&path, value, rows);
        }
    }
}

/// What the program says may stand at `path`.
fn allowed(path: &str) -> String {
    let wrong = ["\"?!\"", "[a]", "{a: b}"];
    wrong
        .iter()
        .find_map(|value| {
            let parts: Vec<&str> = path.split('.').collect();
            let text = parts.iter().rev().fold((*value).to_owned(), |inner, key| format!("{{{key}: {inner}}}"));
            let faults = config::load(Path::new("x"), text.as_bytes(), &MACHINE).err()?;
            faults.into_iter().find(|fault| fault.key == path).map(|fault| fault.allowed.replace('|', "\\|"))
        })
        .unwrap_or_else(|| panic!("{path} takes anything"))
}

#[test]
fn every_decision_has_its_number_title_and_parts() {
    let mut files: Vec<PathBuf> =
        fs::read_dir(root().join("docs/decisions")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for (at, path) in files.iter().enumerate() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let number = at + 1;
        assert!(name.starts_with(&format!("{number:04}-")), "{name} should be number {number}");
        let text = fs::read_to_string(path).unwrap();
        assert!(text.starts_with(&format!("# {number}. ")), "{name} begins with its number and title");
        for part in ["## Decision", "## Why", "## Price"] {
            assert!(text.contains(part), "{name} has no {part}");
        }
    }
    assert!(files.len() >= 7);
}

#[test]
fn every_page_is_linked_from_another() {
    let pages = pages();
    let mut found = Vec::new();
    for (path, _) in pages.iter().filter(|(path, _)| !path.ends_with("README.md")) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_decision = path.parent().is_some_and(|folder| folder.ends_with("decisions"));
        let is_linked = pages.iter().any(|(other, text)| other != path && text.contains(&format!("{name})")));
        if !is_linked && !is_decision {
            found.push(format!("{} is linked from nowhere", path.display()));
        }
    }
    none(&found);
}
