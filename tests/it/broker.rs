//! The broker under test: one in this process for each test, or a running RabbitMQ for all of them.
//!
//! `LEVERET_TEST_AMQP=127.0.0.1:5672` names a RabbitMQ with guest/guest and its management interface 10000 ports above.
//! A test's expectation is first seen to hold there; then it judges this broker. `LEVERET_TEST_CTL` may hold a command that
//! runs `rabbitmqctl` for it, without which the few tests that need an alarm or a setting of the node cannot run there.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use leveret::Compatibility;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use crate::client::{Channel, Connect, Connection, publish, queue};

mod administrator;
mod embedded;
mod management;

pub use administrator::Administrator;
pub use management::Management;

/// What a test asks of its broker before it starts.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Another profile than the default one, which is 4.2. A RabbitMQ under test is always 4.3.
    pub compatibility: Option<Compatibility>,
    pub no_consumer_timeout: bool,
    /// A clock that [`TestBroker::pass`] moves. RabbitMQ has none: there, time really passes.
    pub manual_clock: bool,
    /// Messages are kept in files, so that answers wait for the log. RabbitMQ always does.
    pub on_disk: bool,
    pub memory_high_watermark: Option<u64>,
    pub max_message_size: Option<u32>,
    pub users: Vec<(String, String)>,
    /// Users that may set any `user_id`.
    pub impersonators: Vec<(String, String)>,
    pub vhosts: Vec<String>,
    /// Virtual hosts whose durable queues are quorum queues unless they say otherwise.
    pub quorum_vhosts: Vec<String>,
    /// Listens on every address and not only on the loopback one.
    pub on_every_address: bool,
    pub anonymous_login: Option<bool>,
    /// Serves the management API, as RabbitMQ always does.
    pub http: bool,
    /// Where alerts are sent; of RabbitMQ nothing is.
    pub alerts_webhook: Option<String>,
    /// A file with the authorities that the certificate there may come from.
    pub alerts_webhook_authorities: Option<std::path::PathBuf>,
    /// Bytes of the buffers that the system keeps for a client, in each direction, so that everything is read and written in pieces.
    /// `LEVERET_TEST_SOCKET_BYTES` says it for all tests. RabbitMQ keeps its own.
    pub socket_bytes: Option<u32>,
    /// What the threads of an embedded broker are called, if the test's runtime has several.
    pub worker_name: Option<&'static str>,
}

impl Setup {
    #[must_use]
    pub fn like(mut self, version: Compatibility) -> Self {
        self.compatibility = Some(version);
        self
    }

    #[must_use]
    pub fn like_4_3(self) -> Self {
        self.like(Compatibility::V4_3)
    }

    #[must_use]
    pub fn manual_clock(mut self) -> Self {
        self.manual_clock = true;
        self
    }

    #[must_use]
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.users.push((name.into(), password.into()));
        self
    }

    #[must_use]
    pub fn vhost(mut self, name: &str) -> Self {
        self.vhosts.push(name.into());
        self
    }

    pub async fn start(self) -> TestBroker {
        TestBroker::start_with(self).await
    }
}

/// A broker to test. What a test created on a shared RabbitMQ is deleted when this is dropped.
pub struct TestBroker {
    address: SocketAddr,
    running: Running,
    names: Mutex<Vec<String>>,
}

enum Running {
    Stopped,
    Embedded(Box<embedded::Embedded>),
    RabbitMq { management: Management, _turn: Turn, setup: Box<Setup> },
}

/// Most tests share a RabbitMQ; one that disturbs the whole node has it alone.
#[allow(dead_code, reason = "the guards are held, not read")]
enum Turn {
    Shared(OwnedRwLockReadGuard<()>),
    Alone(OwnedRwLockWriteGuard<()>),
}

/// Message bytes above which an embedded broker raises its memory alarm in [`TestBroker::with_alarm`].
const ALARM_BYTES: u64 = 1 << 20;

/// Tests that disturb a whole shared node hold this alone; all others share it.
static TURN: LazyLock<Arc<RwLock<()>>> = LazyLock::new(Arc::default);

impl TestBroker {
    /// A broker as its users get it.
    pub async fn start() -> Self {
        Self::start_with(Setup::default()).await
    }

    /// A broker that behaves as RabbitMQ 4.3 to the letter.
    pub async fn to_the_letter() -> Self {
        Setup::default().like_4_3().start().await
    }

    /// The same, with a clock that the test moves.
    pub async fn to_the_letter_with_clock() -> Self {
        Setup::default().like_4_3().manual_clock().start().await
    }

    /// A broker with its management API.
    pub async fn with_http() -> Self {
        Setup { http: true, ..Setup::default() }.like_4_3().start().await
    }

    /// A broker whose clock the test moves.
    pub async fn with_clock() -> Self {
        Setup::default().manual_clock().start().await
    }

    async fn start_with(setup: Setup) -> Self {
        let Some(address) = rabbitmq_address() else {
            let embedded = embedded::start(&setup).await;
            return Self {
                address: embedded.address(),
                running: Running::Embedded(Box::new(embedded)),
                names: Mutex::default(),
            };
        };
        let turn = match setup.memory_high_watermark {
            Some(_) => Turn::Alone(Arc::clone(&TURN).write_owned().await),
            None => Turn::Shared(Arc::clone(&TURN).read_owned().await),
        };
        let management = Management::beside(address);
        for vhost in &setup.vhosts {
            management.create_vhost(vhost);
        }
        for vhost in &setup.quorum_vhosts {
            management.create_quorum_vhost(vhost);
        }
        let tagged = |users: &[(String, String)], tags| {
            for (name, password) in users {
                management.create_user(name, password, tags);
                management.permit(name, "/", ".*", ".*", ".*");
            }
        };
        tagged(&setup.users, "");
        tagged(&setup.impersonators, "impersonator");
        Self {
            address,
            running: Running::RabbitMq { management, _turn: turn, setup: Box::new(setup) },
            names: Mutex::default(),
        }
    }

    /// A broker whose memory alarm the test raises and clears; none on a RabbitMQ that `LEVERET_TEST_CTL` does not reach.
    pub async fn with_alarm() -> Option<Self> {
        if rabbitmq_address().is_some() && std::env::var("LEVERET_TEST_CTL").is_err() {
            eprintln!("without LEVERET_TEST_CTL no alarm can be raised in RabbitMQ");
            return None;
        }
        Some(Setup { memory_high_watermark: Some(ALARM_BYTES), ..Setup::default() }.start().await)
    }

    /// Raises the memory alarm: by a message that is too much, or by a watermark that is too low.
    pub async fn raise_memory_alarm(&self) {
        if self.is_rabbitmq() {
            return ctl(&["set_vm_memory_high_watermark", "absolute", "1"]);
        }
        let ch = self.connect().await.channel(1).await;
        ch.declare(queue(FILLER).durable()).await;
        ch.publish(publish("", FILLER, vec![0; 2 * ALARM_BYTES as usize])).await;
        // The publisher itself may be blocked by now; another connection sees its message arrive.
        self.connect().await.channel(1).await.expect_ready(FILLER, 1).await;
    }

    /// Clears the memory alarm.
    pub async fn clear_memory_alarm(&self) {
        if self.is_rabbitmq() {
            return ctl(&["set_vm_memory_high_watermark", "0.6"]);
        }
        self.connect().await.channel(1).await.delete(FILLER).await;
    }

    /// Stops an embedded broker as its operator would.
    pub async fn stop(mut self) {
        match std::mem::replace(&mut self.running, Running::Stopped) {
            Running::Embedded(embedded) => embedded.stop().await,
            Running::RabbitMq { .. } | Running::Stopped => panic!("a RabbitMQ under test is not stopped"),
        }
    }

    /// Whether RabbitMQ itself is being tested: for the rows where this broker differs on purpose.
    pub fn is_rabbitmq(&self) -> bool {
        matches!(self.running, Running::RabbitMq { .. })
    }

    /// The management API of the broker under test, whichever it is.
    pub fn http(&self) -> Management {
        match &self.running {
            Running::RabbitMq { management, .. } => management.clone(),
            Running::Embedded(embedded) => {
                Management::at(embedded.http_address().expect("the test asked for the management API"))
            }
            Running::Stopped => panic!("the broker was stopped"),
        }
    }

    /// Its metrics, which nobody needs to log in for.
    pub fn metrics(&self) -> Management {
        let address = match &self.running {
            Running::RabbitMq { management, .. } => {
                let management = management.address();
                SocketAddr::new(management.ip(), management.port() + 20)
            }
            Running::Embedded(embedded) => embedded.prometheus_address().expect("the test asked for HTTP"),
            Running::Stopped => panic!("the broker was stopped"),
        };
        Management::at(address).authorized_by(None)
    }

    /// Who administers it.
    pub fn administrator(&self) -> Administrator<'_> {
        match &self.running {
            Running::RabbitMq { management, .. } => Administrator::Remote(management),
            Running::Embedded(embedded) => Administrator::Embedded(embedded.state()),
            Running::Stopped => panic!("it has stopped"),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as clients write it.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@{}/%2F", self.address)
    }

    /// A name that no other test uses, for a queue, an exchange, a user or a virtual host.
    pub fn name(&self, stem: &str) -> String {
        let name = unique(stem);
        self.names.lock().unwrap().push(name.clone());
        name
    }

    /// Where most tests begin: a channel, and an exclusive queue by its name.
    pub async fn stage(&self, stem: &str) -> (Channel, String) {
        let ch = self.connect().await.channel(1).await;
        let name = self.name(stem);
        ch.declare(queue(&name).exclusive()).await;
        (ch, name)
    }

    /// A connection as most clients open it.
    pub async fn connect(&self) -> Connection {
        self.connect_with().open().await
    }

    /// How to connect, to be changed.
    pub fn connect_with(&self) -> Connect {
        Connect::to(self.address)
    }

    /// A TCP connection on which nothing was said.
    pub async fn raw(&self) -> Connection {
        Connection::raw(self.address).await
    }

    /// Lets this time pass: by the hand of a manual clock, or truly. For behaviour that *is* time (TTL, heartbeats); what a
    /// test waits for, it polls.
    pub async fn pass(&self, time: Duration) {
        match &self.running {
            Running::Embedded(embedded) => embedded.advance(time).await,
            Running::RabbitMq { .. } | Running::Stopped => tokio::time::sleep(time).await,
        }
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        if let Running::RabbitMq { management, setup, .. } = &self.running {
            if setup.memory_high_watermark.is_some() {
                // Whatever a failed test left behind.
                ctl(&["set_vm_memory_high_watermark", "0.6"]);
                ctl(&["set_disk_free_limit", "50MB"]);
            }
            for name in self.names.lock().unwrap().iter() {
                management.delete_quietly(&format!("/api/queues/%2F/{name}"));
                management.delete_quietly(&format!("/api/exchanges/%2F/{name}"));
            }
            for (name, _) in setup.users.iter().chain(&setup.impersonators) {
                management.delete_quietly(&format!("/api/users/{name}"));
            }
            for name in setup.vhosts.iter().chain(&setup.quorum_vhosts) {
                management.delete_quietly(&format!("/api/vhosts/{name}"));
            }
        }
    }
}

/// What fills the memory of an embedded broker.
const FILLER: &str = "filler";

/// Runs `rabbitmqctl` with these arguments.
pub fn ctl(arguments: &[&str]) {
    let command = std::env::var("LEVERET_TEST_CTL").expect("LEVERET_TEST_CTL is set");
    let mut words = command.split_whitespace();
    let program = words.next().expect("LEVERET_TEST_CTL is a command");
    let output = std::process::Command::new(program).args(words).args(arguments).output().expect("it runs");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

/// A name that no other test of any run uses.
pub fn unique(stem: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("it{}-{}-{stem}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The RabbitMQ to test instead of this broker.
pub fn rabbitmq_address() -> Option<SocketAddr> {
    std::env::var("LEVERET_TEST_AMQP").ok().map(|address| address.parse().expect("LEVERET_TEST_AMQP is host:port"))
}

/// How error texts name a queue (reference: `Q({q})`).
pub fn q(name: &str) -> String {
    format!("queue '{name}' in vhost '/'")
}

/// How error texts name an exchange (reference: `X({x})`).
pub fn x(name: &str) -> String {
    format!("exchange '{name}' in vhost '/'")
}

/// A reply text as it fits a short string: cut to 252 characters and three dots.
pub fn cut(text: &str) -> String {
    if text.len() > 255 { format!("{}...", &text[..252]) } else { text.to_owned() }
}
