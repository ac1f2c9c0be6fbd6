//! What all virtual hosts of one broker share.

use std::sync::Arc;

use super::alarm::Alarm;
use super::background::Background;
use super::deadlines::Deadlines;
use super::deprecated::DeprecatedUse;
use super::ids::Ids;
use super::pressure::Pressure;
use super::profile::{Compatibility, Profile};
use super::random::Random;
use super::registry::Registry;
use super::reply_to::ReplyConsumers;
use super::usage::ByteCount;
use crate::message::MemoryGauge;
use crate::store::loader::Loader;
use crate::store::{Log, MemoryLog};

/// The limits and choices that the broker's logic knows of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The compatibility profile.
    pub compatibility: Compatibility,
    /// The largest message body that is accepted.
    pub message_bytes_max: u64,
    /// How long a delivery may stay unacknowledged where a queue does not say; `None` for ever.
    pub consumer_timeout_ms: Option<u64>,
}

impl Settings {
    /// What the chosen version does and others do not.
    pub const fn profile(&self) -> &'static Profile {
        self.compatibility.profile()
    }
}

/// RabbitMQ's default of `max_message_size`: 16 MiB.
pub const MESSAGE_BYTES_MAX_DEFAULT: u64 = 16 * 1024 * 1024;

/// RabbitMQ's default of `consumer_timeout`: half an hour (behaviour reference 7.2).
const CONSUMER_TIMEOUT_MS_DEFAULT: u64 = 30 * 60 * 1000;

impl Default for Settings {
    fn default() -> Self {
        Self {
            compatibility: Compatibility::default(),
            message_bytes_max: MESSAGE_BYTES_MAX_DEFAULT,
            consumer_timeout_ms: Some(CONSUMER_TIMEOUT_MS_DEFAULT),
        }
    }
}

/// Shared by all virtual hosts and connections of one broker.
#[derive(Debug)]
pub struct Node {
    /// The settings.
    pub settings: Settings,
    /// Identities.
    pub ids: Ids,
    /// Randomness.
    pub random: Random,
    /// What is to be done later.
    pub deadlines: Deadlines,
    /// What nobody waits for.
    pub background: Background,
    /// Who waits for direct replies.
    pub replies: ReplyConsumers,
    /// Which deprecated features clients use.
    pub deprecated: DeprecatedUse,
    /// The connections that are open.
    pub registry: Arc<Registry>,
    /// Bytes held by messages.
    pub memory: Arc<MemoryGauge>,
    /// Bytes held by queues, exchanges and bindings, whatever is in the queues.
    pub definitions: ByteCount,
    /// Whether publishers must wait.
    pub alarm: Alarm,
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
            settings: Settings::default(),
            ids: Ids::default(),
            random: Random::default(),
            deadlines: Deadlines::default(),
            background: Background::default(),
            replies: ReplyConsumers::default(),
            deprecated: DeprecatedUse::default(),
            registry: Arc::default(),
            memory: Arc::default(),
            definitions: ByteCount::default(),
            alarm: Alarm::default(),
            log: Arc::new(MemoryLog),
            loader: None,
            pressure: Pressure::default(),
        }
    }
}

/// However low the watermark is, a virtual host may have so many bytes of definitions: a low one is set to see publishers wait.
const DEFINITION_BYTES_FLOOR: u64 = 1024 * 1024;

impl Node {
    /// What the definitions of one virtual host may take.
    pub fn definition_bytes_max(&self) -> u64 {
        (self.alarm.watermark_bytes() / 2).max(DEFINITION_BYTES_FLOOR)
    }

    /// Looks whether the memory alarm is to be raised or cleared. Whoever adds or frees much memory calls this.
    pub fn check_memory(&self) {
        let message_bytes = self.memory.bytes();
        // Nothing but messages can be moved to files.
        self.pressure.check(message_bytes);
        if self.alarm.check(message_bytes + self.definitions.bytes()) {
            // The task that runs deadlines looks for memory that can be had back.
            self.deadlines.wake();
        }
    }
}
