//! The methods of channel 1 that the scenarios use.

use super::connection::{CHANNEL, Connection};
use super::wire::{self, Fields, Method, Table};
use crate::error::Result;

const PASSIVE: u8 = 1;
const DURABLE: u8 = 2;
const EXCLUSIVE: u8 = 4;
const AUTO_DELETE: u8 = 4;
const NO_ACK: u8 = 2;
const NO_WAIT: u8 = 8;

/// What a queue outlives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// It goes with the connection that declared it. Exclusive, because RabbitMQ 4.3 refuses transient queues that are
    /// not; others may still publish to it.
    Transient,
    /// It survives its broker.
    Durable,
}

impl Connection {
    pub(crate) fn declare_queue(&mut self, name: &str, durability: Durability, arguments: &Table) -> Result<()> {
        let bits = match durability {
            Durability::Transient => EXCLUSIVE,
            Durability::Durable => DURABLE,
        };
        self.queue_declare(name, bits, arguments).map(drop)
    }

    /// How many messages are ready in a queue.
    pub(crate) fn message_count(&mut self, queue: &str) -> Result<u64> {
        let declare_ok = self.queue_declare(queue, PASSIVE, &Table::default())?;
        let mut arguments = Fields(&declare_ok);
        arguments.short_string()?;
        Ok(u64::from(arguments.long()?))
    }

    fn queue_declare(&mut self, name: &str, bits: u8, arguments: &Table) -> Result<Vec<u8>> {
        let declare =
            Method::new(CHANNEL, wire::QUEUE_DECLARE).short(0).short_string(name).octet(bits).table(arguments);
        self.call(&declare, wire::QUEUE_DECLARE_OK)
    }

    pub(crate) fn delete_queue(&mut self, name: &str) -> Result<()> {
        let delete = Method::new(CHANNEL, wire::QUEUE_DELETE).short(0).short_string(name).octet(0);
        self.call(&delete, wire::QUEUE_DELETE_OK).map(drop)
    }

    pub(crate) fn bind_queue(
        &mut self,
        queue: &str,
        exchange: &str,
        binding_key: &str,
        arguments: &Table,
    ) -> Result<()> {
        let bind = Method::new(CHANNEL, wire::QUEUE_BIND)
            .short(0)
            .short_string(queue)
            .short_string(exchange)
            .short_string(binding_key)
            .octet(0)
            .table(arguments);
        self.call(&bind, wire::QUEUE_BIND_OK).map(drop)
    }

    pub(crate) fn unbind_queue(&mut self, queue: &str, exchange: &str, binding_key: &str) -> Result<()> {
        let unbind = Method::new(CHANNEL, wire::QUEUE_UNBIND)
            .short(0)
            .short_string(queue)
            .short_string(exchange)
            .short_string(binding_key)
            .empty_table();
        self.call(&unbind, wire::QUEUE_UNBIND_OK).map(drop)
    }

    /// Declares an exchange that goes with its last binding.
    pub(crate) fn declare_exchange(&mut self, name: &str, kind: &str) -> Result<()> {
        let declare = Method::new(CHANNEL, wire::EXCHANGE_DECLARE)
            .short(0)
            .short_string(name)
            .short_string(kind)
            .octet(AUTO_DELETE)
            .empty_table();
        self.call(&declare, wire::EXCHANGE_DECLARE_OK).map(drop)
    }

    /// Sets the prefetch of the consumers to come. Its reply also says that the broker has handled every ack before it.
    pub(crate) fn qos(&mut self, prefetch_count: u16) -> Result<()> {
        let qos = Method::new(CHANNEL, wire::BASIC_QOS).long(0).short(prefetch_count).octet(0);
        self.call(&qos, wire::BASIC_QOS_OK).map(drop)
    }

    /// Consumes under a short tag, for it comes with every delivery; a second consumer on the channel needs another.
    pub(crate) fn basic_consume(&mut self, queue: &str, consumer_tag: &str, no_ack: bool) -> Result<()> {
        let consume = Method::new(CHANNEL, wire::BASIC_CONSUME)
            .short(0)
            .short_string(queue)
            .short_string(consumer_tag)
            .octet(if no_ack { NO_ACK } else { 0 })
            .empty_table();
        self.call(&consume, wire::BASIC_CONSUME_OK).map(drop)
    }

    /// Consumes from all these queues without waiting for replies, among which deliveries of the first would come.
    pub(crate) fn consume_all(&mut self, queues: &[String], no_ack: bool) -> Result<()> {
        let mut consumes = Vec::new();
        for (number, queue) in queues.iter().enumerate() {
            let consume = Method::new(CHANNEL, wire::BASIC_CONSUME)
                .short(0)
                .short_string(queue)
                .short_string(&number.to_string())
                .octet(if no_ack { NO_ACK | NO_WAIT } else { NO_WAIT })
                .empty_table();
            consume.encode(&mut consumes);
        }
        self.write(&consumes)
    }

    /// Asks for publisher confirms.
    pub(crate) fn confirm_select(&mut self) -> Result<()> {
        let select = Method::new(CHANNEL, wire::CONFIRM_SELECT).octet(0);
        self.call(&select, wire::CONFIRM_SELECT_OK).map(drop)
    }

    /// Opens one more channel beside channel 1.
    pub(crate) fn open_channel(&mut self, channel: u16) -> Result<()> {
        self.call(&Method::new(channel, wire::CHANNEL_OPEN).short_string(""), wire::CHANNEL_OPEN_OK).map(drop)
    }

    pub(crate) fn close_channel(&mut self) -> Result<()> {
        let close = Method::new(CHANNEL, wire::CHANNEL_CLOSE).short(200).short_string("done").short(0).short(0);
        self.call(&close, wire::CHANNEL_CLOSE_OK).map(drop)
    }
}
