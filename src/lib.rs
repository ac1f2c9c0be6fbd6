//! Leveret: a message broker that every RabbitMQ client connects to unchanged.
//!
//! This library runs a whole broker within a process, for instance in the tests of a program that needs one:
//!
//! ```
//! # #[tokio::main(flavor = "multi_thread")]
//! # async fn main() -> Result<(), leveret::StartError> {
//! let broker = leveret::Broker::builder().in_memory().user("alice", "secret").start().await?;
//! println!("connect to {}", broker.amqp_url_for("alice", "/"));
//! broker.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! - [`Builder`] says what a broker is like: where it listens, where it keeps messages, who may log in.
//! - [`Broker`] is one that runs: it says where clients connect to, and stops.
//! - [`Clock::manual`] makes a clock that stands still until a test moves it. Queues and messages expire, and delayed messages
//!   arrive, when the test says so.
//! - [`tls`] has what a listener with TLS needs.
//!
//! Everything else is private. Without the default features the libraries that only the program needs are not built.
//!
//! Three kinds of code, never mixed in one function (ARCHITECTURE.md is the map):
//!
//! - `protocol`: bytes to meaning and back. AMQP 0-9-1 on the wire, pure and synchronous.
//! - `broker`: meaning to new state. Virtual hosts, exchanges, queues; no socket, no file, no clock.
//! - `connection`, `http`, `store` and `server`: the outside world. Sockets, files, timers, signals; thin, few decisions.

#![allow(
    rustdoc::private_intra_doc_links,
    reason = "the docs of what `internals` lists are for those who read the rooms"
)]
#![cfg_attr(
    not(feature = "cli"),
    allow(dead_code, unreachable_pub, unused_imports, unused_variables, reason = "the program is who calls them")
)]

pub mod tls;

mod auth;
mod backends;
mod broker;
mod clock;
mod config;
mod connection;
mod erlang;
mod error;
mod host;
mod http;
mod impossible;
#[doc(hidden)]
pub mod internals;
#[cfg(feature = "cli")]
mod logging;
#[cfg(not(feature = "cli"))]
#[path = "logging/unwritten.rs"]
mod logging;
mod message;
mod metrics;
mod nearest;
mod properties;
mod protocol;
mod server;
mod store;
mod table;
mod throttle;

pub use auth::InvalidPattern;
pub use broker::profile::Compatibility;
pub use clock::{Clock, ClockHand};
pub use protocol::sasl::Mechanism;
pub use server::{Broker, Builder, StartError};
