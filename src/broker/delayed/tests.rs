use super::*;
use crate::broker::queue::{CompactedRecord, Moved, MovedPart};
use crate::message::{Facts, MemoryGauge, address};
use crate::store::address::SegmentId;
use crate::store::segments::Written;
use crate::store::seq::Seq;

const COUNT: u32 = 10_000;

fn held_back() -> Arc<DelayedMessages> {
    let delayed = Arc::new(DelayedMessages::new(QueueId(1), Weak::new(), &Arc::default()));
    let gauge = Arc::new(MemoryGauge::default());
    for seq in 0..COUNT {
        let message = Message::standalone(&gauge, Facts::default(), &address("", b"q"), &[0, 0], &seq.to_be_bytes());
        let new = NewMessage { message, expiration_ms: None, failed: 0 };
        delayed.hold(due_ms(seq), ExchangeId(u64::from(seq) % 2), new, TransactionId::NONE);
    }
    delayed
}

/// Not in the order of arrival.
fn due_ms(seq: u32) -> u64 {
    1_000 + u64::from(seq) * 7919 % 100
}

fn moved(seq: u32) -> Moved {
    let (offset, bytes, body_bytes) = (seq * 64, 64, 4);
    Moved { seq: Seq(seq.into()), offset, bytes, body_bytes, expires_at_ms: due_ms(seq), is_stored: true }
}

fn offsets(singles: &[(DueKey, Address, u32)]) -> Vec<u32> {
    let offset = |(_, address, _): &(DueKey, Address, u32)| match address.place() {
        Place::Segment(_, offset) => Some(offset),
        Place::Log(_) | Place::Nowhere => None,
    };
    let mut offsets: Vec<_> = singles.iter().filter_map(offset).collect();
    offsets.sort_unstable();
    offsets
}

/// More than are looked at, or get another place, under one lock: none is left out, and none is taken twice.
#[test]
fn many_messages_are_moved_and_found_again() {
    let delayed = held_back();
    let (old, new) = (SegmentId(4), SegmentId(5));
    // The last one was delivered meanwhile.
    let records: Vec<_> = (0..=COUNT).map(moved).collect();
    let part = MovedPart { level: 0, segment: old, records };
    let freed = delayed.moved(std::slice::from_ref(&part));
    assert_eq!(freed, [part.freed(&moved(COUNT))]);

    let singles = delayed.singles_in(&[SegmentId(3), old]);
    let expected: Vec<_> = (0..COUNT).map(|seq| seq * 64).collect();
    assert_eq!(offsets(&singles), expected);
    let state = delayed.state();
    let mut seqs: Vec<_> = state.singles.iter().map(|single| single.seq.0).collect();
    seqs.sort_unstable();
    assert!(seqs.into_iter().eq(0..u64::from(COUNT)));
    assert_eq!((state.next_seq, state.moved), (Seq(COUNT.into()), [(0, Seq(COUNT.into()))].into_iter().collect()));

    delayed.forget(ExchangeId(0));
    let rewritten = |seq: u32| {
        let Moved { seq: place, offset, bytes, body_bytes, expires_at_ms, is_stored } = moved(seq);
        let written = Written { segment: new, offset: offset + 32, bytes };
        let record = CompactedRecord { old_offset: offset, written, seq: place, body_bytes, expires_at_ms, is_stored };
        (Address::in_segment(old, offset), record)
    };
    let records: Vec<_> = (0..COUNT).map(rewritten).collect();
    assert_eq!(delayed.compacted(&records).len(), COUNT as usize / 2, "what is gone is free at its new place");
    assert!(delayed.singles_in(&[old]).is_empty());
    let expected: Vec<_> = (0..COUNT).filter(|seq| seq % 2 == 1).map(|seq| seq * 64 + 32).collect();
    assert_eq!(offsets(&delayed.singles_in(&[new])), expected);
}

/// Else a start would read one from the log that was moved and is gone, because another one that came before it is in the log.
#[test]
fn what_came_before_a_message_that_leaves_the_log_leaves_with_it() {
    let delayed = held_back();
    let place = |seq: u32, address: Address| {
        let mut waiting = delayed.waiting.lock();
        let held = waiting.by_due.get_mut(&(due_ms(seq), Seq(seq.into()))).unwrap();
        (held.address, held.is_stored) = (address, true);
    };
    // The second one wrote its body first.
    for (seq, position) in [(0, 300), (1, 100), (2, 400)] {
        place(seq, Address::in_log(position));
    }
    let leaving = |limit| delayed.leaving(limit).iter().map(|leaving| leaving.label.seq.0).collect::<Vec<_>>();
    assert_eq!(
        (leaving(100), leaving(200), leaving(400), leaving(401)),
        (vec![], vec![0, 1], vec![0, 1], vec![0, 1, 2])
    );
    place(0, Address::in_segment(SegmentId(4), 0));
    place(1, Address::in_segment(SegmentId(4), 64));
    assert_eq!(delayed.state().moved.as_slice(), [(0, Seq(2))]);
}
