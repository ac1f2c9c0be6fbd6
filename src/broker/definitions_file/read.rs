//! A definitions file is read as a whole before anything is done with it.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::DefinitionsError;
use super::entries::{BindingEntry, ExchangeEntry, QueueEntry, UserEntry, VhostEntry};
use super::placeholders;
use crate::broker::administration::DEFAULT_VHOST;
use crate::broker::definitions::{
    GlobalParameterDefinition, ParameterDefinition, PermissionDefinition, PolicyDefinition, TopicPermissionDefinition,
};

/// What a file says.
#[derive(Debug)]
pub struct DefinitionsFile {
    pub(super) vhosts: Vec<VhostEntry>,
    pub(super) users: Vec<UserEntry>,
    pub(super) permissions: Vec<PermissionDefinition>,
    pub(super) topic_permissions: Vec<TopicPermissionDefinition>,
    pub(super) parameters: Vec<ParameterDefinition>,
    pub(super) global_parameters: Vec<GlobalParameterDefinition>,
    pub(super) policies: Vec<PolicyDefinition>,
    pub(super) queues: Vec<QueueEntry>,
    pub(super) exchanges: Vec<ExchangeEntry>,
    pub(super) bindings: Vec<BindingEntry>,
    /// Texts that somebody may expect something else in place of.
    pub(super) placeholders: Vec<String>,
}

/// Where the things of a file belong.
#[derive(Clone, Copy, Debug)]
enum Place<'a> {
    /// Where they say; those that say nothing to `/`.
    AsSaid,
    /// All to this virtual host, whatever they say.
    In(&'a str),
}

impl DefinitionsFile {
    /// Reads a file of a whole broker. What names no virtual host belongs to `/`.
    ///
    /// # Errors
    /// When it cannot be understood.
    pub fn read(bytes: &[u8]) -> Result<Self, DefinitionsError> {
        let mut file = parse(bytes)?;
        let placeholders = placeholders::of(&file);
        let (vhosts, global_parameters) =
            (entries(&mut file, "vhosts", None)?, entries(&mut file, "global_parameters", None)?);
        let place = Some(Place::AsSaid);
        Ok(Self {
            vhosts,
            users: users(&mut file)?,
            permissions: entries(&mut file, "permissions", place)?,
            topic_permissions: entries(&mut file, "topic_permissions", place)?,
            global_parameters,
            placeholders,
            ..Self::read_vhost(&mut file, Place::AsSaid)?
        })
    }

    /// Reads a file of one virtual host, for this one. Users and what else is not in a virtual host is passed over.
    ///
    /// # Errors
    /// When it cannot be understood.
    pub fn read_into(bytes: &[u8], vhost: &str) -> Result<Self, DefinitionsError> {
        let mut file = parse(bytes)?;
        let placeholders = placeholders::of(&file);
        Ok(Self { placeholders, ..Self::read_vhost(&mut file, Place::In(vhost))? })
    }

    fn read_vhost(file: &mut Map<String, Value>, place: Place<'_>) -> Result<Self, DefinitionsError> {
        let mut policies: Vec<PolicyDefinition> = entries(file, "policies", Some(place))?;
        // Those of operators are parameters in a file.
        policies.iter_mut().for_each(|policy| policy.is_operator = false);
        Ok(Self {
            vhosts: Vec::new(),
            users: Vec::new(),
            permissions: Vec::new(),
            topic_permissions: Vec::new(),
            global_parameters: Vec::new(),
            parameters: entries(file, "parameters", Some(place))?,
            policies,
            queues: entries(file, "queues", Some(place))?,
            exchanges: entries(file, "exchanges", Some(place))?,
            bindings: entries(file, "bindings", Some(place))?,
            placeholders: Vec::new(),
        })
    }
}

fn parse(bytes: &[u8]) -> Result<Map<String, Value>, DefinitionsError> {
    serde_json::from_slice(bytes).map_err(|error| DefinitionsError::NotJson(error.to_string()))
}

fn entries<T: DeserializeOwned>(
    file: &mut Map<String, Value>,
    section: &'static str,
    place: Option<Place<'_>>,
) -> Result<Vec<T>, DefinitionsError> {
    let list = match file.remove(section) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(DefinitionsError::NotAList(section)),
    };
    let read = |(number, mut entry): (usize, Value)| {
        prepare(&mut entry, place);
        serde_json::from_value(entry).map_err(|error| malformed(section, number, error.to_string()))
    };
    (1..).zip(list).map(read).collect()
}

fn malformed(section: &'static str, number: usize, reason: String) -> DefinitionsError {
    DefinitionsError::Malformed { section, number, reason }
}

/// Puts an entry to its place. A key that is null is taken as absent, unless it is the value of a parameter.
fn prepare(entry: &mut Value, place: Option<Place<'_>>) {
    let Value::Object(fields) = entry else { return };
    fields.retain(|key, value| key == "value" || !value.is_null());
    match place {
        None => {}
        Some(Place::AsSaid) => {
            fields.entry("vhost").or_insert_with(|| DEFAULT_VHOST.into());
        }
        Some(Place::In(vhost)) => {
            fields.insert("vhost".to_owned(), vhost.into());
        }
    }
}

fn users(file: &mut Map<String, Value>) -> Result<Vec<UserEntry>, DefinitionsError> {
    let users: Vec<UserEntry> = entries(file, "users", None)?;
    for (number, entry) in (1..).zip(&users) {
        entry.check().map_err(|reason| malformed("users", number, reason))?;
    }
    Ok(users)
}
