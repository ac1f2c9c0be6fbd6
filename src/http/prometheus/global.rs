//! `rabbitmq_global_*`: counters of all that ever happened, by protocol and by type of queue. What ended counts on.

use std::collections::{BTreeMap, HashMap};

use parking_lot::Mutex;

use super::queues::{QueueRow, erlang_name};
use super::text::{self, MetricKind, Name};
use crate::broker::queue::arguments::QueueKind;
use crate::broker::queue::{DeadLetterStrategy, Retired};
use crate::broker::registry::{Registry, RetiredQueues};
use crate::metrics::{DeathStats, MessageStats};

/// What counters were when they were told last. A queue that is deleted in the middle of a look may be missed, and a counter that goes
/// back looks like a start of the broker to Prometheus: so the higher number is told.
#[derive(Debug, Default)]
pub(crate) struct Highest(Mutex<HashMap<(&'static str, usize), u64>>);

impl Highest {
    /// The number now, or what it was if that was more. `place` tells samples of one family apart.
    pub(super) fn of(&self, name: &'static str, place: usize, now: u64) -> u64 {
        let mut told = self.0.lock();
        let highest = told.entry((name, place)).or_default();
        *highest = now.max(*highest);
        *highest
    }
}

/// What all queues together counted.
#[derive(Debug)]
pub(super) struct MessageTotals(RetiredQueues);

impl MessageTotals {
    pub(super) fn new(ended: RetiredQueues) -> Self {
        Self(ended)
    }

    pub(super) fn add(&mut self, queue: &QueueRow) {
        let retired = Retired { stats: queue.is.stats, deaths: queue.is.deaths, dead_letters: queue.is.dead_letters };
        self.0.add(queue.kind, retired);
    }

    fn of(&self, kind: QueueKind) -> MessageStats {
        self.0.passed.get(&kind).copied().unwrap_or_default()
    }

    fn routed(&self) -> u64 {
        self.0.passed.values().map(|stats| stats.publish).sum()
    }
}

/// Of the protocol alone.
type OfProtocol = (&'static str, &'static str, fn(&MessageStats) -> u64);

const OF_PROTOCOL: &[OfProtocol] = &[
    ("messages_received_total", "Total number of messages received from publishers", |stats| stats.publish),
    (
        "messages_unroutable_dropped_total",
        "Total number of messages published as non-mandatory into an exchange and dropped as unroutable",
        |stats| stats.drop_unroutable,
    ),
    (
        "messages_unroutable_returned_total",
        "Total number of messages published as mandatory into an exchange and returned to the publisher as unroutable",
        |stats| stats.return_unroutable,
    ),
    ("messages_confirmed_total", "Total number of messages confirmed to publishers", |stats| stats.confirm),
];

/// Of the protocol and the type of queue.
const OF_QUEUES: &[OfProtocol] = &[
    ("messages_delivered_total", "Total number of messages delivered to consumers", MessageStats::deliver_get),
    (
        "messages_delivered_consume_auto_ack_total",
        "Total number of messages delivered to consumers using basic.consume with automatic acknowledgment",
        |stats| stats.deliver_no_ack,
    ),
    (
        "messages_delivered_consume_manual_ack_total",
        "Total number of messages delivered to consumers using basic.consume with manual acknowledgment",
        |stats| stats.deliver,
    ),
    (
        "messages_delivered_get_auto_ack_total",
        "Total number of messages delivered to consumers using basic.get with automatic acknowledgment",
        |stats| stats.get_no_ack,
    ),
    (
        "messages_delivered_get_manual_ack_total",
        "Total number of messages delivered to consumers using basic.get with manual acknowledgment",
        |stats| stats.get,
    ),
    ("messages_get_empty_total", "Total number of times basic.get operations fetched no message", |stats| {
        stats.get_empty
    }),
    ("messages_redelivered_total", "Total number of messages redelivered to consumers", |stats| stats.redeliver),
    ("messages_acknowledged_total", "Total number of messages acknowledged by consumers", |stats| stats.ack),
];

/// Of what died.
type OfDeaths = (&'static str, &'static str, fn(&DeathStats) -> u64, &'static [(QueueKind, DeadLetterStrategy)]);

use DeadLetterStrategy::{AtLeastOnce, AtMostOnce, Disabled};
use QueueKind::{Classic, Quorum};

/// Where messages can die of anything.
const EVERYWHERE: &[(QueueKind, DeadLetterStrategy)] =
    &[(Classic, AtMostOnce), (Classic, Disabled), (Quorum, AtLeastOnce), (Quorum, AtMostOnce), (Quorum, Disabled)];
/// A queue that delivers at least once refuses what is too much.
const WHERE_TOO_MANY: &[(QueueKind, DeadLetterStrategy)] =
    &[(Classic, AtMostOnce), (Classic, Disabled), (Quorum, AtMostOnce), (Quorum, Disabled)];
const WHERE_COUNTED: &[(QueueKind, DeadLetterStrategy)] =
    &[(Quorum, AtLeastOnce), (Quorum, AtMostOnce), (Quorum, Disabled)];

const OF_DEATHS: &[OfDeaths] = &[
    (
        "messages_dead_lettered_expired_total",
        "Total number of messages dead-lettered due to message TTL exceeded",
        |deaths| deaths.expired,
        EVERYWHERE,
    ),
    (
        "messages_dead_lettered_maxlen_total",
        "Total number of messages dead-lettered due to overflow drop-head or reject-publish-dlx",
        |deaths| deaths.maxlen,
        WHERE_TOO_MANY,
    ),
    (
        "messages_dead_lettered_rejected_total",
        "Total number of messages dead-lettered due to basic.reject or basic.nack",
        |deaths| deaths.rejected,
        EVERYWHERE,
    ),
    (
        "messages_dead_lettered_delivery_limit_total",
        "Total number of messages dead-lettered due to delivery-limit exceeded",
        |deaths| deaths.delivery_limit,
        WHERE_COUNTED,
    ),
    (
        "messages_dead_lettered_confirmed_total",
        "Total number of messages dead-lettered and confirmed by target queues",
        |deaths| deaths.confirmed,
        &[(Quorum, AtLeastOnce)],
    ),
];

/// What channels are now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ChannelTotals {
    /// Those that have published.
    publishers: u64,
    consumers: u64,
    unconfirmed: u64,
}

impl ChannelTotals {
    pub(super) fn of(registry: &Registry) -> Self {
        let mut all = Self::default();
        for connection in registry.connections() {
            for channel in connection.channels() {
                all.publishers += u64::from(channel.counters.publish.get() > 0);
                all.consumers += channel.gauges.consumers.get();
                all.unconfirmed += channel.gauges.messages_unconfirmed.get();
            }
        }
        all
    }
}

const PROTOCOL: &str = "amqp091";

/// Writes them all.
pub(super) fn written(
    registry: &Registry,
    passed: &MessageTotals,
    channels: ChannelTotals,
    highest: &Highest,
) -> String {
    let mut out = String::new();
    let all = registry.message_stats();
    let mut of_protocol = |name, kind, help, number| {
        let name = Name { prefix: "rabbitmq_global_", name };
        let number = if kind == MetricKind::Counter { highest.of(name.name, 0, number) } else { number };
        text::head(&mut out, name, kind, help);
        text::sample(&mut out, name, |labels| labels.add("protocol", PROTOCOL), number.into());
    };
    for (name, help, of) in OF_PROTOCOL {
        of_protocol(name, MetricKind::Counter, help, of(&all));
    }
    let expecting = "Total number of messages received from publishers expecting confirmations";
    of_protocol("messages_received_confirm_total", MetricKind::Counter, expecting, all.confirm + channels.unconfirmed);
    let routed = "Total number of messages routed to queues or streams";
    of_protocol("messages_routed_total", MetricKind::Counter, routed, passed.routed());
    of_protocol("publishers", MetricKind::Gauge, "Current number of publishers", channels.publishers);
    of_protocol("consumers", MetricKind::Gauge, "Current number of consumers", channels.consumers);
    of_queues(&mut out, passed, highest);
    of_deaths(&mut out, &passed.0.died, highest);
    out
}

fn of_queues(out: &mut String, passed: &MessageTotals, highest: &Highest) {
    for (name, help, of) in OF_QUEUES {
        let name = Name { prefix: "rabbitmq_global_", name };
        text::head(out, name, MetricKind::Counter, help);
        for (place, kind) in [Classic, Quorum].into_iter().enumerate() {
            let number = highest.of(name.name, place, of(&passed.of(kind)));
            let labels = |labels: &mut text::Labels<'_>| {
                labels.add("protocol", PROTOCOL);
                labels.add("queue_type", erlang_name(kind));
            };
            text::sample(out, name, labels, number.into());
        }
    }
}

fn of_deaths(out: &mut String, died: &BTreeMap<(QueueKind, DeadLetterStrategy), DeathStats>, highest: &Highest) {
    for (name, help, of, places) in OF_DEATHS {
        let name = Name { prefix: "rabbitmq_global_", name };
        text::head(out, name, MetricKind::Counter, help);
        for (place, (kind, strategy)) in places.iter().enumerate() {
            let number = highest.of(name.name, place, died.get(&(*kind, *strategy)).map_or(0, of));
            let labels = |labels: &mut text::Labels<'_>| {
                labels.add("queue_type", erlang_name(*kind));
                labels.add("dead_letter_strategy", strategy.name());
            };
            text::sample(out, name, labels, number.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_never_goes_back() {
        let highest = Highest::default();
        assert_eq!(highest.of("a", 0, 5), 5);
        assert_eq!(highest.of("a", 0, 3), 5);
        assert_eq!((highest.of("a", 1, 1), highest.of("b", 0, 2), highest.of("a", 0, 6)), (1, 2, 6));
    }
}
