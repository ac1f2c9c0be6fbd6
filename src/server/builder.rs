//! What a broker is to be started with.

mod sockets;
mod start;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::accounts::{Account, First};
use super::cluster::ClusterAtStart;
use super::definitions::DefinitionsAtStart;
use super::encryption::ServerTls;
use super::places::ListenPlaces;
use super::start_error::StartFailure;
use super::vhost_defaults::vhost_defaults;
use super::webhook::Asked;
use super::{Broker, StartError};
use crate::auth::{ADMINISTRATOR, GUEST, IMPERSONATOR, InvalidPattern, Logins, Permissions};
use crate::broker::administration::{DEFAULT_VHOST, everything};
use crate::broker::definitions::PermissionDefinition;
use crate::broker::node::{MESSAGE_BYTES_MAX_DEFAULT, NodeSettings};
use crate::broker::profile::Compatibility;
use crate::broker::queue::arguments::QueueKind;
use crate::broker::random::Random;
use crate::clock::Clock;
use crate::config::{DISK_FREE_LIMIT_BYTES_DEFAULT, Listen, Settings as Configured, Share, SystemGroup};
use crate::host;
use crate::protocol::handshake::HeartbeatOffer;

/// Seconds between heartbeats, as RabbitMQ offers it.
const HEARTBEAT: u16 = 60;

/// What a broker is to be started with: made by [`Broker::builder`], which chooses a free port of this machine for AMQP and nothing else.
///
/// Say at least where it keeps messages: [`Builder::in_memory`] or [`Builder::data_dir`].
#[derive(Debug)]
pub struct Builder {
    addresses: Vec<Listen>,
    in_memory: bool,
    data_dir: Option<PathBuf>,
    salvage: bool,
    disk_free_limit_bytes: u64,
    clock: Clock,
    random: Random,
    settings: NodeSettings,
    message_bytes_max: u64,
    memory_high_watermark_bytes: u64,
    /// Of a process that is the broker's own. An embedding one takes memory for other things, too.
    resident_bytes_max: u64,
    version: Option<String>,
    logins: Logins,
    users: Vec<Account>,
    vhosts: Vec<(String, QueueKind)>,
    http_addresses: Vec<Listen>,
    prometheus_addresses: Vec<Listen>,
    /// What the program was configured with; nothing of an embedded broker.
    configured: Option<Box<Configured>>,
    socket_buffer_bytes: Option<u32>,
    heartbeat: HeartbeatOffer,
    pub(super) encryption: ServerTls,
    /// Whether it has one, and a group that may use it.
    local_socket: Option<Option<SystemGroup>>,
    node_name: String,
    first: First,
    cluster: ClusterAtStart,
    definitions: DefinitionsAtStart,
    pub(super) webhook: Asked,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            addresses: vec![Listen::At(SocketAddr::from(([127, 0, 0, 1], 0)))],
            in_memory: false,
            data_dir: None,
            salvage: false,
            disk_free_limit_bytes: DISK_FREE_LIMIT_BYTES_DEFAULT,
            clock: Clock::system(),
            random: Random::default(),
            settings: NodeSettings::default(),
            message_bytes_max: MESSAGE_BYTES_MAX_DEFAULT,
            memory_high_watermark_bytes: u64::MAX,
            resident_bytes_max: u64::MAX,
            version: None,
            logins: Logins::default(),
            users: Vec::new(),
            vhosts: Vec::new(),
            http_addresses: Vec::new(),
            prometheus_addresses: Vec::new(),
            configured: None,
            socket_buffer_bytes: None,
            heartbeat: HEARTBEAT.into(),
            encryption: ServerTls::default(),
            local_socket: None,
            node_name: Configured::default().node_name,
            first: First::default(),
            cluster: ClusterAtStart::default(),
            definitions: DefinitionsAtStart::default(),
            webhook: Asked::default(),
        }
    }
}

impl Builder {
    /// What the configuration asks for.
    ///
    /// # Errors
    /// When no place for messages is known.
    pub(super) fn for_settings(configured: &Configured) -> Result<Self, StartFailure> {
        let memory_bytes = host::memory_bytes();
        let of_memory = |share: Share| memory_bytes.map_or(u64::MAX, |bytes| share.of(bytes));
        let builder = match (configured.in_memory, &configured.data_dir) {
            (true, _) => Self::default().in_memory(),
            (false, Some(directory)) => Self::default().data_dir(directory),
            (false, None) => Self::default().data_dir(host::data_directory().ok_or(StartFailure::NoDataDirectory)?),
        };
        let mut builder = builder
            .salvage(configured.salvage)
            .disk_free_limit(configured.disk_free_limit.of(memory_bytes.unwrap_or_default()))
            .compatibility(configured.compatibility)
            .memory_high_watermark(of_memory(configured.memory_high_watermark))
            .max_message_size(configured.max_message_size.0)
            .anonymous_login(configured.anonymous_login);
        builder.logins.loopback_users = loopback_users(configured);
        builder.node_name.clone_from(&configured.node_name);
        builder.first = First::from(configured);
        builder.definitions = DefinitionsAtStart::from(configured);
        builder.settings.vhost_defaults = Arc::new(vhost_defaults(configured)?);
        builder.configure_node(configured);
        builder.cluster = ClusterAtStart::from(configured);
        builder.configured = Some(Box::new(configured.clone()));
        builder.heartbeat = configured.heartbeat.0.into();
        builder.webhook = Asked::from(configured);
        builder.resident_bytes_max = host::resident_bytes_max();
        // An embedded broker has its program to look after it.
        builder.local_socket = Some(configured.socket_group.clone());
        let places = ListenPlaces::of(configured);
        builder.encryption = ServerTls::for_settings(configured, &places);
        builder.addresses = places.amqp;
        builder.http_addresses = places.http;
        builder.prometheus_addresses = places.prometheus;
        Ok(builder)
    }

    /// Reads the files that a start reads, and starts nothing: of certificates, of definitions.
    ///
    /// # Errors
    /// What the start would end with.
    pub(super) fn read_files(&self) -> Result<(), StartFailure> {
        self.webhook.ready()?;
        self.encryption.read(&self.clock)?;
        self.definitions.load()?;
        Ok(())
    }

    fn configure_node(&mut self, configured: &Configured) {
        let settings = &mut self.settings;
        settings.default_queue_kind = configured.default_queue_type;
        settings.password_hashing = configured.password_hashing;
        settings.connections_max = configured.connection_max.0;
        settings.channels_max = configured.channel_max_per_node.0;
        settings.consumers_max = configured.consumer_max_per_channel.0;
        settings.vhosts_max = configured.vhost_max.0;
        settings.queues_max = configured.cluster_queue_limit.0;
        settings.exchanges_max = configured.cluster_exchange_limit.0;
        settings.consumer_timeout = configured.consumer_timeout_ms().into();
        settings.has_log_exchange = configured.log_exchange;
    }

    /// Keeps everything in memory: nothing survives a stop.
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.in_memory = true;
        self
    }

    /// Keeps durable things in this directory, which no other process may use meanwhile.
    #[must_use]
    pub fn data_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(directory.into());
        self
    }

    /// Goes on without what cannot be read of a damaged data directory, and reports it.
    #[must_use]
    pub fn salvage(mut self, salvage: bool) -> Self {
        self.salvage = salvage;
        self
    }

    /// Below so many bytes of free disk space publishers wait.
    #[must_use]
    pub fn disk_free_limit(mut self, bytes: u64) -> Self {
        self.disk_free_limit_bytes = bytes;
        self
    }

    /// Listens for AMQP here instead of on a free port of the loopback interface.
    #[must_use]
    pub fn amqp_listen(mut self, address: SocketAddr) -> Self {
        self.addresses = vec![Listen::At(address)];
        self
    }

    /// Serves the management HTTP API here; by default it is not served.
    #[must_use]
    pub fn http_listen(mut self, address: SocketAddr) -> Self {
        self.http_addresses = vec![Listen::At(address)];
        self
    }

    /// Serves metrics for Prometheus here; by default they are not served.
    #[must_use]
    pub fn prometheus_listen(mut self, address: SocketAddr) -> Self {
        self.prometheus_addresses = vec![Listen::At(address)];
        self
    }

    /// Takes time from here.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Makes generated names and random choices repeatable.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.random = Random::seeded(seed);
        self
    }

    /// Which RabbitMQ to be like.
    #[must_use]
    pub fn compatibility(mut self, compatibility: Compatibility) -> Self {
        self.settings.compatibility = compatibility;
        self
    }

    /// The RabbitMQ version that clients are told; by default that of the compatibility profile.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        self.version = Some(version.to_owned());
        self
    }

    /// Above so many bytes of messages publishers wait.
    #[must_use]
    pub fn memory_high_watermark(mut self, bytes: u64) -> Self {
        self.memory_high_watermark_bytes = bytes;
        self
    }

    /// The largest message body that is accepted, in bytes.
    #[must_use]
    pub fn max_message_size(mut self, bytes: u64) -> Self {
        self.message_bytes_max = bytes;
        self
    }

    /// Adds an administrator that may do everything in every virtual host added so far, and in `/`. Without any, a new broker has `guest`.
    /// One that is there already gets this password and these permissions.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str) -> Self {
        let vhosts = self.vhosts.iter().map(|(vhost, _)| vhost.as_str());
        let permissions = std::iter::once(DEFAULT_VHOST).chain(vhosts).map(|vhost| everything(name, vhost)).collect();
        self.add_account(name, password, &[ADMINISTRATOR], permissions);
        self
    }

    fn add_account(&mut self, name: &str, password: &str, tags: &[&str], permissions: Vec<PermissionDefinition>) {
        let (name, password) = (name.to_owned(), password.to_owned());
        let tags = tags.iter().map(|&tag| tag.to_owned()).collect();
        self.users.push(Account { name, password, tags, permissions });
    }

    /// Adds a user that may do what these regular expressions allow, in one virtual host.
    ///
    /// # Errors
    /// When an expression is malformed.
    pub fn user_with_permissions(
        mut self,
        name: &str,
        password: &str,
        vhost: &str,
        [configure, write, read]: [&str; 3],
    ) -> Result<Self, InvalidPattern> {
        Permissions::new(configure, write, read)?;
        let [configure, write, read] = [configure, write, read].map(str::to_owned);
        let (user, vhost) = (name.to_owned(), vhost.to_owned());
        let permission = PermissionDefinition { user, vhost, configure, write, read };
        self.add_account(name, password, &[], vec![permission]);
        Ok(self)
    }

    /// Adds a user that may also set any `user_id` on its messages.
    #[must_use]
    pub fn impersonator(mut self, name: &str, password: &str) -> Self {
        self.add_account(name, password, &[IMPERSONATOR], vec![everything(name, DEFAULT_VHOST)]);
        self
    }

    /// Adds a virtual host.
    #[must_use]
    pub fn vhost(mut self, name: &str) -> Self {
        self.vhosts.push((name.to_owned(), QueueKind::Classic));
        self
    }

    /// Adds a virtual host whose durable queues are quorum queues unless they say otherwise.
    #[must_use]
    pub fn quorum_vhost(mut self, name: &str) -> Self {
        self.vhosts.push((name.to_owned(), QueueKind::Quorum));
        self
    }

    /// Lets anybody in without credentials, as `guest`.
    #[must_use]
    pub fn anonymous_login(mut self, is_allowed: bool) -> Self {
        self.logins.anonymous = is_allowed.then(|| GUEST.to_owned());
        self
    }

    /// How many bytes the system keeps of what a client has sent, and how many of what is to be sent to it, instead of what it chooses.
    #[must_use]
    pub fn socket_buffers(mut self, bytes: u32) -> Self {
        self.socket_buffer_bytes = Some(bytes);
        self
    }

    /// Waits for acknowledgements as long as it takes where a queue does not say how long, instead of 30 minutes.
    #[must_use]
    pub fn no_consumer_timeout(mut self, waits: bool) -> Self {
        let default = NodeSettings::default().consumer_timeout;
        self.settings.consumer_timeout = if waits { None.into() } else { default };
        self
    }

    /// Lets `guest` log in from other machines, too.
    #[must_use]
    pub fn guest_from_anywhere(mut self, is_allowed: bool) -> Self {
        self.logins.loopback_users.retain(|name| name != GUEST);
        if !is_allowed {
            self.logins.loopback_users.push(GUEST.to_owned());
        }
        self
    }

    /// Starts the broker; it accepts connections when this returns.
    ///
    /// ```
    /// # #[tokio::main(flavor = "multi_thread")]
    /// # async fn main() -> Result<(), leveret::StartError> {
    /// let (clock, hand) = leveret::Clock::manual();
    /// let broker = leveret::Broker::builder().in_memory().vhost("orders").user("alice", "secret").clock(clock).start().await?;
    /// // A second passes at once.
    /// hand.advance(std::time::Duration::from_secs(1));
    /// # broker.stop().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the address cannot be listened on, or it was not said where to keep messages.
    pub async fn start(self) -> Result<Broker, StartError> {
        Ok(self.run().await?)
    }
}

/// Who may only log in from this machine.
fn loopback_users(configured: &Configured) -> Vec<String> {
    let names = configured.loopback_users.iter().filter(|name| *name != "none");
    names.filter(|name| *name != GUEST || !configured.guest_from_anywhere).cloned().collect()
}
