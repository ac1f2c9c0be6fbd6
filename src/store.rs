//! Makes the broker's changes durable, and moves long queues from memory to files (docs/format.md draws the files).
//!
//! - [`Log`] is all that the broker sees of it: whoever must not answer a client before something is durable keeps the [`LogPosition`] of its record and
//!   waits until [`Log::durable`] has reached it. A position may never be reached: the log can fail at any time, and then
//!   nothing that waits is ever confirmed. [`StoredLog`] is what the pager needs of a log that is kept in files.
//! - [`wal`] is the log on disk: a ring of files, written and synced by a thread of its own for all queues together.
//! - [`segments`] are the files of messages that were moved out of the log. [`loader`] reads them back.
//! - [`checkpoint`] says from where the log is to be read, and [`recovery`] reads it.
//! - [`failure`] is the table of what follows when a system call fails.
//!
//! Nothing here knows what a queue is: a queue is a number, and what it keeps are addresses.

pub(crate) mod address;
pub(crate) mod check;
pub(crate) mod checkpoint;
pub(crate) mod codec;
pub(crate) mod disk;
pub(crate) mod failure;
#[cfg(test)]
pub(crate) mod fake_log;
mod head;
pub(crate) mod journal;
pub(crate) mod loader;
mod log;
pub(crate) mod marks;
mod memory_log;
mod owed;
mod position;
pub(crate) mod record;
pub(crate) mod recovery;
pub(crate) mod run;
pub(crate) mod segments;
pub(crate) mod seq;
mod transaction;
pub(crate) mod wal;

use std::io;

use failure::{Call, Cause, Remedy};

pub(crate) use log::{Capabilities, LogExtent, LogFailed, LogFile, Wake};
pub use log::{Log, StoredLog};
pub(crate) use memory_log::MemoryLog;
pub(crate) use owed::Owed;
pub(crate) use position::{LastChange, LogPosition};
pub(crate) use transaction::AppendGuard;
pub use transaction::{LogTransaction, TransactionId};

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
            // Nothing of this mends itself while the broker waits.
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
