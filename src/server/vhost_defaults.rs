//! What the configuration gives to virtual hosts that are made, put together from its properties. As in RabbitMQ they count in the order of
//! their names.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::start_error::StartFailure;
use crate::auth::{HashingAlgorithm, NoRandomness, Pattern, User};
use crate::broker::administration::{AdministrationError, read_policy};
use crate::broker::definitions::{PolicyDefinition, VhostLimits};
use crate::broker::vhost_defaults::{ForVhosts, VhostDefaults};
use crate::config::{PropertyValue, Settings, VhostDefault};

/// The properties of one thing, by their keys.
type Properties<'a> = BTreeMap<&'static str, &'a PropertyValue>;

/// # Errors
/// When a policy makes no sense, or the system gives no random numbers to salt passwords with.
pub(super) fn vhost_defaults(configured: &Settings) -> Result<VhostDefaults, StartFailure> {
    let mut defaults = VhostDefaults::default();
    for (_, limits) in by_name(&configured.default_limits_vhosts) {
        defaults.limits.push(for_vhosts("pattern", &limits, limited(&limits))?);
    }
    for (name, policy) in by_name(&configured.default_policies_operator) {
        let read =
            operator_policy(name, &policy).map_err(|error| StartFailure::DefaultPolicy(name.to_owned(), error))?;
        defaults.operator_policies.push(for_vhosts("vhost_pattern", &policy, read)?);
    }
    for (name, user) in by_name(&configured.default_users) {
        let made = made_user(name, &user, configured.password_hashing).map_err(AdministrationError::from)?;
        let permission = ["configure", "write", "read"].map(|key| text(&user, key).unwrap_or(".*").to_owned());
        defaults.users.push(for_vhosts("vhost_pattern", &user, (made, permission))?);
    }
    Ok(defaults)
}

fn by_name<T>(properties: &[VhostDefault<T>]) -> BTreeMap<&str, Properties<'_>> {
    let mut things: BTreeMap<&str, Properties<'_>> = BTreeMap::new();
    for property in properties {
        things.entry(&property.name).or_default().insert(property.key, &property.value);
    }
    things
}

fn for_vhosts<T>(key: &str, properties: &Properties<'_>, given: T) -> Result<ForVhosts<T>, AdministrationError> {
    Ok(ForVhosts { vhosts: Pattern::new(text(properties, key).unwrap_or(".*"))?, given })
}

fn text<'a>(properties: &Properties<'a>, key: &str) -> Option<&'a str> {
    match properties.get(key) {
        Some(PropertyValue::Text(text)) => Some(text),
        Some(PropertyValue::Number(_)) | None => None,
    }
}

fn limited(properties: &Properties<'_>) -> VhostLimits {
    let number = |key| match properties.get(key) {
        Some(PropertyValue::Number(number)) => i64::try_from(*number).ok(),
        Some(PropertyValue::Text(_)) | None => None,
    };
    VhostLimits { max_connections: number("max_connections"), max_queues: number("max_queues") }
}

fn operator_policy(name: &str, properties: &Properties<'_>) -> Result<PolicyDefinition, AdministrationError> {
    let mut definition = Map::new();
    for (key, value) in properties {
        if let PropertyValue::Number(number) = value {
            let key = key.strip_prefix("classic_queues.").unwrap_or(key);
            definition.insert(key.replace('_', "-"), Value::from(*number));
        }
    }
    let mut fields = Map::new();
    fields.insert("definition".to_owned(), definition.into());
    fields.insert("pattern".to_owned(), text(properties, "queue_pattern").unwrap_or(".*").into());
    if let Some(apply_to) = text(properties, "apply_to") {
        fields.insert("apply-to".to_owned(), apply_to.into());
    }
    read_policy(("", name, true), &fields)
}

/// As in RabbitMQ, one without a password can only log in by other means.
fn made_user(name: &str, properties: &Properties<'_>, hashing: HashingAlgorithm) -> Result<User, NoRandomness> {
    let password = match text(properties, "password") {
        Some(password) => hashing.hash(password.as_bytes())?,
        None => hashing.no_password(),
    };
    let tags = text(properties, "tags").unwrap_or_default().split(',').map(str::trim);
    Ok(User::new(name, password, tags.filter(|tag| !tag.is_empty()).map(str::to_owned).collect()))
}
