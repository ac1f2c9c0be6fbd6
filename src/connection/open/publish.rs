//! `basic.publish` and what answers it: `basic.return`, `basic.ack` and `basic.nack` (behaviour reference 5.1 and 5.8).

use std::sync::Arc;

use super::Open;
use super::asking::Stops;
use crate::broker::publisher::{
    Author, FoundRoute, Pending, PublishBody, PublishRequest, Published, RecordParts, visible_properties,
};
use crate::broker::reply_to::PSEUDO_QUEUE;
use crate::broker::router::{Route, RoutingKeys};
use crate::connection::channel::{Channel, Mode};
use crate::connection::confirms::{ConfirmAnswer, Confirmed};
use crate::connection::effort::ROUTE_EFFORT;
use crate::connection::output::Output;
use crate::error::AmqpError;
use crate::impossible::impossible;
use crate::message::Message;
use crate::properties::{Properties, Property};
use crate::protocol::assembler::Publish;
use crate::protocol::fast::{self, BodyPieces, FastPublish};
use crate::protocol::method::BASIC_PUBLISH;
use crate::store::TransactionId;

/// What the channel wants to know again about a message when it is published.
#[derive(Clone, Copy, Debug)]
pub(in crate::connection) struct PublishTicket {
    channel: u16,
    /// The number that the confirm carries; 0 for none.
    confirm_number: u64,
    mandatory: bool,
}

impl PublishTicket {
    /// The number of the channel.
    pub(super) const fn channel(self) -> u16 {
        self.channel
    }
}

/// A message that was checked and routed.
pub(in crate::connection) type PendingPublish = (Pending<PublishTicket>, Message);

/// The bits of `basic.publish`.
#[derive(Clone, Copy)]
struct PublishBits {
    mandatory: bool,
    immediate: bool,
}

impl Open {
    /// Takes a publish that was complete in the read buffer.
    ///
    /// # Errors
    /// What the channel or the connection is to be closed with.
    pub(super) fn publish_fast(&mut self, publish: &FastPublish<'_>, now_ms: u64) -> Result<(), AmqpError> {
        let FastPublish { mandatory, immediate, .. } = *publish;
        let request =
            || PublishRequest::new(publish.address, publish.exchange, publish.routing_key, &publish.properties);
        let body = |_: &RecordParts<'_>, _| PublishBody::Pieces(publish.body, publish.body_bytes);
        self.publish(publish.channel, request, PublishBits { mandatory, immediate }, body, now_ms)
            .map_err(|error| error.with_method(BASIC_PUBLISH))
    }

    /// Takes a publish that was assembled from its frames.
    ///
    /// # Errors
    /// What the channel or the connection is to be closed with.
    pub(super) fn publish_assembled(
        &mut self,
        channel: u16,
        publish: Publish,
        message: Message,
        now_ms: u64,
    ) -> Result<(), AmqpError> {
        let Publish { exchange, routing_key, mandatory, immediate } = &publish;
        let address = crate::message::address(exchange, routing_key);
        let properties = message.property_bytes();
        let request = || PublishRequest::new(&address, exchange, routing_key, properties);
        let bits = PublishBits { mandatory: *mandatory, immediate: *immediate };
        let body = |parts: &RecordParts<'_>, is_edited| {
            PublishBody::<BodyPieces<'_>>::Message(if is_edited {
                message.with_properties(parts.facts, parts.properties)
            } else {
                message.clone()
            })
        };
        let result = self.publish(channel, request, bits, body, now_ms);
        if result.is_err() && self.rights.is_waiting() {
            // Its frames are used up, so that it cannot be read again.
            self.stops.add(Stops::BACKEND);
            self.keep_publish(channel, publish, message);
            return Ok(());
        }
        result.map_err(|error| error.with_method(BASIC_PUBLISH))
    }

    /// `body` makes the body of a record of these parts, and is told whether the properties are not those that the client sent.
    fn publish<'a, 'b>(
        &mut self,
        number: u16,
        request: impl FnOnce() -> PublishRequest<'a>,
        bits: PublishBits,
        body: impl FnOnce(&RecordParts<'_>, bool) -> PublishBody<BodyPieces<'b>>,
        now_ms: u64,
    ) -> Result<(), AmqpError> {
        if bits.immediate {
            return Err(AmqpError::not_implemented("immediate=true"));
        }
        let request = request();
        // Everything that can be refused is refused before a number is given: such a publish is neither acked
        // nor nacked (behaviour reference 5.8).
        let (route, expiration_ms) = self.checked(&request)?;
        let Some(channel) = self.channels.get_mut(number) else {
            impossible!("a publish came on channel {number}, which does not exist");
            return Ok(());
        };
        let edited = with_reply_to(channel, &request)?;
        channel.stats.publish += 1;
        let parts = RecordParts {
            address: request.address(),
            facts: request.facts(),
            properties: edited.as_deref().unwrap_or_else(|| request.properties()),
        };
        let body = body(&parts, edited.is_some());
        let mut ticket = PublishTicket { channel: number, confirm_number: 0, mandatory: bits.mandatory };
        match &mut channel.mode {
            Mode::Transaction(transaction) => {
                let message = parts.message(body, &self.node.memory);
                // With its route: RabbitMQ routes when the message comes and not at the commit
                // (behaviour reference 5.9).
                transaction.publishes.push((Pending { ticket, expiration_ms, route }, message));
                self.channels.touch(number);
                return Ok(());
            }
            Mode::Confirm(confirms) => ticket.confirm_number = confirms.next(),
            Mode::Plain => {}
        }
        self.channels.touch(number);
        if self.publisher.add(Pending { ticket, expiration_ms, route }, &parts, body) {
            self.flush_publishes(now_ms);
        }
        Ok(())
    }

    /// Where a message goes, if its publisher may send it there, and when it expires.
    #[inline]
    fn checked(&mut self, request: &PublishRequest<'_>) -> Result<(Arc<Route>, Option<u64>), AmqpError> {
        let may_publish = |keys: &RoutingKeys<'_>| {
            self.rights.check_publish(&self.node.metadata, &self.vhost, request.exchange(), keys)
        };
        let FoundRoute { route, steps } = self.publisher.route(request, may_publish, &mut self.effort)?;
        if let Some(steps) = steps {
            // Only a route that had to be looked for costs something worth counting.
            self.effort.spend(ROUTE_EFFORT + steps);
        }
        let author = Author { user: &self.user.name, may_impersonate: self.user.is_impersonator };
        Ok((route, request.check(author)?))
    }

    /// Publishes what was collected, then answers it.
    pub(super) fn flush_publishes(&mut self, now_ms: u64) {
        if self.publisher.is_empty() {
            return;
        }
        let publishes = self.publisher.take_batch();
        self.trace_publishes(&publishes, now_ms);
        let published = self.publisher.publish(&publishes, TransactionId::NONE, now_ms, &mut self.effort);
        // Before the answers: a return precedes its confirm.
        self.return_unroutable(&publishes, &published);
        self.answer(&publishes, &published);
        self.publisher.recycle(publishes);
        // Behind the answers: what was taken is answered, however far the log is behind.
        self.log_waits.wait_if_behind(published.position());
        self.node.check_memory();
    }

    /// Publishes the messages of a transaction; whether every queue took every one.
    pub(super) fn publish_transaction(
        &mut self,
        publishes: &[PendingPublish],
        transaction: TransactionId,
        now_ms: u64,
    ) -> bool {
        self.trace_publishes(publishes, now_ms);
        let published = self.publisher.publish(publishes, transaction, now_ms, &mut self.effort);
        self.return_unroutable(publishes, &published);
        self.node.check_memory();
        published.is_complete()
    }

    /// `basic.return` for messages that are mandatory. If they are to be confirmed, it waits for its place before the confirm.
    fn return_unroutable(&mut self, publishes: &[PendingPublish], published: &Published) {
        for (Pending { ticket, .. }, message) in published.unroutable(publishes) {
            let Some(channel) = self.channels.get_mut(ticket.channel) else {
                impossible!("channel {} ended before its publishes took effect", ticket.channel);
                continue;
            };
            tracing::debug!(
                target: "queue", peer = %self.peer, vhost = %self.vhost.name, exchange = message.exchange(),
                key = %String::from_utf8_lossy(message.routing_key()), mandatory = ticket.mandatory,
                "a message is unroutable: no queue is bound for it"
            );
            if !ticket.mandatory {
                channel.stats.drop_unroutable += 1;
                continue;
            }
            channel.stats.return_unroutable += 1;
            match &mut channel.mode {
                Mode::Confirm(confirms) if ticket.confirm_number > 0 => {
                    confirms.return_later(ticket.confirm_number, message.clone());
                }
                Mode::Plain | Mode::Confirm(_) | Mode::Transaction(_) => {
                    push_return(&mut self.output, ticket.channel, message, self.tuning.frame_max);
                }
            }
        }
    }

    /// Sends the returns that wait for their confirms, for a channel that is about to end without them.
    pub(super) fn send_returns(&mut self, number: u16, channel: &mut Channel) {
        if let Mode::Confirm(confirms) = &mut channel.mode {
            for message in confirms.take_returns() {
                push_return(&mut self.output, number, &message, self.tuning.frame_max);
            }
        }
    }

    /// Settles the confirm numbers of published messages, and sends the answers that are due.
    fn answer(&mut self, publishes: &[PendingPublish], published: &Published) {
        let mut touched: Option<u16> = None;
        let mut outcomes = published.outcomes();
        for (place, (Pending { ticket, .. }, _)) in publishes.iter().enumerate() {
            if ticket.confirm_number == 0 {
                continue;
            }
            // The batch goes on with another channel: what is due of the last one is sent.
            if let Some(other) = touched.filter(|number| *number != ticket.channel) {
                self.send_confirms(other);
            }
            touched = Some(ticket.channel);
            match self.channels.get_mut(ticket.channel).map(|channel| &mut channel.mode) {
                Some(Mode::Confirm(confirms)) => {
                    let outcome = outcomes.at(place);
                    confirms.settle(ticket.confirm_number, outcome.position, outcome.refusals > 0);
                }
                _ => impossible!("channel {} is in confirm mode no more", ticket.channel),
            }
        }
        if let Some(number) = touched {
            self.send_confirms(number);
        }
    }

    /// Answers what is durable by now; asks to be woken when more is.
    pub(super) fn send_confirms(&mut self, number: u16) {
        // After a failure of the log nothing is confirmed any more.
        let Some(durable) = self.log_waits.durable() else { return };
        let Some(Mode::Confirm(confirms)) = self.channels.get_mut(number).map(|channel| &mut channel.mode) else {
            // The channel has ended while its confirms waited for the log; its number may be in use again.
            return;
        };
        let (output, frame_max) = (&mut self.output, self.tuning.frame_max);
        confirms.answers(durable, |answer| match answer {
            ConfirmAnswer::Return(message) => push_return(output, number, &message, frame_max),
            ConfirmAnswer::Ack(Confirmed { delivery_tag, multiple }) => {
                fast::ack(output.buffer(), number, delivery_tag, multiple);
            }
            ConfirmAnswer::Nack(Confirmed { delivery_tag, multiple }) => {
                fast::nack(output.buffer(), number, delivery_tag, multiple);
            }
        });
        // Not all is durable: the connection is woken when the first is.
        if let Some((first, last)) = confirms.waits_for() {
            self.log_waits.confirm_later(number, first, last);
        }
    }
}

/// RabbitMQ's reply text of a return: the bare name of 312.
const NO_ROUTE: &str = "NO_ROUTE";

fn push_return(output: &mut Output, channel: u16, message: &Message, frame_max: u32) {
    let properties = visible_properties(message);
    let method = fast::ReturnMethod { channel, reply_code: 312, reply_text: NO_ROUTE };
    output.push_message(&method, message, &properties, frame_max);
}

/// The properties with the generated name in place of the pseudo-queue's (behaviour reference 5.10).
///
/// # Errors
/// 406 when the channel does not consume replies.
fn with_reply_to(channel: &Channel, request: &PublishRequest<'_>) -> Result<Option<Vec<u8>>, AmqpError> {
    if request.reply_to() != Some(PSEUDO_QUEUE.as_bytes()) {
        return Ok(None);
    }
    let Some(reply_to) = &channel.reply_to else {
        return Err(AmqpError::precondition_failed("fast reply consumer does not exist"));
    };
    let mut editor = Properties::new(request.properties()).edit();
    Ok(Some(editor.set(Property::ReplyTo, &reply_to.name).build()))
}
