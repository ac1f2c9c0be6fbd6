//! `x-recent-history`: a fanout that remembers its last messages and gives them to every queue that is bound later.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use super::destinations::Destinations;
use super::selection::to_all;
use super::{Binding, ExchangeType, Matches, RoutedMessage, Routing, Selection};
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
        Ok(Box::new(RecentHistory { bound: Destinations::default(), length_max, messages: Mutex::default() }))
    },
};

/// How many messages are remembered unless the exchange's arguments say otherwise.
const LENGTH_MAX_DEFAULT: usize = 20;

/// Bodies up to this many bytes are copied to be remembered. A message shares its memory with its neighbours of the same
/// read batch, and a remembered one would keep all of it alive; a larger body is most of its batch itself.
const COPIED_BODY_BYTES_MAX: usize = 64 * 1024;

/// What is bound, and the last messages, oldest first.
struct RecentHistory {
    bound: Destinations,
    length_max: usize,
    messages: Mutex<VecDeque<Message>>,
}

impl Routing for RecentHistory {
    fn bind(&mut self, binding: &Arc<Binding>) {
        self.bound.add(binding.destination);
    }

    fn unbind(&mut self, binding: &Binding) {
        self.bound.remove(binding.destination);
    }

    fn route(&self, _: &RoutedMessage<'_>, matches: &mut Matches) {
        self.bound.append_to(&mut matches.destinations);
    }

    fn routes_by_key_alone(&self) -> bool {
        true
    }

    fn remembers(&self) -> bool {
        true
    }

    fn published(&self, message: &Message) {
        let no_store = message.properties().headers().and_then(|headers| headers.get("x-recent-history-no-store"));
        if no_store.and_then(|value| value.as_bool()) == Some(true) {
            return;
        }
        let kept = if message.body_bytes() <= COPIED_BODY_BYTES_MAX { message.compacted() } else { message.clone() };
        let mut messages = self.messages.lock();
        while messages.len() >= self.length_max {
            messages.pop_front();
        }
        messages.push_back(kept);
    }

    fn history(&self) -> Vec<Message> {
        self.messages.lock().iter().cloned().collect()
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
