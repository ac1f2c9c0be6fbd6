//! What a queue does because time has passed.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::arguments::QueueKind;
use super::dying::DeathReason;
use super::entry::Entry;
use super::settling::Return;
use super::unacked::HolderId;
use super::{DROPS_MAX, Queue};
use crate::broker::ids::{ChannelId, ConsumerId};
use crate::broker::sink::{Notice, Sink};

/// Consumers, and channels that took messages with `basic.get`, that lose what they hold in one transition because it is late.
const LATE_MAX: usize = 64;

impl Queue {
    /// Does what is due. Tells whether the queue itself is due to be deleted (`x-expires`).
    pub(crate) fn on_timer(&mut self, now_ms: u64) -> bool {
        // First, so that what is found from here on can order the next call.
        self.turn.begin_call();
        // Before anything else: while messages come back nothing may expire, be tried again or be delivered.
        self.go_on_returning();
        // A time-out found more than one step puts back.
        if self.is_returning() {
            self.pump(now_ms);
            self.turn.go_on_later();
            return false;
        }
        // Before the pump: what is taken back can be delivered to others in the same call.
        self.time_out_unacked(now_ms);
        // What is due and left makes the next call due at once: its time is in the past.
        for _ in 0..DROPS_MAX {
            let Some(due) = self.order.held_back.pop_due(now_ms) else { break };
            // In front, in the order in which they are due.
            self.order.ready.push_returned(due);
        }
        self.retry_dead_letters(now_ms);
        self.pump(now_ms);
        if self.is_returning() {
            self.turn.go_on_later();
        }
        // Asked anew: the call was ordered for a time that was right then, and the queue
        // may have been used since.
        self.queue_expiry_ms().is_some_and(|at_ms| at_ms <= now_ms)
    }

    pub(super) fn queue_expiry_ms(&self) -> Option<u64> {
        self.service.expiry_ms(self.arguments.expires_ms)
    }

    /// Whether deliveries may be taken back because they are not acknowledged in time.
    pub(super) fn is_timed(&self) -> bool {
        match self.arguments.kind {
            QueueKind::Quorum => true,
            QueueKind::Classic => self.arguments.is_timed,
        }
    }

    /// Remembers whom to tell when the message that this channel just took with `basic.get` is not acknowledged in time.
    pub(crate) fn remember_getter(&mut self, channel: ChannelId, sink: &Arc<dyn Sink>) {
        if self.is_timed() {
            self.order.unacked.tell(channel, sink);
        }
    }

    /// Takes back what was not acknowledged in time: all that its consumer, or its channel's gets, hold.
    fn time_out_unacked(&mut self, now_ms: u64) {
        let late = std::iter::from_fn(|| self.order.unacked.pop_late(now_ms)).take(LATE_MAX);
        // Each once, and in an order that does not depend on the table: a random history can be repeated.
        let late: BTreeSet<_> = late.collect();
        for (channel, consumer) in late {
            let holders = match consumer {
                Some(id) => self.time_out_consumer(id),
                None => self.time_out_gets(channel),
            };
            self.take_back_from(holders, Return::TimedOut, now_ms);
        }
    }

    fn time_out_consumer(&mut self, id: ConsumerId) -> Vec<HolderId> {
        let Some(consumer) = self.service.consumers.remove(id) else { return Vec::new() };
        // For the text of the refusal, which names the time.
        let timeout_ms = consumer.spec.timeout_ms.or(self.arguments.consumer_timeout_ms);
        // Under the lock of the queue: the outbox's lock may be taken there, and the notice keeps its place
        // behind deliveries that this queue handed over before.
        consumer.spec.sink.notify(Notice::ConsumerTimedOut(id, timeout_ms.unwrap_or_default()));
        consumer.holder.iter().for_each(|holder| self.order.unacked.leave(*holder, None));
        consumer.holder.into_iter().collect()
    }

    fn time_out_gets(&self, channel: ChannelId) -> Vec<HolderId> {
        let holders = self.order.unacked.without_consumer(channel);
        // The first of them that knows it: all belong to one channel, which is closed once.
        if let Some(sink) = holders.iter().find_map(|holder| self.order.unacked.sink_of(*holder)) {
            let timeout_ms = self.arguments.consumer_timeout_ms.unwrap_or_default();
            sink.notify(Notice::GetTimedOut(channel, timeout_ms));
        }
        holders
    }

    /// The time to be called at, unless an earlier call is ordered already.
    pub(super) fn order_call(&mut self) -> Option<u64> {
        let times = [
            self.order.ready.next_expiry_ms(),
            self.queue_expiry_ms(),
            self.order.unacked.next_look_ms(),
            self.order.dying.retry_ms(),
            self.order.held_back.next_due_ms(),
            self.turn.is_behind().then_some(0),
        ];
        self.turn.order_call(times.into_iter().flatten().min())
    }

    /// Drops what is due at `now_ms`, from the heads.
    pub(super) fn expire(&mut self, now_ms: u64) {
        self.expire_before(now_ms.saturating_add(1));
    }

    pub(super) fn expire_before(&mut self, limit_ms: u64) {
        let is_dropped = self.arguments.dead_letters.is_none();
        // What becomes a dead letter must be in memory first; what is dropped need not.
        let is_due = |entry: &Entry| entry.expires_at_ms < limit_ms && (is_dropped || !entry.is_on_disk());
        loop {
            while self.turn.may_drop()
                && let Some(entry) = self.order.ready.pop_due(is_due)
            {
                self.turn.count_drop();
                self.dead_letter(entry, DeathReason::Expired);
            }
            if !self.turn.may_drop() {
                // The heads are still due, so that the next call is ordered for now.
                return;
            }
            // Nobody wants to see what is dropped: it need not be read.
            let part = if is_dropped { self.order.ready.pop_due_part(limit_ms) } else { None };
            let Some(part) = part else { break };
            self.turn.count_drop();
            // The whole part at once, because its latest message is due. It costs the same for a million.
            self.passed.count_deaths(DeathReason::Expired, u64::from(part.all.messages));
            self.backing.freed(part.stretch());
        }
        // The head may be due and in a file, with a dead letter exchange that wants it: then it is read, and
        // looked at when it is there.
        let load = self.order.ready.load_due(limit_ms);
        self.turn.order_load(load);
    }
}
