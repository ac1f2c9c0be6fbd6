//! From ready to a consumer, or to a client that asks.

use super::Queue;
use super::arguments::QueueKind;
use super::consumers::Taker;
use super::entry::Entry;
use super::passed::HandedOut;
use super::ready::Head;
use super::unacked::Unacked;
use crate::broker::ids::{ChannelId, ConsumerId};
use crate::broker::profile::Counted;
use crate::broker::sink::Delivery;
use crate::message::DeliveryCounts;
use crate::store::loader::Load;

/// The answer to `basic.get`.
#[derive(Debug)]
pub(crate) enum Got {
    /// A message, and the number of messages still ready.
    Delivery(Box<Delivery>, usize),
    /// The head is in a segment file: it is to be read, and the question to be asked again.
    OnDisk(Load),
    /// More than one transition drops has expired at the head, or messages come back: the question is to be asked again.
    Busy,
    /// There is none.
    Empty,
}

/// Messages that one transition delivers: the next one goes on, at once. So many are about a millisecond.
const DELIVERIES_MAX: usize = 4096;

/// When a delivery is late; `u64::MAX` for never.
fn deadline_ms(timeout_ms: Option<u64>, now_ms: u64) -> u64 {
    timeout_ms.map_or(u64::MAX, |timeout_ms| now_ms.saturating_add(timeout_ms))
}

impl Queue {
    /// Delivers what can be delivered now, then drops what expired and what is too much. Every transition that adds messages,
    /// consumers or credit ends with it.
    pub(crate) fn pump(&mut self, now_ms: u64) {
        // Also if nothing can be done yet: the transition that puts back the last message pumps again.
        self.turn.note_pump();
        self.service.note_time(now_ms);
        // A message that still comes back may belong in front of everything that is ready, and the order of
        // delivery would be wrong.
        if self.is_returning() {
            return;
        }
        // Deliver first, then drop: with a length limit or a time to live of zero, a message that a consumer
        // can take at once is delivered and not dropped (behaviour reference 6.1).
        if self.deliver_ready(now_ms) {
            self.expire(now_ms);
            self.trim();
        } else {
            // What a consumer can still be given neither expires in this moment nor is it too much.
            self.turn.go_on_later();
        }
    }

    /// False if more can be delivered than one transition does.
    fn deliver_ready(&mut self, now_ms: u64) -> bool {
        // Nobody can take anything: the limits are looked at all the same.
        if !self.service.is_open() {
            return true;
        }
        let mut left = DELIVERIES_MAX;
        while left > 0
            && let Some(Head::InMemory(head)) = self.order.ready.head()
        {
            // A message whose time to live is zero is still delivered in the same moment (behaviour reference 6.1).
            if head.expires_at_ms < now_ms {
                if !self.turn.may_drop() {
                    break;
                }
                self.expire_before(now_ms);
                continue;
            }
            // Asked last, when there is a message that will go out: the answer has taken credit and room
            // already, and nobody would give them back.
            let body_bytes = usize::try_from(head.body_bytes()).unwrap_or(usize::MAX);
            let Some(taker) = self.service.consumers.next(body_bytes) else { break };
            left -= 1;
            let Some(entry) = self.order.ready.pop() else { break };
            if let Some(delivery) = self.hand_out(entry, taker, now_ms) {
                self.service.consumers.hand(delivery);
            }
        }
        // Once for all: one lock of the outbox and one wake-up for each consumer, however
        // many deliveries it got.
        self.service.consumers.flush();
        // Read only if somebody wants it: a queue without consumers leaves its messages in files, also if the
        // first one is a delivery away.
        if self.service.consumers.is_waiting() {
            let load = self.order.ready.load_head();
            self.turn.order_load(load);
        }
        left > 0
    }

    /// Makes a delivery of an entry that was taken out; it is unacked from now on, or gone.
    fn hand_out(&mut self, mut entry: Entry, taker: Taker, now_ms: u64) -> Option<Delivery> {
        // A clone of an `Arc` and an offset. The entry keeps the message, so that it can be
        // delivered again without a read.
        let message = entry.message()?.clone();
        // Set with the delivery and not with the return: every way back passes here first, whatever ends it.
        let redelivered = std::mem::replace(&mut entry.redelivered, true);
        // Only what came back, or died before, has any.
        let counts = if redelivered {
            self.note_redelivery(&entry);
            self.shown_counts(&entry)
        } else {
            DeliveryCounts::default()
        };
        // The mark rises with the delivery itself: after a crash, whatever is below it may have been seen by a
        // client, and comes as redelivered.
        self.backing.delivered(&entry);
        let (to_consumer, no_ack) = (taker.consumer.is_some(), taker.no_ack);
        self.passed.count_delivery(HandedOut { to_consumer, no_ack, redelivered });
        // It is gone at once, so there is nothing to settle, and no token for it.
        let token = if taker.no_ack {
            self.backing.gone(&entry);
            None
        } else {
            let deadline_ms = deadline_ms(taker.timeout_ms.or(self.arguments.consumer_timeout_ms), now_ms);
            // Numbers ascend for the whole queue: the order in which messages of several
            // holders come back is theirs.
            let delivery = self.order.give_delivery();
            let holder = taker.holder.unwrap_or_else(|| self.order.unacked.getter(taker.channel));
            Some(self.order.unacked.insert(holder, Unacked { entry, deadline_ms, delivery }))
        };
        Some(Delivery { consumer: taker.consumer.unwrap_or(ConsumerId(0)), message, token, redelivered, counts })
    }

    /// A crash may come before this delivery ends, and then it has failed. The mark of delivered messages tells it of the first
    /// delivery only: see `settling::count_interrupted`.
    #[cold]
    fn note_redelivery(&mut self, entry: &Entry) {
        // With zero the mark is enough: a classic queue counts none, and a dead letter that failed elsewhere is
        // delivered here for the first time.
        if entry.counts.acquired > 0 {
            self.backing.note_counts(entry, entry.counts.interrupted());
        }
    }

    /// What a client is told of earlier deliveries. Where all returns count they are one number, `x-delivery-count`. Else, while this queue has none of its own, failed ones elsewhere are shown as both
    /// (behaviour reference 6.3).
    fn shown_counts(&self, entry: &Entry) -> DeliveryCounts {
        let DeliveryCounts { acquired, failed } = entry.counts;
        match self.arguments.kind {
            // Classic queues show neither header (behaviour reference 5.6).
            QueueKind::Classic => DeliveryCounts::default(),
            QueueKind::Quorum if self.arguments.counted == Counted::Returns => DeliveryCounts { acquired: 0, failed },
            QueueKind::Quorum if acquired == 0 => DeliveryCounts { acquired: failed, failed },
            QueueKind::Quorum => entry.counts,
        }
    }

    /// Takes the head for `basic.get`; with the number of messages still ready.
    pub(crate) fn get(&mut self, channel: ChannelId, no_ack: bool, now_ms: u64) -> Got {
        // An empty answer is a use of the queue, too.
        self.service.touch(now_ms);
        // The client must find what it returned itself just before, so the returns go first; but only
        // one step under this lock.
        if self.is_returning() {
            self.go_on_returning();
            self.pump(now_ms);
            if self.is_returning() {
                return Got::Busy;
            }
        }
        // Before the head is taken: what is due is not handed out. With a consumer a message may still go in
        // the moment in which it expires; a get comes too late for that.
        self.expire(now_ms);
        // The budget is used up and the head may still be one that is due.
        if !self.turn.may_drop() {
            return Got::Busy;
        }
        // Nobody is given anything in a pause, whichever way it asks.
        if self.service.is_paused() {
            self.passed.count_empty_get();
            return Got::Empty;
        }
        if matches!(self.order.ready.head(), Some(Head::OnDisk(_)))
            && let Some(load) = self.order.ready.head_load()
        {
            return Got::OnDisk(load);
        }
        // The place in the table is made with the message: an empty one would have to be taken away again.
        let taker = Taker { consumer: None, channel, holder: None, no_ack, timeout_ms: None };
        let delivery = self.order.ready.pop().and_then(|entry| self.hand_out(entry, taker, now_ms));
        if self.arguments.kind.rules().expires_behind_got {
            // What is expired right behind it is not counted (behaviour reference 5.5).
            self.expire(now_ms);
        }
        match delivery {
            Some(delivery) => Got::Delivery(Box::new(delivery), self.order.ready.len()),
            None => {
                self.passed.count_empty_get();
                Got::Empty
            }
        }
    }
}
