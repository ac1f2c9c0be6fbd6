//! `/leveret/alerts`: what an operator should look at.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::given;
use crate::broker::alerts::{Alert, AlertObject, HISTORY_MAX, RULES};
use crate::http::answer::Answer;
use crate::http::refusal::Refusal;
use crate::http::request::Request;

const HISTORY_DEFAULT: usize = 100;

#[derive(Debug, Serialize)]
struct AlertJson<'a> {
    id: u64,
    rule: &'static str,
    severity: &'static str,
    vhost: Option<&'a Arc<str>>,
    object: Option<Value>,
    raised_at: u64,
    cleared_at: Option<u64>,
    value: u64,
    threshold: u64,
    text: &'a str,
    next_step: &'static str,
}

impl<'a> From<&'a Alert> for AlertJson<'a> {
    fn from(alert: &'a Alert) -> Self {
        Self {
            id: alert.id,
            rule: alert.rule,
            severity: alert.severity.name(),
            vhost: alert.object.vhost(),
            object: match &alert.object {
                AlertObject::Node => None,
                AlertObject::Vhost(name) => Some(json!({ "type": "vhost", "name": name })),
                AlertObject::Queue(_, name) => Some(json!({ "type": "queue", "name": name })),
            },
            raised_at: alert.raised_at_ms,
            cleared_at: alert.cleared_at_ms,
            value: alert.value,
            threshold: alert.threshold,
            text: &alert.text,
            next_step: alert.next_step,
        }
    }
}

/// An alert as the API shows it.
pub(crate) fn shown(alert: &Alert) -> Value {
    // Its keys are texts, so it can be written.
    serde_json::to_value(AlertJson::from(alert)).unwrap_or_default()
}

/// `GET /leveret/alerts`.
pub(in crate::http) fn list(request: &Request<'_>) -> Result<Answer, Refusal> {
    let history = given::count(request, "history", HISTORY_DEFAULT, 0..=HISTORY_MAX)?;
    let vhost = request.parameter("vhost");
    let list = request.api.broker.node().alerts.list();
    let is_wanted = |alert: &&Alert| vhost.is_none_or(|vhost| alert.object.vhost().is_some_and(|of| **of == *vhost));
    let active: Vec<AlertJson<'_>> = list.active.iter().filter(is_wanted).map(AlertJson::from).collect();
    let history: Vec<AlertJson<'_>> =
        list.history.iter().filter(is_wanted).take(history).map(AlertJson::from).collect();
    let rules: Vec<_> = RULES
        .iter()
        .map(|rule| {
            json!({
                "name": rule.name,
                "severity": rule.severity.name(),
                "raise": rule.raise,
                "clear": rule.clear,
                "policy_key": rule.policy_key,
                "unit": rule.unit,
                "description": rule.description,
            })
        })
        .collect();
    Ok(Answer::json(&json!({
        "looked_at": list.looked_at_ms,
        "active": active,
        "history": history,
        "rules": rules,
    })))
}
