//! What happens to exchanges, queues and bindings, for those who want to know.

use super::{DestinationType, Topology};
use crate::broker::exchange::{Binding, Destination};
use crate::broker::own::Event;

impl Topology {
    /// Says whether anybody wants to know what happens from now on.
    pub(in crate::broker) fn tell_events(&mut self, is_wanted: bool) {
        self.events = is_wanted.then(Vec::new);
    }

    /// What happened.
    pub(in crate::broker) fn take_events(&mut self) -> Vec<Event> {
        self.events.as_mut().map(std::mem::take).unwrap_or_default()
    }

    pub(super) fn note(&mut self, event: impl FnOnce(&str) -> Event) {
        if let Some(events) = &mut self.events {
            events.push(event(&self.vhost));
        }
    }

    /// `created` or `deleted`, with the names of both ends.
    pub(super) fn tell_binding(&mut self, what: &str, ends: (&str, &str), binding: &Binding) {
        let kind = match binding.destination() {
            Destination::Queue(_) => DestinationType::Queue,
            Destination::Exchange(_) => DestinationType::Exchange,
        };
        self.note(|vhost| Event::binding(what, vhost, ends, kind, binding));
    }
}
