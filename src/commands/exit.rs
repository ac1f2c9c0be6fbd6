//! The exit codes of RabbitMQ's commands, which are those of `sysexits.h`.

/// The command line cannot be understood.
pub(super) const USAGE: u8 = 64;
/// What was given cannot be used: a file, a name, a password.
pub(super) const DATA: u8 = 65;
/// There is no such user.
pub(super) const NO_USER: u8 = 67;
/// The broker cannot be reached, or is not as it was asked to be.
pub(super) const UNAVAILABLE: u8 = 69;
/// Something went wrong within.
pub(super) const SOFTWARE: u8 = 70;
/// It took too long.
pub(super) const TEMPORARY: u8 = 75;
