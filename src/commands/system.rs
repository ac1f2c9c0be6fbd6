//! What differs between systems, for the commands: one file for each system, with the same functions.

#[cfg_attr(unix, path = "system/unix.rs")]
#[cfg_attr(windows, path = "system/windows.rs")]
mod own;

pub(super) use own::*;

/// What a process is told from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// End.
    Terminate,
    /// End: somebody pressed ctrl-c.
    Interrupt,
    /// Read the files again.
    HangUp,
}
