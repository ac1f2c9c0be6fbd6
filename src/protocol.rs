//! AMQP 0-9-1 on the wire, sans I/O: bytes to [`command::Command`]s, [`command::Reply`]s to bytes. It knows nothing of queues.
//!
//! A connection's driver reads a batch of bytes and, until they are used up: tries [`fast`], which takes a whole publish or a
//! whole ack; else cuts one frame with [`frame`] and gives it to the channel's [`assembler`], which decodes methods with
//! [`method`] and joins contents. Before the connection is open, [`handshake`] takes the frames instead.
//!
//! Invariant: nothing here reads a socket or a clock, and no bytes whatever make it panic.

pub(crate) mod assembler;
pub(crate) mod command;
pub(crate) mod content;
pub(crate) mod fast;
pub(crate) mod frame;
pub(crate) mod handshake;
pub(crate) mod heartbeat;
pub mod method;
pub(crate) mod octets;
pub(crate) mod sasl;

#[cfg(test)]
mod tests;
