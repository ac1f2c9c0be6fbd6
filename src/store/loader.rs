//! Reads messages back from segment files on threads of its own, so that nobody who serves clients waits for the disk.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use super::StoreError;
use super::address::SegmentId;
use super::failure::Remedy;
use super::segments::{Block, Damaged, Segments, Stored};

/// A stretch of a segment file that a queue wants to have in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// The priority level that wants it.
    pub(crate) level: u8,
    pub(crate) segment: SegmentId,
    /// Where the first record begins.
    pub(crate) start: u32,
    /// Behind the last record that belongs to it.
    pub(crate) end: u32,
}

/// What was read.
#[derive(Debug)]
pub struct Loaded {
    /// What was asked for.
    pub(crate) load: Load,
    /// The messages, without those that are free.
    pub(crate) records: Vec<Stored>,
    /// What cannot be read.
    pub(crate) damaged: Vec<Damaged>,
    /// Behind the last record that was read.
    pub(crate) next: u32,
    /// With fewer bytes of bodies at hand, the queue should ask for more.
    pub(crate) ahead_bytes: u64,
}

/// Bytes usually read at a time.
pub(crate) const BLOCK_BYTES: u32 = 256 * 1024;
/// Bytes read at a time, at least, when much was read already.
const BLOCK_BYTES_MIN: u32 = 16 * 1024;
/// What is read back may take so much memory before blocks become small: a thousand queues are read at the same time, and each has
/// a block.
const PLENTY_BYTES: u64 = 16 * 1024 * 1024;
/// A block is this part of what is left of [`PLENTY_BYTES`].
const BLOCKS_LEFT: u64 = 64;

/// How much is read at a time while what was read takes so much memory.
fn block_bytes(usual_bytes: u32, read_back_bytes: u64) -> u32 {
    let share = u32::try_from(PLENTY_BYTES.saturating_sub(read_back_bytes) / BLOCKS_LEFT).unwrap_or(u32::MAX);
    // Never nothing, however much was read: each queue must get on.
    share.max(BLOCK_BYTES_MIN).min(usual_bytes)
}

pub(crate) trait Loads: Send + Sync + fmt::Debug {
    /// The queue whose messages it wants.
    fn queue(&self) -> u64;

    /// Takes what was read.
    fn loaded(self: Arc<Self>, loaded: Loaded, now_ms: u64);
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(Load, Arc<dyn Loads>)>,
    is_stopping: bool,
}

/// The queue of what is to be read.
pub struct Loader {
    segments: Arc<Segments>,
    state: Mutex<State>,
    changed: Condvar,
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader").field("waiting", &self.state.lock().waiting.len()).finish_non_exhaustive()
    }
}

impl Loader {
    /// Nothing to read yet.
    pub fn new(segments: Arc<Segments>) -> Self {
        Self { segments, state: Mutex::default(), changed: Condvar::new() }
    }

    /// The files.
    pub const fn segments(&self) -> &Arc<Segments> {
        &self.segments
    }

    /// Has something read. Each queue asks for one thing at a time, which bounds what waits here.
    pub(crate) fn order(&self, load: Load, by: Arc<dyn Loads>) {
        self.state.lock().waiting.push_back((load, by));
        // Whichever thread is free: a queue waits for one thing at a time, so no two of its blocks
        // can overtake each other.
        self.changed.notify_one();
    }

    /// Reads messages of a queue at once.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&self, load: Load, queue: u64) -> Result<Loaded, StoreError> {
        let bytes = block_bytes(self.segments.sizes().block_bytes, self.segments.read_back_bytes());
        let read = self.segments.read(load.segment, load.start, load.end, bytes, queue)?;
        let Block { records, damaged, next } = read;
        // Half a block at hand is the moment to ask for the next one.
        Ok(Loaded { load, records, damaged, next, ahead_bytes: u64::from(bytes) / 2 })
    }

    /// Reads what is waited for, until [`Loader::stop`] or a failure, which it hands back. When something is scarce, `pause` is
    /// called before the same is read again.
    ///
    /// # Errors
    /// When a file cannot be read, now and later.
    pub(crate) fn run(&self, now_ms: impl Fn() -> u64, pause: impl Fn()) -> Result<(), StoreError> {
        while let Some(next) = self.next() {
            if !self.serve(next, now_ms())? {
                pause();
            }
        }
        Ok(())
    }

    /// Reads one thing that is waited for; false when nothing is, or it cannot be read now.
    ///
    /// # Errors
    /// When a file cannot be read, now and later.
    pub fn step(&self, now_ms: u64) -> Result<bool, StoreError> {
        let next = self.state.lock().waiting.pop_front();
        next.map_or(Ok(false), |next| self.serve(next, now_ms))
    }

    /// Whether it could be read; if not, it goes on waiting.
    fn serve(&self, (load, by): (Load, Arc<dyn Loads>), now_ms: u64) -> Result<bool, StoreError> {
        match self.read(load, by.queue()) {
            Ok(loaded) => by.loaded(loaded, now_ms),
            Err(error) if error.remedy() == Remedy::Wait => {
                tracing::warn!(%error, "messages are read back later");
                // In front: it was first, and what is scarce would be scarce for those behind it, too.
                self.state.lock().waiting.push_front((load, by));
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Makes [`Loader::run`] return. Who waits to be read for is forgotten: it holds what holds this.
    pub fn stop(&self) {
        let mut state = self.state.lock();
        state.is_stopping = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        // Not under the lock: with the last handle of a queue much more is dropped.
        drop(waiting);
        self.changed.notify_all();
    }

    fn next(&self) -> Option<(Load, Arc<dyn Loads>)> {
        let mut state = self.state.lock();
        loop {
            if state.is_stopping {
                return None;
            }
            if let Some(next) = state.waiting.pop_front() {
                return Some(next);
            }
            self.changed.wait(&mut state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_become_small_when_memory_is_scarce() {
        let mib = 1024 * 1024;
        let sizes = [0, 8, 15, 16, 500].map(|read| block_bytes(BLOCK_BYTES, read * mib) / 1024);
        assert_eq!(sizes, [256, 128, 16, 16, 16]);
        assert_eq!(block_bytes(512, 0), 512, "never more than usual");
        assert_eq!(block_bytes(512, u64::MAX), 512);
    }
}
