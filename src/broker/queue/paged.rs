//! The messages of one priority level that are in segment files only: parts of files, read from the front, block by block.
//!
//! A part costs the same however many messages it has, which is what keeps a backlog off the memory.

use std::collections::VecDeque;

use crate::store::checkpoint::Part;
use crate::store::loader::{Load, Loaded};
use crate::store::record::Freed;
use crate::store::segments::Stored;

/// A part that is not read to its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unread {
    pub(super) part: Part,
    /// Where the first message that was not read begins.
    pub(super) cursor: u32,
    /// Messages from there on.
    pub(super) count: u32,
    /// Bytes of their bodies.
    pub(super) body_bytes: u64,
    /// Those of them that survive a restart, and bytes of their bodies.
    pub(super) stored: (u32, u64),
    /// It was written by an earlier run: what does not survive a restart is not there.
    pub(super) is_restored: bool,
}

impl Unread {
    /// What is not read, to be freed.
    pub(super) const fn stretch(&self) -> Freed {
        let (stored, body_bytes) = self.stored;
        Freed { segment: self.part.segment, start: self.cursor, end: self.part.end, stored, body_bytes }
    }
}

/// The parts of a level, in the order of the queue.
#[derive(Debug, Default)]
pub(super) struct Paged {
    unread: VecDeque<Unread>,
    /// Parts that were read to their ends, or whose messages are known one by one, while some are not settled.
    read: Vec<Part>,
    /// Messages that are not read.
    unread_count: usize,
    /// Something of this level is being read.
    pub(super) is_loading: bool,
}

impl Paged {
    pub(super) fn is_empty(&self) -> bool {
        self.unread.is_empty()
    }

    pub(super) fn front(&self) -> Option<&Unread> {
        self.unread.front()
    }

    pub(super) fn push(&mut self, unread: Unread) {
        if unread.count > 0 {
            self.unread_count += unread.count as usize;
            self.unread.push_back(unread);
        } else {
            self.read.push(unread.part);
        }
    }

    /// Messages that are not read.
    pub(super) const fn unread_count(&self) -> usize {
        self.unread_count
    }

    /// Bytes of the bodies that are not read.
    pub(super) fn unread_bytes(&self) -> u64 {
        self.unread.iter().map(|unread| unread.body_bytes).sum()
    }

    /// Notes a part whose messages are known one by one.
    pub(super) fn push_read(&mut self, part: Part) {
        self.read.push(part);
    }

    /// Takes the first part off, with all that is not read of it.
    pub(super) fn pop(&mut self) -> Option<Unread> {
        let unread = self.unread.pop_front()?;
        self.unread_count -= unread.count as usize;
        // What was read before may still be unsettled.
        self.read.push(unread.part);
        Some(unread)
    }

    /// The next block to read.
    pub(super) fn next_load(&self, level: u8) -> Option<Load> {
        let Unread { part, cursor, .. } = self.unread.front()?;
        Some(Load { level, segment: part.segment, start: *cursor, end: part.end })
    }

    /// Whether this is what the front of the level waits for; else the level changed while it was read.
    pub(super) fn expects(&self, load: &Load) -> bool {
        self.next_load(load.level).as_ref() == Some(load)
    }

    /// Moves on behind a block that was read. What was counted and is not there after all: messages, and bytes of bodies.
    pub(super) fn advance(&mut self, loaded: &Loaded, records: &[Stored]) -> (u32, u64) {
        let Some(front) = self.unread.front_mut() else { return Default::default() };
        let body_bytes = |record: &Stored| record.message.body_bytes() as u64;
        let count = front.count;
        front.cursor = loaded.next;
        front.count = front.count.saturating_sub(u32::try_from(records.len()).unwrap_or(u32::MAX));
        self.unread_count -= (count - front.count) as usize;
        front.body_bytes = front.body_bytes.saturating_sub(records.iter().map(body_bytes).sum());
        for record in records.iter().filter(|record| record.label.is_stored) {
            front.stored.0 = front.stored.0.saturating_sub(1);
            front.stored.1 = front.stored.1.saturating_sub(body_bytes(record));
        }
        if front.cursor < front.part.end && front.count > 0 {
            return Default::default();
        }
        let missing = (front.count, front.body_bytes);
        self.pop();
        missing
    }

    /// All parts that have unsettled messages, for a checkpoint; `is_free` tells which have none.
    pub(super) fn parts(&mut self, is_free: impl Fn(&Part) -> bool) -> impl Iterator<Item = Part> + '_ {
        self.read.retain(|part| !is_free(part));
        self.read.iter().copied().chain(self.unread.iter().map(|unread| unread.part))
    }

    /// All parts.
    pub(super) fn all(&self) -> impl Iterator<Item = Part> + '_ {
        self.read.iter().copied().chain(self.unread.iter().map(|unread| unread.part))
    }

    /// What is not read of a part; `None` for one that is read, or not known.
    pub(super) fn unread_of(&self, part: &Part) -> Option<&Unread> {
        self.unread.iter().find(|unread| unread.part == *part)
    }

    /// Puts rewritten parts in the place of an old one. What was counted and is not there after all: messages, and bytes of
    /// bodies.
    pub(super) fn replace(&mut self, old: &Part, unread: Vec<Unread>, read: Vec<Part>) -> (u32, u64) {
        self.read.retain(|part| part != old);
        self.read.extend(read);
        let Some(at) = self.unread.iter().position(|other| other.part == *old) else { return Default::default() };
        let Some(gone) = self.unread.remove(at) else { return Default::default() };
        self.unread_count -= gone.count as usize;
        let mut missing = (gone.count, gone.body_bytes);
        for (place, unread) in unread.into_iter().enumerate() {
            self.unread_count += unread.count as usize;
            missing = (missing.0.saturating_sub(unread.count), missing.1.saturating_sub(unread.body_bytes));
            self.unread.insert(at + place, unread);
        }
        missing
    }

    /// Forgets everything; what is to be freed.
    pub(super) fn clear(&mut self) -> Vec<Freed> {
        let freed = self.unread.iter().map(Unread::stretch).collect();
        self.read.extend(self.unread.drain(..).map(|unread| unread.part));
        self.unread_count = 0;
        freed
    }
}
