//! The methods of channel 1 that the scenarios use.

use super::connection::{CHANNEL, Connection};
use super::wire::{self, Fields, Method};
use crate::error::Result;

const PASSIVE: u8 = 1;
const EXCLUSIVE: u8 = 4;
const AUTO_DELETE: u8 = 4;
const NO_ACK: u8 = 2;

impl Connection {
    /// Declares a transient queue that goes when this connection goes. Exclusive, because RabbitMQ 4.3 refuses
    /// transient queues that are not; others may still publish to it.
    pub(crate) fn declare_queue(&mut self, name: &str) -> Result<()> {
        self.queue_declare(name, EXCLUSIVE).map(drop)
    }

    /// How many messages are ready in one of this connection's queues.
    pub(crate) fn message_count(&mut self, queue: &str) -> Result<u64> {
        let declare_ok = self.queue_declare(queue, EXCLUSIVE | PASSIVE)?;
        let mut arguments = Fields(&declare_ok);
        arguments.short_string()?;
        Ok(u64::from(arguments.long()?))
    }

    fn queue_declare(&mut self, name: &str, bits: u8) -> Result<Vec<u8>> {
        let declare = Method::new(CHANNEL, wire::QUEUE_DECLARE).short(0).short_string(name).octet(bits).empty_table();
        self.call(&declare, wire::QUEUE_DECLARE_OK)
    }

    pub(crate) fn delete_queue(&mut self, name: &str) -> Result<()> {
        let delete = Method::new(CHANNEL, wire::QUEUE_DELETE).short(0).short_string(name).octet(0);
        self.call(&delete, wire::QUEUE_DELETE_OK).map(drop)
    }

    pub(crate) fn bind_queue(&mut self, queue: &str, exchange: &str, binding_key: &str) -> Result<()> {
        let bind = Method::new(CHANNEL, wire::QUEUE_BIND)
            .short(0)
            .short_string(queue)
            .short_string(exchange)
            .short_string(binding_key)
            .octet(0)
            .empty_table();
        self.call(&bind, wire::QUEUE_BIND_OK).map(drop)
    }

    /// Declares a fanout exchange that goes with its last binding.
    pub(crate) fn declare_fanout(&mut self, name: &str) -> Result<()> {
        let declare = Method::new(CHANNEL, wire::EXCHANGE_DECLARE)
            .short(0)
            .short_string(name)
            .short_string("fanout")
            .octet(AUTO_DELETE)
            .empty_table();
        self.call(&declare, wire::EXCHANGE_DECLARE_OK).map(drop)
    }

    /// Sets the prefetch of the consumers to come. Its reply also says that the broker has handled every ack before it.
    pub(crate) fn qos(&mut self, prefetch_count: u16) -> Result<()> {
        let qos = Method::new(CHANNEL, wire::BASIC_QOS).long(0).short(prefetch_count).octet(0);
        self.call(&qos, wire::BASIC_QOS_OK).map(drop)
    }

    pub(crate) fn basic_consume(&mut self, queue: &str, no_ack: bool) -> Result<()> {
        let consume = Method::new(CHANNEL, wire::BASIC_CONSUME)
            .short(0)
            .short_string(queue)
            .short_string("c")
            .octet(if no_ack { NO_ACK } else { 0 })
            .empty_table();
        self.call(&consume, wire::BASIC_CONSUME_OK).map(drop)
    }

    /// Asks for publisher confirms.
    pub(crate) fn confirm_select(&mut self) -> Result<()> {
        let select = Method::new(CHANNEL, wire::CONFIRM_SELECT).octet(0);
        self.call(&select, wire::CONFIRM_SELECT_OK).map(drop)
    }

    pub(crate) fn close_channel(&mut self) -> Result<()> {
        let close = Method::new(CHANNEL, wire::CHANNEL_CLOSE).short(200).short_string("done").short(0).short(0);
        self.call(&close, wire::CHANNEL_CLOSE_OK).map(drop)
    }
}
