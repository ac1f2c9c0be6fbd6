//! Messages that are taken out by choice while others of their part are written to a file.

use super::harness::{Fresh, Harness, fresh};
use crate::broker::ids::ChannelId;
use crate::broker::queue::arguments::QueueArguments;
use crate::broker::queue::looking::{MessageState, Seen};
use crate::broker::queue::{Moved, MovedPart, Moving};
use crate::store::address::SegmentId;
use crate::store::record::Freed;
use crate::store::seq::Seq;

const RECORD_BYTES: u32 = 100;
const NOW_MS: u64 = 1_000;

/// Ten messages of which a part was written.
fn ten_messages() -> (Harness, MovedPart) {
    let mut harness = Harness::new(QueueArguments::default());
    harness.publish((0..10).map(fresh).collect());
    let record = |seq: u64| Moved {
        seq: Seq(seq),
        offset: u32::try_from(seq).unwrap() * RECORD_BYTES,
        bytes: RECORD_BYTES,
        body_bytes: 0,
        expires_at_ms: u64::MAX,
        is_stored: true,
    };
    let part = MovedPart { level: 0, segment: SegmentId(1), records: (0..10).map(record).collect() };
    (harness, part)
}

/// What is free once the queue knows of the part.
fn moved(harness: &mut Harness, part: MovedPart) -> Vec<Freed> {
    let mut moving = Moving::new(vec![part], &[]);
    while harness.queue().go_on_moving(&mut moving) {}
    moving.into_freed()
}

/// Where the parts of the file begin that hold ready messages, and how many these are.
fn parts(harness: &mut Harness) -> Vec<(u32, usize)> {
    let seen = harness.queue().look_at(MessageState::Ready, 0, usize::MAX).into_iter();
    let part = |seen| match seen {
        Seen::Part(part) => (part.load.start / RECORD_BYTES, part.count),
        Seen::OnDisk(message, _) => (u32::try_from(message.id).unwrap(), 1),
        Seen::Message(message) => panic!("{message:?} is in memory"),
    };
    seen.map(part).collect()
}

#[test]
fn what_is_deleted_while_it_is_written_does_not_come_back() {
    let (mut harness, part) = ten_messages();
    let mut deleted = harness.queue().delete_chosen(&[3, 4, 7].map(Seq));
    deleted.sort_unstable();
    assert_eq!(deleted, [3, 4, 7].map(Seq));
    let freed = moved(&mut harness, part);
    let freed: Vec<_> = freed.iter().map(|freed| freed.start / RECORD_BYTES).collect();
    assert_eq!(freed, [3, 4, 7]);
    assert_eq!(parts(&mut harness), [(0, 3), (5, 2), (8, 2)]);
    assert_eq!(harness.ready_count(), 7);
}

#[test]
fn what_is_out_while_it_is_written_is_read_back_once() {
    let (mut harness, part) = ten_messages();
    let taken = harness.queue().take_chosen(&[0, 9].map(Seq), ChannelId(7), NOW_MS);
    assert_eq!(taken.len(), 2);
    assert_eq!(moved(&mut harness, part), []);
    assert_eq!(parts(&mut harness), [(1, 8)]);
    let tokens: Vec<_> = taken.iter().map(|taken| taken.token).collect();
    harness.queue().return_chosen(&tokens);
    assert_eq!((harness.ready_count(), harness.unacked_count()), (10, 0));
}

#[test]
fn what_has_expired_behind_others_is_not_sent_on() {
    let mut harness = Harness::new(QueueArguments::default());
    let ttl_ms = |id| (id % 2 == 1).then_some(5);
    harness.publish((0..4).map(|id| Fresh { expiration_ms: ttl_ms(id), ..fresh(id) }).collect());
    let now_ms = harness.now_ms + 5;
    let taken = harness.queue().take_chosen(&[0, 1, 3].map(Seq), ChannelId(7), now_ms);
    assert_eq!(taken.iter().map(|taken| taken.id).collect::<Vec<_>>(), [0]);
    assert_eq!((harness.ready_count(), harness.unacked_count()), (3, 1));
}
