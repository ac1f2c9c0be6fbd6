//! Counting bytes that many add to.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number of bytes in use.
#[derive(Debug, Default)]
pub struct ByteCount(AtomicU64);

impl ByteCount {
    /// How many there are now.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Something that took `before` bytes takes `now` bytes.
    pub fn change(&self, before: usize, now: usize) {
        if now >= before {
            self.0.fetch_add((now - before) as u64, Ordering::Relaxed);
        } else {
            self.0.fetch_sub((before - now) as u64, Ordering::Relaxed);
        }
    }
}
