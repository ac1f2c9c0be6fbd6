//! The broker of this crate, started in the test's own process. With `LEVERET_TEST_STORE=disk` it keeps messages in files.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use leveret::ClockHand;
use leveret::{Broker, Clock};

use super::Setup;

/// A running embedded broker; it stops when dropped.
pub struct Embedded {
    broker: Broker,
    hand: Option<Arc<ClockHand>>,
    _directory: Option<Directory>,
}

/// A data directory, removed when dropped.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("leveret-it-{}-{number}", std::process::id())))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Starts a broker on a port of its own.
pub async fn start(setup: &Setup) -> Embedded {
    let is_on_disk = setup.on_disk || std::env::var_os("LEVERET_TEST_STORE").is_some();
    let directory = is_on_disk.then(Directory::new);
    let mut builder = match &directory {
        Some(directory) => Broker::builder().data_dir(&directory.0).disk_free_limit(0),
        None => Broker::builder().in_memory(),
    };
    if let Some(version) = setup.compatibility {
        builder = builder.compatibility(version);
    }
    builder = builder.no_consumer_timeout(setup.no_consumer_timeout);
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
    if let Some(url) = &setup.alerts_webhook {
        builder = builder.alerts_webhook(url).unwrap();
    }
    if let Some(file) = &setup.alerts_webhook_authorities {
        builder = builder.alerts_webhook_authorities(file);
    }
    if setup.http {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        builder = builder.http_listen(any).prometheus_listen(any);
    }
    let broker = builder.start().await.expect("an embedded broker starts");
    Embedded { broker, hand, _directory: directory }
}

impl Embedded {
    pub fn address(&self) -> SocketAddr {
        match self.broker.address() {
            address if address.ip().is_unspecified() => SocketAddr::from(([127, 0, 0, 1], address.port())),
            address => address,
        }
    }

    /// Where it serves the management API.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.broker.http_address()
    }

    /// Where it serves metrics.
    pub fn prometheus_address(&self) -> Option<SocketAddr> {
        self.broker.prometheus_address()
    }

    /// What is administered.
    pub fn state(&self) -> &leveret::internals::broker::Broker {
        self.broker.state()
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
