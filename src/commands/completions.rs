//! `leveret completions` and `leveret man`: made from the same declarations as the commands themselves.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use clap_complete::Shell;

use super::ending::{Failed, end};
use super::{Run, command_line, exit};

/// The arguments of `leveret completions`.
#[derive(Debug, Args)]
#[command(after_help = "Example: leveret completions bash")]
pub(super) struct Completions {
    /// For which shell
    shell: Shell,
}

impl Run for Completions {
    fn run(self) -> ExitCode {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command_line(), "leveret", &mut script);
        // Whoever reads it may have gone.
        io::stdout().write_all(&script).ok();
        ExitCode::SUCCESS
    }
}

/// The arguments of `leveret man`.
#[derive(Debug, Args)]
#[command(after_help = "Example: leveret man | head")]
pub(super) struct Man {
    /// Write a page for each command into this directory, instead of the first page to the standard output
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Run for Man {
    fn run(self) -> ExitCode {
        end(self.pages())
    }
}

impl Man {
    fn pages(&self) -> Result<String, Failed> {
        let unwritable = |error: io::Error| Failed::other(exit::DATA, format!("cannot write the pages: {error}"));
        match &self.out {
            Some(directory) => {
                std::fs::create_dir_all(directory).map_err(unwritable)?;
                clap_mangen::generate_to(command_line(), directory).map_err(unwritable)?;
                Ok(String::new())
            }
            None => {
                let mut page = Vec::new();
                clap_mangen::Man::new(command_line()).render(&mut page).map_err(unwritable)?;
                Ok(String::from_utf8_lossy(&page).into_owned())
            }
        }
    }
}
