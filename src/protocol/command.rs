//! Everything a client may ask of the broker and everything the broker may answer, in AMQP's own names.
//!
//! The frequent methods (`basic.publish`, `basic.ack`, `basic.nack`, `basic.reject` inbound; `basic.deliver`, `basic.ack`,
//! `basic.nack` outbound) do not pass through these types when they come alone in the read buffer: see `fast.rs`.

use crate::error::MethodId;
use crate::table::Table;

/// A method from a client. There is one enum for each class, so that a method that its class does not handle fails to compile.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the variants are the classes of the specification")]
pub enum Command {
    Connection(ConnectionMethod),
    Channel(ChannelMethod),
    Access(AccessMethod),
    Exchange(ExchangeMethod),
    Queue(QueueMethod),
    Basic(BasicMethod),
    Confirm(ConfirmMethod),
    Tx(TxMethod),
    /// A method of the specification that only servers send, or that is not implemented: 503.
    Unimplemented(MethodId),
}

/// Class `connection`: methods on channel 0 (behaviour reference 1).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the fields carry the specification's own names and meanings")]
pub enum ConnectionMethod {
    StartOk { client_properties: Table, mechanism: String, response: Vec<u8>, locale: String },
    SecureOk { response: Vec<u8> },
    TuneOk { channel_max: u16, frame_max: u32, heartbeat: u16 },
    Open { virtual_host: String },
    Close { reply_code: u16, reply_text: String },
    CloseOk,
    UpdateSecret { new_secret: Vec<u8>, reason: String },
    Blocked,
    Unblocked,
}

/// Class `channel` (behaviour reference 2).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the fields carry the specification's own names and meanings")]
pub enum ChannelMethod {
    Open,
    Flow { active: bool },
    FlowOk { active: bool },
    Close { reply_code: u16, reply_text: String },
    CloseOk,
}

/// Class `access`, which AMQP 0-9-1 has dropped and old clients still use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields carry the specification's own names and meanings")]
pub enum AccessMethod {
    Request,
}

/// Class `exchange` (behaviour reference 3).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the fields carry the specification's own names and meanings")]
pub enum ExchangeMethod {
    Declare {
        exchange: String,
        kind: String,
        passive: bool,
        durable: bool,
        auto_delete: bool,
        internal: bool,
        no_wait: bool,
        arguments: Table,
    },
    Delete {
        exchange: String,
        if_unused: bool,
        no_wait: bool,
    },
    Bind {
        destination: String,
        source: String,
        routing_key: Vec<u8>,
        no_wait: bool,
        arguments: Table,
    },
    Unbind {
        destination: String,
        source: String,
        routing_key: Vec<u8>,
        no_wait: bool,
        arguments: Table,
    },
}

/// Class `queue` (behaviour reference 4).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the fields carry the specification's own names and meanings")]
pub enum QueueMethod {
    Declare {
        queue: String,
        passive: bool,
        durable: bool,
        exclusive: bool,
        auto_delete: bool,
        no_wait: bool,
        arguments: Table,
    },
    Bind {
        queue: String,
        exchange: String,
        routing_key: Vec<u8>,
        no_wait: bool,
        arguments: Table,
    },
    Unbind {
        queue: String,
        exchange: String,
        routing_key: Vec<u8>,
        arguments: Table,
    },
    Purge {
        queue: String,
        no_wait: bool,
    },
    Delete {
        queue: String,
        if_unused: bool,
        if_empty: bool,
        no_wait: bool,
    },
}

/// Class `basic` (behaviour reference 5).
/// `Publish` stands without its content, which the channel's assembler adds.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the fields carry the specification's own names and meanings")]
pub enum BasicMethod {
    Qos {
        prefetch_size: u32,
        prefetch_count: u16,
        global: bool,
    },
    Consume {
        queue: String,
        consumer_tag: String,
        no_local: bool,
        no_ack: bool,
        exclusive: bool,
        no_wait: bool,
        arguments: Table,
    },
    Cancel {
        consumer_tag: String,
        no_wait: bool,
    },
    CancelOk {
        consumer_tag: String,
    },
    Publish {
        exchange: String,
        routing_key: Vec<u8>,
        mandatory: bool,
        immediate: bool,
    },
    Get {
        queue: String,
        no_ack: bool,
    },
    Ack {
        delivery_tag: u64,
        multiple: bool,
    },
    Reject {
        delivery_tag: u64,
        requeue: bool,
    },
    Nack {
        delivery_tag: u64,
        multiple: bool,
        requeue: bool,
    },
    Recover {
        requeue: bool,
    },
    RecoverAsync {
        requeue: bool,
    },
}

/// Class `confirm`, an extension of RabbitMQ (behaviour reference 5.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields carry the specification's own names and meanings")]
pub enum ConfirmMethod {
    Select { no_wait: bool },
}

/// Class `tx` (behaviour reference 5.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields carry the specification's own names and meanings")]
pub enum TxMethod {
    Select,
    Commit,
    Rollback,
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
    BasicRecoverOk,
    ConfirmSelectOk,
    TxSelectOk,
    TxCommitOk,
    TxRollbackOk,
}
