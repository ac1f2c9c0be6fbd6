//! How long a delivery may stay unacknowledged where its queue does not say. It changes while the broker runs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Broker;

/// Stands for no time: a delivery may stay for ever.
const FOR_EVER: u64 = u64::MAX;

/// The time that holds now.
#[derive(Debug)]
pub struct ConsumerTimeout {
    ms: AtomicU64,
    /// It was another one before, so that queues may have been declared under that.
    has_changed: AtomicBool,
}

impl From<Option<u64>> for ConsumerTimeout {
    fn from(ms: Option<u64>) -> Self {
        Self { ms: AtomicU64::new(ms.unwrap_or(FOR_EVER)), has_changed: AtomicBool::new(false) }
    }
}

impl Clone for ConsumerTimeout {
    fn clone(&self) -> Self {
        Self::from(self.ms())
    }
}

impl ConsumerTimeout {
    /// It in milliseconds; `None` for ever.
    pub fn ms(&self) -> Option<u64> {
        Some(self.ms.load(Ordering::Acquire)).filter(|ms| *ms != FOR_EVER)
    }

    /// Whether it ever was another one.
    pub(super) fn has_changed(&self) -> bool {
        self.has_changed.load(Ordering::Acquire)
    }

    fn set(&self, ms: Option<u64>) {
        // First: whoever sees the new time also sees that there was another one.
        self.has_changed.store(true, Ordering::Release);
        self.ms.store(ms.unwrap_or(FOR_EVER), Ordering::Release);
    }
}

impl Broker {
    /// From now on a delivery may stay unacknowledged so long where its queue does not say; `None` for ever.
    pub fn set_consumer_timeout(&self, ms: Option<u64>, now_ms: u64) {
        self.node().settings.consumer_timeout.set(ms);
        self.vhosts().iter().for_each(|vhost| vhost.time_anew(now_ms));
    }
}
