//! `/leveret/errors`: what closed channels and connections, and what to do about it.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::advice::{self, AdviceSubject, Difference};
use super::given;
use crate::broker::declarers::{Declarable, Declarer};
use crate::broker::recent_errors::{KEPT_MAX, RecentError};
use crate::error::MethodId;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::refusal::Refusal;
use crate::http::request::Request;
use crate::protocol::method;

const SHOWN_DEFAULT: usize = 100;

/// An error as the API shows it.
#[derive(Debug, Serialize)]
struct ErrorObject<'a> {
    id: u64,
    at: u64,
    closed: &'static str,
    user: Option<&'a str>,
    vhost: Option<&'a str>,
    peer: &'a str,
    connection: &'a str,
    connection_name: Option<&'a str>,
    channel: Option<u16>,
    client: Map<String, Value>,
    reply_code: u16,
    reply_text: String,
    method: Option<&'static str>,
    class_id: u16,
    method_id: u16,
    object: Option<AdviceSubject<'a>>,
    difference: Option<Difference<'a>>,
    declared_by: Option<Declaration>,
    advice: String,
}

/// Who declared what is there, as the API shows it.
#[derive(Debug, Serialize)]
struct Declaration {
    user: Arc<str>,
    connection: Option<String>,
    connection_name: Option<String>,
    at: u64,
}

/// Who declared what an error is about, before it: where the two differ. Who does not monitor sees no other user's.
fn declaration(request: &Request<'_>, caller: &Caller, kept: &RecentError) -> Option<Declaration> {
    advice::difference(&kept.error.explanation)?;
    let object = advice::object(&kept.error.explanation)?;
    let kind = if object.kind == "queue" { Declarable::Queue } else { Declarable::Exchange };
    let declarer = request.api.broker.node().declarers.of(kind, kept.source.vhost.as_deref()?, object.name)?;
    let may_see = caller.is_monitor() || *declarer.user == *caller.name();
    let Declarer { user, connection, connection_name, at_ms } = (*declarer).clone();
    (may_see && at_ms <= kept.at_ms).then_some(Declaration { user, connection, connection_name, at: at_ms })
}

impl<'a> ErrorObject<'a> {
    fn new(kept: &'a RecentError, declared_by: Option<Declaration>) -> Self {
        let RecentError { id, at_ms, source, error } = kept;
        let MethodId { class_id, method_id } = error.method.unwrap_or(MethodId::NONE);
        let client = source.client.iter().map(|(key, text)| ((*key).to_owned(), Value::from(text.as_str())));
        Self {
            id: *id,
            at: *at_ms,
            closed: if source.channel.is_some() { "channel" } else { "connection" },
            user: source.user.as_deref(),
            vhost: source.vhost.as_deref(),
            peer: &source.peer,
            connection: &source.connection,
            connection_name: source.connection_name.as_deref(),
            channel: source.channel,
            client: client.collect(),
            reply_code: error.code.code(),
            reply_text: error.reply_text(),
            method: error.method.and_then(method::name),
            class_id,
            method_id,
            object: advice::object(&error.explanation),
            difference: advice::difference(&error.explanation),
            declared_by,
            advice: advice::of(error),
        }
    }
}

/// `GET /leveret/errors`. Who does not monitor sees what happened to its own programs.
pub(in crate::http) fn list(request: &Request<'_>) -> Result<Answer, Refusal> {
    let limit = given::count(request, "limit", SHOWN_DEFAULT, 1..=KEPT_MAX)?;
    let after = given::number(request, "after", 0, 0..=u64::MAX)?;
    let (vhost, user) = (request.parameter("vhost"), request.parameter("user"));
    let caller = request.caller()?;
    let is_wanted = |kept: &RecentError| {
        let source = &kept.source;
        kept.id > after
            && vhost.is_none_or(|vhost| source.vhost.as_deref() == Some(vhost))
            && user.is_none_or(|user| source.user.as_deref() == Some(user))
            && (caller.is_monitor() || source.user.as_deref() == Some(caller.name()))
    };
    let (total, latest) = request.api.broker.node().recent_errors.latest();
    let shown = latest.iter().filter(|kept| is_wanted(kept)).take(limit);
    let items: Vec<_> = shown.map(|kept| ErrorObject::new(kept, declaration(request, caller, kept))).collect();
    Ok(Answer::json(&json!({ "total": total, "items": items })))
}
