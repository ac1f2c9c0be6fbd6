//! `leveret serve`: runs the broker until it is told to stop.

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use leveret::Broker;
use leveret::internals::config::{self, Configuration, Environment, ProblemSeverity, Setting, Settings};
use leveret::internals::logging::{self, LogWriter};
use leveret::internals::server::Reloaded;

use super::system::{self, Signals, Told};
use super::{Run, called_as, service};

/// The arguments of `leveret serve`, and of `leveret` alone.
#[derive(Debug, Args)]
#[group(skip)]
#[command(after_help = "Example: leveret serve --in-memory --port 5673")]
pub(super) struct Serve {
    #[command(flatten)]
    pub(super) settings: config::Serve,
}

impl Run for Serve {
    fn run(mut self) -> ExitCode {
        self.settings.is_rabbitmq_server = std::env::args_os().next().is_some_and(|name| called_as::is_server(&name));
        match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(serve(&self.settings)),
            Err(error) => {
                writeln!(io::stderr(), "leveret: cannot start its threads: {error}").ok();
                ExitCode::FAILURE
            }
        }
    }
}

async fn serve(arguments: &config::Serve) -> ExitCode {
    let configuration = config::load(arguments, &Environment::of_process());
    // On stderr, for there is no log yet: where it goes is a part of what is wrong.
    if configuration.wrong().next().is_some() {
        writeln!(io::stderr(), "{BOOT_FAILED}").ok();
        for problem in configuration.wrong() {
            writeln!(io::stderr(), "leveret: {problem}").ok();
        }
        return ExitCode::from(config::EXIT_CONFIGURATION);
    }
    let settings = &configuration.settings;
    let log = match logging::start(settings) {
        Ok(log) => log,
        Err(error) => {
            writeln!(io::stderr(), "{BOOT_FAILED}\nleveret: {error}").ok();
            return ExitCode::FAILURE;
        }
    };
    tell(&configuration);
    let code = match until_stopped(arguments, settings, &log).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.tell(&format!("leveret: {error}"));
            ExitCode::FAILURE
        }
    };
    logging::end();
    log.flush();
    code
}

/// Says in the log what is wrong with the configuration without being a reason not to start.
fn tell(configuration: &Configuration) {
    for problem in &configuration.problems {
        match problem.severity {
            ProblemSeverity::Note => tracing::info!("{problem}"),
            ProblemSeverity::Unknown | ProblemSeverity::Wrong => tracing::warn!("{problem}"),
        }
    }
    for advice in configuration.settings.advice() {
        tracing::warn!("{advice}");
    }
}

async fn until_stopped(arguments: &config::Serve, settings: &Settings, log: &LogWriter) -> Result<(), Box<dyn Error>> {
    // Before anything starts, so that a signal during the start is not lost.
    let mut signals = Signals::new()?;
    // Before the broker is there: `rabbitmqctl wait` reads the number first, and then waits for that
    // process to serve clients.
    let pid_file = settings.pid_file.as_ref().filter(|file| has_written_pid(file));
    let broker = Broker::from_settings(settings).await.inspect_err(|_| log.tell(BOOT_FAILED))?;
    let told_to_stop = async {
        while signals.next().await == Told::HangUp {
            reload(arguments, &broker);
        }
    };
    tokio::select! {
        () = told_to_stop => {}
        // Without a stop in order: the next start reads the log.
        error = until_failed(settings, &broker) => return Err(error),
        never = service::stay_alive() => match never {},
    }
    service::stopping();
    tracing::info!("stopping");
    broker.stop().await;
    if let Some(file) = pid_file {
        // Somebody may have taken it away.
        fs::remove_file(file).ok();
    }
    Ok(())
}

/// Writes the number of this process to a file. That it cannot be written is said, and is no reason not to serve, as in RabbitMQ.
fn has_written_pid(file: &Path) -> bool {
    // RabbitMQ makes the directory, too: its place of old, below `mnesia`, is in many scripts.
    let made = file.parent().map_or(Ok(()), fs::create_dir_all);
    let written = made.and_then(|()| write_whole(file, &std::process::id().to_string()));
    written.inspect_err(|error| tell_unwritten(file, error)).is_ok()
}

/// Whoever reads such a file waits in vain; clients need neither.
fn tell_unwritten(file: &Path, error: &io::Error) {
    tracing::warn!("cannot write {}: {error}; going on without this file", file.display());
}

/// What RabbitMQ says before it ends because it cannot start.
const BOOT_FAILED: &str = "BOOT FAILED";

/// What RabbitMQ writes once clients are accepted: scripts and containers' engines wait for the one line or the other. What its plugins do is
/// built in, so there are none to be counted and named. In one write: whoever has read the first line may go.
const STARTED: &str = "Server startup complete; 0 plugins started.\n completed with 0 plugins.\n";

/// Reads the configuration again, and takes over what can change while the broker runs.
fn reload(arguments: &config::Serve, broker: &Broker) {
    let configuration = config::load(arguments, &Environment::of_process());
    if configuration.wrong().next().is_some() {
        for problem in configuration.wrong() {
            tracing::error!("{problem}");
        }
        tracing::error!("the configuration was not read again: something in it is wrong");
        return;
    }
    tell(&configuration);
    let Reloaded { taken, at_next_start } = broker.reload(&configuration.settings);
    for setting in at_next_start.into_iter().filter_map(Setting::find) {
        let origin = configuration.origin(setting);
        tracing::warn!("{origin}: {} was changed: it is taken over at the next start", setting.name);
    }
    let taken = if taken.is_empty() { "nothing".to_owned() } else { taken.join(", ") };
    tracing::info!(
        "read the configuration again: took over {taken}; certificates and files of the log are read and opened again"
    );
}

/// Tells whoever started it that it is ready, and waits for its failure.
async fn until_failed(settings: &Settings, broker: &Broker) -> Box<dyn Error> {
    if let Some(file) = settings.ports_file.clone() {
        let ports = ports(broker);
        let written = on_a_thread({
            let file = file.clone();
            move || write_whole(&file, &ports.to_string())
        });
        written.await.inspect_err(|error| tell_unwritten(&file, error)).ok();
    }
    tracing::info!("{}", broker.welcome());
    // Not waited for, and no reason to end when it fails: nobody may be there to read it.
    drop(on_a_thread(|| {
        let mut stdout = io::stdout();
        let written = stdout.write_all(STARTED.as_bytes()).and_then(|()| stdout.flush());
        written.inspect_err(|error| tracing::warn!(%error, "cannot write to stdout"))
    }));
    service::ready();
    broker.failed().await.into()
}

/// The first port of each kind by its name, and all listeners.
fn ports(broker: &Broker) -> serde_json::Value {
    let named = [
        ("amqp", (!broker.is_tls_only()).then(|| broker.address())),
        ("amqps", broker.amqps_address()),
        ("http", broker.http_address()),
        ("https", broker.https_address()),
        ("prometheus", broker.prometheus_address()),
        ("prometheus_tls", broker.prometheus_tls_address()),
    ];
    let listener = |(protocol, address): &(&str, SocketAddr)| serde_json::json!({ "protocol": protocol, "address": address.ip().to_string(), "port": address.port() });
    let named = named.into_iter().filter_map(|(name, address)| Some((name.to_owned(), address?.port().into())));
    let listeners: serde_json::Value = broker.listeners().iter().map(listener).collect();
    named.chain([("listeners".to_owned(), listeners)]).collect()
}

/// Output may stand still, and only a thread of its own can wait for it without keeping the broker, or its end, waiting.
fn on_a_thread(write: impl FnOnce() -> io::Result<()> + Send + 'static) -> impl Future<Output = io::Result<()>> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let run = move || drop(tell.send(write()));
    let started = std::thread::Builder::new().name("leveret-output".to_owned()).spawn(run);
    async move {
        started?;
        told.await.map_err(io::Error::other)?
    }
}

/// Whole or not at all, so that whoever waits for the file never reads half of it.
fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    let unfinished = file.with_extension("tmp");
    // Made here and now: what has this name already may belong to somebody else, or lead elsewhere.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut made = system::for_one_user(OpenOptions::new().write(true).create_new(true)).open(&unfinished)?;
    writeln!(made, "{text}")?;
    fs::rename(unfinished, file)
}
