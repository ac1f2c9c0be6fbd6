//! What the broker needs of a log ([`Log`]), and what the pager needs of one that is kept in files ([`StoredLog`]).
//!
//! Neither can be read: only a start reads, and it reads files before there is a log ([`recovery`](super::recovery)). A log that is
//! copied to other nodes will need a method for that, which says what a reader is told of positions that are not durable yet.

use std::fmt;
use std::sync::Arc;

use super::run::Run;
use super::{LogPosition, StoreError, TransactionId};
use crate::message::Chunk;

/// The log can no longer make anything durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log has failed: nothing more can be made durable")]
pub struct LogFailed;

/// Somebody who waits for the log.
pub trait Wake: Send + Sync + fmt::Debug {
    /// Tells that the log moved.
    fn wake(&self);
}

/// What a log can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// What is appended survives the process. If not, nothing needs to be appended.
    pub(crate) keeps: bool,
    /// Bodies leave the log for segment files. So whoever is about to refer to one keeps it where it is with an
    /// [`AppendGuard`](super::AppendGuard).
    pub(crate) moves_bodies: bool,
}

/// Where changes are recorded. Its methods are called under queue locks: none waits for the disk.
pub trait Log: Send + Sync + fmt::Debug {
    /// What this log can do. It never changes.
    fn capabilities(&self) -> Capabilities;

    /// Whether anything survives the process. If not, nothing needs to be appended.
    fn keeps(&self) -> bool {
        self.capabilities().keeps
    }

    /// Announces that bodies are about to be appended, and messages that refer to them;
    /// [`AppendGuard`](super::AppendGuard) ends it. What was appended since stays where it is until then.
    fn begin(&self) -> u64;

    /// Ends what [`Log::begin`] announced.
    fn end(&self, guard: u64);

    /// Announces that what a client did will be recorded later; [`Owed`](super::Owed) ends it. Until that record is durable, nothing
    /// that is appended from now on is reported as durable.
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
    fn new_transaction(&self) -> TransactionId;

    /// Ends the log, because what it keeps cannot be read back: nothing more will be durable.
    fn fail(&self, error: StoreError);
}

/// A file of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Counted from the first file of the data directory.
    pub(crate) number: u64,
    /// The run that made it.
    pub(crate) run: Run,
}

/// What a checkpoint says of the log from which it is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogExtent {
    /// From here on it is to be read.
    pub(crate) start: u64,
    /// No group from `start` on is of an earlier run.
    pub(crate) start_run: Run,
    /// Everything before is durable.
    pub(crate) durable: u64,
    /// The run that goes on there.
    pub(crate) run: Run,
    /// The files from `start` to there.
    pub(crate) files: Vec<LogFile>,
    /// The number that the checkpoint has: no other one of this data directory has it.
    pub(crate) checkpoint: u64,
}

/// A log that grows until what it tells is told by segment files and a checkpoint. Its places are bytes that were ever appended.
/// These methods may wait, for the disk or for others, and are called under no lock.
pub trait StoredLog: Log {
    /// Where the next record will be.
    fn head(&self) -> u64;

    /// Everything before is needless.
    fn start(&self) -> u64;

    /// The last place before `position`, or at it, at which the log can be cut off; if that would leave everything, the
    /// first one behind it: whoever wants a shorter log gets one.
    fn cut_near(&self, position: u64) -> u64;

    /// Marks what is before `limit` as about to move, and waits until nobody is about to refer to it.
    fn retire(&self, limit: u64);

    /// Waits until all [`AppendGuard`](super::AppendGuard)s that are held now have ended.
    fn wait_for_appends(&self);

    /// Makes everything durable that was appended so far.
    ///
    /// # Errors
    /// When the file system fails: either the same is to be tried again, or nothing may be written any more
    /// ([`StoreError::remedy`]).
    fn sync_everything(&self) -> Result<(), StoreError>;

    /// What a checkpoint is to say of the log that is to be read from `start` on. The last file is made if it is not there yet, so
    /// that a checkpoint always knows a file in which the log goes on.
    ///
    /// # Errors
    /// The file system's.
    fn extent(&self, start: u64) -> Result<LogExtent, StoreError>;

    /// Forgets what is before `start`, because a checkpoint made it needless.
    ///
    /// # Errors
    /// When a file that is too many cannot be removed.
    fn trim(&self, start: u64) -> Result<(), StoreError>;

    /// Whether the disk has too little space.
    fn is_low(&self) -> bool;

    /// Gives back the space that is only kept to be used again.
    ///
    /// # Errors
    /// The file system's.
    fn make_space(&self) -> Result<(), StoreError>;

    /// Waits until the log is longer than this many bytes, until somebody asks for it to be made shorter, or until it stops or
    /// fails; then false. While the disk has too little space, any byte is enough: what is acknowledged makes room only once the
    /// log is cut off behind it.
    fn wait_until_crowded(&self, bytes: u64) -> bool;
}
