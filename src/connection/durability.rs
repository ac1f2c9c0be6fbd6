//! What a connection may not say before the log has made it durable: confirms, which wait while the connection goes on, and
//! answers such as `tx.commit-ok` or `queue.declare-ok`, before which nothing more is read. Nor is a publisher read while the log
//! is behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::channel::{Channel, ChannelPhase};
use super::open::Open;
use super::outbox::Outbox;
use crate::broker::ids::ChannelId;
use crate::broker::node::Node;
use crate::impossible::impossible;
use crate::protocol::command::Reply;
use crate::store::{LogPosition, Wake};

/// What waits for the log.
#[derive(Debug, Default)]
pub(super) struct Durability {
    /// Channels with confirms that were not due yet.
    unconfirmed: Vec<u16>,
    /// The log wakes the connection at this position, for confirms.
    wakes_at: Option<LogPosition>,
    /// An answer, before which nothing is read.
    answer: Option<Answer>,
    /// Nothing is read before the log has caught up.
    caught_up: Option<Arc<CaughtUp>>,
}

#[derive(Debug)]
struct Answer {
    position: LogPosition,
    channel: u16,
    id: ChannelId,
    reply: Reply,
}

/// Is told when the log has caught up.
#[derive(Debug)]
struct CaughtUp {
    outbox: Arc<Outbox>,
    is_told: AtomicBool,
}

impl Wake for CaughtUp {
    fn wake(&self) {
        self.is_told.store(true, Ordering::Release);
        self.outbox.wake_up();
    }
}

impl Durability {
    pub(super) const fn holds_reading(&self) -> bool {
        self.is_answering() || self.caught_up.is_some()
    }

    /// Whether a method was carried out whose answer waits.
    pub(super) const fn is_answering(&self) -> bool {
        self.answer.is_some()
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
    pub(super) fn reply_when_durable(&mut self, channel: u16, reply: Reply, position: LogPosition) {
        let Some(id) = self.channels.get(&channel).map(|channel| channel.id) else {
            return impossible!("a method was carried out on channel {channel}, which does not exist");
        };
        if self.node.log.durable().is_ok_and(|durable| durable >= position) {
            self.reply(channel, &reply);
            return;
        }
        self.durability.answer = Some(Answer { position, channel, id, reply });
        self.node.log.when_durable(position, Arc::clone(&self.outbox) as Arc<dyn Wake>);
    }

    /// Reads nothing before the log has caught up.
    pub(super) fn wait_until_log_catches_up(&mut self, position: LogPosition) {
        let caught_up = CaughtUp { outbox: Arc::clone(&self.outbox), is_told: AtomicBool::new(false) };
        let caught_up = Arc::new(caught_up);
        self.durability.caught_up = Some(Arc::clone(&caught_up));
        self.node.log.want(position);
        self.node.log.when_caught_up(caught_up);
    }

    /// Says what may be said by now.
    pub(super) fn heed_log(&mut self) {
        self.durability.caught_up.take_if(|caught_up| caught_up.is_told.load(Ordering::Acquire));
        if self.durability.answer.is_none() && self.durability.wakes_at.is_none() {
            return;
        }
        let Ok(durable) = self.node.log.durable() else { return };
        // The publishes came before the method that is answered, so their confirms come before its answer.
        if self.durability.wakes_at.is_some_and(|position| position <= durable) {
            self.durability.wakes_at = None;
            for number in std::mem::take(&mut self.durability.unconfirmed) {
                self.send_confirms(Some(number));
            }
        }
        if let Some(answer) = self.durability.answer.take_if(|answer| answer.position <= durable) {
            let is_open = |channel: &Channel| channel.id == answer.id && channel.phase == ChannelPhase::Open;
            if self.channels.get(&answer.channel).is_some_and(|channel| is_open(channel)) {
                self.reply(answer.channel, &answer.reply);
            }
        }
    }
}
