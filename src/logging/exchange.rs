//! Lines of the log for the broker's exchange `amq.rabbitmq.log`. What the filter leaves out does not get here.

use std::fmt::Write;
use std::sync::OnceLock;

use parking_lot::Mutex;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::Context;

use super::format::Fields;
use super::repeated::Repeated;
use crate::clock::Clock;

/// Takes the level of a line, and its text if it wants it.
type TakeLine = Box<dyn Fn(&'static str, &dyn Fn() -> String) + Send + Sync>;

static TAKE_LINE: OnceLock<TakeLine> = OnceLock::new();

/// Gives the lines to this from now on. A program has one.
pub(crate) fn send_lines_to(take: TakeLine) {
    TAKE_LINE.set(take).ok();
}

/// Sees what is logged. Lines are escaped, cut and left out as those of the other outputs: whoever reads them may have a terminal, and
/// a client that errs again and again would fill a queue.
#[derive(Debug)]
pub(super) struct ToExchange {
    clock: Clock,
    repeated: Mutex<Repeated>,
}

impl ToExchange {
    pub(super) fn new() -> Self {
        Self { clock: Clock::system(), repeated: Mutex::default() }
    }
}

impl<S: Subscriber> Layer<S> for ToExchange {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some(take) = TAKE_LINE.get() else { return };
        let mut fields = Fields::default();
        event.record(&mut fields);
        let now_ms = self.clock.now_ms();
        // Not locked while a line is taken.
        let (left_out, passes) = {
            let mut repeated = self.repeated.lock();
            let about = fields.about(event.metadata().callsite());
            (repeated.sweep(now_ms), about.is_none_or(|about| repeated.pass(about, now_ms)))
        };
        for left_out in left_out {
            send(take, Level::WARN, &Fields::of(left_out));
        }
        if passes {
            send(take, *event.metadata().level(), &fields);
        }
    }
}

fn send(take: &TakeLine, level: Level, fields: &Fields) {
    let level = level_name(level);
    take(level, &|| line(level, fields));
}

/// RabbitMQ's names of the levels.
const fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

fn line(level: &str, fields: &Fields) -> String {
    let mut line = String::new();
    // Writing to a text does not fail.
    SystemTime.format_time(&mut Writer::new(&mut line)).ok();
    writeln!(line, " [{level}] {}", fields.text()).ok();
    line
}
