//! What clients are given, and say to it.

use std::sync::Arc;

use leveret::internals::broker::ids::ChannelId;
use leveret::internals::broker::queue::{QueueHandle, Return, Settlement};
use leveret::internals::broker::sink::{Delivery, Sink};
use leveret::internals::store::{StoredLog, TransactionId};

use super::{Actor, GETTER, Held};
use crate::ledger::Span;
use crate::probe::identify;
use crate::queues::{DELIVERY_LIMIT, QUEUES, kind};

impl Actor {
    pub(super) fn get(&mut self) {
        let name = self.random.pick(&QUEUES).name;
        let no_ack = self.random.one_in(3);
        let Some(queue) = self.queue(name) else { return };
        let before = self.wal.head();
        let sink = Arc::clone(&self.basket) as Arc<dyn Sink>;
        self.note(format!("get from {name}, no_ack {no_ack}"));
        if let Ok(Some((delivery, _))) = queue.get(GETTER, &sink, no_ack, self.now_ms) {
            self.delivered(&delivery, name, &queue, GETTER, before);
        }
        self.collect(before);
    }

    /// Notes what consumers were given since then.
    pub(super) fn collect(&mut self, before: u64) {
        let deliveries = std::mem::take(&mut *self.basket.0.lock().unwrap());
        for delivery in deliveries {
            let consumer = &self.consumers[&delivery.consumer];
            let (queue, handle, channel) = (consumer.queue, Arc::clone(&consumer.handle), consumer.channel);
            self.delivered(&delivery, queue, &handle, channel, before);
        }
    }

    pub(super) fn delivered(
        &mut self,
        delivery: &Delivery,
        queue: &'static str,
        handle: &Arc<QueueHandle>,
        channel: ChannelId,
        before: u64,
    ) {
        let span = Span { from: before, to: self.wal.head() };
        let id = identify(&delivery.message);
        self.note(format!("delivered {id} from {queue}, redelivered {}", delivery.redelivered));
        let entry = self.ledger.find(id, queue).unwrap_or_else(|| panic!("{id} of {queue} was never published"));
        assert!(!entry.is_gone() && !entry.is_held, "{delivery:?} of {queue} is delivered twice: {entry:?}");
        let chain = kind(entry.home).chain();
        let deaths = chain.iter().position(|name| *name == queue).unwrap();
        entry.deaths.push((span, deaths));
        if deaths == 0 {
            assert_eq!((delivery.counts.acquired, delivery.counts.failed), entry.counts, "{entry:?}");
            assert!(delivery.redelivered || entry.delivered.is_none(), "{entry:?} is not redelivered");
            entry.delivered.get_or_insert(span);
            if kind(queue).is_quorum {
                // As if it had failed, until it is known how it ends.
                let (acquired, failed) = entry.counts;
                entry.recorded.push((span, (acquired + 1, failed + 1)));
            }
        }
        match delivery.token {
            // It was given to a consumer that was taken off in the same moment, and is back already.
            Some(_) if self.closing == Some(channel) => self.count(id, queue, Return::Lost, before),
            Some(token) => {
                entry.is_held = true;
                self.held.push(Held { queue, handle: Arc::clone(handle), token, channel, id });
            }
            None => entry.settled = Some(span),
        }
    }

    pub(super) fn take_held(&mut self) -> Option<Held> {
        if self.held.is_empty() {
            return None;
        }
        let at = self.random.below(self.held.len());
        Some(self.held.swap_remove(at))
    }

    /// Acknowledges or rejects one.
    pub(super) fn settle(&mut self) {
        let Some(Held { queue, handle, token, id, .. }) = self.take_held() else { return };
        let settlement = *self.random.pick(&[
            Settlement::Acked,
            Settlement::Acked,
            Settlement::Acked,
            Settlement::Rejected,
            Settlement::Nacked,
        ]);
        let before = self.wal.head();
        self.note(format!("settle {id} of {queue}: {settlement:?}"));
        self.ledger.find(id, queue).unwrap().is_held = false;
        handle.settle([token], settlement, TransactionId::NONE, self.now_ms);
        let span = Span { from: before, to: self.wal.head() };
        let entry = self.ledger.find(id, queue).unwrap();
        if settlement == Settlement::Acked || kind(queue).next.is_none() && !kind(queue).keeps_dead {
            entry.settled = Some(span);
        } else if kind(queue).next.is_some() && !kind(queue).is_quorum {
            // It is published as a dead letter at once, wherever it was; or later, if it cannot be read now, but then the client is told nothing until it is.
            let deaths = kind(entry.home).chain().iter().position(|name| *name == queue).unwrap();
            let to = if self.wal.owes() { Span::UNTOLD } else { span.to };
            entry.deaths.push((Span { to, ..span }, deaths + 1));
        }
        entry.is_kept_dead = settlement != Settlement::Acked;
        if settlement != Settlement::Acked && kind(queue).is_quorum {
            let (acquired, failed) = entry.counts;
            entry.counts = (acquired + 1, failed + u32::from(settlement == Settlement::Rejected));
            entry.recorded.push((span, entry.counts));
        }
        self.collect(before);
    }

    pub(super) fn return_some(&mut self) {
        let cause = *self.random.pick(&[Return::Rejected, Return::Nacked]);
        let Some(Held { queue, handle, token, id, .. }) = self.take_held() else { return };
        let before = self.wal.head();
        self.note(format!("return {id} to {queue}: {cause:?}"));
        self.ledger.find(id, queue).unwrap().is_held = false;
        self.count(id, queue, cause, before);
        handle.requeue(vec![token], cause, self.now_ms);
        self.close_counts(before);
        self.collect(before);
    }

    pub(super) fn count(&mut self, id: u64, queue: &str, cause: Return, before: u64) {
        let entry = self.ledger.find(id, queue).unwrap();
        if kind(queue).is_quorum {
            let (acquired, failed) = entry.counts;
            let is_failure = matches!(cause, Return::Rejected | Return::Lost);
            entry.counts = (acquired + 1, failed + u32::from(is_failure));
            entry.recorded.push((Span { from: before, to: u64::MAX }, entry.counts));
            entry.is_kept_dead |= entry.counts.1 > DELIVERY_LIMIT;
        }
    }

    pub(super) fn close_counts(&mut self, before: u64) {
        let to = self.wal.head();
        for entry in &mut self.ledger.entries {
            for (span, _) in &mut entry.recorded {
                if span.from == before && span.to == u64::MAX {
                    span.to = to;
                }
            }
        }
    }
}
