//! Sockets and channel state: one task for each connection.
//!
//! [`session`] is the connection without its socket, synchronous and testable byte by byte; `driver` gives a socket to it,
//! as to anything else that is a [`protocol::Protocol`]; `listener` accepts, as long as `admission` has room. `open` holds an open connection's channels, `methods` what each AMQP method does.

pub(crate) mod admission;
mod advice;
mod aside;
mod asking;
mod channel;
mod channels;
mod confirms;
mod deliver;
pub(crate) mod driver;
mod durability;
mod effort;
mod ending;
mod failures;
pub(crate) mod foreign;
mod incoming;
mod kept;
mod lines;
pub(crate) mod listener;
mod log_waits;
mod methods;
mod open;
pub(crate) mod outbox;
pub(crate) mod output;
mod pace;
mod patience;
pub(crate) mod protocol;
pub(crate) mod proxy_header;
mod publish;
mod rights;
pub(crate) mod session;
mod settle;
pub(crate) mod socket;
mod spare;
#[cfg(test)]
mod tests;
mod trace;
mod transaction;
mod unacked;
mod weight;
