//! What fuzzing found, and what it begins with, on the stable toolchain: every input in `fuzz/seeds` and
//! `fuzz/regressions` goes through its target, whose laws stand in `fuzz/src`.
#![allow(
    unsafe_code,
    unreachable_pub,
    clippy::pedantic,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const SEED_BYTES_MAX: usize = 1_000_000;

fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(kind)
}

/// The files of a folder by name; none where there is no such folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())).collect()
}

/// Sends the inputs of all targets through them; every failure is told.
fn replay(kind: &str) {
    let (mut inputs, mut failed) = (0, Vec::new());
    for (target, run) in fuzz::TARGETS {
        for (name, input) in files(&folder(kind).join(target)) {
            inputs += 1;
            if std::panic::catch_unwind(|| run(&input)).is_err() {
                failed.push(format!("fuzz/{kind}/{target}/{name}"));
            }
        }
    }
    assert!(inputs > 0, "there is something to replay");
    assert!(failed.is_empty(), "{} of {inputs} inputs break a law:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn every_seed_keeps_the_laws() {
    replay("seeds");
}

#[test]
fn what_fuzzing_found_stays_mended() {
    replay("regressions");
}

/// `MERIDIAN_SEEDS=write` writes them down anew.
#[test]
fn the_seeds_are_those_that_the_generator_makes() {
    let mut made: BTreeMap<String, BTreeMap<String, Vec<u8>>> = BTreeMap::new();
    let mut size = 0;
    for (target, name, input) in fuzz::seeds::all() {
        size += input.len();
        let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let known = made.entry(target.to_owned()).or_default().insert(name.clone(), input);
        assert!(known.is_none(), "two seeds of {target} are called {name}");
    }
    assert!(size < SEED_BYTES_MAX, "{size} octets of seeds");
    assert!(made.keys().map(String::as_str).eq(fuzz::TARGETS.iter().map(|(name, _)| *name)), "every target has seeds");
    if std::env::var("MERIDIAN_SEEDS").as_deref() == Ok("write") {
        fs::remove_dir_all(folder("seeds")).ok();
        for (target, seeds) in &made {
            let folder = folder("seeds").join(target);
            fs::create_dir_all(&folder).unwrap();
            seeds.iter().for_each(|(name, seed)| fs::write(folder.join(name), seed).unwrap());
        }
    }
    for (target, seeds) in &made {
        assert!(files(&folder("seeds").join(target)) == *seeds, "fuzz/seeds/{target} is another than is made");
    }
}

/// A target that is named but not built, or built and not replayed, would look after nothing.
#[test]
fn every_target_has_a_program_and_a_place_in_the_replay() {
    let programs = files(&folder("fuzz_targets")).into_keys();
    assert!(programs.eq(fuzz::TARGETS.iter().map(|(name, _)| format!("{name}.rs"))));
    let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
    for (name, _) in fuzz::TARGETS {
        assert!(manifest.contains(&format!("\n[[bin]]\nname = \"{name}\"\n")), "{name} is not in fuzz/Cargo.toml");
    }
}
