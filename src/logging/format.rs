//! What a line of the log looks like. Values may come from clients: whatever they hold, a line stays one line, of bounded length, and
//! does nothing to the terminal that shows it.

use std::fmt::{self, Write};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Map, Value};
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::repeated::{About, LeftOut, Repeated};
use super::syslog::Header;
use super::writer::Unsaid;
use crate::clock::Clock;
use crate::config::LogFormat;

/// A value that is longer is cut.
const VALUE_BYTES_MAX: usize = 1024;

/// Formats events as lines. Copies of it count together what they leave out.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    format: LogFormat,
    is_colored: bool,
    /// What stands before each line instead of time and level, where it is a message to a syslog server.
    syslog: Option<Header>,
    clock: Clock,
    repeated: Arc<Mutex<Repeated>>,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let now_ms = self.clock.now_ms();
        let mut repeated = self.repeated.lock();
        let left_out = repeated.sweep(now_ms);
        let about = fields.about(event.metadata().callsite());
        let passes = about.is_none_or(|about| repeated.pass(about, now_ms));
        drop(repeated);
        self.write_left_out(&mut writer, left_out)?;
        if passes { self.write(&mut writer, *event.metadata().level(), fields) } else { Ok(()) }
    }
}

impl Lines {
    pub(super) fn new(format: LogFormat, is_colored: bool) -> Self {
        Self { format, is_colored, syslog: None, clock: Clock::system(), repeated: Arc::default() }
    }

    pub(super) fn for_syslog(format: LogFormat, header: Header) -> Self {
        Self { syslog: Some(header), ..Self::new(format, false) }
    }

    fn write_left_out(&self, writer: &mut Writer<'_>, all: Vec<LeftOut>) -> fmt::Result {
        all.into_iter().try_for_each(|left_out| self.write(writer, Level::WARN, Fields::of(left_out)))
    }

    fn write(&self, writer: &mut Writer<'_>, level: Level, fields: Fields) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let line = match (&self.syslog, self.format) {
            (None, LogFormat::Text) => self.text(&time, level, &fields),
            (None, LogFormat::Json) => json(time, level, fields),
            (Some(header), LogFormat::Text) => header.message(&time, level, &fields.text()),
            (Some(header), LogFormat::Json) => header.message(&time, level, &json(time.clone(), level, fields)),
        };
        writeln!(writer, "{line}")
    }

    fn text(&self, time: &str, level: Level, fields: &Fields) -> String {
        let mut line = if self.is_colored {
            let color = match level {
                Level::ERROR => 31,
                Level::WARN => 33,
                Level::INFO => 32,
                _ => 34,
            };
            format!("\u{1b}[2m{time}\u{1b}[0m \u{1b}[{color}m{level:>5}\u{1b}[0m ")
        } else {
            format!("{time} {level:>5} ")
        };
        fields.push_to(&mut line);
        line
    }
}

impl Unsaid for Lines {
    fn take(&self, is_end: bool) -> Vec<u8> {
        let now_ms = self.clock.now_ms();
        let mut repeated = self.repeated.lock();
        let left_out = if is_end { repeated.take_all() } else { repeated.take_over(now_ms) };
        drop(repeated);
        let mut lines = String::new();
        // Writing to a string cannot fail.
        self.write_left_out(&mut Writer::new(&mut lines), left_out).ok();
        lines.into_bytes()
    }
}

fn json(time: String, level: Level, fields: Fields) -> String {
    let mut named = Map::new();
    named.insert("message".to_owned(), fields.message.into());
    named.extend(fields.others.into_iter().map(|(name, value)| (name.to_owned(), value)));
    let line = serde_json::json!({ "timestamp": time, "level": level.as_str(), "fields": named }).to_string();
    // Such characters stand in strings only, where JSON can write every one of them in ASCII.
    let mut safe = String::with_capacity(line.len());
    for character in line.chars() {
        if is_harmless(character) {
            safe.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                // Writing to a string cannot fail.
                write!(safe, "\\u{unit:04x}").ok();
            }
        }
    }
    safe
}

/// A value whose end can be told: as it is when it is a plain word, else in quotation marks.
fn push_value(line: &mut String, text: &str) {
    let is_plain = |character: char| is_harmless(character) && !matches!(character, ' ' | '"' | '=' | '\\');
    if !text.is_empty() && text.chars().all(is_plain) {
        line.push_str(text);
        return;
    }
    line.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => line.extend(['\\', character]),
            _ => push_escaped(line, character),
        }
    }
    line.push('"');
}

/// Text for people in which nothing acts on the terminal or begins a line of its own.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    text.chars().for_each(|character| push_escaped(&mut safe, character));
    safe
}

fn push_escaped(line: &mut String, character: char) {
    if is_harmless(character) {
        line.push(character);
    } else if matches!(character, '\n' | '\r' | '\t') {
        line.extend(character.escape_default());
    } else {
        line.extend(character.escape_unicode());
    }
}

/// Neither a control character, nor one that ends a line or turns the direction of writing.
fn is_harmless(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
        )
}

/// The fields of an event.
#[derive(Debug, Default)]
pub(super) struct Fields {
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    /// That such lines are missing.
    pub(super) fn of(left_out: LeftOut) -> Self {
        let LeftOut { message, address, lines } = left_out;
        let others = vec![("repeated", message.into()), ("peer", address.into()), ("lines", lines.into())];
        Self { message: "lines were left out".to_owned(), others }
    }

    /// The message and the other fields, without time and level.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        self.push_to(&mut text);
        text
    }

    fn push_to(&self, line: &mut String) {
        line.push_str(&escaped(&self.message));
        for (name, value) in &self.others {
            line.push(' ');
            line.push_str(name);
            line.push('=');
            match value.as_str() {
                Some(text) => push_value(line, text),
                None => line.push_str(&value.to_string()),
            }
        }
    }

    /// Which client a line is about, if it is about one. All ports of a client are one.
    pub(super) fn about(&self, callsite: Identifier) -> Option<About> {
        let (_, peer) = self.others.iter().find(|(name, _)| *name == "peer")?;
        let peer = peer.as_str()?;
        let address = peer.rsplit_once(':').map_or(peer, |(address, _)| address).to_owned();
        let is_error = self.others.iter().any(|(name, _)| matches!(*name, "error" | "reason"));
        Some(About { callsite, message: self.message.clone(), address, is_error })
    }

    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => self.others.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = Bounded::default();
        // It fails at the bound, on purpose, and has written until there.
        write!(text, "{value:?}").ok();
        self.add(field, text.text.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let mut text = Bounded::default();
        text.write_str(value).ok();
        self.add(field, text.text.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }
}

/// Takes so much text, and then three dots.
#[derive(Default)]
struct Bounded {
    text: String,
    is_cut: bool,
}

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.is_cut {
            return Err(fmt::Error);
        }
        let room = VALUE_BYTES_MAX - self.text.len();
        let (taken, rest) = text.split_at(floor_char_boundary(text, room));
        self.text.push_str(taken);
        if rest.is_empty() {
            return Ok(());
        }
        self.is_cut = true;
        self.text.push_str("...");
        Err(fmt::Error)
    }
}

/// The last boundary of characters up to there. The standard library has it since Rust 1.91.
fn floor_char_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(name: &'static str, value: &str) -> Fields {
        Fields { message: "closing\nchannel".to_owned(), others: vec![(name, value.into())] }
    }

    fn text(value: &str) -> String {
        Lines::new(LogFormat::Text, false).text("T", Level::INFO, &fields("error", value))
    }

    #[test]
    fn a_value_cannot_end_its_line_or_reach_the_terminal() {
        assert_eq!(text("plain-word:5672"), "T  INFO closing\\nchannel error=plain-word:5672");
        assert_eq!(text("a\nT  INFO b"), r#"T  INFO closing\nchannel error="a\nT  INFO b""#);
        assert_eq!(text("\u{1b}[2J\u{9b}1m\u{7f}"), r#"T  INFO closing\nchannel error="\u{1b}[2J\u{9b}1m\u{7f}""#);
        assert_eq!(text("\u{202e}\u{2028}\r"), r#"T  INFO closing\nchannel error="\u{202e}\u{2028}\r""#);
    }

    #[test]
    fn a_value_cannot_look_like_another_field() {
        assert_eq!(text("x user=admin"), r#"T  INFO closing\nchannel error="x user=admin""#);
        assert_eq!(text(r#"" user=admin "\"#), r#"T  INFO closing\nchannel error="\" user=admin \"\\""#);
        assert_eq!(text(""), r#"T  INFO closing\nchannel error="""#);
    }

    #[test]
    fn json_keeps_every_value_exactly_and_is_one_line_of_harmless_characters() {
        let value = "\u{1b}[2J\u{9b}1m\n\u{202e}\u{2028}\u{1f600}\"";
        let line = json("T".to_owned(), Level::WARN, fields("error", value));
        assert!(line.chars().all(is_harmless), "{line:?}");
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["fields"]["error"], value);
        assert_eq!((&read["level"], &read["timestamp"]), (&Value::from("WARN"), &Value::from("T")));
    }

    #[test]
    fn long_values_are_cut() {
        let mut text = Bounded::default();
        write!(text, "{}", "\u{e4}".repeat(100_000)).ok();
        write!(text, "more").ok();
        assert_eq!(text.text.len(), VALUE_BYTES_MAX + 3);
    }
}
