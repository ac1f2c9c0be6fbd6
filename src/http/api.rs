//! What all handlers share: the broker, its users, and who the node is.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use super::app::App;
use super::later::LaterBounds;
use super::operator::Operator;
use super::pages_login::PagesLogin;
use super::prometheus::Highest;
use super::rates::Rates;
use crate::auth::{LoginAttempts, Logins};
use crate::broker::Broker;
use crate::clock::Clock;
use crate::metrics::IoCounters;
use crate::protocol::handshake::Identity;
use crate::tls::Certificates;

/// Something that the broker listens with.
#[derive(Clone, Debug)]
pub(crate) struct ListenerInfo {
    /// RabbitMQ's name of the protocol: `amqp`, `http`.
    pub(crate) protocol: &'static str,
    /// The address and port that it is bound to.
    pub(crate) address: SocketAddr,
    /// Of TLS, if it speaks that.
    pub(crate) certificates: Option<Arc<Certificates>>,
}

/// Where things are on the web server, and what the first of them are.
#[derive(Clone, Debug)]
pub(crate) struct WebPaths {
    /// What is before the paths of the API and the pages: nothing, or a path without a slash at its end.
    pub(crate) prefix: String,
    /// Where the metrics are.
    pub(crate) metrics: String,
    /// Whether there are metrics of each object there, and not their sums.
    pub(crate) has_metrics_per_object: bool,
    /// Metrics are for users with a tag for it.
    pub(crate) metrics_need_login: bool,
}

impl Default for WebPaths {
    fn default() -> Self {
        Self {
            prefix: String::new(),
            metrics: "/metrics".to_owned(),
            has_metrics_per_object: false,
            metrics_need_login: false,
        }
    }
}

/// The broker as the HTTP API sees it.
#[derive(Debug)]
pub(crate) struct Api {
    /// The virtual hosts, and what they share.
    pub(crate) broker: Arc<Broker>,
    /// What holds for all logins.
    pub(crate) logins: Logins,
    /// What the broker says of itself.
    pub(crate) identity: Identity,
    /// The broker's clock, which tests move by hand.
    pub(crate) clock: Clock,
    /// When the broker was started, in milliseconds since 1970.
    pub(crate) started_at_ms: u64,
    /// What it listens with.
    pub(crate) listeners: Vec<ListenerInfo>,
    /// Where messages are kept; `None` for the memory.
    pub(crate) data_dir: Option<String>,
    /// What can be changed while it runs.
    pub(crate) operator: Arc<dyn Operator>,
    /// What the files of the store cost.
    pub(crate) io: Arc<IoCounters>,
    /// What counters were when Prometheus was told last.
    pub(crate) highest: Highest,
    /// What lets clients in.
    pub(crate) app: App,
    /// How fast counters move.
    pub(crate) rates: Rates,
    /// Who logged in, or tried to, over HTTP.
    pub(crate) attempts: Mutex<LoginAttempts>,
    /// Where things are on the web server.
    pub(crate) paths: WebPaths,
    /// How the pages log in.
    pub(crate) pages_login: PagesLogin,
    /// How much is done at a time for answers that are not to be had at once.
    pub(crate) later: LaterBounds,
}

impl Api {
    /// The name of the only node, as RabbitMQ writes it: `rabbit@localhost`.
    pub(super) fn node(&self) -> &str {
        &self.broker.node().settings.node_name
    }
}
