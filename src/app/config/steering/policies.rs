//! The block `policies`: lists of stages under a name, and how a name says which one it wants.

use super::super::cursor::{Field, Section};
use super::super::fault::nearest;
use super::super::raw::Value;
use super::stages::{self, Draft};
use super::types::Policy;
use super::words::{self, Named};
use crate::steer::{Client, StageSpec, Unknown};

const FORM: &str = "a mapping such as {near: [nearest, weighted]}";
const POLICY_FORM: &str = "a stage such as weighted, a list of stages such as [nearest: {within: 10%}, weighted], or {stages: [...], client: auto}";
/// More than any policy needs; every query passes through all of them.
const STAGES_MAX: usize = 32;

pub(super) fn read(top: &mut Section<'_>) -> Named<Policy> {
    let mut policies = Named::new("policies");
    for (name, at, field) in words::named(top, "policies", FORM) {
        if StageSpec::WORDS.contains(&name) || stages::alias(name).is_some() {
            field.fault_at(at, format!("the stage word {name}"), "a name of its own");
        }
        if let Some(policy) = policy(name, &field) {
            policies.add(name, policy);
        }
    }
    policies
}

/// The policy that a steered name wants: one with a name, or one written in place.
pub(super) fn wanted(field: &Field<'_>, known: &Named<Policy>) -> Option<std::sync::Arc<Policy>> {
    let Some(text) = field.node.text() else {
        return policy("", field).map(|policy| {
            let words: Vec<&str> = policy.stages.iter().map(StageSpec::word).collect();
            Policy { name: words.join(", ").into(), ..policy }.into()
        });
    };
    if let Some((_, policy)) = known.get(text) {
        return Some(std::sync::Arc::clone(policy));
    }
    if StageSpec::WORDS.contains(&text) || stages::alias(text).is_some() {
        return policy(text, field).map(Into::into);
    }
    let meant = nearest(text, StageSpec::WORDS).map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default();
    field.fault(format!("{}; or a stage word such as weighted{meant}", known.allowed(text)));
    None
}

fn policy(name: &str, field: &Field<'_>) -> Option<Policy> {
    let is_long = matches!(&field.node.value, Value::Map(_)) && field.node.entry("stages").is_some();
    let mut policy =
        Policy { name: name.into(), stages: Vec::new(), client: Client::Auto, unknown: Unknown::Nobody, agree: None };
    let draft = if is_long {
        let mut section = field.section(POLICY_FORM)?;
        let clients = [("auto", Client::Auto), ("ecs", Client::Ecs), ("resolver", Client::Resolver)];
        policy.client = section.choice("client", Client::Auto, &clients);
        let unknown = [("fallback", Unknown::Nobody), ("resolver", Unknown::Resolver)];
        policy.unknown = section.choice("unknown", Unknown::Nobody, &unknown);
        let draft = section.require("stages", "a list of stages").and_then(|field| listed(&field));
        section.close();
        draft
    } else {
        listed(field)
    }?;
    policy.stages = draft.stages;
    policy.agree = draft.agree;
    Some(policy)
}

/// The stages of a list, or the one that stands for it; none if any is wrong.
fn listed(field: &Field<'_>) -> Option<Draft> {
    if field.node.is_null() || field.node.is_empty() {
        field.fault(POLICY_FORM);
        return None;
    }
    let items = field.each();
    if items.len() > STAGES_MAX {
        field.fault_found(format!("{} stages", items.len()), format!("at most {STAGES_MAX}"));
        return None;
    }
    let mut draft = Draft::default();
    let mut is_whole = true;
    for item in &items {
        is_whole &= stages::read(item, &mut draft).is_some();
    }
    is_whole.then_some(draft)
}
