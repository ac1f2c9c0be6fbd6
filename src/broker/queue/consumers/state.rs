//! What consumers wait for, for those who look from outside.

use super::{Consumer, ConsumerSpec, Registered, Turn};
use crate::broker::ids::ConsumerId;

/// What a consumer waits for, as RabbitMQ's API tells it in `activity_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConsumerState {
    /// It gets messages as they come.
    Up,
    /// It is the one that gets messages, because the queue has a single active consumer.
    SingleActive,
    /// It gets nothing while another one is the single active consumer.
    Waiting,
    /// Its prefetch is used up, or its connection does not take more.
    Blocked,
}

impl Registered {
    /// The single active consumer, as its client asked for it.
    pub(super) fn active(&self) -> Option<&ConsumerSpec> {
        self.by_id.get(&self.active?).map(|consumer| &consumer.spec)
    }

    /// All consumers in the order of registration, with what each waits for, as far as is known.
    pub(super) fn states(&self) -> impl Iterator<Item = (&Consumer, ConsumerState)> {
        self.iter().map(|consumer| (consumer, self.state_of(consumer.spec.id, consumer.turn)))
    }

    fn state_of(&self, id: ConsumerId, turn: Turn) -> ConsumerState {
        match turn {
            _ if self.single_active && self.active != Some(id) => ConsumerState::Waiting,
            Turn::Full | Turn::Stalled => ConsumerState::Blocked,
            Turn::Waiting if self.single_active => ConsumerState::SingleActive,
            Turn::Waiting => ConsumerState::Up,
        }
    }
}
