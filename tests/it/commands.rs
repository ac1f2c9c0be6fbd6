//! The program called as RabbitMQ's tools: what they print and how they end, compared with RabbitMQ 4.3 to the letter where a script
//! could read it.

mod brokers;
mod ctl;
mod diagnostics;
mod examples;
mod health;
mod maintenance;
mod own;
mod perf;
mod queues;
mod runtime;
mod scripts;
mod service;
mod watching;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::process::{Directory, Program};

/// A broker with tools that find it.
pub(crate) struct Tools {
    pub(crate) program: Program,
    pub(crate) data: Directory,
    links: Directory,
}

/// What a tool wrote, and how it ended.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) out: String,
    pub(crate) error: String,
    pub(crate) code: i32,
}

const NAMES: &[&str] = &[
    "leveret",
    "rabbitmq-server",
    "rabbitmqctl",
    "rabbitmq-diagnostics",
    "rabbitmq-plugins",
    "rabbitmq-queues",
    "rabbitmq-streams",
    "rabbitmq-upgrade",
    "rabbitmqadmin",
];

impl Tools {
    pub(crate) fn start(name: &str) -> Self {
        Self::start_with(name, &[])
    }

    /// The broker with these arguments, too.
    pub(crate) fn start_with(name: &str, arguments: &[&str]) -> Self {
        let data = Directory::new(name);
        let program = Program::start_in(&data, &[&["--http-listen", "127.0.0.1:0"], arguments].concat());
        Self { program, links: links(name), data }
    }

    /// A command of the shell, in an environment where the tools are found by their names.
    pub(crate) fn shell(&self, command: &str) -> Answer {
        let path = std::env::var("PATH").unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).env("PATH", format!("{}:{path}", self.links.path().display()));
        shell.env("LEVERET_DATA_DIR", self.data.path()).env("RABBITMQ_ENABLED_PLUGINS_FILE", self.plugins_file());
        shell.env("AMQP_PORT", self.program.address().port().to_string());
        shell.env("HTTP_PORT", self.program.ports()["http"].to_string());
        answer(shell.output().unwrap())
    }

    /// A tool that succeeds; what it wrote to stdout.
    pub(crate) fn ok(&self, command: &str) -> String {
        let answer = self.shell(command);
        assert_eq!((answer.code, answer.error.as_str()), (0, ""), "{command}: {answer:?}");
        answer.out
    }

    /// A tool that fails: its exit code, and what it wrote to stderr.
    pub(crate) fn fails(&self, command: &str) -> (i32, String) {
        let answer = self.shell(command);
        assert_ne!(answer.code, 0, "{command}: {answer:?}");
        (answer.code, answer.error)
    }

    pub(crate) fn plugins_file(&self) -> PathBuf {
        self.links.path().join("enabled_plugins")
    }
}

pub(crate) fn answer(output: Output) -> Answer {
    Answer {
        out: String::from_utf8(output.stdout).unwrap(),
        error: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code().unwrap(),
    }
}

/// A directory with the program under all of its names.
pub(crate) fn links(name: &str) -> Directory {
    let links = Directory::new(&format!("{name}-links"));
    std::fs::create_dir_all(links.path()).unwrap();
    for name in NAMES {
        symlink(Path::new(env!("CARGO_BIN_EXE_leveret")), links.path().join(name)).unwrap();
    }
    links
}
