//! `/parameters` and `/global-parameters`. They are kept and given back; limits of virtual hosts are parameters, too.

use serde_json::{Map, Value};

use super::answer::Answer;
use super::listing::{self, Listed};
use super::refusal::Refusal;
use super::request::Request;
use super::{body, cluster};
use crate::broker::administration::Put;
use crate::broker::definitions::{GlobalParameterDefinition, ParameterDefinition};

impl Listed for ParameterDefinition {
    fn name(&self) -> &str {
        &self.name
    }

    fn vhost(&self) -> &str {
        &self.vhost
    }
}

impl Listed for GlobalParameterDefinition {
    fn name(&self) -> &str {
        &self.name
    }
}

/// The virtual host of the path, which must be there for a change.
fn vhost_to_change(request: &Request<'_>) -> Result<String, Refusal> {
    Ok(request.vhost_to_change()?.name.to_string())
}

/// `GET /parameters`, `/parameters/{component}`, `/parameters/{component}/{vhost}`.
pub(super) fn list(request: &Request<'_>) -> Result<Answer, Refusal> {
    if request.has_part("vhost") {
        request.vhost()?;
    }
    let caller = request.caller()?;
    let is_asked = |part: &str, value: &str| !request.has_part(part) || request.part(part) == value;
    let mut parameters = request.api.broker.parameters();
    parameters.retain(|parameter| {
        is_asked("component", &parameter.component)
            && is_asked("vhost", &parameter.vhost)
            && caller.enters(&parameter.vhost)
    });
    Ok(listing::array(request, parameters))
}

/// `GET /parameters/{component}/{vhost}/{name}`.
pub(super) fn get(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost()?;
    let (component, name) = (request.part("component"), request.part("name"));
    let is_it = |parameter: &ParameterDefinition| {
        parameter.component == component && parameter.vhost == *vhost.name && parameter.name == name
    };
    let found = request.api.broker.parameters().into_iter().find(is_it).ok_or_else(Refusal::absent)?;
    Ok(listing::one(request, &found))
}

/// The key `value` of the body.
fn value(request: &Request<'_>) -> Result<Value, Refusal> {
    let mut object: Map<String, Value> = request.object()?;
    body::require(&object, &["value"])?;
    Ok(object.remove("value").unwrap_or_default())
}

/// `PUT /parameters/{component}/{vhost}/{name}`.
pub(super) fn put(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = vhost_to_change(request)?;
    let value = value(request)?;
    let (component, name) = (request.part("component").to_owned(), request.part("name").to_owned());
    if component == "policy" {
        return Err(Refusal::bad_request("policies may not be set using this method"));
    }
    let parameter = ParameterDefinition { vhost, component, name, value };
    let put = request.api.broker.put_any_parameter(parameter, request.api.clock.now_ms())?;
    Ok(Answer::put(put == Put::Created).once_durable(request.api.broker.administered_at()))
}

/// `DELETE /parameters/{component}/{vhost}/{name}`.
pub(super) fn delete(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = vhost_to_change(request)?;
    let (component, name, now_ms) = (request.part("component"), request.part("name"), request.api.clock.now_ms());
    request.api.broker.delete_any_parameter(&vhost, component, name, now_ms)?;
    Ok(Answer::no_content().once_durable(request.api.broker.administered_at()))
}

/// `GET /global-parameters`.
pub(super) fn global_list(request: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(listing::array(request, cluster::global_parameters(request.api)))
}

/// `GET /global-parameters/{name}`.
pub(super) fn global_get(request: &Request<'_>) -> Result<Answer, Refusal> {
    let mut all = cluster::global_parameters(request.api).into_iter();
    let found = all.find(|parameter| parameter.name == request.part("name")).ok_or_else(Refusal::absent)?;
    Ok(listing::one(request, &found))
}

/// `PUT /global-parameters/{name}`.
pub(super) fn global_put(request: &Request<'_>) -> Result<Answer, Refusal> {
    let parameter = GlobalParameterDefinition { name: request.part("name").to_owned(), value: value(request)? };
    let put = request.api.broker.put_global_parameter(parameter)?;
    Ok(Answer::put(put == Put::Created).once_durable(request.api.broker.administered_at()))
}

/// `DELETE /global-parameters/{name}`.
pub(super) fn global_delete(request: &Request<'_>) -> Result<Answer, Refusal> {
    request.api.broker.delete_global_parameter(request.part("name"))?;
    Ok(Answer::no_content().once_durable(request.api.broker.administered_at()))
}
