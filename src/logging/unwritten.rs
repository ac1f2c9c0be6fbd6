//! In place of `logging` where the library is built without the program: whoever embeds a broker listens to its events with a subscriber of
//! their own, which knows no levels and files of ours.

use crate::config::Settings;

/// There are no levels to set.
pub(crate) fn set_levels(_settings: &Settings) {}

/// There is no file to open again.
pub(crate) fn reopen() {}

/// There is no file to begin anew.
pub(crate) fn rotate() {}
