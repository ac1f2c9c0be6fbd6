//! What all virtual hosts of one broker share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::administration::DEFAULT_VHOST;
use super::alarm::Alarm;
use super::alerts::Alerts;
use super::background::Background;
use super::byte_count::ByteCount;
use super::consumer_timeout::ConsumerTimeout;
use super::deadlines::Deadlines;
use super::declarers::Declarers;
use super::deprecated::DeprecatedUse;
use super::ids::Ids;
use super::metadata::Metadata;
use super::object_counts::ObjectCounts;
use super::own::OwnMessages;
use super::pressure::Pressure;
use super::profile::{Compatibility, Profile};
use super::queue::arguments::{QueueKind, SharedArguments};
use super::random::Random;
use super::recent_errors::RecentErrors;
use super::registry::Registry;
use super::reply_to::ReplyConsumers;
use super::residency::Residency;
use super::tails::Tails;
use super::vhost_defaults::VhostDefaults;
use crate::auth::HashingAlgorithm;
use crate::message::MemoryGauge;
use crate::store::loader::Loader;
use crate::store::{Log, MemoryLog};

/// The limits and choices that the broker's logic knows of.
#[derive(Clone, Debug)]
pub struct NodeSettings {
    /// The compatibility profile.
    pub compatibility: Compatibility,
    /// How long a delivery may stay unacknowledged where a queue does not say; `None` for ever.
    pub consumer_timeout: ConsumerTimeout,
    /// The name of the node.
    pub node_name: Arc<str>,
    /// The virtual host that events and lines of the log go to.
    pub own_vhost: Arc<str>,
    /// The type of queues of virtual hosts that are made without saying one.
    pub default_queue_kind: QueueKind,
    /// How passwords of new users are hashed.
    pub password_hashing: HashingAlgorithm,
    /// How many connections there may be; `None` for as many as come.
    pub connections_max: Option<u64>,
    /// How many channels all connections may have together.
    pub channels_max: Option<u64>,
    /// How many consumers a channel may have.
    pub consumers_max: Option<u64>,
    /// How many virtual hosts there may be.
    pub vhosts_max: Option<u64>,
    /// How many queues all virtual hosts may have together.
    pub queues_max: Option<u64>,
    /// How many exchanges, with those that every virtual host has.
    pub exchanges_max: Option<u64>,
    /// Lines of the log go to an exchange, too.
    pub has_log_exchange: bool,
    /// What virtual hosts get when they are made.
    pub vhost_defaults: Arc<VhostDefaults>,
}

impl NodeSettings {
    /// What the chosen version does and others do not.
    pub(crate) const fn profile(&self) -> &'static Profile {
        self.compatibility.profile()
    }
}

/// RabbitMQ's default of `max_message_size`: 16 MiB.
pub(crate) const MESSAGE_BYTES_MAX_DEFAULT: u64 = 16 * 1024 * 1024;

/// RabbitMQ's default of `consumer_timeout`: half an hour (behaviour reference 7.2).
const CONSUMER_TIMEOUT_MS_DEFAULT: u64 = 30 * 60 * 1000;

impl Default for NodeSettings {
    fn default() -> Self {
        Self {
            compatibility: Compatibility::default(),
            consumer_timeout: ConsumerTimeout::from(Some(CONSUMER_TIMEOUT_MS_DEFAULT)),
            node_name: "rabbit@localhost".into(),
            own_vhost: DEFAULT_VHOST.into(),
            default_queue_kind: QueueKind::default(),
            password_hashing: HashingAlgorithm::default(),
            connections_max: None,
            channels_max: None,
            consumers_max: None,
            vhosts_max: None,
            queues_max: None,
            exchanges_max: None,
            has_log_exchange: false,
            vhost_defaults: Arc::default(),
        }
    }
}

/// Shared by all virtual hosts and connections of one broker.
#[derive(Debug)]
pub struct Node {
    /// The limits and choices of the configuration, as they were at the start.
    pub settings: NodeSettings,
    /// The largest message body that is accepted.
    pub message_bytes_max: AtomicU64,
    /// Gives queues, exchanges, channels and consumers their identities, none of them twice.
    pub ids: Ids,
    /// Where generated names and random choices come from: nobody can guess them.
    pub random: Random,
    /// What is to be done later.
    pub deadlines: Deadlines,
    /// What nobody waits for.
    pub background: Background,
    /// What queues were declared with.
    pub arguments: SharedArguments,
    /// What queues obey that policies hold for.
    pub effective_arguments: SharedArguments,
    /// Who waits for direct replies.
    pub replies: ReplyConsumers,
    /// Which deprecated features clients use.
    pub deprecated: DeprecatedUse,
    /// What an operator should look at.
    pub alerts: Alerts,
    /// Who wants to see what is published.
    pub tails: Tails,
    /// What happened, for those who bind queues to the exchanges that tell of it.
    pub own_messages: Arc<OwnMessages>,
    /// What closed channels and connections.
    pub recent_errors: RecentErrors,
    /// Who declared what is there.
    pub declarers: Declarers,
    /// The connections that are open.
    pub registry: Arc<Registry>,
    /// Bytes held by messages.
    pub memory: Arc<MemoryGauge>,
    /// Bytes held by queues, exchanges and bindings, whatever is in the queues.
    pub definitions: ByteCount,
    /// How many queues and exchanges there are.
    pub objects: ObjectCounts,
    /// Bytes that clients sent and that cannot be used yet, because more must come.
    pub half_frames: ByteCount,
    /// Whether publishers must wait.
    pub alarm: Alarm,
    /// How much memory the whole process takes.
    pub residency: Residency,
    /// What administrators defined.
    pub metadata: Metadata,
    /// Where changes are recorded.
    pub log: Arc<dyn Log>,
    /// Reads messages back from segment files; there are none when everything is kept in memory.
    pub loader: Option<Arc<Loader>>,
    /// When messages are to be moved to segment files because they take too much memory.
    pub pressure: Pressure,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            settings: NodeSettings::default(),
            message_bytes_max: AtomicU64::new(MESSAGE_BYTES_MAX_DEFAULT),
            ids: Ids::default(),
            random: Random::default(),
            deadlines: Deadlines::default(),
            background: Background::default(),
            arguments: SharedArguments::default(),
            effective_arguments: SharedArguments::default(),
            replies: ReplyConsumers::default(),
            deprecated: DeprecatedUse::default(),
            alerts: Alerts::default(),
            tails: Tails::default(),
            own_messages: Arc::default(),
            recent_errors: RecentErrors::default(),
            declarers: Declarers::default(),
            registry: Arc::default(),
            memory: Arc::default(),
            definitions: ByteCount::default(),
            objects: ObjectCounts::default(),
            half_frames: ByteCount::default(),
            alarm: Alarm::default(),
            residency: Residency::default(),
            metadata: Metadata::default(),
            log: Arc::new(MemoryLog),
            loader: None,
            pressure: Pressure::default(),
        }
    }
}

/// However low the watermark is, a virtual host may have so many bytes of definitions: a low one is set to see publishers wait.
const DEFINITION_BYTES_FLOOR: u64 = 1024 * 1024;

impl Node {
    /// The largest message body that is accepted.
    pub(crate) fn message_bytes_max(&self) -> u64 {
        self.message_bytes_max.load(Ordering::Relaxed)
    }

    /// From now on message bodies may be so large.
    pub fn set_message_bytes_max(&self, bytes: u64) {
        self.message_bytes_max.store(bytes, Ordering::Relaxed);
    }

    /// What the definitions of one virtual host may take.
    pub(crate) fn definition_bytes_max(&self) -> u64 {
        // The other half is for messages, which is what a broker is for.
        (self.alarm.watermark_bytes() / 2).max(DEFINITION_BYTES_FLOOR)
    }

    /// Counted bytes that are not messages.
    fn other_bytes(&self) -> u64 {
        self.definitions.bytes() + self.half_frames.bytes() + self.registry.taken.bytes()
    }

    /// Looks again what the process takes, if it took too much. [`Node::check_memory`] must follow.
    pub(in crate::broker) fn look_again(&self) {
        if self.alarm.is_lowered()
            && let Some(resident_bytes) = self.residency.look()
        {
            self.alarm.note_resident(resident_bytes, self.memory.bytes() + self.other_bytes());
        }
    }

    /// Looks whether the memory alarm is to be raised or cleared. Whoever adds or frees much memory calls this.
    pub(crate) fn check_memory(&self) {
        let message_bytes = self.memory.bytes();
        // Nothing but messages can be moved to files.
        self.pressure.check(message_bytes);
        // All that clients can make grow. What only the size of the process tells comes with the residency.
        let used_bytes = message_bytes + self.other_bytes();
        if let Some(resident_bytes) = self.residency.look_after_a_step(used_bytes) {
            self.alarm.note_resident(resident_bytes, used_bytes);
        }
        if self.alarm.check(used_bytes) {
            // The task that runs deadlines looks for memory that can be had back.
            self.deadlines.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn what_the_process_takes_is_asked_for_when_much_is_counted() {
        let resident = Arc::new(AtomicU64::new(0));
        let node = Node { alarm: Alarm::new(300 * MIB, 100 * MIB), ..Node::default() };
        let measured = Arc::clone(&resident);
        node.residency.measured_by(Box::new(move || Some(measured.load(Ordering::Relaxed))));
        let hold = |bytes: u64| {
            node.memory.adjust(i64::try_from(bytes).unwrap() - i64::try_from(node.memory.bytes()).unwrap());
            node.check_memory();
            node.alarm.is_raised()
        };
        resident.store(101 * MIB, Ordering::Relaxed);
        assert!(!hold(MIB), "too little to ask");
        assert!(hold(40 * MIB));
        assert!(!hold(20 * MIB), "messages have left");
        assert!(hold(41 * MIB));
        // Nothing is counted that leaves, but something did.
        resident.store(70 * MIB, Ordering::Relaxed);
        node.look_again();
        node.check_memory();
        assert!(!node.alarm.is_raised() && !hold(200 * MIB));
    }
}
