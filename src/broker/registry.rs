//! The connections that are open, and their channels: who they are, what they count, and how to close them from outside.
//!
//! Whoever asks gets shared descriptions, never a lock: a connection's task writes the numbers of its description while others
//! read them. Invariant: a connection is listed from its registration until its [`Registration`] is dropped, and a channel until its
//! [`ChannelRegistration`] is.

mod ended;
mod tally;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dashmap::DashMap;
use parking_lot::Mutex;

use super::byte_count::ByteCount;
use super::ids::{ChannelId, ConnectionId};
use super::sink::{Notice, Sink};
use crate::error::AmqpError;
use crate::metrics::{ChurnCounters, Counter, LoginCounters, MessageCounters, MessageStats};
use crate::table::EncodedTable;
use ended::Ended;
use tally::Tally;

pub(crate) use ended::{ConnectionTotals, RetiredQueues};
pub(crate) use tally::{ChannelLimits, ChannelsReached, ConnectionLimits, ConnectionsReached};

/// One end of a connection: the address as text, and the port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// The IP address.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// What is known of a connection when it is opened, and does not change.
#[derive(Clone, Debug)]
pub struct ConnectionSpec {
    pub(crate) id: ConnectionId,
    /// The client's end.
    pub(crate) peer: Endpoint,
    /// The broker's end.
    pub(crate) local: Endpoint,
    /// Who logged in.
    pub user: Arc<str>,
    pub(crate) vhost: Arc<str>,
    /// The name that the client gave the connection.
    pub(crate) user_provided_name: Option<String>,
    /// How the client logged in, as in `PLAIN`.
    pub auth_mechanism: &'static str,
    /// How it is encrypted; `None` when it is not.
    pub encryption: Option<Box<Encryption>>,
    /// What the client says of itself.
    pub(crate) client_properties: EncodedTable,
    /// How many channels it may have.
    pub(crate) channel_max: u16,
    /// Bytes of a frame at most.
    pub(crate) frame_max: u32,
    /// Seconds between heartbeats; 0 for none.
    pub(crate) heartbeat: u16,
    /// When it was opened, in milliseconds since 1970.
    pub(crate) connected_at_ms: u64,
}

/// How a connection is encrypted, in RabbitMQ's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// The version of TLS.
    pub protocol: &'static str,
    /// How keys were exchanged.
    pub(crate) key_exchange: &'static str,
    pub(crate) cipher: &'static str,
    /// What the cipher suite hashes with, such as `sha384`.
    pub hash: &'static str,
    /// Of the client, if it has shown one.
    pub peer_certificate: Option<PeerCertificate>,
}

/// A client's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    /// Whom it is for.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// From when until when it holds.
    pub(crate) validity: String,
}

/// What TLS takes for a connection: keys, and buffers that are never given back.
const ENCRYPTION_BYTES: usize = 16 * 1024;

/// A connection with its task, its queue of notices and its place in the registry; what it holds of messages is counted with these.
const CONNECTION_BYTES: usize = 4_096;
/// An open channel without consumers.
const CHANNEL_BYTES: usize = 1_024;

impl ConnectionSpec {
    /// RabbitMQ's name of a connection: `127.0.0.1:41000 -> 127.0.0.1:5672`.
    pub(crate) fn name(&self) -> String {
        let (peer, local) = (&self.peer, &self.local);
        format!("{}:{} -> {}:{}", peer.host, peer.port, local.host, local.port)
    }

    /// Who it is, for the log: user, address, and the name that the client gave it.
    pub(crate) fn for_people(&self) -> String {
        let name = self.user_provided_name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        format!("user '{}' from {}:{}{name}", self.user, self.peer.host, self.peer.port)
    }

    /// Bytes that the connection takes, about, with what the client says of itself.
    fn bytes(&self) -> usize {
        let encryption = self.encryption.as_ref().map_or(0, |_| ENCRYPTION_BYTES);
        CONNECTION_BYTES
            + encryption
            + self.client_properties.bytes()
            + self.user_provided_name.as_ref().map_or(0, String::len)
    }
}

/// What a connection counts.
#[derive(Debug, Default)]
pub struct ConnectionCounters {
    /// Bytes that were read: `recv_oct`.
    pub(crate) received_bytes: Counter,
    /// Reads: `recv_cnt`.
    pub(crate) reads: Counter,
    /// Bytes that were written: `send_oct`.
    pub(crate) sent_bytes: Counter,
    /// Writes: `send_cnt`.
    pub(crate) writes: Counter,
    /// Bytes that wait to be written: `send_pend`.
    pub(crate) pending_bytes: Counter,
}

/// An open connection, as others see it.
#[derive(Debug)]
pub struct ConnectionInfo {
    /// Who it is.
    pub spec: ConnectionSpec,
    /// What it counts.
    pub(crate) counters: Arc<ConnectionCounters>,
    is_blocked: AtomicBool,
    flow_until_ms: Counter,
    channels: Mutex<BTreeMap<u16, Arc<ChannelInfo>>>,
    sink: Arc<dyn Sink>,
}

impl ConnectionInfo {
    /// Its channels, by number.
    pub(crate) fn channels(&self) -> Vec<Arc<ChannelInfo>> {
        self.channels.lock().values().cloned().collect()
    }

    /// How many channels it has.
    pub(crate) fn channel_count(&self) -> usize {
        self.channels.lock().len()
    }

    /// What has passed through the channels that it has now.
    pub(crate) fn message_stats(&self) -> MessageStats {
        let mut sum = MessageStats::default();
        self.channels.lock().values().for_each(|channel| sum += channel.counters.read());
        sum
    }

    /// Whether it is not read because of an alarm.
    pub(crate) fn is_blocked(&self) -> bool {
        self.is_blocked.load(Ordering::Relaxed)
    }

    /// Notes whether it is not read because of an alarm.
    pub(crate) fn set_blocked(&self, is_blocked: bool) {
        self.is_blocked.store(is_blocked, Ordering::Relaxed);
    }

    /// Whether it was made to wait for consumers a moment ago.
    pub(crate) fn is_in_flow(&self, now_ms: u64) -> bool {
        self.flow_until_ms.get() > now_ms
    }

    /// Notes until when it is told that it was made to wait for consumers.
    pub(crate) fn note_flow(&self, until_ms: u64) {
        self.flow_until_ms.set(until_ms);
    }

    /// Asks the connection to close with this error, soon. It is still listed when this returns.
    pub(crate) fn close(&self, error: AmqpError) {
        self.sink.notify(Notice::Close(error));
    }
}

/// The state of a channel in numbers, as its connection's task reported it last.
#[derive(Debug, Default)]
pub(crate) struct ChannelGauges {
    /// The limit for each consumer that starts from now on; 0 for none.
    pub(crate) prefetch_count: Counter,
    /// The limit for all consumers together; 0 for none.
    pub(crate) global_prefetch_count: Counter,
    pub(crate) consumers: Counter,
    /// Deliveries that are not settled.
    pub(crate) messages_unacknowledged: Counter,
    /// Publishes that are not confirmed.
    pub(crate) messages_unconfirmed: Counter,
    /// Publishes of the transaction that is open.
    pub(crate) messages_uncommitted: Counter,
    /// Settlements of the transaction that is open.
    pub(crate) acks_uncommitted: Counter,
    /// Whether publishes are confirmed: 0 or 1.
    pub(crate) confirm: Counter,
    /// Whether the channel is in transactions: 0 or 1.
    pub(crate) transactional: Counter,
    /// Until when it is told that its publishes had to wait for consumers.
    pub(crate) flow_until_ms: Counter,
}

/// A channel that is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChannelOpening {
    pub(crate) id: ChannelId,
    /// Its number on its connection.
    pub(crate) number: u16,
    /// When it is opened.
    pub(crate) at_ms: u64,
}

/// An open channel, as others see it.
#[derive(Debug)]
pub(crate) struct ChannelInfo {
    pub(crate) id: ChannelId,
    /// Its number on its connection.
    pub(crate) number: u16,
    /// When it was opened.
    pub(crate) opened_at_ms: u64,
    pub(crate) gauges: ChannelGauges,
    /// What passed through it.
    pub(crate) counters: MessageCounters,
}

/// All open connections of a broker.
#[derive(Debug, Default)]
pub struct Registry {
    connections: DashMap<ConnectionId, Arc<ConnectionInfo>>,
    tally: Tally,
    /// What came and went.
    pub(crate) churn: ChurnCounters,
    /// What connections, channels and consumers take in memory, about; what they send and are sent aside.
    pub(crate) taken: Arc<ByteCount>,
    /// Who tried to log in by AMQP.
    pub(crate) amqp_logins: LoginCounters,
    /// Who tried to log in by HTTP.
    pub(crate) http_logins: LoginCounters,
    /// What passed through what has ended.
    ended: Mutex<Ended>,
}

impl Registry {
    /// Lists a connection until the registration is dropped. `sink` reaches its task.
    ///
    /// # Errors
    /// When its virtual host or its user has as many as it may have.
    pub(crate) fn register(
        self: &Arc<Self>,
        spec: ConnectionSpec,
        limits: ConnectionLimits,
        counters: Arc<ConnectionCounters>,
        sink: Arc<dyn Sink>,
    ) -> Result<Registration, ConnectionsReached> {
        // First, and the only step that can fail: a refusal leaves nothing behind.
        self.tally.add_connection(&spec.user, &spec.vhost, limits)?;
        let (is_blocked, flow_until_ms, channels) = (AtomicBool::new(false), Counter::default(), Mutex::default());
        let info = Arc::new(ConnectionInfo { spec, counters, is_blocked, flow_until_ms, channels, sink });
        let replaced = self.connections.insert(info.spec.id, Arc::clone(&info));
        debug_assert!(replaced.is_none(), "identities of connections are never used again");
        self.churn.connection_created.add(1);
        self.taken.change(0, info.spec.bytes());
        Ok(Registration { registry: Arc::clone(self), info })
    }

    /// All connections, in no particular order.
    pub fn connections(&self) -> Vec<Arc<ConnectionInfo>> {
        self.connections.iter().map(|connection| Arc::clone(&connection)).collect()
    }

    /// A connection by its identity.
    pub(crate) fn connection(&self, id: ConnectionId) -> Option<Arc<ConnectionInfo>> {
        self.connections.get(&id).map(|connection| Arc::clone(&connection))
    }

    /// How many connections there are.
    pub(crate) fn connection_count(&self) -> usize {
        self.connections.len()
    }

    /// What has passed through all channels since the start.
    pub(crate) fn message_stats(&self) -> MessageStats {
        let mut sum = self.ended.lock().channels;
        self.connections().iter().for_each(|connection| sum += connection.message_stats());
        sum
    }

    /// What has passed through all channels since the start, by virtual host.
    pub fn message_stats_by_vhost(&self) -> HashMap<Arc<str>, MessageStats> {
        let mut sums = self.ended.lock().of_vhosts.clone();
        for connection in self.connections() {
            *sums.entry(Arc::clone(&connection.spec.vhost)).or_default() += connection.message_stats();
        }
        sums
    }

    /// What has passed through those channels of a virtual host whose connections are gone.
    pub(crate) fn message_stats_of_ended(&self, vhost: &str) -> MessageStats {
        self.ended.lock().of_vhosts.get(vhost).copied().unwrap_or_default()
    }

    /// Asks those connections to close for which `concerns` holds, as all of a user or of a virtual host; how many these are.
    pub(crate) fn close_where(&self, concerns: impl Fn(&ConnectionInfo) -> bool, error: &AmqpError) -> usize {
        // Collected first: a connection that ends at once must not wait for the map that is walked here.
        let concerned: Vec<_> = self.connections().into_iter().filter(|connection| concerns(connection)).collect();
        for connection in &concerned {
            connection.close(error.clone());
        }
        concerned.len()
    }
}

/// Keeps a connection listed.
#[derive(Debug)]
pub(crate) struct Registration {
    registry: Arc<Registry>,
    info: Arc<ConnectionInfo>,
}

impl Registration {
    /// The connection, as others see it.
    pub(crate) fn info(&self) -> &Arc<ConnectionInfo> {
        &self.info
    }

    /// Lists a channel of the connection until the registration is dropped.
    ///
    /// # Errors
    /// When the node or its user has as many as it may have.
    pub(crate) fn open_channel(
        &self,
        opening: ChannelOpening,
        limits: ChannelLimits,
    ) -> Result<ChannelRegistration, ChannelsReached> {
        let ChannelOpening { id, number, at_ms: opened_at_ms } = opening;
        self.registry.tally.add_channel(&self.info.spec.user, limits)?;
        let (gauges, counters) = (ChannelGauges::default(), MessageCounters::default());
        let channel = ChannelInfo { id, number, opened_at_ms, gauges, counters };
        let channel = Arc::new(channel);
        self.info.channels.lock().insert(number, Arc::clone(&channel));
        self.registry.churn.channel_created.add(1);
        self.registry.taken.change(0, CHANNEL_BYTES);
        Ok(ChannelRegistration { registry: Arc::clone(&self.registry), connection: Arc::clone(&self.info), channel })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let spec = &self.info.spec;
        // First, so that nothing is missing from the sum; for a moment it is counted twice.
        self.registry.ended.lock().connections += ConnectionTotals::of(&self.info.counters);
        self.registry.connections.remove(&spec.id);
        self.registry.tally.remove_connection(&spec.user, &spec.vhost);
        self.registry.churn.connection_closed.add(1);
        self.registry.taken.change(self.info.spec.bytes(), 0);
    }
}

/// Keeps a channel listed.
#[derive(Debug)]
pub(crate) struct ChannelRegistration {
    registry: Arc<Registry>,
    connection: Arc<ConnectionInfo>,
    channel: Arc<ChannelInfo>,
}

impl ChannelRegistration {
    /// The channel, as others see it.
    pub(crate) fn info(&self) -> &Arc<ChannelInfo> {
        &self.channel
    }
}

impl Drop for ChannelRegistration {
    fn drop(&mut self) {
        let mut channels = self.connection.channels.lock();
        // The number may belong to its next opening already.
        if channels.get(&self.channel.number).is_some_and(|listed| listed.id == self.channel.id) {
            channels.remove(&self.channel.number);
        }
        drop(channels);
        let stats = self.channel.counters.read();
        let mut ended = self.registry.ended.lock();
        ended.channels += stats;
        *ended.of_vhosts.entry(Arc::clone(&self.connection.spec.vhost)).or_default() += stats;
        drop(ended);
        self.registry.tally.remove_channel(&self.connection.spec.user);
        self.registry.churn.channel_closed.add(1);
        self.registry.taken.change(CHANNEL_BYTES, 0);
    }
}

#[cfg(test)]
mod tests;
