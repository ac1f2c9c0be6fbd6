//! Settings in the words of Erlang's command line: `-rabbit consumer_timeout 60000 +S 1:1`.

use super::meaning::Meaning::{self, Missing, Needless, Sets};
use super::meaning::{listen, relative_or_absolute, same};
use crate::config::environment::texts;
use crate::config::given::{GivenSettings, Origin};
use crate::config::setting::Setting;

const OWN: &str = "is not needed: Leveret sees to it by itself";

/// What is understood, by application and key. What an operator sets in `advanced.config` or `rabbitmq.config` has the same names.
pub(super) const TERMS: &[(&str, &str, Meaning)] = &[
    ("rabbit", "consumer_timeout", Sets("consumer_timeout", same)),
    ("rabbit", "heartbeat", Sets("heartbeat", same)),
    ("rabbit", "default_user", Sets("default_user", same)),
    ("rabbit", "default_pass", Sets("default_pass", same)),
    ("rabbit", "loopback_users", Sets("loopback_users", same)),
    ("rabbit", "tcp_listeners", Sets("amqp_listen", listen)),
    ("rabbit", "ssl_listeners", Sets("amqps_listen", listen)),
    ("rabbit", "num_tcp_acceptors", Needless(OWN)),
    ("rabbit", "num_ssl_acceptors", Needless(OWN)),
    ("rabbit", "auth_backends", Sets("auth_backends", same)),
    ("rabbit", "default_user_tags", Sets("default_user_tags", same)),
    ("rabbit", "default_vhost", Sets("default_vhost", same)),
    ("rabbit", "vm_memory_high_watermark", Sets("memory_high_watermark", relative_or_absolute)),
    ("rabbit", "disk_free_limit", Sets("disk_free_limit", relative_or_absolute)),
    ("rabbit", "max_message_size", Sets("max_message_size", same)),
    ("rabbit", "load_definitions", Sets("definitions", same)),
    ("rabbitmq_management", "load_definitions", Sets("definitions", same)),
    ("rabbit", "hipe_compile", Needless("is not needed: it has no effect in RabbitMQ either")),
    ("rabbitmq_stream", "advertised_host", Missing("there is no stream protocol yet")),
    ("rabbitmq_stream", "advertised_port", Missing("there is no stream protocol yet")),
];

/// What a key of an application means.
pub(super) fn meaning(application: &str, key: &str) -> Option<Meaning> {
    TERMS.iter().find(|(of, name, _)| *of == application && *name == key).map(|(_, _, meaning)| *meaning)
}

/// Reads what the variable of this name holds.
pub(super) fn read(value: Option<&str>, name: &str, read: &mut GivenSettings) {
    let words = words(value.unwrap_or_default());
    let mut words = words.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        let origin = Origin::Variable(name.to_owned());
        let Some(application) = word.strip_prefix('-') else {
            // `+S` and the like are for the Erlang machine; their values are of no use either.
            continue;
        };
        let is_value = |word: &&str| !word.starts_with(['-', '+']);
        let (Some(key), Some(value)) = (words.next_if(is_value), words.next_if(is_value)) else { continue };
        let value = value.trim_matches('"');
        match meaning(application, key) {
            Some(Sets(setting, convert)) => {
                let Some(setting) = Setting::find(setting) else { continue };
                match convert(value) {
                    Ok(value) => read.given.push(setting.given(texts(setting, &value), origin)),
                    Err(reason) => read.refuse(origin, format!("{key} cannot be '{value}': {reason}")),
                }
            }
            Some(Needless(why)) => read.note(origin, format!("{key} {why}")),
            Some(Missing(what)) => read.warn(origin, format!("{key} has no effect: {what}")),
            None => read.warn(origin, format!("-{application} {key} is not understood and has no effect")),
        }
    }
}

/// Words as a shell separates them; quotation marks inside of a word stay.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut quoted_by = None;
    let mut word = String::new();
    for character in text.chars() {
        match quoted_by {
            Some(mark) if character == mark => quoted_by = None,
            None if matches!(character, '"' | '\'') => quoted_by = Some(character),
            None if character.is_whitespace() => words.push(std::mem::take(&mut word)),
            _ => word.push(character),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, given: &[(&str, &str)], told: &[&str]) {
        let mut found = GivenSettings::default();
        read(Some(text), "X", &mut found);
        let values: Vec<_> = found.given.iter().map(|given| (given.setting.name, given.texts.join("|"))).collect();
        let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(values, given, "{text}");
        assert_eq!(found.problems.iter().map(ToString::to_string).collect::<Vec<_>>(), told, "{text}");
    }

    #[test]
    fn settings_of_applications_are_understood_and_those_of_the_machine_ignored() {
        check("-rabbit consumer_timeout 60000 +S 1:1", &[("consumer_timeout", "60000")], &[]);
        check(
            "+S 1:1 +sbwt none -kernel inet_dist_listen_min 1",
            &[],
            &["X: -kernel inet_dist_listen_min is not understood and has no effect"],
        );
        check("-rabbitmq_management load_definitions '\"/etc/d.json\"'", &[("definitions", "/etc/d.json")], &[]);
        check(
            "-rabbitmq_stream advertised_host localhost",
            &[],
            &["X: advertised_host has no effect: there is no stream protocol yet"],
        );
        check("-rabbit", &[], &[]);
    }
}
