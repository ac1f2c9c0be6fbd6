//! Copying messages that keep much larger chunks alive, when memory is short: in steps ([`walk`](super::walk)).
//!
//! One that goes back to a place that was looked at already is missed, and keeps its chunk until the next time: memory is asked for
//! again. Nothing else depends on it.

use super::Queue;
use super::entry::Body;
use super::walk::{Spot, VISITED_AT_ONCE};

/// Bytes that are copied under one lock, and one message more.
const COPIED_BYTES_MAX: usize = 256 * 1024;

/// How far the messages of a queue were looked at.
#[derive(Debug)]
pub(crate) struct ChunkRelief {
    from: Spot,
    /// So many messages more are looked at, those that the queue had at the first step: so it ends although others come.
    left: Option<usize>,
}

impl Default for ChunkRelief {
    fn default() -> Self {
        Self { from: Spot::START, left: None }
    }
}

impl Queue {
    /// Copies some messages that keep much larger chunks alive; false when that was all.
    pub(crate) fn relieve_chunks(&mut self, relief: &mut ChunkRelief) -> bool {
        let left = relief.left.unwrap_or_else(|| self.known_len());
        let (mut looked_at, mut copied_bytes) = (0, 0);
        for (spot, entry) in self.order.entries_from(relief.from, true) {
            if looked_at == left {
                return false;
            }
            // Bytes as well as messages: copying is what takes the time.
            if looked_at == VISITED_AT_ONCE || copied_bytes > COPIED_BYTES_MAX {
                *relief = ChunkRelief { from: spot, left: Some(left - looked_at) };
                return true;
            }
            looked_at += 1;
            if let Body::InMemory(message) = &mut entry.body
                && message.pins_memory()
            {
                // The entry's address stays: only the copy in memory is another one.
                *message = message.compacted();
                copied_bytes += message.body_bytes();
            }
        }
        false
    }
}
