//! The environment: a variable a setting, and no variable that Kubernetes sets.

use std::collections::BTreeMap;

use super::given::{GivenSettings, Origin};
use super::setting::{PREFIX, Setting};
use super::settings::SETTINGS;
use crate::nearest::nearest;

/// Environment variables. What is no text is left out.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// That of this process.
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            // All settings are text, so what is none sets nothing.
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    /// A variable.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Adds a variable, unless it is there.
    pub(super) fn complete(&mut self, name: &str, value: &str) {
        self.0.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }

    /// The variables that begin with this, by name.
    pub(super) fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let begins = move |(name, _): &(&String, &String)| name.starts_with(prefix);
        self.0.iter().filter(begins).map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// Names a configuration file.
pub(super) const CONFIG_FILE: &str = "LEVERET_CONFIG_FILE";

/// Variables that are no settings: those of tests, and the name of the file.
const OTHERS: [&str; 5] = [CONFIG_FILE, "LEVERET_SEEDS", "LEVERET_KILLS", "LEVERET_BIN", "LEVERET_COMMIT"];
const OTHER_PREFIXES: [&str; 2] = ["LEVERET_TEST_", "LEVERET_BENCH_"];

/// Another name of a variable.
const SYNONYMS: [(&str, &str); 1] = [("LEVERET_LOG", "log_level")];

/// Whether Kubernetes sets this variable in every container beside a service with such a name: `LEVERET_PORT=tcp://...`.
pub(super) fn is_service_link(name: &str, value: &str) -> bool {
    let is_of_a_port = name.split("_PORT_").skip(1).any(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    // RabbitMQ has no variable of the name RABBITMQ_PORT; LEVERET_PORT is one, and a link by its value only.
    let ends = name.ends_with("_SERVICE_HOST") || name.ends_with("_SERVICE_PORT") || name == "RABBITMQ_PORT";
    is_of_a_port
        || ends
        || name.contains("_SERVICE_PORT_")
        || value.starts_with("tcp://")
        || value.starts_with("udp://")
}

/// Reads the variables of settings.
pub(super) fn read(environment: &Environment) -> GivenSettings {
    let mut read = GivenSettings::default();
    for (name, value) in environment.with_prefix(PREFIX) {
        let is_other = OTHERS.contains(&name) || OTHER_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        if is_other || is_service_link(name, value) {
            continue;
        }
        let origin = Origin::Variable(name.to_owned());
        let synonym = SYNONYMS.iter().find(|(other, _)| *other == name).map(|(_, setting)| *setting);
        let key = name.strip_prefix(PREFIX).unwrap_or(name).to_ascii_lowercase();
        match Setting::find(synonym.unwrap_or(&key)) {
            Some(setting) => read.given.push(setting.given(texts(setting, value), origin)),
            None => {
                let likely = nearest(&key, SETTINGS.iter().map(|setting| setting.name)).and_then(Setting::find);
                let likely = likely.map(|setting| format!("; did you mean {}?", setting.variable()));
                read.warn(origin, format!("is no setting and has no effect{}", likely.unwrap_or_default()));
            }
        }
    }
    read
}

/// Several values are separated by commas.
pub(super) fn texts(setting: &Setting, value: &str) -> Vec<String> {
    if setting.is_list {
        value.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
    } else {
        vec![value.to_owned()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_give_settings() {
        let environment = Environment::from([
            ("LEVERET_AMQP_LISTEN", "5673, :6400"),
            ("LEVERET_IN_MEMORY", "1"),
            ("LEVERET_LOG", "debug"),
            ("LEVERET_HTTP_PORT", "15673"),
            ("HOME", "/root"),
        ]);
        let read = read(&environment);
        let given: Vec<_> = read.given.iter().map(|given| (given.setting.name, given.texts.join("|"))).collect();
        let expected =
            [("amqp_listen", "5673|:6400"), ("http_listen", "15673"), ("in_memory", "1"), ("log_level", "debug")];
        assert_eq!(given, expected.map(|(name, text)| (name, text.to_owned())));
        assert_eq!(read.problems, []);
    }

    /// Kubernetes sets a variable of this name, too, but always to an address with a scheme.
    #[test]
    fn a_plain_port_is_no_link_of_kubernetes() {
        let read = read(&Environment::from([("LEVERET_PORT", "5679")]));
        let given: Vec<_> = read.given.iter().map(|given| (given.setting.name, given.texts.join("|"))).collect();
        assert_eq!(given, [("amqp_listen", "5679".to_owned())]);
    }

    #[test]
    fn an_unknown_variable_is_named_with_the_likely_one() {
        let read = read(&Environment::from([("LEVERET_AMQP_LISTENER", "5673"), ("LEVERET_COLOUR", "red")]));
        let told: Vec<_> = read.problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "LEVERET_AMQP_LISTENER: is no setting and has no effect; did you mean LEVERET_AMQP_LISTEN?",
                "LEVERET_COLOUR: is no setting and has no effect"
            ]
        );
    }

    #[test]
    fn what_kubernetes_sets_is_not_read() {
        let environment = Environment::from([
            ("LEVERET_PORT", "tcp://10.0.0.1:5672"),
            ("LEVERET_PORT_5672_TCP", "tcp://10.0.0.1:5672"),
            ("LEVERET_PORT_5672_TCP_ADDR", "10.0.0.1"),
            ("LEVERET_SERVICE_HOST", "10.0.0.1"),
            ("LEVERET_SERVICE_PORT", "5672"),
            ("LEVERET_SERVICE_PORT_AMQP", "5672"),
            ("LEVERET_AMQP_PORT", "tcp://10.0.0.1:5672"),
            ("LEVERET_HTTP_LISTEN", "tcp://10.0.0.1:5672"),
        ]);
        let read = read(&environment);
        assert!(read.given.is_empty() && read.problems.is_empty(), "{read:?}");
    }
}
