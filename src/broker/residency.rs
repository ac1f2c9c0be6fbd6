//! When to look how much memory the whole process takes.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tells how much memory the process takes, if the system says so.
pub(crate) type Measure = Box<dyn Fn() -> Option<u64> + Send + Sync>;

/// It is asked again when so much more, or less, is counted: asking is a call to the system.
const STEP_BYTES: u64 = 8 * 1024 * 1024;

/// Asks how much memory the process takes. Without anybody who measures it, nothing is known.
#[derive(Default)]
pub struct Residency {
    measure: OnceLock<Measure>,
    /// What was counted when it was asked last.
    asked_at_bytes: AtomicU64,
}

impl fmt::Debug for Residency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Residency").field("asked_at_bytes", &self.asked_at_bytes).finish_non_exhaustive()
    }
}

impl Residency {
    /// Sets who measures. Only the first call counts.
    pub(crate) fn measured_by(&self, measure: Measure) {
        self.measure.get_or_init(|| measure);
    }

    /// What the process takes, if so much happened that it is worth asking.
    pub(in crate::broker) fn look_after_a_step(&self, used_bytes: u64) -> Option<u64> {
        let asked_at_bytes = self.asked_at_bytes.load(Ordering::Relaxed);
        if used_bytes.abs_diff(asked_at_bytes) < STEP_BYTES {
            return None;
        }
        // Of many that come here at once one asks.
        let order = Ordering::Relaxed;
        self.asked_at_bytes.compare_exchange(asked_at_bytes, used_bytes, order, order).ok()?;
        self.look()
    }

    /// What the process takes.
    pub(in crate::broker) fn look(&self) -> Option<u64> {
        self.measure.get()?()
    }
}
