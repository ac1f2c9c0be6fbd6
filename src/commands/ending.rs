//! How Leveret's own commands end: what they found on stdout, or one sentence on stderr.

use std::io::{self, Write};
use std::process::ExitCode;

use super::client::Problem;
use super::exit;

/// Why a command fails.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// The broker does not answer, or refuses.
    #[error(transparent)]
    Broker(#[from] Problem),
    /// Something else, in one sentence, with its exit code.
    #[error("{text}")]
    Other {
        /// The exit code.
        code: u8,
        /// What went wrong.
        text: String,
    },
}

impl Failed {
    pub(super) fn other(code: u8, text: impl Into<String>) -> Self {
        Self::Other { code, text: text.into() }
    }

    const fn code(&self) -> u8 {
        match self {
            Self::Broker(Problem::TimedOut(_)) => exit::TEMPORARY,
            Self::Broker(_) => exit::UNAVAILABLE,
            Self::Other { code, .. } => *code,
        }
    }
}

/// Writes what was found, or why nothing was.
pub(super) fn end(found: Result<String, Failed>) -> ExitCode {
    match found {
        Ok(text) => {
            // Whoever reads it may have gone.
            io::stdout().write_all(text.as_bytes()).ok();
            ExitCode::SUCCESS
        }
        Err(failed) => {
            writeln!(io::stderr(), "leveret: {failed}").ok();
            ExitCode::from(failed.code())
        }
    }
}
