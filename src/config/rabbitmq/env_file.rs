//! `rabbitmq-env.conf`: variables for RabbitMQ's scripts. A shell reads it there; here its assignments are read, and nothing is run.

use std::path::{Path, PathBuf};

use super::environment::{CONF_ENV_FILE, PREFIX};
use super::files::{HOME, ReadText};
use crate::config::environment::Environment;
use crate::config::given::{FilePlace, GivenSettings, Origin};

/// The environment with what the file says, which a variable names, or which lies where RabbitMQ has it. What is in the environment
/// counts more, as in RabbitMQ.
pub(in crate::config) fn completed(
    environment: &Environment,
    at_its_place: bool,
    text_of: ReadText,
    read: &mut GivenSettings,
) -> Environment {
    let mut completed = environment.clone();
    let usual = Path::new(HOME).join("rabbitmq-env.conf");
    let named = environment.get(CONF_ENV_FILE).filter(|file| !file.is_empty()).map(PathBuf::from);
    let Some(file) = named.or_else(|| (at_its_place && usual.is_file()).then_some(usual)) else { return completed };
    match text_of(&file) {
        Ok(text) => add(&file, &text, &mut completed, read),
        Err(reason) => read.refuse(at(&file, 1), reason),
    }
    completed
}

fn at(file: &Path, line: usize) -> Origin {
    Origin::File(FilePlace { file: file.to_owned(), line, column: 1 })
}

fn add(file: &Path, text: &str, environment: &mut Environment, read: &mut GivenSettings) {
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match assignment(line) {
            Some((name, value)) => {
                let short = name.strip_prefix(PREFIX).unwrap_or(name);
                environment.complete(&format!("{PREFIX}{short}"), value);
            }
            None => read.warn(
                at(file, number),
                "has no effect: of such files NAME=value is read, and nothing is run".to_owned(),
            ),
        }
    }
}

/// `NAME=value`, also behind `export`, with the value in quotes or not. What a shell would replace is none.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let (name, value) = line.split_once('=')?;
    let is_name = |it: char| it.is_ascii_uppercase() || it.is_ascii_digit() || it == '_';
    if name.is_empty() || !name.chars().all(is_name) {
        return None;
    }
    let (value, rest) = match value.chars().next() {
        Some('\'') => value.get(1..)?.split_once('\'')?,
        Some('"') => value.get(1..)?.split_once('"').filter(|(value, _)| !value.contains(['$', '`', '\\']))?,
        _ => {
            let (value, rest) = value.split_at(value.find(char::is_whitespace).unwrap_or(value.len()));
            (!value.contains(['$', '`', '\\', '\'', '"', ';', '&', '|', '('])).then_some((value, rest))?
        }
    };
    let rest = rest.trim_start();
    (rest.is_empty() || rest.starts_with('#')).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_read_and_nothing_is_run() {
        for (line, expected) in [
            ("NODENAME=rabbit@a", Some(("NODENAME", "rabbit@a"))),
            ("export RABBITMQ_NODE_PORT=5673 # why", Some(("RABBITMQ_NODE_PORT", "5673"))),
            ("CONFIG_FILE='/etc/a b'", Some(("CONFIG_FILE", "/etc/a b"))),
            ("MNESIA_BASE=\"/data\"", Some(("MNESIA_BASE", "/data"))),
            ("LOG_BASE=", Some(("LOG_BASE", ""))),
            ("LOG_BASE=$HOME/log", None),
            ("LOG_BASE=\"${HOME}/log\"", None),
            ("NODENAME=a; reboot", None),
            ("NODENAME='a", None),
            ("NODENAME=a b", None),
            ("ulimit -n 65536", None),
            ("if [ -z \"$A\" ]; then", None),
        ] {
            assert_eq!(assignment(line), expected, "{line}");
        }
    }

    #[test]
    fn the_environment_counts_more_and_what_is_no_assignment_is_told() {
        let text_of: ReadText = |file| match file.to_str() {
            Some("/f") => Ok("# c\nNODENAME=rabbit@file\nNODE_PORT=5673\nulimit -n 1\n".to_owned()),
            _ => Err("is not there".to_owned()),
        };
        let given = Environment::from([(CONF_ENV_FILE, "/f"), ("RABBITMQ_NODENAME", "rabbit@variable")]);
        let mut read = GivenSettings::default();
        let environment = completed(&given, false, text_of, &mut read);
        let of = |name| environment.get(name).unwrap_or_default().to_owned();
        assert_eq!((of("RABBITMQ_NODENAME"), of("RABBITMQ_NODE_PORT")), ("rabbit@variable".into(), "5673".into()));
        let told: Vec<_> = read.problems.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["/f:4:1: has no effect: of such files NAME=value is read, and nothing is run"]);
        let mut read = GivenSettings::default();
        completed(&Environment::from([(CONF_ENV_FILE, "/g")]), false, text_of, &mut read);
        assert_eq!(read.problems.iter().map(ToString::to_string).collect::<Vec<_>>(), ["/g:1:1: is not there"]);
    }
}
