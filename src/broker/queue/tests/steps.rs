//! However many messages there are, no transition handles more than some of them: so nobody waits long for the queue's lock.

use std::sync::Arc;

use super::*;
use crate::broker::queue::arguments::DelayedRetry;
use crate::broker::queue::removal::STEP_MESSAGES;
use crate::broker::queue::settling::SETTLED_AT_ONCE;
use crate::message::{Chunk, ChunkWriter, Facts, MemoryGauge, Message, address};

const MANY: u32 = 10 * 1024;
const COUNT: usize = MANY as usize;

fn filled(arguments: QueueArguments, expiration_ms: Option<u64>) -> Harness {
    let mut queue = Harness::new(arguments);
    let messages = (0..MANY).map(|id| harness::Fresh { expiration_ms, ..fresh(id) });
    queue.publish(messages.collect());
    queue
}

#[test]
fn messages_that_expire_together_are_dropped_some_at_a_time() {
    let mut queue = filled(QueueArguments::default(), Some(100));
    queue.now_ms += 200;
    let mut left = COUNT;
    while left > 0 {
        assert!(queue.next_call_ms().is_some_and(|at_ms| at_ms <= queue.now_ms), "the rest is due, and nobody comes");
        queue.call(queue.now_ms);
        assert!(left - queue.ready_count() <= DROPS_MAX, "{left} became {}", queue.ready_count());
        left = queue.ready_count();
    }
}

/// Whoever asks for a message meanwhile gets none that has expired.
#[test]
fn what_expired_and_is_not_dropped_yet_is_not_delivered() {
    let mut queue = filled(QueueArguments::default(), Some(100));
    queue.now_ms += 200;
    queue.publish(vec![fresh(7)]);
    assert!(queue.ready_count() > COUNT / 2, "all were dropped at once");
    let sink = queue.consume(consumer(1).prefetch(1));
    assert!(sink.take().is_empty());
    let got = queue.get(OTHER_CHANNEL, true).expect("one has not expired");
    assert_eq!(id_of(&got.message), 7);
}

#[test]
fn a_large_message_pushes_out_many_small_ones_some_at_a_time() {
    let arguments = QueueArguments { max_length_bytes: Some(u64::from(MANY)), ..QueueArguments::default() };
    let mut queue = Harness::new(arguments);
    queue.publish((0..MANY).map(|id| fresh(id).sized(1)).collect());
    queue.publish(vec![fresh(u32::MAX).sized(COUNT)]);
    assert_eq!(queue.ready_count(), COUNT + 1 - DROPS_MAX);
    while queue.ready_count() > 1 {
        let before = queue.ready_count();
        queue.call(queue.now_ms);
        assert_eq!(before - queue.ready_count(), DROPS_MAX.min(before - 1));
    }
    assert_eq!(id_of(&queue.get(CHANNEL, true).expect("the large one").message), u32::MAX);
}

/// Nothing that comes behind a purge is part of it, and the number is right from the start.
#[test]
fn a_purge_takes_what_was_there_and_nothing_later() {
    let mut queue = filled(QueueArguments::default(), None);
    let mut removed = queue.queue().purge();
    assert_eq!((removed.count, queue.ready_count()), (COUNT, 0));
    let mut steps = 1;
    while !queue.queue().forget(&mut removed).is_last {
        queue.publish(vec![fresh(steps)]);
        steps += 1;
    }
    assert!(steps as usize >= COUNT / STEP_MESSAGES, "{steps} steps");
    let expected: Vec<_> = (1..steps).collect();
    assert_eq!(ids(&queue.get_all(CHANNEL)), expected);
}

#[test]
fn dead_letters_are_handed_out_some_at_a_time() {
    let arguments = QueueArguments { dead_letters: Some(Arc::default()), ..QueueArguments::default() };
    let mut queue = filled(arguments, Some(100));
    let due_ms = queue.now_ms + 200;
    let queue = queue.queue();
    queue.pump(due_ms);
    let NextDeadLetters::Letters(letters) = queue.next_dead_letters() else { panic!("there are dead letters") };
    assert!(letters.len() < DROPS_MAX / 2, "{}", letters.len());
}

#[test]
fn a_long_queue_is_delivered_some_at_a_time_and_in_order() {
    let mut queue = filled(QueueArguments { message_ttl_ms: Some(1_000), ..QueueArguments::default() }, None);
    queue.now_ms += 1_000;
    let sink = queue.consume(consumer(1));
    let mut delivered = Vec::new();
    loop {
        let some = ids(&sink.take());
        assert!(some.len() <= COUNT / 2, "{} at once", some.len());
        delivered.extend(some);
        let Some(at_ms) = queue.next_call_ms().filter(|_| delivered.len() < COUNT) else { break };
        assert!(at_ms <= queue.now_ms, "nobody goes on before {at_ms}");
        queue.call(at_ms);
    }
    assert!(delivered.into_iter().eq(0..MANY), "those that are due in this moment are still delivered");
}

/// As many as found no queue, and those that find none again wait for the next time.
#[test]
fn dead_letters_that_found_no_queue_are_tried_again_some_at_a_time() {
    let arguments = QueueArguments {
        dead_letters: Some(Arc::default()),
        dead_letter_at_least_once: true,
        overflow: Overflow::RejectPublish,
        ..quorum()
    };
    let mut queue = filled(arguments, Some(100));
    queue.finds_no_grave = true;
    queue.advance(200);
    assert_eq!((queue.take_dead().len(), queue.dead_letter_count()), (COUNT, COUNT));
    queue.now_ms += 1_000;
    let mut tried = Vec::new();
    while tried.len() < COUNT {
        assert!(queue.next_call_ms().is_some_and(|at_ms| at_ms <= queue.now_ms), "nobody goes on");
        queue.call(queue.now_ms);
        let some = queue.take_dead();
        assert!(some.len() <= DROPS_MAX, "{} at once", some.len());
        tried.extend(some.iter().map(|letter| id_of(&letter.message)));
    }
    assert!(tried.into_iter().eq(0..MANY));
    assert_eq!(queue.next_call_ms(), Some(queue.now_ms + 1_000));
    assert_eq!(queue.purge(), COUNT);
    assert_eq!(queue.dead_letter_count(), 0);
}

/// So many small messages in one chunk, which a larger record fills up: each of them keeps all of it alive.
fn sharing_a_chunk(count: u32) -> (Arc<Chunk>, Vec<NewMessage>) {
    let mut writer = ChunkWriter::default();
    let mut push = |id: u32, body: &[u8]| {
        let facts = Facts { priority: Some(id.to_be_bytes()[3] % 3), ..Facts::default() };
        writer.push(facts, &address("", &id.to_be_bytes()), &[0, 0], body)
    };
    let offsets: Vec<_> = (0..count).map(|id| push(id, &[7; 10])).collect();
    push(count, &vec![0; count as usize * 200]);
    let chunk = writer.finish(&Arc::new(MemoryGauge::default()));
    let new = |offset| NewMessage { message: Message::new(Arc::clone(&chunk), offset), expiration_ms: None, failed: 0 };
    let messages = offsets.into_iter().map(new).collect();
    (chunk, messages)
}

/// Wherever they are, the messages let go of the chunk that they share.
#[test]
fn chunks_are_relieved_some_messages_at_a_time() {
    let retry = DelayedRetry { failed: true, returned: true, min_ms: 1_000, max_ms: 1_000 };
    let delayed = QueueArguments { delayed_retry: Some(retry), ..quorum() };
    let priorities = QueueArguments { max_priority: Some(2), ..QueueArguments::default() };
    for arguments in [QueueArguments::default(), priorities, quorum(), delayed] {
        let mut queue = Harness::new(arguments);
        let (chunk, messages) = sharing_a_chunk(MANY);
        assert!(queue.publish_new(messages).is_empty());
        let sink = queue.consume(consumer(1).prefetch(3 * 1024));
        let tokens: Vec<_> = sink.take().iter().filter_map(|delivery| delivery.token).collect();
        queue.cancel(1);
        let (back, _) = tokens.split_at(tokens.len() / 2);
        queue.requeue(back.to_vec(), Return::Rejected);
        while queue.is_returning() {
            queue.go_on_returning();
        }
        let users = || Arc::strong_count(&chunk) - 1;
        assert_eq!((users(), queue.unacked_count()), (COUNT, tokens.len() - back.len()));
        let mut relief = ChunkRelief::default();
        loop {
            let before = users();
            let goes_on = queue.queue().relieve_chunks(&mut relief);
            assert!(before - users() <= 1024, "{} at once", before - users());
            if !goes_on {
                break;
            }
        }
        assert_eq!(users(), 0);
    }
}

/// One `basic.ack` with `multiple` can be for all of a million.
#[test]
fn messages_are_settled_some_at_a_time() {
    let arguments = QueueArguments { dead_letters: Some(Arc::default()), ..QueueArguments::default() };
    for (settlement, dead) in [(Settlement::Acked, 0), (Settlement::Nacked, COUNT)] {
        let mut queue = filled(arguments.clone(), None);
        let mut tokens = queue.get_all(CHANNEL).into_iter().filter_map(|delivery| delivery.token);
        while queue.unacked_count() > 0 {
            let (before, now_ms) = (queue.unacked_count(), queue.now_ms);
            queue.queue().settle(&mut tokens, settlement);
            queue.queue().pump(now_ms);
            assert_eq!(before - queue.unacked_count(), SETTLED_AT_ONCE.min(before));
        }
        assert_eq!((tokens.next(), queue.dead_letter_count()), (None, dead));
    }
}

#[test]
fn consumers_are_told_of_the_end_of_their_queue_once_it_is_not_locked() {
    let mut queue = Harness::new(QueueArguments::default());
    let sinks: Vec<_> = (0..10).map(|id| queue.consume(consumer(id))).collect();
    let told = || sinks.iter().filter(|sink| !sink.notices.lock().unwrap().is_empty()).count();
    let mut removed = queue.queue().delete();
    assert_eq!((queue.consumer_count(), told()), (0, 0));
    removed.tell_consumers();
    assert_eq!(told(), 10);
    removed.tell_consumers();
    assert!(sinks.iter().all(|sink| sink.notices.lock().unwrap().len() == 1), "each is told once");
}
