//! When messages take so much memory that they are moved to segment files.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Wakes whoever moves messages.
pub(crate) type OnExceeded = Box<dyn Fn() + Send + Sync>;

/// The budget for messages in memory. Without somebody to tell, it is never exceeded.
pub struct Pressure {
    /// Above so many bytes somebody is told; `u64::MAX` while he is at it.
    threshold_bytes: AtomicU64,
    on_exceeded: OnceLock<OnExceeded>,
}

impl Default for Pressure {
    fn default() -> Self {
        Self { threshold_bytes: AtomicU64::new(u64::MAX), on_exceeded: OnceLock::new() }
    }
}

impl fmt::Debug for Pressure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pressure").field("threshold_bytes", &self.threshold_bytes).finish_non_exhaustive()
    }
}

impl Pressure {
    /// Sets who is told, and of how much. Only the first call counts.
    pub(crate) fn on_exceeded(&self, budget_bytes: u64, on_exceeded: OnExceeded) {
        self.on_exceeded.get_or_init(|| on_exceeded);
        self.relieved(budget_bytes);
    }

    /// Messages were moved: the next time somebody is told above this.
    pub(crate) fn relieved(&self, threshold_bytes: u64) {
        self.threshold_bytes.store(threshold_bytes, Ordering::Relaxed);
    }

    /// Looks at what is used now.
    pub(in crate::broker) fn check(&self, used_bytes: u64) {
        if used_bytes > self.threshold_bytes.load(Ordering::Relaxed)
            // One of many that come here at once tells. The threshold stays away until the work is done.
            && self.threshold_bytes.swap(u64::MAX, Ordering::Relaxed) != u64::MAX
            && let Some(on_exceeded) = self.on_exceeded.get()
        {
            on_exceeded();
        }
    }
}
