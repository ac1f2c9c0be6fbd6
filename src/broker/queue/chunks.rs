//! Copying messages that keep much larger chunks alive, when memory is short: in steps, so that the queue is never locked for
//! longer than one step takes, however many messages it has.
//!
//! Messages go on moving in between. One that comes to a place that was looked at already is missed, and keeps its chunk until the
//! next time: memory is asked for again. Nothing else depends on it. Those that are about to be dead-lettered are left out:
//! they go anyway.

use super::Queue;
use super::entry::{Body, Entry};
use super::ready::Level;
use super::unacked::HolderId;

/// Messages that are looked at under one lock.
const LOOKED_AT_ONCE: usize = 1024;

/// Bytes that are copied under one lock, and one message more.
const COPIED_BYTES_MAX: usize = 256 * 1024;

/// A place among the messages that are known one by one.
#[derive(Clone, Copy, Debug)]
enum Spot {
    /// So many in front of all levels are left: from the last to the first, because they leave at the front.
    Returned(usize),
    /// In a level: its requeued messages, then its fresh ones, from this sequence number on.
    Ready { priority: u8, is_fresh: bool, seq: u64 },
    /// From this delivery of this holder on.
    Unacked(HolderId, u64),
    /// From this time and sequence number on.
    HeldBack((u64, u64)),
}

/// How far the messages of a queue were looked at.
#[derive(Debug)]
pub struct ChunkRelief {
    from: Spot,
    /// So many messages more are looked at, those that the queue had at the first step: so it ends although others come.
    left: Option<usize>,
}

impl Default for ChunkRelief {
    fn default() -> Self {
        Self { from: Spot::Returned(usize::MAX), left: None }
    }
}

impl Queue {
    /// Copies some messages that keep much larger chunks alive; false when that was all.
    pub fn relieve_chunks(&mut self, relief: &mut ChunkRelief) -> bool {
        let left = relief.left.unwrap_or_else(|| self.known_len());
        let (mut looked_at, mut copied_bytes) = (0, 0);
        for (spot, entry) in self.entries_from(relief.from) {
            if looked_at == left {
                return false;
            }
            if looked_at == LOOKED_AT_ONCE || copied_bytes > COPIED_BYTES_MAX {
                *relief = ChunkRelief { from: spot, left: Some(left - looked_at) };
                return true;
            }
            looked_at += 1;
            if let Body::Held(message) = &mut entry.body
                && message.pins_memory()
            {
                *message = message.compacted();
                copied_bytes += message.body_bytes();
            }
        }
        false
    }

    /// The messages from a place on, each with its own.
    fn entries_from(&mut self, from: Spot) -> impl Iterator<Item = (Spot, &mut Entry)> {
        let Starts { returned, level, unacked, held_back } = from.starts();
        let (in_front, levels) = self.ready.rooms_mut(returned);
        let in_front = in_front.map(|(at, entry)| (Spot::Returned(at + 1), entry));
        let levels = levels.iter_mut().filter(move |there| i16::from(there.priority) <= level.0);
        let of_levels = levels.flat_map(move |Level { priority, requeued, fresh, .. }| {
            let (priority, (first, is_fresh, seq)) = (*priority, level);
            let (requeued_from, fresh_from) = match (i16::from(priority) == first, is_fresh) {
                (true, true) => (u64::MAX, seq),
                (true, false) => (seq, 0),
                (false, _) => (0, 0),
            };
            let place = move |is_fresh, entry: &Entry| Spot::Ready { priority, is_fresh, seq: entry.seq };
            let fresh_at = fresh.partition_point(|entry| entry.seq < fresh_from);
            let requeued = requeued.iter_from_mut(requeued_from).map(move |entry| (place(false, entry), entry));
            requeued.chain(fresh.range_mut(fresh_at..).map(move |entry| (place(true, entry), entry)))
        });
        let unacked = self.unacked.iter_from_mut(unacked.0, unacked.1);
        let unacked = unacked.map(|(id, unacked)| (Spot::Unacked(id, unacked.delivery), &mut unacked.entry));
        let held_back = self.held_back.iter_from_mut(held_back).map(|(place, entry)| (Spot::HeldBack(*place), entry));
        in_front.chain(of_levels).chain(unacked).chain(held_back)
    }
}

/// Where to begin in each of the places: at the beginning in those that come later, behind the end in those before.
struct Starts {
    returned: usize,
    /// The first level; of the others, all messages.
    level: (i16, bool, u64),
    unacked: (HolderId, u64),
    held_back: (u64, u64),
}

impl Spot {
    fn starts(self) -> Starts {
        let all_levels = (i16::MAX, false, 0);
        let all = Starts { returned: 0, level: all_levels, unacked: (HolderId::FIRST, 0), held_back: (0, 0) };
        let no_levels = (i16::MIN, false, 0);
        match self {
            Self::Returned(returned) => Starts { returned, ..all },
            Self::Ready { priority, is_fresh, seq } => Starts { level: (priority.into(), is_fresh, seq), ..all },
            Self::Unacked(holder, delivery) => Starts { level: no_levels, unacked: (holder, delivery), ..all },
            Self::HeldBack(held_back) => Starts { level: no_levels, unacked: (HolderId::NONE, 0), held_back, ..all },
        }
    }
}
