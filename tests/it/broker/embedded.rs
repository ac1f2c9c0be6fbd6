//! The broker of this crate, started in the test's own process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use leveret::clock::Hand;
use leveret::{Broker, Clock, Compatibility};

use super::Setup;

/// A running embedded broker; it stops when dropped.
pub struct Embedded {
    broker: Broker,
    hand: Option<Arc<Hand>>,
}

/// Starts a broker in memory on a port of its own.
pub async fn start(setup: &Setup) -> Embedded {
    let mut builder = Broker::builder().in_memory();
    if setup.like_4_3 {
        builder = builder.compatibility(Compatibility::V4_3);
    }
    if let Some(bytes) = setup.memory_high_watermark {
        builder = builder.memory_high_watermark(bytes);
    }
    if let Some(bytes) = setup.max_message_size {
        builder = builder.max_message_size(u64::from(bytes));
    }
    let mut hand = None;
    if setup.manual_clock {
        let (clock, its_hand) = Clock::manual();
        builder = builder.clock(clock);
        hand = Some(its_hand);
    }
    if setup.on_every_address {
        builder = builder.amqp_listen(SocketAddr::from(([0, 0, 0, 0], 0)));
    }
    for name in &setup.quorum_vhosts {
        builder = builder.quorum_vhost(name);
    }
    for (name, password) in &setup.impersonators {
        builder = builder.impersonator(name, password);
    }
    // A user has the virtual hosts that were added before: these have `/` only, and guest has all.
    for (name, password) in &setup.users {
        builder = builder.user(name, password);
    }
    for name in &setup.vhosts {
        builder = builder.vhost(name);
    }
    builder = builder.user("guest", "guest").anonymous_login(setup.anonymous_login.unwrap_or(true));
    Embedded { broker: builder.start().await.expect("an embedded broker starts"), hand }
}

impl Embedded {
    pub fn address(&self) -> SocketAddr {
        match self.broker.address() {
            address if address.ip().is_unspecified() => SocketAddr::from(([127, 0, 0, 1], address.port())),
            address => address,
        }
    }

    /// Stops it and waits for the end.
    pub async fn stop(self) {
        self.broker.stop().await;
    }

    /// Moves the manual clock.
    pub async fn advance(&self, time: Duration) {
        self.hand.as_ref().expect("the test asked for a manual clock").advance(time);
    }
}
