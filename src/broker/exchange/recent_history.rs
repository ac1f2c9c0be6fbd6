//! `x-recent-history`: a fanout that remembers its last messages and gives them to every queue that is bound later.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use super::selection::to_all;
use super::{
    Binding, Destination, ExchangeType, History, Matches, PackedDestination, RoutedMessage, Routing, Selection,
};
use crate::broker::split_map::FxSplitMap;
use crate::error::AmqpError;
use crate::message::Message;
use crate::table::{ErlangText, Table};

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "x-recent-history",
    description: "fanout that gives its last messages to new queues",
    arguments: &["x-recent-history-length"],
    selection: Selection::Each(to_all),
    create: |arguments| {
        let length_max = length_max(arguments)?;
        Ok(Box::new(RecentHistory {
            bound: FxSplitMap::default(),
            in_order: BTreeMap::new(),
            bindings_made: 0,
            length_max,
            messages: Mutex::default(),
        }))
    },
};

/// How many messages are remembered unless the exchange's arguments say otherwise.
const LENGTH_MAX_DEFAULT: usize = 20;

/// Bodies up to this many bytes are copied to be remembered. A message shares its memory with its neighbours of the same
/// read batch, and a remembered one would keep all of it alive; a larger body is most of its batch itself.
const COPIED_BODY_BYTES_MAX: usize = 64 * 1024;

/// What is bound, and the last messages, oldest first.
struct RecentHistory {
    bound: FxSplitMap<PackedDestination, Bound>,
    /// The same, by the numbers of their first bindings.
    in_order: BTreeMap<u64, PackedDestination>,
    /// How many bindings were ever added.
    bindings_made: u64,
    length_max: usize,
    messages: Mutex<History>,
}

/// Something that is bound.
#[derive(Debug)]
struct Bound {
    /// How many bindings lead to it.
    bindings: u32,
    /// The number of the first of them among all that were ever added.
    first: u64,
}

impl Routing for RecentHistory {
    fn bind(&mut self, binding: &Arc<Binding>) {
        self.bindings_made += 1;
        let destination = binding.destination().into();
        match self.bound.get_mut(&destination) {
            Some(bound) => bound.bindings += 1,
            None => {
                self.bound.insert(destination, Bound { bindings: 1, first: self.bindings_made });
                self.in_order.insert(self.bindings_made, destination);
            }
        }
    }

    fn unbind(&mut self, binding: &Binding) {
        let destination = PackedDestination::from(binding.destination());
        let Some(bound) = self.bound.get_mut(&destination) else { return };
        bound.bindings -= 1;
        if bound.bindings == 0 {
            self.in_order.remove(&bound.first);
            self.bound.remove(&destination);
        }
    }

    fn index_bytes(&self, _: &Binding) -> usize {
        // A hash map is at least half full but for a moment, and so is a tree.
        2 * size_of::<(PackedDestination, Bound)>() + 2 * size_of::<(u64, PackedDestination)>()
    }

    fn route(&self, _: &RoutedMessage<'_>, matches: &mut Matches) {
        matches.destinations.extend(self.bound.keys().map(|destination| Destination::from(*destination)));
    }

    fn routes_by_key_alone(&self) -> bool {
        true
    }

    fn remembers(&self) -> Option<u64> {
        Some(self.bindings_made)
    }

    fn bound_since(&self, bindings_made: u64) -> Vec<Destination> {
        let late = self.in_order.range(bindings_made.saturating_add(1)..);
        late.map(|(_, destination)| Destination::from(*destination)).collect()
    }

    fn published(&self, message: &Message) {
        let no_store = message.properties().headers().and_then(|headers| headers.get("x-recent-history-no-store"));
        if no_store.and_then(|value| value.as_bool()) == Some(true) {
            return;
        }
        let kept = if message.body_bytes() <= COPIED_BODY_BYTES_MAX { message.compacted() } else { message.clone() };
        self.messages.lock().push(kept, self.length_max);
    }

    fn history(&self) -> History {
        self.messages.lock().clone()
    }
}

/// How many messages are remembered, and not what is in them.
impl fmt::Debug for RecentHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecentHistory")
            .field("bound", &self.bound)
            .field("length_max", &self.length_max)
            .field("messages", &self.messages.lock().len())
            .finish()
    }
}

/// The argument `x-recent-history-length`.
fn length_max(arguments: &Table) -> Result<usize, AmqpError> {
    let Some(length) = arguments.get("x-recent-history-length") else { return Ok(LENGTH_MAX_DEFAULT) };
    match length.as_integer() {
        Some(positive @ 1..) => Ok(usize::try_from(positive).unwrap_or(usize::MAX)),
        _ => Err(AmqpError::precondition_failed(format!(
            "Invalid argument {}, 'x-recent-history-length' must be a positive integer",
            ErlangText(length)
        ))),
    }
}

#[cfg(test)]
mod tests;
