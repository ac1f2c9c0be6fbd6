//! The queue's logic, without its lock and its virtual host: random histories against a naive model, and the edge cases that
//! have a name.

mod chosen;
mod harness;
mod histories;
mod model;
mod owed;
mod parts;
mod pieces;
mod relocation;
mod returns;
mod steps;
mod unacked;

use super::*;
use crate::broker::sink::{Notice, Token};
use crate::store::checkpoint::Part;
use harness::{CHANNEL, Harness, OTHER_CHANNEL, consumer, fresh, id_of, ids};

fn quorum() -> QueueArguments {
    QueueArguments { kind: QueueKind::Quorum, ..QueueArguments::default() }
}

/// The parts that are not free, as a checkpoint names them.
fn parts_of(queue: &mut Queue, is_free: impl Fn(&Part) -> bool) -> Vec<Part> {
    let mut parts = Vec::new();
    let back = queue.take_parts().tell(is_free, &mut parts);
    queue.put_parts_back(back);
    parts
}

/// A consumer that cannot take everything at once gets no more than its connection has room for (docs/bounds.md, "What bounds
/// memory").
#[test]
fn a_long_queue_does_not_overfill_the_connection_of_a_consumer_without_prefetch() {
    let mut queue = Harness::new(QueueArguments::default());
    queue.publish((0..100).map(|id| fresh(id).sized(1_000)).collect());
    let sink = queue.consume(consumer(1).room(10 * (1_000 + DELIVERY_OVERHEAD_BYTES)));
    assert_eq!(sink.take().len(), 10);
    assert!(sink.is_starved(), "nobody would resume the consumer");
    sink.give_room(1);
    queue.resume(1);
    assert_eq!(sink.take().len(), 1, "the last message may exceed the room");
    assert_eq!(queue.ready_count(), 89);
}

/// Each of them was told of the whole room.
#[test]
fn many_consumers_of_one_connection_do_not_overfill_it() {
    const CONSUMERS: u64 = 50;
    const ROOM_BYTES: usize = 1024 * 1024;
    let mut queue = Harness::new(QueueArguments::default());
    let sink = queue.consume(consumer(0));
    for id in 1..CONSUMERS {
        queue.consume_with(consumer(id), &sink);
    }
    sink.give_room(ROOM_BYTES);
    queue.publish((0..10_000).map(|id| fresh(id).sized(1_000)).collect());
    let bytes = sink.take().len() * (1_000 + DELIVERY_OVERHEAD_BYTES);
    assert!((ROOM_BYTES..5 * ROOM_BYTES).contains(&bytes), "{bytes}");
}

#[test]
fn room_that_a_consumer_could_not_use_for_lack_of_credit_is_asked_for_again() {
    let mut queue = Harness::new(QueueArguments::default());
    queue.credit.set(1, 0);
    queue.publish((0..5).map(fresh).collect());
    let sink = queue.consume(consumer(1));
    assert_eq!(sink.take().len(), 1);
    queue.resume(1);
    sink.give_room(1);
    queue.credit.set(10, 1);
    queue.resume(1);
    assert_eq!(sink.take().len(), 1, "what it had room for before does not count");
}

/// The publishes of a batch are judged one after another: what a consumer takes at once does not fill the queue.
#[test]
fn a_batch_is_not_refused_while_a_consumer_takes_it_from_a_reject_publish_queue() {
    for kind in [QueueKind::Classic, QueueKind::Quorum] {
        let overflow = Overflow::RejectPublish;
        let mut queue =
            Harness::new(QueueArguments { kind, max_length: Some(2), overflow, ..QueueArguments::default() });
        let sink = queue.consume(consumer(1).prefetch(5));
        let refused = queue.publish((0..10).map(fresh).collect());
        assert_eq!(refused, [7, 8, 9], "{kind:?}");
        assert_eq!((sink.take().len(), queue.ready_count()), (5, 2), "{kind:?}");
    }
}

#[test]
fn a_token_settles_once_and_is_never_used_again() {
    let mut queue = Harness::new(QueueArguments::default());
    queue.publish(vec![fresh(0)]);
    let token = queue.get(CHANNEL, false).and_then(|got| got.token).unwrap();
    queue.requeue(vec![token], Return::Nacked);
    queue.settle(vec![token], Settlement::Acked);
    assert_eq!(queue.ready_count(), 1, "an old token must not settle the message's next delivery");
    let next = queue.get(CHANNEL, false).and_then(|got| got.token).unwrap();
    assert_ne!(token, next);
    queue.settle(vec![token, next, next], Settlement::Acked);
    assert_eq!((queue.ready_count(), queue.unacked_count()), (0, 0));
}

#[test]
fn tokens_stay_unique_when_a_large_table_gives_its_memory_back() {
    let mut queue = Harness::new(QueueArguments::default());
    let mut take_all = |ids: std::ops::Range<u32>| -> Vec<Token> {
        queue.publish(ids.clone().map(fresh).collect());
        let tokens = ids.map(|_| queue.get(CHANNEL, false).and_then(|got| got.token).unwrap()).collect::<Vec<_>>();
        queue.settle(tokens.clone(), Settlement::Acked);
        tokens
    };
    let before = take_all(0..3_000);
    let after = take_all(3_000..6_000);
    assert!(before.iter().all(|token| !after.contains(token)));
}

#[test]
fn consumers_of_equal_priority_take_turns_and_one_that_is_full_loses_its_place() {
    let mut queue = Harness::new(QueueArguments::default());
    let sinks: Vec<_> = (1..=3).map(|id| queue.consume(consumer(id).prefetch(2))).collect();
    let turns = |queue: &mut Harness, ids: std::ops::Range<u32>| -> Vec<usize> {
        ids.map(|id| {
            queue.publish(vec![fresh(id)]);
            sinks.iter().position(|sink| !sink.take_keeping_tokens().is_empty()).map_or(0, |place| place + 1)
        })
        .collect()
    };
    assert_eq!(turns(&mut queue, 0..7), [1, 2, 3, 1, 2, 3, 0]);
    let second = sinks[1].tokens();
    queue.settle(second, Settlement::Acked);
    assert_eq!(sinks[1].take_keeping_tokens().len(), 1, "the waiting message goes to the one with credit");
    assert_eq!(turns(&mut queue, 7..9), [2, 0]);
}

#[test]
fn a_lower_priority_is_served_only_while_the_higher_one_is_full() {
    let mut queue = Harness::new(QueueArguments::default());
    let low = queue.consume(consumer(1).priority(-1));
    let high = queue.consume(consumer(2).priority(5).prefetch(1));
    queue.publish((0..3).map(fresh).collect());
    assert_eq!((high.take_keeping_tokens().len(), low.take().len()), (1, 2));
    queue.settle(high.tokens(), Settlement::Acked);
    queue.publish(vec![fresh(3)]);
    assert_eq!((high.take().len(), low.take().len()), (1, 0));
}

#[test]
fn many_requeued_messages_find_their_places_as_few_do() {
    let arguments = QueueArguments { max_priority: Some(3), ..QueueArguments::default() };
    for count in [3, 8, 9, 50] {
        let mut queue = Harness::new(arguments.clone());
        queue.publish((0..count).map(|id| fresh(id).priority((id % 4) as u8)).collect());
        let before: Vec<_> = queue.get_all(CHANNEL);
        let mut tokens: Vec<_> = before.iter().filter_map(|got| got.token).collect();
        // The order of return does not matter; every other one first, then the rest.
        tokens.sort_by_key(|token| (token.0 % 2, std::cmp::Reverse(token.0)));
        queue.requeue(tokens, Return::Nacked);
        let after = queue.get_all(OTHER_CHANNEL);
        assert_eq!(ids(&after), ids(&before), "{count} messages");
        assert!(after.iter().all(|got| got.redelivered));
    }
}

#[test]
fn deliveries_of_a_cancelled_consumer_keep_the_timeout_that_it_asked_for() {
    for (own_ms, late_ms) in [(60_000, 60_000), (100, 100)] {
        let mut queue = Harness::new(QueueArguments { consumer_timeout_ms: Some(1_000), ..quorum() });
        let sink = queue.consume(consumer(1).timeout_ms(own_ms));
        queue.publish(vec![fresh(0)]);
        assert_eq!(sink.take().len(), 1);
        queue.cancel(1);
        queue.advance(late_ms - 1);
        assert_eq!((queue.ready_count(), queue.unacked_count()), (0, 1));
        assert!(sink.notices.lock().unwrap().is_empty());
        queue.advance(1);
        assert_eq!((queue.ready_count(), queue.unacked_count()), (1, 0));
        // There is no consumer left that could be cancelled, so the channel is to be closed.
        assert!(matches!(sink.notices.lock().unwrap()[..], [Notice::GetTimedOut(ChannelId(CHANNEL), 1_000)]));
    }
}

/// The connection of everybody who ever took a message with `basic.get` was kept as long as the queue.
#[test]
fn a_quorum_queue_forgets_who_settled_all_that_it_got() {
    let mut queue = Harness::new(quorum());
    queue.publish((0..4).map(fresh).collect());
    let tokens: Vec<_> = (0..4).filter_map(|_| queue.get(CHANNEL, false)?.token).collect();
    assert!(queue.get(CHANNEL, false).is_none());
    assert_eq!(Arc::strong_count(&queue.getter), 2);
    queue.settle(tokens[..2].to_vec(), Settlement::Acked);
    queue.requeue(tokens[2..3].to_vec(), Return::Rejected);
    assert_eq!(Arc::strong_count(&queue.getter), 2, "one is outstanding");
    queue.settle(tokens[3..].to_vec(), Settlement::Acked);
    assert_eq!(Arc::strong_count(&queue.getter), 1);
}

/// An idle queue is one allocation of 1.25 KiB at most: allocators round up to such steps.
#[test]
fn an_idle_queue_is_small() {
    let handle = size_of::<QueueHandle>() + 2 * size_of::<usize>();
    // The next step of the allocator has 256 bytes more.
    assert!(handle <= 1_024, "{handle} bytes, of which its state has {}", size_of::<Queue>());
}
