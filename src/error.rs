//! The AMQP error: what a client is told when something is refused, and whether the channel or the connection is closed.
//!
//! Handlers build one with a constructor named after the reply code; the dispatcher, which knows the method in hand, fills
//! in its class and method ids once. Texts keep RabbitMQ's wording, because clients and their tests match on it.

use std::fmt;

/// What an error closes (behaviour reference, "Which codes close what").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `channel.close`: the channel dies, its connection lives.
    Channel,
    /// `connection.close`: the whole connection dies.
    Connection,
}

macro_rules! reply_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $name:literal, $scope:ident, $constructor:ident;)*) => {
        /// The reply codes of AMQP 0-9-1 that this broker sends.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u16)]
        pub enum ReplyCode {
            $($(#[$doc])* $variant = $code,)*
        }

        impl ReplyCode {
            /// The number on the wire.
            pub const fn code(self) -> u16 {
                self as u16
            }

            /// The constant's name in upper case, with which every reply text begins.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What this code closes unless RabbitMQ departs from it.
            pub(crate) const fn usual_scope(self) -> Scope {
                match self {
                    $(Self::$variant => Scope::$scope,)*
                }
            }
        }

        #[allow(dead_code, reason = "the table has every reply code of the protocol")]
        impl AmqpError {
            $(
                $(#[$doc])*
                pub(crate) fn $constructor(explanation: impl Into<String>) -> Self {
                    Self::new(ReplyCode::$variant, explanation)
                }
            )*
        }
    };
}

reply_codes! {
    /// 311: the content is larger than the server accepts.
    ContentTooLarge = 311, "CONTENT_TOO_LARGE", Channel, content_too_large;
    /// 320: an operator, or the broker's own stop, closed the connection.
    ConnectionForced = 320, "CONNECTION_FORCED", Connection, connection_forced;
    /// 402: the virtual host's path is not valid.
    InvalidPath = 402, "INVALID_PATH", Connection, invalid_path;
    /// 403: the user lacks the permission.
    AccessRefused = 403, "ACCESS_REFUSED", Channel, access_refused;
    /// 404: no such exchange or queue.
    NotFound = 404, "NOT_FOUND", Channel, not_found;
    /// 405: the queue is exclusive to another connection.
    ResourceLocked = 405, "RESOURCE_LOCKED", Channel, resource_locked;
    /// 406: a precondition failed, such as an inequivalent redeclaration.
    PreconditionFailed = 406, "PRECONDITION_FAILED", Channel, precondition_failed;
    /// 501: a frame that cannot be decoded.
    FrameError = 501, "FRAME_ERROR", Connection, frame_error;
    /// 502: a field that holds an illegal value.
    SyntaxError = 502, "SYNTAX_ERROR", Connection, syntax_error;
    /// 503: a method that clients may not send, or not here.
    CommandInvalid = 503, "COMMAND_INVALID", Connection, command_invalid;
    /// 504: a channel that is not open, or open already.
    ChannelError = 504, "CHANNEL_ERROR", Connection, channel_error;
    /// 505: a frame that is not due.
    UnexpectedFrame = 505, "UNEXPECTED_FRAME", Connection, unexpected_frame;
    /// 506: the server lacks a resource.
    ResourceError = 506, "RESOURCE_ERROR", Connection, resource_error;
    /// 530: the client may not do this at all.
    NotAllowed = 530, "NOT_ALLOWED", Connection, not_allowed;
    /// 540: not implemented, by RabbitMQ either.
    NotImplemented = 540, "NOT_IMPLEMENTED", Connection, not_implemented;
    /// 541: the broker itself failed.
    InternalError = 541, "INTERNAL_ERROR", Connection, internal_error;
}

/// Class and method id of the method that failed; 0/0 when no method did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MethodId {
    /// The AMQP class.
    pub(crate) class_id: u16,
    /// The method within the class.
    pub(crate) method_id: u16,
}

impl MethodId {
    /// No method: the error came from a frame, or from the broker itself.
    pub(crate) const NONE: Self = Self::new(0, 0);

    /// The id of one method.
    pub const fn new(class_id: u16, method_id: u16) -> Self {
        Self { class_id, method_id }
    }

    /// As it stands in front of a method's arguments.
    pub(crate) const fn to_bytes(self) -> [u8; 4] {
        let ([c0, c1], [m0, m1]) = (self.class_id.to_be_bytes(), self.method_id.to_be_bytes());
        [c0, c1, m0, m1]
    }
}

/// An error as a client sees it: the fields of `channel.close` or `connection.close`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmqpError {
    /// What it closes.
    pub scope: Scope,
    /// Its reply code.
    pub code: ReplyCode,
    /// The explanation behind `NAME - `; may be empty.
    pub(crate) explanation: String,
    /// The method that failed; `None` until the dispatcher fills it in.
    pub method: Option<MethodId>,
}

/// A reply text is a short string (AMQP 0-9-1 section 4.2.5.3).
const REPLY_TEXT_BYTES_MAX: usize = 255;

impl AmqpError {
    /// An error with the scope that is usual for its code.
    pub fn new(code: ReplyCode, explanation: impl Into<String>) -> Self {
        Self { scope: code.usual_scope(), code, explanation: explanation.into(), method: None }
    }

    /// The same error, closing the connection.
    #[must_use]
    pub(crate) fn on_connection(mut self) -> Self {
        self.scope = Scope::Connection;
        self
    }

    /// The same error, naming the method that failed; a method that was named before stays.
    #[must_use]
    pub(crate) fn with_method(mut self, method: MethodId) -> Self {
        self.method.get_or_insert(method);
        self
    }

    /// The same error, with more behind its explanation.
    #[must_use]
    pub(crate) fn saying_more(mut self, more: &str) -> Self {
        self.explanation.push_str(more);
        self
    }

    /// The reply text on the wire: `NAME - explanation`, at most 255 bytes.
    ///
    /// RabbitMQ cuts to 252 characters and adds three dots, and fails on multi-byte names that are then still too long; this
    /// cuts on a character boundary to at most 255 bytes (behaviour reference, "Reply-text format").
    pub fn reply_text(&self) -> String {
        let mut text = String::from(self.code.name());
        if !self.explanation.is_empty() {
            text.push_str(" - ");
            text.push_str(&self.explanation);
        }
        if text.len() > REPLY_TEXT_BYTES_MAX {
            let mut end = REPLY_TEXT_BYTES_MAX - 3;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            text.push_str("...");
        }
        text
    }
}

impl fmt::Display for AmqpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code.code(), self.reply_text())
    }
}

impl std::error::Error for AmqpError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_explanation_is_the_name_alone() {
        assert_eq!(AmqpError::internal_error("").reply_text(), "INTERNAL_ERROR");
    }

    #[test]
    fn a_long_text_is_cut_to_255_bytes_with_dots() {
        let text = AmqpError::not_found("q".repeat(300)).reply_text();
        assert_eq!(text.len(), 255);
        assert!(text.ends_with("qqq..."));
    }

    #[test]
    fn a_long_text_is_cut_on_a_character_boundary() {
        let text = AmqpError::not_found("€".repeat(100)).reply_text();
        assert!(text.len() <= 255);
        assert!(text.ends_with("€..."));
    }

    #[test]
    fn the_first_method_named_stays() {
        let error = AmqpError::not_found("x").with_method(MethodId::new(50, 10)).with_method(MethodId::new(60, 40));
        assert_eq!(error.method, Some(MethodId::new(50, 10)));
    }
}
