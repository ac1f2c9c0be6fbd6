//! A request, taken apart: who asks, for what in the path, with which query and body.

use std::sync::Arc;

use axum::http::Method;
use axum::http::request::Parts;
use serde_json::{Map, Value};

use super::api::Api;
use super::caller::Caller;
use super::refusal::Refusal;
use super::stats::SamplesLeft;
use crate::broker::vhost::Vhost;
use crate::impossible::impossible;

/// What RabbitMQ says of a body that is a JSON string.
const ENCODED_TWICE: &str =
    "invalid payload: the request body JSON-decoded to a string. Is the input doubly-JSON-encoded?";

/// A request on its way to its handler.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// What all handlers share.
    pub(super) api: &'a Api,
    /// Who asks; nobody where a route needs nobody.
    pub(super) caller: Option<Caller>,
    /// The variable parts of the path, decoded.
    pub(super) path: Vec<(String, String)>,
    /// The query, decoded.
    pub(super) query: Vec<(String, String)>,
    /// The header `X-Reason`.
    pub(super) reason: Option<String>,
    /// The header `Content-Type`.
    pub(super) content_type: Option<String>,
    /// All bytes of the body; longer ones than the API takes were refused before.
    pub(super) body: &'a [u8],
    /// How many samples the answer may still hold.
    pub(super) samples_left: SamplesLeft,
}

impl Request<'_> {
    /// A variable part of the path. A route that has none of this name makes the handler wrong, not the request.
    pub(super) fn part(&self, name: &str) -> &str {
        match self.path.iter().find(|(known, _)| known == name) {
            Some((_, value)) => value,
            None => {
                impossible!("a route without the part {name} of its path");
                ""
            }
        }
    }

    /// The part of the path, if the route has it.
    pub(super) fn has_part(&self, name: &str) -> bool {
        self.path.iter().any(|(known, _)| known == name)
    }

    /// Reads each plus sign of the path as a space, for a second look where nothing was found: KEDA, Datadog and an exporter for Prometheus
    /// write names in paths as if they stood in a query. Whether there was one; never where something may be changed.
    pub(super) fn take_plus_for_space(&mut self, parts: &Parts) -> bool {
        let path = parts.uri.path();
        let is_escaped = path.contains("%2B") || path.contains("%2b");
        if !matches!(parts.method, Method::GET | Method::HEAD) || !path.contains('+') || is_escaped {
            return false;
        }
        self.path.iter_mut().for_each(|(_, value)| *value = value.replace('+', " "));
        true
    }

    /// A parameter of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether a parameter of the query is `true`.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.parameter(name) == Some("true")
    }

    /// Who asks, with tags and permissions.
    ///
    /// # Errors
    /// 401 on a route that forgot to ask for credentials.
    pub(super) fn caller(&self) -> Result<&Caller, Refusal> {
        self.caller.as_ref().ok_or_else(super::caller::wrong_credentials)
    }

    /// The virtual host of the path.
    ///
    /// # Errors
    /// 404 when there is none, or when the caller may not see it.
    pub(super) fn vhost(&self) -> Result<Arc<Vhost>, Refusal> {
        self.vhost_or(Refusal::absent())
    }

    /// The virtual host of the path, for a request that changes something in it.
    ///
    /// # Errors
    /// 404 when there is none, or when the caller may not see it.
    pub(super) fn vhost_to_change(&self) -> Result<Arc<Vhost>, Refusal> {
        self.vhost_or(Refusal::not_found("vhost_not_found"))
    }

    fn vhost_or(&self, absent: Refusal) -> Result<Arc<Vhost>, Refusal> {
        let name = self.part("vhost");
        let vhost = self.api.broker.vhost(name).ok_or(absent)?;
        // RabbitMQ's answer, by which one can tell that it is there.
        if self.caller()?.enters(name) { Ok(vhost) } else { Err(Refusal::not_found("Not Found")) }
    }

    /// The virtual hosts that a list is about: the one of the path, or all that the caller may see.
    ///
    /// # Errors
    /// As for [`Request::vhost`].
    pub(super) fn vhosts(&self) -> Result<Vec<Arc<Vhost>>, Refusal> {
        if self.has_part("vhost") {
            return Ok(vec![self.vhost()?]);
        }
        let caller = self.caller()?;
        Ok(self.api.broker.vhosts().into_iter().filter(|vhost| caller.enters(&vhost.name)).collect())
    }

    /// The body as a JSON object; an empty one counts as `{}`, and so does `null`.
    ///
    /// # Errors
    /// 400 when it is something else.
    pub(super) fn object(&self) -> Result<Map<String, Value>, Refusal> {
        if self.body.is_empty() {
            return Ok(Map::new());
        }
        match serde_json::from_slice(self.body) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(Value::Null) => Ok(Map::new()),
            Ok(Value::String(_)) => Err(Refusal::bad_request(ENCODED_TWICE)),
            Ok(_) | Err(_) => Err(Refusal::bad_request("not_json")),
        }
    }
}
