//! Class `confirm` (behaviour reference 5.8).

use crate::connection::channel::Mode;
use crate::connection::confirms::Confirms;
use crate::connection::open::Open;
use crate::error::AmqpError;
use crate::protocol::command::Reply;

impl Open {
    /// `confirm.select`; repeating it does not reset the numbers.
    pub(super) fn confirm_select(&mut self, number: u16, no_wait: bool) -> Result<(), AmqpError> {
        if let Some(channel) = self.channels.get_mut(number) {
            match channel.mode {
                Mode::Transaction(_) => {
                    return Err(AmqpError::precondition_failed("cannot switch from tx to confirm mode"));
                }
                Mode::Plain => channel.mode = Mode::Confirm(Confirms::default()),
                Mode::Confirm(_) => {}
            }
        }
        if !no_wait {
            self.reply(number, &Reply::ConfirmSelectOk);
        }
        Ok(())
    }
}
