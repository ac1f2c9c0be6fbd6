//! The text format of Prometheus, version 0.0.4: a family is a line with its type, one with its help, and a line for each sample.
//!
//! Written by hand, because the libraries there are write OpenMetrics, in which RabbitMQ's names cannot be said: every counter must end in
//! `_total` (RabbitMQ's `stream_segments` does not), and there are no untyped families. Nor can they write a part of a
//! family and go on later.

use std::fmt::Write;

/// The content type of the format.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4";

/// What a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MetricKind {
    /// A number that only grows.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// Counts by size, with their sum.
    Histogram,
    /// RabbitMQ does not say.
    Untyped,
}

impl MetricKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Untyped => "untyped",
        }
    }
}

/// The value of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    /// A whole number.
    Count(u64),
    /// A number that may have a fraction.
    Real(f64),
}

impl From<u64> for Number {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<usize> for Number {
    fn from(count: usize) -> Self {
        Self::Count(count as u64)
    }
}

impl From<f64> for Number {
    fn from(real: f64) -> Self {
        Self::Real(real)
    }
}

impl Number {
    /// The sum of two numbers: with a fraction if one of them has one.
    #[expect(clippy::cast_precision_loss, reason = "counters stay far below 2^52")]
    pub(super) fn plus(self, other: Self) -> Self {
        let real = |number| match number {
            Self::Count(count) => count as f64,
            Self::Real(real) => real,
        };
        match (self, other) {
            (Self::Count(a), Self::Count(b)) => Self::Count(a.saturating_add(b)),
            (a, b) => Self::Real(real(a) + real(b)),
        }
    }
}

/// The name of a family, in front of which each endpoint has its own prefix.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name {
    pub(super) prefix: &'static str,
    pub(super) name: &'static str,
}

/// Begins a family.
pub(super) fn head(out: &mut String, name: Name, kind: MetricKind, help: &str) {
    let (Name { prefix, name }, kind) = (name, kind.name());
    written(write!(out, "# TYPE {prefix}{name} {kind}\n# HELP {prefix}{name} {help}\n"));
}

/// One sample of a family. `labels` adds its labels.
pub(super) fn sample(out: &mut String, name: Name, labels: impl FnOnce(&mut Labels<'_>), number: Number) {
    out.push_str(name.prefix);
    out.push_str(name.name);
    let mut writer = Labels { out, is_open: false };
    labels(&mut writer);
    writer.close();
    written(match number {
        Number::Count(count) => writeln!(out, " {count}"),
        Number::Real(real) if real.is_nan() => writeln!(out, " NaN"),
        Number::Real(real) if real.is_infinite() => writeln!(out, " {}Inf", if real > 0.0 { "+" } else { "-" }),
        Number::Real(real) => writeln!(out, " {real}"),
    });
}

/// Writes the labels of one sample.
#[derive(Debug)]
pub(super) struct Labels<'a> {
    out: &'a mut String,
    is_open: bool,
}

impl Labels<'_> {
    /// Adds a label. Names are ours; values may be anything that a client chose.
    pub(super) fn add(&mut self, name: &str, value: &str) {
        self.out.push(if self.is_open { ',' } else { '{' });
        self.is_open = true;
        self.out.push_str(name);
        self.out.push_str("=\"");
        if value.contains(['\\', '"', '\n']) {
            for character in value.chars() {
                match character {
                    '\\' => self.out.push_str("\\\\"),
                    '"' => self.out.push_str("\\\""),
                    '\n' => self.out.push_str("\\n"),
                    other => self.out.push(other),
                }
            }
        } else {
            self.out.push_str(value);
        }
        self.out.push('"');
    }

    fn close(self) {
        if self.is_open {
            self.out.push('}');
        }
    }
}

/// Writing to a text does not fail.
fn written(result: std::fmt::Result) {
    debug_assert!(result.is_ok(), "a text takes everything");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: Name = Name { prefix: "rabbitmq_", name: "queue_messages" };

    fn one(labels: &[(&str, &str)], number: impl Into<Number>) -> String {
        let mut out = String::new();
        sample(&mut out, NAME, |writer| labels.iter().for_each(|(name, value)| writer.add(name, value)), number.into());
        out
    }

    #[test]
    fn a_family_is_written_as_rabbitmq_writes_it() {
        let mut out = String::new();
        head(&mut out, NAME, MetricKind::Gauge, "Sum of ready and unacknowledged messages - total queue depth");
        let expected = "# TYPE rabbitmq_queue_messages gauge\n\
                        # HELP rabbitmq_queue_messages Sum of ready and unacknowledged messages - total queue depth\n";
        assert_eq!(out, expected);
        assert_eq!(one(&[], 7_u64), "rabbitmq_queue_messages 7\n");
        let labels = [("vhost", "/"), ("queue", "mtx-\"q\\")];
        assert_eq!(one(&labels, 0.5), "rabbitmq_queue_messages{vhost=\"/\",queue=\"mtx-\\\"q\\\\\"} 0.5\n");
        assert_eq!(one(&[], f64::NAN), "rabbitmq_queue_messages NaN\n");
        assert_eq!(one(&[], f64::INFINITY), "rabbitmq_queue_messages +Inf\n");
    }

    /// Takes a sample apart as the format's definition says.
    fn parsed(line: &str) -> Option<String> {
        let rest = line.strip_prefix("rabbitmq_queue_messages{queue=\"")?;
        let mut value = String::new();
        let mut characters = rest.chars();
        loop {
            match characters.next()? {
                '"' => break,
                '\n' => return None,
                '\\' => value.push(match characters.next()? {
                    'n' => '\n',
                    other @ ('\\' | '"') => other,
                    _ => return None,
                }),
                other => value.push(other),
            }
        }
        (characters.as_str() == "} 1\n").then_some(value)
    }

    proptest! {
        #[test]
        fn no_name_breaks_the_format(name in "(?s).{0,40}|[\"\\\\\n{}, =#]{0,20}") {
            prop_assert_eq!(parsed(&one(&[("queue", &name)], 1_u64)), Some(name));
        }
    }

    #[test]
    fn whole_numbers_stay_whole_when_they_are_added() {
        assert_eq!(Number::Count(1).plus(Number::Count(2)), Number::Count(3));
        assert_eq!(Number::Count(1).plus(Number::Real(0.5)), Number::Real(1.5));
    }
}
