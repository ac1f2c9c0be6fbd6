//! What a connection's driver asks of the protocol that is spoken on it.
//!
//! A protocol takes bytes and gives bytes: it never waits, never touches a socket and never asks what time it is. So a driver can run
//! any of them, and a test or a fuzz target can run one without a driver.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::outbox::Outbox;
use super::output::Output;
use super::session::Addresses;
use crate::broker::registry::ConnectionCounters;
use crate::tls::Security;

/// One connection of a protocol, without its socket. [`Session`](super::session::Session) is that of AMQP 0-9-1.
pub trait Protocol: fmt::Debug + Send + 'static {
    /// Notes where the client is for whom a proxy has connected.
    fn introduced(&mut self, addresses: Addresses);

    /// Notes what was agreed on before the first byte, where the socket is encrypted.
    fn secured(&mut self, security: Security);

    /// Takes what was read and returns how much of it is used up. The rest is given again, with more behind it.
    fn receive(&mut self, bytes: &[u8], now_ms: u64) -> usize;

    /// Encodes what others handed over through [`Protocol::outbox`], as far as the output has room.
    fn deliver(&mut self, now_ms: u64);

    /// What is to be written; `None` while nothing may be said.
    fn output(&mut self) -> Option<&mut Output>;

    /// Where others hand over what is for this connection. It wakes the driver.
    fn outbox(&self) -> &Arc<Outbox>;

    /// What it counts, for those who list connections.
    fn counters(&self) -> &ConnectionCounters;

    /// Looks whether somebody outside has answered who was asked, for whom nothing is read meanwhile. Pending while nobody is asked.
    fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<()>;

    /// Goes on with the answer.
    fn answered(&mut self, now_ms: u64);

    /// Whether the client has logged in. Before that it may be closed to make room for another one.
    fn is_open(&self) -> bool;

    /// Whether anything that is read would be looked at now. While it would not, the socket is left alone, so that TCP makes
    /// the client wait.
    fn wants_read(&self) -> bool;

    /// Whether so much was done that other connections are to have their turn. Nothing more is read until
    /// [`Protocol::begin_turn`].
    fn is_turn_over(&self) -> bool;

    /// Others had their turn.
    fn begin_turn(&mut self);

    /// Whether the socket is to be closed once the output is written.
    fn is_closed(&self) -> bool;

    /// Whether the client was told that it speaks something else. It may still be sending.
    fn is_refused(&self) -> bool;

    /// Whether the socket is to be reset at the end, so that a client which is still there fails at its next write, and does not
    /// write into nothing.
    fn is_abandoned(&self) -> bool;

    /// Notes that writing was tried, and how many bytes the client took.
    fn written(&mut self, sent_bytes: u64, now_ms: u64);

    /// Whether the client has taken nothing of the output for too long.
    fn is_stalled(&self, now_ms: u64) -> bool;

    /// Notes that the client sent something while nothing is read.
    fn noticed_input(&mut self);

    /// Notes that the client closed its side of the socket while nothing is read.
    fn hung_up(&mut self, now_ms: u64);

    /// When to call [`Protocol::on_timer`] next.
    fn next_deadline_ms(&self) -> Option<u64>;

    /// Does what is due.
    fn on_timer(&mut self, now_ms: u64);

    /// The socket is gone, because of this if it failed: takes everything off the broker that the connection had.
    fn end(&mut self, failure: Option<&io::Error>, now_ms: u64);
}
