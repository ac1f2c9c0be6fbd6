//! `leveret run -- COMMAND`: gives a command a broker of its own, which is gone when the command ends.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::process::{Command, ExitCode, ExitStatus};

use clap::Args;
use leveret::Broker;

use super::Run;
use super::system::{Process, Signals, Told, ended_by};

/// The arguments of `leveret run`.
#[derive(Debug, Args)]
#[command(
    after_help = "The command finds AMQP_URL, RABBITMQ_URL, CLOUDAMQP_URL and RABBITMQ_HTTP_URL in its environment, and the \
                        parts of them as RABBITMQ_HOST, RABBITMQ_PORT, RABBITMQ_NODE_PORT, RABBITMQ_USER, RABBITMQ_PASSWORD and \
                        RABBITMQ_VHOST. Its exit code is passed on; 127 means that it could not be started.\n\nExample: leveret \
                        run -- sh -c 'echo $AMQP_URL'"
)]
pub(super) struct RunCommand {
    /// Say on stderr where the broker listens
    #[arg(long, short)]
    verbose: bool,

    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// What shells say of a command that there is not.
const NOT_FOUND: u8 = 127;
/// What they say of one that a signal ended, above the number of the signal.
const SIGNALLED: u8 = 128;

impl Run for RunCommand {
    fn run(self) -> ExitCode {
        let run = || -> io::Result<ExitCode> {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(self.with_a_broker())
        };
        run().unwrap_or_else(|error| {
            writeln!(io::stderr(), "leveret: {error}").ok();
            ExitCode::FAILURE
        })
    }
}

impl RunCommand {
    async fn with_a_broker(&self) -> io::Result<ExitCode> {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let broker = Broker::builder().in_memory().http_listen(loopback).start().await.map_err(io::Error::other)?;
        if self.verbose {
            writeln!(io::stderr(), "leveret: {} is there for the command", broker.amqp_url()).ok();
        }
        let code = self.run_in(&environment(&broker)).await;
        broker.stop().await;
        code
    }

    async fn run_in(&self, environment: &[(&str, String)]) -> io::Result<ExitCode> {
        let mut words = self.command.iter();
        let Some(program) = words.next() else { return Ok(ExitCode::from(NOT_FOUND)) };
        // Before the command is there, so that none is lost.
        let mut signals = Signals::new()?;
        let started =
            Command::new(program).args(words).envs(environment.iter().map(|(name, value)| (name, value))).spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(error) => {
                writeln!(io::stderr(), "leveret: cannot run {}: {error}", program.display()).ok();
                return Ok(ExitCode::from(NOT_FOUND));
            }
        };
        let process = i32::try_from(child.id()).ok().and_then(Process::numbered);
        let mut ended = tokio::task::spawn_blocking(move || child.wait());
        loop {
            let told = tokio::select! {
                status = &mut ended => return Ok(exit_code(status.map_err(io::Error::other)??)),
                told = signals.next() => told,
            };
            // A terminal has sent it to the command as well.
            let knows = told == Told::Interrupt && io::stdin().is_terminal();
            if let (false, Some(process)) = (knows, process) {
                // It may have ended just now.
                process.tell(told).ok();
            }
        }
    }
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = match (status.code(), ended_by(status)) {
        (Some(code), _) => u8::try_from(code).unwrap_or(1),
        (None, Some(signal)) => SIGNALLED.saturating_add(u8::try_from(signal).unwrap_or(0)),
        (None, None) => 1,
    };
    ExitCode::from(code)
}

/// What the command is told, in the words of frameworks, hosters and RabbitMQ.
fn environment(broker: &Broker) -> Vec<(&'static str, String)> {
    let url = broker.amqp_url();
    let (host, port) = (broker.address().ip().to_string(), broker.address().port().to_string());
    let http = broker.http_address().map(|address| format!("http://guest:guest@{address}"));
    let mut found = vec![
        ("AMQP_URL", url.clone()),
        ("RABBITMQ_URL", url.clone()),
        ("CLOUDAMQP_URL", url),
        ("RABBITMQ_HOST", host),
        ("RABBITMQ_PORT", port.clone()),
        ("RABBITMQ_NODE_PORT", port),
        ("RABBITMQ_USER", "guest".to_owned()),
        ("RABBITMQ_PASSWORD", "guest".to_owned()),
        ("RABBITMQ_VHOST", "/".to_owned()),
    ];
    found.extend(http.clone().map(|url| ("RABBITMQ_HTTP_URL", url)));
    // Leveret's own commands ask this broker, too.
    found.extend(http.map(|url| ("LEVERET_HTTP_URL", url)));
    found
}
