//! Which RabbitMQ to be like: everything that differs between the versions, in one table (behaviour reference 12).
//!
//! Whoever behaves differently asks the [`Profile`] for a row; nobody asks which version it is.

/// Which RabbitMQ to be like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compatibility {
    /// 3.13, the last before 4.0.
    V3_13,
    /// 4.2, which accepts what 4.3 denies.
    #[default]
    V4_2,
    /// 4.3.
    V4_3,
}

/// Whether clients may use what RabbitMQ deprecates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// They may; the log names it once.
    Permitted,
    /// They may not.
    Denied,
}

/// Which queues take back deliveries that are not acknowledged in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timed {
    /// All; the channel is closed.
    EveryType,
    /// Quorum queues; the consumer is cancelled.
    QuorumOnly,
}

/// Which returns of a message count towards the delivery limit of a quorum queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Counted {
    /// All of them.
    Returns,
    /// Those after which it counts as failed.
    #[default]
    Failures,
}

/// What an `x-death` header means in a message that a client publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientDeaths {
    /// The deaths that the message has had; later ones are added to them.
    Believed,
    /// Deaths that the client wrote itself do not count.
    Ignored,
}

/// What closes when an exchange type is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownExchangeType {
    /// The connection, with 503.
    CommandInvalid,
    /// The channel, with 406.
    PreconditionFailed,
}

/// Which values of `x-queue-mode` are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueModes {
    /// `default` and `lazy`.
    Known,
    /// Any value; it has no effect.
    Any,
}

macro_rules! profiles {
    ($($(#[$doc:meta])* $row:ident: $type:ty = [$v3_13:expr, $v4_2:expr, $v4_3:expr];)*) => {
        /// One column of the table.
        #[derive(Debug)]
        pub struct Profile {
            $($(#[$doc])* pub $row: $type,)*
        }

        static V3_13: Profile = Profile { $($row: $v3_13,)* };
        static V4_2: Profile = Profile { $($row: $v4_2,)* };
        static V4_3: Profile = Profile { $($row: $v4_3,)* };
    };
}

use ClientDeaths::{Believed, Ignored};
use Counted::{Failures, Returns};
use Permission::{Denied, Permitted};
use QueueModes::{Any, Known};
use Timed::{EveryType, QuorumOnly};
use UnknownExchangeType::{CommandInvalid, PreconditionFailed};

profiles! {
    //                                                        3.13            4.2                 4.3
    /// The version that clients are told.
    version: &'static str                                 = ["3.13.7",       "4.2.5",            "4.3.6"];
    /// `basic.qos` with global is one limit for the channel; where denied, it is one for each consumer.
    global_qos: Permission                                = [Permitted,      Permitted,          Denied];
    /// Queues that are neither durable nor exclusive.
    transient_nonexcl_queues: Permission                  = [Permitted,      Permitted,          Permitted];
    /// `x-queue-master-locator` on classic queues.
    queue_master_locator: Permission                      = [Permitted,      Permitted,          Denied];
    /// `exchange.declare` of a type that does not exist.
    unknown_exchange_type: UnknownExchangeType            = [CommandInvalid, PreconditionFailed, PreconditionFailed];
    /// `x-queue-mode`.
    queue_modes: QueueModes                               = [Known,          Known,              Any];
    /// `x-queue-version`.
    queue_versions: &'static [i64]                        = [&[1, 2],        &[1, 2],            &[2]];
    /// The delivery limit of quorum queues that do not set one.
    default_delivery_limit: Option<u32>                   = [None,           Some(20),           Some(20)];
    /// What counts towards that limit, and is shown as `x-delivery-count`.
    counted_deliveries: Counted                           = [Returns,        Returns,            Failures];
    /// Where `x-consumer-timeout` and the default of 30 minutes hold.
    consumer_timeout: Timed                               = [EveryType,      EveryType,          QuorumOnly];
    /// How many `#` a binding key of a topic exchange may have.
    binding_hashes_max: Option<usize>                     = [None,           None,               Some(2)];
    /// `x-death` in what a client publishes.
    client_deaths: ClientDeaths                           = [Believed,       Ignored,            Ignored];
}

impl Compatibility {
    /// All of them, the oldest first.
    pub const ALL: [Self; 3] = [Self::V3_13, Self::V4_2, Self::V4_3];

    /// The column of this version.
    pub const fn profile(self) -> &'static Profile {
        match self {
            Self::V3_13 => &V3_13,
            Self::V4_2 => &V4_2,
            Self::V4_3 => &V4_3,
        }
    }
}
