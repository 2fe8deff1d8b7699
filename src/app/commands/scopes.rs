//! `meridian check FILE --scopes`: whether the scopes of steered names' answers are right.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::steered::Estate;
use crate::base::{Dice, Network};
use crate::steer::Steering;
use crate::steer::proof::{Counterexample, Proof, prove};

/// Tries the scopes of all names of `estate`; prints what was found and tells whether all is well.
///
/// # Errors
/// If `out` cannot be written to.
pub(super) fn scopes(estate: &Estate, as_json: bool, out: &mut dyn Write) -> io::Result<(bool, Value)> {
    let whereabouts = estate.whereabouts();
    let mut found = Vec::new();
    let mut is_well = true;
    for steered in &estate.names {
        // Always the same addresses, so that a fault that was found is found again.
        let proof = prove(&steered.side(&whereabouts), &estate.atlas, &mut Dice::from_number(1));
        is_well &= proof.counterexample.is_none();
        if !as_json {
            writeln!(out, "{}: {}", steered.owner, text(&proof, &steered.steering))?;
        }
        found.push(json!({
            "name": steered.owner.to_string(),
            "prefixes": proof.prefixes,
            "addresses": proof.tried,
            "longer_than_needed": proof.splittable,
            "counterexample": proof.counterexample.as_ref().map(|example| told(example, &steered.steering)),
        }));
    }
    Ok((is_well, json!(found)))
}

fn text(proof: &Proof, steering: &Steering) -> String {
    let tried = format!("{} prefixes, {} addresses inside them", proof.prefixes, proof.tried);
    match &proof.counterexample {
        Some(example) => format!("WRONG SCOPE after {tried}: {}", told(example, steering)),
        None if proof.splittable > 0 => {
            format!("scopes hold ({tried}); {} prefixes are longer than they need be", proof.splittable)
        }
        None => format!("scopes hold ({tried})"),
    }
}

fn told(example: &Counterexample, steering: &Steering) -> String {
    let named = |members: &[u16]| {
        let pool = steering.pool();
        let names: Vec<&str> = members.iter().filter_map(|member| pool.member(*member)).map(|it| &*it.name).collect();
        if names.is_empty() { "nobody".to_owned() } else { names.join(" ") }
    };
    let shown = |network: &Network| network.to_string();
    match example {
        Counterexample::Differ { prefix, one, its, other, others } => {
            format!("in {}, {one} gets {}, and {other} gets {}", shown(prefix), named(its), named(others))
        }
        Counterexample::Overlap(one, other) => format!("{} and {} overlap", shown(one), shown(other)),
    }
}
