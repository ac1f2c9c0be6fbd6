//! `/leveret/vhosts/{vhost}/reset`: a virtual host as new.

use serde_json::json;

use crate::http::answer::Answer;
use crate::http::refusal::Refusal;
use crate::http::request::Request;

/// `POST /leveret/vhosts/{vhost}/reset`.
pub(in crate::http) fn post(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost_to_change()?;
    let broker = std::sync::Arc::clone(&request.api.broker);
    Ok(Answer::after_work(move || {
        let reset = broker.reset_vhost(&vhost.name)?;
        let answer = json!({
            "connections": reset.connections,
            "queues": reset.queues,
            "messages": reset.messages,
            "exchanges": reset.exchanges,
            "policies": reset.policies,
            "parameters": reset.parameters,
        });
        Ok(Answer::json(&answer).once_durable(broker.administered_at().and(vhost.changed_at())))
    }))
}
