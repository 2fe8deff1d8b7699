//! The program: reads the command line and does what it says. See the library's front page for the house.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use meridian::app::cli::{Cli, Command};
use meridian::app::{commands, machine};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let as_json = cli.json;
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    let machine = machine();
    let done = match cli.chosen() {
        Command::Serve(serve) => commands::serve(serve.config.as_deref(), serve.replace, &machine, &mut err),
        Command::Check { file, scopes } => commands::check(&file, scopes, &machine, as_json, &mut out),
        Command::Corefile { file } => commands::corefile(&file, &machine, as_json, &mut out, &mut err),
        Command::Explain(explain) => commands::explain(&explain, &machine, as_json, &mut out, &mut err),
        Command::Status(server) => commands::status(&server, as_json, &mut out, &mut err),
        Command::Ready(server) => commands::ready(&server, as_json, &mut out, &mut err),
        Command::Reload(server) => commands::reload(&server, as_json, &mut out, &mut err),
        Command::Flush(flush) => commands::flush(&flush, as_json, &mut out, &mut err),
        Command::Simulate(simulate) => commands::simulate(&simulate, &machine, as_json, &mut out, &mut err),
        Command::Drain(drain) => commands::drain(&drain, as_json, &mut out, &mut err),
        Command::Force(force) => commands::force(&force, as_json, &mut out, &mut err),
        Command::Unforce(unforce) => commands::unforce(&unforce, as_json, &mut out, &mut err),
        Command::Trust(server) => commands::trust(&server, as_json, &mut out, &mut err),
        Command::Except(except) => commands::except(&except, as_json, &mut out, &mut err),
        Command::Unexcept(unexcept) => commands::unexcept(&unexcept, as_json, &mut out, &mut err),
        Command::Completions { shell } => commands::completions(shell, &mut out),
        Command::Man { command, to } => commands::man(command.as_deref(), to.as_deref(), &mut out, &mut err),
        Command::DefaultConfig => commands::default_config(as_json, &mut out),
    };
    match done.and_then(|status| out.flush().map(|()| status)) {
        Ok(status) => ExitCode::from(status),
        Err(_) => ExitCode::FAILURE, // nobody reads what we would say of it
    }
}
