//! The one log of changes of everything durable that is no message: whatever is declared, put or deleted passes here.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::definitions::Definition;
use crate::store::record::Record;
use crate::store::{Log, LogPosition};

/// Looks at changes. It is called under the lock of what changes, so it must not wait, nor ask for what it is told of.
pub type Watcher = Box<dyn Fn(u64, &[Definition]) + Send + Sync>;

/// Counts changes, records them, and tells whoever watches.
#[derive(Default)]
pub struct Changes {
    revision: AtomicU64,
    watcher: OnceLock<Watcher>,
}

impl Changes {
    /// Moves with every change: what was found at one revision holds until the next.
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// Tells of every change from now on, with the revision that it makes. Only the first one who asks is told.
    pub fn watch(&self, watcher: Watcher) {
        let is_first = self.watcher.set(watcher).is_ok();
        debug_assert!(is_first, "somebody else watches already");
    }

    /// Appends changes to the log, all or none, and tells where they are there. Whoever calls holds the lock of what they change, so
    /// that the log has them in the order in which they were made.
    pub(in crate::broker) fn record(&self, log: &dyn Log, changes: &[Definition]) -> LogPosition {
        if changes.is_empty() {
            return LogPosition::START;
        }
        let revision = self.revision.fetch_add(1, Ordering::AcqRel) + 1;
        if let Some(watcher) = self.watcher.get() {
            watcher(revision, changes);
        }
        if !log.keeps() {
            return LogPosition::START;
        }
        let mut records = Vec::new();
        for change in changes {
            Record::Definition(&change.encode()).encode(&mut records);
        }
        log.append(&records)
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").field("revision", &self.revision).finish_non_exhaustive()
    }
}
