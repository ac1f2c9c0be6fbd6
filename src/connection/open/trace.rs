//! What is published and delivered on a connection is shown to those who trace its virtual host. It is looked at once for a whole batch
//! whether anybody does.

use super::Open;
use super::deliver::delivered_properties;
use super::publish::PendingPublish;
use crate::broker::own::TracedBy;
use crate::broker::queue::QueueHandle;
use crate::broker::sink::Delivery;
use crate::connection::aside::one_by_one;
use crate::connection::effort::Effort;

impl Open {
    /// Shows messages that are about to be published.
    pub(super) fn trace_publishes(&mut self, publishes: &[PendingPublish], now_ms: u64) {
        if !self.vhost.is_traced() {
            return;
        }
        let connection = self.registration.info().spec.name();
        one_by_one(&mut self.effort, publishes.iter(), |(pending, message), effort| {
            let by = TracedBy { connection: &connection, channel: pending.ticket.channel(), user: &self.user.name };
            self.vhost.trace_published(message, &pending.route, by, now_ms, effort);
        });
    }

    /// Shows the deliveries that were just taken from the outbox.
    pub(super) fn trace_deliveries(&mut self, now_ms: u64) {
        if !self.vhost.is_traced() {
            return;
        }
        let mut effort = std::mem::take(&mut self.effort);
        one_by_one(&mut effort, self.inbox.waiting(), |delivery, effort| {
            let number = self.channels.number_of(delivery.consumer);
            let channel = number.and_then(|number| self.channels.get(number));
            let consumer = channel.and_then(|channel| channel.consumers.get(&delivery.consumer));
            let queue = consumer.and_then(|consumer| consumer.queue.as_ref());
            if let (Some(number), Some(queue)) = (number, queue) {
                self.show_delivery(number, queue, delivery, now_ms, effort);
            }
        });
        self.effort = effort;
    }

    /// Shows a message that a client got.
    pub(super) fn trace_got(&mut self, number: u16, queue: &QueueHandle, delivery: &Delivery, now_ms: u64) {
        if self.vhost.is_traced() {
            let mut effort = std::mem::take(&mut self.effort);
            self.show_delivery(number, queue, delivery, now_ms, &mut effort);
            self.effort = effort;
        }
    }

    fn show_delivery(&self, number: u16, queue: &QueueHandle, delivery: &Delivery, now_ms: u64, effort: &mut Effort) {
        let properties = delivered_properties(&delivery.message, delivery.counts);
        let connection = self.registration.info().spec.name();
        let by = TracedBy { connection: &connection, channel: number, user: &self.user.name };
        let message = (&delivery.message, &*properties);
        self.vhost.trace_delivered(&queue.spec.name, message, delivery.redelivered, by, now_ms, effort);
    }
}
