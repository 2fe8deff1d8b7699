//! The command line: what can be asked of the program. What it then does stands in [`super::commands`].

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::base::scalars;
use crate::dns::name::Name;
use crate::dns::rtype::RecordType;

/// Meridian: a recursive DNS resolver and an authoritative load balancer.
///
/// Without a command it serves with the built-in configuration, which `meridian default-config` prints.
#[derive(Parser, Clone, PartialEq, Debug)]
#[command(name = "meridian", version, arg_required_else_help = false)]
pub struct Cli {
    /// What is to be done; `serve` if nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Print JSON for programs instead of text for people.
    #[arg(long, global = true)]
    pub json: bool,
}

impl Cli {
    /// The command, `serve` if none was given.
    #[must_use]
    pub fn chosen(self) -> Command {
        self.command.unwrap_or(Command::Serve(Serve { config: None, replace: false }))
    }
}

/// What can be done.
#[derive(Subcommand, Clone, PartialEq, Debug)]
pub enum Command {
    /// Serve. SIGHUP reloads the configuration, SIGTERM answers what was asked and stops.
    Serve(Serve),
    /// Check a configuration without serving; exit status 0 if clean, 1 with lints, 2 with faults.
    Check {
        /// The configuration file.
        file: PathBuf,
        /// Try the scopes of the steered names' answers too; exit status 1 with a counterexample.
        #[arg(long)]
        scopes: bool,
    },
    /// Translate a Corefile of CoreDNS into a configuration; what is not translated is told with its line, and exit status 1.
    Corefile {
        /// The Corefile.
        file: PathBuf,
    },
    /// Tell why a client gets its answer: each handler, the cache, the upstream exchanges.
    Explain(Explain),
    /// Tell how a running server fares.
    Status(Server),
    /// Tell whether a running server answers queries; exit status 0 if it does, 1 if not.
    Ready(Server),
    /// Make a running server read its configuration and files again; exit status 2 with faults, which change nothing.
    Reload(Reload),
    /// Make a running server forget a name.
    Flush(Flush),
    /// Tell what a configuration would do to clients: shares, moves, losses; exit status 1 past --max-moved.
    Simulate(Simulate),
    /// Take a member out of new answers, and tell when the last old one ends.
    Drain(Drain),
    /// Force members up or down, whatever their checks say.
    Force(Force),
    /// Lift drains and forces.
    Unforce(Unforce),
    /// Tell what a running server trusts when it validates answers, and what it does not validate.
    Trust(Server),
    /// Except a name and all below it from validation, until it validates again or the time is over.
    Except(Except),
    /// Validate a name again.
    Unexcept(Unexcept),
    /// Print the built-in configuration, commented.
    DefaultConfig,
    /// Print a shell's completions of this command line.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print a manual page.
    Man {
        /// The command that it is about; all in brief without it.
        command: Option<String>,
        /// Write the pages of all commands to this folder instead.
        #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
        to: Option<PathBuf>,
    },
}

/// `serve`
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct Serve {
    /// The configuration file; the built-in configuration without it.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Take over from the server that runs with the same `state`, without losing a query; start as usual where none does.
    #[arg(long)]
    pub replace: bool,
}

/// `explain`
#[derive(Args, Clone, PartialEq, Debug)]
pub struct Explain {
    /// The name asked for.
    pub name: Name,
    /// The type asked for.
    #[arg(value_name = "TYPE", default_value = "A", value_parser = record_type)]
    pub rtype: RecordType,
    /// The client on whose behalf is asked.
    #[arg(long, value_name = "IP")]
    pub client: Option<IpAddr>,
    /// Explain by this configuration, without a running server.
    #[arg(long, value_name = "FILE", conflicts_with = "server")]
    pub config: Option<PathBuf>,
    /// Ask this running server's admin address.
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// The file of that server's admin token.
    #[arg(long, value_name = "FILE", requires = "server")]
    pub token_file: Option<PathBuf>,
}

/// A running server.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// The server's admin address.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9153")]
    pub server: String,
    /// The file of the server's admin token, where it asks for one.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// `reload`
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct Reload {
    /// Only say what would change, and what is wrong.
    #[arg(long)]
    pub dry_run: bool,
    /// Where the server is.
    #[command(flatten)]
    pub server: Server,
}

/// `simulate`
#[derive(Args, Clone, PartialEq, Debug)]
pub struct Simulate {
    /// The configuration to simulate.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The configuration to compare it with.
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// Who asks: a file with an address or prefix and perhaps a weight a line, or `db` for all IPv4 prefixes of the
    /// database of places, by their addresses.
    #[arg(long, value_name = "FILE|db")]
    pub clients: PathBuf,
    /// Simulate this name alone.
    #[arg(long, value_name = "NAME")]
    pub name: Option<Name>,
    /// Exit with 1 if more than this part of a name's clients change their member, such as 5%.
    #[arg(long, value_name = "SHARE", requires = "against", value_parser = share)]
    pub max_moved: Option<f64>,
    /// The whole load, in the unit of the members' `capacity`: who cannot bear its part is flagged.
    #[arg(long, value_name = "NUMBER", value_parser = load)]
    pub load: Option<f64>,
}

/// `drain`
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct Drain {
    /// The member; `*` stands for any text.
    #[arg(value_name = "POOL/MEMBER")]
    pub member: String,
    /// For how long, such as 30m; until it is lifted without it.
    #[arg(long = "for", value_name = "TIME")]
    pub lasts: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT", default_value = "drain")]
    pub why: String,
    /// Do it even if a name is left without a usable member.
    #[arg(long)]
    pub break_glass: bool,
    /// Where the server is.
    #[command(flatten)]
    pub server: Server,
}

/// Which way members are forced.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum ForceState {
    /// Up.
    Up,
    /// Down.
    Down,
}

/// `force`
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct Force {
    /// The members, such as www/fra or 'www/*'.
    #[arg(value_name = "GLOB")]
    pub glob: String,
    /// Which way.
    #[arg(value_name = "up|down")]
    pub state: ForceState,
    /// For how long, such as 30m; until it is lifted without it.
    #[arg(long = "for", value_name = "TIME")]
    pub lasts: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub why: String,
    /// Do it even if a name is left without a usable member.
    #[arg(long)]
    pub break_glass: bool,
    /// Where the server is.
    #[command(flatten)]
    pub server: Server,
}

/// `unforce`
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct Unforce {
    /// The members, as they were named when they were drained or forced, or a wider glob.
    #[arg(value_name = "GLOB")]
    pub glob: String,
    /// Where the server is.
    #[command(flatten)]
    pub server: Server,
}

/// `except`
#[derive(Args, Clone, PartialEq, Debug)]
pub struct Except {
    /// The name whose signatures are broken.
    pub name: Name,
    /// For how long, such as 30m; at most 7d.
    #[arg(long = "for", value_name = "TIME", default_value = "1h")]
    pub lasts: String,
    /// Keep to that time even if the name validates again.
    #[arg(long)]
    pub stays: bool,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub why: String,
    /// Where the server is.
    #[command(flatten)]
    pub server: Server,
}

/// `unexcept`
#[derive(Args, Clone, PartialEq, Debug)]
pub struct Unexcept {
    /// The name.
    pub name: Name,
    /// Where the server is.
    #[command(flatten)]
    pub server: Server,
}

/// `flush`
#[derive(Args, Clone, PartialEq, Debug)]
pub struct Flush {
    /// The name to forget.
    pub name: Name,
    /// Forget the names below it too.
    #[arg(long)]
    pub subtree: bool,
    /// Forget this type only.
    #[arg(long = "type", value_name = "TYPE", value_parser = record_type)]
    pub rtype: Option<RecordType>,
    /// Where the server is.
    #[command(flatten)]
    pub server: Server,
}

fn share(text: &str) -> Result<f64, String> {
    let share = scalars::share(text).map(|millionths| f64::from(millionths) / 1e6);
    share.ok_or_else(|| "no percentage from 0% to 100%".to_owned())
}

fn load(text: &str) -> Result<f64, String> {
    let load = text.parse().ok().filter(|load: &f64| load.is_finite() && *load >= 0.0);
    load.ok_or_else(|| "no number from 0".to_owned())
}

fn record_type(text: &str) -> Result<RecordType, String> {
    text.parse().map_err(|_| "neither a record type such as AAAA nor TYPE and its number".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_definitions_agree_with_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_command_means_serve() {
        assert_eq!(parse("meridian").unwrap().chosen(), Command::Serve(Serve { config: None, replace: false }));
        let with_config = Command::Serve(Serve { config: Some("x.yaml".into()), replace: false });
        assert_eq!(parse("meridian serve --config x.yaml").unwrap().chosen(), with_config);
    }

    #[test]
    fn the_documented_commands_are_understood() {
        let Command::Explain(explain) =
            parse("meridian explain www.example. aaaa --client 192.0.2.1 --json").unwrap().chosen()
        else {
            panic!("explain")
        };
        assert_eq!(explain.rtype, RecordType::AAAA);
        assert!(explain.name.is_same_case(&"www.example".parse().unwrap()));
        let Command::Flush(flush) = parse("meridian --json flush example --subtree --type TYPE65").unwrap().chosen()
        else {
            panic!("flush")
        };
        assert_eq!((flush.subtree, flush.rtype), (true, Some(RecordType::HTTPS)));
        assert_eq!(flush.server.server, "http://127.0.0.1:9153");
        for line in [
            "status",
            "ready",
            "simulate --config new.yaml --against old.yaml --clients db --max-moved 5% --load 1e6",
            "drain www/fra",
            "force www/* down --for 1h --why power",
            "unforce www/*",
            "trust --json",
            "except broken.example --for 2h --why expired --stays",
            "unexcept broken.example",
            "check x.yaml --scopes",
            "reload",
            "reload --dry-run --json",
            "status --server http://192.0.2.1:9153 --json",
            "check x.yaml",
            "corefile Corefile",
            "default-config",
            "completions bash",
            "man",
            "man serve",
            "man --to x",
        ] {
            assert!(parse(&format!("meridian {line}")).is_ok(), "{line}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "check",
            "explain",
            "explain a..b",
            "explain a XYZ",
            "explain a --config x --server y",
            "stop",
            "completions",
            "completions csh",
            "man serve --to x",
            "force www/* down",
            "except broken.example",
            "force www/* sideways --why x",
            "simulate --config x --clients db --max-moved 5%",
            "simulate --config x --against y --clients db --max-moved 0.05",
        ] {
            assert!(parse(&format!("meridian {line}")).is_err(), "{line}");
        }
    }
}
