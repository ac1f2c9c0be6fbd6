//! Definitions: everything that is declared, as a file.

use std::io::Read;
use std::path::Path;

use hyper::Method;

use super::arguments::{Format, Invocation};
use super::failure::Failure;
use super::output::Output;
use super::verb::{CTL, Verb, flag, value};
use crate::commands::client::Problem;
use crate::commands::exit;
use crate::commands::system::write_for_one_user;

pub(super) const VERBS: &[Verb] = &[
    Verb::new("export_definitions", CTL, "Writes all definitions to a file, or to the standard output", export)
        .takes(1, 1, "<file_path | \"-\"> [--format <json | erlang>]")
        .switches(&[value("format")])
        .says(|it| {
            let is_file = it.argument(0) != "-";
            is_file.then(|| format!("Exporting definitions in JSON to a file at \"{}\" ...", it.argument(0)))
        }),
    Verb::new("import_definitions", CTL, "Reads definitions from a file, or from the standard input", import)
        .takes(0, 1, "<file_path> [--format <json | erlang>] [--skip-if-unchanged] [--timeout <timeout>]")
        .switches(&[value("format"), flag("skip-if-unchanged")])
        .checks(check_file)
        .says(|it| {
            Some(match it.arguments.first() {
                Some(file) => format!("Importing definitions in JSON from a file at \"{file}\" ..."),
                None => "Importing definitions in JSON from standard input ...".to_owned(),
            })
        }),
];

fn export(it: &Invocation) -> Result<Output, Failure> {
    let definitions = it.client()?.bytes(&Method::GET, "/definitions", Vec::new())?;
    let file = it.argument(0);
    if file == "-" {
        let text = String::from_utf8_lossy(&definitions).into_owned();
        return Ok(Output::Report { data: serde_json::from_str(&text).unwrap_or_default(), text: text + "\n" });
    }
    let unwritable = |error| Failure::said(exit::DATA, format!("cannot write {file}: {error}"));
    write_for_one_user(Path::new(file), &definitions).map_err(unwritable)?;
    Ok(Output::Nothing)
}

fn check_file(it: &Invocation) -> Result<(), Failure> {
    match it.arguments.first() {
        Some(file) if !Path::new(file).exists() => {
            Err(Failure::Arguments { code: exit::DATA, text: format!("Bad argument: File {file} does not exist") })
        }
        Some(_) | None => Ok(()),
    }
}

fn import(it: &Invocation) -> Result<Output, Failure> {
    let definitions = match it.arguments.first() {
        Some(file) => {
            std::fs::read(file).map_err(|error| Failure::said(exit::DATA, format!("cannot read {file}: {error}")))?
        }
        None => {
            let mut text = Vec::new();
            match std::io::stdin().read_to_end(&mut text) {
                Ok(0) | Err(_) => return Err(Failure::said(exit::UNAVAILABLE, "not_enough_args")),
                Ok(_) => text,
            }
        }
    };
    match it.client()?.bytes(&Method::POST, "/definitions", definitions) {
        Ok(_) if it.format == Some(Format::Json) || it.is_quiet() => Ok(Output::Nothing),
        Ok(_) => Ok(Output::Message(
            "Successfully started definition import. This process is asynchronous and can take some time.\n".to_owned(),
        )),
        Err(Problem::Refused { reason, .. }) => Err(Failure::said(exit::DATA, reason)),
        Err(problem) => Err(problem.into()),
    }
}
