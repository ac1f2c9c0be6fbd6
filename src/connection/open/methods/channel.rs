//! Class `channel`, and the forgotten class `access` (behaviour reference 2).

use crate::connection::open::Open;
use crate::error::AmqpError;
use crate::protocol::command::Reply;

impl Open {
    /// `channel.flow`: clients may not stop the broker; prefetch is for that.
    pub(super) fn channel_flow(&mut self, channel: u16, active: bool) -> Result<(), AmqpError> {
        if !active {
            return Err(AmqpError::not_implemented("active=false"));
        }
        self.reply(channel, &Reply::ChannelFlowOk { active });
        Ok(())
    }

    /// `channel.close` by the client.
    pub(super) fn channel_close(&mut self, number: u16, now_ms: u64) -> Result<(), AmqpError> {
        if let Some(channel) = self.channels.remove(number) {
            // Before the answer, behind which the client may count on it.
            self.end_channel(number, channel, now_ms);
            self.channels.closed_by_client(number);
        }
        self.reply(number, &Reply::ChannelCloseOk);
        Ok(())
    }

    /// `access.request`: tickets mean nothing since AMQP 0-9-1, but old clients ask for one.
    pub(super) fn access_request(&mut self, channel: u16) -> Result<(), AmqpError> {
        self.reply(channel, &Reply::AccessRequestOk);
        Ok(())
    }
}
