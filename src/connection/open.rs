//! An open connection: its channels, and the way of a frame to the method that it carries.
//!
//! Synchronous and without sockets: bytes come in through [`Open::receive`], what is to be sent collects in [`Open::output`], and
//! deliveries are fetched from the outbox by [`Open::deliver`] (in `deliver.rs`). Each AMQP class has its methods in `methods/`.
//!
//! The parts of an open connection are private to this folder: whoever is outside of it, as the session, asks [`Open`]
//! (`asked.rs`). Each part has private fields of its own and keeps its own invariants.

mod asked;
mod asking;
mod deliver;
mod durability;
mod ending;
mod failures;
mod log_lines;
mod methods;
mod publish;
mod rights;
mod settle;
mod trace;
mod weight;

use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use super::aside::aside;
use super::channel::{Channel, ChannelPhase};
use super::channels::Channels;
use super::effort::{Effort, METHOD_EFFORT};
use super::incoming::IncomingBody;
use super::log_waits::LogWaits;
use super::outbox::Outbox;
use super::output::Output;
use super::pace::ReadingPace;
use super::patience::Patience;
use crate::auth::User;
use crate::broker::acting_as;
use crate::broker::ids::{ChannelId, ConnectionId};
use crate::broker::node::Node;
use crate::broker::own::Event;
use crate::broker::publisher::Publisher;
use crate::broker::queue::QueueHandle;
use crate::broker::registry::{ChannelOpening, Registration};
use crate::broker::settler::Settler;
use crate::broker::sink::Sink;
use crate::broker::vhost::Vhost;
use crate::error::{AmqpError, MethodId, Scope};
use crate::impossible::impossible;
use crate::protocol::assembler::{self, Assembled};
use crate::protocol::command::{Command, Reply};
use crate::protocol::fast;
use crate::protocol::frame::{self, Frame, FrameKind};
use crate::protocol::handshake::{Client, Tuning};
use crate::protocol::method::{self, CHANNEL_CLOSE, CHANNEL_CLOSE_OK, CHANNEL_OPEN};
use asking::{Asking, Stops};
use deliver::Inbox;
use durability::LateAnswer;
pub(super) use failures::before_open;
pub(super) use publish::PendingPublish;
use publish::PublishTicket;
pub(super) use rights::LiveRights;

/// A client that has not read so much of what we answered is not heard until it does. What its consumers were sent does not count: that
/// is little, but for one message, which may be larger than this; and a client may have much to write before it reads again.
const OUTPUT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What became of the connection while it read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Received {
    /// It goes on; so many bytes are used up.
    Consumed(usize),
    /// The client closed it, and was answered.
    ClosedByClient,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Open {
    id: ConnectionId,
    node: Arc<Node>,
    vhost: Arc<Vhost>,
    user: Arc<User>,
    rights: LiveRights,
    client: Client,
    tuning: Tuning,
    peer: SocketAddr,
    /// Lists the connection for others.
    registration: Registration,
    outbox: Arc<Outbox>,
    /// What is to be written.
    output: Output,
    channels: Channels,
    publisher: Publisher<PublishTicket>,
    pace: ReadingPace,
    /// How long publishers wait for a pause of this client.
    patience: Patience,
    settler: Settler,
    inbox: Inbox,
    exclusive_queues: Vec<Weak<QueueHandle>>,
    /// The memory alarm, or a backend that is being asked: nothing is read meanwhile.
    stops: Stops,
    asking: Asking,
    /// `connection.blocked` was sent, and `connection.unblocked` not yet.
    sent_blocked: bool,
    log_waits: LogWaits<LateAnswer>,
    /// What was done since others had their turn.
    effort: Effort,
}

/// Everything that an open connection begins with.
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are described at `Open`")]
pub(super) struct NewOpen {
    pub(super) id: ConnectionId,
    pub(super) node: Arc<Node>,
    pub(super) vhost: Arc<Vhost>,
    pub(super) user: Arc<User>,
    pub(super) rights: LiveRights,
    pub(super) client: Client,
    pub(super) tuning: Tuning,
    pub(super) peer: SocketAddr,
    pub(super) registration: Registration,
    pub(super) outbox: Arc<Outbox>,
    pub(super) output: Output,
}

impl Open {
    /// A connection without channels.
    pub(super) fn new(opening: NewOpen) -> Self {
        let NewOpen { id, node, vhost, user, rights, client, tuning, peer, registration, outbox, output } = opening;
        let pace = ReadingPace::new(Arc::clone(&outbox));
        Self {
            publisher: Publisher::new(Arc::clone(&vhost)).waiting(Arc::clone(pace.waits())),
            pace,
            patience: Patience::default(),
            log_waits: LogWaits::new(Arc::clone(&node.log), Arc::clone(&outbox)),
            id,
            node,
            vhost,
            user,
            rights,
            client,
            tuning,
            peer,
            registration,
            outbox,
            output,
            channels: Channels::default(),
            settler: Settler::default(),
            inbox: Inbox::default(),
            exclusive_queues: Vec::new(),
            stops: Stops::default(),
            asking: Asking::default(),
            sent_blocked: false,
            effort: Effort::default(),
        }
    }

    /// Whether anything that is read would be looked at: no alarm, no backend that is being asked, no answer that waits for the log, and
    /// no client that does not read stands in the way, and it is not the turn of others.
    pub(super) fn takes_input(&self) -> bool {
        self.stops.is_none()
            && !self.effort.is_turn_over()
            && !self.log_waits.holds_reading()
            && self.output.pending_bytes() < OUTPUT_BYTES_MAX + self.inbox.delivered_bytes()
    }

    /// Takes what was read. Publishes and settlements are collected and take effect at the end, or before any other method.
    ///
    /// # Errors
    /// What the connection is to be closed with.
    pub(super) fn receive(&mut self, bytes: &[u8], now_ms: u64) -> Result<Received, AmqpError> {
        let mut rest = bytes;
        self.rights.set_now(now_ms);
        let result = loop {
            match self.next(rest, now_ms) {
                Ok(Next::Used(0)) => break Ok(Received::Consumed(bytes.len() - rest.len())),
                Ok(Next::Used(count)) => rest = rest.get(count..).unwrap_or_default(),
                Ok(Next::ClosedByClient) => break Ok(Received::ClosedByClient),
                Err(error) => break Err(error),
            }
        };
        // Also if it failed in the middle: what came before the failure has been taken.
        self.flush(now_ms);
        if let Some(until_ms) = self.pace.begin_if_ahead(now_ms) {
            self.registration.info().note_flow(until_ms);
            self.channels.note_flow(until_ms);
        }
        if !self.asks() {
            self.rights.forget_refusals();
        }
        self.channels.report();
        self.channels.check();
        result
    }

    /// Takes one thing from the front of the buffer.
    fn next(&mut self, buffer: &[u8], now_ms: u64) -> Result<Next, AmqpError> {
        if !self.takes_input() {
            return Ok(Next::Used(0));
        }
        if let Some(settlement) = fast::next_settlement(buffer)
            && self.is_idle(settlement.channel)
        {
            let result = self.settle(settlement.channel, settlement.delivery_tag, settlement.kind, now_ms);
            let outcome = self.contain(settlement.channel, result, now_ms)?;
            return Ok(outcome.next(settlement.consumed));
        }
        // While an alarm is raised publishes go frame by frame, and stop at their header
        // (behaviour reference 1.11).
        if !self.node.alarm.is_raised()
            && let Some(publish) = fast::next_publish(buffer, self.tuning.frame_max, self.node.message_bytes_max())
            && self.is_idle(publish.channel)
        {
            let result = self.publish_fast(&publish, now_ms);
            let outcome = self.contain(publish.channel, result, now_ms)?;
            return Ok(outcome.next(publish.consumed));
        }
        let Some((frame, used)) = frame::next_frame(buffer, self.tuning.frame_max)? else { return Ok(Next::Used(0)) };
        Ok(self.frame(&frame, now_ms)?.next(used))
    }

    /// Whether the channel is open, and a method due on it.
    fn is_idle(&self, channel: u16) -> bool {
        self.channels
            .get(channel)
            .is_some_and(|channel| channel.phase == ChannelPhase::Open && channel.assembler.is_idle())
    }

    fn frame(&mut self, frame: &Frame<'_>, now_ms: u64) -> Result<FrameOutcome, AmqpError> {
        if frame.kind == FrameKind::Heartbeat {
            return Ok(FrameOutcome::Done);
        }
        if frame.channel == 0 {
            let command = method::decode(frame.payload)?;
            self.flush(now_ms);
            let closes = self.connection_method(command, now_ms);
            let closes = closes.map_err(|error| error.with_method(method::id(frame.payload)))?;
            return Ok(if closes { FrameOutcome::ClosedByClient } else { FrameOutcome::Done });
        }
        match self.channels.get(frame.channel).map(|channel| channel.phase) {
            None => self.frame_on_closed_channel(frame, now_ms)?,
            Some(ChannelPhase::Closing) => self.frame_on_closing_channel(frame)?,
            Some(ChannelPhase::Open) => {
                let result = self.frame_on_open_channel(frame, now_ms);
                return self.contain(frame.channel, result, now_ms);
            }
        }
        Ok(FrameOutcome::Done)
    }

    /// Only `channel.open` is due.
    fn frame_on_closed_channel(&mut self, frame: &Frame<'_>, now_ms: u64) -> Result<(), AmqpError> {
        let id = method::id(frame.payload);
        let is_open = frame.kind == FrameKind::Method && id == CHANNEL_OPEN;
        if !is_open && self.channels.is_closed_by_client(frame.channel) {
            return Ok(());
        }
        if frame.kind != FrameKind::Method {
            return Err(assembler::method_due());
        }
        if !is_open {
            return Err(AmqpError::channel_error("expected 'channel.open'").with_method(id));
        }
        method::decode(frame.payload)?;
        let channel_max = self.tuning.channel_max;
        if self.channels.len() >= usize::from(channel_max) {
            let text = format!(
                "number of channels opened ({}) has reached the negotiated channel_max ({channel_max})",
                self.channels.len()
            );
            return Err(AmqpError::not_allowed(text).with_method(MethodId::NONE));
        }
        let id = ChannelId(self.node.ids.fresh());
        let opening = ChannelOpening { id, number: frame.channel, at_ms: now_ms };
        let registration = self.registration.open_channel(opening, self.channel_limits());
        let registration = registration.map_err(|reached| self.too_many_channels(reached))?;
        self.channels.open(frame.channel, Channel::new(id, Some(registration)));
        self.node.own_messages.event(|| Event::channel_created(&self.registration.info().spec, frame.channel));
        self.reply(frame.channel, &Reply::ChannelOpenOk);
        Ok(())
    }

    /// Everything is discarded until the client has answered our `channel.close`.
    fn frame_on_closing_channel(&mut self, frame: &Frame<'_>) -> Result<(), AmqpError> {
        if frame.kind != FrameKind::Method {
            return Ok(());
        }
        match method::id(frame.payload) {
            CHANNEL_CLOSE_OK => {
                self.channels.remove(frame.channel);
                self.channels.closed_by_client(frame.channel);
            }
            CHANNEL_CLOSE => self.reply(frame.channel, &Reply::ChannelCloseOk),
            CHANNEL_OPEN => {
                return Err(AmqpError::channel_error("second 'channel.open' seen").with_method(CHANNEL_OPEN));
            }
            // Whatever the client sent before it heard of the end.
            _ => {}
        }
        Ok(())
    }

    fn frame_on_open_channel(&mut self, frame: &Frame<'_>, now_ms: u64) -> Result<(), AmqpError> {
        let Some(channel) = self.channels.get_mut(frame.channel) else {
            impossible!("channel {} was open a moment ago", frame.channel);
            return Ok(());
        };
        let message_bytes_max = self.node.message_bytes_max();
        let memory = &self.node.memory;
        let assembled = channel
            .assembler
            .frame(frame, message_bytes_max, |publish, header| IncomingBody::begin(publish, header, memory));
        if frame.kind == FrameKind::Header {
            self.block_while_alarmed();
        }
        match assembled? {
            None => Ok(()),
            Some(Assembled::Publish(publish, body)) => {
                self.publish_assembled(frame.channel, publish, body.finish(), now_ms)
            }
            Some(Assembled::Method(command)) => {
                self.flush(now_ms);
                self.channels.touch(frame.channel);
                let effort = METHOD_EFFORT + self.weight_of(frame.channel, &command);
                self.effort.spend(effort);
                aside(effort, || self.dispatch(frame.channel, command, now_ms))
                    .map_err(|error| error.with_method(method::id(frame.payload)))
            }
        }
    }

    /// Carries out a method, in the name of the user if anybody wants to know what happens.
    fn dispatch(&mut self, channel: u16, command: Command, now_ms: u64) -> Result<(), AmqpError> {
        if !self.node.own_messages.wants_events() {
            return methods::dispatch(self, channel, command, now_ms);
        }
        let user = Arc::clone(&self.user.name);
        acting_as(&user, || methods::dispatch(self, channel, command, now_ms))
    }

    /// Lets the publishes and settlements that were collected take effect.
    pub(super) fn flush(&mut self, now_ms: u64) {
        self.flush_settled(now_ms);
        self.flush_publishes(now_ms);
    }

    /// Closes the channel for errors that concern it alone. An error while a backend is being asked is none: the same begins anew
    /// when it has answered.
    ///
    /// # Errors
    /// Those that concern the connection.
    #[inline]
    pub(super) fn contain(
        &mut self,
        number: u16,
        result: Result<(), AmqpError>,
        now_ms: u64,
    ) -> Result<FrameOutcome, AmqpError> {
        result.map_or_else(|error| self.contain_error(number, error, now_ms), |()| Ok(FrameOutcome::Done))
    }

    #[cold]
    fn contain_error(&mut self, number: u16, error: AmqpError, now_ms: u64) -> Result<FrameOutcome, AmqpError> {
        if self.rights.is_waiting() {
            self.stops.add(Stops::BACKEND);
            return Ok(FrameOutcome::Again);
        }
        if error.scope != Scope::Channel {
            return Err(error);
        }
        self.flush(now_ms);
        self.close_channel(number, &error, now_ms);
        Ok(FrameOutcome::Done)
    }

    /// After a content header: while the alarm is raised, publishers are not read any further (behaviour reference 1.11).
    fn block_while_alarmed(&mut self) {
        // Without the lock for each message while there is no alarm.
        if !self.node.alarm.is_raised() {
            return;
        }
        let Some(reason) = self.node.alarm.wait(self.id, self.sink()) else { return };
        self.stops.add(Stops::ALARM);
        self.registration.info().set_blocked(true);
        self.log_blocked(reason);
        if self.client.capabilities.connection_blocked && !self.sent_blocked {
            self.sent_blocked = true;
            self.reply(0, &Reply::ConnectionBlocked { reason: reason.to_owned() });
        }
    }

    /// Goes on reading, if the alarm was cleared.
    pub(super) fn unblock(&mut self) {
        let is_blocked = self.stops.has(Stops::ALARM);
        if !is_blocked || self.node.alarm.is_raised() && self.node.alarm.wait(self.id, self.sink()).is_some() {
            return;
        }
        self.stops.remove(Stops::ALARM);
        self.registration.info().set_blocked(false);
        if std::mem::take(&mut self.sent_blocked) {
            self.reply(0, &Reply::ConnectionUnblocked);
        }
    }

    pub(super) fn sink(&self) -> Arc<dyn Sink> {
        Arc::clone(&self.outbox) as Arc<dyn Sink>
    }

    pub(super) fn reply(&mut self, channel: u16, reply: &Reply) {
        method::encode(reply, channel, self.output.buffer());
    }
}

/// What became of a frame, or of what is read without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameOutcome {
    /// It is dealt with.
    Done,
    /// A backend is being asked: it is looked at again.
    Again,
    ClosedByClient,
}

impl FrameOutcome {
    const fn next(self, used: usize) -> Next {
        match self {
            Self::Done => Next::Used(used),
            Self::Again => Next::Used(0),
            Self::ClosedByClient => Next::ClosedByClient,
        }
    }
}

enum Next {
    /// So many bytes were used; none when more are needed.
    Used(usize),
    ClosedByClient,
}
