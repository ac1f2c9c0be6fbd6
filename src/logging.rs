//! The log of the program: what it looks like, where it goes, and how much of it.
//!
//! Each output has a thread that writes, its own format and its own filter; an event goes to all of them. What is there is chosen at the
//! start. How much goes there, and which file it is, changes at run time.

mod exchange;
mod format;
mod output;
mod repeated;
mod rotation;
mod syslog;
mod writer;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal};
use std::sync::OnceLock;
use std::time::Duration;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::clock::Clock;
use crate::config::{LogFilter, LogFormat, Settings};
use crate::throttle::INTERVAL_MS;
use format::Lines;
use output::{LogOutput, RotatedFile, Stream};
use rotation::Rotation;
use syslog::InvalidSyslogTls;
use syslog::{Header, SyslogServer};

pub(crate) use exchange::send_lines_to;
pub use writer::LogWriter;

/// What can be changed of the log while the program runs.
static OUTPUTS: OnceLock<Vec<Controls>> = OnceLock::new();

/// What can be changed of one output.
struct Controls {
    kind: Kind,
    filter: reload::Handle<EnvFilter, Registry>,
    /// What is written to there; the broker's exchange is not.
    writer: Option<LogWriter>,
}

/// Something that the log is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Console,
    File,
    Syslog,
    Exchange,
}

impl Kind {
    fn filter(self, settings: &Settings) -> LogFilter {
        let own = match self {
            Self::Console => settings.log_console_level,
            Self::File => settings.log_file_level,
            Self::Syslog => settings.log_syslog_level,
            Self::Exchange => settings.log_exchange_level,
        };
        settings.log_level.of_output(own, &settings.log_categories)
    }

    fn format(self, settings: &Settings) -> LogFormat {
        let own = match self {
            Self::Console => settings.log_console_format,
            Self::File => settings.log_file_format,
            Self::Syslog => settings.log_syslog_format,
            Self::Exchange => None,
        };
        own.unwrap_or(settings.log_format)
    }

    /// What its lines look like.
    fn lines(self, settings: &Settings) -> Lines {
        match self {
            Self::Console => Lines::new(self.format(settings), io::stderr().is_terminal()),
            Self::File | Self::Exchange => Lines::new(self.format(settings), false),
            Self::Syslog => Lines::for_syslog(self.format(settings), Header::of(settings)),
        }
    }

    /// The thread that writes them.
    const fn thread(self) -> &'static str {
        match self {
            Self::Console => "leveret-stderr",
            Self::File => "leveret-logfile",
            Self::Syslog | Self::Exchange => "leveret-syslog",
        }
    }
}

/// From now on the log has the levels that are configured so.
pub(crate) fn set_levels(settings: &Settings) {
    for output in OUTPUTS.get().into_iter().flatten() {
        // It fails only when nothing is logged any more.
        output.filter.reload(EnvFilter::new(output.kind.filter(settings).0)).ok();
    }
}

fn writers() -> impl Iterator<Item = &'static LogWriter> {
    OUTPUTS.get().into_iter().flatten().filter_map(|output| output.writer.as_ref())
}

/// Opens the files of the log again: somebody may have moved them away. A syslog server is connected to anew.
pub(crate) fn reopen() {
    writers().for_each(LogWriter::reopen);
}

/// Rotates the files of the log which are rotated here, and opens the others again.
pub(crate) fn rotate() {
    writers().for_each(LogWriter::rotate);
}

/// Why there can be no log as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum NoLog {
    /// There can be no thread that writes it.
    #[error("cannot start the threads of the log: {0}")]
    Threads(#[from] io::Error),
    /// TLS cannot be spoken with the syslog server.
    #[error(transparent)]
    Syslog(#[from] InvalidSyslogTls),
}

/// Has everything that is logged, and the text of panics, written where it is configured; what the filters leave out is not.
///
/// # Errors
/// When there can be no thread that writes it, or TLS cannot be spoken with the syslog server.
pub fn start(settings: &Settings) -> Result<LogWriter, NoLog> {
    let syslog = settings.log_syslog.then(|| SyslogServer::new(settings, Clock::system())).transpose()?;
    let (mut controls, mut layers) = (Vec::new(), Vec::new());
    // It writes what is told, also where the log does not go there.
    let stderr = start_output(Kind::Console, Stream(io::stderr()), settings, &mut controls, &mut layers)?;
    if !settings.log_console {
        controls.clear();
        layers.clear();
    }
    let mut cannot_open = None;
    if let Some(path) = settings.log_file_path() {
        let mut output = RotatedFile::new(path.clone(), rotation(settings), Clock::system());
        cannot_open = output.open().err().map(|error| (path, error));
        start_output(Kind::File, output, settings, &mut controls, &mut layers)?;
    }
    if let Some(server) = syslog {
        start_output(Kind::Syslog, server, settings, &mut controls, &mut layers)?;
    }
    if settings.log_exchange {
        let (filter, handle) = reload::Layer::new(EnvFilter::new(Kind::Exchange.filter(settings).0));
        layers.push(exchange::ToExchange::new().with_filter(filter).boxed());
        controls.push(Controls { kind: Kind::Exchange, filter: handle, writer: None });
    }
    tracing_subscriber::registry().with(layers).init();
    // The program starts its log once.
    OUTPUTS.set(controls).ok();
    if let Some((path, error)) = cannot_open {
        let text = format!("cannot write the log to {}: {error}; it is tried again with each line", path.display());
        tracing::error!("{text}");
        stderr.tell(&format!("leveret: {text}"));
    }
    log_panics(stderr.clone());
    Ok(stderr)
}

type Layers = Vec<Box<dyn Layer<Registry> + Send + Sync>>;

fn start_output(
    kind: Kind,
    output: impl LogOutput,
    settings: &Settings,
    controls: &mut Vec<Controls>,
    layers: &mut Layers,
) -> io::Result<LogWriter> {
    let lines = kind.lines(settings);
    let writer = LogWriter::start(kind.thread(), output, lines.clone(), Duration::from_millis(INTERVAL_MS))?;
    let (filter, handle) = reload::Layer::new(EnvFilter::new(kind.filter(settings).0));
    let layer = tracing_subscriber::fmt::layer().with_writer(writer.clone()).event_format(lines).with_filter(filter);
    layers.push(layer.boxed());
    controls.push(Controls { kind, filter: handle, writer: Some(writer.clone()) });
    Ok(writer)
}

fn rotation(settings: &Settings) -> Rotation {
    Rotation {
        size: settings.log_file_rotation_size,
        date: settings.log_file_rotation_date,
        count: settings.log_file_rotation_count,
        is_compressed: settings.log_file_rotation_compress,
    }
}

/// Has the text of panics written.
fn log_panics(stderr: LogWriter) {
    std::panic::set_hook(Box::new(move |panic| {
        let backtrace = Backtrace::capture();
        tracing::error!("{panic}");
        if backtrace.status() == BacktraceStatus::Captured {
            stderr.say(backtrace.to_string().into_bytes());
        }
        // The process may be aborted when this returns.
        writers().for_each(LogWriter::flush);
        stderr.flush();
    }));
}

/// Waits until everything is written that was logged, or for a second. For the end of the program.
pub fn end() {
    writers().for_each(LogWriter::end);
}
