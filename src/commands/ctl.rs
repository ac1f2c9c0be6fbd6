//! `rabbitmqctl` and RabbitMQ's other tools: the same verbs, words, columns and exit codes as RabbitMQ's command-line tools.
//!
//! `verb` says what a verb is and has the table of all of them; a new verb is one row in the table of its file. `arguments` reads the command line,
//! `output` and `formats` write the answer. What a verb asks the broker goes through `crate::commands::client`.

mod arguments;
mod cluster;
mod columns;
mod definitions;
mod erlang;
mod failure;
mod features;
mod formats;
mod health;
mod help;
mod limits;
mod listings;
mod logs;
mod needless;
mod node;
mod output;
mod parameters;
mod permissions;
mod plugins;
mod policies;
mod queues;
mod report;
mod runtime;
mod status;
mod tls;
mod unserved;
mod users;
mod verb;
mod vhosts;
mod waiting;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use arguments::Invocation;
use failure::Failure;
use verb::Verb;

use super::exit;

pub(super) use verb::Tool;

/// Does what the arguments ask for; the first of them is the verb or an option.
pub(super) fn run(tool: Tool, arguments: Vec<OsString>) -> ExitCode {
    let arguments: Vec<String> =
        arguments.into_iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let written = match read(tool, &arguments) {
        Read::Run(invocation) => perform(&invocation),
        Read::Text(text) => write(&text, "").map(|()| ExitCode::SUCCESS),
        Read::Refused(text) => write("", &text).map(|()| ExitCode::from(exit::USAGE)),
    };
    // Whoever reads the output may have gone; that is no reason to fail.
    written.unwrap_or(ExitCode::SUCCESS)
}

/// What the command line comes to.
enum Read {
    Run(Box<Invocation>),
    /// Help, for stdout.
    Text(String),
    /// What is wrong, for stderr.
    Refused(String),
}

fn read(tool: Tool, arguments: &[String]) -> Read {
    let name = arguments::verb_name(arguments);
    match name {
        None if arguments.iter().any(|argument| argument == "--version") => {
            return Read::Text(format!("{}\n", node::claimed_version()));
        }
        None if arguments::asks_for_help(arguments) => return Read::Text(help::overview(tool)),
        None => return Read::Refused(help::overview(tool)),
        Some("help") => return help(tool, arguments),
        Some("autocomplete") => return Read::Text(help::completions(tool, arguments.get(1).map(String::as_str))),
        Some(_) => {}
    }
    let name = name.unwrap_or_default();
    let Some(verb) = verb::find(tool, name) else { return Read::Refused(help::unknown(tool, name)) };
    if arguments::asks_for_help(arguments) {
        return Read::Text(help::of_verb(tool, verb));
    }
    match Invocation::read(tool, verb, arguments) {
        Ok(invocation) => Read::Run(Box::new(invocation)),
        Err(why) => Read::Refused(help::refusal(tool, verb, &why, arguments)),
    }
}

fn help(tool: Tool, arguments: &[String]) -> Read {
    let about = arguments.iter().filter(|argument| !argument.starts_with('-')).nth(1);
    match about {
        None => Read::Text(help::overview(tool)),
        Some(name) => match verb::find(tool, name) {
            Some(verb) => Read::Text(help::of_verb(tool, verb)),
            None => Read::Refused(help::unknown(tool, name)),
        },
    }
}

/// Says what is going to be done, does it, and writes what came of it.
fn perform(invocation: &Invocation) -> io::Result<ExitCode> {
    let verb: &Verb = invocation.verb;
    if let Err(failure) = (verb.check)(invocation) {
        return finish(invocation, Err(failure));
    }
    if invocation.shows_banner()
        && let Some(banner) = (verb.banner)(invocation)
    {
        write(&format!("{banner}\n"), "")?;
    }
    finish(invocation, (verb.run)(invocation))
}

fn finish(invocation: &Invocation, result: Result<output::Output, Failure>) -> io::Result<ExitCode> {
    match result {
        Ok(output) => write(&formats::render(invocation, &output), "").map(|()| ExitCode::SUCCESS),
        Err(failure) => {
            let text = failure.text(invocation);
            write("", &text).map(|()| ExitCode::from(failure.code()))
        }
    }
}

fn write(out: &str, error: &str) -> io::Result<()> {
    if !error.is_empty() {
        io::stderr().write_all(error.as_bytes())?;
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(out.as_bytes())?;
    stdout.flush()
}
