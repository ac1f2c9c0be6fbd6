//! `/permissions` and `/topic-permissions`.

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::listing::{self, Listed};
use super::refusal::{Refusal, VHOST_MAX};
use super::request::Request;
use super::{body, users};
use crate::broker::administration::{AdministrationError, Put};
use crate::broker::definitions::{PermissionDefinition, TopicPermissionDefinition};

impl Listed for PermissionDefinition {
    fn name(&self) -> &str {
        &self.user
    }

    fn vhost(&self) -> &str {
        &self.vhost
    }
}

impl Listed for TopicPermissionDefinition {
    fn name(&self) -> &str {
        &self.user
    }

    fn vhost(&self) -> &str {
        &self.vhost
    }
}

/// `GET /permissions`.
pub(super) fn list(request: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(listing::array(request, request.api.broker.permissions()))
}

/// `GET /users/{user}/permissions`.
pub(super) fn of_user(request: &Request<'_>) -> Result<Answer, Refusal> {
    let user = users::find(request)?;
    let mut permissions = request.api.broker.permissions();
    permissions.retain(|permission| permission.user == *user.name);
    Ok(listing::array(request, permissions))
}

/// `GET /vhosts/{vhost}/permissions`.
pub(super) fn of_vhost(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost()?;
    let mut permissions = request.api.broker.permissions();
    permissions.retain(|permission| permission.vhost == *vhost.name);
    Ok(listing::array(request, permissions))
}

/// `GET /permissions/{vhost}/{user}`.
pub(super) fn get(request: &Request<'_>) -> Result<Answer, Refusal> {
    let found = request.api.broker.permission(request.part("user"), request.part("vhost"));
    Ok(listing::one(request, &found.ok_or_else(Refusal::absent)?))
}

/// Both ends of a permission must be there before anything else is looked at.
fn check_ends(request: &Request<'_>) -> Result<(), Refusal> {
    let broker = &request.api.broker;
    if broker.vhost(request.part("vhost")).is_none() || broker.user(request.part("user")).is_none() {
        return Err(AdministrationError::NoSuchVhostOrUser.into());
    }
    Ok(())
}

/// The text of an expression.
fn expression(object: &Map<String, Value>, key: &str) -> Result<String, Refusal> {
    Ok(body::text(object, key)?.unwrap_or_default().to_owned())
}

/// `PUT /permissions/{vhost}/{user}`.
pub(super) fn put(request: &Request<'_>) -> Result<Answer, Refusal> {
    check_ends(request)?;
    let object = request.object()?;
    body::require(&object, &["configure", "write", "read"])?;
    let put = request.api.broker.put_permission(PermissionDefinition {
        user: request.part("user").to_owned(),
        vhost: request.part("vhost").to_owned(),
        configure: expression(&object, "configure")?,
        write: expression(&object, "write")?,
        read: expression(&object, "read")?,
    })?;
    Ok(Answer::put(put == Put::Created).once_durable(request.api.broker.administered_at()))
}

/// `DELETE /permissions/{vhost}/{user}`.
pub(super) fn delete(request: &Request<'_>) -> Result<Answer, Refusal> {
    request.api.broker.delete_permission(request.part("user"), request.part("vhost"))?;
    Ok(Answer::no_content().once_durable(request.api.broker.administered_at()))
}

/// `GET /topic-permissions`.
pub(super) fn topic_list(request: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(listing::array(request, request.api.broker.topic_permissions()))
}

/// `GET /users/{user}/topic-permissions`.
pub(super) fn topic_of_user(request: &Request<'_>) -> Result<Answer, Refusal> {
    let user = users::find(request)?;
    let mut permissions = request.api.broker.topic_permissions();
    permissions.retain(|permission| permission.user == *user.name);
    Ok(listing::array(request, permissions))
}

/// `GET /vhosts/{vhost}/topic-permissions`.
pub(super) fn topic_of_vhost(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost()?;
    let mut permissions = request.api.broker.topic_permissions();
    permissions.retain(|permission| permission.vhost == *vhost.name);
    Ok(listing::array(request, permissions))
}

/// `GET /topic-permissions/{vhost}/{user}`, and with the exchange.
pub(super) fn topic_get(request: &Request<'_>) -> Result<Answer, Refusal> {
    let exchange = request.has_part("exchange").then(|| request.part("exchange"));
    let mut permissions = request.api.broker.topic_permissions();
    permissions.retain(|permission| {
        permission.user == request.part("user")
            && permission.vhost == request.part("vhost")
            && exchange.is_none_or(|exchange| permission.exchange == exchange)
    });
    if permissions.is_empty() { Err(Refusal::absent()) } else { Ok(listing::array(request, permissions)) }
}

/// `PUT /topic-permissions/{vhost}/{user}`.
pub(super) fn topic_put(request: &Request<'_>) -> Result<Answer, Refusal> {
    check_ends(request)?;
    let object = request.object()?;
    body::require(&object, &["exchange", "write", "read"])?;
    let put = request.api.broker.put_topic_permission(TopicPermissionDefinition {
        user: request.part("user").to_owned(),
        vhost: request.part("vhost").to_owned(),
        exchange: expression(&object, "exchange")?,
        write: expression(&object, "write")?,
        read: expression(&object, "read")?,
    })?;
    Ok(Answer::put(put == Put::Created).once_durable(request.api.broker.administered_at()))
}

/// `DELETE /topic-permissions/{vhost}/{user}`, and with the exchange.
pub(super) fn topic_delete(request: &Request<'_>) -> Result<Answer, Refusal> {
    let exchange = request.has_part("exchange").then(|| request.part("exchange"));
    request.api.broker.delete_topic_permissions(request.part("user"), request.part("vhost"), exchange)?;
    Ok(Answer::no_content().once_durable(request.api.broker.administered_at()))
}

/// What an administrator's change is refused with.
impl From<AdministrationError> for Refusal {
    fn from(error: AdministrationError) -> Self {
        match error {
            AdministrationError::NotFound => Self::absent(),
            AdministrationError::NoSuchVhost => Self::not_found(error.to_string()),
            AdministrationError::NoSuchExchange(name) => Self::bad_request(json!(["no_such_exchange", name])),
            AdministrationError::Protected(_) => Self::new(412, "precondition_failed", error.to_string()),
            AdministrationError::TooManyVhosts(..) => {
                Self { refused_by: Some(VHOST_MAX), ..Self::bad_request(error.to_string()) }
            }
            AdministrationError::NoSuchVhostOrUser
            | AdministrationError::InvalidPattern(_)
            | AdministrationError::Invalid(_)
            | AdministrationError::InvalidLimit(_)
            | AdministrationError::NoRandomness(_) => Self::bad_request(error.to_string()),
        }
    }
}
