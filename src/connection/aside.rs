//! Long work, done where no other connection waits for it.

use tokio::runtime::{Handle, RuntimeFlavor};

use super::effort::TURN_EFFORT;

/// Does something that takes this effort. If it is more than a turn's worth, another thread takes the worker's place meanwhile.
pub(super) fn aside<R>(effort: usize, work: impl FnOnce() -> R) -> R {
    let is_worker = || Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
    if effort >= TURN_EFFORT && is_worker() { tokio::task::block_in_place(work) } else { work() }
}
