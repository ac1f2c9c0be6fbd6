//! What all virtual hosts of one broker share.

use std::sync::Arc;

use super::alarm::MemoryAlarm;
use super::deadlines::Deadlines;
use super::deprecated::DeprecatedUse;
use super::ids::Ids;
use super::random::Random;
use super::reply_to::ReplyConsumers;
use crate::message::MemoryGauge;

/// How strictly clients are held to what RabbitMQ deprecates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compatibility {
    /// Accept what 4.3 deprecates, as 4.2 does, and warn.
    #[default]
    V4_2,
    /// Behave as 4.3 does, to the letter.
    V4_3,
}

/// The limits and choices that the broker's logic knows of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The compatibility profile.
    pub compatibility: Compatibility,
    /// The largest message body that is accepted.
    pub message_bytes_max: u64,
}

/// RabbitMQ's default of `max_message_size`: 16 MiB.
pub const MESSAGE_BYTES_MAX_DEFAULT: u64 = 16 * 1024 * 1024;

impl Default for Settings {
    fn default() -> Self {
        Self { compatibility: Compatibility::default(), message_bytes_max: MESSAGE_BYTES_MAX_DEFAULT }
    }
}

/// Shared by all virtual hosts and connections of one broker.
#[derive(Debug, Default)]
pub struct Node {
    /// The settings.
    pub settings: Settings,
    /// Identities.
    pub ids: Ids,
    /// Randomness.
    pub random: Random,
    /// What is to be done later.
    pub deadlines: Deadlines,
    /// Who waits for direct replies.
    pub replies: ReplyConsumers,
    /// Which deprecated features clients use.
    pub deprecated: DeprecatedUse,
    /// Bytes held by messages.
    pub memory: Arc<MemoryGauge>,
    /// Whether publishers must wait.
    pub alarm: MemoryAlarm,
}

impl Node {
    /// Looks whether the memory alarm is to be raised or cleared. Whoever adds or frees much memory calls this.
    pub fn check_memory(&self) {
        if self.alarm.check(self.memory.bytes()) {
            // The task that runs deadlines looks for memory that can be had back.
            self.deadlines.wake();
        }
    }
}
