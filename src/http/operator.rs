//! `/leveret/log/rotate` and `/leveret/settings/{name}`: what an operator changes while the broker runs.

use std::fmt;

use serde_json::Value;

use super::answer::Answer;
use super::refusal::Refusal;
use super::request::Request;

/// What can be changed of a broker while it runs. The server knows how.
pub(crate) trait Operator: fmt::Debug + Send + Sync {
    /// Rotates the files of the log, or opens them again where somebody else rotates them.
    fn rotate_logs(&self);

    /// Gives a setting this value until the next start or hang-up.
    ///
    /// # Errors
    /// A sentence, when there is no such setting, it is taken over at a start only, or it cannot be that.
    fn set(&self, name: &str, value: &str) -> Result<(), String>;

    /// What holds now, as a file of settings.
    fn configuration(&self) -> String;

    /// Where the log goes.
    fn log_places(&self) -> Vec<String>;
}

/// `POST /leveret/log/rotate`.
pub(super) fn rotate_logs(request: &Request<'_>) -> Result<Answer, Refusal> {
    request.api.operator.rotate_logs();
    tracing::info!(user = request.caller()?.name(), "rotate_logs: the files of the log are rotated or opened again");
    Ok(Answer::no_content())
}

/// `PUT /leveret/settings/{name}`.
pub(super) fn set(request: &Request<'_>) -> Result<Answer, Refusal> {
    let object = request.object()?;
    let name = request.part("name");
    let value = match object.get("value") {
        Some(Value::String(text)) => text.clone(),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
        _ => return Err(Refusal::bad_request("there is no value: give a text, a number or a truth value")),
    };
    request.api.operator.set(name, &value).map_err(Refusal::bad_request)?;
    tracing::info!(
        user = request.caller()?.name(),
        setting = name,
        value,
        "a setting was changed until the next start"
    );
    Ok(Answer::no_content())
}
