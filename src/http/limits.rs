//! `/vhost-limits` and `/user-limits`.

use serde_json::{Value, json};

use super::answer::Answer;
use super::refusal::Refusal;
use super::request::Request;
use super::{body, users};

/// `GET /vhost-limits`, `/vhost-limits/{vhost}`.
pub(super) fn of_vhosts(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhosts = request.vhosts()?;
    let mut limits = request.api.broker.vhost_limits();
    limits.retain(|(name, _)| vhosts.iter().any(|vhost| *vhost.name == **name));
    let shown: Vec<_> = limits.iter().map(|(vhost, value)| json!({ "vhost": vhost, "value": value })).collect();
    Ok(Answer::json(&shown))
}

/// The value of a limit.
fn value(request: &Request<'_>) -> Result<Value, Refusal> {
    let mut object = request.object()?;
    body::require(&object, &["value"])?;
    Ok(object.remove("value").unwrap_or_default())
}

/// `PUT /vhost-limits/{vhost}/{limit}`.
pub(super) fn put_vhost(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost_to_change()?;
    request.api.broker.put_vhost_limit(&vhost.name, request.part("limit"), &value(request)?)?;
    Ok(Answer::no_content().once_durable(request.api.broker.administered_at()))
}

/// `DELETE /vhost-limits/{vhost}/{limit}`.
pub(super) fn delete_vhost(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost_to_change()?;
    request.api.broker.delete_vhost_limit(&vhost.name, request.part("limit"))?;
    Ok(Answer::no_content().once_durable(request.api.broker.administered_at()))
}

/// `GET /user-limits`, `/user-limits/{user}`.
pub(super) fn of_users(request: &Request<'_>) -> Result<Answer, Refusal> {
    let mut limits = request.api.broker.user_limits();
    if request.has_part("user") {
        request.caller()?.sees_user(request.part("user"))?;
        let user = users::find(request)?;
        limits.retain(|(name, _)| **name == *user.name);
    }
    let shown: Vec<_> = limits.iter().map(|(user, value)| json!({ "user": user, "value": value })).collect();
    Ok(Answer::json(&shown))
}

/// The name of a user that is there.
fn user<'a>(request: &'a Request<'_>) -> Result<&'a str, Refusal> {
    match users::find(request) {
        Ok(_) => Ok(request.part("user")),
        // RabbitMQ's word for it.
        Err(_) => Err(Refusal::not_found("vhost_not_found")),
    }
}

/// `PUT /user-limits/{user}/{limit}`.
pub(super) fn put_user(request: &Request<'_>) -> Result<Answer, Refusal> {
    request.api.broker.put_user_limit(user(request)?, request.part("limit"), &value(request)?)?;
    Ok(Answer::no_content().once_durable(request.api.broker.administered_at()))
}

/// `DELETE /user-limits/{user}/{limit}`.
pub(super) fn delete_user(request: &Request<'_>) -> Result<Answer, Refusal> {
    request.api.broker.delete_user_limit(user(request)?, request.part("limit"))?;
    Ok(Answer::no_content().once_durable(request.api.broker.administered_at()))
}
