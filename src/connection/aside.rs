//! Long work, done where no other connection waits for it.

use std::iter;

use tokio::runtime::{Handle, RuntimeFlavor};

use super::effort::{Effort, TURN_EFFORT};
use crate::broker::publisher::Turn;

/// Does something that takes this effort. If it is more than a turn's worth, another thread takes the worker's place meanwhile.
pub(super) fn aside<R>(effort: usize, work: impl FnOnce() -> R) -> R {
    // Tests and small runtimes have one thread, on which the call would panic.
    let is_worker = || Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
    if effort >= TURN_EFFORT && is_worker() { tokio::task::block_in_place(work) } else { work() }
}

impl Turn for Effort {
    fn work<R>(&mut self, things: usize, work: impl FnOnce() -> R) -> R {
        self.spend(things);
        aside(things, work)
    }

    fn long_work(&mut self, work: impl FnOnce(&mut Self)) {
        aside(TURN_EFFORT, || work(self));
    }
}

/// Does what each of these things asks for, which counts what it takes. What is left when it is the turn of others is done aside: it
/// cannot be put off.
pub(super) fn one_by_one<T>(
    effort: &mut Effort,
    mut things: impl Iterator<Item = T>,
    mut work: impl FnMut(T, &mut Effort),
) {
    while !effort.is_turn_over() {
        let Some(thing) = things.next() else { return };
        work(thing, effort);
    }
    if let Some(thing) = things.next() {
        aside(TURN_EFFORT, || iter::once(thing).chain(things).for_each(|thing| work(thing, effort)));
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    /// The runtime is not always ours: a broker may be embedded in a program that has one thread, where no other can take its place.
    #[test]
    fn long_work_is_done_whatever_the_runtime_is() {
        let work = || aside(TURN_EFFORT, || aside(TURN_EFFORT, || 7));
        assert_eq!(work(), 7, "without any");
        let one_thread = Builder::new_current_thread().build().unwrap();
        assert_eq!(one_thread.block_on(async { work() }), 7);
        assert_eq!(one_thread.block_on(async { tokio::spawn(async move { work() }).await.unwrap() }), 7);
        let threads = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        assert_eq!(threads.block_on(async { work() }), 7);
        assert_eq!(threads.block_on(async { tokio::spawn(async move { work() }).await.unwrap() }), 7);
    }
}
