//! Lines of the log for the broker's exchange `amq.rabbitmq.log`. What the filter leaves out does not get here.

use std::fmt::{self, Write};
use std::sync::OnceLock;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::Context;

/// Takes the level of a line, and its text if it wants it.
type TakeLine = Box<dyn Fn(&'static str, &dyn Fn() -> String) + Send + Sync>;

static TAKE_LINE: OnceLock<TakeLine> = OnceLock::new();

/// Gives the lines to this from now on. A program has one.
pub(crate) fn send_lines_to(take: TakeLine) {
    TAKE_LINE.set(take).ok();
}

/// Sees what is logged.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ToExchange;

impl<S: Subscriber> Layer<S> for ToExchange {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some(take) = TAKE_LINE.get() else { return };
        let level = level_name(*event.metadata().level());
        take(level, &|| line(level, event));
    }
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

fn line(level: &str, event: &Event<'_>) -> String {
    let mut line = String::new();
    // Writing to a text does not fail.
    SystemTime.format_time(&mut Writer::new(&mut line)).ok();
    write!(line, " [{level}] ").ok();
    let (mut fields, mut message) = (String::new(), String::new());
    event.record(&mut Said { message: &mut message, fields: &mut fields });
    line.push_str(&message);
    line.push_str(&fields);
    line.push('\n');
    line
}

/// The message of a line, and what else is said.
struct Said<'a> {
    message: &'a mut String,
    fields: &'a mut String,
}

impl Visit for Said<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            write!(self.message, "{value:?}").ok();
        } else {
            write!(self.fields, " {}={value:?}", field.name()).ok();
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            write!(self.fields, " {}={value}", field.name()).ok();
        }
    }
}
