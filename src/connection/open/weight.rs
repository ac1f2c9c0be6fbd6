//! How much work a method asks for, as far as that is the client's choice: looked up before it is done.

use super::Open;
use crate::connection::channel::{Channel, Mode};
use crate::protocol::command::{BasicMethod, ChannelMethod, Command, ExchangeMethod, QueueMethod, TxMethod};

impl Channel {
    /// What it takes to end it.
    pub(super) fn weight(&self) -> usize {
        let held_back = match &self.mode {
            Mode::Transaction(transaction) => transaction.publishes.len() + transaction.settlements.len(),
            Mode::Plain | Mode::Confirm(_) => 0,
        };
        self.unacked.len() + self.consumers.len() + held_back
    }
}

impl Open {
    /// What it takes to end the connection.
    pub(super) fn weight(&self) -> usize {
        self.channels.iter().map(|(_, channel)| channel.weight()).sum::<usize>() + self.weight_of_exclusive_queues()
    }

    /// What it takes to carry out a method. All that are not named here take the same, whatever the client has made before.
    pub(super) fn weight_of(&self, number: u16, command: &Command) -> usize {
        let of_channel = || self.channels.get(number).map_or(0, |channel| channel.weight());
        match command {
            Command::Queue(QueueMethod::Purge { queue, .. } | QueueMethod::Delete { queue, .. }) => {
                let name: Result<String, _> = self.queue_name(number, queue.clone());
                name.map_or(0, |name| self.vhost.queue_weight(&name))
            }
            Command::Basic(BasicMethod::Cancel { consumer_tag, .. }) => self.weight_of_cancel(number, consumer_tag),
            Command::Exchange(ExchangeMethod::Delete { exchange, .. }) => self.vhost.exchange_weight(exchange),
            Command::Basic(
                BasicMethod::Recover { .. } | BasicMethod::RecoverAsync { .. } | BasicMethod::Qos { global: true, .. },
            )
            | Command::Channel(ChannelMethod::Close { .. })
            | Command::Tx(TxMethod::Commit | TxMethod::Rollback) => of_channel(),
            Command::Queue(_)
            | Command::Basic(_)
            | Command::Exchange(_)
            | Command::Channel(_)
            | Command::Tx(_)
            | Command::Connection(_)
            | Command::Access(_)
            | Command::Confirm(_)
            | Command::Unimplemented(_) => 0,
        }
    }

    /// A quorum queue looks through all that is unacknowledged there for what this consumer left.
    fn weight_of_cancel(&self, number: u16, consumer_tag: &str) -> usize {
        let channel = self.channels.get(number);
        let consumer = channel.and_then(|channel| channel.consumers.get(&channel.consumer(consumer_tag)?));
        let queue = consumer.and_then(|consumer| consumer.queue.as_ref());
        queue.map_or(0, |queue| queue.counts().unacked)
    }
}
