//! Work that nobody waits for, and that takes too long for those who came upon it.

use std::fmt;
use std::sync::OnceLock;

/// What is to be done.
pub(crate) type Work = Box<dyn FnOnce() + Send>;

/// Where it is done: here and now, unless somebody said where.
#[derive(Default)]
pub struct Background {
    runner: OnceLock<Box<dyn Fn(Work) + Send + Sync>>,
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background").field("is_elsewhere", &self.runner.get().is_some()).finish_non_exhaustive()
    }
}

impl Background {
    /// Sets who does it from now on. Only the first call counts.
    pub(crate) fn run_on(&self, runner: Box<dyn Fn(Work) + Send + Sync>) {
        self.runner.get_or_init(|| runner);
    }

    pub(crate) fn run(&self, work: Work) {
        match self.runner.get() {
            Some(runner) => runner(work),
            None => work(),
        }
    }
}
