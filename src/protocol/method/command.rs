//! `amq-protocol`'s parsed methods as [`Command`]s.
//!
//! Methods that only servers send are [`Command::Unimplemented`]; they are listed rather than caught by a wildcard, so that
//! a method that the crate learns must be placed here.

use amq_protocol::protocol::{AMQPClass, access, basic, channel, confirm, connection, exchange, queue, tx};
use amq_protocol::types::ShortString;

use crate::error::MethodId;
use crate::protocol::command::Command;
use crate::table::Table;

/// What a method's arguments hold that `amq-protocol` does not tell: the field table, which was cut out of them, and the
/// octets themselves.
pub(super) struct Rest<'a> {
    pub(super) table: Table,
    pub(super) arguments: &'a [u8],
}

/// The command that a parsed method is.
pub(super) fn from_class(class: AMQPClass, rest: Rest<'_>) -> Command {
    match class {
        AMQPClass::Basic(method) => from_basic(method, rest),
        AMQPClass::Connection(method) => from_connection(method, rest.table),
        AMQPClass::Channel(method) => from_channel(method),
        AMQPClass::Access(method) => from_access(&method),
        AMQPClass::Exchange(method) => from_exchange(method, rest.table),
        AMQPClass::Queue(method) => from_queue(method, rest.table),
        AMQPClass::Tx(method) => from_tx(&method),
        AMQPClass::Confirm(method) => from_confirm(&method),
    }
}

fn from_connection(method: connection::AMQPMethod, client_properties: Table) -> Command {
    use connection::AMQPMethod as M;
    match method {
        M::StartOk(m) => Command::ConnectionStartOk {
            client_properties,
            mechanism: m.mechanism.into(),
            response: m.response.as_bytes().to_owned(),
            locale: m.locale.into(),
        },
        M::SecureOk(m) => Command::ConnectionSecureOk { response: m.response.as_bytes().to_owned() },
        M::TuneOk(m) => {
            Command::ConnectionTuneOk { channel_max: m.channel_max, frame_max: m.frame_max, heartbeat: m.heartbeat }
        }
        M::Open(m) => Command::ConnectionOpen { virtual_host: m.virtual_host.into() },
        M::Close(m) => Command::ConnectionClose { reply_code: m.reply_code, reply_text: m.reply_text.into() },
        M::CloseOk(_) => Command::ConnectionCloseOk,
        M::Blocked(_) => Command::ConnectionBlocked,
        M::Unblocked(_) => Command::ConnectionUnblocked,
        M::UpdateSecret(m) => {
            Command::ConnectionUpdateSecret { new_secret: m.new_secret.as_bytes().to_owned(), reason: m.reason.into() }
        }
        M::Start(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
        M::Secure(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
        M::Tune(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
        M::OpenOk(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
        M::UpdateSecretOk(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
    }
}

fn from_channel(method: channel::AMQPMethod) -> Command {
    use channel::AMQPMethod as M;
    match method {
        M::Open(_) => Command::ChannelOpen,
        M::Flow(m) => Command::ChannelFlow { active: m.active },
        M::FlowOk(m) => Command::ChannelFlowOk { active: m.active },
        M::Close(m) => Command::ChannelClose { reply_code: m.reply_code, reply_text: m.reply_text.into() },
        M::CloseOk(_) => Command::ChannelCloseOk,
        M::OpenOk(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
    }
}

fn from_access(method: &access::AMQPMethod) -> Command {
    use access::AMQPMethod as M;
    match method {
        M::Request(_) => Command::AccessRequest,
        M::RequestOk(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
    }
}

fn from_exchange(method: exchange::AMQPMethod, arguments: Table) -> Command {
    use exchange::AMQPMethod as M;
    match method {
        M::Declare(m) => Command::ExchangeDeclare {
            exchange: m.exchange.into(),
            kind: m.kind.into(),
            passive: m.passive,
            durable: m.durable,
            auto_delete: m.auto_delete,
            internal: m.internal,
            no_wait: m.nowait,
            arguments,
        },
        M::Delete(m) => {
            Command::ExchangeDelete { exchange: m.exchange.into(), if_unused: m.if_unused, no_wait: m.nowait }
        }
        M::Bind(m) => Command::ExchangeBind {
            destination: m.destination.into(),
            source: m.source.into(),
            routing_key: bytes(m.routing_key),
            no_wait: m.nowait,
            arguments,
        },
        M::Unbind(m) => Command::ExchangeUnbind {
            destination: m.destination.into(),
            source: m.source.into(),
            routing_key: bytes(m.routing_key),
            no_wait: m.nowait,
            arguments,
        },
        M::DeclareOk(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
        M::DeleteOk(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
        M::BindOk(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
        M::UnbindOk(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
    }
}

fn from_queue(method: queue::AMQPMethod, arguments: Table) -> Command {
    use queue::AMQPMethod as M;
    match method {
        M::Declare(m) => Command::QueueDeclare {
            queue: m.queue.into(),
            passive: m.passive,
            durable: m.durable,
            exclusive: m.exclusive,
            auto_delete: m.auto_delete,
            no_wait: m.nowait,
            arguments,
        },
        M::Bind(m) => Command::QueueBind {
            queue: m.queue.into(),
            exchange: m.exchange.into(),
            routing_key: bytes(m.routing_key),
            no_wait: m.nowait,
            arguments,
        },
        M::Unbind(m) => Command::QueueUnbind {
            queue: m.queue.into(),
            exchange: m.exchange.into(),
            routing_key: bytes(m.routing_key),
            arguments,
        },
        M::Purge(m) => Command::QueuePurge { queue: m.queue.into(), no_wait: m.nowait },
        M::Delete(m) => Command::QueueDelete {
            queue: m.queue.into(),
            if_unused: m.if_unused,
            if_empty: m.if_empty,
            no_wait: m.nowait,
        },
        M::DeclareOk(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
        M::BindOk(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
        M::UnbindOk(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
        M::PurgeOk(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
        M::DeleteOk(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
    }
}

fn from_basic(method: basic::AMQPMethod, rest: Rest<'_>) -> Command {
    use basic::AMQPMethod as M;
    match method {
        M::Qos(m) => Command::BasicQos {
            // amq-protocol counts the size among the reserved fields; it is the first one.
            prefetch_size: rest.arguments.first_chunk().map_or(0, |size| u32::from_be_bytes(*size)),
            prefetch_count: m.prefetch_count,
            global: m.global,
        },
        M::Consume(m) => Command::BasicConsume {
            queue: m.queue.into(),
            consumer_tag: m.consumer_tag.into(),
            no_local: m.no_local,
            no_ack: m.no_ack,
            exclusive: m.exclusive,
            no_wait: m.nowait,
            arguments: rest.table,
        },
        M::Cancel(m) => Command::BasicCancel { consumer_tag: m.consumer_tag.into(), no_wait: m.nowait },
        M::CancelOk(m) => Command::BasicCancelOk { consumer_tag: m.consumer_tag.into() },
        M::Publish(m) => Command::BasicPublish {
            exchange: m.exchange.into(),
            routing_key: bytes(m.routing_key),
            mandatory: m.mandatory,
            immediate: m.immediate,
        },
        M::Get(m) => Command::BasicGet { queue: m.queue.into(), no_ack: m.no_ack },
        M::Ack(m) => Command::BasicAck { delivery_tag: m.delivery_tag, multiple: m.multiple },
        M::Reject(m) => Command::BasicReject { delivery_tag: m.delivery_tag, requeue: m.requeue },
        M::Nack(m) => Command::BasicNack { delivery_tag: m.delivery_tag, multiple: m.multiple, requeue: m.requeue },
        M::Recover(m) => Command::BasicRecover { requeue: m.requeue },
        M::RecoverAsync(m) => Command::BasicRecoverAsync { requeue: m.requeue },
        M::QosOk(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
        M::ConsumeOk(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
        M::Return(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
        M::Deliver(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
        M::GetOk(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
        M::GetEmpty(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
        M::RecoverOk(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
    }
}

fn from_tx(method: &tx::AMQPMethod) -> Command {
    use tx::AMQPMethod as M;
    match method {
        M::Select(_) => Command::TxSelect,
        M::Commit(_) => Command::TxCommit,
        M::Rollback(_) => Command::TxRollback,
        M::SelectOk(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
        M::CommitOk(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
        M::RollbackOk(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
    }
}

fn from_confirm(method: &confirm::AMQPMethod) -> Command {
    use confirm::AMQPMethod as M;
    match method {
        M::Select(m) => Command::ConfirmSelect { no_wait: m.nowait },
        M::SelectOk(m) => unimplemented(m.get_amqp_class_id(), m.get_amqp_method_id()),
    }
}

fn unimplemented(class_id: u16, method_id: u16) -> Command {
    Command::Unimplemented(MethodId::new(class_id, method_id))
}

fn bytes(text: ShortString) -> Vec<u8> {
    String::from(text).into_bytes()
}
