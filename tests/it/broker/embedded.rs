//! The broker of this crate, started in the test's own process. With `LEVERET_TEST_STORE=disk` it keeps messages in files.
//!
//! It has a thread and a runtime of its own, like that of the test: so it can be stopped while the test ends, when nobody waits for the
//! test's runtime any more.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use leveret::ClockHand;
use leveret::{Broker, Builder, Clock};
use tokio::runtime::{self, Handle, Runtime, RuntimeFlavor};
use tokio::sync::oneshot;

use super::Setup;

/// A running embedded broker. When dropped, it is stopped as its users stop it, and the test waits until nothing of it is left.
pub struct Embedded {
    /// Until it is stopped.
    broker: Option<Broker>,
    hand: Option<Arc<ClockHand>>,
    /// Takes the broker to its thread.
    stop: Option<oneshot::Sender<Broker>>,
    thread: Option<JoinHandle<()>>,
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
    let (builder, hand) = builder(setup, directory.as_ref());
    let runtime = runtime(setup);
    let (started, is_started) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<Broker>();
    let run = move || {
        runtime.block_on(async {
            started.send(builder.start().await).ok();
            if let Ok(broker) = stopped.await {
                broker.stop().await;
            }
        });
        drop((runtime, directory));
    };
    let thread = thread::spawn(run);
    let broker = is_started.await.expect("its thread runs").expect("an embedded broker starts");
    Embedded { broker: Some(broker), hand, stop: Some(stop), thread: Some(thread) }
}

/// A runtime like that of the test.
fn runtime(setup: &Setup) -> Runtime {
    let test = Handle::current();
    let mut builder = match test.runtime_flavor() {
        RuntimeFlavor::MultiThread => runtime::Builder::new_multi_thread(),
        _ => runtime::Builder::new_current_thread(),
    };
    let name = setup.worker_name.unwrap_or("embedded");
    builder.worker_threads(test.metrics().num_workers()).thread_name(name).enable_all().build().expect("a runtime")
}

fn builder(setup: &Setup, directory: Option<&Directory>) -> (Builder, Option<Arc<ClockHand>>) {
    let mut builder = match directory {
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
    let for_all = || std::env::var("LEVERET_TEST_SOCKET_BYTES").ok().map(|bytes| bytes.parse().expect("a number"));
    if let Some(bytes) = setup.socket_bytes.or_else(for_all) {
        builder = builder.socket_buffers(bytes);
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
    (builder, hand)
}

impl Embedded {
    fn broker(&self) -> &Broker {
        self.broker.as_ref().expect("it is not stopped")
    }

    pub fn address(&self) -> SocketAddr {
        match self.broker().address() {
            address if address.ip().is_unspecified() => SocketAddr::from(([127, 0, 0, 1], address.port())),
            address => address,
        }
    }

    /// Where it serves the management API.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.broker().http_address()
    }

    /// Where it serves metrics.
    pub fn prometheus_address(&self) -> Option<SocketAddr> {
        self.broker().prometheus_address()
    }

    /// What is administered.
    pub fn state(&self) -> &leveret::internals::broker::Broker {
        self.broker().state()
    }

    /// Stops it and waits for the end, while its clients go on.
    pub async fn stop(self) {
        tokio::task::spawn_blocking(move || drop(self)).await.expect("it stops");
    }

    /// Moves the manual clock.
    pub async fn advance(&self, time: Duration) {
        self.hand.as_ref().expect("the test asked for a manual clock").advance(time);
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let (Some(broker), Some(stop)) = (self.broker.take(), self.stop.take()) {
            stop.send(broker).ok();
        }
        if let Some(thread) = self.thread.take() {
            // A panic of it was reported when it happened.
            thread.join().ok();
        }
    }
}
