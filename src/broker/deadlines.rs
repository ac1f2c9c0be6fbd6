//! What the broker has to do at a later time: one ordered list for all queues and delayed messages, so that an idle broker has
//! no timer but the next one that matters.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::delayed::DelayedMessages;
use super::queue::QueueHandle;

/// Wakes whoever waits for the next deadline, because an earlier one was ordered.
pub type WakeUp = Box<dyn Fn() + Send + Sync>;

#[derive(Debug)]
enum Due {
    Queue(Weak<QueueHandle>),
    Delayed(Weak<DelayedMessages>),
}

/// The list of deadlines. A leaf in the lock order: it may be used under a queue's lock.
#[derive(Default)]
pub struct Deadlines {
    list: Mutex<List>,
    wake_up: std::sync::OnceLock<WakeUp>,
}

#[derive(Default)]
struct List {
    due: BTreeMap<(u64, u64), Due>,
    ordered: u64,
}

impl fmt::Debug for Deadlines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deadlines").field("count", &self.list.lock().due.len()).finish_non_exhaustive()
    }
}

impl Deadlines {
    /// Sets who is woken when a deadline is ordered that precedes all others. Only the first call counts.
    pub fn on_earlier(&self, wake_up: WakeUp) {
        self.wake_up.get_or_init(|| wake_up);
    }

    /// Has the queue's timer called at this time. A call that is no longer wanted then does nothing.
    pub(in crate::broker) fn order_queue(&self, at_ms: u64, queue: &Arc<QueueHandle>) {
        self.order(at_ms, Due::Queue(Arc::downgrade(queue)));
    }

    /// Has delayed messages delivered at this time.
    pub(in crate::broker) fn order_delayed(&self, at_ms: u64, delayed: &Arc<DelayedMessages>) {
        self.order(at_ms, Due::Delayed(Arc::downgrade(delayed)));
    }

    fn order(&self, at_ms: u64, due: Due) {
        let mut list = self.list.lock();
        let is_earlier = list.due.keys().next().is_none_or(|&(next_ms, _)| at_ms < next_ms);
        list.ordered += 1;
        let key = (at_ms, list.ordered);
        list.due.insert(key, due);
        drop(list);
        if is_earlier {
            self.wake();
        }
    }

    /// Wakes whoever waits for the next deadline.
    pub fn wake(&self) {
        if let Some(wake_up) = self.wake_up.get() {
            wake_up();
        }
    }

    /// The next deadline.
    pub fn next_ms(&self) -> Option<u64> {
        self.list.lock().due.keys().next().map(|&(at_ms, _)| at_ms)
    }

    /// Does everything that is due at `now_ms`.
    pub fn run(&self, now_ms: u64) {
        while let Some(due) = self.pop(now_ms) {
            match due {
                Due::Queue(queue) => {
                    if let Some(queue) = queue.upgrade() {
                        queue.on_timer(now_ms);
                    }
                }
                Due::Delayed(delayed) => {
                    if let Some(delayed) = delayed.upgrade() {
                        delayed.deliver_due(now_ms);
                    }
                }
            }
        }
    }

    fn pop(&self, now_ms: u64) -> Option<Due> {
        let mut list = self.list.lock();
        let first = list.due.first_entry().filter(|first| first.key().0 <= now_ms)?;
        Some(first.remove())
    }
}
