//! Why a request is refused: a status, and the two words that RabbitMQ's API answers with.

use serde_json::{Value, json};

use crate::error::{AmqpError, ReplyCode};

/// The header that names the setting by which a request is refused. Status and texts are RabbitMQ's, and a program cannot tell by them.
pub const REFUSED_BY: &str = "leveret-refused-by";
/// Its value where there are as many virtual hosts as there may be.
pub const VHOST_MAX: &str = "vhost_max";

/// A request that is not carried out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{status} {error}: {reason}")]
pub(super) struct Refusal {
    /// The HTTP status.
    pub(super) status: u16,
    /// The key `error` of the body.
    pub(super) error: &'static str,
    /// The key `reason`: a text, or a list of terms.
    pub(super) reason: Value,
    /// The setting that is the reason, where somebody asks for it.
    pub(super) refused_by: Option<&'static str>,
}

impl Refusal {
    /// With a status and a word of its own.
    pub(super) fn new(status: u16, error: &'static str, reason: impl Into<Value>) -> Self {
        Self { status, error, reason: reason.into(), refused_by: None }
    }

    /// 400: the request says something that cannot be.
    pub(super) fn bad_request(reason: impl Into<Value>) -> Self {
        Self::new(400, "bad_request", reason)
    }

    /// 401 for somebody whose tags or permissions do not allow it.
    pub(super) fn not_authorised(reason: impl Into<Value>) -> Self {
        Self::new(401, "not_authorised", reason)
    }

    /// 404: there is no such thing.
    pub(super) fn absent() -> Self {
        Self::new(404, "Object Not Found", "Not Found")
    }

    /// 404 with a reason of its own.
    pub(super) fn not_found(reason: impl Into<Value>) -> Self {
        Self::new(404, "not_found", reason)
    }

    /// 429: so many of these run already.
    pub(super) fn too_many() -> Self {
        Self::new(429, "too_many_requests", "so many of these requests run already; ask again later")
    }

    /// What the client is sent: RabbitMQ's word for the error, and the reason.
    pub(super) fn body(&self) -> Value {
        json!({ "error": self.error, "reason": self.reason })
    }
}

/// What AMQP would have closed a channel with.
impl From<AmqpError> for Refusal {
    fn from(error: AmqpError) -> Self {
        if error.code == ReplyCode::AccessRefused {
            Self::not_authorised("Access refused.")
        } else if error.code == ReplyCode::NotFound {
            Self::not_found(error.explanation)
        } else {
            Self::bad_request(error.explanation)
        }
    }
}
