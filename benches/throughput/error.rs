//! What can go wrong while a broker is measured.

use std::io;

/// Why a run gave no number.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The socket, a child process or `/proc` failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The broker closed the channel or the connection.
    #[error("the broker closed the {scope}: {reply_code} {reply_text}")]
    Closed {
        /// `channel` or `connection`.
        scope: &'static str,
        /// AMQP's reply code.
        reply_code: u16,
        /// The broker's own words.
        reply_text: String,
    },
    /// Nothing came for as long as a read may take.
    #[error("the broker sent nothing for too long")]
    Silent,
    /// The broker, or the command line, said something that this program cannot go on from.
    #[error("{0}")]
    Unexpected(String),
    /// This scenario has no meaning for this broker.
    #[error("skipped: {0}")]
    Skipped(&'static str),
    /// A message was lost, duplicated, reordered or damaged.
    #[error("verification failed: {0}")]
    Verification(String),
}

impl Error {
    pub(crate) fn unexpected(text: impl Into<String>) -> Self {
        Self::Unexpected(text.into())
    }

    pub(crate) fn verification(text: impl Into<String>) -> Self {
        Self::Verification(text.into())
    }
}

/// The result of everything here that can fail.
pub(crate) type Result<T> = std::result::Result<T, Error>;
