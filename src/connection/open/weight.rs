//! How much work a method asks for, as far as that is the client's choice: looked up before it is done.

use std::sync::Arc;

use super::Open;
use crate::broker::queue::QueueHandle;
use crate::connection::channel::{Channel, Mode};
use crate::connection::effort::{METHOD_EFFORT, TURN_EFFORT};
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
    /// What it takes to end the connection, as far as a turn's worth.
    pub(super) fn weight(&self) -> usize {
        let mut weight: usize = self.channels.iter().map(|(_, channel)| channel.weight()).sum();
        for queue in self.exclusive_queues().chain(self.auto_delete_queues()) {
            // Also an empty one costs something, and there may be so many that even asking them all takes long.
            if weight >= TURN_EFFORT {
                break;
            }
            weight += METHOD_EFFORT + self.vhost.weight_of_queue(&queue);
        }
        weight
    }

    /// The queues that may go with the last of their consumers.
    fn auto_delete_queues(&self) -> impl Iterator<Item = Arc<QueueHandle>> {
        let consumers = self.channels.iter().flat_map(|(_, channel)| channel.consumers.values());
        consumers.filter_map(|consumer| consumer.queue.clone()).filter(|queue| queue.spec.auto_delete)
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
            Command::Queue(QueueMethod::Bind { exchange: source, .. })
            | Command::Exchange(ExchangeMethod::Bind { source, .. }) => self.vhost.bind_weight(source),
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

    /// A quorum queue looks through all that is unacknowledged there for what this consumer left, and an auto-delete one may go.
    fn weight_of_cancel(&self, number: u16, consumer_tag: &str) -> usize {
        let channel = self.channels.get(number);
        let consumer = channel.and_then(|channel| channel.consumers.get(&channel.consumer(consumer_tag)?));
        let queue = consumer.and_then(|consumer| consumer.queue.as_ref());
        queue.map_or(0, |queue| match queue.spec.auto_delete {
            true => self.vhost.weight_of_queue(queue),
            false => queue.counts().unacked,
        })
    }
}
