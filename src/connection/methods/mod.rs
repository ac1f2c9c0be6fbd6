//! What each method does: one file for each AMQP class. Permission check, broker call, reply.

mod basic;
mod channel;
mod confirm;
mod connection;
mod consume;
mod exchange;
mod queue;
mod tx;

use super::open::Open;
use crate::error::AmqpError;
use crate::protocol::command::Command;

/// Carries out a method on an open channel. Publishes and settlements that came before it have taken effect.
///
/// # Errors
/// What the channel or the connection is to be closed with.
pub(super) fn dispatch(open: &mut Open, channel: u16, command: Command, now_ms: u64) -> Result<(), AmqpError> {
    match command {
        Command::ChannelOpen => Err(AmqpError::channel_error("second 'channel.open' seen")),
        Command::ChannelFlow { active } => open.channel_flow(channel, active),
        Command::ChannelClose { .. } => open.channel_close(channel, now_ms),
        Command::AccessRequest => open.access_request(channel),
        Command::ExchangeDeclare { .. }
        | Command::ExchangeDelete { .. }
        | Command::ExchangeBind { .. }
        | Command::ExchangeUnbind { .. } => exchange::dispatch(open, channel, command, now_ms),
        Command::QueueDeclare { .. }
        | Command::QueueBind { .. }
        | Command::QueueUnbind { .. }
        | Command::QueuePurge { .. }
        | Command::QueueDelete { .. } => queue::dispatch(open, channel, command, now_ms),
        Command::BasicQos { .. }
        | Command::BasicConsume { .. }
        | Command::BasicCancel { .. }
        | Command::BasicCancelOk { .. }
        | Command::BasicPublish { .. }
        | Command::BasicGet { .. }
        | Command::BasicAck { .. }
        | Command::BasicReject { .. }
        | Command::BasicNack { .. }
        | Command::BasicRecover { .. }
        | Command::BasicRecoverAsync { .. } => basic::dispatch(open, channel, command, now_ms),
        Command::ConfirmSelect { no_wait } => open.confirm_select(channel, no_wait),
        Command::TxSelect => open.tx_select(channel),
        Command::TxCommit => open.tx_commit(channel, now_ms),
        Command::TxRollback => open.tx_rollback(channel),
        Command::ChannelFlowOk { .. }
        | Command::ChannelCloseOk
        | Command::ConnectionStartOk { .. }
        | Command::ConnectionSecureOk { .. }
        | Command::ConnectionTuneOk { .. }
        | Command::ConnectionOpen { .. }
        | Command::ConnectionClose { .. }
        | Command::ConnectionCloseOk
        | Command::ConnectionUpdateSecret { .. }
        | Command::ConnectionBlocked
        | Command::ConnectionUnblocked
        | Command::Unimplemented(_) => Err(AmqpError::command_invalid("unimplemented method")),
    }
}
