//! Memory of large chunks, used again.
//!
//! A broker that fills a queue takes fresh memory for every read batch, and gives back as much when messages have moved to
//! disk. The kernel clears fresh pages, which costs more than everything else that happens to a small message: 27 % of the
//! broker's time while a backlog of 1 KiB messages grows. Allocators give pages back to the kernel too early to help.

use parking_lot::Mutex;

/// Bytes of a buffer: a read batch, and the message that made it full.
pub(crate) const BUFFER_BYTES: usize = 288 * 1024;
/// Buffers that are kept: what is moved to disk at a time.
const BUFFERS_MAX: usize = 64;

/// Buffers that nobody uses now. Their contents are left as they are.
#[derive(Debug, Default)]
pub(super) struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    /// A buffer of [`BUFFER_BYTES`], with any contents.
    pub(super) fn take(&self) -> Vec<u8> {
        let spare = self.0.lock().pop();
        spare.unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES))
    }

    /// Takes a buffer back, if it is one and there are not enough.
    pub(super) fn give_back(&self, buffer: Vec<u8>) {
        if buffer.capacity() != BUFFER_BYTES {
            return;
        }
        let mut spare = self.0.lock();
        if spare.len() < BUFFERS_MAX {
            spare.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_buffers_of_the_right_size_are_kept_and_not_too_many() {
        let buffers = Buffers::default();
        buffers.give_back(Vec::with_capacity(10));
        let mut buffer = buffers.take();
        buffer.push(7);
        buffers.give_back(buffer);
        assert_eq!(buffers.take(), [7]);
        for _ in 0..=BUFFERS_MAX {
            buffers.give_back(Vec::with_capacity(BUFFER_BYTES));
        }
        assert_eq!(buffers.0.lock().len(), BUFFERS_MAX);
    }
}
