//! What an operator should look at: rules over what is sampled every few seconds, each with a threshold that raises an alert and a lower one
//! that ends it.
//!
//! ```text
//!   samples of queues, virtual hosts, the node --watched--> what the rules measure --rules--> raised, over --> log, API, metrics
//! ```
//!
//! Pure but for `round`, which takes the samples: one short hold of each queue's lock, and nothing on the way of a message. A queue that
//! stands still is looked at only when time alone could change something (`rest`). A new rule is
//! one row of `rules::RULES`. Everything is bounded: what is kept of a queue is some hundred bytes while it has messages, alerts and
//! history have [`board::ACTIVE_MAX`] and [`HISTORY_MAX`].

mod ages;
mod board;
mod dead_letter_queues;
mod engine;
mod rest;
mod round;
mod rules;
mod telling;
mod watched;
mod watched_vhost;

#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use crate::broker::ids::QueueId;
use crate::broker::queue::QueueSnapshot;

pub(crate) use board::{Change, HISTORY_MAX};
pub(crate) use round::ROUNDS_OF_REST;
pub(crate) use rules::{RULES, Severity};
pub(crate) use telling::AlertWatcher;

use ages::Ages;
use engine::Engine;
use watched::Watched;

/// What an alert is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum AlertObject {
    /// The whole broker.
    Node,
    Vhost(Arc<str>),
    /// A queue, by its virtual host and its name.
    Queue(Arc<str>, Arc<str>),
}

impl AlertObject {
    /// The virtual host that it is in, or is.
    pub(crate) fn vhost(&self) -> Option<&Arc<str>> {
        match self {
            Self::Node => None,
            Self::Vhost(vhost) | Self::Queue(vhost, _) => Some(vhost),
        }
    }
}

/// Something that an operator should look at, or should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Its place among all alerts since the start, from 1.
    pub(crate) id: u64,
    pub(crate) rule: &'static str,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// What it is about.
    pub(crate) object: AlertObject,
    /// When it was raised, in milliseconds since 1970.
    pub(crate) raised_at_ms: u64,
    /// When it was over.
    pub(crate) cleared_at_ms: Option<u64>,
    /// What was measured last.
    pub(crate) value: u64,
    /// More than this raises it.
    pub(crate) threshold: u64,
    /// One sentence with the numbers and the place.
    pub(crate) text: String,
    /// What to do next.
    pub(crate) next_step: &'static str,
}

/// The alerts of a broker.
#[derive(Debug, Default)]
pub struct Alerts {
    engine: Mutex<Engine>,
    watcher: OnceLock<Arc<dyn AlertWatcher>>,
}

/// All alerts at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct AlertList {
    /// When the broker looked last; 0 before it did.
    pub(crate) looked_at_ms: u64,
    /// Those that hold, the latest first.
    pub(crate) active: Vec<Alert>,
    /// Those that are over, the latest first.
    pub(crate) history: Vec<Alert>,
}

/// How long the oldest messages of a queue have been there at least, in milliseconds; `None` where there is no such message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OldestAges {
    /// Since it became ready for the first time.
    pub(crate) ready_ms: Option<u64>,
    /// Since it was delivered.
    pub(crate) unacked_ms: Option<u64>,
}

impl OldestAges {
    /// Those of the older messages of both.
    #[must_use]
    pub(crate) fn older(self, other: Self) -> Self {
        Self { ready_ms: self.ready_ms.max(other.ready_ms), unacked_ms: self.unacked_ms.max(other.unacked_ms) }
    }
}

/// The ages of the oldest messages of a queue of which this is known.
fn oldest_ages(watched: Option<&Watched>, snapshot: &QueueSnapshot, now_ms: u64) -> OldestAges {
    let age_ms = |number: u64, ages: fn(&Watched) -> &Ages| {
        watched.and_then(|watched| ages(watched).age_ms(number, now_ms)).unwrap_or(0)
    };
    OldestAges {
        ready_ms: snapshot.oldest_ready.map(|number| age_ms(number, |watched| &watched.ready_ages)),
        unacked_ms: snapshot.oldest_delivery.map(|number| age_ms(number, |watched| &watched.delivery_ages)),
    }
}

impl Alerts {
    /// The ages of the oldest messages of a queue. One that came since the last look counts as new.
    pub(crate) fn oldest_ages(&self, vhost: &str, queue: QueueId, snapshot: &QueueSnapshot, now_ms: u64) -> OldestAges {
        oldest_ages(self.engine.lock().watched(vhost, queue), snapshot, now_ms)
    }

    /// The same, and whether dead letters end in this queue, as of the last look.
    pub(crate) fn ages_and_end(
        &self,
        vhost: &str,
        queue: QueueId,
        snapshot: &QueueSnapshot,
        now_ms: u64,
    ) -> (OldestAges, bool) {
        let engine = self.engine.lock();
        let (watched, is_dead_letter_queue) = engine.queue(vhost, queue);
        (oldest_ages(watched, snapshot, now_ms), is_dead_letter_queue)
    }

    /// Tells this one of every change from now on. Only the first one who asks is told.
    pub(crate) fn watch(&self, watcher: Arc<dyn AlertWatcher>) {
        let is_first = self.watcher.set(watcher).is_ok();
        debug_assert!(is_first, "somebody else watches already");
    }

    fn watcher(&self) -> Option<&Arc<dyn AlertWatcher>> {
        self.watcher.get()
    }

    /// The alerts that hold and those that are over, the latest first.
    pub(crate) fn list(&self) -> AlertList {
        self.engine.lock().list()
    }

    /// How long the message with this number has been in its queue at least, if that is known.
    pub(crate) fn age_of_ready_ms(&self, vhost: &str, queue: QueueId, seq: u64, now_ms: u64) -> Option<u64> {
        self.engine.lock().watched(vhost, queue)?.ready_ages.age_ms(seq, now_ms)
    }

    /// How long the message of this delivery has been delivered at least, if that is known.
    pub(crate) fn age_of_delivery_ms(&self, vhost: &str, queue: QueueId, delivery: u64, now_ms: u64) -> Option<u64> {
        self.engine.lock().watched(vhost, queue)?.delivery_ages.age_ms(delivery, now_ms)
    }
}
