//! The consumers of a queue, which take no memory while there are none: most queues of a large broker stand idle.

use super::super::unacked::HolderId;
use super::{Consumer, ConsumerSpec, ConsumerState, Registered, Taker};
use crate::broker::ids::{ChannelId, ConsumerId};
use crate::broker::sink::Delivery;

/// The consumers of a queue, if there are any.
#[derive(Debug, Default)]
pub(in crate::broker::queue) struct Consumers {
    single_active: bool,
    /// **Invariant**: one at least is registered.
    registered: Option<Box<Registered>>,
}

impl Consumers {
    pub(in crate::broker::queue) fn new(single_active: bool) -> Self {
        Self { single_active, registered: None }
    }

    pub(in crate::broker::queue) fn len(&self) -> usize {
        self.registered.as_ref().map_or(0, |registered| registered.len())
    }

    pub(in crate::broker::queue) fn is_empty(&self) -> bool {
        self.registered.is_none()
    }

    pub(in crate::broker::queue) fn has_exclusive(&self) -> bool {
        self.registered.as_ref().is_some_and(|registered| registered.has_exclusive())
    }

    #[cfg(any(test, debug_assertions))]
    pub(in crate::broker::queue) fn check(&self) {
        if let Some(registered) = &self.registered {
            assert!(!registered.is_empty(), "there is no memory for none");
            registered.check();
        }
    }

    /// In the order of registration.
    pub(in crate::broker::queue) fn iter(&self) -> impl Iterator<Item = &Consumer> {
        self.registered.iter().flat_map(|registered| registered.iter())
    }

    /// See [`Registered::states`].
    pub(in crate::broker::queue) fn states(&self) -> impl Iterator<Item = (&Consumer, ConsumerState)> {
        self.registered.iter().flat_map(|registered| registered.states())
    }

    /// See [`Registered::active`].
    pub(in crate::broker::queue) fn active(&self) -> Option<&ConsumerSpec> {
        self.registered.as_ref()?.active()
    }

    /// The consumers of a channel, in the order of registration.
    pub(in crate::broker::queue) fn of_channel(&self, channel: ChannelId) -> Vec<ConsumerId> {
        self.registered.as_ref().map_or_else(Vec::new, |registered| registered.of_channel(channel))
    }

    pub(in crate::broker::queue) fn add(&mut self, spec: ConsumerSpec, holder: Option<HolderId>) {
        let single_active = self.single_active;
        self.registered.get_or_insert_with(|| Registered::new(single_active).into()).add(spec, holder);
    }

    /// Takes a consumer off, and everything with the last one.
    pub(in crate::broker::queue) fn remove(&mut self, id: ConsumerId) -> Option<Consumer> {
        let registered = self.registered.as_mut()?;
        let consumer = registered.remove(id);
        if registered.is_empty() {
            self.registered = None;
        }
        consumer
    }

    /// See [`Registered::yield_to`].
    pub(in crate::broker::queue) fn yield_to(&mut self, priority: i64) {
        if let Some(registered) = &mut self.registered {
            registered.yield_to(priority);
        }
    }

    /// See [`Registered::promote`].
    pub(in crate::broker::queue) fn promote(&mut self) {
        if let Some(registered) = &mut self.registered {
            registered.promote();
        }
    }

    /// See [`Registered::next`].
    pub(in crate::broker::queue) fn next(&mut self, body_bytes: usize) -> Option<Taker> {
        self.registered.as_mut()?.next(body_bytes)
    }

    /// See [`Registered::hand`].
    pub(in crate::broker::queue) fn hand(&mut self, delivery: Delivery) {
        if let Some(registered) = &mut self.registered {
            registered.hand(delivery);
        }
    }

    /// See [`Registered::is_waiting`].
    pub(in crate::broker::queue) fn is_waiting(&self) -> bool {
        self.registered.as_ref().is_some_and(|registered| registered.is_waiting())
    }

    /// See [`Registered::flush`].
    pub(in crate::broker::queue) fn flush(&mut self) {
        if let Some(registered) = &mut self.registered {
            registered.flush();
        }
    }

    /// See [`Registered::are_served`].
    pub(in crate::broker::queue) fn are_served(&self) -> bool {
        self.registered.as_ref().is_some_and(|registered| registered.are_served())
    }

    /// See [`Registered::settled`].
    pub(in crate::broker::queue) fn settled(&mut self, id: ConsumerId) {
        if let Some(registered) = &mut self.registered {
            registered.settled(id);
        }
    }

    /// See [`Registered::resume`].
    pub(in crate::broker::queue) fn resume(&mut self, id: ConsumerId) {
        if let Some(registered) = &mut self.registered {
            registered.resume(id);
        }
    }
}
