//! Sockets and channel state: one task for each connection.
//!
//! [`session`] is the connection without its socket, synchronous and testable byte by byte; `driver` gives a socket to it,
//! as to anything else that is a [`protocol::Protocol`]; `listener` accepts, as long as `admission` has room. `open` is an open connection: only what lies in its folder sees its parts, `open/methods` among them (what each AMQP method does).

pub(crate) mod admission;
mod advice;
mod aside;
mod channel;
mod channels;
mod confirms;
pub(crate) mod driver;
mod effort;
pub(crate) mod foreign;
mod incoming;
mod lines;
pub(crate) mod listener;
pub(crate) mod listening_socket;
mod log_waits;
mod open;
pub(crate) mod outbox;
pub(crate) mod output;
mod pace;
mod patience;
pub(crate) mod protocol;
pub(crate) mod proxy_header;
pub(crate) mod session;
pub(crate) mod socket;
mod spare_descriptor;
mod suspensions;
#[cfg(test)]
mod tests;
mod transaction;
mod unacked;
mod unused_input;
