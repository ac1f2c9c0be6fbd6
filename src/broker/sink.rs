//! How a queue reaches the connections that consume from it, without knowing what a connection is.
//!
//! A queue that finds no room in a consumer's outbox keeps its messages until there is room again. Both agree on that without a lock that
//! both would hold:
//!
//! ```text
//!   the queue, under its lock                       the task of the consumer's connection
//!   -------------------------                       -------------------------------------
//!   room_bytes(): none                              encodes deliveries: fewer bytes wait
//!   starve(): the consumer is on the list,          less than half is left? takes the flag: if it was set,
//!             and the flag is set                   resumes the queues of the list, one by one, while there is room
//!   room_bytes(), again: if there is none,
//!   the messages stay, and may be moved to files
//! ```
//!
//! Each side writes first, and then reads what the other one writes. If the queue finds no room the second time, the bytes become fewer
//! only after that; so the task looks at the flag later still, and finds it set. If the task looked before the flag was set, the queue
//! finds the room. Whatever the order, one of them sees the other, and nobody waits for ever.
//!
//! Half of the room must be free before anybody is resumed: else a queue would be locked, and the task woken, for each message.

use std::fmt;

use crate::broker::ids::{ChannelId, ConsumerId};
use crate::error::AmqpError;
use crate::message::{DeliveryCounts, Message};

/// Names one delivery of one message by a queue until it is settled. A token is never given twice, so that settling a
/// message that the queue took back meanwhile (consumer timeout) does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(pub u64);

/// A message on its way to a consumer, or to a client that asked for it with `basic.get`.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Who receives it.
    pub consumer: ConsumerId,
    /// Shared with whoever else has it: a copy of this is one more reference, not a copy of the body.
    pub message: Message,
    /// How to settle it; `None` when it needs no acknowledgement.
    pub token: Option<Token>,
    /// It was delivered before.
    pub redelivered: bool,
    /// Earlier deliveries that a quorum queue tells of.
    pub counts: DeliveryCounts,
}

/// Something that the broker tells a connection unasked.
#[derive(Clone, Debug)]
pub enum Notice {
    /// The queue is gone, or took the consumer off: `basic.cancel` to clients that understand it.
    ConsumerCancelled(ConsumerId),
    /// A delivery to this consumer was not acknowledged within so many milliseconds (behaviour reference 7.2).
    ConsumerTimedOut(ConsumerId, u64),
    /// A message that this channel took with `basic.get` was not acknowledged within so many milliseconds.
    GetTimedOut(ChannelId, u64),
    /// The connection is to be closed.
    Close(AmqpError),
    /// The alarm was cleared: look at it again.
    AlarmChanged,
}

/// A connection's receiving side. Its methods are called under queue locks: they never block and never call back.
pub trait Sink: Send + Sync + fmt::Debug {
    /// How many more bytes of messages it wishes to be handed now; 0 when its client does not read fast enough.
    fn room_bytes(&self) -> usize;

    /// Asks it to resume this consumer when it has room again.
    fn starve(&self, consumer: ConsumerId);

    /// Whether its connection has work with what it was handed, and a client that takes what is written. If so, the queue of this
    /// consumer is to look again once that is over ([`QueueHandle::look_at_pace`](super::queue::QueueHandle::look_at_pace)).
    fn watch(&self, consumer: ConsumerId) -> bool {
        let _ = consumer;
        false
    }

    /// Takes over the deliveries and leaves the vector empty.
    fn deliver(&self, deliveries: &mut Vec<Delivery>);

    /// Takes over a direct reply, if there is room for it. There is no queue that could keep it.
    fn reply(&self, reply: Delivery);

    /// Tells it something.
    fn notify(&self, notice: Notice);
}
