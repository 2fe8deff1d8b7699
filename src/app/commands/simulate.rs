//! `meridian simulate`: what a configuration would do to clients, before it does.

mod clients;
mod text;

use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};

use self::clients::Faults;
use super::steered::{Estate, Steered};
use crate::app::cli::Simulate;
use crate::app::config::Machine;
use crate::steer::simulation::{Client, Report, Spread, clients_of, concentration, simulate as run, split_error, zipf};

/// Resolvers by which the error of a split is told.
const RESOLVERS: [u32; 2] = [200, 2_000];

/// Who asks.
struct Crowd {
    clients: Vec<Client>,
    /// What they are, for people.
    told: String,
    /// How unevenly they are spread, if each of them is a resolver or a network of one.
    concentration: Option<f64>,
}

/// Prints what a configuration would do; 1 if more moves than is allowed, 2 with faults.
///
/// # Errors
/// If `out` or `err` cannot be written to.
pub fn simulate(
    simulate: &Simulate,
    machine: &Machine,
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let found = prepare(simulate, machine).and_then(|(new, old, crowd)| {
        if let Some(name) = &simulate.name
            && !new.names.iter().any(|steered| steered.owner == *name)
        {
            return Err(vec![format!("{name} is no steered name of {}", simulate.config.display())]);
        }
        Ok((new, old, crowd))
    });
    let (new, old, crowd) = match found {
        Ok(found) => found,
        Err(faults) => {
            for fault in faults {
                writeln!(err, "{fault}")?;
            }
            return Ok(2);
        }
    };
    let (places, places_before) = (new.whereabouts(), old.as_ref().map(Estate::whereabouts));
    let is_wanted = |steered: &&Steered| simulate.name.as_ref().is_none_or(|name| steered.owner == *name);
    let mut told = Vec::new();
    let mut exceeded = Vec::new();
    if !as_json {
        writeln!(out, "{}", crowd.told)?;
    }
    for steered in new.names.iter().filter(is_wanted) {
        let side = steered.side(&places);
        let before = old.as_ref().and_then(|old| old.names.iter().find(|known| known.owner == steered.owner));
        let side_before = before.zip(places_before.as_ref()).map(|(known, places)| known.side(places));
        let report = run(&side, side_before.as_ref(), &crowd.clients, simulate.load);
        if let (Some(most), Some(moved)) = (simulate.max_moved, report.moved)
            && moved > most + 1e-9
        {
            exceeded.push(format!("{}: {} move, allowed: {}", steered.owner, text::share(moved), text::share(most)));
        }
        if as_json {
            told.push(value(&steered.owner.to_string(), &report, &crowd));
        } else {
            writeln!(out)?;
            write!(out, "{}", text::report(steered, &report, &crowd, old.is_some()))?;
        }
    }
    let gone = old.iter().flat_map(|old| &old.names).filter(|known| !new.names.iter().any(|s| s.owner == known.owner));
    let gone: Vec<String> =
        gone.filter(|steered| is_wanted(steered)).map(|steered| steered.owner.to_string()).collect();
    if as_json {
        let told = json!({"clients": crowd.clients.len(), "names": told, "gone": gone, "exceeded": exceeded});
        writeln!(out, "{told:#}")?;
    } else {
        for name in gone {
            writeln!(out, "\n{name} is steered no more")?;
        }
        for line in &exceeded {
            writeln!(out, "\nTOO MUCH MOVES: {line}")?;
        }
    }
    Ok(u8::from(!exceeded.is_empty()))
}

fn prepare(simulate: &Simulate, machine: &Machine) -> Result<(Estate, Option<Estate>, Crowd), Vec<String>> {
    let new = Estate::read(&simulate.config, machine)?;
    let old = simulate.against.as_ref().map(|file| Estate::read(file, machine)).transpose()?;
    let crowd = if simulate.clients.as_os_str() == "db" { database(&new)? } else { listed(&simulate.clients)? };
    Ok((new, old, crowd))
}

/// All IPv4 prefixes of the database: addresses of IPv6 cannot be weighed against them.
fn database(estate: &Estate) -> Result<Crowd, Faults> {
    let clients = clients_of(&estate.atlas);
    if clients.is_empty() {
        return Err(vec!["--clients db: the configuration names no database of places, see `geo`".to_owned()]);
    }
    let addresses: f64 = clients.iter().map(|client| client.weight).sum();
    let told = format!(
        "clients: {} IPv4 prefixes of the database of places, {:.2} billion addresses",
        clients.len(),
        addresses / 1e9
    );
    Ok(Crowd { clients, told, concentration: None })
}

fn listed(file: &Path) -> Result<Crowd, Faults> {
    let clients = clients::read(file)?;
    let concentration = Some(concentration(clients.iter().map(|client| client.weight)));
    let told = format!("clients: {} of {}", clients.len(), file.display());
    Ok(Crowd { clients, told, concentration })
}

/// The expected errors of a share, in parts of all clients: for each of [`RESOLVERS`], and for the clients as they are.
fn errors(share: f64, crowd: &Crowd) -> Vec<f64> {
    let zipfs = RESOLVERS.iter().map(|resolvers| concentration(zipf(*resolvers)));
    zipfs.chain(crowd.concentration).map(|concentration| split_error(share, concentration)).collect()
}

fn value(name: &str, report: &Report, crowd: &Crowd) -> Value {
    let spread = |spread: &Option<Spread>| {
        spread.map(|it| json!({"mean": it.mean, "median": it.median, "p95": it.p95, "known": it.known}))
    };
    let shares = report.shares.iter().map(|share| {
        let errors = if report.is_split { errors(share.now, crowd) } else { Vec::new() };
        json!({
            "member": &*share.member, "share": share.now, "before": share.before,
            "error_200": errors.first(), "error_2000": errors.get(1), "error_clients": errors.get(2),
        })
    });
    let losses = report.losses.iter().map(|loss| {
        let shares = loss.shares.iter().map(|(name, part)| (name.to_string(), json!(part)));
        json!({
            "down": &*loss.member, "share": loss.lost, "disturbed": loss.disturbed, "unanswered": loss.unanswered,
            "peak": loss.peak.as_ref().map(|(member, growth)| {
                json!({"member": &**member, "growth": growth.is_finite().then_some(*growth)})
            }),
            "bears": loss.bears, "overloaded": loss.overloaded.iter().map(|name| &**name).collect::<Vec<_>>(),
            "shares": shares.collect::<serde_json::Map<_, _>>(),
        })
    });
    json!({
        "name": name,
        "shares": shares.collect::<Vec<_>>(),
        "moved": report.moved,
        "flows": report.flows.iter().map(|flow| json!({"from": &*flow.from, "to": &*flow.to, "share": flow.part}))
            .collect::<Vec<_>>(),
        "losses": losses.collect::<Vec<_>>(),
        "losses_left_out": report.losses_left_out,
        "bears": report.bears,
        "overloaded": report.overloaded.iter().map(|name| &**name).collect::<Vec<_>>(),
        "cache_entries": report.cache_entries.round(),
        "answers": report.answers,
        "km": spread(&report.distance),
        "km_before": spread(&report.distance_before),
        "networks": report.networks,
        "looked_at": report.samples,
        "draws": report.draws,
    })
}
