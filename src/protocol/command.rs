//! Everything a client may ask of the broker and everything the broker may answer, in AMQP's own names.
//!
//! The hot methods (`basic.publish`, `basic.ack`, `basic.nack`, `basic.reject` inbound; `basic.deliver`, `basic.ack`,
//! `basic.nack` outbound) do not pass through these types when they come alone in the read buffer: see `fast.rs`.

use crate::error::MethodId;
use crate::table::Table;

/// A method from a client, with its content's place taken by the channel's assembler.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the fields carry the specification's own names and meanings")]
pub enum Command {
    ConnectionStartOk {
        client_properties: Table,
        mechanism: String,
        response: Vec<u8>,
        locale: String,
    },
    ConnectionSecureOk {
        response: Vec<u8>,
    },
    ConnectionTuneOk {
        channel_max: u16,
        frame_max: u32,
        heartbeat: u16,
    },
    ConnectionOpen {
        virtual_host: String,
    },
    ConnectionClose {
        reply_code: u16,
        reply_text: String,
    },
    ConnectionCloseOk,
    ConnectionUpdateSecret {
        new_secret: Vec<u8>,
        reason: String,
    },
    ConnectionBlocked,
    ConnectionUnblocked,
    ChannelOpen,
    ChannelFlow {
        active: bool,
    },
    ChannelFlowOk {
        active: bool,
    },
    ChannelClose {
        reply_code: u16,
        reply_text: String,
    },
    ChannelCloseOk,
    AccessRequest,
    ExchangeDeclare {
        exchange: String,
        kind: String,
        passive: bool,
        durable: bool,
        auto_delete: bool,
        internal: bool,
        no_wait: bool,
        arguments: Table,
    },
    ExchangeDelete {
        exchange: String,
        if_unused: bool,
        no_wait: bool,
    },
    ExchangeBind {
        destination: String,
        source: String,
        routing_key: Vec<u8>,
        no_wait: bool,
        arguments: Table,
    },
    ExchangeUnbind {
        destination: String,
        source: String,
        routing_key: Vec<u8>,
        no_wait: bool,
        arguments: Table,
    },
    QueueDeclare {
        queue: String,
        passive: bool,
        durable: bool,
        exclusive: bool,
        auto_delete: bool,
        no_wait: bool,
        arguments: Table,
    },
    QueueBind {
        queue: String,
        exchange: String,
        routing_key: Vec<u8>,
        no_wait: bool,
        arguments: Table,
    },
    QueueUnbind {
        queue: String,
        exchange: String,
        routing_key: Vec<u8>,
        arguments: Table,
    },
    QueuePurge {
        queue: String,
        no_wait: bool,
    },
    QueueDelete {
        queue: String,
        if_unused: bool,
        if_empty: bool,
        no_wait: bool,
    },
    BasicQos {
        prefetch_size: u32,
        prefetch_count: u16,
        global: bool,
    },
    BasicConsume {
        queue: String,
        consumer_tag: String,
        no_local: bool,
        no_ack: bool,
        exclusive: bool,
        no_wait: bool,
        arguments: Table,
    },
    BasicCancel {
        consumer_tag: String,
        no_wait: bool,
    },
    BasicCancelOk {
        consumer_tag: String,
    },
    BasicPublish {
        exchange: String,
        routing_key: Vec<u8>,
        mandatory: bool,
        immediate: bool,
    },
    BasicGet {
        queue: String,
        no_ack: bool,
    },
    BasicAck {
        delivery_tag: u64,
        multiple: bool,
    },
    BasicReject {
        delivery_tag: u64,
        requeue: bool,
    },
    BasicNack {
        delivery_tag: u64,
        multiple: bool,
        requeue: bool,
    },
    BasicRecover {
        requeue: bool,
    },
    BasicRecoverAsync {
        requeue: bool,
    },
    ConfirmSelect {
        no_wait: bool,
    },
    TxSelect,
    TxCommit,
    TxRollback,
    /// A method of the specification that only servers send, or that is not implemented: 503.
    Unimplemented(MethodId),
}

/// A method from the broker. Content methods are encoded together with their content by `fast.rs`.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the fields carry the specification's own names and meanings")]
pub enum Reply {
    ConnectionStart { server_properties: Table, mechanisms: String, locales: String },
    ConnectionSecure { challenge: Vec<u8> },
    ConnectionTune { channel_max: u16, frame_max: u32, heartbeat: u16 },
    ConnectionOpenOk,
    ConnectionClose { reply_code: u16, reply_text: String, method: MethodId },
    ConnectionCloseOk,
    ConnectionBlocked { reason: String },
    ConnectionUnblocked,
    ConnectionUpdateSecretOk,
    ChannelOpenOk,
    ChannelFlowOk { active: bool },
    ChannelClose { reply_code: u16, reply_text: String, method: MethodId },
    ChannelCloseOk,
    AccessRequestOk,
    ExchangeDeclareOk,
    ExchangeDeleteOk,
    ExchangeBindOk,
    ExchangeUnbindOk,
    QueueDeclareOk { queue: String, message_count: u32, consumer_count: u32 },
    QueueBindOk,
    QueueUnbindOk,
    QueuePurgeOk { message_count: u32 },
    QueueDeleteOk { message_count: u32 },
    BasicQosOk,
    BasicConsumeOk { consumer_tag: String },
    BasicCancel { consumer_tag: String },
    BasicCancelOk { consumer_tag: String },
    BasicGetEmpty,
    BasicAck { delivery_tag: u64, multiple: bool },
    BasicNack { delivery_tag: u64, multiple: bool },
    BasicRecoverOk,
    ConfirmSelectOk,
    TxSelectOk,
    TxCommitOk,
    TxRollbackOk,
}
