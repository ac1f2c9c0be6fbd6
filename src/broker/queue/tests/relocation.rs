//! Messages get new places in steps, while they go on moving.

use std::collections::{BTreeMap, BTreeSet};

use super::harness::{CHANNEL, FakeSink, Harness, consumer, fresh};
use crate::broker::queue::arguments::{DelayedRetry, Overflow, QueueArguments, QueueKind};
use crate::broker::queue::walk::{Spot, VISITED_AT_ONCE};
use crate::broker::queue::{
    Compacted, CompactedRecord, Compacting, Moved, MovedPart, Moving, Queue, Return, Settlement,
};
use crate::broker::sink::Token;
use crate::store::address::{Address, SegmentId};
use crate::store::record::Freed;
use crate::store::segments::Written;
use crate::store::seq::Seq;

const COUNT: u32 = 6 * 1024;
const RECORD_BYTES: u32 = 100;
/// Of the fresh ones, so many are told of under one lock.
const PART_RECORDS: usize = 300;

/// Where each message is that is known one by one, and whether it is fresh.
fn places(queue: &mut Queue) -> BTreeMap<u64, (Address, bool)> {
    let all = queue.order.entries_from(Spot::START, true);
    let place = |spot: Spot| matches!(spot, Spot::Ready { is_fresh: true, .. });
    let mut seen = BTreeMap::new();
    for (spot, entry) in all {
        assert!(seen.insert(entry.seq.0, (entry.address, place(spot))).is_none(), "{:?} is in two places", entry.seq);
    }
    seen
}

fn unread_count(queue: &Queue) -> usize {
    queue.order.ready.levels().iter().map(|level| level.paged.unread_count()).sum()
}

fn offset(seq: u64) -> u32 {
    u32::try_from(seq).unwrap() * RECORD_BYTES
}

fn part(level: u8, segment: u32, seqs: &[u64]) -> MovedPart {
    let moved = |seq: &u64| Moved {
        seq: Seq(*seq),
        offset: offset(*seq),
        bytes: RECORD_BYTES,
        body_bytes: 0,
        expires_at_ms: u64::MAX,
        is_stored: true,
    };
    MovedPart { level, segment: SegmentId(segment), records: seqs.iter().map(moved).collect() }
}

/// What the pager wrote of a queue: fresh messages to file 2, the others to file 1.
fn written(queue: &mut Queue) -> (Vec<MovedPart>, Vec<MovedPart>) {
    let level = queue.levels().first().copied().unwrap_or_default();
    let (fresh, others): (Vec<_>, Vec<_>) = places(queue).into_iter().partition(|(_, (_, is_fresh))| *is_fresh);
    let seqs = |of: Vec<(u64, _)>| of.into_iter().map(|(seq, _)| seq).collect::<Vec<u64>>();
    let (fresh, others) = (seqs(fresh), seqs(others));
    let fresh = fresh.chunks(PART_RECORDS).map(|seqs| part(level, 2, seqs)).collect();
    (fresh, others.chunks(2 * PART_RECORDS).map(|seqs| part(level, 1, seqs)).collect())
}

/// The parts that are left, rewritten: file 1 to 3, file 2 to 4.
fn rewritten(queue: &mut Queue, freed: &BTreeSet<u64>) -> Vec<Compacted> {
    let compacted = |part: crate::store::checkpoint::Part| {
        let seqs = (part.start..part.end).step_by(RECORD_BYTES as usize).map(|start| u64::from(start / RECORD_BYTES));
        let record = |seq: u64| CompactedRecord {
            old_offset: offset(seq),
            written: Written { segment: SegmentId(part.segment.0 + 2), offset: offset(seq), bytes: RECORD_BYTES },
            seq: Seq(seq),
            body_bytes: 0,
            expires_at_ms: u64::MAX,
            is_stored: true,
        };
        Compacted { part, records: seqs.filter(|seq| !freed.contains(seq)).map(record).collect() }
    };
    super::parts_of(queue, |_| false).into_iter().map(compacted).collect()
}

fn any_arguments() -> [QueueArguments; 3] {
    let retry = DelayedRetry { failed: true, returned: true, min_ms: 10, max_ms: 20 };
    let keeps_dead_letters = QueueArguments {
        kind: QueueKind::Quorum,
        dead_letters: Some(std::sync::Arc::default()),
        dead_letter_at_least_once: true,
        overflow: Overflow::RejectPublish,
        ..QueueArguments::default()
    };
    let delayed = QueueArguments { delayed_retry: Some(retry), ..keeps_dead_letters.clone() };
    [QueueArguments::default(), keeps_dead_letters, delayed]
}

/// A queue with messages in all places, and what its consumer has.
fn busy(arguments: QueueArguments) -> (Harness, std::sync::Arc<FakeSink>, Vec<Token>) {
    let mut harness = Harness::new(arguments);
    harness.finds_no_grave = true;
    harness.publish((0..COUNT).map(fresh).collect());
    let sink = harness.consume(consumer(1).prefetch(4 * 1024));
    let mut tokens = taken(&sink);
    let back = tokens.split_off(3 * 1024);
    harness.requeue(back, Return::Rejected);
    while harness.is_returning() {
        harness.go_on_returning();
    }
    harness.settle(tokens.split_off(2 * 1024), Settlement::Rejected);
    tokens.extend(taken(&sink));
    (harness, sink, tokens)
}

fn taken(sink: &FakeSink) -> Vec<Token> {
    sink.take().iter().filter_map(|delivery| delivery.token).collect()
}

/// A random number below `below`, the same in each run.
fn random(state: &mut u64, below: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize % below.max(1)
}

/// Something that clients do while nobody holds the queue's lock.
fn act(harness: &mut Harness, sink: &FakeSink, tokens: &mut Vec<Token>, state: &mut u64) -> Vec<Freed> {
    let from = random(state, tokens.len());
    let some: Vec<_> = tokens.drain(from..tokens.len().min(from + 1 + random(state, 400))).collect();
    match random(state, 6) {
        0 => harness.settle(some, Settlement::Acked),
        1 => harness.settle(some, Settlement::Rejected),
        2 => harness.requeue(some, Return::Rejected),
        3 => harness.requeue(some, Return::Nacked),
        4 => {
            tokens.extend(some);
            harness.advance(1 + random(state, 2_000) as u64);
        }
        _ => {
            tokens.extend(some);
            harness.publish((COUNT..).take(random(state, 50)).map(fresh).collect());
        }
    }
    tokens.extend(taken(sink));
    // What is gone after it got its new place is freed there.
    harness.queue().journal().take(&mut Vec::new())
}

/// Each message of the first ones is at its new place, not read, or free; and what is free is not there.
fn check(queue: &mut Queue, freed: &BTreeSet<u64>, first_file: u32) {
    let unread = unread_count(queue);
    let known: BTreeMap<_, _> = places(queue).into_iter().filter(|(seq, _)| *seq < u64::from(COUNT)).collect();
    for (seq, (address, is_fresh)) in &known {
        assert!(!is_fresh && !freed.contains(seq), "{seq}: {address:?}");
        let files = [first_file, first_file + 1].map(|file| Address::in_segment(SegmentId(file), offset(*seq)));
        assert!(files.contains(address), "{seq} has no new place: {address:?}");
    }
    assert_eq!(known.len() + unread + freed.len(), COUNT as usize, "{unread} unread, {} free", freed.len());
}

fn seqs(freed: &[Freed]) -> impl Iterator<Item = u64> {
    let starts = freed.iter().flat_map(|freed| (freed.start..freed.end).step_by(RECORD_BYTES as usize));
    starts.map(|start| u64::from(start / RECORD_BYTES))
}

#[test]
fn whatever_moves_meanwhile_gets_its_new_place_or_frees_it() {
    for arguments in any_arguments() {
        for seed in 0..8 {
            let mut state = seed;
            let (mut harness, sink, mut tokens) = busy(arguments.clone());
            let (fresh, scattered) = written(harness.queue());
            let before: BTreeSet<_> = places(harness.queue()).into_keys().collect();
            let mut gone: BTreeSet<_> = (0..u64::from(COUNT)).filter(|seq| !before.contains(seq)).collect();
            let mut act = |harness: &mut Harness, gone: &mut BTreeSet<u64>| {
                gone.extend(seqs(&act(harness, &sink, &mut tokens, &mut state)));
            };
            act(&mut harness, &mut gone);
            let mut moving = Moving::new(fresh, &scattered);
            while harness.queue().go_on_moving(&mut moving) {
                act(&mut harness, &mut gone);
            }
            gone.extend(seqs(&moving.into_freed()));
            check(harness.queue(), &gone, 1);

            let compacted = rewritten(harness.queue(), &gone);
            act(&mut harness, &mut gone);
            let mut compacting = Compacting::new(&compacted);
            while harness.queue().go_on_compacting(&mut compacting) {
                act(&mut harness, &mut gone);
            }
            gone.extend(seqs(&compacting.into_freed()));
            check(harness.queue(), &gone, 3);
        }
    }
}

/// How many messages are where they were not before.
fn changed(before: &BTreeMap<u64, (Address, bool)>, after: &BTreeMap<u64, (Address, bool)>) -> usize {
    before.iter().filter(|(seq, place)| after.get(seq) != Some(place)).count()
}

#[test]
fn messages_get_new_places_some_at_a_time() {
    for arguments in any_arguments() {
        let (mut harness, _sink, _tokens) = busy(arguments);
        let queue = harness.queue();
        let (fresh, scattered) = written(queue);
        let mut moving = Moving::new(fresh, &scattered);
        let (mut before, mut goes_on, mut steps) = (places(queue), true, 0);
        while goes_on {
            goes_on = queue.go_on_moving(&mut moving);
            let after = places(queue);
            let count = changed(&before, &after);
            assert!(count < VISITED_AT_ONCE + PART_RECORDS, "{count} at once");
            (before, steps) = (after, steps + 1);
        }
        assert!(steps >= before.len() / VISITED_AT_ONCE, "{steps} steps");
        assert_eq!(moving.into_freed(), []);

        let mut compacting = Compacting::new(&rewritten(queue, &BTreeSet::new()));
        goes_on = true;
        while goes_on {
            goes_on = queue.go_on_compacting(&mut compacting);
            let after = places(queue);
            let count = changed(&before, &after);
            assert!(count <= VISITED_AT_ONCE, "{count} at once");
            before = after;
        }
    }
}

/// Somebody looks for what is to be written while messages go back: what may have been missed is noticed.
#[test]
fn a_search_finds_what_moves_on_and_notices_what_goes_back() {
    let (mut harness, sink, mut tokens) = busy(QueueArguments::default());
    // Only what is in the log is looked for.
    let all = harness.queue().order.entries_from(Spot::START, true);
    all.for_each(|(_, entry)| entry.address = Address::in_log(1 + entry.seq.0));
    let limit = u64::from(COUNT) + 1;
    let is_wanted = |(_, (_, is_fresh)): &(u64, (Address, bool))| !is_fresh;
    let wanted: BTreeSet<_> = places(harness.queue()).into_iter().filter(is_wanted).map(|(seq, _)| seq).collect();

    let mut searching = harness.queue().begin_search(1, limit);
    let mut others = 100..;
    while harness.queue().go_on_searching(&mut searching) {
        // What is ready goes to another consumer meanwhile.
        let other = others.next().map(consumer).unwrap();
        tokens.extend(taken(&harness.consume(other.prefetch(50))));
    }
    let steps = usize::try_from(others.start - 100).unwrap();
    assert!(!searching.has_slipped() && steps > 2 * (wanted.len() / VISITED_AT_ONCE) - 2, "{steps} steps");
    let pieces = searching.into_leaving(&[]);
    let found: Vec<_> = pieces.iter().flatten().map(|leaving| leaving.label.seq.0).collect();
    let set: BTreeSet<_> = found.iter().copied().collect();
    assert_eq!(set.len(), found.len(), "none twice");
    assert!(wanted.is_subset(&set));
    assert!(pieces.iter().all(|piece| piece.is_sorted_by_key(|leaving| leaving.label.seq)));

    let mut searching = harness.queue().begin_search(1, limit);
    assert!(harness.queue().go_on_searching(&mut searching));
    harness.requeue(tokens.split_off(tokens.len() - 1), Return::Nacked);
    while harness.queue().go_on_searching(&mut searching) {}
    assert!(searching.has_slipped());
    drop(sink);
}

/// Fresh messages are looked at before the others. One that is delivered meanwhile is found by one of the looks, and only once.
#[test]
fn a_message_that_is_delivered_during_a_search_is_found_once() {
    for is_delivered_first in [false, true] {
        let mut harness = Harness::new(QueueArguments::default());
        harness.publish(vec![fresh(0)]);
        let all = harness.queue().order.entries_from(Spot::START, true);
        all.for_each(|(_, entry)| entry.address = Address::in_log(1));
        let mut searching = harness.queue().begin_search(1, 2);
        if is_delivered_first {
            assert!(harness.get(CHANNEL, false).is_some());
        }
        let last = harness.queue().scan_fresh(0, Seq::FIRST, 2, 10).last;
        let fresh: Vec<_> = last.iter().map(|last| part(0, 2, &[last.0])).collect();
        if !is_delivered_first {
            assert!(harness.get(CHANNEL, false).is_some());
        }
        while harness.queue().go_on_searching(&mut searching) {}
        assert!(!searching.has_slipped());
        let found = searching.into_leaving(&fresh).concat();
        assert_eq!((fresh.len(), found.len()), if is_delivered_first { (0, 1) } else { (1, 0) });
    }
}

/// A start puts parts in the order of their first messages, so no part of what was found may lie around what was written as fresh.
#[test]
fn what_is_found_does_not_reach_over_what_was_written_as_fresh() {
    let mut harness = Harness::new(QueueArguments::default());
    harness.publish((0..4).map(fresh).collect());
    let all = harness.queue().order.entries_from(Spot::START, true);
    all.for_each(|(_, entry)| entry.address = Address::in_log(1));
    assert!(harness.get(CHANNEL, false).is_some());
    // The second one is written as fresh, and then the rest is delivered, too.
    let written = [part(0, 2, &[1])];
    let mut searching = harness.queue().begin_search(1, 2);
    (0..3).for_each(|_| assert!(harness.get(CHANNEL, false).is_some()));
    while harness.queue().go_on_searching(&mut searching) {}
    let pieces = searching.into_leaving(&written).into_iter();
    let pieces: Vec<Vec<_>> = pieces.map(|piece| piece.iter().map(|leaving| leaving.label.seq.0).collect()).collect();
    assert_eq!(pieces, [vec![0], vec![2, 3]]);
}
