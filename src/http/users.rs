//! `/users`: who may log in, made, changed and deleted.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::body;
use super::listing::{self, Listed};
use super::refusal::Refusal;
use super::request::Request;
use crate::auth::{HashingAlgorithm, PasswordHash, User, UserLimits, split_tags};
use crate::broker::administration::Put;

/// A user as the API shows it.
#[derive(Debug, Serialize)]
struct UserObject {
    name: Arc<str>,
    password_hash: String,
    hashing_algorithm: HashingAlgorithm,
    tags: Vec<String>,
    limits: UserLimits,
}

impl Listed for UserObject {
    fn name(&self) -> &str {
        &self.name
    }
}

fn object(user: &User) -> UserObject {
    UserObject {
        name: Arc::clone(&user.name),
        password_hash: user.password.to_base64(),
        hashing_algorithm: user.password.algorithm(),
        tags: user.tags.clone(),
        limits: user.limits,
    }
}

/// `GET /users`.
pub(super) fn list(request: &Request<'_>) -> Result<Answer, Refusal> {
    listing::paged(request, request.api.broker.users().iter().map(|user| object(user)).collect())
}

/// `GET /users/without-permissions`.
pub(super) fn without_permissions(request: &Request<'_>) -> Result<Answer, Refusal> {
    let permissions = request.api.broker.permissions();
    let mut users = request.api.broker.users();
    users.retain(|user| !permissions.iter().any(|permission| permission.user == *user.name));
    Ok(listing::array(request, users.iter().map(|user| object(user)).collect()))
}

/// The user of the path.
///
/// # Errors
/// 404 when there is none.
pub(super) fn find(request: &Request<'_>) -> Result<Arc<User>, Refusal> {
    request.api.broker.user(request.part("user")).ok_or_else(Refusal::absent)
}

/// `GET /users/{user}`.
pub(super) fn get(request: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(listing::one(request, &object(&*find(request)?)))
}

/// `PUT /users/{user}`.
pub(super) fn put(request: &Request<'_>) -> Result<Answer, Refusal> {
    let object = request.object()?;
    if !object.contains_key("tags") {
        return Err(Refusal::bad_request("tags_not_present"));
    }
    let tags = tags(&object, "tags")?;
    let password = password(&object, request.api.broker.hashing())?;
    let put = request.api.broker.put_user(request.part("user"), password, tags)?;
    Ok(Answer::put(put == Put::Created).once_durable(request.api.broker.administered_at()))
}

/// Tags as a list, or as a text with commas between them.
///
/// # Errors
/// 400 for anything else.
pub(super) fn tags(object: &Map<String, Value>, key: &str) -> Result<Vec<String>, Refusal> {
    let bad = |value: &Value| Refusal::bad_request(json!(["not_tags", value]));
    match object.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(split_tags(text)),
        Some(Value::Array(list)) => {
            list.iter().map(|tag| tag.as_str().map(str::to_owned).ok_or_else(|| bad(tag))).collect()
        }
        Some(other) => Err(bad(other)),
    }
}

/// What the user's password is compared with. With neither a password nor a hash nobody can log in with one.
fn password(object: &Map<String, Value>, usual: HashingAlgorithm) -> Result<PasswordHash, Refusal> {
    if let Some(password) = body::text(object, "password")? {
        if password.is_empty() {
            return Ok(usual.no_password());
        }
        return usual.hash(password.as_bytes()).map_err(|error| Refusal::bad_request(error.to_string()));
    }
    let Some(hash) = body::text(object, "password_hash")? else { return Ok(usual.no_password()) };
    // RabbitMQ takes any name, and then nobody can log in; here the usual one applies.
    let algorithm = body::text(object, "hashing_algorithm")?.and_then(HashingAlgorithm::from_name).unwrap_or(usual);
    PasswordHash::from_base64(hash, algorithm).ok_or_else(|| Refusal::bad_request(json!(["not_base64", hash])))
}

/// `DELETE /users/{user}`.
pub(super) fn delete(request: &Request<'_>) -> Result<Answer, Refusal> {
    request.api.broker.delete_user(request.part("user"))?;
    Ok(Answer::no_content().once_durable(request.api.broker.administered_at()))
}

/// `POST /users/bulk-delete`: names that are nobody's are fine.
pub(super) fn bulk_delete(request: &Request<'_>) -> Result<Answer, Refusal> {
    let object = request.object()?;
    body::require(&object, &["users"])?;
    let names = tags(&object, "users")?;
    for name in names {
        // Whoever is not there need not be deleted.
        request.api.broker.delete_user(&name).ok();
    }
    Ok(Answer::no_content().once_durable(request.api.broker.administered_at()))
}

/// `GET /users/{user}/queues`: the queues that belong to the user's connections.
pub(super) fn queues(request: &Request<'_>) -> Result<Answer, Refusal> {
    find(request)?;
    Ok(Answer::json(&json!([])))
}

/// `GET /auth/hash_password/{password}`.
pub(super) fn hash_password(request: &Request<'_>) -> Result<Answer, Refusal> {
    let hash = request.api.broker.hashing().hash(request.part("password").as_bytes());
    let hash = hash.map_err(|error| Refusal::bad_request(error.to_string()))?;
    Ok(Answer::json(&json!({ "ok": hash.to_base64() })))
}
