//! The keys that say together where to listen: port and address are one place, and `none` takes other keys' effect away.

use super::conf::ConfEntry;
use crate::config::given::GivenSettings;
use crate::config::setting::Setting;

/// What makes one place: keys of the port, keys of the address, RabbitMQ's port, and the setting.
type Place = (&'static [&'static str], &'static [&'static str], &'static str, &'static str);

const PLACES: [Place; 5] = [
    (&["management.tcp.port"], &["management.tcp.ip"], "15672", "http_listen"),
    (&["management.ssl.port"], &["management.ssl.ip"], "15671", "https_listen"),
    (&["prometheus.tcp.port"], &["prometheus.tcp.ip"], "15692", "prometheus_listen"),
    (&["prometheus.ssl.port"], &["prometheus.ssl.ip"], "15691", "prometheus_tls_listen"),
    LEGACY,
];
/// The form before `management.tcp` and `management.ssl` were there.
const LEGACY: Place = (&["management.listener.port"], &["management.listener.ip"], "15672", "http_listen");
const LEGACY_WITH_TLS: Place = (LEGACY.0, LEGACY.1, LEGACY.2, "https_listen");
const LEGACY_TLS: &str = "management.listener.ssl";

/// Takes the keys that belong together.
pub(super) fn take(entries: &mut Vec<ConfEntry>, read: &mut GivenSettings) {
    // First: it takes away entries that would be listeners otherwise.
    none(entries, "listeners.tcp", Some("no_amqp"), read);
    none(entries, "listeners.ssl", None, read);
    let has_tls = is_switched_on(entries, LEGACY_TLS, read);
    for usual in &PLACES {
        let (ports, addresses, port, setting) = if has_tls && usual.0 == LEGACY.0 { &LEGACY_WITH_TLS } else { usual };
        place(entries, (ports, addresses), (port, setting), read);
    }
}

/// `listeners.tcp = none` is stronger than `listeners.tcp.1 = 5672`, wherever it stands.
fn none(entries: &mut Vec<ConfEntry>, key: &str, setting: Option<&str>, read: &mut GivenSettings) {
    let Some(ConfEntry { value, origin, .. }) = remove(entries, &[key]) else { return };
    if value != "none" {
        read.refuse(origin, format!("{key} cannot be '{value}': allowed is none, or {key}.default = 5672"));
        return;
    }
    entries.retain(|entry| {
        let is_of_it = entry.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
        if is_of_it {
            read.note(entry.origin.clone(), format!("{} is not needed: {key} is none", entry.key));
        }
        !is_of_it
    });
    if let Some(setting) = setting.and_then(Setting::find) {
        read.given.push(setting.given(vec!["true".to_owned()], origin));
    }
}

fn is_switched_on(entries: &mut Vec<ConfEntry>, key: &str, read: &mut GivenSettings) -> bool {
    match remove(entries, &[key]) {
        Some(ConfEntry { value, .. }) if value == "true" => true,
        Some(ConfEntry { value, origin, .. }) if value != "false" => {
            read.refuse(origin, format!("{key} cannot be '{value}': allowed is true or false"));
            false
        }
        Some(_) | None => false,
    }
}

fn remove(entries: &mut Vec<ConfEntry>, keys: &[&str]) -> Option<ConfEntry> {
    let at = entries.iter().rposition(|entry| keys.contains(&entry.key.as_str()))?;
    Some(entries.remove(at))
}

fn place(
    entries: &mut Vec<ConfEntry>,
    (ports, addresses): (&[&str], &[&str]),
    (usual, name): (&str, &str),
    read: &mut GivenSettings,
) {
    let (port, address) = (remove(entries, ports), remove(entries, addresses));
    let number = port.as_ref().map_or(usual, |entry| entry.value.as_str());
    let text = listen(address.as_ref().map(|entry| entry.value.as_str()), number);
    let (Some(ConfEntry { key, origin, .. }), Some(setting)) = (port.or(address), Setting::find(name)) else { return };
    match (setting.check)(&text) {
        Ok(()) => read.given.push(setting.given(vec![text], origin)),
        Err(reason) => read.refuse(origin, format!("{key} makes it '{text}', which it cannot be: {reason}")),
    }
}

/// An address, which RabbitMQ writes without brackets, and a port as one place.
pub(super) fn listen(address: Option<&str>, port: &str) -> String {
    match address {
        None => format!(":{port}"),
        // Both families of addresses, as Erlang has it.
        Some("::") => format!(":{port}"),
        Some(address) if address.contains(':') => format!("[{address}]:{port}"),
        Some(address) => format!("{address}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::environment::Environment;
    use crate::config::rabbitmq::{conf, translated};

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)], told: &[&str]) {
        let mut read = GivenSettings::default();
        let entries = conf::entries(Path::new("r"), text, &Environment::default(), &mut read);
        translated::translate(entries, &mut read);
        let given: Vec<_> = read.given.iter().map(|given| (given.setting.name, given.texts.join("|"))).collect();
        let given: Vec<_> = given.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(given, expected, "{text}");
        assert_eq!(read.problems.iter().map(ToString::to_string).collect::<Vec<_>>(), told, "{text}");
    }

    #[test]
    fn port_and_address_are_one_place() {
        check("management.tcp.port = 8080\nmanagement.tcp.ip = 0.0.0.0", &[("http_listen", "0.0.0.0:8080")], &[]);
        check("management.tcp.ip = ::", &[("http_listen", ":15672")], &[]);
        check("management.ssl.ip = ::1", &[("https_listen", "[::1]:15671")], &[]);
        check("prometheus.tcp.ip = 127.0.0.1", &[("prometheus_listen", "127.0.0.1:15692")], &[]);
        check("prometheus.ssl.port = 9000", &[("prometheus_tls_listen", ":9000")], &[]);
    }

    #[test]
    fn the_old_form_has_a_switch_for_tls() {
        check("management.listener.port = 8080", &[("http_listen", ":8080")], &[]);
        let with_tls = "management.listener.ssl = true\nmanagement.listener.port = 15671";
        check(with_tls, &[("https_listen", ":15671")], &[]);
        let wrong = "r:1:1: management.listener.ssl cannot be 'maybe': allowed is true or false";
        check("management.listener.ssl = maybe", &[], &[wrong]);
    }

    #[test]
    fn none_is_stronger_than_any_number_of_listeners() {
        check("listeners.tcp = none", &[("no_amqp", "true")], &[]);
        let told = ["r:1:1: listeners.tcp.1 is not needed: listeners.tcp is none"];
        check("listeners.tcp.1 = 5672\nlisteners.tcp = none", &[("no_amqp", "true")], &told);
        let told = ["r:2:1: listeners.ssl.default is not needed: listeners.ssl is none"];
        check("listeners.ssl = none\nlisteners.ssl.default = 5671", &[], &told);
        let told = "r:1:1: listeners.tcp cannot be '5672': allowed is none, or listeners.tcp.default = 5672";
        check("listeners.tcp = 5672", &[], &[told]);
    }

    #[test]
    fn several_listeners_are_all_there() {
        let several = "listeners.tcp.local = 127.0.0.1:5672\nlisteners.tcp.2 = 5673\nlisteners.ssl.1 = 5671\nlisteners.ssl.x = ::1:1";
        check(several, &[("amqp_listen", "127.0.0.1:5672|:5673"), ("amqps_listen", ":5671|[::1]:1")], &[]);
    }
}
