//! `meridian default-config`: a configuration to start from.

use std::io::{self, Write};

use crate::app::config;

/// Prints the built-in configuration: commented YAML, or the same without comments as JSON.
///
/// # Errors
/// If `out` cannot be written to.
pub fn default_config(as_json: bool, out: &mut dyn Write) -> io::Result<u8> {
    if as_json {
        writeln!(out, "{:#}", config::builtin_json())?;
    } else {
        write!(out, "{}", config::BUILTIN)?;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_loaded_again() {
        for as_json in [false, true] {
            let mut out = Vec::new();
            assert_eq!(default_config(as_json, &mut out).unwrap(), 0);
            let machine = config::Machine { cores: std::num::NonZeroUsize::MIN, memory: None };
            let loaded = config::load(std::path::Path::new("printed"), &out, &machine).unwrap();
            assert_eq!(placeless(&loaded.config), placeless(&config::builtin(&machine).unwrap().config));
        }
    }

    /// A configuration without the places where its parts stand.
    fn placeless(config: &config::Config) -> String {
        let text = format!("{config:?}");
        let mut parts = text.split("Origin {");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| text + part.split_once('}').map_or(part, |(_, rest)| rest))
    }
}
