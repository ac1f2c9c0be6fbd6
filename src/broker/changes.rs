//! The one way of every change of what is durable and no message into the log: whatever is declared, put or deleted passes here.
//!
//! Whoever remembers what a change may make untrue looks at the epoch of its own kind: that of the virtual host, or that of the rights.

use super::definitions::Definition;
use crate::store::record::Record;
use crate::store::{Log, LogPosition};

/// Appends changes to the log, all or none, and tells where they are there. Whoever calls holds the lock of what they change, so that the
/// log has them in the order in which they were made.
pub(in crate::broker) fn record(log: &dyn Log, changes: &[Definition]) -> LogPosition {
    if changes.is_empty() || !log.keeps() {
        return LogPosition::START;
    }
    let mut records = Vec::new();
    for change in changes {
        Record::Definition(&change.encode()).encode(&mut records);
    }
    // One group for all of them: a start finds all or none.
    log.append(&records)
}
