//! `meridian serve`: checks the configuration, then serves it.

use std::io::{self, Write};
use std::path::Path;

use crate::app::config::{self, Checked, Machine};
use crate::app::serve;

/// Serves the configuration in `file`, or the built-in one; 2 with faults, 1 where serving cannot begin.
///
/// # Errors
/// If `err` cannot be written to.
pub fn serve(file: Option<&Path>, machine: &Machine, err: &mut dyn Write) -> io::Result<u8> {
    let checked = match file {
        Some(file) => config::read(file, machine),
        None => config::builtin(machine),
    };
    let Checked { config, lints } = match checked {
        Ok(checked) => checked,
        Err(faults) => {
            for fault in faults {
                writeln!(err, "{fault}")?;
            }
            return Ok(2);
        }
    };
    for lint in lints {
        writeln!(err, "{lint}")?;
    }
    match serve::serve(&config, file) {
        Ok(()) => Ok(0),
        Err(fault) => {
            writeln!(err, "meridian: {fault}")?;
            Ok(1)
        }
    }
}
