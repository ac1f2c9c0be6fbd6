//! What makes the broker's changes durable, and what keeps a backlog off the memory (docs/format.md draws the files).
//!
//! - [`Log`] is the seam: whoever must not answer a client before something is durable keeps the [`LogPosition`] of its record and
//!   waits until [`Log::durable`] has reached it. A position may never be reached: the log can fail at any time, and then
//!   nothing that waits is ever confirmed.
//! - [`wal`] is the log on disk: a ring of files, written and synced by a thread of its own for all queues together.
//! - [`segments`] are the files of what outlives the ring's window. Reading them back is [`loader`]'s.
//! - [`checkpoint`] says from where the log is to be read, and [`recovery`] reads it.
//! - [`failure`] is the table of what follows when a system call fails.
//!
//! Nothing here knows what a queue is: a queue is a number, and what it keeps are addresses.

pub mod address;
pub mod check;
pub mod checkpoint;
pub(crate) mod codec;
pub mod disk;
pub mod failure;
mod head;
pub mod journal;
pub mod loader;
mod owed;
pub mod record;
pub mod recovery;
pub mod run;
pub mod segments;
pub mod wal;

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::message::Chunk;
use failure::{Call, Cause, Remedy};

pub use owed::Owed;

/// A place in the log, in the order of appending. Opaque to everybody but the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPosition(pub u64);

impl LogPosition {
    /// What needs no record is durable from the start.
    pub const START: Self = Self(0);
}

/// How large files become, and how much is read at a time. Tests make them small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes of a file of the log.
    pub log_file_bytes: u64,
    /// A segment file is closed when it has so many bytes: what a single message that is never settled can keep from being
    /// freed.
    pub segment_file_bytes: u32,
    /// Bytes read at a time from segment files.
    pub block_bytes: u32,
    /// Bytes of segment files that may be free however little of them is wanted.
    pub excess_bytes: u64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            log_file_bytes: 16 * 1024 * 1024,
            segment_file_bytes: 32 * 1024 * 1024,
            block_bytes: loader::BLOCK_BYTES,
            excess_bytes: 32 * 1024 * 1024,
        }
    }
}

/// What is recorded outside of a transaction.
pub const NO_TRANSACTION: u64 = 0;

/// The log can no longer make anything durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log has failed: nothing more can be made durable")]
pub struct LogFailed;

/// Why the store cannot go on, or cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system failed.
    #[error("{call} {file}: {source}")]
    Io {
        /// What was tried.
        call: Call,
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// A file does not say what it must.
    #[error("{file} is damaged at offset {offset}: {what}; start with --salvage to go on without what cannot be read")]
    Corrupt {
        /// The file.
        file: String,
        /// Where.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// A file is not there that the others tell of.
    #[error("{file} is missing, {why}; put it back, or start with --salvage to go on without what it holds")]
    Missing {
        /// The file.
        file: String,
        /// How that is known.
        why: String,
    },
    /// A file is whole, and is not the one that the others tell of: it is of another time or of another directory.
    #[error(
        "{file} does not belong to the other files: {why}; put the right one back, or start with --salvage to go on without what \
         it holds"
    )]
    Foreign {
        /// The file.
        file: String,
        /// How that is known.
        why: String,
    },
    /// The files were written by another version.
    #[error(
        "{file} has the format version {found}, and this leveret knows only {known}; use the leveret that wrote it"
    )]
    UnknownVersion {
        /// The file.
        file: String,
        /// The version that it has.
        found: u32,
        /// The version that is known.
        known: u32,
    },
}

impl StoreError {
    /// Wraps a failure of the file system.
    pub(crate) fn io(call: Call, file: String) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { call, file, source }
    }

    /// What is done about it.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Io { call, source, .. } => Remedy::of(*call, Cause::of(source)),
            Self::Corrupt { .. } | Self::Missing { .. } | Self::Foreign { .. } | Self::UnknownVersion { .. } => {
                Remedy::Stop
            }
        }
    }

    /// Whether the start can go on without it, if it is to salvage.
    pub(crate) const fn is_damage(&self) -> bool {
        matches!(self, Self::Corrupt { .. } | Self::Missing { .. } | Self::Foreign { .. })
    }

    /// Whether there is no descriptor.
    pub(crate) fn is_out_of_descriptors(&self) -> bool {
        matches!(self, Self::Io { source, .. } if Cause::of(source) == Cause::NoDescriptor)
    }

    /// Whether there is no space.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if Cause::of(source) == Cause::NoSpace)
    }
}

/// Somebody who waits for the log.
pub trait Wake: Send + Sync + fmt::Debug {
    /// Tells that the log moved.
    fn wake(&self);
}

/// Where changes are recorded. Its methods are called under queue locks: none waits for the disk.
pub trait Log: Send + Sync + fmt::Debug {
    /// Whether anything survives the process. If not, nothing needs to be appended.
    fn keeps(&self) -> bool;

    /// Announces that bodies are about to be appended, and messages that refer to them; [`Flight`] ends it. What was appended
    /// since stays where it is until then.
    fn begin(&self) -> u64;

    /// Ends what [`Log::begin`] announced.
    fn end(&self, flight: u64);

    /// Announces that what a client did will be recorded later; [`Owed`] ends it. Until that record is durable, nothing that is appended
    /// from now on is reported as durable.
    fn owe(&self) -> u64;

    /// Ends what [`Log::owe`] announced.
    fn paid(&self, debt: u64);

    /// Appends the records of a chunk, unless they are there already. The messages know then where.
    fn append_chunk(&self, chunk: &Arc<Chunk>);

    /// A body before this position is about to move, and must be appended again to be referred to.
    fn reusable_from(&self) -> u64;

    /// Appends records, whole or not at all.
    fn append(&self, records: &[u8]) -> LogPosition;

    /// Everything up to here is durable, and nothing before it is owed.
    ///
    /// # Errors
    /// [`LogFailed`] when nothing beyond what was reported before will ever be.
    fn durable(&self) -> Result<LogPosition, LogFailed>;

    /// Has everything up to here made durable soon, because somebody waits for it.
    fn want(&self, position: LogPosition);

    /// Asks to be woken when everything up to `position` is durable, or when it never will be.
    fn when_durable(&self, position: LogPosition, waiter: Arc<dyn Wake>);

    /// Whether so much waits to be written, or to be moved out of the log, that whoever adds to it should wait until it is.
    fn is_behind(&self) -> bool;

    /// Asks to be woken when [`Log::is_behind`] may not hold any more.
    fn when_caught_up(&self, waiter: Arc<dyn Wake>);

    /// A number for a new transaction, never given twice.
    fn new_transaction(&self) -> u64;

    /// Ends the log, because what it keeps cannot be read back: nothing more will be durable.
    fn fail(&self, error: StoreError);
}

/// Keeps the log from moving bodies while messages that refer to them are added to queues.
#[derive(Debug)]
pub struct Flight<'a> {
    log: &'a dyn Log,
    number: u64,
}

impl<'a> Flight<'a> {
    /// Announces it.
    pub fn begin(log: &'a dyn Log) -> Self {
        Self { log, number: log.begin() }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.log.end(self.number);
    }
}

/// A transaction in the log: what is recorded with its number happened all at once, or never. Bodies that messages of it refer to stay
/// where they are until it ends.
#[derive(Debug)]
pub struct LogTransaction<'a> {
    flight: Flight<'a>,
    number: u64,
}

impl<'a> LogTransaction<'a> {
    /// Begins one.
    pub fn begin(log: &'a dyn Log) -> Self {
        let flight = Flight::begin(log);
        Self { flight, number: log.new_transaction() }
    }

    /// What its records are marked with.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Records that it is complete, and returns what must be durable before anybody is told so. Dropped without this, it never
    /// happened for a broker that starts again.
    pub fn commit(self) -> LogPosition {
        let log = self.flight.log;
        if !log.keeps() {
            return LogPosition::START;
        }
        let mut commit = Vec::new();
        record::Record::Committed { transaction: self.number }.encode(&mut commit);
        log.append(&commit)
    }
}

/// The log of a broker that keeps everything in memory: whatever it takes is as durable as it will ever be.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryLog;

impl Log for MemoryLog {
    fn keeps(&self) -> bool {
        false
    }

    fn begin(&self) -> u64 {
        0
    }

    fn end(&self, _: u64) {}

    fn owe(&self) -> u64 {
        0
    }

    fn paid(&self, _: u64) {}

    fn append_chunk(&self, _: &Arc<Chunk>) {}

    fn reusable_from(&self) -> u64 {
        0
    }

    fn append(&self, _: &[u8]) -> LogPosition {
        LogPosition::START
    }

    fn durable(&self) -> Result<LogPosition, LogFailed> {
        Ok(LogPosition::START)
    }

    fn want(&self, _: LogPosition) {}

    fn when_durable(&self, _: LogPosition, waiter: Arc<dyn Wake>) {
        waiter.wake();
    }

    fn is_behind(&self) -> bool {
        false
    }

    fn when_caught_up(&self, waiter: Arc<dyn Wake>) {
        waiter.wake();
    }

    fn new_transaction(&self) -> u64 {
        0
    }

    fn fail(&self, _: StoreError) {}
}
