//! Why a verb failed: the exit code, and what is written to stderr.

use super::arguments::Invocation;
use super::help;
use crate::commands::client::Problem;
use crate::commands::exit;

/// Why a verb failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// What RabbitMQ's tools write behind `Error:`.
    Said { code: u8, text: String },
    /// The same without that word.
    Bare { code: u8, text: String },
    /// The arguments are wrong: followed by how the verb is used.
    Arguments { code: u8, text: String },
    /// There is no broker, or it does not answer.
    Unreachable(String),
    /// It took too long, in milliseconds.
    TimedOut(u128),
}

impl Failure {
    pub(super) fn said(code: u8, text: impl Into<String>) -> Self {
        Self::Said { code, text: text.into() }
    }

    pub(super) fn bare(code: u8, text: impl Into<String>) -> Self {
        Self::Bare { code, text: text.into() }
    }

    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self::Arguments { code: exit::USAGE, text: text.into() }
    }

    /// What was to be set is refused. The API begins most of its reasons with the same words.
    pub(super) fn invalid(reason: &str) -> Self {
        let why = reason.strip_prefix(INVALID).unwrap_or(reason);
        Self::said(exit::UNAVAILABLE, format!("{INVALID}{}\n", why.trim_end()))
    }

    pub(super) fn unreachable(text: impl Into<String>) -> Self {
        Self::Unreachable(text.into())
    }

    pub(super) fn no_vhost(vhost: &str) -> Self {
        Self::bare(exit::DATA, format!("Virtual host '{vhost}' does not exist"))
    }

    pub(super) fn no_user(user: &str) -> Self {
        Self::said(exit::NO_USER, format!("User \"{user}\" does not exist"))
    }

    pub(super) const fn code(&self) -> u8 {
        match self {
            Self::Said { code, .. } | Self::Bare { code, .. } | Self::Arguments { code, .. } => *code,
            Self::Unreachable(_) => exit::UNAVAILABLE,
            Self::TimedOut(_) => exit::TEMPORARY,
        }
    }

    /// What is written to stderr.
    pub(super) fn text(&self, invocation: &Invocation) -> String {
        match self {
            Self::Said { text, .. } => format!("Error:\n{text}\n"),
            Self::Bare { text, .. } => format!("{text}\n"),
            Self::Arguments { text, .. } => help::refusal(invocation.tool, invocation.verb, text, &invocation.given),
            Self::Unreachable(why) => {
                let node = invocation.option("node").unwrap_or("rabbit@localhost");
                format!(
                    "Error: unable to perform an operation on node '{node}'. Please see diagnostics information and \
                     suggestions below.\n\n * {why}\n"
                )
            }
            Self::TimedOut(milliseconds) => format!(
                "Error: operation {} on node {} timed out. Timeout value used: {milliseconds}\n",
                invocation.verb.name,
                invocation.option("node").unwrap_or("rabbit@localhost"),
            ),
        }
    }
}

/// How RabbitMQ begins what it says of wrong policies and parameters.
const INVALID: &str = "Validation failed\n\n";

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Unreachable(why) => Self::Unreachable(why),
            Problem::TimedOut(after) => Self::TimedOut(after.as_millis()),
            Problem::Refused { reason, .. } => Self::said(exit::UNAVAILABLE, reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_a_validation_failed_is_said_once() {
        let text = |reason: &str| {
            let Failure::Said { text, .. } = Failure::invalid(reason) else { panic!("it is what follows Error:") };
            text
        };
        assert_eq!(text("Validation failed\n\nmax is wrong\n"), "Validation failed\n\nmax is wrong\n");
        assert_eq!(text("max is wrong"), "Validation failed\n\nmax is wrong\n");
    }
}
