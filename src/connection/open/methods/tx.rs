//! Class `tx` (behaviour reference 5.9).

use std::sync::Arc;

use crate::connection::channel::Mode;
use crate::connection::open::Open;
use crate::connection::transaction::Transaction;
use crate::error::AmqpError;
use crate::protocol::command::Reply;
use crate::store::LogTransaction;

impl Open {
    /// `tx.select`; repeating it changes nothing.
    pub(super) fn tx_select(&mut self, number: u16) -> Result<(), AmqpError> {
        if let Some(channel) = self.channels.get_mut(number) {
            match channel.mode {
                Mode::Confirm(_) => {
                    return Err(AmqpError::precondition_failed("cannot switch from confirm to tx mode"));
                }
                Mode::Plain => channel.mode = Mode::Transaction(Box::default()),
                Mode::Transaction(_) => {}
            }
        }
        self.reply(number, &Reply::TxSelectOk);
        Ok(())
    }

    /// `tx.commit`: what was held back takes effect, publishes first.
    pub(super) fn tx_commit(&mut self, number: u16, now_ms: u64) -> Result<(), AmqpError> {
        let Transaction { publishes, settlements } = std::mem::take(self.transaction(number)?);
        let log = Arc::clone(&self.node.log);
        let transaction = LogTransaction::begin(&*log);
        let is_complete = self.publish_transaction(&publishes, transaction.id(), now_ms);
        for (_, outstanding, outcome) in settlements {
            self.settle_outstanding(number, outstanding, outcome);
        }
        self.flush_settled_in(transaction.id(), now_ms);
        // Also if a queue refused a message: what the others took has happened.
        let position = transaction.commit();
        if !is_complete {
            return Err(AmqpError::precondition_failed("partial tx completion"));
        }
        self.reply_when_durable(number, Reply::TxCommitOk, position);
        Ok(())
    }

    /// `tx.rollback`: publishes are dropped, settled deliveries are outstanding again with the same tags.
    pub(super) fn tx_rollback(&mut self, number: u16) -> Result<(), AmqpError> {
        let outstanding = self.transaction(number)?.roll_back();
        if let Some(channel) = self.channels.get_mut(number) {
            channel.unacked.put_back(outstanding);
        }
        self.reply(number, &Reply::TxRollbackOk);
        Ok(())
    }

    fn transaction(&mut self, number: u16) -> Result<&mut Transaction, AmqpError> {
        match self.channels.get_mut(number).map(|channel| &mut channel.mode) {
            Some(Mode::Transaction(transaction)) => Ok(transaction),
            _ => Err(AmqpError::precondition_failed("channel is not transactional")),
        }
    }
}
