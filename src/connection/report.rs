//! What a connection reports of its channels to those who list them: once for each batch, and for the channels of the batch only.

use super::channel::{Channel, Mode};
use super::open::Open;
use crate::broker::registry::ChannelInfo;

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
}

impl Open {
    /// Reports the channels that something happened on.
    pub(super) fn report_channels(&mut self) {
        let mut touched = std::mem::take(&mut self.touched.numbers);
        for number in touched.drain(..) {
            if let Some(channel) = self.channels.get(&number)
                && let Some(info) = channel.info()
            {
                report(channel, info);
            }
        }
        self.touched.numbers = touched;
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
