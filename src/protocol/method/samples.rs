//! Every method that clients may send and every reply, for tests.

use amq_protocol::frame::WriteContext;
use amq_protocol::protocol::{AMQPClass, access, basic, channel, confirm, connection, exchange, gen_class, queue, tx};
use amq_protocol::types::{AMQPValue, FieldTable};

use crate::error::MethodId;
use crate::protocol::command::{
    AccessMethod, BasicMethod, ChannelMethod, Command, ConfirmMethod, ConnectionMethod, ExchangeMethod, QueueMethod,
    Reply, TxMethod,
};
use crate::table::{Table, Value};

/// The payload of a method frame.
pub(in crate::protocol) fn payload(class: &AMQPClass) -> Vec<u8> {
    gen_class(class)(WriteContext::from(Vec::new())).unwrap().write
}

/// The table of all samples that have one, as `amq-protocol` has it.
pub(in crate::protocol) fn a_field_table() -> FieldTable {
    let mut table = FieldTable::default();
    table.insert("x-max-length".into(), AMQPValue::LongInt(5));
    table
}

/// The table of all samples that have one.
pub(in crate::protocol) fn a_table() -> Table {
    let mut table = Table::new();
    table.insert("x-max-length", Value::I32(5));
    table
}

/// Every method that clients may send, as `amq-protocol` and as we have it.
pub(in crate::protocol) fn methods() -> Vec<(AMQPClass, Command)> {
    let mut methods = connection_methods();
    methods.extend(channel_methods());
    methods.extend(exchange_methods());
    methods.extend(queue_methods());
    methods.extend(basic_methods());
    methods.extend([
        (
            AMQPClass::Confirm(confirm::AMQPMethod::Select(confirm::Select { nowait: true })),
            Command::Confirm(ConfirmMethod::Select { no_wait: true }),
        ),
        (AMQPClass::Tx(tx::AMQPMethod::Select(tx::Select {})), Command::Tx(TxMethod::Select)),
        (AMQPClass::Tx(tx::AMQPMethod::Commit(tx::Commit {})), Command::Tx(TxMethod::Commit)),
        (AMQPClass::Tx(tx::AMQPMethod::Rollback(tx::Rollback {})), Command::Tx(TxMethod::Rollback)),
    ]);
    methods
}

fn connection_methods() -> Vec<(AMQPClass, Command)> {
    use connection::AMQPMethod as M;
    [
        (
            M::StartOk(connection::StartOk {
                client_properties: a_field_table(),
                mechanism: "PLAIN".into(),
                response: "\0guest\0guest".into(),
                locale: "en_US".into(),
            }),
            Command::Connection(ConnectionMethod::StartOk {
                client_properties: a_table(),
                mechanism: "PLAIN".into(),
                response: b"\0guest\0guest".to_vec(),
                locale: "en_US".into(),
            }),
        ),
        (
            M::SecureOk(connection::SecureOk { response: "r".into() }),
            Command::Connection(ConnectionMethod::SecureOk { response: b"r".to_vec() }),
        ),
        (
            M::TuneOk(connection::TuneOk { channel_max: 1, frame_max: 2, heartbeat: 3 }),
            Command::Connection(ConnectionMethod::TuneOk { channel_max: 1, frame_max: 2, heartbeat: 3 }),
        ),
        (
            M::Open(connection::Open { virtual_host: "/".into() }),
            Command::Connection(ConnectionMethod::Open { virtual_host: "/".into() }),
        ),
        (
            M::Close(connection::Close { reply_code: 200, reply_text: "bye".into(), class_id: 0, method_id: 0 }),
            Command::Connection(ConnectionMethod::Close { reply_code: 200, reply_text: "bye".into() }),
        ),
        (M::CloseOk(connection::CloseOk {}), Command::Connection(ConnectionMethod::CloseOk)),
        (M::Blocked(connection::Blocked { reason: "r".into() }), Command::Connection(ConnectionMethod::Blocked)),
        (M::Unblocked(connection::Unblocked {}), Command::Connection(ConnectionMethod::Unblocked)),
        (
            M::UpdateSecret(connection::UpdateSecret { new_secret: "s".into(), reason: "r".into() }),
            Command::Connection(ConnectionMethod::UpdateSecret { new_secret: b"s".to_vec(), reason: "r".into() }),
        ),
    ]
    .map(|(method, command)| (AMQPClass::Connection(method), command))
    .to_vec()
}

fn channel_methods() -> Vec<(AMQPClass, Command)> {
    use channel::AMQPMethod as M;
    let mut methods = [
        (M::Open(channel::Open {}), Command::Channel(ChannelMethod::Open)),
        (M::Flow(channel::Flow { active: true }), Command::Channel(ChannelMethod::Flow { active: true })),
        (M::FlowOk(channel::FlowOk { active: true }), Command::Channel(ChannelMethod::FlowOk { active: true })),
        (
            M::Close(channel::Close { reply_code: 200, reply_text: "bye".into(), class_id: 0, method_id: 0 }),
            Command::Channel(ChannelMethod::Close { reply_code: 200, reply_text: "bye".into() }),
        ),
        (M::CloseOk(channel::CloseOk {}), Command::Channel(ChannelMethod::CloseOk)),
    ]
    .map(|(method, command)| (AMQPClass::Channel(method), command))
    .to_vec();
    methods.push((
        AMQPClass::Access(access::AMQPMethod::Request(access::Request { realm: "/data".into(), ..Default::default() })),
        Command::Access(AccessMethod::Request),
    ));
    methods
}

#[expect(clippy::too_many_lines, reason = "a flat list")]
fn exchange_methods() -> Vec<(AMQPClass, Command)> {
    use exchange::AMQPMethod as M;
    [
        (
            M::Declare(exchange::Declare {
                exchange: "x".into(),
                kind: "topic".into(),
                durable: true,
                internal: true,
                arguments: a_field_table(),
                ..Default::default()
            }),
            Command::Exchange(ExchangeMethod::Declare {
                exchange: "x".into(),
                kind: "topic".into(),
                passive: false,
                durable: true,
                auto_delete: false,
                internal: true,
                no_wait: false,
                arguments: a_table(),
            }),
        ),
        (
            M::Delete(exchange::Delete { exchange: "x".into(), if_unused: true, nowait: false }),
            Command::Exchange(ExchangeMethod::Delete { exchange: "x".into(), if_unused: true, no_wait: false }),
        ),
        (
            M::Bind(exchange::Bind {
                destination: "d".into(),
                source: "s".into(),
                routing_key: "k".into(),
                nowait: true,
                arguments: a_field_table(),
            }),
            Command::Exchange(ExchangeMethod::Bind {
                destination: "d".into(),
                source: "s".into(),
                routing_key: b"k".to_vec(),
                no_wait: true,
                arguments: a_table(),
            }),
        ),
        (
            M::Unbind(exchange::Unbind {
                destination: "d".into(),
                source: "s".into(),
                routing_key: "k".into(),
                nowait: false,
                arguments: a_field_table(),
            }),
            Command::Exchange(ExchangeMethod::Unbind {
                destination: "d".into(),
                source: "s".into(),
                routing_key: b"k".to_vec(),
                no_wait: false,
                arguments: a_table(),
            }),
        ),
    ]
    .map(|(method, command)| (AMQPClass::Exchange(method), command))
    .to_vec()
}

#[expect(clippy::too_many_lines, reason = "a flat list")]
fn queue_methods() -> Vec<(AMQPClass, Command)> {
    use queue::AMQPMethod as M;
    [
        (
            M::Declare(queue::Declare {
                queue: "q".into(),
                exclusive: true,
                nowait: true,
                arguments: a_field_table(),
                ..Default::default()
            }),
            Command::Queue(QueueMethod::Declare {
                queue: "q".into(),
                passive: false,
                durable: false,
                exclusive: true,
                auto_delete: false,
                no_wait: true,
                arguments: a_table(),
            }),
        ),
        (
            M::Bind(queue::Bind {
                queue: "q".into(),
                exchange: "x".into(),
                routing_key: "k".into(),
                nowait: false,
                arguments: a_field_table(),
            }),
            Command::Queue(QueueMethod::Bind {
                queue: "q".into(),
                exchange: "x".into(),
                routing_key: b"k".to_vec(),
                no_wait: false,
                arguments: a_table(),
            }),
        ),
        (
            M::Unbind(queue::Unbind {
                queue: "q".into(),
                exchange: "x".into(),
                routing_key: "k".into(),
                arguments: a_field_table(),
            }),
            Command::Queue(QueueMethod::Unbind {
                queue: "q".into(),
                exchange: "x".into(),
                routing_key: b"k".to_vec(),
                arguments: a_table(),
            }),
        ),
        (
            M::Purge(queue::Purge { queue: "q".into(), nowait: true }),
            Command::Queue(QueueMethod::Purge { queue: "q".into(), no_wait: true }),
        ),
        (
            M::Delete(queue::Delete { queue: "q".into(), if_unused: false, if_empty: true, nowait: false }),
            Command::Queue(QueueMethod::Delete { queue: "q".into(), if_unused: false, if_empty: true, no_wait: false }),
        ),
    ]
    .map(|(method, command)| (AMQPClass::Queue(method), command))
    .to_vec()
}

#[expect(clippy::too_many_lines, reason = "a flat list")]
fn basic_methods() -> Vec<(AMQPClass, Command)> {
    use basic::AMQPMethod as M;
    [
        (
            M::Qos(basic::Qos { prefetch_count: 7, global: true }),
            Command::Basic(BasicMethod::Qos { prefetch_size: 0, prefetch_count: 7, global: true }),
        ),
        (
            M::Consume(basic::Consume {
                queue: "q".into(),
                consumer_tag: "c".into(),
                no_ack: true,
                arguments: a_field_table(),
                ..Default::default()
            }),
            Command::Basic(BasicMethod::Consume {
                queue: "q".into(),
                consumer_tag: "c".into(),
                no_local: false,
                no_ack: true,
                exclusive: false,
                no_wait: false,
                arguments: a_table(),
            }),
        ),
        (
            M::Cancel(basic::Cancel { consumer_tag: "c".into(), nowait: true }),
            Command::Basic(BasicMethod::Cancel { consumer_tag: "c".into(), no_wait: true }),
        ),
        (
            M::CancelOk(basic::CancelOk { consumer_tag: "c".into() }),
            Command::Basic(BasicMethod::CancelOk { consumer_tag: "c".into() }),
        ),
        (
            M::Publish(basic::Publish {
                exchange: "x".into(),
                routing_key: "k".into(),
                mandatory: true,
                immediate: false,
            }),
            Command::Basic(BasicMethod::Publish {
                exchange: "x".into(),
                routing_key: b"k".to_vec(),
                mandatory: true,
                immediate: false,
            }),
        ),
        (
            M::Get(basic::Get { queue: "q".into(), no_ack: true }),
            Command::Basic(BasicMethod::Get { queue: "q".into(), no_ack: true }),
        ),
        (
            M::Ack(basic::Ack { delivery_tag: 9, multiple: true }),
            Command::Basic(BasicMethod::Ack { delivery_tag: 9, multiple: true }),
        ),
        (
            M::Reject(basic::Reject { delivery_tag: 9, requeue: true }),
            Command::Basic(BasicMethod::Reject { delivery_tag: 9, requeue: true }),
        ),
        (
            M::Nack(basic::Nack { delivery_tag: 9, multiple: false, requeue: true }),
            Command::Basic(BasicMethod::Nack { delivery_tag: 9, multiple: false, requeue: true }),
        ),
        (M::Recover(basic::Recover { requeue: true }), Command::Basic(BasicMethod::Recover { requeue: true })),
        (
            M::RecoverAsync(basic::RecoverAsync { requeue: true }),
            Command::Basic(BasicMethod::RecoverAsync { requeue: true }),
        ),
    ]
    .map(|(method, command)| (AMQPClass::Basic(method), command))
    .to_vec()
}

/// One of each kind of reply.
pub(in crate::protocol) fn replies() -> Vec<Reply> {
    let method = MethodId::new(50, 10);
    let tag = "c".to_owned();
    vec![
        Reply::ConnectionStart {
            server_properties: a_table(),
            mechanisms: "PLAIN AMQPLAIN".into(),
            locales: "en_US".into(),
        },
        Reply::ConnectionSecure { challenge: vec![1] },
        Reply::ConnectionTune { channel_max: 2047, frame_max: 131_072, heartbeat: 60 },
        Reply::ConnectionOpenOk,
        Reply::ConnectionClose { reply_code: 320, reply_text: "r".into(), method },
        Reply::ConnectionCloseOk,
        Reply::ConnectionBlocked { reason: "low on memory".into() },
        Reply::ConnectionUnblocked,
        Reply::ConnectionUpdateSecretOk,
        Reply::ChannelOpenOk,
        Reply::ChannelFlowOk { active: true },
        Reply::ChannelClose { reply_code: 404, reply_text: "r".into(), method },
        Reply::ChannelCloseOk,
        Reply::AccessRequestOk,
        Reply::ExchangeDeclareOk,
        Reply::ExchangeDeleteOk,
        Reply::ExchangeBindOk,
        Reply::ExchangeUnbindOk,
        Reply::QueueDeclareOk { queue: "q".into(), message_count: 1, consumer_count: 2 },
        Reply::QueueBindOk,
        Reply::QueueUnbindOk,
        Reply::QueuePurgeOk { message_count: 1 },
        Reply::QueueDeleteOk { message_count: 1 },
        Reply::BasicQosOk,
        Reply::BasicConsumeOk { consumer_tag: tag.clone() },
        Reply::BasicCancel { consumer_tag: tag.clone() },
        Reply::BasicCancelOk { consumer_tag: tag },
        Reply::BasicGetEmpty,
        Reply::BasicRecoverOk,
        Reply::ConfirmSelectOk,
        Reply::TxSelectOk,
        Reply::TxCommitOk,
        Reply::TxRollbackOk,
    ]
}
