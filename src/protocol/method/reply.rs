//! [`Reply`]s as `amq-protocol`'s methods.

use amq_protocol::protocol::{AMQPClass, access, basic, channel, confirm, connection, exchange, queue, tx};
use amq_protocol::types::ShortString;

use crate::error::MethodId;
use crate::protocol::command::Reply;

/// Octets of a short string at most.
const SHORT_STRING_BYTES_MAX: usize = 255;

/// The method that a reply is, without the table of `connection.start`.
#[expect(clippy::too_many_lines, reason = "one flat match with one short arm for each reply")]
pub(super) fn to_class(reply: &Reply) -> AMQPClass {
    use AMQPClass::{Access, Basic, Channel, Confirm, Connection, Exchange, Queue, Tx};
    match reply {
        Reply::ConnectionStart { mechanisms, locales, .. } => {
            Connection(connection::AMQPMethod::Start(connection::Start {
                version_major: 0,
                version_minor: 9,
                mechanisms: mechanisms.as_bytes().into(),
                locales: locales.as_bytes().into(),
                ..Default::default()
            }))
        }
        Reply::ConnectionSecure { challenge } => {
            Connection(connection::AMQPMethod::Secure(connection::Secure { challenge: challenge.as_slice().into() }))
        }
        &Reply::ConnectionTune { channel_max, frame_max, heartbeat } => {
            Connection(connection::AMQPMethod::Tune(connection::Tune { channel_max, frame_max, heartbeat }))
        }
        Reply::ConnectionOpenOk => Connection(connection::AMQPMethod::OpenOk(connection::OpenOk {})),
        Reply::ConnectionClose { reply_code, reply_text, method } => {
            Connection(connection::AMQPMethod::Close(connection_close(*reply_code, reply_text, *method)))
        }
        Reply::ConnectionCloseOk => Connection(connection::AMQPMethod::CloseOk(connection::CloseOk {})),
        Reply::ConnectionBlocked { reason } => {
            Connection(connection::AMQPMethod::Blocked(connection::Blocked { reason: short(reason) }))
        }
        Reply::ConnectionUnblocked => Connection(connection::AMQPMethod::Unblocked(connection::Unblocked {})),
        Reply::ConnectionUpdateSecretOk => {
            Connection(connection::AMQPMethod::UpdateSecretOk(connection::UpdateSecretOk {}))
        }
        Reply::ChannelOpenOk => Channel(channel::AMQPMethod::OpenOk(channel::OpenOk {})),
        &Reply::ChannelFlowOk { active } => Channel(channel::AMQPMethod::FlowOk(channel::FlowOk { active })),
        Reply::ChannelClose { reply_code, reply_text, method } => {
            Channel(channel::AMQPMethod::Close(channel_close(*reply_code, reply_text, *method)))
        }
        Reply::ChannelCloseOk => Channel(channel::AMQPMethod::CloseOk(channel::CloseOk {})),
        Reply::AccessRequestOk => Access(access::AMQPMethod::RequestOk(access::RequestOk {})),
        Reply::ExchangeDeclareOk => Exchange(exchange::AMQPMethod::DeclareOk(exchange::DeclareOk {})),
        Reply::ExchangeDeleteOk => Exchange(exchange::AMQPMethod::DeleteOk(exchange::DeleteOk {})),
        Reply::ExchangeBindOk => Exchange(exchange::AMQPMethod::BindOk(exchange::BindOk {})),
        Reply::ExchangeUnbindOk => Exchange(exchange::AMQPMethod::UnbindOk(exchange::UnbindOk {})),
        Reply::QueueDeclareOk { queue, message_count, consumer_count } => {
            Queue(queue::AMQPMethod::DeclareOk(queue::DeclareOk {
                queue: short(queue),
                message_count: *message_count,
                consumer_count: *consumer_count,
            }))
        }
        Reply::QueueBindOk => Queue(queue::AMQPMethod::BindOk(queue::BindOk {})),
        Reply::QueueUnbindOk => Queue(queue::AMQPMethod::UnbindOk(queue::UnbindOk {})),
        &Reply::QueuePurgeOk { message_count } => Queue(queue::AMQPMethod::PurgeOk(queue::PurgeOk { message_count })),
        &Reply::QueueDeleteOk { message_count } => {
            Queue(queue::AMQPMethod::DeleteOk(queue::DeleteOk { message_count }))
        }
        Reply::BasicQosOk => Basic(basic::AMQPMethod::QosOk(basic::QosOk {})),
        Reply::BasicConsumeOk { consumer_tag } => {
            Basic(basic::AMQPMethod::ConsumeOk(basic::ConsumeOk { consumer_tag: short(consumer_tag) }))
        }
        Reply::BasicCancel { consumer_tag } => {
            // The client need not answer: RabbitMQ sets the bit too.
            Basic(basic::AMQPMethod::Cancel(basic::Cancel { consumer_tag: short(consumer_tag), nowait: true }))
        }
        Reply::BasicCancelOk { consumer_tag } => {
            Basic(basic::AMQPMethod::CancelOk(basic::CancelOk { consumer_tag: short(consumer_tag) }))
        }
        Reply::BasicGetEmpty => Basic(basic::AMQPMethod::GetEmpty(basic::GetEmpty {})),
        Reply::BasicRecoverOk => Basic(basic::AMQPMethod::RecoverOk(basic::RecoverOk {})),
        Reply::ConfirmSelectOk => Confirm(confirm::AMQPMethod::SelectOk(confirm::SelectOk {})),
        Reply::TxSelectOk => Tx(tx::AMQPMethod::SelectOk(tx::SelectOk {})),
        Reply::TxCommitOk => Tx(tx::AMQPMethod::CommitOk(tx::CommitOk {})),
        Reply::TxRollbackOk => Tx(tx::AMQPMethod::RollbackOk(tx::RollbackOk {})),
    }
}

fn connection_close(reply_code: u16, reply_text: &str, method: MethodId) -> connection::Close {
    let MethodId { class_id, method_id } = method;
    connection::Close { reply_code, reply_text: short(reply_text), class_id, method_id }
}

fn channel_close(reply_code: u16, reply_text: &str, method: MethodId) -> channel::Close {
    let MethodId { class_id, method_id } = method;
    channel::Close { reply_code, reply_text: short(reply_text), class_id, method_id }
}

/// As much of a text as fits a short string, cut between characters.
fn short(text: &str) -> ShortString {
    let mut end = text.len().min(SHORT_STRING_BYTES_MAX);
    // At most three steps: a character has four octets at most. 0 is a boundary always.
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    ShortString::try_new(text.get(..end).unwrap_or_default()).unwrap_or_default()
}
