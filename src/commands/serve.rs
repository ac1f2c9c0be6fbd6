//! `leveret serve`: runs the broker until it is told to stop.

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use leveret::config;
use leveret::{Broker, logging};
use tokio::signal::unix::{SignalKind, signal};

use super::Run;

/// The arguments of `leveret serve`, and of `leveret` alone.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Serve {
    #[command(flatten)]
    pub(super) settings: config::Serve,
}

impl Run for Serve {
    fn run(self) -> ExitCode {
        match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(serve(&self.settings)),
            Err(error) => {
                writeln!(io::stderr(), "leveret: cannot start its threads: {error}").ok();
                ExitCode::FAILURE
            }
        }
    }
}

async fn serve(settings: &config::Serve) -> ExitCode {
    let Ok(log) = logging::start(settings.log_format) else { return ExitCode::FAILURE };
    let code = match until_stopped(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.tell(&format!("leveret: {error}"));
            ExitCode::FAILURE
        }
    };
    log.end();
    code
}

async fn until_stopped(serve: &config::Serve) -> Result<(), Box<dyn Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let broker = Broker::from_command_line(serve).await?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        error = until_failed(serve, &broker) => return Err(error),
    }
    tracing::info!("stopping");
    broker.stop().await;
    Ok(())
}

/// Tells whoever started it that it is ready, and waits for its failure.
async fn until_failed(serve: &config::Serve, broker: &Broker) -> Box<dyn Error> {
    if let Some(file) = serve.ports_file.clone() {
        let mut ports = serde_json::json!({ "amqp": broker.address().port() });
        if let (Some(ports), Some(address)) = (ports.as_object_mut(), broker.http_address()) {
            ports.insert("http".to_owned(), address.port().into());
        }
        let written = on_a_thread({
            let file = file.clone();
            move || write_ports(&file, &ports)
        });
        if let Err(error) = written.await {
            return format!("cannot write {}: {error}", file.display()).into();
        }
    }
    tracing::info!("connect to {} ({})", broker.amqp_url(), broker.keeps_messages_in());
    // Not waited for, and no reason to end when it fails: nobody may be there to read it.
    drop(on_a_thread(|| {
        let mut stdout = io::stdout();
        let written = writeln!(stdout, "Server startup complete; 0 plugins started.").and_then(|()| stdout.flush());
        written.inspect_err(|error| tracing::warn!(%error, "cannot write to stdout"))
    }));
    broker.failed().await.into()
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
fn write_ports(file: &Path, ports: &serde_json::Value) -> io::Result<()> {
    let unfinished = file.with_extension("tmp");
    // Made here and now: what has this name already may belong to somebody else, or lead elsewhere.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    writeln!(made, "{ports}")?;
    fs::rename(unfinished, file)
}
