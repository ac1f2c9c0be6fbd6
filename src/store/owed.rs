//! What a client did and what is recorded later.

use std::sync::Arc;

use super::Log;

/// A change that a client made and that is not in the log yet, because something must be read first, or because somebody else
/// records it. After a crash, what the client was told later must not be there without it: until this is dropped, and what was
/// recorded by then is durable, [`Log::durable`] reports nothing that was appended since this began. If several record it, each has a clone:
/// the last one that is dropped ends it.
#[derive(Clone, Debug)]
pub(crate) struct Owed {
    _debt: Arc<Debt>,
}

#[derive(Debug)]
struct Debt {
    log: Arc<dyn Log>,
    number: u64,
}

impl Owed {
    /// From here on nothing is told.
    pub(crate) fn begin(log: &Arc<dyn Log>) -> Self {
        Self { _debt: Arc::new(Debt { log: Arc::clone(log), number: log.owe() }) }
    }
}

impl Drop for Debt {
    fn drop(&mut self) {
        self.log.paid(self.number);
    }
}
