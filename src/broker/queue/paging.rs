//! Moving messages to segment files, and back into memory.
//!
//! Moving takes three steps, so that the queue is never locked while files are written: the pager asks what is to leave
//! ([`Queue::fresh_leaving`], [`Queue::begin_search`]), writes it, and tells where it is ([`Queue::go_on_moving`]). What left the
//! queue meanwhile is freed at the end. A fresh message can only leave from the front, so what is left of a part is its end.
//!
//! A part that is moved while deliveries go on. `.` is in memory and in the log, `o` is out and not acknowledged, `#` is in the file only:
//!
//! ```text
//!                      1 2 3 4 5 6 7 8
//!   asked    locked    o . . . . . . .    2 to 8 are fresh; 1 is not, and is searched for
//!   written  free      o . . . . . . .    the file gets 2 3 4 5 6 7 8, and then 1 ...
//!            free      o   o . . . . .    ... while 2 is delivered and acknowledged, and 3 is delivered
//!   told     locked    o   o [# # # # #]  one part, 2 to 8, with a cursor in front of 4: 20 bytes, whatever it has
//!                      ^   ^              the walk tells these where they are in the file: they lose their bodies
//!                        ^                the walk finds it nowhere: its record is freed
//! ```
//!
//! Until the checkpoint that follows, the log tells all of this without the file, so a crash at any line loses nothing. The messages that
//! were fresh are told first, because those that are fresh no more are then looked for, and the walk begins when all are known.

mod fresh;
mod moving;
mod search;

use std::fmt;

use rustc_hash::FxHashMap;

use super::Queue;
use super::dying::DeathReason;
use super::entry::{Body, Entry};
use super::paged::{TakenParts, Unread};
use super::ready::CHOSEN_AMONG_MAX;
use super::settling::{count_interrupted, is_over_limit};
use crate::message::{DeliveryCounts, Message, MessageSum};
use crate::store::address::{Place, SegmentId};
use crate::store::checkpoint::{Part, QueueState};
use crate::store::loader::{Load, Loaded};
use crate::store::record::Freed;
use crate::store::recovery::RecoveredQueue;
use crate::store::segments::{self, Damaged, Label, Stored, Written};
use crate::store::seq::Seq;
pub(crate) use moving::Moving;
pub(super) use search::Search;
pub(crate) use search::Searching;

/// A message that is to be written to a segment file.
#[derive(Clone, Debug)]
pub(crate) struct Leaving {
    /// What its record says of it.
    pub(crate) label: Label,
    pub(crate) message: Message,
}

/// A piece of the fresh messages that are to be written.
#[derive(Clone, Debug, Default)]
pub(crate) struct FreshLeaving {
    /// The messages, in the order of the queue.
    pub(crate) messages: Vec<Leaving>,
    /// The one behind them. If another comes first in the next piece, messages in between were delivered meanwhile.
    pub(crate) next: Option<Seq>,
}

/// A message that was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moved {
    /// Its place in the order of the queue.
    pub(crate) seq: Seq,
    /// Where its record begins.
    pub(crate) offset: u32,
    /// Bytes of the record.
    pub(crate) bytes: u32,
    /// Bytes of the body.
    pub(crate) body_bytes: u32,
    pub(crate) expires_at_ms: u64,
    /// It survives a restart.
    pub(crate) is_stored: bool,
}

/// Messages of one level that were written side by side.
#[derive(Clone, Debug)]
pub(crate) struct MovedPart {
    /// The priority level.
    pub(crate) level: u8,
    pub(crate) segment: SegmentId,
    /// The messages, in the order of the queue; never none.
    pub(crate) records: Vec<Moved>,
}

impl MovedPart {
    pub(super) fn part(&self) -> Part {
        let mut part = Part { level: self.level, segment: self.segment, expires_min_ms: u64::MAX, ..Part::default() };
        if let Some(first) = self.records.first() {
            (part.start, part.first_seq) = (first.offset, first.seq);
        }
        for record in &self.records {
            part.end = record.offset.saturating_add(record.bytes);
            part.expires_min_ms = part.expires_min_ms.min(record.expires_at_ms);
            part.expires_max_ms = part.expires_max_ms.max(record.expires_at_ms);
            // What does not survive a restart takes place in the file, but a start must not expect it.
            if record.is_stored {
                part.stored += 1;
                part.body_bytes += u64::from(record.body_bytes);
            }
        }
        part
    }

    /// What one of its messages takes in the file, to be freed.
    pub(crate) fn freed(&self, record: &Moved) -> Freed {
        self.place(record).1.freed()
    }

    const fn written(&self, record: &Moved) -> Written {
        Written { segment: self.segment, offset: record.offset, bytes: record.bytes }
    }
}

/// How far fresh messages were looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scan {
    /// The last of them that is to leave.
    pub(crate) last: Option<Seq>,
    /// Where to go on; `None` at the end.
    pub(crate) next: Option<Seq>,
}

impl Queue {
    /// The priority levels that there are.
    pub(crate) fn levels(&self) -> Vec<u8> {
        self.order.ready.levels().iter().map(|level| level.priority).collect()
    }

    /// Bytes of bodies in memory that could be in segment files.
    pub(crate) fn pageable_bytes(&self) -> u64 {
        if self.is_deleted() { 0 } else { self.order.ready.fresh_bytes() }
    }

    /// Looks through `max` fresh messages of a level from a place on, for those that are in the log before `limit`.
    pub(crate) fn scan_fresh(&self, level: u8, from: Seq, limit: u64, max: usize) -> Scan {
        let mut scan = Scan { last: None, next: None };
        let Some(level) = self.order.ready.levels().iter().find(|other| other.priority == level) else { return scan };
        let mut entries = level.fresh.iter_from(from);
        for entry in entries.by_ref().take(max) {
            // Memory is short: then all may leave, also what was never in the log.
            if limit == u64::MAX || entry.address.is_in_log_before(limit) {
                scan.last = Some(entry.seq);
            }
        }
        // A look in steps. What is delivered in between leaves at the front, so the place stays right.
        scan.next = entries.next().map(|entry| entry.seq);
        scan
    }

    /// `max` fresh messages of a level from one place to another, both included.
    pub(crate) fn fresh_leaving(&self, queue: u64, level: u8, from: Seq, last: Seq, max: usize) -> FreshLeaving {
        let Some(level) = self.order.ready.levels().iter().find(|other| other.priority == level) else {
            return FreshLeaving::default();
        };
        // Found by number again: the first of them may have been delivered since the scan.
        let mut entries = level.fresh.iter_from(from).take_while(|entry| entry.seq <= last);
        let messages = entries.by_ref().take(max).filter_map(|entry| leaving(entry, queue)).collect();
        FreshLeaving { messages, next: entries.next().map(|entry| entry.seq) }
    }

    /// What a checkpoint says of the queue, without the counts, which [`Queue::tell_counts`] adds in steps, and without the parts, which
    /// are handed out; `None` when there is nothing to say.
    pub(crate) fn begin_state(&mut self, queue: u64) -> Option<(QueueState, TakenParts)> {
        // A queue that never had a message has nothing to say; its definition is told elsewhere.
        if self.is_deleted() || !self.backing.is_kept() || self.order.next_seq() == Seq::FIRST {
            return None;
        }
        let state = QueueState {
            queue,
            next_seq: self.order.next_seq(),
            delivered: self.backing.delivered_marks().clone(),
            moved: self.backing.moved().clone(),
            parts: Vec::new(),
            singles: Vec::new(),
            counts: Vec::new(),
        };
        Some((state, self.take_parts()))
    }

    /// Tells a checkpoint some of the deliveries that were counted of messages in files, from a place on: where to go on, or `None` at the
    /// end. What is counted while nothing is locked in between, the log tells again.
    pub(crate) fn tell_counts(&mut self, from: Seq, told: &mut Vec<(Seq, DeliveryCounts)>) -> Option<Seq> {
        let all_read = !self.order.ready.levels().iter().any(|level| level.paged.has_restored());
        self.backing.tell_counts(from, all_read, told)
    }

    /// Fills an empty queue with what was found at the start. `gone_within` tells which stored messages of a part are
    /// gone. What of the parts is not there any more is to be freed.
    pub(crate) fn restore(
        &mut self,
        recovered: RecoveredQueue,
        gone_within: impl Fn(&Part) -> MessageSum,
    ) -> Vec<Freed> {
        let RecoveredQueue { mut state, in_log, .. } = recovered;
        let mut freed = Vec::new();
        self.order.restore_seq(state.next_seq);
        self.backing.restore(state.delivered, state.moved, state.counts);
        // Their order in the checkpoint says nothing. By their first messages they are in the order of the
        // queue, because no part reaches over another one.
        state.parts.sort_by_key(|part| (part.level, part.first_seq));
        for part in state.parts {
            let stored = part.stored_sum().but(gone_within(&part));
            // Of an earlier run only what is stored is there.
            let unread = Unread { all: stored, stored, ..Unread::whole(part, true) };
            if stored.messages > 0 {
                self.order.ready.push_unread(unread);
            } else {
                freed.push(unread.stretch());
            }
        }
        // Behind the parts: what the log still has is later than what has left it, in each level.
        for (enqueued, message) in in_log {
            let mut entry = Entry::replayed(&enqueued, message, self.arguments.kind);
            let delivered_below = self.backing.delivered_below(entry.priority);
            // A delivery that a kill of the broker ended has failed, as one whose connection was lost.
            count_interrupted(&self.arguments, &mut entry, delivered_below);
            if is_over_limit(&self.arguments, &entry) {
                self.dead_letter(entry, DeathReason::DeliveryLimit);
            } else {
                self.order.ready.push(entry);
            }
        }
        freed
    }

    /// What was ordered is there, for [`Queue::loaded`]. [`Queue::pump`] must follow.
    pub(crate) fn arrived(&mut self, load: Load) {
        self.turn.owe_pump();
        self.order.ready.arrived(load);
    }

    /// Orders what is at the head, because it cannot be read now, unless it is ordered already.
    pub(crate) fn order_head(&mut self) {
        let load = self.order.ready.load_head();
        self.turn.order_load(load);
    }

    /// Takes over what was read back, and hands out what cannot be read and is lost. Consumers get it with the next pump, of
    /// [`Queue::arrived`] at the latest: they wait for what was ordered.
    #[must_use = "lost messages are to be told of"]
    pub(crate) fn loaded(&mut self, mut loaded: Loaded) -> Vec<Damaged> {
        let Loaded { load, ahead_bytes, .. } = loaded;
        self.order.dying.loaded(load);
        let damaged = std::mem::take(&mut loaded.damaged);
        self.order.ready.set_ahead(ahead_bytes);
        // Two kinds of loads look alike. Only the one that the front of its level expects moves that on; a
        // purge, or a read for a `basic.get`, may have been faster.
        let is_part = self.order.ready.level_of(&load).is_some_and(|level| level.paged.expects(&load));
        if is_part && !self.is_deleted() {
            damaged.iter().for_each(|damaged| self.backing.freed(damaged.freed()));
            self.passed.count_unreadable(damaged.len());
            self.take_block(loaded);
            return damaged;
        }
        let behind = loaded.next;
        // Otherwise it was for messages that are known one by one, and each record looks for its own.
        self.fill(loaded.records);
        if damaged.is_empty() {
            return damaged;
        }
        let is_read = |entry: &Entry| match entry.address.place() {
            Place::Segment(of, at) => entry.is_on_disk() && of == load.segment && (load.start..behind).contains(&at),
            Place::Log(_) | Place::Nowhere => false,
        };
        // What was read was to come next. If others came before it meanwhile, it is read again once it is in front.
        let mut lost = self.order.ready.remove_in_front(load.level, is_read);
        lost.extend(self.order.dying.remove(is_read));
        self.passed.count_unreadable(lost.len());
        lost.iter().for_each(|entry| self.backing.gone(entry));
        if lost.is_empty() { Vec::new() } else { damaged }
    }

    /// Gives messages that were read to the entries that wait for them: by their numbers, or, where there is no order, at the front.
    fn fill(&mut self, records: Vec<Stored>) {
        let mut left = FxHashMap::default();
        for Stored { label, address, message, .. } in records {
            match self.order.ready.requeued_mut(label.level, label.seq) {
                // The address, too: the file may have been rewritten while this was read, and then the entry is
                // read again from its new place.
                Some(entry) if entry.is_on_disk() && entry.address == address => entry.body = Body::InMemory(message),
                _ => drop(left.insert(address, message)),
            }
        }
        // These lists have no order by number. What was ordered was at their fronts.
        let in_front = self.order.ready.returned_mut().chain(self.order.dying.first_mut(CHOSEN_AMONG_MAX));
        for entry in in_front {
            if left.is_empty() {
                break;
            }
            if entry.is_on_disk()
                && let Some(message) = left.remove(&entry.address)
            {
                entry.body = Body::InMemory(message);
            }
        }
    }

    fn take_block(&mut self, mut loaded: Loaded) {
        let Some(level) = self.order.ready.level_of(&loaded.load) else { return };
        let is_restored = level.paged.front().is_some_and(|unread| unread.is_restored);
        if is_restored {
            // Written by an earlier run, and not meant to survive it: they were never counted,
            // and their place is free.
            for record in loaded.records.extract_if(.., |record| !record.label.is_stored) {
                let Place::Segment(segment, start) = record.address.place() else { continue };
                let end = start.saturating_add(record.bytes);
                self.backing.freed(Freed { segment, start, end, stored: 0, body_bytes: 0 });
            }
        }
        let records = std::mem::take(&mut loaded.records);
        let missing = level.paged.advance(&loaded, &records);
        let delivered_below = self.backing.delivered_below(level.priority);
        let (mut property_bytes, mut over_limit) = (0, Vec::new());
        for record in records {
            let mut entry = Entry::read_back(record, self.arguments.kind);
            property_bytes += entry.counted_property_bytes();
            // Up to the mark messages may have been delivered before the restart; which of them is not known.
            entry.redelivered |= entry.seq < delivered_below;
            if is_restored {
                // What was counted after the record was written, if anything was.
                entry.counts = self.backing.counts_of(entry.seq).unwrap_or(entry.counts);
                count_interrupted(&self.arguments, &mut entry, delivered_below);
            }
            if is_restored && is_over_limit(&self.arguments, &entry) {
                over_limit.push(entry);
            } else {
                level.push_read_back(entry);
            }
        }
        let (uncounted, excess) = level.paged.read_property_bytes(if is_restored { 0 } else { property_bytes });
        self.order.ready.learn_property_bytes(if is_restored { property_bytes } else { uncounted }, excess);
        self.order.ready.forget_missing(missing);
        // What was delivered too often, the last time when the broker was killed, dies as soon as it is read.
        for entry in over_limit {
            // They are counted as ready until now, as part of the block.
            self.order.ready.subtract(&entry);
            self.dead_letter(entry, DeathReason::DeliveryLimit);
        }
    }
}

fn leaving(entry: &Entry, queue: u64) -> Option<Leaving> {
    Some(Leaving { label: entry.label(queue), message: entry.message()?.clone() })
}

/// Names a message that cannot be read back, or several if their beginnings cannot be found.
pub(in crate::broker) fn tell_lost(of: &dyn fmt::Display, damaged: Damaged) {
    let Damaged { segment, start, end } = damaged;
    let (file, bytes) = (segments::path(segment), end - start);
    tracing::error!(
        "a message of {of} is lost: {file} is damaged at offset {start}; {bytes} bytes are set aside in {}",
        segments::LOST_DIRECTORY
    );
}
