//! Messages that an administrator chose: what is in files is read first, when nothing is locked.

use std::sync::Arc;

use super::QueueHandle;
use super::dead_letters::{WhenOnDisk, publish_dead_letters};
use crate::broker::ids::ChannelId;
use crate::broker::queue::{ChosenMessage, Queue};
use crate::broker::sink::Token;
use crate::store::loader::Load;
use crate::store::seq::Seq;
use crate::store::{LogPosition, TransactionId};

/// A message as somebody chose it who looked at it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Where it was among the ready messages: it tells how far to read. A message that is not there any more is found by its id.
    pub position: usize,
    /// Its name within the queue.
    pub id: u64,
}

/// Blocks of files that are read to find chosen messages: 16 MiB.
const BLOCKS_MAX: usize = 64;

impl QueueHandle {
    /// Takes chosen messages out, as [`Queue::take_chosen`] does. They belong to this channel, which must be a new one.
    pub(crate) fn take_chosen(
        self: &Arc<Self>,
        chosen: &[Choice],
        channel: ChannelId,
        now_ms: u64,
    ) -> Vec<ChosenMessage> {
        let ids = sorted(chosen);
        // First whole parts, so that the chosen ones are known one by one; then those that
        // are known and in files.
        self.read_up_to(chosen, now_ms);
        let loads = self.state.lock().loads_of_chosen(&ids);
        for load in loads {
            self.read_in(load, now_ms);
        }
        // What has left the queue meanwhile is not taken; the caller tells which it got.
        self.transition(now_ms, |queue| queue.take_chosen(&ids, channel, now_ms))
    }

    /// Deletes chosen messages: which they were, and what must be durable before anybody is told.
    pub fn delete_chosen(self: &Arc<Self>, chosen: &[Choice], now_ms: u64) -> (Vec<u64>, LogPosition) {
        self.read_up_to(chosen, now_ms);
        let (deleted, position) = self.changed(now_ms, |queue| queue.delete_chosen(&sorted(chosen)));
        (deleted.into_iter().map(|seq| seq.0).collect(), position)
    }

    /// Messages that were taken out are elsewhere now, in this transaction.
    pub(in crate::broker) fn finish_chosen(
        self: &Arc<Self>,
        tokens: &[Token],
        transaction: TransactionId,
        now_ms: u64,
    ) -> LogPosition {
        let finished = self.changed(now_ms, |queue| {
            queue.journal().set_transaction(transaction);
            queue.finish_chosen(tokens);
            queue.pump(now_ms);
        });
        finished.1
    }

    /// Puts messages back that were taken out.
    pub(in crate::broker) fn return_chosen(self: &Arc<Self>, tokens: &[Token], now_ms: u64) {
        self.changed(now_ms, |queue| {
            queue.return_chosen(tokens);
            queue.pump(now_ms);
        });
    }

    fn changed<R>(self: &Arc<Self>, now_ms: u64, change: impl FnOnce(&mut Queue) -> R) -> (R, LogPosition) {
        let mut with_dead_letters = Vec::new();
        let changed = self.transition_deferred(&mut with_dead_letters, change);
        publish_dead_letters(with_dead_letters, WhenOnDisk::Order, now_ms);
        changed
    }

    /// Has parts of files read until the last of the chosen messages is known one by one, or so much was read that it would crowd the
    /// memory.
    fn read_up_to(self: &Arc<Self>, chosen: &[Choice], now_ms: u64) {
        let Some(place) = chosen.iter().map(|choice| choice.position).max() else { return };
        // One block a turn, each with the lock free while the file is read.
        for _ in 0..BLOCKS_MAX {
            let Some(load) = self.state.lock().load_for(place) else { return };
            if !self.read_in(load, now_ms) {
                return;
            }
        }
    }

    fn read_in(self: &Arc<Self>, load: Load, now_ms: u64) -> bool {
        let Some(loaded) = self.read(load, || {}) else { return false };
        self.transition(now_ms, |queue| {
            self.take(queue, loaded);
            queue.pump(now_ms);
        });
        true
    }
}

fn sorted(chosen: &[Choice]) -> Vec<Seq> {
    let mut ids: Vec<_> = chosen.iter().map(|choice| Seq(choice.id)).collect();
    ids.sort_unstable();
    ids
}
