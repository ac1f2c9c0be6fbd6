//! Leveret: a message broker that every RabbitMQ client connects to unchanged.
//!
//! Three kinds of code, never mixed in one function:
//!
//! - [`protocol`]: bytes to meaning and back. AMQP 0-9-1 on the wire, pure and synchronous.
//! - [`broker`]: meaning to new state. Virtual hosts, exchanges, queues; no socket, no file, no clock.
//! - `connection` and [`server`]: the outside world. Sockets, timers, signals; thin, few decisions.
//!
//! [`Broker`] embeds a whole broker in a process, which is how this crate's own tests run it.
//! Without the default features the libraries that only the program needs are not built.
//! ARCHITECTURE.md is the map.

#![cfg_attr(
    not(feature = "cli"),
    allow(dead_code, unused_imports, unused_variables, reason = "the program is who calls them")
)]

pub mod error;
pub mod table;

pub mod message;
pub mod metrics;
pub mod properties;

pub mod protocol;

pub mod broker;

pub mod auth;
pub mod backends;
pub mod clock;
pub mod config;
pub mod connection;
mod host;
mod http;
mod impossible;
#[cfg(feature = "cli")]
pub mod logging;
#[cfg(not(feature = "cli"))]
#[path = "logging/unwritten.rs"]
mod logging;
mod nearest;
pub mod server;
pub mod store;
mod throttle;
pub mod tls;

pub use broker::profile::Compatibility;
pub use clock::Clock;
pub use server::{Broker, Builder, StartError};
