//! One number over all that decides answers, so that nodes that have drifted apart are found by comparing one line.
//!
//! Health counts as it decides: who may be given out, not who is suspect or for how long. Node-local things (where a
//! name stands in the file, what is measured, who was handed out when) do not count.

use serde_json::{Value, json};

use crate::app::config::Steering;
use crate::steer::Atlas;
use crate::steer::hashing::{hash_bytes, hash_words};
use crate::steer::health::Board;
use crate::steer::spans::Spans;

/// The digest of `steering`'s policies, of `board` and of `atlas`: each in 16 hexadecimal digits, and all in one.
#[must_use]
pub(super) fn digest(steering: &Steering, board: &Board, atlas: &Atlas) -> Value {
    let parts = [policy(steering), health(steering, board), geo(atlas)];
    let [policy, health, geo] = parts.map(hexadecimal);
    json!({ "digest": hexadecimal(hash_words(0, &parts)), "policy": policy, "health": health, "geo": geo })
}

fn hexadecimal(number: u64) -> String {
    format!("{number:016x}")
}

fn policy(steering: &Steering) -> u64 {
    let pool = |id: crate::steer::PoolId| steering.pools.get(id.0 as usize).map(|settings| &settings.pool);
    let mut names: Vec<u64> = steering
        .names
        .iter()
        .map(|name| {
            let members = |id| pool(id).map(|pool| (pool.name(), pool.members()));
            let text = format!(
                "{} {:?} {:?} {:?} {:?} {:?} {:?}",
                name.owner,
                members(name.pool),
                name.policy.stages,
                name.policy.client,
                name.policy.unknown,
                name.terms,
                name.fallback.and_then(members),
            );
            hash_bytes(1, text.as_bytes())
        })
        .collect();
    names.sort_unstable(); // the order of the file decides nothing
    hash_words(hash_bytes(1, format!("{:?}", steering.ecs).as_bytes()), &names)
}

fn health(steering: &Steering, board: &Board) -> u64 {
    let mut members: Vec<u64> = Vec::new();
    for settings in &steering.pools {
        let standings = board.standings(&settings.pool);
        for (index, member) in settings.pool.members().iter().enumerate() {
            let is_usable = standings.get(index).copied().unwrap_or_default().is_usable();
            members.push(hash_bytes(2, format!("{}/{} {is_usable}", settings.pool.name(), member.name).as_bytes()));
        }
    }
    members.sort_unstable();
    hash_words(2, &members)
}

fn geo(atlas: &Atlas) -> u64 {
    let places = atlas.places().iter().fold(3, |sum, place| hash_bytes(sum, format!("{place:?}").as_bytes()));
    let v4 = [atlas.v4(), atlas.asn_v4()].into_iter().flat_map(Spans::runs);
    let v4 = v4.fold(places, |sum, (start, number)| hash_words(sum, &[u64::from(start), u64::from(number)]));
    let v6 = [atlas.v6(), atlas.asn_v6()].into_iter().flat_map(Spans::runs);
    v6.fold(v4, |sum, (start, number)| hash_words(sum, &[start as u64, (start >> 64) as u64, u64::from(number)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_nodes_have_equal_digests_and_another_ecs_another_policy() {
        let (one, board, atlas) = (Steering::default(), Board::default(), Atlas::default());
        let other = Steering { ecs: Some(crate::steer::ScopeCap::default()), ..Steering::default() };
        let (first, second) = (digest(&one, &board, &atlas), digest(&other, &board, &atlas));
        assert_eq!(first, digest(&one.clone(), &board, &atlas));
        assert_ne!(first["digest"], second["digest"]);
        assert_ne!(first["policy"], second["policy"]);
        assert_eq!((&first["health"], &first["geo"]), (&second["health"], &second["geo"]));
        assert_eq!(first["digest"].as_str().unwrap().len(), 16);
    }
}
