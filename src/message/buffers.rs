//! Memory of large chunks, used again.
//!
//! A broker that fills a queue takes fresh memory for every read batch, and gives back as much when messages have moved to
//! disk. The kernel clears fresh pages, which costs more than everything else that happens to a small message: 27 % of the
//! broker's time while a backlog of 1 KiB messages grows. Allocators give pages back to the kernel too early to help.

use parking_lot::Mutex;

/// Bytes of a buffer: a read batch, and the message that made it full.
pub(crate) const BUFFER_BYTES: usize = 288 * 1024;
/// Bytes of a block that is read back while memory is scarce.
pub(crate) const SMALL_BUFFER_BYTES: usize = 16 * 1024;
/// Large buffers that are kept: what is moved to disk at a time.
const LARGE_MAX: usize = 64;
/// Small buffers that are kept. Blocks are read by one thread and consumed by another, which allocators do not like: a thousand
/// queues of a megabyte that were read together kept three times the memory that their messages took.
const SMALL_MAX: usize = 512;

/// Buffers that nobody uses now, of both sizes.
#[derive(Debug)]
pub(super) struct Buffers {
    pub(super) large: Shelf,
    pub(super) small: Shelf,
}

impl Default for Buffers {
    fn default() -> Self {
        let shelf = |buffer_bytes, max| Shelf { buffer_bytes, max, spare: Mutex::default() };
        Self { large: shelf(BUFFER_BYTES, LARGE_MAX), small: shelf(SMALL_BUFFER_BYTES, SMALL_MAX) }
    }
}

impl Buffers {
    /// Takes a buffer back, if it is one and there are not enough.
    pub(super) fn give_back(&self, buffer: Vec<u8>) {
        match buffer.capacity() {
            BUFFER_BYTES => self.large.put(buffer),
            SMALL_BUFFER_BYTES => self.small.put(buffer),
            _ => {}
        }
    }
}

/// Buffers of one size. Their contents are left as they are.
#[derive(Debug)]
pub(super) struct Shelf {
    buffer_bytes: usize,
    max: usize,
    spare: Mutex<Vec<Vec<u8>>>,
}

impl Shelf {
    /// A buffer, with any contents.
    pub(super) fn take(&self) -> Vec<u8> {
        let spare = self.spare.lock().pop();
        spare.unwrap_or_else(|| Vec::with_capacity(self.buffer_bytes))
    }

    fn put(&self, buffer: Vec<u8>) {
        let mut spare = self.spare.lock();
        if spare.len() < self.max {
            spare.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_buffers_of_the_right_sizes_are_kept_and_not_too_many() {
        let buffers = Buffers::default();
        for (shelf, bytes) in [(&buffers.large, BUFFER_BYTES), (&buffers.small, SMALL_BUFFER_BYTES)] {
            buffers.give_back(Vec::with_capacity(10));
            let mut buffer = shelf.take();
            assert_eq!(buffer.capacity(), bytes);
            buffer.push(7);
            buffers.give_back(buffer);
            assert_eq!(shelf.take(), [7]);
            for _ in 0..=shelf.max {
                buffers.give_back(Vec::with_capacity(bytes));
            }
            assert_eq!(shelf.spare.lock().len(), shelf.max);
        }
    }
}
