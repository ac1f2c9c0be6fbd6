//! How long a queue may be, and what becomes of what is too much (behaviour reference 6.1).

use super::arguments::{Overflow, QueueKind};
use super::dying::DeathReason;
use super::ready::Head;
use super::{NewMessage, Queue};

/// What the limits of a queue look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) count: u64,
    pub(super) bytes: u64,
}

impl Queue {
    /// What takes a place: ready messages; in a quorum queue also those that are held back, and dead letters that it keeps until
    /// they are delivered (behaviour reference 6.5).
    pub(super) fn size(&self) -> Size {
        let mut size = Size { count: self.order.ready.len() as u64, bytes: self.order.ready.bytes() };
        if self.arguments.kind.rules().limits_count_all {
            size.count += self.order.held_back.len() as u64;
            size.bytes += self.order.held_back.bytes();
            // With the other strategy letters leave at once, and take no place of a new message.
            if self.dead_letters_at_least_once() {
                size.count += self.order.dying.len() as u64;
                size.bytes += self.order.dying.bytes();
            }
        }
        size
    }

    /// Whether a new message has no place.
    pub(super) fn refuses(&self, new: &NewMessage) -> bool {
        // There the new message is taken, and what is too much goes from the head with the next pump.
        if self.arguments.overflow == Overflow::DropHead {
            return false;
        }
        let Size { count, bytes } = self.size();
        let (max, max_bytes) = (self.arguments.max_length, self.arguments.max_length_bytes);
        match self.arguments.kind {
            QueueKind::Classic => {
                // Classic queues look at what the length would be with the new message, quorum queues
                // at what it is without.
                let body_bytes = new.message.body_bytes() as u64;
                max.is_some_and(|max| count + 1 > max) || max_bytes.is_some_and(|max| bytes + body_bytes > max)
            }
            // The limit is soft there: an empty queue always takes one (behaviour reference 5.8).
            QueueKind::Quorum => {
                count > 0 && (max.is_some_and(|max| count >= max) || max_bytes.is_some_and(|max| bytes >= max))
            }
        }
    }

    /// Drops from the head until the queue is within its limits, or nothing is ready any more.
    pub(super) fn trim(&mut self) {
        let (max, max_bytes) = (self.arguments.max_length, self.arguments.max_length_bytes);
        // Most queues have no limit: no size is added up for them.
        if max.is_none() && max_bytes.is_none() || self.arguments.overflow != Overflow::DropHead {
            return;
        }
        let (max, max_bytes) = (max.unwrap_or(u64::MAX), max_bytes.unwrap_or(u64::MAX));
        let is_too_long = |Size { count, bytes }: Size| count > max || bytes > max_bytes;
        while is_too_long(self.size()) {
            if !matches!(self.order.ready.head(), Some(Head::InMemory(_))) {
                // What is to be dropped must be read first; until then the queue is a little too long.
                let load = self.order.ready.load_head();
                self.turn.order_load(load);
                break;
            }
            if !self.turn.may_drop() {
                // The length alone orders no call of the timer, as a time to live does.
                self.turn.go_on_later();
                break;
            }
            let Some(entry) = self.order.ready.pop() else { break };
            self.turn.count_drop();
            self.dead_letter(entry, DeathReason::MaxLength);
        }
    }
}
