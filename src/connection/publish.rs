//! The way of a publish from the read buffer to the queues: checked and routed one by one, published in runs.
//!
//! Messages of a read batch share one chunk. Consecutive ones with the same route are published together, so that a queue is
//! locked and its consumers are woken once for many.

use std::sync::Arc;

use super::aside::aside;
use super::batch::{BodySource, Pending, Record};
use super::channel::{Channel, Mode};
use super::confirms::{Answer, Confirmed};
use super::effort::ROUTE_EFFORT;
use super::incoming::{self, IncomingBody};
use super::open::Open;
use super::output::{ContentPart, Output};
use crate::auth::{Access, Resource};
use crate::broker::queue::NewMessage;
use crate::broker::reply_to::PSEUDO_QUEUE;
use crate::broker::router::{Route, RoutingKeys};
use crate::broker::vhost::{Publisher, Vhost};
use crate::error::{AmqpError, MethodId};
use crate::impossible::impossible;
use crate::message::Message;
use crate::properties::{Properties, PropertiesSummary, Property};
use crate::protocol::assembler::Publish;
use crate::protocol::fast::{self, FastPublish};
use crate::store::{LogPosition, NO_TRANSACTION};

/// `basic.publish`, which refusals name.
const BASIC_PUBLISH: MethodId = MethodId::new(60, 40);
/// Queues are locked for at most so many messages at a time.
const RUN_MESSAGES_MAX: usize = 256;

/// A publish as both the fast and the slow way of reading have it.
struct Request<'a> {
    address: &'a [u8],
    exchange: &'a str,
    routing_key: &'a [u8],
    mandatory: bool,
    immediate: bool,
    properties: &'a [u8],
}

impl Open {
    /// Takes a publish that was complete in the read buffer.
    ///
    /// # Errors
    /// What the channel or the connection is to be closed with.
    pub(super) fn publish_fast(&mut self, publish: &FastPublish<'_>, now_ms: u64) -> Result<(), AmqpError> {
        let request = Request {
            address: publish.address,
            exchange: publish.exchange,
            routing_key: publish.routing_key,
            mandatory: publish.mandatory,
            immediate: publish.immediate,
            properties: &publish.properties,
        };
        let body = BodySource::Buffer(publish.body, publish.body_bytes);
        self.publish(publish.channel, &request, body, now_ms).map_err(|error| error.with_method(BASIC_PUBLISH))
    }

    /// Takes a publish that was assembled from its frames.
    ///
    /// # Errors
    /// What the channel or the connection is to be closed with.
    pub(super) fn publish_assembled(
        &mut self,
        channel: u16,
        publish: &Publish,
        body: IncomingBody,
        now_ms: u64,
    ) -> Result<(), AmqpError> {
        let address = crate::message::address(&publish.exchange, &publish.routing_key);
        let properties = body.properties().to_vec();
        let request = Request {
            address: &address,
            exchange: &publish.exchange,
            routing_key: &publish.routing_key,
            mandatory: publish.mandatory,
            immediate: publish.immediate,
            properties: &properties,
        };
        let body = BodySource::Assembled(body);
        self.publish(channel, &request, body, now_ms).map_err(|error| error.with_method(BASIC_PUBLISH))
    }

    fn publish(
        &mut self,
        number: u16,
        request: &Request<'_>,
        body: BodySource<'_>,
        now_ms: u64,
    ) -> Result<(), AmqpError> {
        if request.immediate {
            return Err(AmqpError::not_implemented("immediate=true"));
        }
        let summary = Properties::new(request.properties).summary();
        let route = self.route(request, &summary)?;
        let expiration_ms = incoming::check(&summary, &self.user.name, self.user.is_impersonator)?;
        let Some(channel) = self.channels.get_mut(&number) else {
            impossible!("a publish came on channel {number}, which does not exist");
            return Ok(());
        };
        let edited = with_reply_to(channel, request.properties, &summary)?;
        channel.stats.publish += 1;
        self.touched.mark(number);
        let record = Record {
            address: request.address,
            facts: incoming::facts(&summary),
            properties: edited.as_deref().unwrap_or(request.properties),
            is_edited: edited.is_some(),
        };
        let mut pending = Pending { channel: number, number: 0, mandatory: request.mandatory, expiration_ms, route };
        match &mut channel.mode {
            Mode::Transaction(transaction) => {
                transaction.publishes.push((pending, record.message(body, &self.node.memory)));
                return Ok(());
            }
            Mode::Confirm(confirms) => pending.number = confirms.next(),
            Mode::Plain => {}
        }
        self.batch.add(pending, &record, body, &self.node.memory);
        if self.batch.is_full() {
            self.flush_publishes(now_ms);
        }
        Ok(())
    }

    /// # Errors
    /// 403 without permission or to an internal exchange, 404 when there is none.
    fn route(&mut self, request: &Request<'_>, summary: &PropertiesSummary<'_>) -> Result<Arc<Route>, AmqpError> {
        let properties = Properties::new(request.properties);
        let keys = match summary.headers {
            None => RoutingKeys::single(request.routing_key),
            Some(_) => RoutingKeys::with_copies(request.routing_key, properties),
        };
        // Read before the topology, so that a change in between makes the route outdated.
        let epoch = self.vhost.epoch();
        if !keys.has_copies()
            && let Some(route) = self.routes.get(request.address, epoch)
        {
            return Ok(route);
        }
        self.may(Access::Write, Resource::Exchange(request.exchange))?;
        self.may_use_topics(Access::Write, request.exchange, &keys)?;
        let route = Arc::new(self.vhost.route(request.exchange, &keys, properties, Publisher::Client)?);
        self.effort.spend(ROUTE_EFFORT + route.effort);
        if route.by_key_alone {
            self.routes.insert(request.address, &route, epoch);
        }
        Ok(route)
    }

    /// Publishes what was collected, then answers it.
    pub(super) fn flush_publishes(&mut self, now_ms: u64) {
        if self.batch.is_empty() {
            return;
        }
        let publishes = self.batch.finish(&self.node.memory);
        let published = self.publish_in_runs(&publishes, NO_TRANSACTION, now_ms);
        self.answer(&publishes, &published);
        self.batch.recycle(publishes);
        if published.position() > LogPosition::START && self.node.log.is_behind() {
            self.wait_until_log_catches_up(published.position());
        }
        self.node.check_memory();
    }

    /// Publishes the messages of a transaction; whether every queue took every one.
    pub(super) fn publish_transaction(
        &mut self,
        publishes: &[(Pending, Message)],
        transaction: u64,
        now_ms: u64,
    ) -> bool {
        let published = self.publish_in_runs(publishes, transaction, now_ms);
        self.node.check_memory();
        published.refused.is_empty()
    }

    fn publish_in_runs(&mut self, messages: &[(Pending, Message)], transaction: u64, now_ms: u64) -> Published {
        let mut published = Published::default();
        let Published { refused, runs } = &mut published;
        let mut start = 0;
        while let Some((first, _)) = messages.get(start) {
            let route = Arc::clone(&first.route);
            let rest = messages.get(start..).unwrap_or_default();
            let same = |(pending, _): &&(Pending, Message)| Arc::ptr_eq(&pending.route, &route);
            let length = rest.iter().take(RUN_MESSAGES_MAX).take_while(same).count();
            let run = rest.get(..length).unwrap_or_default();
            if route.is_unroutable() {
                self.return_unroutable(run);
                self.count_unroutable(run);
            }
            let note = |place| refused.push(start + place);
            let effort = run.len() * (1 + route.queues.len() + route.holds.len());
            self.effort.spend(effort);
            let vhost = &self.vhost;
            let position = aside(effort, || publish_run(vhost, &route, run, transaction, now_ms, note));
            start += length;
            runs.push((start, position));
        }
        refused.sort_unstable();
        refused.dedup();
        published
    }

    /// `basic.return` for messages that are mandatory. If they are to be confirmed, it waits for its place before the confirm.
    fn return_unroutable(&mut self, run: &[(Pending, Message)]) {
        for (pending, message) in run.iter().filter(|(pending, _)| pending.mandatory) {
            match self.channels.get_mut(&pending.channel).map(|channel| &mut channel.mode) {
                Some(Mode::Confirm(confirms)) if pending.number > 0 => {
                    confirms.return_later(pending.number, message.clone());
                }
                _ => push_return(&mut self.output, pending.channel, message, self.tuning.frame_max),
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

    fn count_unroutable(&mut self, run: &[(Pending, Message)]) {
        for (pending, _) in run {
            let Some(channel) = self.channels.get_mut(&pending.channel) else {
                impossible!("channel {} ended before its publishes took effect", pending.channel);
                continue;
            };
            if pending.mandatory {
                channel.stats.return_unroutable += 1;
            } else {
                channel.stats.drop_unroutable += 1;
            }
        }
    }

    /// Settles the confirm numbers of published messages, and sends the answers that are due.
    fn answer(&mut self, publishes: &[(Pending, Message)], published: &Published) {
        let mut refused = published.refused.iter().copied().peekable();
        let mut runs = published.runs.iter().copied().peekable();
        let mut touched: Option<u16> = None;
        for (place, (pending, _)) in publishes.iter().enumerate() {
            while runs.next_if(|(end, _)| *end <= place).is_some() {}
            let position = runs.peek().map_or(LogPosition::START, |(_, position)| *position);
            let is_refused = refused.next_if_eq(&place).is_some();
            if pending.number == 0 {
                continue;
            }
            if touched.is_some_and(|channel| channel != pending.channel) {
                self.send_confirms(touched);
            }
            touched = Some(pending.channel);
            if let Some(Mode::Confirm(confirms)) =
                self.channels.get_mut(&pending.channel).map(|channel| &mut channel.mode)
            {
                confirms.settle(pending.number, position, is_refused);
            }
        }
        self.send_confirms(touched);
    }

    /// Answers what is durable by now; asks to be woken when more is.
    pub(super) fn send_confirms(&mut self, channel: Option<u16>) {
        let Some(number) = channel else { return };
        // After a failure of the log nothing is confirmed any more.
        let Ok(durable) = self.node.log.durable() else { return };
        let Some(Mode::Confirm(confirms)) = self.channels.get_mut(&number).map(|channel| &mut channel.mode) else {
            // The channel has ended while its confirms waited for the log; its number may be in use again.
            return;
        };
        let (output, frame_max) = (&mut self.output, self.tuning.frame_max);
        confirms.answers(durable, |answer| match answer {
            Answer::Return(message) => push_return(output, number, &message, frame_max),
            Answer::Ack(Confirmed { delivery_tag, multiple }) => {
                fast::ack(output.buffer(), number, delivery_tag, multiple);
            }
            Answer::Nack(Confirmed { delivery_tag, multiple }) => {
                fast::nack(output.buffer(), number, delivery_tag, multiple);
            }
        });
        if let Some((first, last)) = confirms.waits_for() {
            self.node.log.want(last);
            self.durability.confirm_later(number, first, &self.node, &self.outbox);
        }
    }
}

/// What became of a row of publishes.
#[derive(Debug, Default)]
struct Published {
    /// The places of those that some queue refused, ascending.
    refused: Vec<usize>,
    /// Where each run ends, and what must be durable before it is confirmed.
    runs: Vec<(usize, LogPosition)>,
}

impl Published {
    fn position(&self) -> LogPosition {
        self.runs.iter().map(|(_, position)| *position).max().unwrap_or_default()
    }
}

/// RabbitMQ's reply text of a return: the bare name of 312.
const NO_ROUTE: &str = "NO_ROUTE";

fn push_return(output: &mut Output, channel: u16, message: &Message, frame_max: u32) {
    let properties = incoming::visible_properties(message);
    let method = fast::Return { channel, reply_code: 312, reply_text: NO_ROUTE };
    output.push_message(message, &properties, channel, frame_max, |out, content, part| match part {
        ContentPart::Whole => fast::basic_return(out, &method, content, frame_max),
        ContentPart::Head => fast::basic_return_head(out, &method, content),
    });
}

/// Publishes messages of one route; `refused` is told the places of those that some queue did not take. What must be durable
/// before they are confirmed.
fn publish_run(
    vhost: &Vhost,
    route: &Route,
    run: &[(Pending, Message)],
    transaction: u64,
    now_ms: u64,
    mut refused: impl FnMut(usize),
) -> LogPosition {
    route.count(run.len());
    let mut position = LogPosition::START;
    let new = |(pending, message): &(Pending, Message)| NewMessage::published(message.clone(), pending.expiration_ms);
    if !route.holds.is_empty() {
        for published in run {
            position = position.max(vhost.hold(&route.holds, &new(published), transaction, now_ms));
        }
    }
    for reply in &route.replies {
        for (_, message) in run {
            reply.deliver(message.clone());
        }
    }
    for queue in &route.queues {
        position = position.max(queue.publish(run.iter().map(new), transaction, now_ms, &mut refused));
    }
    position
}

/// The properties with the generated name in place of the pseudo-queue's (behaviour reference 5.10).
///
/// # Errors
/// 406 when the channel does not consume replies.
fn with_reply_to(
    channel: &Channel,
    properties: &[u8],
    summary: &PropertiesSummary<'_>,
) -> Result<Option<Vec<u8>>, AmqpError> {
    if summary.reply_to != Some(PSEUDO_QUEUE.as_bytes()) {
        return Ok(None);
    }
    let Some(reply_to) = &channel.reply_to else {
        return Err(AmqpError::precondition_failed("fast reply consumer does not exist"));
    };
    let mut editor = Properties::new(properties).edit();
    Ok(Some(editor.set(Property::ReplyTo, &reply_to.name).build()))
}
