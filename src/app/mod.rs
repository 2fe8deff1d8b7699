//! Checks the configuration, builds the house and runs its turns.
#![forbid(unsafe_code)]

pub mod build;
pub mod cli;
pub mod commands;
pub mod config;
pub mod corefile;
pub mod house;
pub mod pods;
pub mod serve;
pub mod steered;
pub mod worker;
pub mod zone_files;

/// What the configuration must know of the machine.
#[must_use]
pub fn machine() -> config::Machine {
    let cores = std::thread::available_parallelism().unwrap_or(std::num::NonZeroUsize::MIN);
    let memory = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
    });
    config::Machine { cores, memory }
}
