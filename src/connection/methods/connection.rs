//! Class `connection`, once the connection is open (behaviour reference 1.9 and 1.12).

use crate::connection::open::Open;
use crate::error::AmqpError;
use crate::protocol::command::{Command, Reply};

impl Open {
    /// Carries out a method on channel 0; whether the client closed the connection.
    ///
    /// # Errors
    /// 504 for a method that is not due.
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else it is, it is not due")]
    pub(in crate::connection) fn connection_method(&mut self, command: Command) -> Result<bool, AmqpError> {
        match command {
            Command::ConnectionClose { .. } => Ok(true),
            Command::ConnectionUpdateSecret { .. } => {
                // The internal users have no secret that expires, so whatever it is, it is fine.
                self.reply(0, &Reply::ConnectionUpdateSecretOk);
                Ok(false)
            }
            _ => Err(AmqpError::channel_error("unexpected method in connection state running")),
        }
    }
}
