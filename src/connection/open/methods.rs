//! What each method does: one file for each AMQP class. Permission check, broker call, reply.

mod basic;
mod channel;
mod confirm;
mod connection;
mod consume;
mod exchange;
mod queue;
mod tx;

use super::Open;
use crate::error::AmqpError;
use crate::protocol::command::{AccessMethod, ChannelMethod, Command, ConfirmMethod, TxMethod};

/// Carries out a method on an open channel. Publishes and settlements that came before it have taken effect.
///
/// # Errors
/// What the channel or the connection is to be closed with.
pub(super) fn dispatch(open: &mut Open, channel: u16, command: Command, now_ms: u64) -> Result<(), AmqpError> {
    match command {
        Command::Channel(ChannelMethod::Open) => Err(AmqpError::channel_error("second 'channel.open' seen")),
        Command::Channel(ChannelMethod::Flow { active }) => open.channel_flow(channel, active),
        Command::Channel(ChannelMethod::Close { .. }) => open.channel_close(channel, now_ms),
        Command::Access(AccessMethod::Request) => open.access_request(channel),
        Command::Exchange(method) => exchange::dispatch(open, channel, method, now_ms),
        Command::Queue(method) => queue::dispatch(open, channel, method, now_ms),
        Command::Basic(method) => basic::dispatch(open, channel, method, now_ms),
        Command::Confirm(ConfirmMethod::Select { no_wait }) => open.confirm_select(channel, no_wait),
        Command::Tx(TxMethod::Select) => open.tx_select(channel),
        Command::Tx(TxMethod::Commit) => open.tx_commit(channel, now_ms),
        Command::Tx(TxMethod::Rollback) => open.tx_rollback(channel),
        Command::Channel(ChannelMethod::FlowOk { .. } | ChannelMethod::CloseOk)
        | Command::Connection(_)
        | Command::Unimplemented(_) => Err(AmqpError::command_invalid("unimplemented method")),
    }
}
