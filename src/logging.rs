//! The log of the program: what it looks like, and where it goes.

mod format;
mod repeated;
mod writer;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal};
use std::sync::OnceLock;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFilter, LogFormat};
use crate::throttle::INTERVAL_MS;
use format::Lines;

pub use writer::{Line, LogWriter};

/// Changes what of the log is written.
static SET_FILTER: OnceLock<SetFilter> = OnceLock::new();

type SetFilter = Box<dyn Fn(&str) + Send + Sync>;

/// From now on what this filter leaves out is not written.
pub fn set_filter(filter: &LogFilter) {
    if let Some(set) = SET_FILTER.get() {
        set(&filter.0);
    }
}

/// Has everything that is logged, and the text of panics, written to stderr; what the filter leaves out is not.
///
/// # Errors
/// When there can be no thread that writes it.
pub fn start(format: LogFormat, filter: &LogFilter) -> io::Result<LogWriter> {
    let lines = Lines::new(format, io::stderr().is_terminal());
    let writer = LogWriter::start(io::stderr(), lines.clone(), Duration::from_millis(INTERVAL_MS))?;
    let filter = EnvFilter::new(&filter.0);
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer.clone()).event_format(lines);
    let subscriber = subscriber.with_filter_reloading();
    let filter = subscriber.reload_handle();
    subscriber.init();
    // The program starts its log once.
    SET_FILTER.set(Box::new(move |text| drop(filter.reload(EnvFilter::new(text))))).ok();
    let panics = writer.clone();
    std::panic::set_hook(Box::new(move |panic| {
        let backtrace = Backtrace::capture();
        tracing::error!("{panic}");
        if backtrace.status() == BacktraceStatus::Captured {
            panics.say(backtrace.to_string().into_bytes());
        }
        // The process may be aborted when this returns.
        panics.flush();
    }));
    Ok(writer)
}
