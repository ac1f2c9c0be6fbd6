//! How much space is left on the disk.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Wal;
use crate::store::StoredLog;

/// Tells that the disk has too little space, or enough again.
pub(crate) type OnLowSpace = Box<dyn Fn(bool) + Send + Sync>;

/// So many bytes are written between two looks at the space that is left.
pub(super) const SPACE_CHECK_BYTES: u64 = 8 * 1024 * 1024;
/// While there is too little space, how long until the next look.
pub(super) const SPACE_CHECK_PAUSE: Duration = Duration::from_millis(500);

/// Who wants to know of how little space.
pub(super) struct SpaceWatch {
    limit_bytes: AtomicU64,
    tell: OnLowSpace,
}

impl Wal {
    /// Sets who is told when less than this many bytes are left on the disk. Only the first call counts.
    pub fn on_low_space(&self, limit_bytes: u64, tell: OnLowSpace) {
        self.space_watch.get_or_init(|| SpaceWatch { limit_bytes: AtomicU64::new(limit_bytes), tell });
        self.check_space();
    }

    /// From now on less than this many bytes are too little.
    pub(crate) fn set_low_space_limit(&self, bytes: u64) {
        if let Some(watch) = self.space_watch.get() {
            watch.limit_bytes.store(bytes, Ordering::Relaxed);
            self.check_space();
        }
    }

    /// Looks at the space that is left. Whoever writes much beside the log calls this.
    pub fn check_space(&self) {
        // Before the look, so that the next one is counted from here whatever this one finds.
        self.space_checked_at.store(self.head(), Ordering::Relaxed);
        let Some(watch) = self.space_watch.get() else { return };
        match self.disk.free_bytes() {
            Ok(free_bytes) => self.set_low(free_bytes < watch.limit_bytes.load(Ordering::Relaxed)),
            Err(error) => tracing::warn!(%error, "cannot tell how much space is left on the disk"),
        }
    }

    pub(super) fn set_low(&self, is_low: bool) {
        // Told when it changes, and not with each look.
        if self.is_low.swap(is_low, Ordering::Relaxed) != is_low
            && let Some(watch) = self.space_watch.get()
        {
            (watch.tell)(is_low);
            if is_low {
                // A shorter log is space that comes back.
                self.ask_to_shorten();
            }
        }
    }
}
