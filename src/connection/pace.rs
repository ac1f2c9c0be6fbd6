//! A connection whose publishes are ahead of the consumers reads nothing until these have caught up (`broker/queue/pace`).

use std::sync::Arc;

use super::outbox::Outbox;
use crate::broker::publisher::PublisherWaits;
use crate::store::Wake;

/// A wait is over after this time, whatever the queues say: what nobody has thought of may cost a publisher time, but not for ever.
const WAIT_MS_MAX: u64 = 1_000;

/// For so long others are told that a connection was made to wait, as RabbitMQ tells its state `flow`.
const TOLD_MS: u64 = 1_000;

/// What a connection waits for before it reads on.
#[derive(Debug)]
pub(super) struct ReadingPace {
    waits: Arc<PublisherWaits>,
    outbox: Arc<Outbox>,
    /// When the wait that is going on is over at the latest.
    until_ms: Option<u64>,
}

impl ReadingPace {
    pub(super) fn new(outbox: Arc<Outbox>) -> Self {
        Self { waits: waits(&outbox), outbox, until_ms: None }
    }

    /// Where its publishes wait.
    pub(super) fn waits(&self) -> &Arc<PublisherWaits> {
        &self.waits
    }

    /// Whether nothing is to be read.
    pub(super) fn is_waiting(&self) -> bool {
        self.until_ms.is_some() && self.waits.is_waiting()
    }

    /// Looks whether what was just published has to be waited for: if so, until when that is to be told.
    pub(super) fn begin_if_ahead(&mut self, now_ms: u64) -> Option<u64> {
        if !self.waits.is_waiting() {
            self.until_ms = None;
            return None;
        }
        // From the first time on: a wait that goes on does not begin anew with each batch.
        self.until_ms.get_or_insert(now_ms + WAIT_MS_MAX);
        Some(now_ms + TOLD_MS)
    }

    /// When to call [`ReadingPace::give_up`], at the latest.
    pub(super) const fn deadline_ms(&self) -> Option<u64> {
        self.until_ms
    }

    /// Ends a wait that has taken too long: where the publishes wait from now on.
    pub(super) fn give_up(&mut self, now_ms: u64) -> Option<Arc<PublisherWaits>> {
        self.until_ms.take_if(|until_ms| *until_ms <= now_ms)?;
        if !self.waits.is_waiting() {
            return None;
        }
        tracing::debug!("consumers have not caught up within a second: the publisher goes on");
        // A new count: the places in the old one stay in their lines, and are nobody's.
        self.waits = waits(&self.outbox);
        Some(Arc::clone(&self.waits))
    }
}

fn waits(outbox: &Arc<Outbox>) -> Arc<PublisherWaits> {
    Arc::new(PublisherWaits::new(Arc::clone(outbox) as Arc<dyn Wake>))
}
