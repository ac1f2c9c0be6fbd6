//! Parts of files, of which there may be as many as messages: they are dropped, freed, told to checkpoints and replaced some at a time.

use std::collections::BTreeSet;

use super::*;
use crate::broker::queue::removal::STEP_MESSAGES;
use crate::broker::queue::walk::VISITED_AT_ONCE;
use crate::message::MessageSum;
use crate::store::address::SegmentId;
use crate::store::checkpoint::QueueState;
use crate::store::recovery::RecoveredQueue;
use crate::store::segments::Written;
use crate::store::seq::Seq;

const MANY: u32 = 10 * 1024;
const COUNT: usize = MANY as usize;
const RECORD_BYTES: u32 = 64;
/// When all messages expire.
const EXPIRY_MS: u64 = 100;

/// Two messages in a part of their own, as those have that were moved while others around them were settled.
fn small_part(number: u32) -> Part {
    let start = 32 + number % 100 * 2 * RECORD_BYTES;
    Part {
        level: 0,
        segment: SegmentId(number / 100),
        start,
        end: start + 2 * RECORD_BYTES,
        first_seq: Seq(2 * u64::from(number)),
        stored: 2,
        body_bytes: 20,
        expires_min_ms: EXPIRY_MS,
        expires_max_ms: EXPIRY_MS,
    }
}

fn restored() -> Queue {
    let mut queue = Queue::new(QueueArguments::default(), Journal::new(1, true), 0);
    let parts = (0..MANY).map(small_part).collect();
    let state = QueueState { queue: 1, next_seq: Seq(2 * u64::from(MANY)), parts, ..QueueState::default() };
    let freed = queue.restore(RecoveredQueue { state, ..RecoveredQueue::default() }, |_| MessageSum::default());
    assert!(freed.is_empty());
    assert_eq!((queue.ready_count(), queue.weight()), (2 * COUNT, COUNT));
    queue
}

/// Where the parts are that the queue freed since it was asked last.
fn freed(queue: &mut Queue) -> Vec<(SegmentId, u32)> {
    queue.journal().take(&mut Vec::new()).iter().map(|freed| (freed.segment, freed.start)).collect()
}

/// A checkpoint that is made in between names each part, unless it is free.
#[test]
fn parts_of_files_are_freed_some_at_a_time() {
    let mut queue = restored();
    let mut removed = queue.purge();
    assert_eq!((removed.count, removed.weight), (2 * COUNT, COUNT));
    assert_eq!((queue.ready_count(), queue.weight()), (0, 0));
    assert!(queue.journal().is_empty(), "nothing is freed under the lock under which all is taken out");
    let (mut all_freed, mut is_last) = (BTreeSet::new(), false);
    while !is_last {
        is_last = queue.forget(&mut removed).is_last;
        let step = freed(&mut queue);
        assert!(step.len() <= STEP_MESSAGES, "{} at once", step.len());
        all_freed.extend(step);
        let named = parts_of(&mut queue, |part| all_freed.contains(&(part.segment, part.start)));
        let named: BTreeSet<_> = named.iter().map(|part| (part.segment, part.start)).collect();
        assert!(named.is_disjoint(&all_freed));
        assert_eq!(named.len() + all_freed.len(), COUNT);
    }
    assert_eq!(all_freed.len(), COUNT);
}

/// While a checkpoint looks at them, nothing is locked.
#[test]
fn parts_that_are_read_while_others_are_looked_at_are_named_by_the_next_checkpoint() {
    let mut queue = restored();
    let read_some = |queue: &mut Queue| {
        for _ in 0..7 {
            queue.order.ready.pop_due_part(EXPIRY_MS + 1);
        }
    };
    read_some(&mut queue);
    let taken = queue.take_parts();
    read_some(&mut queue);
    let mut parts = Vec::new();
    let back = taken.tell(|_| false, &mut parts);
    queue.put_parts_back(back);
    assert_eq!(parts.len(), COUNT);
    assert_eq!(parts_of(&mut queue, |_| false).len(), COUNT);
}

#[test]
fn parts_expire_some_at_a_time() {
    let mut queue = restored();
    let mut steps = 0;
    while queue.weight() > 0 {
        let before = queue.weight();
        let (_, aftermath) = queue.transition(|queue| queue.on_timer(EXPIRY_MS + 1));
        assert_eq!(before - queue.weight(), DROPS_MAX.min(before));
        assert!(queue.weight() == 0 || aftermath.call_at_ms.is_some_and(|at_ms| at_ms <= EXPIRY_MS), "nobody goes on");
        steps += 1;
    }
    assert_eq!((steps, queue.ready_count(), freed(&mut queue).len()), (COUNT / DROPS_MAX, 0, COUNT));
}

/// Each part rewritten, every fifth one to two files.
fn rewritten() -> Vec<Compacted> {
    let record = |part: &Part, number: u32, at: u32| {
        let file = if number.is_multiple_of(5) { 1000 * (at + 1) } else { 1000 };
        let offset = part.start + at * RECORD_BYTES;
        let segment = SegmentId(part.segment.0 + file);
        CompactedRecord {
            old_offset: offset,
            written: Written { segment, offset, bytes: RECORD_BYTES },
            seq: Seq(part.first_seq.0 + u64::from(at)),
            body_bytes: 10,
            expires_at_ms: EXPIRY_MS,
            is_stored: true,
        }
    };
    let compacted = |number| {
        let part = small_part(number);
        Compacted { records: vec![record(&part, number, 0), record(&part, number, 1)], part }
    };
    (0..MANY).map(compacted).collect()
}

fn old_unread(queue: &Queue) -> usize {
    let unread = queue.order.ready.levels().iter().flat_map(|level| level.paged.unread());
    unread.filter(|unread| unread.part.segment.0 < 1000).count()
}

/// Between the steps nothing happens, or parts expire, or the queue is purged.
#[test]
fn parts_get_new_places_some_at_a_time_whatever_becomes_of_them() {
    for (expired, purged_in_step) in [(0, None), (7, None), (7, Some(0)), (7, Some(1)), (0, Some(5))] {
        let mut queue = restored();
        let mut compacting = Compacting::new(&rewritten());
        let (mut steps, mut left, mut removed) = (0, old_unread(&queue), None);
        while queue.go_on_compacting(&mut compacting) {
            let count = left - old_unread(&queue);
            assert!(count <= 2 * VISITED_AT_ONCE, "{count} at once");
            for _ in 0..expired {
                queue.order.ready.pop_due_part(EXPIRY_MS + 1);
            }
            if purged_in_step == Some(steps) {
                removed = Some(queue.purge());
            }
            queue.order.ready.check();
            (steps, left) = (steps + 1, old_unread(&queue));
        }
        assert!(steps >= COUNT / VISITED_AT_ONCE / 2, "{steps} steps");
        queue.order.ready.check();
        let unread = queue.order.ready.levels().iter().flat_map(|level| level.paged.unread());
        assert!(unread.map(|unread| unread.part.first_seq).is_sorted());
        let parts = parts_of(&mut queue, |_| false);
        assert!(parts.iter().all(|part| part.segment.0 >= 1000), "one has its old place");
        let stored: u32 = parts.iter().map(|part| part.stored).sum();
        assert_eq!(stored, 2 * MANY, "each is there, and once");
        drop(removed);
    }
}
