//! `meridian completions` and `meridian man`: what shells and readers of manuals are told of the command line, made
//! from its definition.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::app::cli::Cli;

/// Prints the completions of `shell`.
///
/// # Errors
/// If `out` cannot be written to.
pub fn completions(shell: Shell, out: &mut dyn Write) -> io::Result<u8> {
    // Into memory first: the generator takes no refusal.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "meridian", &mut script);
    out.write_all(&script)?;
    Ok(0)
}

/// Prints the manual page of the command `name`, or the first page; or writes all pages to the folder `to`. 1 where a
/// page cannot be written.
///
/// # Errors
/// If `out` or `err` cannot be written to.
pub fn man(name: Option<&str>, to: Option<&Path>, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let Some(folder) = to else {
        let wanted = name.map_or_else(|| "meridian.1".to_owned(), |name| format!("meridian-{name}.1"));
        let page = pages()?.into_iter().find(|(file, _)| *file == wanted);
        let Some((_, page)) = page else {
            writeln!(err, "meridian: there is no command {}", name.unwrap_or_default())?;
            return Ok(1);
        };
        out.write_all(&page)?;
        return Ok(0);
    };
    for (file, page) in pages()? {
        let path = folder.join(file);
        if let Err(fault) = fs::create_dir_all(folder).and_then(|()| fs::write(&path, page)) {
            writeln!(err, "meridian: {}: {fault}", path.display())?;
            return Ok(1);
        }
    }
    Ok(0)
}

/// Every manual page under the name of its file, the first page first.
fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut whole = Cli::command().disable_help_subcommand(true);
    whole.build();
    let page = |command: &Command, name: String| {
        let mut page = Vec::new();
        Man::new(command.clone().display_name(&name)).render(&mut page)?;
        Ok((format!("{name}.1"), page))
    };
    let first = page(&whole, "meridian".to_owned());
    let others = whole.get_subcommands().map(|command| page(command, format!("meridian-{}", command.get_name())));
    std::iter::once(first).chain(others).collect()
}
