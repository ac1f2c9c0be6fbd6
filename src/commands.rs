//! The commands of the program, one file each, and the table of them.
//!
//! A new command is one file with a type that implements [`Run`], and one row in [`COMMANDS`]. `leveret` without a command runs the
//! broker, so the flags of `serve` are understood without its name, too.

mod admin;
mod admin_command;
mod broker_options;
mod called_as;
mod client;
mod completions;
mod config;
mod ctl;
mod ctl_command;
mod definitions;
mod detached;
mod ending;
mod events;
mod exit;
mod peek;
#[cfg(feature = "perf")]
mod perf;
mod ping;
mod routes;
mod run;
mod serve;
#[cfg_attr(windows, path = "commands/service_windows.rs")]
mod service;
mod status;
mod store;
mod system;
mod tail;
mod target;
mod terminal;
mod tls;
#[cfg(feature = "top")]
mod top;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{ArgMatches, Args, Command};

use admin_command::Admin;
use completions::{Completions, Man};
use config::Config;
use ctl_command::Ctl;
use definitions::Definitions;
use peek::Peek;
#[cfg(feature = "perf")]
use perf::Perf;
use ping::Ping;
use routes::Routes;
use run::RunCommand;
use serve::Serve;
use status::Status;
use store::Store;
use tail::Tail;
use tls::Tls;
#[cfg(feature = "top")]
use top::Top;

/// What a command does once its arguments are read.
trait Run: Args {
    /// Does it; the exit code of the program.
    fn run(self) -> ExitCode;
}

/// A command of the program.
struct Row {
    name: &'static str,
    about: &'static str,
    /// Adds its arguments.
    arguments: fn(Command) -> Command,
    run: fn(&ArgMatches) -> ExitCode,
}

/// The commands in the order in which the help lists them.
const COMMANDS: &[Row] = &[
    row::<Serve>("serve", "Run the broker (what happens without a command, too)"),
    row::<RunCommand>("run", "Give a command a broker of its own, which is gone when it ends"),
    row::<Ping>("ping", "Ask a broker whether it is there"),
    row::<Status>("status", "Say in ten lines how a broker is"),
    row::<Peek>("peek", "Look at the messages of a queue without touching them"),
    row::<Tail>("tail", "Show what is published, as it passes"),
    #[cfg(feature = "top")]
    row::<Top>("top", "Watch queues, connections and alerts in the terminal"),
    #[cfg(feature = "perf")]
    row::<Perf>("perf", "Publish and consume as fast as it goes, with the flags of PerfTest"),
    row::<Routes>("routes", "Say where a message would go, and why not elsewhere"),
    row::<Definitions>("definitions", "Export, import or check everything that is declared"),
    row::<Admin>("admin", "Administer a broker, as rabbitmqadmin does"),
    row::<Ctl>("ctl", "Administer a running broker, as rabbitmqctl does"),
    row::<Store>("store", "Look after a data directory that no broker uses now"),
    row::<Tls>("tls", "Make certificates to try TLS with"),
    row::<Config>("config", "Look at the configuration: files, environment and flags together"),
    row::<Completions>("completions", "Write a script that completes commands and flags in a shell"),
    row::<Man>("man", "Write the manual pages"),
];

const fn row<C: Run>(name: &'static str, about: &'static str) -> Row {
    Row { name, about, arguments: C::augment_args, run: run_command::<C> }
}

fn run_command<C: Run>(matches: &ArgMatches) -> ExitCode {
    match C::from_arg_matches(matches) {
        Ok(command) => command.run(),
        Err(error) => error.exit(),
    }
}

/// Does what the arguments ask for; the first one is the name that the program was called by.
pub(crate) fn run(mut arguments: Vec<OsString>) -> ExitCode {
    if let Some(run) = arguments.first().and_then(|name| called_as::tool(name)) {
        return run(arguments.split_off(1));
    }
    // Before the arguments are read: with one dash `-detached` would be many letters.
    if let Some(code) = detached::start(&arguments) {
        return code;
    }
    #[cfg(feature = "perf")]
    let arguments = perf::spelled_out(arguments);
    let matches = command_line().get_matches_from(arguments);
    let chosen = matches.subcommand().and_then(|(name, matches)| {
        let row = COMMANDS.iter().find(|row| row.name == name)?;
        Some((row, matches))
    });
    match chosen {
        Some((row, matches)) => (row.run)(matches),
        None => run_command::<Serve>(&matches),
    }
}

/// The version, the commit of a release (`build/main.rs` finds it), and what RabbitMQ it says to be.
fn version() -> String {
    let commit = option_env!("LEVERET_COMMIT").filter(|commit| !commit.is_empty());
    let commit = commit.map_or_else(String::new, |commit| format!("commit {commit}, "));
    format!("{} ({commit}like RabbitMQ {})", env!("CARGO_PKG_VERSION"), leveret::Broker::rabbitmq_version())
}

/// All commands as the library for command lines sees them.
fn command_line() -> Command {
    let about = "A message broker that every RabbitMQ client connects to unchanged";
    let command = Command::new("leveret").version(version());
    // What is said of the whole program comes last: the arguments of `serve` bring their own sentence.
    let command = Serve::augment_args(command).about(about).args_conflicts_with_subcommands(true);
    command.subcommands(COMMANDS.iter().map(|row| (row.arguments)(Command::new(row.name)).about(row.about)))
}

#[cfg(test)]
#[path = "../build/commit.rs"]
mod commit;

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;

    fn read(arguments: &[&str]) -> Result<ArgMatches, clap::Error> {
        command_line().try_get_matches_from(std::iter::once(&"leveret").chain(arguments))
    }

    fn is_in_memory(matches: &ArgMatches) -> bool {
        let serve = Serve::from_arg_matches(matches).unwrap();
        let environment = leveret::internals::config::Environment::default();
        leveret::internals::config::load(&serve.settings, &environment).settings.in_memory
    }

    #[test]
    fn serve_is_what_happens_without_a_command() {
        assert!(is_in_memory(&read(&["--in-memory"]).unwrap()));
        let named = read(&["serve", "--in-memory"]).unwrap();
        let (name, matches) = named.subcommand().unwrap();
        assert_eq!(name, "serve");
        assert!(is_in_memory(matches));
        assert!(!is_in_memory(&read(&[]).unwrap()));
    }

    #[test]
    fn a_data_directory_excludes_memory() {
        assert!(read(&["--in-memory", "--data-dir", "x"]).is_err());
    }

    #[test]
    fn the_help_begins_with_what_the_program_is() {
        let help = command_line().render_help().to_string();
        assert!(help.starts_with("A message broker that every RabbitMQ client connects to unchanged\n"), "{help}");
    }

    #[test]
    fn the_table_makes_sense_to_the_library() {
        command_line().debug_assert();
    }

    #[test]
    fn the_readme_names_every_command() {
        let readme = include_str!("../README.md");
        let is_named =
            |name: &str| ["leveret ", "leveret ["].iter().any(|before| readme.contains(&format!("{before}{name}")));
        let unnamed: Vec<_> = COMMANDS.iter().map(|row| row.name).filter(|name| !is_named(name)).collect();
        assert_eq!(unnamed, [""; 0]);
    }

    #[test]
    fn the_readme_names_flags_that_there_are() {
        let readme = include_str!("../README.md");
        let mut command = command_line();
        command.build();
        let check = command.find_subcommand("store").unwrap().find_subcommand("check").unwrap();
        let serve = command.find_subcommand("serve").unwrap();
        let arguments = [serve, check].into_iter().flat_map(Command::get_arguments);
        let names = |argument: &clap::Arg| {
            let others = argument.get_all_aliases().unwrap_or_default();
            argument.get_long().into_iter().chain(others).map(str::to_owned).collect::<Vec<_>>()
        };
        let known: Vec<_> = arguments.flat_map(names).collect();
        let usage = readme.split("```").filter(|part| part.starts_with("\nleveret "));
        let is_between = |character: char| character.is_whitespace() || "[]|,".contains(character);
        let flags = usage.flat_map(|part| part.split(is_between)).filter_map(|word| word.strip_prefix("--"));
        let unknown: Vec<_> = flags.filter(|flag| !known.iter().any(|known| known == flag)).collect();
        assert_eq!(unknown, [""; 0]);
    }
}
