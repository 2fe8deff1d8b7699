//! Checks the configuration, builds the house and runs its turns.
#![forbid(unsafe_code)]

pub mod cli;
pub mod commands;
pub mod config;
