//! What commands do with the configuration, and what they ask for.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Environment, ProblemSeverity, Serve, load, reference};

/// How to check a data directory.
#[derive(Clone, Debug, Args)]
pub struct CheckTask {
    /// The directory to check [default: the platform's directory for data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// How to write what was found
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: CheckFormat,
}

/// The value of `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// Lines for people.
    Text,
    /// One JSON object.
    Json,
}

/// The exit code when the configuration is wrong; `sysexits.h` and RabbitMQ's tools have it so.
pub const EXIT_CONFIGURATION: u8 = 78;

/// What is to be done about the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigTask {
    /// Say what is wrong with it. Exit codes: 0 nothing, 1 something has no effect, 78 the broker would not start.
    Check(Serve),
    /// Print each setting with the value that holds, and where that was said.
    Show(Serve),
    /// Print the reference page of all settings.
    Reference,
}

impl ConfigTask {
    /// Does it: what to print, and the exit code.
    pub fn run(&self, environment: &Environment) -> (String, u8) {
        match self {
            Self::Reference => (reference(), 0),
            Self::Show(serve) => (load(serve, environment).shown(), 0),
            Self::Check(serve) => {
                let (lines, worst) = load(serve, environment).checked();
                let code = match worst {
                    ProblemSeverity::Note => 0,
                    ProblemSeverity::Unknown => 1,
                    ProblemSeverity::Wrong => EXIT_CONFIGURATION,
                };
                (lines, code)
            }
        }
    }
}
