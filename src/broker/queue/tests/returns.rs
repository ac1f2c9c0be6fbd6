//! Returns of more messages than one transition puts back.

use super::*;
use crate::broker::queue::returning::RETURNS_MAX;

const MANY: u32 = 3 * RETURNS_MAX as u32 + 7;
const COUNT: usize = MANY as usize;

/// A queue of which one channel holds everything, and the tokens.
fn taken(arguments: QueueArguments) -> (Harness, Vec<Token>) {
    let mut queue = Harness::new(arguments);
    queue.publish((0..MANY).map(fresh).collect());
    let tokens = queue.get_all(CHANNEL).into_iter().filter_map(|got| got.token).collect();
    (queue, tokens)
}

fn kinds() -> [QueueArguments; 2] {
    [QueueArguments::default(), quorum()]
}

#[test]
fn many_messages_come_back_some_at_a_time_and_are_delivered_in_order_thereafter() {
    for arguments in kinds() {
        let (mut queue, tokens) = taken(arguments);
        let sink = queue.consume(consumer(1));
        queue.requeue(tokens, Return::Nacked);
        let mut steps = 1;
        let mut last = MANY;
        while queue.is_returning() {
            assert_eq!(queue.unacked_count(), COUNT - steps * usize::from(RETURNS_MAX), "so many are not back");
            assert!(sink.take().is_empty(), "some are delivered before the others are back");
            queue.publish(vec![fresh(last)]);
            last += 1;
            queue.go_on_returning();
            steps += 1;
        }
        assert_eq!(steps, 4);
        assert_eq!(ids(&sink.take()), (0..last).collect::<Vec<_>>());
    }
}

#[test]
fn what_a_closed_channel_held_comes_back_some_at_a_time() {
    for arguments in kinds() {
        let mut queue = Harness::new(arguments);
        let sink = queue.consume(consumer(1));
        queue.publish((0..MANY).map(fresh).collect());
        assert_eq!(sink.take().len(), COUNT);
        queue.close_channel(CHANNEL);
        assert!(queue.is_returning());
        // Whoever asks goes on with it first.
        assert_eq!(ids(&queue.get_all(OTHER_CHANNEL)), (0..MANY).collect::<Vec<_>>());
        assert!(!queue.is_returning());
    }
}

#[test]
fn a_purge_takes_what_is_on_its_way_back() {
    let (mut queue, tokens) = taken(QueueArguments::default());
    queue.requeue(tokens, Return::Nacked);
    assert!(queue.is_returning());
    assert_eq!((queue.purge(), queue.ready_count(), queue.unacked_count()), (COUNT, 0, 0));
}

#[test]
fn the_timer_goes_on_with_what_was_not_acknowledged_in_time() {
    let (mut queue, _) = taken(QueueArguments { consumer_timeout_ms: Some(1_000), ..quorum() });
    queue.call(queue.now_ms + 1_000);
    while queue.is_returning() {
        assert!(queue.next_call_ms().is_some_and(|at_ms| at_ms <= queue.now_ms), "nobody goes on");
        queue.call(queue.now_ms);
    }
    assert_eq!(ids(&queue.get_all(OTHER_CHANNEL)), (0..MANY).collect::<Vec<_>>());
}

/// Dead letters of a return are one stretch in the order of deaths.
#[test]
fn nothing_is_dead_lettered_before_everything_is_back() {
    let arguments = QueueArguments { dead_letters: Some(Default::default()), delivery_limit: Some(0), ..quorum() };
    let (mut queue, tokens) = taken(arguments);
    queue.requeue(tokens, Return::Rejected);
    while queue.is_returning() {
        assert!(queue.take_dead().is_empty());
        queue.go_on_returning();
    }
    assert!(queue.take_dead().iter().map(|letter| id_of(&letter.message)).eq(0..MANY));
}

#[test]
fn a_queue_that_is_deleted_meanwhile_has_nothing_to_put_back() {
    let (mut queue, tokens) = taken(QueueArguments::default());
    queue.requeue(tokens, Return::Nacked);
    assert_eq!(queue.delete(), usize::from(RETURNS_MAX));
    queue.go_on_returning();
    assert_eq!((queue.ready_count(), queue.unacked_count(), queue.is_returning()), (0, 0, false));
}
