//! Messages that an administrator chose: deleted, or taken out to be sent elsewhere.
//!
//! ```text
//!   ready --take_chosen--> unacked, held by a channel of its own --finish_chosen--> gone
//!     ^                       |
//!     +-----return_chosen------+
//! ```
//!
//! No delivery is counted, and no flag of a message changes.

use super::Queue;
use super::entry::{Entry, State};
use super::unacked::Unacked;
use crate::broker::ids::ChannelId;
use crate::broker::sink::Token;
use crate::message::Message;
use crate::store::loader::Load;
use crate::store::seq::Seq;

/// A message that was taken out by choice.
#[derive(Clone, Debug)]
pub(crate) struct ChosenMessage {
    /// Its name within the queue.
    pub(crate) id: u64,
    pub(crate) message: Message,
    /// What it is finished with, or put back.
    pub(crate) token: Token,
}

impl Queue {
    /// Takes out those of these messages that are ready and in memory; `ids` are sorted. Nobody else can have them until
    /// [`Queue::finish_chosen`] or [`Queue::return_chosen`]. What has expired stays, until it comes to the head of the queue: elsewhere it
    /// would be delivered.
    pub(crate) fn take_chosen(&mut self, ids: &[Seq], channel: ChannelId, now_ms: u64) -> Vec<ChosenMessage> {
        // What is in a file has to be read before; the handle sees to that.
        let may_go = |entry: &Entry| !entry.is_on_disk() && entry.expires_at_ms > now_ms;
        let entries = self.order.ready.take_chosen(ids, may_go);
        let mut chosen = Vec::with_capacity(entries.len());
        for entry in entries {
            let Some(message) = entry.message().cloned() else { continue };
            let id = entry.seq.0;
            // Among the unacknowledged ones, so that a channel that goes gives them back without more ado. They
            // are never late: nobody is to be told.
            let unacked = Unacked { entry, deadline_ms: u64::MAX, delivery: self.order.give_delivery() };
            let holder = self.order.unacked.getter(channel);
            chosen.push(ChosenMessage { id, message, token: self.order.unacked.insert(holder, unacked) });
        }
        chosen
    }

    /// What is to be read of these messages before they can be taken: they are known one by one, and in files only.
    pub(crate) fn loads_of_chosen(&self, ids: &[Seq]) -> Vec<Load> {
        self.order.ready.loads_of(ids)
    }

    /// What is to be read so that the ready message at this place is known one by one.
    pub(crate) fn load_for(&self, place: usize) -> Option<Load> {
        self.order.ready.load_for(place)
    }

    /// Messages that were taken out are elsewhere now.
    pub(crate) fn finish_chosen(&mut self, tokens: &[Token]) {
        for token in tokens {
            if let Some((unacked, _)) = self.order.unacked.remove(*token) {
                // In the transaction of its arrival elsewhere, which the caller has set.
                self.backing.gone(&unacked.entry);
            }
        }
    }

    /// Puts messages back that were taken out. [`Queue::pump`] must follow.
    pub(crate) fn return_chosen(&mut self, tokens: &[Token]) {
        self.turn.owe_pump();
        let removed = tokens.iter().filter_map(|token| self.order.unacked.remove(*token));
        let mut entries: Vec<_> = removed.map(|(unacked, _)| unacked.entry).collect();
        entries.iter_mut().for_each(|entry| self.backing.meet(entry, State::Waiting));
        // To where they were, fresh ones among the fresh: nobody has seen them, so nothing says
        // that they were delivered.
        self.order.ready.put_back(entries);
    }

    /// Deletes those of these messages that are ready: which they were. They do not become dead letters.
    pub(crate) fn delete_chosen(&mut self, ids: &[Seq]) -> Vec<Seq> {
        // Also those in files and those that have expired: nobody needs their bytes.
        let deleted = self.order.ready.take_chosen(ids, |_| true);
        deleted.iter().for_each(|entry| self.backing.gone(entry));
        deleted.iter().map(|entry| entry.seq).collect()
    }
}
