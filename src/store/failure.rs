//! What follows when a system call of the store fails: one table for all of them.
//!
//! What is scarce comes back: the same is tried again later, and nothing is lost meanwhile. What is broken ends the store, because
//! nobody may be told any more that something is durable; unless nothing durable depends on the call.

use std::fmt;
use std::io;

/// What was tried. Each call of [`Disk`] and [`DiskFile`] is one of these.
///
/// [`Disk`]: super::disk::Disk
/// [`DiskFile`]: super::disk::DiskFile
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the texts of Display say what they are")]
pub enum Call {
    MakeDirectory,
    Open,
    Create,
    List,
    Remove,
    Rename,
    SyncDirectory,
    FreeBytes,
    Read,
    Write,
    /// Of what was written to the log, and is there once only.
    SyncLog,
    /// Of a file that nothing refers to yet, so that another one can be written in its place.
    SyncNew,
    /// Of a thread or a pipe, when the store starts.
    Start,
}

impl Call {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::MakeDirectory,
        Self::Open,
        Self::Create,
        Self::List,
        Self::Remove,
        Self::Rename,
        Self::SyncDirectory,
        Self::FreeBytes,
        Self::Read,
        Self::Write,
        Self::SyncLog,
        Self::SyncNew,
        Self::Start,
    ];
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MakeDirectory | Self::Create => "cannot create",
            Self::Open => "cannot open",
            Self::List => "cannot list",
            Self::Remove => "cannot remove",
            Self::Rename => "cannot rename to",
            Self::SyncDirectory => "cannot sync the directory of",
            Self::FreeBytes => "cannot tell how much space is left for",
            Self::Read => "cannot read",
            Self::Write => "cannot write",
            Self::SyncLog | Self::SyncNew => "cannot sync",
            Self::Start => "cannot start",
        })
    }
}

/// Why a call failed, as far as it matters what is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The disk is full, or the user's quota.
    NoSpace,
    /// The process, or the machine, has too many files open.
    NoDescriptor,
    /// The kernel has no memory for it now.
    NoMemory,
    /// The call was interrupted, or something is in use just now.
    Busy,
    /// Anything else: the device, the file system, or somebody's permissions.
    Broken,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::NoSpace, Self::NoDescriptor, Self::NoMemory, Self::Busy, Self::Broken];

    /// What this error is.
    pub(crate) fn of(error: &io::Error) -> Self {
        if let Some(cause) = of_code(error) {
            return cause;
        }
        if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            Self::NoSpace
        } else if error.kind() == io::ErrorKind::OutOfMemory {
            Self::NoMemory
        } else if matches!(
            error.kind(),
            io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock | io::ErrorKind::ResourceBusy
        ) {
            Self::Busy
        } else {
            Self::Broken
        }
    }
}

/// What the standard library has no kind for.
#[cfg(unix)]
fn of_code(error: &io::Error) -> Option<Cause> {
    use rustix::io::Errno;
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE) => Some(Cause::NoDescriptor),
        Some(Errno::NOMEM | Errno::NOBUFS) => Some(Cause::NoMemory),
        _ => None,
    }
}

/// What the standard library has no kind for.
#[cfg(windows)]
fn of_code(error: &io::Error) -> Option<Cause> {
    const TOO_MANY_OPEN_FILES: i32 = 4;
    const NOT_ENOUGH_MEMORY: i32 = 8;
    // Another program, such as one that looks for viruses, has the file open.
    const SHARING_VIOLATION: i32 = 32;
    const LOCK_VIOLATION: i32 = 33;
    match error.raw_os_error() {
        Some(TOO_MANY_OPEN_FILES) => Some(Cause::NoDescriptor),
        Some(NOT_ENOUGH_MEMORY) => Some(Cause::NoMemory),
        Some(SHARING_VIOLATION | LOCK_VIOLATION) => Some(Cause::Busy),
        _ => None,
    }
}

/// What is done about a failed call while the broker runs. At the start each one refuses the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The same is tried again a little later. Nothing is lost, and nothing is confirmed meanwhile that depends on it.
    Wait,
    /// What was asked for is not done, and this is said in the log; everything else goes on.
    Refuse,
    /// The store has failed: nothing more is confirmed, and the broker ends.
    Stop,
}

impl Remedy {
    /// The table.
    pub const fn of(call: Call, cause: Cause) -> Self {
        match (call, cause) {
            // The kernel may have dropped what it could not write, whatever the reason, and syncing again tells nothing.
            (Call::SyncLog, _) => Self::Stop,
            // Nothing durable depends on it.
            (Call::FreeBytes, _) => Self::Refuse,
            (_, Cause::NoSpace | Cause::NoDescriptor | Cause::NoMemory | Cause::Busy) => Self::Wait,
            // It costs what cannot be read (`segments::damage`); or a file stays that is not needed.
            (Call::Read | Call::Remove, Cause::Broken) => Self::Refuse,
            (
                Call::MakeDirectory
                | Call::Open
                | Call::Create
                | Call::List
                | Call::Rename
                | Call::SyncDirectory
                | Call::Write
                | Call::SyncNew
                | Call::Start,
                Cause::Broken,
            ) => Self::Stop,
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart_by_what_comes_back() {
        let cause = |errno: i32| Cause::of(&io::Error::from_raw_os_error(errno));
        let known = [
            (rustix::io::Errno::NOSPC, Cause::NoSpace),
            (rustix::io::Errno::DQUOT, Cause::NoSpace),
            (rustix::io::Errno::MFILE, Cause::NoDescriptor),
            (rustix::io::Errno::NFILE, Cause::NoDescriptor),
            (rustix::io::Errno::NOMEM, Cause::NoMemory),
            (rustix::io::Errno::INTR, Cause::Busy),
            (rustix::io::Errno::AGAIN, Cause::Busy),
            (rustix::io::Errno::BUSY, Cause::Busy),
            (rustix::io::Errno::IO, Cause::Broken),
            (rustix::io::Errno::ROFS, Cause::Broken),
            (rustix::io::Errno::ACCESS, Cause::Broken),
            (rustix::io::Errno::FBIG, Cause::Broken),
        ];
        for (errno, expected) in known {
            assert_eq!(cause(errno.raw_os_error()), expected, "{errno:?}");
        }
        assert_eq!(Cause::of(&io::ErrorKind::StorageFull.into()), Cause::NoSpace);
        assert_eq!(Cause::of(&io::Error::other("something")), Cause::Broken);
    }

    #[test]
    fn a_sync_of_the_log_is_never_tried_again() {
        for call in Call::ALL {
            for cause in Cause::ALL {
                let waits = Remedy::of(call, cause) == Remedy::Wait;
                let is_scarce = cause != Cause::Broken;
                assert_eq!(waits, is_scarce && !matches!(call, Call::SyncLog | Call::FreeBytes), "{call:?} {cause:?}");
            }
        }
    }
}
