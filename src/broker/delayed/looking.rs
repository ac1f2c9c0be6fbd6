//! Delayed messages one by one: looked at, cancelled, and brought forward.

use std::ops::ControlFlow;

use super::{DelayedMessage, DelayedMessages, DueKey, LOOKED_AT_MAX, gone};
use crate::broker::ids::ExchangeId;
use crate::broker::vhost::Vhost;
use crate::message::Message;
use crate::store::LogPosition;

/// A delayed message as somebody sees it who looks.
#[derive(Clone, Debug)]
pub(crate) struct SeenDelayed {
    /// When it is due, in milliseconds since 1970.
    pub(crate) due_ms: u64,
    /// Its number: with the time it names the message.
    pub(crate) id: u64,
    /// The message; `None` when it cannot be read.
    pub(crate) message: Option<Message>,
    /// Its bytes are in a file only.
    pub(crate) is_on_disk: bool,
    /// It survives a restart.
    pub(crate) is_stored: bool,
}

impl DelayedMessages {
    /// Shows messages of some exchanges in the order in which they are due, until `show` has enough: how many of them there are, and
    /// where to go on. What is in files is read when nothing is locked.
    pub(crate) fn look_at(
        &self,
        is_wanted: impl Fn(ExchangeId) -> bool,
        offset: usize,
        count: usize,
        mut show: impl FnMut(SeenDelayed) -> ControlFlow<()>,
    ) -> (usize, Option<usize>) {
        let (mut total, mut found) = (0, Vec::new());
        self.look_at_all(|key, held| {
            if is_wanted(held.exchange) {
                if total >= offset && found.len() < count {
                    found.push((key, held.clone()));
                }
                total += 1;
            }
        });
        let mut next = offset;
        for (key, held) in found {
            next += 1;
            if show(self.seen(key, &held)).is_break() {
                break;
            }
        }
        (total, (next < total).then_some(next))
    }

    fn seen(&self, (due_ms, seq): DueKey, held: &DelayedMessage) -> SeenDelayed {
        let in_memory = held.new.as_ref().map(|new| new.message.clone());
        let is_on_disk = in_memory.is_none();
        let read = || self.read(held.address, held.bytes).ok().flatten().map(|new| new.message);
        let message = in_memory.or_else(read);
        SeenDelayed { due_ms, id: seq.0, message, is_on_disk, is_stored: held.is_stored }
    }

    /// The exchange that holds this message back, if it still does.
    pub(crate) fn exchange_of(&self, key: DueKey) -> Option<ExchangeId> {
        self.waiting.lock().by_due.get(&key).map(|held| held.exchange)
    }

    /// Forgets messages: which they were, and what must be durable before anybody is told.
    pub(crate) fn cancel(&self, keys: &[DueKey]) -> (Vec<u64>, LogPosition) {
        let (mut cancelled, mut position) = (Vec::new(), LogPosition::START);
        for keys in keys.chunks(LOOKED_AT_MAX) {
            let _turn = self.delivering.lock();
            let mut waiting = self.waiting.lock();
            for key in keys {
                if let Some(held) = waiting.by_due.remove(key) {
                    gone(&mut waiting.journal, key.1, &held);
                    cancelled.push(key.1.0);
                }
            }
            position = position.and(self.record(&mut waiting));
        }
        (cancelled, position)
    }

    /// Routes messages now, whenever they are due: which they were, and what must be durable before anybody is told.
    pub(crate) fn publish_now(&self, vhost: &Vhost, keys: &[DueKey], now_ms: u64) -> (Vec<u64>, LogPosition) {
        let (mut published, mut position) = (Vec::new(), LogPosition::START);
        for key in keys.iter().filter(|key| self.exchange_of(**key).is_some()) {
            if let Some(done) = self.deliver(vhost, *key, now_ms) {
                published.push(key.1.0);
                position = position.and(done.recorded);
            }
        }
        (published, position)
    }
}
