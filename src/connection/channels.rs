//! The channels of a connection, and which of them a consumer belongs to.
//!
//! **Invariants**: a consumer is found here exactly as long as its channel knows it. A number that the client closed is not open.

mod closed;
mod numbers;
mod report;

use rustc_hash::FxHashMap;

use super::channel::{Channel, ChannelConsumer, ChannelPhase};
use crate::broker::ids::{ChannelId, ConsumerId};
use crate::impossible::impossible;

use closed::ClosedNumbers;
use numbers::ChannelsByNumber;
use report::TouchedChannels;

/// All channels of a connection, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Channels {
    by_number: ChannelsByNumber,
    by_consumer: FxHashMap<ConsumerId, u16>,
    /// What the client sends for them, right behind, is ignored (behaviour reference 2).
    closed: ClosedNumbers,
    touched: TouchedChannels,
    /// Those whose shared prefetch has credit again.
    credited: Vec<u16>,
}

impl Channels {
    pub(super) fn len(&self) -> usize {
        self.by_number.len()
    }

    pub(super) fn get(&self, number: u16) -> Option<&Channel> {
        self.by_number.get(number)
    }

    pub(super) fn get_mut(&mut self, number: u16) -> Option<&mut Channel> {
        self.by_number.get_mut(number)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u16, &Channel)> {
        self.by_number.iter()
    }

    /// Whether the client closed this number and did not open it again.
    pub(super) fn is_closed_by_client(&self, number: u16) -> bool {
        self.closed.contains(number)
    }

    /// Adds a channel, whose number must be free.
    pub(super) fn open(&mut self, number: u16, channel: Channel) {
        // From here on what comes for this number is meant for this channel.
        self.closed.remove(number);
        if self.by_number.insert(number, channel).is_some() {
            impossible!("channel {number} was open when it was opened");
        }
    }

    /// Takes a channel off, with its consumers.
    pub(super) fn remove(&mut self, number: u16) -> Option<Channel> {
        let channel = self.by_number.remove(number)?;
        for consumer in channel.consumers.keys() {
            self.by_consumer.remove(consumer);
        }
        Some(*channel)
    }

    /// Keeps the number of a channel that the broker closed, until the client has answered.
    pub(super) fn await_close_ok(&mut self, number: u16, id: ChannelId) {
        let mut closing = Channel::new(id, None);
        // An empty channel of another identity: what was asked of the old one, such as an answer that waits for
        // the log, does not find it.
        closing.phase = ChannelPhase::Closing;
        self.open(number, closing);
    }

    /// Notes that the client has closed the channel, or answered that it is closed.
    pub(super) fn closed_by_client(&mut self, number: u16) {
        debug_assert!(self.by_number.get(number).is_none(), "channel {number} is still there");
        self.closed.insert(number);
    }

    /// Takes off one channel after the other.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = (u16, Channel)> + use<> {
        self.by_consumer = FxHashMap::default();
        std::mem::take(&mut self.by_number).into_iter().map(|(number, channel)| (number, *channel))
    }

    /// Notes until when others are told that what was just published had to wait.
    pub(super) fn note_flow(&self, until_ms: u64) {
        self.touched.note_flow(&self.by_number, until_ms);
    }

    /// Adds a consumer to a channel.
    pub(super) fn add_consumer(&mut self, number: u16, id: ConsumerId, consumer: ChannelConsumer) {
        let Some(channel) = self.by_number.get_mut(number) else {
            return impossible!("a consumer is to be added to channel {number}, which does not exist");
        };
        channel.add_consumer(id, consumer);
        self.by_consumer.insert(id, number);
    }

    /// Takes a consumer off; `None` if it is gone already.
    pub(super) fn remove_consumer(&mut self, id: ConsumerId) -> Option<(u16, ChannelConsumer)> {
        // Absent is no fault: a notice of its end may come behind the client's own `basic.cancel`.
        let number = self.by_consumer.remove(&id)?;
        let consumer = self.by_number.get_mut(number).and_then(|channel| channel.remove_consumer(id));
        if consumer.is_none() {
            impossible!("channel {number} does not know its consumer {id:?}");
        }
        Some((number, consumer?))
    }

    /// The number of the channel that a consumer belongs to.
    pub(super) fn number_of(&self, consumer: ConsumerId) -> Option<u16> {
        self.by_consumer.get(&consumer).copied()
    }

    /// The channel that a consumer belongs to; `None` if the consumer is gone.
    pub(super) fn of_consumer(&mut self, consumer: ConsumerId) -> Option<(u16, &mut Channel)> {
        let number = self.number_of(consumer)?;
        let Some(channel) = self.by_number.get_mut(number) else {
            impossible!("a consumer is of channel {number}, which does not exist");
            return None;
        };
        Some((number, channel))
    }

    /// Notes that something happened on a channel, so that it is reported.
    pub(super) fn touch(&mut self, number: u16) {
        self.touched.mark(number);
    }

    /// Reports the channels that something happened on to those who list channels.
    pub(super) fn report(&mut self) {
        self.touched.report(&self.by_number);
    }

    /// Gives back a message's place in the shared prefetch of a channel, if it has one.
    pub(super) fn release_credit(&mut self, number: u16) {
        let Some(channel) = self.by_number.get(number).filter(|channel| channel.credit.is_limited()) else { return };
        channel.credit.release(1);
        // Settlements come mostly of one channel; the rest is sorted out when they are taken.
        if self.credited.last() != Some(&number) {
            self.credited.push(number);
        }
    }

    /// The channels whose consumers are to try again, because places were given back: each once.
    pub(super) fn take_credited(&mut self) -> Vec<u16> {
        let mut credited = std::mem::take(&mut self.credited);
        credited.sort_unstable();
        credited.dedup();
        credited
    }

    /// Checks the invariants, in debug builds.
    pub(super) fn check(&self) {
        let consumers = || self.by_number.iter().map(|(_, channel)| channel.consumers.len()).sum::<usize>();
        debug_assert_eq!(self.by_consumer.len(), consumers(), "a consumer is known here and to its channel");
        let mut numbers = self.by_number.iter().map(|(number, _)| number);
        debug_assert!(!numbers.any(|number| self.closed.contains(number)), "a channel is open and closed");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn consumer(consumer_tag: &str) -> ChannelConsumer {
        ChannelConsumer::new(consumer_tag.into(), None, 0, &Arc::default())
    }

    #[test]
    fn a_channel_takes_its_consumers_with_it() {
        let mut channels = Channels::default();
        for number in [1, 2] {
            channels.open(number, Channel::new(ChannelId(number.into()), None));
        }
        for (id, number) in [(1, 1), (2, 1), (3, 2)] {
            channels.add_consumer(number, ConsumerId(id), consumer(&id.to_string()));
        }
        channels.check();
        assert_eq!(channels.remove(1).map(|channel| channel.consumers.len()), Some(2));
        channels.closed_by_client(1);
        channels.check();
        assert_eq!([1, 2, 3].map(|id| channels.number_of(ConsumerId(id))), [None, None, Some(2)]);
        assert_eq!(channels.remove_consumer(ConsumerId(3)).map(|(number, _)| number), Some(2));
        assert!(channels.remove_consumer(ConsumerId(3)).is_none());
        channels.check();
    }

    #[test]
    fn a_number_is_closed_until_it_is_opened_again() {
        let mut channels = Channels::default();
        assert!(!channels.is_closed_by_client(7));
        channels.closed_by_client(7);
        assert!(channels.is_closed_by_client(7));
        channels.open(7, Channel::new(ChannelId(7), None));
        assert!(!channels.is_closed_by_client(7) && channels.len() == 1);
        channels.check();
    }
}
