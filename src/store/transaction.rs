//! What is recorded all at once or never, and what must not move meanwhile.

use super::record::Record;
use super::{Log, LogPosition};

/// The number of a transaction in the log. It is never given twice, not by a later start either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionId(pub u64);

impl TransactionId {
    /// What is recorded outside of a transaction.
    pub const NONE: Self = Self(0);
}

/// Keeps the log from moving bodies while messages that refer to them are added to queues.
#[derive(Debug)]
pub(crate) struct AppendGuard<'a> {
    log: &'a dyn Log,
    number: u64,
}

impl<'a> AppendGuard<'a> {
    /// From here on bodies stay where they are.
    pub(crate) fn begin(log: &'a dyn Log) -> Self {
        Self { log, number: log.begin() }
    }
}

impl Drop for AppendGuard<'_> {
    fn drop(&mut self) {
        self.log.end(self.number);
    }
}

/// A transaction in the log: what is recorded with its number happened all at once, or never. Bodies that messages of it refer to stay
/// where they are until it ends.
#[derive(Debug)]
pub struct LogTransaction<'a> {
    guard: AppendGuard<'a>,
    id: TransactionId,
}

impl<'a> LogTransaction<'a> {
    /// Begins one.
    pub fn begin(log: &'a dyn Log) -> Self {
        let guard = AppendGuard::begin(log);
        Self { guard, id: log.new_transaction() }
    }

    /// What its records are marked with.
    pub const fn id(&self) -> TransactionId {
        self.id
    }

    /// Records that it is complete, and returns what must be durable before anybody is told so. Dropped without this, it never
    /// happened for a broker that starts again.
    pub fn commit(self) -> LogPosition {
        let log = self.guard.log;
        if !log.keeps() {
            return LogPosition::START;
        }
        let mut commit = Vec::new();
        Record::Committed { transaction: self.id }.encode(&mut commit);
        // The guard ends behind this: until the commit is appended, no body that it refers to moves.
        log.append(&commit)
    }
}
