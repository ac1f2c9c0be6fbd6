//! The way of a delivery from the outbox to the socket: it gets its delivery tag here.

use std::borrow::Cow;

use super::Open;
use crate::broker::ids::ConsumerId;
use crate::broker::profile::Timed;
use crate::broker::publisher::visible_properties;
use crate::broker::sink::{Delivery, Notice};
use crate::connection::outbox::{Outbox, close_reason, delivery_bytes};
use crate::error::{AmqpError, MethodId};
use crate::impossible::impossible;
use crate::message::DeliveryCounts;
use crate::message::Message;
use crate::properties::Properties;
use crate::protocol::command::Reply;
use crate::protocol::fast;
use crate::table::Value;

/// Above so many unwritten bytes no more deliveries are encoded: they wait where they can still be given to others.
const OUTPUT_HIGH_WATER_BYTES: usize = 512 * 1024;

/// What was taken from the outbox and is not dealt with yet.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// In reverse order: the next one is the last.
    deliveries: Vec<Delivery>,
    notices: Vec<Notice>,
    /// Notices that wait for the answer to a method, because a client expects what the method did only behind its answer.
    postponed: Vec<Notice>,
    /// Bytes of the deliveries that were encoded when the output held little: one message more than a socket takes soon, at most.
    delivered_bytes: usize,
}

impl Inbox {
    /// Forgets everything, and takes nothing more; what was to be acknowledged is in its queue again.
    pub(super) fn close(&mut self, outbox: &Outbox) {
        *self = Self::default();
        outbox.close();
    }

    /// The deliveries that wait, in their order.
    pub(super) fn waiting(&self) -> impl ExactSizeIterator<Item = &Delivery> {
        self.deliveries.iter().rev()
    }

    /// Bytes of the deliveries that the output may still hold.
    pub(super) const fn delivered_bytes(&self) -> usize {
        self.delivered_bytes
    }

    const fn has_notices(&self, is_answering: bool) -> bool {
        !self.notices.is_empty() || !self.postponed.is_empty() && !is_answering
    }

    /// Whether deliveries wait for the output to be written.
    pub(super) fn is_waiting(&self) -> bool {
        !self.deliveries.is_empty()
    }
}

impl Open {
    /// Encodes what the outbox holds, as far as the output takes it.
    ///
    /// # Errors
    /// What the connection is to be closed with, because somebody told it to close.
    pub(in crate::connection) fn deliver(&mut self, now_ms: u64) -> Result<(), AmqpError> {
        // Confirms before deliveries: the client may have nothing left to do but wait for them.
        self.send_what_is_durable();
        self.take_urgent_notices()?;
        loop {
            // The outbox wakes nobody for more deliveries until these were taken, so what it holds behind them is looked for, too.
            let had_waited = self.inbox.is_waiting();
            if !had_waited && self.inbox.notices.is_empty() {
                self.outbox.take(&mut self.inbox.deliveries, &mut self.inbox.notices);
                // So that the next one is taken from the end, and nothing is moved.
                self.inbox.deliveries.reverse();
                self.trace_deliveries(now_ms);
            }
            self.encode_deliveries();
            // Only behind all deliveries that came before: a `basic.cancel` in front of its consumer's last
            // message would be wrong.
            if !self.inbox.is_waiting() && self.inbox.has_notices(self.log_waits.is_answering()) {
                self.take_notices(now_ms)?;
            }
            if self.inbox.is_waiting() {
                break;
            }
            // There is room for half an outbox: the queues that wait fill it here, and it
            // is looked at once more.
            if self.outbox.relieves_starvation() {
                self.resume_consumers(now_ms);
            } else if !had_waited {
                break;
            }
        }
        self.channels.report();
        self.channels.check();
        self.node.check_memory();
        Ok(())
    }

    /// The end of an alarm, and that the connection is to be closed: these do not wait until the client reads. One that writes
    /// before it reads would wait for the broker, which waits for it.
    fn take_urgent_notices(&mut self) -> Result<(), AmqpError> {
        self.unblock();
        // Then `take_notices` comes to all of them in this call.
        if !self.inbox.is_waiting() {
            return Ok(());
        }
        let reason = close_reason(&self.inbox.notices).or_else(|| self.outbox.close_reason());
        reason.map_or(Ok(()), Err)
    }

    fn encode_deliveries(&mut self) {
        let mut encoded_bytes = 0;
        if self.output.pending_bytes() < OUTPUT_HIGH_WATER_BYTES {
            self.inbox.delivered_bytes = 0;
        }
        let waiting = self.inbox.deliveries.len();
        // What is encoded has its tag and cannot go to anybody else, so it is no more than
        // the socket takes soon.
        while self.output.pending_bytes() < OUTPUT_HIGH_WATER_BYTES
            && let Some(delivery) = self.inbox.deliveries.pop()
        {
            encoded_bytes += delivery_bytes(&delivery);
            self.encode(&delivery);
        }
        self.inbox.delivered_bytes += encoded_bytes;
        if encoded_bytes > 0 {
            // Once for all of them: each call may have queues look.
            self.outbox.encoded(encoded_bytes);
            let encoded = waiting - self.inbox.deliveries.len();
            self.effort.spend_bytes(encoded, encoded_bytes);
            self.patience.hand(encoded);
        }
        if self.inbox.deliveries.is_empty() && self.inbox.deliveries.capacity() > KEPT_DELIVERIES {
            self.inbox.deliveries = Vec::new();
        }
    }

    /// Encodes what was handed over until now, however much there is: at most what the outbox holds.
    pub(super) fn encode_everything(&mut self, now_ms: u64) {
        loop {
            while let Some(delivery) = self.inbox.deliveries.pop() {
                // The room is given back, and nobody is woken for it here: the caller is
                // about to answer a method.
                self.outbox.encoded(delivery_bytes(&delivery));
                // The largest of them, and not their sum: consumers can be cancelled over and over while the output is full.
                self.inbox.delivered_bytes = self.inbox.delivered_bytes.max(delivery_bytes(&delivery));
                self.encode(&delivery);
            }
            let mut notices = Vec::new();
            self.outbox.take(&mut self.inbox.deliveries, &mut notices);
            self.inbox.notices.append(&mut notices);
            self.inbox.deliveries.reverse();
            self.trace_deliveries(now_ms);
            if self.inbox.deliveries.is_empty() {
                break;
            }
        }
    }

    /// A delivery whose consumer is gone is dropped: its channel was closed, and its queue took it back then.
    fn encode(&mut self, delivery: &Delivery) {
        let Some((number, channel)) = self.channels.of_consumer(delivery.consumer) else { return };
        // The tag is given as late as this, in the order in which the client sees deliveries.
        let Some((delivery_tag, consumer_tag)) = channel.tag_delivery(delivery) else {
            return impossible!("channel {number} does not know its consumer {:?}", delivery.consumer);
        };
        let method = fast::Deliver {
            channel: number,
            consumer_tag: consumer_tag.as_bytes(),
            delivery_tag,
            redelivered: delivery.redelivered,
        };
        let message = &delivery.message;
        let properties = delivered_properties(message, delivery.counts);
        self.output.push_message(&method, message, &properties, self.tuning.frame_max);
        self.channels.touch(number);
    }

    /// Makes consumers try again that found no room, until there is no more of it.
    fn resume_consumers(&self, now_ms: u64) {
        while let Some(id) = self.outbox.next_starved() {
            let channel = self.channels.number_of(id).and_then(|number| self.channels.get(number));
            let consumer = channel.and_then(|channel| channel.consumers.get(&id));
            if let Some(queue) = consumer.and_then(|consumer| consumer.queue.as_ref()) {
                queue.resume(id, now_ms);
            }
        }
    }

    /// Tells queues whose publishers wait that there is nothing more to be written, or that the client takes nothing more.
    pub(super) fn tell_queues_of_pace(&self) {
        while let Some(id) = self.outbox.next_watched() {
            let channel = self.channels.number_of(id).and_then(|number| self.channels.get(number));
            let consumer = channel.and_then(|channel| channel.consumers.get(&id));
            if let Some(queue) = consumer.and_then(|consumer| consumer.queue.as_ref()) {
                queue.look_at_pace();
            }
        }
    }

    fn take_notices(&mut self, now_ms: u64) -> Result<(), AmqpError> {
        let is_answering = self.log_waits.is_answering();
        let mut notices = std::mem::take(&mut self.inbox.postponed);
        notices.append(&mut self.inbox.notices);
        for notice in notices {
            match notice {
                Notice::Close(error) => return Err(error),
                // It has woken the connection, which looks at the alarm each time.
                Notice::AlarmChanged => {}
                // The answer to a method waits for the log: what the method set off comes behind it.
                notice if is_answering => self.inbox.postponed.push(notice),
                Notice::ConsumerCancelled(consumer) => self.send_cancel(consumer),
                Notice::ConsumerTimedOut(consumer, timeout_ms) => self.time_out(consumer, timeout_ms, now_ms),
                Notice::GetTimedOut(id, timeout_ms) => {
                    let found = self.channels.iter().find(|(_, channel)| channel.id == id);
                    if let Some(number) = found.map(|(number, _)| number) {
                        self.close_channel(number, &self.delivery_timeout(number, timeout_ms), now_ms);
                    }
                }
            }
        }
        Ok(())
    }

    /// `basic.cancel`, to clients that understand it (behaviour reference 5.4).
    pub(super) fn send_cancel(&mut self, id: ConsumerId) {
        // The client may have cancelled it, or closed its channel, meanwhile.
        let Some((number, consumer)) = self.channels.remove_consumer(id) else { return };
        // It is not to be resumed, nor its queue told of anything.
        self.outbox.forget(id);
        self.tell_of_consumer("deleted", number, &consumer, None);
        if self.client.capabilities.consumer_cancel_notify {
            self.reply(number, &Reply::BasicCancel { consumer_tag: consumer.consumer_tag.to_string() });
        }
    }

    /// A delivery was not acknowledged in time (behaviour reference 7.2).
    fn time_out(&mut self, id: ConsumerId, timeout_ms: u64, now_ms: u64) {
        let may_cancel = self.node.settings.profile().consumer_timeout == Timed::QuorumOnly;
        if may_cancel && self.client.capabilities.consumer_cancel_notify {
            self.send_cancel(id);
        } else if let Some(number) = self.channels.number_of(id) {
            self.close_channel(number, &self.delivery_timeout(number, timeout_ms), now_ms);
        }
    }

    /// RabbitMQ's text. In 4.3 it says -1, whatever the timeout was.
    fn delivery_timeout(&self, channel: u16, timeout_ms: u64) -> AmqpError {
        let used = match self.node.settings.profile().consumer_timeout {
            Timed::EveryType => timeout_ms.to_string(),
            Timed::QuorumOnly => "-1".to_owned(),
        };
        AmqpError::precondition_failed(format!(
            "delivery acknowledgement on channel {channel} timed out. Timeout value used: {used} ms. This timeout value can be \
             configured, see consumers doc guide to learn more"
        ))
        .with_method(MethodId::NONE)
    }
}

/// A vector that was longer gives its memory back when it is empty.
const KEPT_DELIVERIES: usize = 256;

/// The properties as a consumer sees them: without BCC, and with what a quorum queue tells of earlier deliveries.
pub(super) fn delivered_properties(message: &Message, counts: DeliveryCounts) -> Cow<'_, [u8]> {
    let properties = visible_properties(message);
    if counts == DeliveryCounts::default() {
        return properties;
    }
    let mut editor = Properties::new(&properties).edit();
    for (name, count) in [("x-acquired-count", counts.acquired), ("x-delivery-count", counts.failed)] {
        if count > 0 {
            editor.set_header(name, &Value::I64(i64::from(count)));
        }
    }
    Cow::Owned(editor.build())
}
