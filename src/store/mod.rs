//! The seam between the broker and what makes its changes durable.
//!
//! Whoever must not answer a client before something is durable keeps the [`LogPosition`] of its record and waits until
//! [`Log::durable`] has reached it. A position may never be reached: the log can fail at any time, and then nothing that waits
//! is ever confirmed.

use std::fmt;

/// A place in the log, in the order of appending. Opaque to everybody but the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPosition(pub u64);

impl LogPosition {
    /// What needs no record is durable from the start.
    pub const START: Self = Self(0);
}

/// The log can no longer make anything durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log has failed: nothing more can be made durable")]
pub struct LogFailed;

/// Where changes are recorded.
pub trait Log: Send + Sync + fmt::Debug {
    /// Records that messages were published to durable queues, and tells what position confirms must wait for.
    ///
    /// # Errors
    /// [`LogFailed`] when the log cannot take anything more.
    fn append(&self) -> Result<LogPosition, LogFailed>;

    /// Everything up to here is durable.
    ///
    /// # Errors
    /// [`LogFailed`] when nothing beyond what was reported before will ever be.
    fn durable(&self) -> Result<LogPosition, LogFailed>;
}

/// The log of a broker that keeps everything in memory: whatever it takes is as durable as it will ever be.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryLog;

impl Log for MemoryLog {
    fn append(&self) -> Result<LogPosition, LogFailed> {
        Ok(LogPosition::START)
    }

    fn durable(&self) -> Result<LogPosition, LogFailed> {
        Ok(LogPosition::START)
    }
}
