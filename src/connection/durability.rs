//! What a connection may not say before the log has made it durable: confirms, which wait while the connection goes on, and
//! answers such as `tx.commit-ok` or `queue.declare-ok`, before which nothing more is read.

use std::sync::Arc;

use super::channel::{Channel, ChannelPhase};
use super::open::Open;
use super::outbox::Outbox;
use crate::broker::ids::ChannelId;
use crate::broker::node::Node;
use crate::protocol::command::Reply;
use crate::store::{LogPosition, Wake};

/// What waits for the log.
#[derive(Debug, Default)]
pub(super) struct Durability {
    /// Channels with confirms that were not due yet.
    unconfirmed: Vec<u16>,
    /// The log wakes the connection at this position, for confirms.
    wakes_at: Option<LogPosition>,
    /// Nothing is read before this position is durable.
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    position: LogPosition,
    reply: Option<(u16, ChannelId, Reply)>,
}

impl Durability {
    pub(super) const fn holds_reading(&self) -> bool {
        self.held.is_some()
    }

    /// Confirms of this channel are to be sent when the log has got to this position.
    pub(super) fn confirm_later(&mut self, channel: u16, position: LogPosition, node: &Node, outbox: &Arc<Outbox>) {
        if !self.unconfirmed.contains(&channel) {
            self.unconfirmed.push(channel);
        }
        if self.wakes_at.is_none_or(|wakes_at| position < wakes_at) {
            self.wakes_at = Some(position);
            node.log.when_durable(position, Arc::clone(outbox) as Arc<dyn Wake>);
        }
    }
}

impl Open {
    /// Answers once everything up to `position` is durable; nothing is read before.
    pub(super) fn reply_when_durable(&mut self, number: u16, reply: Reply, position: LogPosition) {
        let Some(id) = self.channels.get(&number).map(|channel| channel.id) else { return };
        if self.node.log.durable().is_ok_and(|durable| durable >= position) {
            self.reply(number, &reply);
        } else {
            self.wait_for_log(position, Some((number, id, reply)));
        }
    }

    /// Reads nothing before everything up to `position` is durable.
    pub(super) fn wait_for_log(&mut self, position: LogPosition, reply: Option<(u16, ChannelId, Reply)>) {
        let position = match self.durability.held.take() {
            // Only an overfull log and an answer can come together; the answer is the one that matters.
            Some(Held { position: earlier, reply: None }) => earlier.max(position),
            Some(held) => {
                self.durability.held = Some(held);
                return;
            }
            None => position,
        };
        self.durability.held = Some(Held { position, reply });
        self.node.log.when_durable(position, Arc::clone(&self.outbox) as Arc<dyn Wake>);
    }

    /// Says what may be said by now.
    pub(super) fn heed_log(&mut self) {
        if self.durability.held.is_none() && self.durability.wakes_at.is_none() {
            return;
        }
        let Ok(durable) = self.node.log.durable() else { return };
        if let Some(held) = self.durability.held.take_if(|held| held.position <= durable)
            && let Some((number, id, reply)) = held.reply
        {
            let is_open = |channel: &Channel| channel.id == id && channel.phase == ChannelPhase::Open;
            if self.channels.get(&number).is_some_and(|channel| is_open(channel)) {
                self.reply(number, &reply);
            }
        }
        if self.durability.wakes_at.is_some_and(|position| position <= durable) {
            self.durability.wakes_at = None;
            for number in std::mem::take(&mut self.durability.unconfirmed) {
                self.send_confirms(Some(number));
            }
        }
    }
}
