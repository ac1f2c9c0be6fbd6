//! `amq-protocol`'s parsed methods as [`Command`]s.
//!
//! Methods that only servers send are [`Command::Unimplemented`]. They are listed rather than caught by a wildcard, so that a
//! method that the crate learns must be placed here.

use amq_protocol::protocol::{AMQPClass, access, basic, channel, confirm, connection, exchange, queue, tx};
use amq_protocol::types::ShortString;

use crate::error::MethodId;
use crate::protocol::command::{
    AccessMethod, BasicMethod, ChannelMethod, Command, ConfirmMethod, ConnectionMethod, ExchangeMethod, QueueMethod,
    TxMethod,
};
use crate::table::Table;

/// What `amq-protocol` does not tell of a method: its ids, the field table, which was cut out of the arguments, and the octets of
/// the arguments themselves.
pub(super) struct Rest<'a> {
    pub(super) id: MethodId,
    pub(super) table: Table,
    pub(super) arguments: &'a [u8],
}

/// The command that a parsed method is.
pub(super) fn from_class(class: AMQPClass, rest: Rest<'_>) -> Command {
    let id = rest.id;
    let command = match class {
        AMQPClass::Basic(method) => from_basic(method, rest).map(Command::Basic),
        AMQPClass::Connection(method) => from_connection(method, rest.table).map(Command::Connection),
        AMQPClass::Channel(method) => from_channel(method).map(Command::Channel),
        AMQPClass::Access(method) => from_access(&method).map(Command::Access),
        AMQPClass::Exchange(method) => from_exchange(method, rest.table).map(Command::Exchange),
        AMQPClass::Queue(method) => from_queue(method, rest.table).map(Command::Queue),
        AMQPClass::Tx(method) => from_tx(&method).map(Command::Tx),
        AMQPClass::Confirm(method) => from_confirm(&method).map(Command::Confirm),
    };
    command.unwrap_or(Command::Unimplemented(id))
}

fn from_connection(method: connection::AMQPMethod, client_properties: Table) -> Option<ConnectionMethod> {
    use connection::AMQPMethod as M;
    Some(match method {
        M::StartOk(m) => ConnectionMethod::StartOk {
            client_properties,
            mechanism: m.mechanism.into(),
            response: m.response.as_bytes().to_owned(),
            locale: m.locale.into(),
        },
        M::SecureOk(m) => ConnectionMethod::SecureOk { response: m.response.as_bytes().to_owned() },
        M::TuneOk(m) => {
            ConnectionMethod::TuneOk { channel_max: m.channel_max, frame_max: m.frame_max, heartbeat: m.heartbeat }
        }
        M::Open(m) => ConnectionMethod::Open { virtual_host: m.virtual_host.into() },
        M::Close(m) => ConnectionMethod::Close { reply_code: m.reply_code, reply_text: m.reply_text.into() },
        M::CloseOk(_) => ConnectionMethod::CloseOk,
        M::Blocked(_) => ConnectionMethod::Blocked,
        M::Unblocked(_) => ConnectionMethod::Unblocked,
        M::UpdateSecret(m) => {
            ConnectionMethod::UpdateSecret { new_secret: m.new_secret.as_bytes().to_owned(), reason: m.reason.into() }
        }
        M::Start(_) | M::Secure(_) | M::Tune(_) | M::OpenOk(_) | M::UpdateSecretOk(_) => return None,
    })
}

fn from_channel(method: channel::AMQPMethod) -> Option<ChannelMethod> {
    use channel::AMQPMethod as M;
    Some(match method {
        M::Open(_) => ChannelMethod::Open,
        M::Flow(m) => ChannelMethod::Flow { active: m.active },
        M::FlowOk(m) => ChannelMethod::FlowOk { active: m.active },
        M::Close(m) => ChannelMethod::Close { reply_code: m.reply_code, reply_text: m.reply_text.into() },
        M::CloseOk(_) => ChannelMethod::CloseOk,
        M::OpenOk(_) => return None,
    })
}

fn from_access(method: &access::AMQPMethod) -> Option<AccessMethod> {
    use access::AMQPMethod as M;
    Some(match method {
        M::Request(_) => AccessMethod::Request,
        M::RequestOk(_) => return None,
    })
}

fn from_exchange(method: exchange::AMQPMethod, arguments: Table) -> Option<ExchangeMethod> {
    use exchange::AMQPMethod as M;
    Some(match method {
        M::Declare(m) => ExchangeMethod::Declare {
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
            ExchangeMethod::Delete { exchange: m.exchange.into(), if_unused: m.if_unused, no_wait: m.nowait }
        }
        M::Bind(m) => ExchangeMethod::Bind {
            destination: m.destination.into(),
            source: m.source.into(),
            routing_key: bytes(m.routing_key),
            no_wait: m.nowait,
            arguments,
        },
        M::Unbind(m) => ExchangeMethod::Unbind {
            destination: m.destination.into(),
            source: m.source.into(),
            routing_key: bytes(m.routing_key),
            no_wait: m.nowait,
            arguments,
        },
        M::DeclareOk(_) | M::DeleteOk(_) | M::BindOk(_) | M::UnbindOk(_) => return None,
    })
}

fn from_queue(method: queue::AMQPMethod, arguments: Table) -> Option<QueueMethod> {
    use queue::AMQPMethod as M;
    Some(match method {
        M::Declare(m) => QueueMethod::Declare {
            queue: m.queue.into(),
            passive: m.passive,
            durable: m.durable,
            exclusive: m.exclusive,
            auto_delete: m.auto_delete,
            no_wait: m.nowait,
            arguments,
        },
        M::Bind(m) => QueueMethod::Bind {
            queue: m.queue.into(),
            exchange: m.exchange.into(),
            routing_key: bytes(m.routing_key),
            no_wait: m.nowait,
            arguments,
        },
        M::Unbind(m) => QueueMethod::Unbind {
            queue: m.queue.into(),
            exchange: m.exchange.into(),
            routing_key: bytes(m.routing_key),
            arguments,
        },
        M::Purge(m) => QueueMethod::Purge { queue: m.queue.into(), no_wait: m.nowait },
        M::Delete(m) => QueueMethod::Delete {
            queue: m.queue.into(),
            if_unused: m.if_unused,
            if_empty: m.if_empty,
            no_wait: m.nowait,
        },
        M::DeclareOk(_) | M::BindOk(_) | M::UnbindOk(_) | M::PurgeOk(_) | M::DeleteOk(_) => return None,
    })
}

fn from_basic(method: basic::AMQPMethod, rest: Rest<'_>) -> Option<BasicMethod> {
    use basic::AMQPMethod as M;
    Some(match method {
        M::Qos(m) => BasicMethod::Qos {
            // amq-protocol counts the size among the reserved fields; it is the first one.
            prefetch_size: rest.arguments.first_chunk().map_or(0, |size| u32::from_be_bytes(*size)),
            prefetch_count: m.prefetch_count,
            global: m.global,
        },
        M::Consume(m) => BasicMethod::Consume {
            queue: m.queue.into(),
            consumer_tag: m.consumer_tag.into(),
            no_local: m.no_local,
            no_ack: m.no_ack,
            exclusive: m.exclusive,
            no_wait: m.nowait,
            arguments: rest.table,
        },
        M::Cancel(m) => BasicMethod::Cancel { consumer_tag: m.consumer_tag.into(), no_wait: m.nowait },
        M::CancelOk(m) => BasicMethod::CancelOk { consumer_tag: m.consumer_tag.into() },
        M::Publish(m) => BasicMethod::Publish {
            exchange: m.exchange.into(),
            routing_key: bytes(m.routing_key),
            mandatory: m.mandatory,
            immediate: m.immediate,
        },
        M::Get(m) => BasicMethod::Get { queue: m.queue.into(), no_ack: m.no_ack },
        M::Ack(m) => BasicMethod::Ack { delivery_tag: m.delivery_tag, multiple: m.multiple },
        M::Reject(m) => BasicMethod::Reject { delivery_tag: m.delivery_tag, requeue: m.requeue },
        M::Nack(m) => BasicMethod::Nack { delivery_tag: m.delivery_tag, multiple: m.multiple, requeue: m.requeue },
        M::Recover(m) => BasicMethod::Recover { requeue: m.requeue },
        M::RecoverAsync(m) => BasicMethod::RecoverAsync { requeue: m.requeue },
        M::QosOk(_)
        | M::ConsumeOk(_)
        | M::Return(_)
        | M::Deliver(_)
        | M::GetOk(_)
        | M::GetEmpty(_)
        | M::RecoverOk(_) => return None,
    })
}

fn from_tx(method: &tx::AMQPMethod) -> Option<TxMethod> {
    use tx::AMQPMethod as M;
    Some(match method {
        M::Select(_) => TxMethod::Select,
        M::Commit(_) => TxMethod::Commit,
        M::Rollback(_) => TxMethod::Rollback,
        M::SelectOk(_) | M::CommitOk(_) | M::RollbackOk(_) => return None,
    })
}

fn from_confirm(method: &confirm::AMQPMethod) -> Option<ConfirmMethod> {
    use confirm::AMQPMethod as M;
    Some(match method {
        M::Select(m) => ConfirmMethod::Select { no_wait: m.nowait },
        M::SelectOk(_) => return None,
    })
}

fn bytes(text: ShortString) -> Vec<u8> {
    String::from(text).into_bytes()
}
