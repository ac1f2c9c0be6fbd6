//! Deliveries of the naive queue, and what expires or is too much.

use std::collections::VecDeque;

use super::message::{ModelMessage, Place, Unacked};
use super::{Model, Observed, Seen};
use crate::broker::queue::arguments::{Overflow, QueueKind};
use crate::broker::queue::{DELIVERY_OVERHEAD_BYTES, DeathReason};
use crate::message::DeliveryCounts;

impl Model {
    /// Checks the deliveries that were observed, one by one in the queue's order, and drops what the queue must have dropped.
    pub(in super::super) fn pump(&mut self, observed: &mut Observed) {
        if self.is_returning() {
            return;
        }
        while !self.consumers.is_empty() {
            let Some(head) = self.order().first().map(|head| (*head).clone()) else { break };
            if head.expires_at_ms < self.now_ms {
                self.expire(self.now_ms - 1);
                continue;
            }
            let found = observed.iter().find(|(_, seen)| seen.front().is_some_and(|seen| seen.id == head.id));
            let Some(id) = found.map(|(id, _)| *id) else {
                let idle = self.consumers.iter().find(|consumer| self.is_eligible(consumer));
                assert!(idle.is_none(), "message {} is ready, and idle is {idle:?}", head.id);
                break;
            };
            let seen = observed.get_mut(&id).and_then(VecDeque::pop_front).expect("it was just looked at");
            self.check_turn(id, &head);
            let consumer = self.consumers.iter_mut().find(|consumer| consumer.new.id == id).expect("checked");
            if consumer.room_bytes != usize::MAX {
                let cost = seen_cost(head.body_bytes);
                consumer.room_bytes = consumer.room_bytes.saturating_sub(cost);
            }
            let (channel, no_ack) = (consumer.new.channel, consumer.new.no_ack);
            assert_eq!(seen.token.is_none(), no_ack, "message {}", head.id);
            self.deliver(&seen, channel, Some(id));
        }
        self.expire(self.now_ms);
        self.trim();
    }

    pub(super) fn check_turn(&self, id: u64, head: &ModelMessage) {
        let Some(consumer) = self.consumers.iter().find(|consumer| consumer.new.id == id) else {
            panic!("consumer {id} is gone, and got message {}", head.id);
        };
        assert!(self.is_eligible(consumer), "message {} went to {consumer:?}, which has no credit or no room", head.id);
        let better =
            self.consumers.iter().find(|other| other.new.priority > consumer.new.priority && self.is_eligible(other));
        assert!(better.is_none(), "message {} went to {consumer:?} before {better:?}", head.id);
    }

    pub(super) fn deliver(&mut self, seen: &Seen, channel: u64, consumer: Option<u64>) {
        let delivery = self.number();
        let spec = self.consumers.iter().find(|spec| consumer == Some(spec.new.id));
        let timeout_ms = spec.and_then(|spec| spec.new.timeout_ms).or(self.arguments.consumer_timeout_ms);
        let deadline_ms = timeout_ms.map_or(u64::MAX, |timeout_ms| self.now_ms + timeout_ms);
        let at = self.messages.iter().position(|message| message.id == seen.id).expect("it is in the queue");
        let message = &mut self.messages[at];
        let DeliveryCounts { acquired, failed } = message.counts;
        let counts = match self.arguments.kind {
            QueueKind::Classic => DeliveryCounts::default(),
            // Failures elsewhere are shown as deliveries until there are deliveries here.
            QueueKind::Quorum => DeliveryCounts { acquired: if acquired == 0 { failed } else { acquired }, failed },
        };
        let expected = Seen {
            id: message.id,
            token: seen.token,
            redelivered: std::mem::replace(&mut message.redelivered, true),
            counts,
        };
        assert_eq!(seen, &expected);
        match seen.token {
            None => {
                self.messages.remove(at);
            }
            Some(token) => {
                message.place = Place::Unacked(Unacked {
                    token,
                    channel,
                    consumer,
                    is_consumed: consumer.is_some(),
                    deadline_ms,
                    delivery,
                })
            }
        }
    }

    pub(super) fn expire(&mut self, limit_ms: u64) {
        loop {
            let due = self.heads().into_iter().find(|head| head.expires_at_ms <= limit_ms).map(|head| head.id);
            let Some(id) = due else { break };
            let message = self.remove(id);
            self.kill(message, DeathReason::Expired);
        }
    }

    pub(super) fn trim(&mut self) {
        if self.arguments.overflow != Overflow::DropHead {
            return;
        }
        let max = self.arguments.max_length.unwrap_or(u64::MAX);
        let max_bytes = self.arguments.max_length_bytes.unwrap_or(u64::MAX);
        while self.size().0 > max || self.size().1 > max_bytes {
            // What is held back counts, and cannot be dropped.
            let Some(head) = self.order().first().map(|head| head.id) else { break };
            let message = self.remove(head);
            self.kill(message, DeathReason::MaxLength);
        }
    }

    pub(super) fn remove(&mut self, id: u32) -> ModelMessage {
        let at = self.messages.iter().position(|message| message.id == id).expect("it is in the queue");
        self.messages.remove(at)
    }
}

fn seen_cost(body_bytes: u64) -> usize {
    usize::try_from(body_bytes).expect("small") + DELIVERY_OVERHEAD_BYTES
}
