//! Who publishes where, who consumes what, and when it ends: pure.

use super::Perf;
use crate::commands::target::TlsOptions;

/// Everything that a run does.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) id: String,
    pub(super) uri: String,
    /// How TLS is spoken, with `amqps`.
    pub(super) tls: TlsOptions,
    pub(super) queues: Vec<String>,
    /// `None` for the one without a name.
    pub(super) exchange: Option<(String, String)>,
    /// What is published, for each channel.
    pub(super) producers: Vec<Producer>,
    /// What is consumed, for each channel.
    pub(super) consumers: Vec<Consumer>,
    pub(super) declares: bool,
    pub(super) auto_delete: bool,
    pub(super) queue_arguments: Vec<(String, Argument)>,
    pub(super) publishing: Publishing,
    pub(super) consuming: Consuming,
    pub(super) seconds: Option<u64>,
    pub(super) interval_s: u64,
    pub(super) unit: Unit,
}

/// A value of an argument of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Argument {
    Number(i64),
    Truth(bool),
    Text(String),
}

/// Where one channel publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Producer {
    /// Channels with the same number share a connection.
    pub(super) connection: usize,
    pub(super) routing_key: String,
}

/// What one channel consumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Consumer {
    pub(super) connection: usize,
    pub(super) queue: String,
}

/// How messages are published, by each channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Publishing {
    pub(super) bytes: usize,
    pub(super) rate: Option<u64>,
    pub(super) messages: Option<u64>,
    pub(super) unconfirmed: Option<usize>,
    pub(super) is_persistent: bool,
    pub(super) is_mandatory: bool,
}

/// How messages are consumed, by each channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Consuming {
    pub(super) prefetch: u16,
    pub(super) rate: Option<u64>,
    pub(super) messages: Option<u64>,
    pub(super) acknowledges: Acknowledges,
}

/// When consumers acknowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acknowledges {
    /// The broker does not wait for it.
    Never,
    /// After so many messages, all of them at once.
    Every(u64),
}

/// In what latency is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Microseconds,
    Milliseconds,
}

impl Unit {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Microseconds => "µs",
            Self::Milliseconds => "ms",
        }
    }
}

const DEFAULT_URI: &str = "amqp://guest:guest@localhost:5672/%2f";

/// More are a mistake.
const QUEUES_MAX: u32 = 100_000;

impl Plan {
    /// # Errors
    /// A sentence that says what makes no sense.
    pub(super) fn of(perf: &Perf) -> Result<Self, String> {
        if perf.producers == 0 && perf.consumers == 0 {
            return Err("there is nothing to do: give publishers (-x) or consumers (-y)".to_owned());
        }
        let id = perf.id.clone().unwrap_or_else(|| format!("perf-{}", std::process::id()));
        let queues = queues(perf, &id)?;
        Ok(Self {
            id,
            uri: perf.uri.clone().unwrap_or_else(|| DEFAULT_URI.to_owned()),
            tls: perf.tls.options(),
            exchange: exchange(perf),
            producers: producers(perf, &queues),
            consumers: consumers(perf, &queues),
            queues,
            declares: !perf.predeclared,
            // Such queues cannot be deleted automatically.
            auto_delete: perf.auto_delete && !perf.quorum_queue,
            queue_arguments: queue_arguments(perf)?,
            publishing: Publishing::of(perf),
            consuming: Consuming::of(perf),
            seconds: perf.time,
            interval_s: perf.interval,
            unit: if perf.use_millis { Unit::Milliseconds } else { Unit::Microseconds },
        })
    }

    /// How many of its channels have a number of messages after which they end. When all of them have ended, the run is over.
    pub(super) fn limited(&self) -> usize {
        let producers = self.publishing.messages.map_or(0, |_| self.producers.len());
        producers + self.consuming.messages.map_or(0, |_| self.consumers.len())
    }
}

impl Publishing {
    fn of(perf: &Perf) -> Self {
        let is = |flag: &str| perf.flag.iter().any(|given| given == flag);
        Self {
            bytes: perf.size,
            rate: perf.rate,
            messages: perf.pmessages,
            unconfirmed: perf.confirm,
            is_persistent: is("persistent"),
            is_mandatory: is("mandatory"),
        }
    }
}

impl Consuming {
    fn of(perf: &Perf) -> Self {
        let acknowledges = match (perf.autoack, perf.multi_ack_every) {
            (true, _) => Acknowledges::Never,
            (false, every) => Acknowledges::Every(every.map_or(1, |every| every as u64)),
        };
        Self { prefetch: perf.qos, rate: perf.consumer_rate, messages: perf.cmessages, acknowledges }
    }
}

fn queues(perf: &Perf, id: &str) -> Result<Vec<String>, String> {
    let (Some(pattern), Some(to)) = (&perf.queue_pattern, perf.queue_pattern_to) else {
        return Ok(vec![perf.queue.clone().unwrap_or_else(|| format!("leveret-{id}"))]);
    };
    let from = perf.queue_pattern_from;
    if !pattern.contains("%d") {
        return Err(format!("--queue-pattern {pattern}: there is no %d in it, which stands for the number"));
    }
    if to < from || to - from >= QUEUES_MAX {
        return Err(format!("--queue-pattern-from {from} and --queue-pattern-to {to} make no queues, or too many"));
    }
    Ok((from..=to).map(|number| pattern.replace("%d", &number.to_string())).collect())
}

fn exchange(perf: &Perf) -> Option<(String, String)> {
    let kind = perf.r#type.clone();
    let name = perf.exchange.clone().or_else(|| kind.clone())?;
    (!name.is_empty()).then(|| (name, kind.unwrap_or_else(|| "direct".to_owned())))
}

fn producers(perf: &Perf, queues: &[String]) -> Vec<Producer> {
    let producer = |(connection, queue): (usize, &str)| {
        let routing_key = perf.routing_key.clone().unwrap_or_else(|| queue.to_owned());
        Producer { connection, routing_key }
    };
    in_turn(perf.producers, perf.producer_channel_count, queues).map(producer).collect()
}

fn consumers(perf: &Perf, queues: &[String]) -> Vec<Consumer> {
    let consumer = |(connection, queue): (usize, &str)| Consumer { connection, queue: queue.to_owned() };
    in_turn(perf.consumers, perf.consumer_channel_count, queues).map(consumer).collect()
}

/// Each channel of each connection, with its queue. Two channels of one connection count as two, as for PerfTest.
fn in_turn(connections: usize, channels: usize, queues: &[String]) -> impl Iterator<Item = (usize, &str)> {
    let all = (0..connections).flat_map(move |connection| (0..channels).map(move |_| connection));
    all.zip(queues.iter().map(String::as_str).cycle())
}

fn queue_arguments(perf: &Perf) -> Result<Vec<(String, Argument)>, String> {
    let mut arguments = perf.queue_args.iter().map(|text| argument(text)).collect::<Result<Vec<_>, _>>()?;
    if perf.quorum_queue {
        arguments.push(("x-queue-type".to_owned(), Argument::Text("quorum".to_owned())));
    }
    Ok(arguments)
}

fn argument(text: &str) -> Result<(String, Argument), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("--queue-args {text}: write NAME=VALUE, and a comma between two"))?;
    let value = match (value.parse(), value) {
        (Ok(number), _) => Argument::Number(number),
        (Err(_), "true") => Argument::Truth(true),
        (Err(_), "false") => Argument::Truth(false),
        (Err(_), text) => Argument::Text(text.to_owned()),
    };
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, Command, FromArgMatches};

    fn plan(line: &str) -> Result<Plan, String> {
        let words = line.split(' ').filter(|word| !word.is_empty());
        let command = Perf::augment_args(Command::new("perf").no_binary_name(true));
        let matches = command.try_get_matches_from(words).map_err(|error| error.to_string())?;
        Plan::of(&Perf::from_arg_matches(&matches).unwrap())
    }

    #[test]
    fn one_publishes_and_one_consumes_unless_told_otherwise() {
        let plan = plan("-u q").unwrap();
        assert_eq!(plan.producers, [Producer { connection: 0, routing_key: "q".to_owned() }]);
        assert_eq!(plan.consumers, [Consumer { connection: 0, queue: "q".to_owned() }]);
        assert_eq!((plan.exchange.as_ref(), plan.limited(), plan.declares), (None, 0, true));
        assert_eq!(plan.consuming.acknowledges, Acknowledges::Every(1));
    }

    #[test]
    fn queues_of_a_pattern_are_taken_in_turn() {
        let plan = plan("-x 3 -y 1 -Y 2 --queue-pattern q-%d --queue-pattern-to 2 -C 5").unwrap();
        let keys: Vec<_> = plan.producers.iter().map(|it| (it.connection, it.routing_key.as_str())).collect();
        assert_eq!(keys, [(0, "q-1"), (1, "q-2"), (2, "q-1")]);
        let queues: Vec<_> = plan.consumers.iter().map(|it| (it.connection, it.queue.as_str())).collect();
        assert_eq!(queues, [(0, "q-1"), (0, "q-2")]);
        assert_eq!(plan.limited(), 3, "consumers have no limit");
    }

    #[test]
    fn exchanges_and_arguments_are_what_the_flags_say() {
        let exchange = |line| plan(line).unwrap().exchange.map(|(name, kind)| format!("{name} {kind}"));
        assert_eq!(exchange("-e x").as_deref(), Some("x direct"));
        assert_eq!(exchange("-t fanout").as_deref(), Some("fanout fanout"));
        assert_eq!(exchange("-e x -t topic").as_deref(), Some("x topic"));
        let plan = plan("--queue-args a=1,b=true,c=lazy --quorum-queue -f persistent -A 10 -a").unwrap();
        let text = |text: &str| Argument::Text(text.to_owned());
        let values: Vec<_> = plan.queue_arguments.into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, [Argument::Number(1), Argument::Truth(true), text("lazy"), text("quorum")]);
        assert!(plan.publishing.is_persistent && !plan.auto_delete);
        assert_eq!(plan.consuming.acknowledges, Acknowledges::Never);
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        for (line, said) in [
            ("-x 0 -y 0", "nothing to do"),
            ("--queue-pattern q --queue-pattern-to 2", "no %d"),
            ("--queue-pattern q%d --queue-pattern-to 0", "make no queues"),
            ("--queue-args a", "write NAME=VALUE"),
            ("-c 0", "whole number from 1"),
        ] {
            let error = plan(line).unwrap_err();
            assert!(error.contains(said), "{line}: {error}");
        }
    }
}
