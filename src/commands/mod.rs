//! The commands of the program, one file each, and the table of them.
//!
//! A new command is one file with a type that implements [`Run`], and one row in [`COMMANDS`]. `leveret` without a command runs the
//! broker, so the flags of `serve` are understood without its name, too.

mod called_as;
mod client;
mod config;
mod ctl;
mod ctl_command;
mod exit;
mod serve;
mod store;
mod target;
mod tls;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{ArgMatches, Args, Command};

use config::Config;
use ctl_command::Ctl;
use serve::Serve;
use store::Store;
use tls::Tls;

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

/// Every command.
const COMMANDS: &[Row] = &[
    row::<Serve>("serve", "Run the broker (what happens without a command, too)"),
    row::<Ctl>("ctl", "Administer a running broker, as rabbitmqctl does"),
    row::<Store>("store", "Look after a data directory that no broker uses now"),
    row::<Tls>("tls", "Make certificates to try TLS with"),
    row::<Config>("config", "Look at the configuration: files, environment and flags together"),
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

/// All commands as the library for command lines sees them.
fn command_line() -> Command {
    let about = "A message broker that every RabbitMQ client connects to unchanged";
    let command = Command::new("leveret").version(env!("CARGO_PKG_VERSION")).about(about);
    let command = Serve::augment_args(command).args_conflicts_with_subcommands(true);
    command.subcommands(COMMANDS.iter().map(|row| (row.arguments)(Command::new(row.name)).about(row.about)))
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;

    fn read(arguments: &[&str]) -> Result<ArgMatches, clap::Error> {
        command_line().try_get_matches_from(std::iter::once(&"leveret").chain(arguments))
    }

    fn is_in_memory(matches: &ArgMatches) -> bool {
        let serve = Serve::from_arg_matches(matches).unwrap();
        let environment = leveret::config::Environment::default();
        leveret::config::load(&serve.settings, &environment).settings.in_memory
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
    fn the_table_makes_sense_to_the_library() {
        command_line().debug_assert();
    }

    #[test]
    fn the_readme_names_flags_that_there_are() {
        let readme = include_str!("../../README.md");
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
        let is_between = |character: char| character.is_whitespace() || "[]|".contains(character);
        let flags = usage.flat_map(|part| part.split(is_between)).filter_map(|word| word.strip_prefix("--"));
        let unknown: Vec<_> = flags.filter(|flag| !known.iter().any(|known| known == flag)).collect();
        assert_eq!(unknown, [""; 0]);
    }
}
