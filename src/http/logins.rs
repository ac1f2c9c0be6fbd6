//! Logging in from a page, and how many tried to.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::json;

use super::answer::Answer;
use super::api::Api;
use super::caller::{Caller, CallerPlace, Needs, NoCaller, wrong_credentials};
use super::nodes;
use super::refusal::Refusal;
use super::request::Request;

/// The value of a field of a form.
fn field(form: &str, name: &str) -> Option<Vec<u8>> {
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).collect::<Vec<u8>>();
    let mut fields = form.split('&').filter_map(|pair| pair.split_once('='));
    fields.find(|(known, _)| decoded(known) == name.as_bytes()).map(|(_, value)| decoded(value))
}

/// Logs in with the fields of a form.
///
/// # Errors
/// 401 when they are not enough, or passwords are not taken.
pub(super) async fn from_form(api: &Api, form: &[u8], peer: CallerPlace) -> Result<Caller, NoCaller> {
    api.pages_login.check_basic().map_err(NoCaller::Refused)?;
    let (name, password) = fields(form).map_err(NoCaller::Refused)?;
    let caller = Caller::with_password(api, &name, &password, peer.ip()).await?;
    caller.require(Needs::Form).map_err(NoCaller::Refused)?;
    Ok(caller)
}

fn fields(form: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Refusal> {
    let form = std::str::from_utf8(form).map_err(|_unreadable| wrong_credentials())?;
    field(form, "username").zip(field(form, "password")).ok_or_else(wrong_credentials)
}

/// `POST /login`, with a form: what a page sends along with its next requests.
pub(super) fn log_in(request: &Request<'_>) -> Result<Answer, Refusal> {
    let (name, password) = fields(request.body)?;
    let caller = request.caller()?;
    let credentials = [&name[..], b":", &password].concat();
    Ok(Answer::json(&json!({
        "token": { "type": "basic", "value": STANDARD.encode(credentials) },
        "user": { "name": caller.name(), "tags": caller.tags() },
    })))
}

/// `GET /auth/attempts/{node}`.
pub(super) fn attempts(request: &Request<'_>) -> Result<Answer, Refusal> {
    nodes::check(request)?;
    let registry = &request.api.broker.node().registry;
    let of = |(protocol, counters): (&str, &crate::metrics::LoginCounters)| {
        let stats = counters.read();
        let all = stats.auth_attempts_succeeded + stats.auth_attempts_failed;
        (all > 0).then(|| {
            json!({
                "protocol": protocol,
                "auth_attempts": all,
                "auth_attempts_failed": stats.auth_attempts_failed,
                "auth_attempts_succeeded": stats.auth_attempts_succeeded,
            })
        })
    };
    let all = [("http", &registry.http_logins), ("amqp091", &registry.amqp_logins)];
    Ok(Answer::json(&all.into_iter().filter_map(of).collect::<Vec<_>>()))
}

/// `DELETE /auth/attempts/{node}`: from here on they are counted anew.
pub(super) fn forget_attempts(request: &Request<'_>) -> Result<Answer, Refusal> {
    nodes::check(request)?;
    let registry = &request.api.broker.node().registry;
    registry.http_logins.reset();
    registry.amqp_logins.reset();
    Ok(Answer::no_content())
}

/// `GET /auth/attempts/{node}/source`: by whom and from where is not counted, as in RabbitMQ unless it is told to.
pub(super) fn attempts_by_source(request: &Request<'_>) -> Result<Answer, Refusal> {
    nodes::check(request)?;
    Ok(Answer::json(&json!([])))
}

/// `DELETE /auth/attempts/{node}/source`.
pub(super) fn forget_sources(request: &Request<'_>) -> Result<Answer, Refusal> {
    nodes::check(request)?;
    Ok(Answer::no_content())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_form_are_decoded() {
        let form = "username=a%20b&password=c%2Bd+e&x";
        assert_eq!(field(form, "username").unwrap(), b"a b");
        assert_eq!(field(form, "password").unwrap(), b"c+d e");
        assert_eq!(field(form, "x"), None);
    }
}
