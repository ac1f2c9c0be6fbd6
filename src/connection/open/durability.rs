//! What the connection says once the log has got far enough: confirms, and answers such as `tx.commit-ok` or `queue.declare-ok`.

use super::Open;
use crate::broker::ids::ChannelId;
use crate::connection::channel::{Channel, ChannelPhase};
use crate::connection::log_waits::Due;
use crate::impossible::impossible;
use crate::protocol::command::Reply;
use crate::store::LogPosition;

/// An answer to a method that was carried out.
#[derive(Debug)]
pub(super) struct LateAnswer {
    channel: u16,
    id: ChannelId,
    reply: Reply,
}

impl Open {
    /// Answers once everything up to `position` is durable; nothing is read before.
    pub(super) fn reply_when_durable(&mut self, channel: u16, reply: Reply, position: LogPosition) {
        let Some(id) = self.channels.get(channel).map(|channel| channel.id) else {
            return impossible!("a method was carried out on channel {channel}, which does not exist");
        };
        if let Some(answer) = self.log_waits.answer_later(LateAnswer { channel, id, reply }, position) {
            self.reply(answer.channel, &answer.reply);
        }
    }

    /// Sends the confirms and the answer that waited for the log, as far as it has got.
    pub(super) fn send_what_is_durable(&mut self) {
        let Some(Due { unconfirmed, answer }) = self.log_waits.take_due() else { return };
        for number in unconfirmed {
            self.send_confirms(number);
        }
        let Some(LateAnswer { channel: number, id, reply }) = answer else { return };
        // The channel may have been closed meanwhile, and its number opened anew: that one asked for nothing.
        let is_open = |channel: &Channel| channel.id == id && channel.phase == ChannelPhase::Open;
        if self.channels.get(number).is_some_and(is_open) {
            self.reply(number, &reply);
        }
    }
}
