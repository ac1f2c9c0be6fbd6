//! What a connection reports of its channels to those who list them: once for each batch, and for the channels of the batch only.

use super::numbers::ChannelsByNumber;
use crate::broker::registry::ChannelInfo;
use crate::connection::channel::{Channel, Mode};

/// The channels that something happened on since the last report.
#[derive(Debug, Default)]
pub(super) struct TouchedChannels {
    numbers: Vec<u16>,
}

impl TouchedChannels {
    /// Notes a channel. Batches are mostly of one channel, so only the last one is compared.
    pub(super) fn mark(&mut self, number: u16) {
        if self.numbers.last() != Some(&number) {
            self.numbers.push(number);
        }
    }

    /// Notes until when others are told that the publishes of these channels had to wait.
    pub(super) fn note_flow(&self, channels: &ChannelsByNumber, until_ms: u64) {
        let touched = self.numbers.iter().filter_map(|number| channels.get(*number)?.info());
        touched.for_each(|info| info.gauges.flow_until_ms.set(until_ms));
    }

    /// Reports them, and forgets them.
    pub(super) fn report(&mut self, channels: &ChannelsByNumber) {
        for number in self.numbers.drain(..) {
            if let Some(channel) = channels.get(number)
                && let Some(info) = channel.info()
            {
                report(channel, info);
            }
        }
    }
}

fn report(channel: &Channel, info: &ChannelInfo) {
    let gauges = &info.gauges;
    gauges.prefetch_count.set(u64::from(channel.prefetch_count));
    gauges.global_prefetch_count.set(u64::from(channel.credit.limit()));
    gauges.consumers.set(channel.consumers.len() as u64);
    gauges.messages_unacknowledged.set(channel.unacked.len() as u64);
    let mut stats = channel.stats;
    match &channel.mode {
        Mode::Plain => {}
        Mode::Confirm(confirms) => {
            stats.confirm = confirms.accepted_count();
            gauges.confirm.set(1);
            gauges.messages_unconfirmed.set(confirms.open_count());
        }
        Mode::Transaction(transaction) => {
            gauges.transactional.set(1);
            gauges.messages_uncommitted.set(transaction.publishes.len() as u64);
            gauges.acks_uncommitted.set(transaction.settlements.len() as u64);
        }
    }
    info.counters.set(&stats);
}
