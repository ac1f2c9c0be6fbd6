//! How a broker is started: the store is read, the broker filled, and then its listeners accept connections.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Builder;
use crate::auth::GUEST;
use crate::broker;
use crate::broker::alarm::Alarm;
use crate::broker::node::Node;
use crate::clock::Clock;
use crate::config::{ChannelMax, FrameMax, Secret};
use crate::connection::admission::{Admission, DescriptorLimits};
use crate::connection::listener::Listener;
use crate::connection::session::{External, Hosting};
use crate::host;
use crate::http::{Api, App, StartOver};
use crate::metrics::IoCounters;
use crate::protocol::handshake::{Identity, Offer};
use crate::protocol::sasl::Mechanism;
use crate::server::accounts::{self, Account, Populated};
use crate::server::local::{self, Local};
use crate::server::management::{self, Management, addresses};
use crate::server::operator::Running;
use crate::server::start_error::StartFailure;
use crate::server::stopping::{patience, until_stopped};
use crate::server::storage::{self, Storage};
use crate::server::{Broker, Known, Outside, auth, background, run_deadlines, tasks};

/// A broker with everything that its store kept.
struct Restored {
    broker: Arc<broker::Broker>,
    /// `None` when everything is kept in memory.
    storage: Option<Storage>,
    io: Arc<IoCounters>,
}

impl Builder {
    /// [`Builder::start`], with all that can go wrong.
    pub(super) async fn run(mut self) -> Result<Broker, StartFailure> {
        let data_dir = if self.in_memory { None } else { Some(self.data_dir.take().ok_or(StartFailure::NoStore)?) };
        // What can fail without a trace is tried first.
        let webhook = self.webhook.ready()?;
        // Before the store is opened, so that a start whose port is taken changes no file.
        let mut sockets = self.bind_sockets()?;
        let mut outside = Outside::of(&sockets.amqp, &sockets.secured)?;
        let Restored { broker, storage, io } = self.restored(data_dir.as_deref())?;
        // Before anything accepts: no client finds a broker without its users.
        self.populated().populate(&broker, &self.definitions, self.clock.now_ms())?;
        let hosting = Arc::new(self.hosting(&broker)?);
        let admission = Arc::new(Admission::new(DescriptorLimits::for_descriptors(host::descriptor_limit())));
        let known = Box::new(Known { first: self.first.names(), passwords: passwords(&self.users) });
        // A port that was left to the system is known by now.
        let local = self.local(data_dir.as_deref(), outside.address.port())?;
        let running = Running::new(&broker, &self.clock, storage.as_ref(), &outside.certificates);
        let operator = Arc::new(running.operated(self.heartbeat.clone(), self.configured.clone()));
        let (clock, configured) = (self.clock.clone(), self.configured.take());
        let has_proxies = configured.as_deref().is_some_and(|configured| configured.proxy_protocol);
        let listeners = sockets.listeners();
        outside.listeners = addresses(&listeners);
        let of_web = (App::new(Arc::clone(&admission), self.again()), Arc::clone(&operator));
        let api = Api {
            data_dir: data_dir.as_ref().map(|directory| directory.display().to_string()),
            io,
            ..management::api(&hosting, listeners, of_web, &clock, configured.as_deref())
        };
        // The last step that can fail. What follows only starts tasks.
        let management = Management::start(api, sockets.take_web(), local)?;
        let timer = timer(&broker, &clock);
        let (stop, stopped) = watch::channel(false);
        let start = |(bound, tls)| {
            let listener = Listener::new(bound, tls, Arc::clone(&hosting), Arc::clone(&admission), clock.clone());
            tokio::spawn(listener.behind_proxies(has_proxies).run(until_stopped(stopped.clone()), patience()))
        };
        let listeners = sockets.into_amqp().map(start).collect();
        let tasks = tasks::spawn(timer, &broker, &clock, webhook, management.is_some());
        Ok(Broker { known, outside, broker, operator, stop, listeners, tasks, storage, data_dir, management })
    }

    /// Opens the store, if there is one, and makes a broker of what is in it.
    fn restored(&mut self, data_dir: Option<&Path>) -> Result<Restored, StartFailure> {
        let mut node = self.node();
        let Some(directory) = data_dir else {
            let broker = Arc::new(broker::Broker::new(Arc::new(node)));
            return Ok(Restored { broker, storage: None, io: Arc::default() });
        };
        let opened = storage::open(directory, &node.memory, self.salvage, nonce(&node))?;
        // Before anything gets a number: those in the files are not given again.
        node.ids.skip_to(opened.next_id);
        node.log = Arc::clone(&opened.wal) as Arc<dyn crate::store::Log>;
        node.loader = Some(Arc::clone(&opened.loader));
        let io = Arc::clone(&opened.io);
        let broker = Arc::new(broker::Broker::new(Arc::new(node)));
        let storage = Some(opened.start(&broker, self.disk_free_limit_bytes, &self.clock)?);
        Ok(Restored { broker, storage, io })
    }

    /// What each connection is told, and who lets it in.
    fn hosting(&mut self, broker: &Arc<broker::Broker>) -> Result<Hosting, StartFailure> {
        let (identity, offer) = (self.identity(), self.offer());
        let external = self.external(&offer);
        let mut logins = std::mem::take(&mut self.logins);
        logins.chain = auth::chain(broker, self.configured.as_deref(), &self.clock)?;
        Ok(Hosting { broker: Arc::clone(broker), logins, identity, offer, external })
    }

    /// What commands of this machine connect to.
    fn local(&mut self, data_dir: Option<&Path>, port: u16) -> Result<Option<Local>, StartFailure> {
        let Some(group) = self.local_socket.take() else { return Ok(None) };
        Ok(local::listen(data_dir, port, local::found(group)?))
    }

    /// What makes the broker what it was at its start, once more.
    fn again(self) -> StartOver {
        accounts::again(self.vhosts, self.users, self.first, self.cluster, self.definitions, self.clock)
    }

    /// What the broker is to have.
    fn populated(&self) -> Populated<'_> {
        Populated { vhosts: &self.vhosts, users: &self.users, first: &self.first, cluster: &self.cluster }
    }

    fn node(&mut self) -> Node {
        self.settings.node_name = self.node_name.as_str().into();
        self.settings.own_vhost = self.first.names().1.into();
        let node = Node {
            settings: self.settings.clone(),
            random: std::mem::take(&mut self.random),
            alarm: Alarm::new(self.memory_high_watermark_bytes, self.resident_bytes_max),
            ..Node::default()
        };
        node.alarm.set_disk_free_limit(self.disk_free_limit_bytes);
        node.set_message_bytes_max(self.message_bytes_max);
        node.alarm.tell_events(&node.own_messages, &self.settings.node_name);
        if self.resident_bytes_max < u64::MAX {
            node.residency.measured_by(Box::new(host::resident_bytes));
        }
        node
    }

    /// Logins with certificates, if they are enabled.
    fn external(&self, offer: &Offer) -> Option<External> {
        let mechanisms = self.encryption.mechanisms.clone().filter(|_| self.encryption.has_external())?;
        Some(External { login_from: self.encryption.login_from, offer: Offer { mechanisms, ..offer.clone() } })
    }

    fn identity(&self) -> Identity {
        let version = self.settings.profile().version;
        Identity {
            product: "RabbitMQ".to_owned(),
            version: self.version.clone().unwrap_or_else(|| version.to_owned()),
            platform: "Rust".to_owned(),
            information: "Leveret, licensed under MIT or Apache-2.0".to_owned(),
            copyright: "Copyright (c) 2026 The Leveret developers".to_owned(),
            leveret_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// What is offered without TLS.
    fn offer(&mut self) -> Offer {
        let mechanisms = match &self.encryption.mechanisms {
            // Without TLS there is no certificate to log in with.
            Some(wanted) => wanted.iter().copied().filter(|&mechanism| mechanism != Mechanism::External).collect(),
            None if self.logins.anonymous.is_some() => {
                vec![Mechanism::Plain, Mechanism::AmqPlain, Mechanism::Anonymous]
            }
            None => vec![Mechanism::Plain, Mechanism::AmqPlain],
        };
        if mechanisms.contains(&Mechanism::Anonymous) {
            self.logins.anonymous.get_or_insert_with(|| GUEST.to_owned());
        }
        let (ChannelMax(channel_max), FrameMax(frame_max)) =
            self.configured.as_deref().map_or_else(Default::default, |it| (it.channel_max, it.frame_max));
        Offer { mechanisms, channel_max, frame_max, heartbeat: self.heartbeat.clone() }
    }
}

/// Starts what does things at their time. As the first task of all: it has the broker, and nobody would end it if the start failed.
fn timer(broker: &Arc<broker::Broker>, clock: &Clock) -> [JoinHandle<()>; 2] {
    let deadlines = run_deadlines(Arc::clone(broker), clock.clone());
    background::spawn_with_thread(&broker.node().background, deadlines)
}

fn passwords(users: &[Account]) -> Vec<(String, Secret)> {
    users.iter().map(|account| (account.name.clone(), Secret(account.password.clone()))).collect()
}

/// What tells the files of this start from those of others.
fn nonce(node: &Node) -> u32 {
    let [a, b, c, d, ..] = node.random.next().to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::config::SystemGroup;

    /// One thread: nothing that was started could have ended by itself before the second look.
    #[tokio::test]
    async fn a_start_that_fails_late_leaves_no_task() {
        let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let before = tasks();
        let mut builder = Broker::builder().in_memory();
        // By then the broker is there.
        builder.local_socket = Some(Some(SystemGroup("no-such-group".to_owned())));
        let failed = builder.start().await.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(failed.starts_with("there is no group"), "{failed}");
        assert_eq!(tasks(), before);
    }
}
