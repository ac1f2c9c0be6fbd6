//! The types of queues, and what makes them different: one row a type. A new type does not compile until each question is answered,
//! here and where a `match` says how.

/// The types of queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum QueueKind {
    /// The ordinary queue.
    #[default]
    Classic,
    /// The queue that counts deliveries, with its own rules and refusals.
    Quorum,
}

/// How queues of one type differ from others. The numbers are sections of the behaviour reference.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each answers a question of its own")]
pub(crate) struct KindRules {
    /// The value of `x-queue-type`.
    name: &'static str,
    /// How RabbitMQ's error texts call it.
    module: &'static str,
    /// It stores messages that are not persistent, too (4.2).
    pub(crate) keeps_all: bool,
    /// Whether it must be durable, not exclusive, not auto-delete and named by its client (4.2).
    pub(crate) must_be_permanent: bool,
    /// `if-unused` and `if-empty` are refused (4.4).
    pub(crate) refuses_conditional_delete: bool,
    /// `basic.get` is refused while it has a single active consumer (5.5).
    pub(crate) refuses_get_beside_active: bool,
    /// Its consumers cannot share a prefetch (5.2).
    pub(crate) refuses_global_qos: bool,
    /// Unacknowledged deliveries time out, whatever the profile says (7.2).
    pub(crate) is_timed: bool,
    /// An active consumer makes place for one of higher priority (5.3).
    pub(crate) active_yields: bool,
    /// Each delivery that ends without an acknowledgement is counted (5.6).
    pub(crate) counts_deliveries: bool,
    /// Messages that are held back and dead letters that are kept take places, too (6.5).
    pub(crate) limits_count_all: bool,
    /// What comes back and is too much is dropped before anybody can be given it (6.1).
    pub(crate) trims_what_returns: bool,
    /// The head of each level can expire, and not only that of the queue (6.1).
    pub(crate) levels_expire: bool,
    /// What is expired right behind a message that was got is not counted (5.5).
    pub(crate) expires_behind_got: bool,
}

impl QueueKind {
    pub(crate) const ALL: [Self; 2] = [Self::Classic, Self::Quorum];

    pub(crate) const fn rules(self) -> KindRules {
        match self {
            Self::Classic => KindRules {
                name: "classic",
                module: "rabbit_classic_queue",
                keeps_all: false,
                must_be_permanent: false,
                refuses_conditional_delete: false,
                refuses_get_beside_active: false,
                refuses_global_qos: false,
                is_timed: false,
                active_yields: false,
                counts_deliveries: false,
                limits_count_all: false,
                trims_what_returns: true,
                levels_expire: false,
                expires_behind_got: true,
            },
            Self::Quorum => KindRules {
                name: "quorum",
                module: "rabbit_quorum_queue",
                keeps_all: true,
                must_be_permanent: true,
                refuses_conditional_delete: true,
                refuses_get_beside_active: true,
                refuses_global_qos: true,
                is_timed: true,
                active_yields: true,
                counts_deliveries: true,
                limits_count_all: true,
                trims_what_returns: false,
                levels_expire: true,
                expires_behind_got: false,
            },
        }
    }

    /// The value of `x-queue-type`.
    pub(crate) const fn name(self) -> &'static str {
        self.rules().name
    }

    /// The type of this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// How RabbitMQ's error texts call it.
    pub(crate) const fn module(self) -> &'static str {
        self.rules().module
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_is_found_by_its_own_name() {
        for kind in QueueKind::ALL {
            assert_eq!(QueueKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(QueueKind::from_name("stream"), None);
    }
}
