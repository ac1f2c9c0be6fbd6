//! The memory alarm: above the watermark publishers wait, below it they go on. Nothing is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::ids::ConnectionId;
use super::sink::{Notice, Sink};

/// RabbitMQ's reason in `connection.blocked`.
pub const LOW_ON_MEMORY: &str = "low on memory";

/// Whether messages take more memory than they should. Raised above the watermark, cleared below four fifths of it, so that
/// publishers are not stopped and started for every message.
#[derive(Debug)]
pub struct MemoryAlarm {
    watermark_bytes: AtomicU64,
    raised: AtomicBool,
    /// It was raised, and nobody has tried yet to make do with less memory.
    wants_relief: AtomicBool,
    blocked: Mutex<FxHashMap<ConnectionId, Arc<dyn Sink>>>,
}

impl Default for MemoryAlarm {
    fn default() -> Self {
        Self {
            watermark_bytes: AtomicU64::new(u64::MAX),
            raised: AtomicBool::new(false),
            wants_relief: AtomicBool::new(false),
            blocked: Mutex::default(),
        }
    }
}

impl MemoryAlarm {
    /// An alarm with this watermark.
    pub fn new(watermark_bytes: u64) -> Self {
        let alarm = Self::default();
        alarm.watermark_bytes.store(watermark_bytes, Ordering::Relaxed);
        alarm
    }

    /// The watermark.
    pub fn watermark_bytes(&self) -> u64 {
        self.watermark_bytes.load(Ordering::Relaxed)
    }

    /// Whether publishers must wait.
    pub fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Relaxed)
    }

    /// Whether it was raised since this was asked last: time to copy what keeps large chunks alive.
    pub fn takes_relief(&self) -> bool {
        self.wants_relief.swap(false, Ordering::Relaxed)
    }

    /// Looks at what is used now; whether that raised the alarm. Whoever adds or frees much memory calls this.
    pub fn check(&self, used_bytes: u64) -> bool {
        let watermark_bytes = self.watermark_bytes();
        if used_bytes > watermark_bytes {
            if !self.raised.swap(true, Ordering::Relaxed) {
                tracing::warn!(used_bytes, watermark_bytes, "memory alarm raised: publishing connections are blocked");
                self.wants_relief.store(true, Ordering::Relaxed);
                return true;
            }
        } else if self.is_raised()
            && used_bytes <= watermark_bytes / 5 * 4
            && self.raised.swap(false, Ordering::Relaxed)
        {
            tracing::info!(used_bytes, watermark_bytes, "memory alarm cleared");
            for sink in std::mem::take(&mut *self.blocked.lock()).into_values() {
                sink.notify(Notice::AlarmChanged);
            }
        }
        false
    }

    /// Remembers a connection that waits for the alarm to be cleared, and tells it then. False when it is not raised any more.
    pub fn wait(&self, connection: ConnectionId, sink: Arc<dyn Sink>) -> bool {
        let mut blocked = self.blocked.lock();
        blocked.insert(connection, sink);
        if !self.is_raised() {
            blocked.remove(&connection);
            return false;
        }
        true
    }

    /// Forgets a connection that is gone.
    pub fn forget(&self, connection: ConnectionId) {
        self.blocked.lock().remove(&connection);
    }
}
