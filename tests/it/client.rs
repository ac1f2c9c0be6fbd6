//! A small AMQP 0-9-1 client for tests: it sends what it is told to, well formed or not, and never waits without a deadline.
//!
//! - [`table`]: field values tag by tag, in wire order, encoded here and not by the broker's codec.
//! - [`properties`]: the basic properties, likewise.
//! - [`method`]: the methods a test sends, encoded by the crate `amq-protocol`.
//! - [`socket`]: frames over a socket, with deadlines.
//! - [`connection`]: the handshake and channel 0.
//! - [`channel`]: everything on a channel, each step a line of the story.

pub mod channel;
pub mod connection;
pub mod delivery;
pub mod method;
pub mod properties;
pub mod socket;
pub mod table;

pub use channel::Channel;
pub use connection::{Connect, Connection};
pub use delivery::{Confirm, Delivery};
pub use method::{Request, consume, exchange, publish, queue};
pub use properties::Properties;
pub use table::{Table, Value, args};

use std::time::Duration;

/// Between two looks at something that must come to be.
pub const POLL: Duration = Duration::from_millis(20);

/// Looks again until the check succeeds; fails with its last answer when the patience ends.
pub async fn eventually<T: std::fmt::Debug>(what: &str, mut check: impl AsyncFnMut() -> Result<(), T>) {
    let mut last = None;
    let waited = tokio::time::timeout(socket::PATIENCE, async {
        while let Err(answer) = check().await {
            last = Some(answer);
            tokio::time::sleep(POLL).await;
        }
    })
    .await;
    assert!(waited.is_ok(), "never saw that {what}; last: {last:?}");
}
