//! Counting bytes that many add to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number of bytes in use.
#[derive(Debug, Default)]
pub struct ByteCount(AtomicU64);

impl ByteCount {
    /// How many there are now.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Something that took `before` bytes takes `now` bytes.
    pub(crate) fn change(&self, before: usize, now: usize) {
        if now >= before {
            self.0.fetch_add((now - before) as u64, Ordering::Relaxed);
        } else {
            self.0.fetch_sub((before - now) as u64, Ordering::Relaxed);
        }
    }
}

/// Bytes that are counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    count: Arc<ByteCount>,
    bytes: usize,
}

impl Taken {
    pub(crate) fn new(count: &Arc<ByteCount>, bytes: usize) -> Self {
        count.change(0, bytes);
        Self { count: Arc::clone(count), bytes }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.count.change(self.bytes, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_given_back() {
        let count = Arc::new(ByteCount::default());
        let taken = (Taken::new(&count, 10), Taken::new(&count, 5));
        assert_eq!(count.bytes(), 15);
        drop(taken.0);
        assert_eq!(count.bytes(), 5);
        drop(taken.1);
        assert_eq!(count.bytes(), 0);
    }
}
