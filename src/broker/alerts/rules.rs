//! The rules, each one row: what is measured, when it raises an alert, when that is over, and what is said.

use super::watched::{Measured, MeasuredNode};
use super::watched_vhost::MeasuredVhost;
use crate::broker::policies::Applied;

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// Somebody should look at it today.
    Warning,
    /// Somebody should look at it now.
    Critical,
}

impl Severity {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// What a rule measures, and its sentence, which begins with the place: `Queue 'q' in virtual host '/'`.
///
/// What is measured of a queue that stands still must not become less from one mark of its windows to the next: it is not looked at
/// meanwhile (`rest`).
#[derive(Clone, Copy, Debug)]
pub(super) enum Measures {
    Queue(fn(&Measured) -> u64, fn(&str, &Measured) -> String),
    Vhost(fn(&MeasuredVhost) -> u64, fn(&str, &MeasuredVhost) -> String),
    Node(fn(&MeasuredNode) -> u64, fn(&MeasuredNode) -> String),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// More than this raises an alert.
    pub(crate) raise: u64,
    /// This, or less, ends it.
    pub(crate) clear: u64,
    /// The key of policies that sets another threshold for a queue.
    pub(crate) policy_key: Option<&'static str>,
    /// What is counted.
    pub(crate) unit: &'static str,
    /// What it is about, in a few words.
    pub(crate) description: &'static str,
    /// What to do next.
    pub(crate) next_step: &'static str,
    pub(super) measures: Measures,
}

/// What raises an alert, and what ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Thresholds {
    /// More than this raises it.
    pub(super) raise: u64,
    /// This, or less, ends it.
    pub(super) clear: u64,
}

impl Rule {
    /// Those that hold where no policy says others.
    pub(super) const fn thresholds(&self) -> Thresholds {
        Thresholds { raise: self.raise, clear: self.clear }
    }

    /// Those of a queue, under policies or without any.
    pub(super) fn thresholds_of(&self, policies: Option<&Applied>) -> Thresholds {
        policies.map_or_else(|| self.thresholds(), |policies| self.thresholds_under(policies))
    }

    /// Those of a queue under policies. An alert ends at the same share of what raises it.
    fn thresholds_under(&self, policies: &Applied) -> Thresholds {
        let of_policy = self.policy_key.and_then(|key| policies.value(key)?.as_integer());
        let Some(raise) = of_policy.and_then(|raise| u64::try_from(raise).ok()) else { return self.thresholds() };
        let clear = u128::from(raise) * u128::from(self.clear) / u128::from(self.raise.max(1));
        Thresholds { raise, clear: u64::try_from(clear).unwrap_or(raise) }
    }
}

const fn seconds(ms: u64) -> u64 {
    ms / 1000
}

/// Ages and growth count only if somebody consumes: without a consumer there is another alert.
const fn if_consumed(measured: &Measured, value: u64) -> u64 {
    if measured.consumers > 0 && !measured.is_paused { value } else { 0 }
}

/// A number with its noun, or a few words in place of it.
fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn consumers(queue: &Measured) -> String {
    counted(queue.consumers, "consumer", "consumers")
}

/// Every rule there is.
pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "depth",
        severity: Severity::Warning,
        raise: 10_000,
        clear: 8_000,
        policy_key: Some("leveret-alert-depth"),
        unit: "messages",
        description: "very many messages are ready",
        next_step: "Start more consumers, or look why they are slow; a length limit (max-length) keeps a queue from growing for ever.",
        measures: Measures::Queue(
            |queue| queue.ready,
            |place, queue| {
                let ready = counted(queue.ready, "ready message", "ready messages");
                format!("{place} has {ready} and {}.", consumers(queue))
            },
        ),
    },
    Rule {
        name: "growth",
        severity: Severity::Warning,
        raise: 1_000,
        clear: 0,
        policy_key: Some("leveret-alert-growth"),
        unit: "messages",
        description: "ready messages have only become more for a minute, although somebody consumes",
        next_step: "The consumers are slower than the publishers: start more of them, or raise their prefetch.",
        measures: Measures::Queue(
            |queue| if_consumed(queue, if queue.growing_ms >= 60_000 { queue.grown } else { 0 }),
            |place, queue| {
                let (grown, seconds) = (queue.grown, seconds(queue.growing_ms));
                let ready = counted(queue.ready, "message", "messages");
                format!("{place} has grown by {grown} to {ready} in {seconds} s, with {}.", consumers(queue))
            },
        ),
    },
    Rule {
        name: "no_consumers",
        severity: Severity::Critical,
        raise: 60,
        clear: 0,
        policy_key: Some("leveret-alert-no-consumers"),
        unit: "seconds",
        description: "messages wait, and nobody consumes",
        next_step: "Start the program that consumes from it, or look for its last error under /api/leveret/errors.",
        measures: Measures::Queue(
            |queue| seconds(queue.lonely_ms),
            |place, queue| {
                let waiting = counted(queue.ready, "message waits", "messages wait");
                format!("{place} has had no consumer for {} s, while {waiting}.", seconds(queue.lonely_ms))
            },
        ),
    },
    Rule {
        name: "ready_age",
        severity: Severity::Warning,
        raise: 300,
        clear: 240,
        policy_key: Some("leveret-alert-ready-age"),
        unit: "seconds",
        description: "the oldest ready message has waited for long, although somebody consumes",
        next_step: "Look whether the consumers take messages at all (prefetch, unacknowledged messages), and how fast.",
        measures: Measures::Queue(
            |queue| if_consumed(queue, seconds(queue.ready_age_ms)),
            |place, queue| {
                let seconds = seconds(queue.ready_age_ms);
                let oldest = match queue.ready {
                    1 => "The only ready message".to_owned(),
                    ready => format!("The oldest of {ready} ready messages"),
                };
                format!("{oldest} has waited for {seconds} s. {place} has {}.", consumers(queue))
            },
        ),
    },
    Rule {
        name: "unacked_age",
        severity: Severity::Warning,
        raise: 900,
        clear: 720,
        policy_key: Some("leveret-alert-unacked-age"),
        unit: "seconds",
        description: "the oldest delivered message has not been acknowledged for long",
        next_step: "Look which consumer holds it (peek with state=unacked): a handler hangs, or does not acknowledge.",
        measures: Measures::Queue(
            |queue| seconds(queue.unacked_age_ms),
            |place, queue| {
                let seconds = seconds(queue.unacked_age_ms);
                let held = match queue.unacked {
                    1 => "1 unacknowledged message, which".to_owned(),
                    unacked => format!("{unacked} unacknowledged messages, the oldest of which"),
                };
                format!("{place} has {held} was delivered {seconds} s ago.")
            },
        ),
    },
    Rule {
        name: "dead_letters",
        severity: Severity::Warning,
        raise: 0,
        clear: 0,
        policy_key: Some("leveret-alert-dead-letters"),
        unit: "messages",
        description: "messages have become dead letters within the last minute",
        next_step: "Look at them with peek in the queue that dead letters go to: their deaths say why.",
        measures: Measures::Queue(
            |queue| queue.deaths,
            |place, queue| match queue.deaths {
                1 => format!("1 message has become a dead letter within a minute. {place} is where it died."),
                // One that comes back may die many times.
                deaths => format!(
                    "Messages have become dead letters {deaths} times within a minute. {place} is where they died."
                ),
            },
        ),
    },
    Rule {
        name: "dead_letter_queue",
        severity: Severity::Warning,
        raise: 100,
        clear: 80,
        policy_key: Some("leveret-alert-dead-letter-queue"),
        unit: "messages",
        description: "a queue in which dead letters end is not emptied",
        next_step: "Look at them with peek; when what was wrong is mended, redrive sends them back.",
        measures: Measures::Queue(
            |queue| if queue.is_dead_letter_queue { queue.messages } else { 0 },
            |place, queue| {
                format!("{place} has {}, and dead letters go there.", counted(queue.messages, "message", "messages"))
            },
        ),
    },
    Rule {
        name: "redelivery_loop",
        severity: Severity::Critical,
        raise: 50,
        clear: 40,
        policy_key: Some("leveret-alert-redelivery-loop"),
        unit: "percent",
        description: "most deliveries are of messages that came back before",
        next_step: "A message fails again and again: reject it without requeue, or limit deliveries (delivery-limit).",
        measures: Measures::Queue(
            |queue| queue.redelivered_percent,
            |place, queue| {
                let (percent, all) = (queue.redelivered_percent, queue.deliveries);
                format!(
                    "{place} delivers the same messages again and again: {percent} % of {all} deliveries within a minute were redeliveries."
                )
            },
        ),
    },
    Rule {
        name: "unroutable",
        severity: Severity::Warning,
        raise: 10,
        clear: 8,
        policy_key: None,
        unit: "percent",
        description: "many published messages reach no queue",
        next_step: "Ask /api/leveret/routes where such a message goes, and bind a queue or an alternate exchange.",
        measures: Measures::Vhost(
            |vhost| vhost.percent,
            |place, vhost| {
                format!(
                    "{place} had {} of {} messages within a minute that reached no queue.",
                    vhost.unroutable, vhost.published
                )
            },
        ),
    },
    Rule {
        name: "blocked_connections",
        severity: Severity::Critical,
        raise: 10,
        clear: 0,
        policy_key: None,
        unit: "seconds",
        description: "publishers have been blocked for a while",
        next_step: "See which alarm is on, and free memory or disk space: consume, purge, or delete queues.",
        measures: Measures::Node(
            |node| seconds(node.blocked_ms),
            |node| {
                let blocked = counted(node.blocked_connections, "connection has", "connections have");
                format!("{blocked} been blocked for {} s.", seconds(node.blocked_ms))
            },
        ),
    },
    Rule {
        name: "memory_alarm",
        severity: Severity::Critical,
        raise: 0,
        clear: 0,
        policy_key: None,
        unit: "alarms",
        description: "the memory alarm is on",
        next_step: "Consume, purge or delete queues, close connections, or give the broker more memory.",
        measures: Measures::Node(
            |node| u64::from(node.memory_alarm),
            |_| "The broker takes too much memory; publishers wait.".to_owned(),
        ),
    },
    Rule {
        name: "disk_alarm",
        severity: Severity::Critical,
        raise: 0,
        clear: 0,
        policy_key: None,
        unit: "alarms",
        description: "the disk alarm is on",
        next_step: "Free disk space where the data directory is.",
        measures: Measures::Node(
            |node| u64::from(node.disk_alarm),
            |_| "There is too little free disk space; publishers wait.".to_owned(),
        ),
    },
];
