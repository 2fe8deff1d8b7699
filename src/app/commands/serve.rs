//! `meridian serve`: checks the configuration, then serves it.

use std::io::{self, Write};
use std::path::Path;

use crate::app::config::{self, Checked, Machine};
use crate::app::serve::{self, threshold};
use crate::app::zone_files::Library;
use crate::base::collections::keyed;
use crate::edge::seed;

/// Serves the configuration in `file`, or the built-in one, with `replaces` in the place of the server that runs; 2 with
/// faults, 1 where serving cannot begin.
///
/// # Errors
/// If `err` cannot be written to.
pub fn serve(file: Option<&Path>, replaces: bool, machine: &Machine, err: &mut dyn Write) -> io::Result<u8> {
    let checked = match file {
        Some(file) => config::read(file, machine),
        None => config::builtin(machine),
    };
    let checked = match checked {
        Ok(checked) => checked,
        Err(faults) => {
            for fault in faults {
                writeln!(err, "{fault}")?;
            }
            return Ok(2);
        }
    };
    let Checked { config, lints, .. } = &checked;
    for lint in lints {
        writeln!(err, "{lint}")?;
    }
    // Before the zones: they are read by who is become, as at a reload.
    let threshold = match threshold::open(config, file, replaces) {
        Ok(threshold) => threshold,
        Err(fault) => {
            writeln!(err, "meridian: {fault}")?;
            return Ok(1);
        }
    };
    let zones = match seed::dice() {
        Ok(mut dice) => Library::new(keyed(&mut dice)).read(config),
        Err(fault) => {
            writeln!(err, "meridian: the system gives no randomness: {fault}")?;
            return Ok(1);
        }
    };
    for noted in &zones.noted {
        writeln!(err, "{noted}")?;
    }
    if zones.has_faults() {
        return Ok(2);
    }
    match serve::serve(&checked, zones, file, threshold) {
        Ok(()) => Ok(0),
        Err(fault) => {
            writeln!(err, "meridian: {fault}")?;
            Ok(1)
        }
    }
}
