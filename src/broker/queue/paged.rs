//! The messages of one priority level that are in segment files only: parts of files, read from the front, block by block.
//!
//! A part costs the same however many messages it has, which is what keeps a backlog off the memory.

mod cleared;
mod packed;
mod read;
mod replacing;
mod taken;

use std::sync::Arc;

pub(super) use cleared::Cleared;
use packed::Packed;
use read::ReadParts;
pub(super) use replacing::{Replacement, Replacing};
pub(super) use taken::TakenParts;

use crate::message::MessageSum;
use crate::store::checkpoint::Part;
use crate::store::loader::{Load, Loaded};
use crate::store::record::Freed;
use crate::store::segments::Stored;

/// A part that is not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unread {
    pub(super) part: Part,
    /// Where the first message that was not read begins.
    pub(super) cursor: u32,
    /// Messages from there on.
    pub(super) all: MessageSum,
    /// Those of them that survive a restart.
    pub(super) stored: MessageSum,
    /// It was written by an earlier run: what does not survive a restart is not there.
    pub(super) is_restored: bool,
}

impl Unread {
    /// Nothing of it is read, and all of it survives a restart.
    pub(super) const fn whole(part: Part, is_restored: bool) -> Self {
        let stored = part.stored_sum();
        Self { part, cursor: part.start, all: stored, stored, is_restored }
    }

    /// What is not read, to be freed.
    pub(super) const fn stretch(&self) -> Freed {
        let MessageSum { messages: stored, body_bytes } = self.stored;
        Freed { segment: self.part.segment, start: self.cursor, end: self.part.end, stored, body_bytes }
    }
}

/// What was counted and is not there after all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) all: MessageSum,
    /// Those of them that survive a restart.
    pub(super) stored: MessageSum,
}

impl Missing {
    /// All that is left of a part.
    const fn all(unread: &Unread) -> Self {
        Self { all: unread.all, stored: unread.stored }
    }

    /// Without what is there.
    const fn but(self, unread: &Unread) -> Self {
        Self { all: self.all.but(unread.all), stored: self.stored.but(unread.stored) }
    }

    /// With what is missing elsewhere.
    pub(super) const fn and(self, other: Self) -> Self {
        Self { all: self.all.and(other.all), stored: self.stored.and(other.stored) }
    }
}

/// The parts of a level, in the order of the queue.
#[derive(Debug, Default)]
pub(super) struct Paged {
    /// The part that is read now; there is one if there are any. Boxed, because most queues never have one.
    front: Option<Box<Unread>>,
    /// Boxed, because most queues never have several.
    behind: Option<Box<Packed>>,
    /// Parts that were read to their ends, or whose messages are known one by one, while some are not settled.
    read: ReadParts,
    /// What was cleared since it was looked through last. Boxed, because most queues have none.
    #[expect(clippy::box_collection, reason = "a queue at rest has room for a pointer, not for a list")]
    cleared: Option<Box<Vec<Arc<Cleared>>>>,
    /// Messages that are not read.
    unread_count: usize,
    /// Bytes of their bodies.
    unread_bytes: u64,
    /// What their properties count for the limit in bytes; nothing of parts that an earlier run wrote.
    unread_property_bytes: u64,
}

impl Paged {
    pub(super) const fn is_empty(&self) -> bool {
        self.front.is_none()
    }

    pub(super) fn front(&self) -> Option<&Unread> {
        self.front.as_deref()
    }

    /// Whether something that was found at the start is not read yet. It precedes everything else.
    pub(super) fn has_restored(&self) -> bool {
        self.front().is_some_and(|front| front.is_restored)
    }

    pub(super) fn push(&mut self, unread: Unread) {
        // It has only messages that are known one by one.
        if unread.all.messages == 0 {
            self.read.push(unread.part);
            return;
        }
        self.unread_count += unread.all.messages as usize;
        self.unread_bytes += unread.all.body_bytes;
        if self.front.is_none() {
            self.front = Some(Box::new(unread));
        } else {
            self.behind.get_or_insert_default().push(&unread);
        }
    }

    /// Messages that are not read.
    pub(super) const fn unread_count(&self) -> usize {
        self.unread_count
    }

    /// What those that are not read count for the limit in bytes.
    pub(super) const fn unread_bytes(&self) -> u64 {
        self.unread_bytes + self.unread_property_bytes
    }

    /// Notes the properties of a part that was just added.
    pub(super) const fn add_property_bytes(&mut self, bytes: u64) {
        self.unread_property_bytes += bytes;
    }

    /// Forgets the properties that were read. What was not counted, because parts before were dropped with a share of all that was
    /// too large; and what was counted and is not there after all.
    pub(super) fn read_property_bytes(&mut self, bytes: u64) -> (u64, u64) {
        let uncounted = bytes.saturating_sub(self.unread_property_bytes);
        self.unread_property_bytes = self.unread_property_bytes.saturating_sub(bytes);
        let excess = if self.is_empty() { std::mem::take(&mut self.unread_property_bytes) } else { 0 };
        (uncounted, excess)
    }

    /// Forgets the properties of the first part, which is to be dropped unread: its share of all.
    pub(super) fn drop_property_bytes(&mut self) -> u64 {
        let (count, all) = (self.front().map_or(0, |front| front.all.messages), self.unread_count.max(1) as u64);
        // In 128 bits: bytes times messages may be more than 64 hold.
        let share = u128::from(self.unread_property_bytes) * u128::from(count) / u128::from(all);
        let share = u64::try_from(share).unwrap_or(u64::MAX).min(self.unread_property_bytes);
        self.unread_property_bytes -= share;
        share
    }

    /// What is not read, part by part.
    pub(super) fn unread(&self) -> impl Iterator<Item = Unread> + '_ {
        self.front.as_deref().copied().into_iter().chain(self.behind.iter().flat_map(|behind| behind.iter()))
    }

    fn subtract(&mut self, read: MessageSum) {
        self.unread_count = self.unread_count.saturating_sub(read.messages as usize);
        self.unread_bytes = self.unread_bytes.saturating_sub(read.body_bytes);
    }

    /// Notes a part whose messages are known one by one.
    pub(super) fn push_read(&mut self, part: Part) {
        self.read.push(part);
    }

    fn pop_behind(&mut self) -> Option<Unread> {
        let unread = self.behind.as_mut()?.pop();
        self.behind.take_if(|behind| behind.is_empty());
        unread
    }

    /// Takes the first part off, with all that is not read of it.
    pub(super) fn pop(&mut self) -> Option<Unread> {
        let unread = self.front.take()?;
        // Only the front is kept decoded.
        self.front = self.pop_behind().map(Box::new);
        self.subtract(unread.all);
        // What was read before may still be unsettled.
        self.read.push(unread.part);
        Some(*unread)
    }

    /// The next block to read.
    pub(super) fn next_load(&self, level: u8) -> Option<Load> {
        let Unread { part, cursor, .. } = *self.front()?;
        Some(Load { level, segment: part.segment, start: cursor, end: part.end })
    }

    /// Whether this is what the front of the level waits for; else the level changed while it was read.
    pub(super) fn expects(&self, load: &Load) -> bool {
        self.next_load(load.level).as_ref() == Some(load)
    }

    /// Moves on behind a block that was read.
    pub(super) fn advance(&mut self, loaded: &Loaded, records: &[Stored]) -> Missing {
        let Some(front) = self.front.as_mut() else { return Missing::default() };
        let one = |record: &Stored| MessageSum::one(record.message.body_bytes() as u64);
        let before = front.all;
        front.cursor = loaded.next;
        front.all = before.but(records.iter().map(one).sum());
        front.stored = front.stored.but(records.iter().filter(|record| record.label.is_stored).map(one).sum());
        let left = **front;
        self.subtract(before.but(left.all));
        // The end of the part or the last message: whichever comes first. A damaged part may have fewer
        // messages than were counted, and a restored one ends with those that do not survive.
        if left.cursor < left.part.end && left.all.messages > 0 {
            return Missing::default();
        }
        self.pop();
        Missing::all(&left)
    }

    /// How many parts are not read to their ends.
    pub(super) fn unread_part_count(&self) -> usize {
        usize::from(self.front.is_some()) + self.behind.as_ref().map_or(0, |behind| behind.len())
    }

    /// Takes everything out that is not read, which is to be freed. It costs the same for any number of parts.
    pub(super) fn clear(&mut self) -> Option<Arc<Cleared>> {
        let front = self.front.take()?;
        let cleared = Arc::new(Cleared::new(*front, self.behind.take().map(|behind| *behind).unwrap_or_default()));
        (self.unread_count, self.unread_bytes, self.unread_property_bytes) = (0, 0, 0);
        // `read` stays: messages of those parts may be with consumers.
        self.cleared.get_or_insert_default().push(Arc::clone(&cleared));
        Some(cleared)
    }
}
