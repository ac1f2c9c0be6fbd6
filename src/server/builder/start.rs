//! How a broker is started: the store is read, the broker filled, and then its listeners accept connections.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use super::Builder;
use crate::auth::GUEST;
use crate::broker;
use crate::broker::alarm::Alarm;
use crate::broker::node::Node;
use crate::config::{ChannelMax, FrameMax, Listen, Secret};
use crate::connection::admission::{Admission, DescriptorLimits};
use crate::connection::listener::Listener;
use crate::connection::session::{External, Hosting};
use crate::host;
use crate::http::{Api, App};
use crate::protocol::handshake::{Identity, Offer};
use crate::protocol::sasl::Mechanism;
use crate::server::accounts::{self, Account, Populated};
use crate::server::binding::{ListenerKind, SocketOptions, bind};
use crate::server::management::{self, Management, addresses};
use crate::server::operator::Running;
use crate::server::start_error::StartFailure;
use crate::server::stopping::{patience, until_stopped};
use crate::server::{Broker, Known, Outside, auth, background, local, run_deadlines, storage, tasks};

impl Builder {
    /// What the system is told of sockets for AMQP.
    fn socket_options(&self) -> SocketOptions {
        self.configured.as_deref().map(SocketOptions::from).unwrap_or_default()
    }

    /// Whether proxies of AMQP say for whom they connect.
    fn has_proxies(&self) -> bool {
        self.configured.as_deref().is_some_and(|configured| configured.proxy_protocol)
    }

    /// [`Builder::start`], with all that can go wrong.
    pub(super) async fn run(mut self) -> Result<Broker, StartFailure> {
        let data_dir = if self.in_memory { None } else { Some(self.data_dir.take().ok_or(StartFailure::NoStore)?) };
        let (webhook, bound) =
            (self.webhook.ready()?, bind(&self.addresses, ListenerKind::Plain, self.socket_options())?);
        let mut secured = self.encryption.start(&self.clock)?;
        let mut outside = Outside::of(&bound, &secured)?;
        let plain = |places: &[Listen]| bind(places, ListenerKind::Plain, SocketOptions::default());
        let http_bound = plain(&self.http_addresses).map_err(StartFailure::http)?;
        let metrics_bound = plain(&self.prometheus_addresses).map_err(StartFailure::prometheus)?;
        let (identity, offer, has_proxies) = (self.identity(), self.offer(), self.has_proxies());
        let external = self.external(&offer);
        let mut node = self.node();
        let open = |directory: &PathBuf| storage::open(directory, &node.memory, self.salvage, nonce(&node));
        let opened = data_dir.as_ref().map(open).transpose()?;
        if let Some(opened) = &opened {
            node.ids.skip_to(opened.next_id);
            node.log = Arc::clone(&opened.wal) as Arc<dyn crate::store::Log>;
            node.loader = Some(Arc::clone(&opened.loader));
        }
        let io = opened.as_ref().map(|opened| Arc::clone(&opened.io));
        let broker = Arc::new(broker::Broker::new(Arc::new(node)));
        let storage = match opened {
            Some(opened) => Some(opened.start(&broker, self.disk_free_limit_bytes, &self.clock)?),
            None => None,
        };
        self.populated().populate(&broker, &self.definitions, self.clock.now_ms())?;
        let deadlines = run_deadlines(Arc::clone(&broker), self.clock.clone());
        let timer = background::spawn_with_thread(&broker.node().background, deadlines);
        self.logins.chain = auth::chain(&broker, self.configured.as_deref(), &self.clock)?;
        let hosting = Arc::new(Hosting { broker: Arc::clone(&broker), logins: self.logins, identity, offer, external });
        let admission = Arc::new(Admission::new(DescriptorLimits::for_descriptors(host::descriptor_limit())));
        let known = Box::new(Known { first: self.first.names(), passwords: passwords(&self.users) });
        let again =
            accounts::again(self.vhosts, self.users, self.first, self.cluster, self.definitions, self.clock.clone());
        let (stop, stopped) = watch::channel(false);
        let app = App::new(Arc::clone(&admission), again);
        let listeners = management::listeners(&bound, &http_bound, &secured, &metrics_bound);
        outside.listeners = addresses(&listeners);
        let running = Running::new(&broker, &self.clock, storage.as_ref(), &outside.certificates);
        let operator = Arc::new(running.operated(self.heartbeat.clone(), self.configured.clone()));
        let (of_web, configured) = ((app, Arc::clone(&operator)), self.configured.as_deref());
        let api = Api {
            data_dir: data_dir.as_ref().map(|directory| directory.display().to_string()),
            io: io.unwrap_or_default(),
            ..management::api(&hosting, listeners, of_web, &self.clock, configured)
        };
        let local = match self.local_socket {
            Some(group) => local::listen(data_dir.as_deref(), outside.address.port(), local::found(group)?),
            None => None,
        };
        let secured_http = (secured.http.take(), secured.prometheus.take());
        let management = Management::start(api, (http_bound, metrics_bound), secured_http, local)?;
        let start = |(bound, tls)| {
            let listener = Listener::new(bound, tls, Arc::clone(&hosting), Arc::clone(&admission), self.clock.clone());
            tokio::spawn(listener.behind_proxies(has_proxies).run(until_stopped(stopped.clone()), patience()))
        };
        let listeners = bound.into_iter().map(|bound| (bound, None)).chain(secured.into_sockets()).map(start).collect();
        let tasks = tasks::spawn(timer, &broker, &self.clock, webhook, management.is_some());
        Ok(Broker { known, outside, broker, operator, stop, listeners, tasks, storage, data_dir, management })
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

fn passwords(users: &[Account]) -> Vec<(String, Secret)> {
    users.iter().map(|account| (account.name.clone(), Secret(account.password.clone()))).collect()
}

/// What tells the files of this start from those of others.
fn nonce(node: &Node) -> u32 {
    let [a, b, c, d, ..] = node.random.next().to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}
