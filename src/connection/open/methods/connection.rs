//! Class `connection`, once the connection is open (behaviour reference 1.9 and 1.12).

use crate::connection::open::Open;
use crate::error::AmqpError;
use crate::protocol::command::{Command, ConnectionMethod};

impl Open {
    /// Carries out a method on channel 0; whether the client closed the connection.
    ///
    /// # Errors
    /// 504 for a method that is not due.
    pub(in crate::connection) fn connection_method(
        &mut self,
        command: Command,
        now_ms: u64,
    ) -> Result<bool, AmqpError> {
        match command {
            Command::Connection(ConnectionMethod::Close { .. }) => Ok(true),
            Command::Connection(ConnectionMethod::UpdateSecret { new_secret, reason }) => {
                self.update_secret(new_secret, &reason, now_ms);
                Ok(false)
            }
            Command::Connection(
                ConnectionMethod::StartOk { .. }
                | ConnectionMethod::SecureOk { .. }
                | ConnectionMethod::TuneOk { .. }
                | ConnectionMethod::Open { .. }
                | ConnectionMethod::CloseOk
                | ConnectionMethod::Blocked
                | ConnectionMethod::Unblocked,
            )
            | Command::Channel(_)
            | Command::Access(_)
            | Command::Exchange(_)
            | Command::Queue(_)
            | Command::Basic(_)
            | Command::Confirm(_)
            | Command::Tx(_)
            | Command::Unimplemented(_) => {
                Err(AmqpError::channel_error("unexpected method in connection state running"))
            }
        }
    }
}
