//! Where in a file something is wrong, and what to do about it.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use super::{DefinitionsError, DefinitionsFile};

/// Line and column, counted from 1, of what an error is about, as far as that can be told.
pub fn place_of(bytes: &[u8], error: &DefinitionsError) -> Option<(usize, usize)> {
    let is_of = |entry: &Value, key: &str, name: &str| entry.get(key).and_then(Value::as_str) == Some(name);
    match error {
        DefinitionsError::NotJson(reason) => {
            let (_, place) = reason.rsplit_once(" at line ")?;
            let (line, column) = place.split_once(" column ")?;
            Some((line.parse().ok()?, column.parse().ok()?))
        }
        DefinitionsError::NotAList(section) => {
            let file: BTreeMap<String, &RawValue> = serde_json::from_slice(bytes).ok()?;
            Some(place(bytes, file.get(*section)?))
        }
        DefinitionsError::Malformed { section, number, .. } => {
            let entry = entries(bytes, section)?.into_iter().nth(number.checked_sub(1)?)?;
            Some(place(bytes, entry))
        }
        DefinitionsError::NoSuchVhost(vhost) => find(bytes, |entry| is_of(entry, "vhost", vhost)),
        DefinitionsError::NoSuchUser(user) => find(bytes, |entry| is_of(entry, "user", user)),
        DefinitionsError::Missing { vhost, name, .. } => find(bytes, |entry| {
            let is_there = ["source", "destination", "exchange"].iter().any(|key| is_of(entry, key, name));
            is_there && (is_of(entry, "vhost", vhost) || entry.get("vhost").is_none())
        }),
        DefinitionsError::Invalid(_) => None,
    }
}

/// The lists whose entries name others.
const NAMING: [&str; 7] =
    ["permissions", "topic_permissions", "parameters", "policies", "queues", "exchanges", "bindings"];

fn entries<'a>(bytes: &'a [u8], section: &str) -> Option<Vec<&'a RawValue>> {
    let file: BTreeMap<String, &RawValue> = serde_json::from_slice(bytes).ok()?;
    serde_json::from_str(file.get(section)?.get()).ok()
}

fn find(bytes: &[u8], is_it: impl Fn(&Value) -> bool) -> Option<(usize, usize)> {
    let all = NAMING.iter().filter_map(|section| entries(bytes, section)).flatten();
    let parsed = all.filter_map(|raw| Some((raw, serde_json::from_str(raw.get()).ok()?)));
    let (found, _) = parsed.into_iter().find(|(_, entry)| is_it(entry))?;
    Some(place(bytes, found))
}

/// A part of the file is a part of its memory.
fn place(bytes: &[u8], part: &RawValue) -> (usize, usize) {
    let offset = part.get().as_ptr().addr().saturating_sub(bytes.as_ptr().addr());
    let before = bytes.get(..offset).unwrap_or(bytes);
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let lines = before.iter().filter(|byte| **byte == b'\n').count();
    (lines + 1, offset - line_start + 1)
}

impl DefinitionsError {
    /// What is wrong and what to do, for whoever wrote the file.
    pub fn explained(&self) -> String {
        match self {
            Self::NotJson(reason) => {
                let reason = reason.rsplit_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason);
                format!("this is not JSON: {reason}; mend it, or export the definitions again")
            }
            Self::NotAList(section) => format!("'{section}' is not a list; write [...], or leave it out"),
            Self::Malformed { section, number, reason } => {
                format!("entry {number} of '{section}' cannot be read: {reason}")
            }
            Self::NoSuchVhost(vhost) => format!(
                "virtual host '{vhost}' is not there; add {{\"name\": {}}} to 'vhosts'",
                Value::from(vhost.as_str())
            ),
            Self::NoSuchUser(user) => {
                format!("user '{user}' is not there; add it to 'users', or leave its permissions out")
            }
            Self::Missing { vhost, kind, name } => {
                format!(
                    "{kind} '{name}' is not in virtual host '{vhost}'; add it to '{kind}s', or leave out what names it"
                )
            }
            Self::Invalid(text) => text.trim().replace('\n', " "),
        }
    }
}

impl DefinitionsFile {
    /// The virtual hosts that it brings.
    pub(crate) fn vhosts(&self) -> impl Iterator<Item = &str> {
        self.vhosts.iter().map(|entry| entry.name.as_str())
    }

    /// Whether it brings this user.
    pub(crate) fn has_user(&self, name: &str) -> bool {
        self.users.iter().any(|user| user.name == name)
    }

    /// Whether something in it belongs to this virtual host.
    pub(crate) fn names_vhost(&self, name: &str) -> bool {
        let permissions = self.permissions.iter().map(|entry| &entry.vhost);
        let topics = self.topic_permissions.iter().map(|entry| &entry.vhost);
        let parameters = self.parameters.iter().map(|entry| &entry.vhost);
        let policies = self.policies.iter().map(|entry| &entry.vhost);
        let queues = self.queues.iter().map(|entry| &entry.vhost);
        let exchanges = self.exchanges.iter().map(|entry| &entry.vhost);
        let bindings = self.bindings.iter().map(|entry| &entry.vhost);
        let administered = permissions.chain(topics).chain(parameters).chain(policies);
        administered.chain(queues).chain(exchanges).chain(bindings).any(|vhost| vhost == name)
    }

    /// How much is in it, for people.
    pub(crate) fn counted(&self) -> String {
        let counts = [
            (self.vhosts.len(), "virtual host"),
            (self.users.len(), "user"),
            (self.policies.len(), "policies"),
            (self.queues.len(), "queue"),
            (self.exchanges.len(), "exchange"),
            (self.bindings.len(), "binding"),
        ];
        let plural = |(count, name): &(usize, &str)| match (count, *name) {
            (1, "policies") => "1 policy".to_owned(),
            (count, "policies") => format!("{count} policies"),
            (1, name) => format!("1 {name}"),
            (count, name) => format!("{count} {name}s"),
        };
        counts.iter().map(plural).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_found_in_the_file() {
        let text = "{\n \"queues\": [],\n \"permissions\": [\n  {\"user\": \"a\", \"vhost\": \"/\"},\n  {\"user\": \"nobody\", \"vhost\": \"v\"}]}";
        let at = |error| place_of(text.as_bytes(), &error);
        assert_eq!(at(DefinitionsError::NoSuchUser("nobody".to_owned())), Some((5, 3)));
        assert_eq!(at(DefinitionsError::NoSuchVhost("v".to_owned())), Some((5, 3)));
        let malformed =
            DefinitionsError::Malformed { section: "permissions", number: 1, reason: "missing field".to_owned() };
        assert_eq!(at(malformed), Some((4, 3)));
        let broken = DefinitionsFile::read(b"{\n  \"users\": [,]\n}").unwrap_err();
        assert_eq!(place_of(b"", &broken), Some((2, 13)));
        assert!(broken.explained().starts_with("this is not JSON: expected value; "), "{}", broken.explained());
        assert_eq!(at(DefinitionsError::Invalid(String::new())), None);
    }
}
