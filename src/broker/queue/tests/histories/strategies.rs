//! What can happen to a queue, and what it can be declared as.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::broker::queue::arguments::{DeadLetters, DelayedRetry, Overflow, QueueArguments, QueueKind};
use crate::broker::queue::tests::harness::{Fresh, NewConsumer};
use crate::broker::queue::{Return, Settlement};

/// What becomes of chosen messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChosenEnd {
    Deleted,
    Moved,
    PutBack,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Publish(Vec<Fresh>),
    Consume(NewConsumer),
    Cancel {
        which: usize,
    },
    CloseChannel {
        channel: u64,
    },
    Get {
        channel: u64,
        no_ack: bool,
    },
    /// From the `from`-th outstanding delivery on, so many.
    Settle {
        from: usize,
        count: usize,
        settlement: Settlement,
    },
    Requeue {
        from: usize,
        count: usize,
        cause: Return,
        reversed: bool,
    },
    /// Settles something that was settled before.
    SettleAgain {
        which: usize,
    },
    GiveRoom {
        which: usize,
        room_bytes: usize,
    },
    Resume {
        which: usize,
    },
    /// Deletes, moves elsewhere, or takes out and puts back ready messages that were chosen one by one.
    Choose {
        which: usize,
        count: usize,
        end: ChosenEnd,
    },
    Purge,
    /// Puts some more of the returned messages back.
    GoOn,
    Touch,
    Compact,
    /// A policy comes, changes or goes: what it can change is as here from now on.
    Apply(Box<QueueArguments>),
    Advance {
        by_ms: u64,
    },
}

fn a_message() -> impl Strategy<Value = Fresh> {
    let priority = option::weighted(0.5, prop_oneof![0..6_u8, Just(40)]);
    let expiration_ms = option::weighted(0.3, prop_oneof![Just(0), 1..50_u64, Just(500)]);
    let failed = prop_oneof![3 => Just(0), 1 => 1..4_u32];
    (0..200_usize, priority, expiration_ms, failed).prop_map(|(body_bytes, priority, expiration_ms, failed)| Fresh {
        failed,
        id: 0,
        body_bytes,
        priority,
        expiration_ms,
    })
}

fn a_consumer() -> impl Strategy<Value = NewConsumer> {
    let prefetch_count = prop_oneof![Just(0), Just(1), 2..5_u16];
    let timeout_ms = option::weighted(0.2, 1..200_u64);
    let room_bytes = prop_oneof![3 => Just(usize::MAX), 1 => 0..1_000_usize];
    let flags = (prop::bool::weighted(0.2), prop::bool::weighted(0.1));
    (1..4_u64, flags, -1..2_i64, prefetch_count, timeout_ms, room_bytes).prop_map(
        |(channel, (no_ack, exclusive), priority, prefetch_count, timeout_ms, room_bytes)| NewConsumer {
            id: 0,
            channel,
            no_ack,
            exclusive,
            priority,
            prefetch_count,
            timeout_ms,
            room_bytes,
        },
    )
}

pub(super) fn a_step() -> impl Strategy<Value = Step> {
    let settlement = prop_oneof![
        3 => Just(Settlement::Acked),
        1 => Just(Settlement::Rejected),
        1 => Just(Settlement::Nacked),
    ];
    let cause = prop_oneof![Just(Return::Rejected), Just(Return::Nacked)];
    let which = any::<usize>();
    prop_oneof![
        8 => vec(a_message(), 1..6).prop_map(Step::Publish),
        3 => a_consumer().prop_map(Step::Consume),
        1 => which.prop_map(|which| Step::Cancel { which }),
        1 => (1..4_u64).prop_map(|channel| Step::CloseChannel { channel }),
        2 => (1..4_u64, any::<bool>()).prop_map(|(channel, no_ack)| Step::Get { channel, no_ack }),
        4 => (which, 1..6_usize, settlement).prop_map(|(from, count, settlement)| Step::Settle { from, count, settlement }),
        3 => (which, 1..12_usize, cause, any::<bool>())
            .prop_map(|(from, count, cause, reversed)| Step::Requeue { from, count, cause, reversed }),
        1 => which.prop_map(|which| Step::SettleAgain { which }),
        2 => (which, prop_oneof![Just(usize::MAX), 1..1_000_usize])
            .prop_map(|(which, room_bytes)| Step::GiveRoom { which, room_bytes }),
        1 => which.prop_map(|which| Step::Resume { which }),
        2 => Just(Step::GoOn),
        2 => (which, 1..4_usize, prop_oneof![Just(ChosenEnd::Deleted), Just(ChosenEnd::Moved), Just(ChosenEnd::PutBack)])
            .prop_map(|(which, count, end)| Step::Choose { which, count, end }),
        1 => prop_oneof![2 => Just(Step::Touch), 1 => Just(Step::Compact), 1 => Just(Step::Purge)],
        2 => any_arguments().prop_map(|arguments| Step::Apply(arguments.into())),
        3 => prop_oneof![1..60_u64, Just(1_000)].prop_map(|by_ms| Step::Advance { by_ms }),
    ]
}

pub(super) fn any_arguments() -> impl Strategy<Value = QueueArguments> {
    let limits = (option::weighted(0.3, 0..6_u64), option::weighted(0.2, 0..600_u64));
    let overflow =
        prop_oneof![Just(Overflow::DropHead), Just(Overflow::RejectPublish), Just(Overflow::RejectPublishDlx)];
    let times = (option::weighted(0.3, prop_oneof![Just(0), 1..100_u64]), option::weighted(0.1, 100..500_u64));
    let retry = (any::<bool>(), any::<bool>(), 1..50_u64).prop_map(|(failed, returned, min_ms)| DelayedRetry {
        failed,
        returned,
        min_ms,
        max_ms: 60,
    });
    let classic = (option::weighted(0.4, 0..5_u8)).prop_map(|max_priority| QueueArguments {
        kind: QueueKind::Classic,
        max_priority,
        ..QueueArguments::default()
    });
    let quorum = (option::weighted(0.6, 0..3_u32), option::weighted(0.4, 20..300_u64), option::weighted(0.2, retry))
        .prop_map(|(delivery_limit, consumer_timeout_ms, delayed_retry)| QueueArguments {
            kind: QueueKind::Quorum,
            delivery_limit,
            consumer_timeout_ms,
            delayed_retry,
            ..QueueArguments::default()
        });
    let target = prop_oneof!["", "x"]
        .prop_map(|exchange| Arc::new(DeadLetters { exchange: exchange.into(), routing_key: None }));
    let dead_letters = (option::weighted(0.9, target), any::<bool>());
    (prop_oneof![classic, quorum], limits, overflow, times, dead_letters, prop::bool::weighted(0.2)).prop_map(
        |(by_kind, (max_length, max_length_bytes), overflow, (message_ttl_ms, expires_ms), dead_letters, single)| {
            let is_classic = by_kind.kind == QueueKind::Classic;
            QueueArguments {
                max_length,
                max_length_bytes,
                // `QueueArguments::parse` makes it drop-head for quorum queues.
                overflow: if is_classic || overflow != Overflow::RejectPublishDlx {
                    overflow
                } else {
                    Overflow::DropHead
                },
                message_ttl_ms,
                expires_ms,
                dead_letters: dead_letters.0,
                dead_letter_at_least_once: dead_letters.1 && !is_classic,
                single_active_consumer: single,
                ..by_kind
            }
        },
    )
}
