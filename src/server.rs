//! Starts a broker with its listeners, and stops them in reverse order. Programs that embed a broker use this, too.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

mod accounts;
mod auth;
mod background;
mod binding;
mod builder;
#[cfg(feature = "cli")]
pub(crate) mod check;
mod cluster;
mod definitions;
mod encryption;
#[cfg_attr(windows, path = "server/local_windows.rs")]
pub(crate) mod local;
mod management;
mod metered;
mod operator;
mod own_messages;
mod pages_login;
mod places;
mod start_error;
mod stopping;
mod storage;
pub(crate) mod talk;
mod tasks;
mod url;
mod vhost_defaults;
#[cfg_attr(windows, path = "server/wake_ups_windows.rs")]
mod wake_ups;
mod watching;
mod webhook;

use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::auth::GUEST;
use crate::broker;
use crate::broker::administration::DEFAULT_VHOST;
use crate::clock::Clock;
use crate::config::{Secret, Settings};
use crate::host;
use crate::logging;
use crate::tls::Certificates;
use binding::first_address;
use encryption::Secured;
use management::Management;
use start_error::StartFailure;
use storage::Storage;

pub use builder::Builder;
pub use operator::Reloaded;
pub use start_error::StartError;

/// A running broker. Dropping it stops it.
///
/// ```
/// # #[tokio::main(flavor = "multi_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let broker = leveret::Broker::builder().in_memory().start().await?;
/// println!("connect to {}", broker.amqp_url());
/// broker.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Broker {
    outside: Outside,
    broker: Arc<broker::Broker>,
    operator: Arc<operator::RunningOperator>,
    stop: watch::Sender<bool>,
    listeners: Vec<JoinHandle<()>>,
    /// What is done for nobody in particular: the timer, its thread, and others. They end in this order.
    tasks: Vec<JoinHandle<()>>,
    /// `None` when everything is kept in memory, or was stopped.
    storage: Option<Storage>,
    data_dir: Option<PathBuf>,
    known: Box<Known>,
    /// `None` when it is not served, or was stopped.
    management: Option<Management>,
}

/// Who is known to log in.
#[derive(Debug)]
struct Known {
    /// The user and the virtual host that a new broker has.
    first: (String, String),
    /// Passwords that were given, with their users.
    passwords: Vec<(String, Secret)>,
}

/// Where clients reach a broker.
#[derive(Debug)]
struct Outside {
    /// For AMQP: without TLS if that is spoken anywhere.
    address: SocketAddr,
    is_tls_only: bool,
    amqps_address: Option<SocketAddr>,
    /// Everything that it listens with: RabbitMQ's name of the protocol, and the address.
    listeners: Vec<(&'static str, SocketAddr)>,
    /// Of all that speaks TLS.
    certificates: Vec<Arc<Certificates>>,
}

impl Outside {
    /// # Errors
    /// When there is nothing that AMQP could be spoken on.
    fn of(plain: &[TcpListener], secured: &Secured) -> Result<Self, StartFailure> {
        let (plain, amqps_address) = (first_address(plain), first_address(&secured.amqp));
        let address = plain.or(amqps_address).ok_or(StartFailure::NoAddress)?;
        let (is_tls_only, certificates) = (plain.is_none(), secured.certificates());
        // What else there is comes later.
        Ok(Self { address, is_tls_only, amqps_address, listeners: Vec::new(), certificates })
    }
}

impl Broker {
    /// A broker with defaults, to be adjusted and started.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Starts what the configuration asks for.
    ///
    /// # Errors
    /// As for [`Builder::start`]; and when no place for messages is known.
    #[doc(hidden)]
    pub async fn from_settings(settings: &Settings) -> Result<Self, StartError> {
        let builder = Builder::for_settings(settings)?;
        // Only for a process that is the broker's own: an embedding one decides for itself.
        host::raise_descriptor_limit();
        let broker = builder.start().await?;
        // Who embeds a broker has a log of its own.
        #[cfg(feature = "cli")]
        if settings.log_exchange {
            let own_messages = Arc::clone(&broker.broker.node().own_messages);
            logging::send_lines_to(Box::new(move |level, text| own_messages.line(level, text)));
        }
        Ok(broker)
    }

    /// Reads the files that the settings name, as a start does, and starts nothing.
    ///
    /// # Errors
    /// What the start would end with: a sentence for people.
    #[doc(hidden)]
    pub fn check_files(settings: &Settings) -> Result<(), StartError> {
        Ok(Builder::for_settings(settings)?.read_files()?)
    }

    /// The version of RabbitMQ that clients are told unless another one is chosen.
    pub fn rabbitmq_version() -> &'static str {
        broker::node::NodeSettings::default().profile().version
    }

    /// Where it listens for AMQP; with TLS if it does not listen without.
    pub fn address(&self) -> SocketAddr {
        self.outside.address
    }

    /// Where it serves the management HTTP API with TLS.
    pub fn https_address(&self) -> Option<SocketAddr> {
        self.management.as_ref().and_then(|management| management.secured_address)
    }

    /// Where it listens for AMQP with TLS.
    pub fn amqps_address(&self) -> Option<SocketAddr> {
        self.outside.amqps_address
    }

    /// Reads the files with certificates again. What cannot be used is reported in the log, and the old ones stay. Waits for the disk.
    pub fn reload_certificates(&self) {
        self.outside.certificates.iter().for_each(|certificates| certificates.reload());
    }

    /// Takes over what of a new configuration can change while it runs, and reads the files with certificates again. Waits for the disk.
    #[doc(hidden)]
    pub fn reload(&self, settings: &Settings) -> Reloaded {
        self.operator.reload(settings)
    }

    /// Where it serves the management HTTP API.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.management.as_ref()?.address
    }

    /// Whether it listens for AMQP with TLS alone.
    pub fn is_tls_only(&self) -> bool {
        self.outside.is_tls_only
    }

    /// Where it serves metrics for Prometheus with TLS.
    pub fn prometheus_tls_address(&self) -> Option<SocketAddr> {
        self.management.as_ref()?.secured_metrics_address
    }

    /// Where it serves metrics for Prometheus.
    pub fn prometheus_address(&self) -> Option<SocketAddr> {
        self.management.as_ref()?.metrics_address
    }

    /// Everything that it listens with: RabbitMQ's name of the protocol (`amqp`, `amqp/ssl`, `http`, `https`, `http/prometheus`), and
    /// the address.
    pub fn listeners(&self) -> &[(&'static str, SocketAddr)] {
        &self.outside.listeners
    }

    /// What clients connect to, as guest in the virtual host `/`.
    pub fn amqp_url(&self) -> String {
        self.amqp_url_for(GUEST, DEFAULT_VHOST)
    }

    /// What clients connect to as this user in this virtual host, whatever characters their names have. The password is in it of `guest`
    /// and of users that were given to [`Builder::user`].
    pub fn amqp_url_for(&self, user: &str, vhost: &str) -> String {
        let given = self.known.passwords.iter().rev().find(|(name, _)| name == user);
        let password = match given {
            Some((_, password)) => Some(password.0.as_str()),
            None if user == GUEST => Some(GUEST),
            None => None,
        };
        let scheme = if self.outside.is_tls_only { "amqps" } else { "amqp" };
        url::amqp((scheme, self.outside.address), user, password, vhost)
    }

    /// What a person needs who sees it start: where to connect as whom, the management API, where messages are kept, the process.
    pub fn welcome(&self) -> String {
        let (user, vhost) = &self.known.first;
        // An earlier start may have made others, an administrator may have removed them, and definitions may have brought the user
        // without permissions there.
        let is_there = self.broker.user(user).is_some() && self.broker.permission(user, vhost).is_some();
        let amqp = if is_there {
            format!("connect to {} as {user}", self.amqp_url_for(user, vhost))
        } else {
            format!("AMQP is spoken on {}", self.address())
        };
        let http = self.http_address().map(|address| ("http", address));
        let http = http.or_else(|| self.https_address().map(|address| ("https", address)));
        let http = http.map(|(scheme, address)| format!(", management at {}", url::http(scheme, address)));
        let (kept, pid) = (self.keeps_messages_in(), host::process_id());
        format!("{amqp}{} ({kept}, pid {pid})", http.unwrap_or_default())
    }

    /// Resolves when the store has failed and nothing more can be confirmed: with the reason. Cancel safe.
    pub async fn failed(&self) -> String {
        match &self.storage {
            Some(storage) => storage.failed().await,
            None => std::future::pending().await,
        }
    }

    /// Where messages are kept, for people: a directory, or the memory.
    pub fn keeps_messages_in(&self) -> String {
        match &self.data_dir {
            Some(directory) => format!("messages are kept in {}", directory.display()),
            None => "everything is kept in memory: nothing survives a stop".to_owned(),
        }
    }

    /// The broker's state, for assertions.
    #[doc(hidden)]
    pub fn state(&self) -> &broker::Broker {
        &self.broker
    }
}

/// Messages that expire or are published before others get their turn.
const MESSAGES_A_TURN: usize = 256;

/// How often it is looked what the process takes, while that is too much.
const LOOK_AGAIN_MS: u64 = 1_000;

/// Does what is due at its time, and sleeps in between.
async fn run_deadlines(broker: Arc<broker::Broker>, clock: Clock) {
    let earlier = Arc::new(Notify::new());
    let wake_up = Arc::clone(&earlier);
    // Before the first look, and `notify_one` is kept for a task that does not wait yet: what is set between a
    // look and the wait is not slept through.
    broker.node().deadlines.on_earlier(Box::new(move || wake_up.notify_one()));
    loop {
        let now_ms = clock.now_ms();
        let mut done = 0;
        while let Some(messages) = broker.run_next_deadline(now_ms) {
            done += messages;
            if done >= MESSAGES_A_TURN {
                // However much is due: the runtime looks at all sockets before it comes back.
                done = 0;
                tokio::task::yield_now().await;
            }
        }
        if broker.needs_relief() {
            let relieved = Arc::clone(&broker);
            // Aside: with millions of messages it takes seconds, in which nothing would expire and no worker look at its sockets.
            broker.node().background.run(Box::new(move || relieved.relieve()));
        }
        // Nothing tells when the process takes less again, so it is looked at.
        let look_ms = broker.node().alarm.is_lowered().then(|| clock.now_ms() + LOOK_AGAIN_MS);
        let next_ms = broker.node().deadlines.next_ms().into_iter().chain(look_ms).min();
        let due = async {
            match next_ms {
                Some(next_ms) => clock.sleep_until(next_ms).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {}
            () = earlier.notified() => {}
        }
    }
}
