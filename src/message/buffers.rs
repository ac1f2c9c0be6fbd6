//! Memory of large chunks, used again.
//!
//! A broker that fills a queue takes fresh memory for every read batch, and gives back as much when messages have moved to
//! disk. The kernel clears fresh pages, which costs more than everything else that happens to a small message: 27 % of the
//! broker's time while a backlog of 1 KiB messages grows. Allocators give pages back to the kernel too early to help.

use std::collections::BTreeMap;

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
/// Messages of these sizes have a buffer of their own each, which is kept.
const OWN_BYTES_MIN: usize = 16 * 1024;
const OWN_BYTES_MAX: usize = 1024 * 1024;
/// All of those that are kept: what is on its way between a publisher and its consumers while a queue is short.
const OWN_KEPT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A buffer is at most such a part larger than what it was taken for.
const OWN_STEPS: usize = 16;

/// Buffers that nobody uses now, of all sizes.
#[derive(Debug)]
pub(super) struct Buffers {
    pub(super) large: Shelf,
    pub(super) small: Shelf,
    own: Mutex<Own>,
}

impl Default for Buffers {
    fn default() -> Self {
        let shelf = |buffer_bytes, max| Shelf { buffer_bytes, max, spare: Mutex::default() };
        Self {
            large: shelf(BUFFER_BYTES, LARGE_MAX),
            small: shelf(SMALL_BUFFER_BYTES, SMALL_MAX),
            own: Mutex::default(),
        }
    }
}

impl Buffers {
    /// Takes a buffer back, if it is one and there are not enough.
    pub(super) fn give_back(&self, buffer: Vec<u8>) {
        match buffer.capacity() {
            BUFFER_BYTES => self.large.put(buffer),
            SMALL_BUFFER_BYTES => self.small.put(buffer),
            bytes if own_bytes(bytes) == Some(bytes) => self.own.lock().put(buffer),
            _ => {}
        }
    }

    /// A buffer for one message, empty, that takes so many bytes or some more.
    pub(super) fn own(&self, bytes: usize) -> Vec<u8> {
        let Some(buffer_bytes) = own_bytes(bytes) else { return Vec::with_capacity(bytes) };
        let spare = self.own.lock().take(buffer_bytes);
        spare.unwrap_or_else(|| Vec::with_capacity(buffer_bytes))
    }
}

/// Whether a buffer of this capacity was made to be used again, and is full enough to be kept for what it holds.
pub(super) fn is_fitting(capacity: usize, bytes: usize) -> bool {
    own_bytes(bytes) == Some(capacity)
}

/// How large a buffer is that takes so many bytes; `None` if it is not kept.
fn own_bytes(bytes: usize) -> Option<usize> {
    let is_kept = (OWN_BYTES_MIN + 1..=OWN_BYTES_MAX).contains(&bytes);
    is_kept.then(|| bytes.next_multiple_of(bytes.next_power_of_two() / OWN_STEPS))
}

/// Buffers of single messages, by their sizes.
#[derive(Debug, Default)]
struct Own {
    spare: BTreeMap<usize, Vec<Vec<u8>>>,
    bytes: usize,
}

impl Own {
    fn take(&mut self, buffer_bytes: usize) -> Option<Vec<u8>> {
        let mut buffer = self.spare.get_mut(&buffer_bytes)?.pop()?;
        self.bytes -= buffer_bytes;
        buffer.clear();
        Some(buffer)
    }

    fn put(&mut self, buffer: Vec<u8>) {
        let bytes = buffer.capacity();
        if self.bytes + bytes <= OWN_KEPT_BYTES_MAX {
            self.bytes += bytes;
            self.spare.entry(bytes).or_default().push(buffer);
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

    #[test]
    fn the_buffer_of_a_message_is_used_again_for_one_of_about_its_size() {
        let buffers = Buffers::default();
        let mut buffer = buffers.own(65_600);
        assert!((65_600..65_600 + 65_600 / 8).contains(&buffer.capacity()));
        assert!(is_fitting(buffer.capacity(), 65_600) && !is_fitting(buffer.capacity(), 40_000));
        buffer.extend_from_slice(&[7; 65_600]);
        let place = buffer.as_ptr();
        buffers.give_back(buffer);
        let larger = buffers.own(70_000 * 2);
        assert_ne!(larger.as_ptr(), place, "it is too small");
        let again = buffers.own(65_700);
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
        let another = buffers.own(65_700);
        assert_ne!(another.as_ptr(), place, "it is in use");
    }

    #[test]
    fn not_more_is_kept_than_what_is_on_its_way() {
        let buffers = Buffers::default();
        for bytes in [10, OWN_BYTES_MIN, OWN_BYTES_MAX + 1] {
            buffers.give_back(buffers.own(bytes));
            assert_eq!(buffers.own.lock().bytes, 0, "{bytes}");
        }
        let all: Vec<_> = (0..100).map(|_| buffers.own(100_000)).collect();
        all.into_iter().for_each(|buffer| buffers.give_back(buffer));
        let kept = buffers.own.lock().bytes;
        assert!(kept > OWN_KEPT_BYTES_MAX / 2 && kept <= OWN_KEPT_BYTES_MAX, "{kept}");
        while buffers.own.lock().bytes > 0 {
            drop(buffers.own(100_000));
        }
    }
}
