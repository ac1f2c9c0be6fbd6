//! What the entries of RabbitMQ's files say, in the words of the settings here.

use super::chained;
use super::conf::ConfEntry;
use super::keys::{KEYS, meaning};
use super::levels;
use super::listeners;
use super::meaning::Meaning::{Missing, Needless, Sets};
use super::properties;
use crate::auth::GUEST;
use crate::config::given::{Given, GivenSettings, Origin};
use crate::config::setting::Setting;
use crate::nearest::nearest;

/// Why a value cannot be read that RabbitMQ's tools have encrypted.
pub(super) const ENCRYPTED: &str = "is encrypted, and there is no passphrase that it could be read with: write the value itself, or keep it out of the file with $(VARIABLE)";

/// Translates the entries of all files together: of a key that is there twice the last one counts.
pub(super) fn translate(entries: Vec<ConfEntry>, read: &mut GivenSettings) {
    let mut last = last_of_each_key(entries);
    // Keys that say something together are taken out first. Each that is left says one thing by itself.
    listeners::take(&mut last, read);
    levels::place_file(&last, read);
    levels::take(&mut last, read);
    chained::backends(&mut last, read);
    chained::cached(&mut last);
    chained::named(&mut last, "auth_oauth2.signing_keys", "auth_oauth2_signing_keys", read);
    chained::named(&mut last, "auth_oauth2.scope_aliases", "auth_oauth2_scope_aliases", read);
    chained::named(&mut last, "cluster_tags", "cluster_tags", read);
    properties::take(&mut last, read);
    users(&mut last, "loopback_users", &[GUEST], read);
    // One tag that is said takes the place of the one that nobody said: who wants a monitor must not get an administrator.
    users(&mut last, "default_user_tags", &[], read);
    let mut given: Vec<Given> = Vec::new();
    for ConfEntry { key, value, origin } in last {
        match meaning(&key) {
            Some(Sets(..)) if value.starts_with("encrypted:") => read.refuse(origin, format!("{key} {ENCRYPTED}")),
            Some(Sets(name, convert)) => {
                let Some(setting) = Setting::find(name) else { continue };
                match convert(&value).and_then(|value| (setting.check)(&value).map(|()| value)) {
                    // Keys that differ in their last word add to a list.
                    Ok(value) => match given.iter_mut().find(|given| given.setting.name == name && setting.is_list) {
                        Some(given) => given.texts.push(value),
                        None => given.push(setting.given(vec![value], origin)),
                    },
                    Err(reason) => read.refuse(origin, format!("{key} cannot be '{value}': {reason}")),
                }
            }
            Some(Needless(why)) => read.note(origin, format!("{key} {why}")),
            Some(Missing(what)) => read.warn(origin, format!("{key} has no effect: {what}")),
            None => read.warn(origin, unknown(&key)),
        }
    }
    read.given.extend(given);
}

fn last_of_each_key(entries: Vec<ConfEntry>) -> Vec<ConfEntry> {
    let mut last: Vec<ConfEntry> = Vec::new();
    for entry in entries {
        last.retain(|known| known.key != entry.key);
        last.push(entry);
    }
    last
}

fn unknown(key: &str) -> String {
    let likely = nearest(key, KEYS.iter().map(|(key, _)| *key).filter(|key| !key.contains('*')));
    let likely = likely.map(|likely| format!("; did you mean {likely}?")).unwrap_or_default();
    format!("{key} is not known, and has no effect{likely}")
}

/// Names that are added and taken away one by one: `loopback_users.guest = false`.
fn users(entries: &mut Vec<ConfEntry>, key: &str, default: &[&str], read: &mut GivenSettings) {
    let mut names: Vec<_> = default.iter().map(|name| (*name).to_owned()).collect();
    let mut place: Option<Origin> = None;
    entries.retain(|entry| {
        let Some(rest) = entry.key.strip_prefix(key) else { return true };
        match (rest.strip_prefix('.'), entry.value.as_str()) {
            (None, "none") if rest.is_empty() => names.clear(),
            (Some(name), "true") if !names.iter().any(|known| known == name) => names.push(name.to_owned()),
            (Some(_), "true") => {}
            (Some(name), "false") => names.retain(|known| known != name),
            (Some(_), value) => {
                read.refuse(
                    entry.origin.clone(),
                    format!("{} cannot be '{value}': allowed is true or false", entry.key),
                );
            }
            (None, value) => {
                let text = format!("{} cannot be '{value}': allowed is none, or {key}.NAME = false", entry.key);
                read.refuse(entry.origin.clone(), text);
            }
        }
        place = Some(entry.origin.clone());
        false
    });
    if names.is_empty() {
        names.push("none".to_owned());
    }
    if let (Some(origin), Some(setting)) = (place, Setting::find(key)) {
        read.given.push(setting.given(names, origin));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::environment::Environment;
    use crate::config::rabbitmq::conf;

    fn translated(text: &str) -> (Vec<(&'static str, String)>, Vec<String>) {
        let mut read = GivenSettings::default();
        let entries = conf::entries(Path::new("r"), text, &Environment::default(), &mut read);
        translate(entries, &mut read);
        let given = read.given.iter().map(|given| (given.setting.name, given.texts.join("|"))).collect();
        (given, read.problems.iter().map(ToString::to_string).collect())
    }

    #[track_caller]
    fn check(text: &str, setting: &str, value: &str) {
        let (given, told) = translated(text);
        assert_eq!(told, [""; 0], "{text}");
        assert_eq!(given, [(setting, value.to_owned())], "{text}");
    }

    #[test]
    fn common_keys_are_understood() {
        check("listeners.tcp.default = 5673", "amqp_listen", ":5673");
        check("listeners.tcp.1 = 127.0.0.1:1\nlisteners.tcp.2 = ::1:2", "amqp_listen", "127.0.0.1:1|[::1]:2");
        check("default_user = anna\ndefault_user = bert", "default_user", "bert");
        check("vm_memory_high_watermark.relative = 0.6", "memory_high_watermark", "60.0%");
        check("disk_free_limit.absolute = 2GB", "disk_free_limit", "2GB");
        check("disk_free_limit.absolute = 2G", "disk_free_limit", "2GB");
        check("vm_memory_high_watermark.absolute = 2Gi", "memory_high_watermark", "2Gi");
        check("management.load_definitions = /d.json", "definitions", "/d.json");
        check("management.ssl.certfile = /c.pem", "https_cert", "/c.pem");
        check("prometheus.ssl.keyfile = /k.pem", "prometheus_key", "/k.pem");
        check("log.console.level = debug", "log_console_level", "debug");
        check("ssl_options.versions.1 = tlsv1.3\nssl_options.versions.2 = tlsv1.2", "tls_versions", "1.3|1.2");
        check("ssl_options.verify = verify_peer", "tls_verify", "peer");
        check("tcp_listen_options.backlog = 4096", "tcp_backlog", "4096");
        check("tcp_listen_options.sndbuf = 196608", "tcp_sndbuf", "196608");
        check("consumer_timeout = 3600000", "consumer_timeout", "3600000");
    }

    #[test]
    fn things_with_names_have_keys_of_their_own() {
        check(
            "auth_oauth2.resource_servers.1.id = prod\nauth_oauth2.resource_servers.1.oauth_provider_id = keycloak",
            "auth_oauth2_resource_servers",
            "1.id=prod|1.oauth_provider_id=keycloak",
        );
        check(
            "auth_oauth2.oauth_providers.uaa.issuer = https://x\nauth_oauth2.oauth_providers.uaa.algorithms.1 = ES512",
            "auth_oauth2_oauth_providers",
            "uaa.issuer=https://x|uaa.algorithms.1=ES512",
        );
        check(
            "management.oauth_authorization_endpoint_params.resource = x",
            "management_oauth_authorization_endpoint_params",
            "resource=x",
        );
        let (given, told) = translated("auth_oauth2.oauth_providers.uaa.colour = red");
        assert_eq!(given, []);
        assert!(told[0].contains("auth_oauth2.oauth_providers.uaa.colour has no effect"), "{told:?}");
    }

    #[test]
    fn users_are_confined_and_freed_one_by_one() {
        check("loopback_users.guest = false", "loopback_users", "none");
        check("loopback_users = none", "loopback_users", "none");
        check("loopback_users.anna = true", "loopback_users", "guest|anna");
        check("default_user_tags.monitoring = true", "default_user_tags", "monitoring");
        check("default_user_tags.administrator = false", "default_user_tags", "none");
    }

    /// Every key that sets something refuses what makes no sense, with its place.
    #[test]
    fn wrong_values_are_told_with_their_place() {
        for (key, meaning) in KEYS {
            let Sets(name, convert) = meaning else { continue };
            let setting = Setting::find(name).unwrap();
            let wrong = ["(", ""].into_iter().find(|wrong| match convert(wrong) {
                Ok(value) => (setting.check)(&value).is_err(),
                Err(_) => true,
            });
            let key = key.replace('*', "x");
            // Names, passwords and paths may be nearly anything.
            let Some(wrong) = wrong else { continue };
            let (given, told) = translated(&format!("\n {key} = {wrong}"));
            assert_eq!(given, [], "{key}");
            assert!(told[0].starts_with(&format!("r:2:2: {key} cannot be '{wrong}': ")) && told.len() == 1, "{told:?}");
        }
        let (_, told) = translated("loopback_users.guest = perhaps");
        assert_eq!(told, ["r:1:1: loopback_users.guest cannot be 'perhaps': allowed is true or false"]);
        let (_, told) = translated("management.tcp.port = many");
        assert!(told[0].starts_with("r:1:1: management.tcp.port makes it ':many', which it cannot be: "), "{told:?}");
    }

    #[test]
    fn the_log_is_configured_with_rabbitmqs_keys() {
        check("log.console = false", "log_console", "false");
        check("log.console.formatter = json", "log_console_format", "json");
        check("log.file = false", "log_file", "false");
        check("log.file = /tmp/a.log", "log_file", "/tmp/a.log");
        check("log.file.level = warning", "log_file_level", "warning");
        check("log.file.formatter = plaintext", "log_file_format", "plaintext");
        check("log.dir = /logs", "log_dir", "/logs");
        check("log.file.rotation.date = $D0", "log_file_rotation_date", "$D0");
        check("log.file.rotation.size = 10485760", "log_file_rotation_size", "10485760");
        check("log.file.rotation.count = 10", "log_file_rotation_count", "10");
        check("log.file.rotation.compress = true", "log_file_rotation_compress", "true");
        check("log.default.level = error", "log_level", "error");
        check(
            "log.connection.level = error\nlog.queue.level = debug",
            "log_categories",
            "connection=error|queue=debug",
        );
        let place = |name: &'static str, value: &str| (name, value.to_owned());
        let bare = [place("log_dir", "/var/log/rabbitmq"), place("log_file", "rabbit.log")];
        assert_eq!(translated("log.file = rabbit.log").0, bare, "where RabbitMQ's packages have it");
        let told = |text: &str| translated(text).1;
        let wrong = "r:1:1: log.connection.level cannot be 'loud': allowed is debug, info, warning, error or none";
        assert_eq!(told("log.connection.level = loud"), [wrong]);
        let empty = "r:1:1: log.shovel.level is not needed: nothing is logged in this category";
        assert_eq!(told("log.shovel.level = debug"), [empty]);
        check("log.exchange.level = error", "log_exchange_level", "error");
        check("log.syslog = true", "log_syslog", "true");
        check("log.syslog.level = error", "log_syslog_level", "error");
        check("log.syslog.transport = tcp", "log_syslog_transport", "tcp");
        check("log.syslog.ip = 10.10.10.10", "log_syslog_host", "10.10.10.10");
        check("log.syslog.port = 6514", "log_syslog_port", "6514");
        check("log.syslog.protocol = rfc5424", "log_syslog_protocol", "rfc5424");
        check("log.syslog.facility = local7", "log_syslog_facility", "local7");
        check("log.syslog.identity = my_rabbitmq", "log_syslog_identity", "my_rabbitmq");
        check("log.syslog.transport = ssl", "log_syslog_transport", "ssl");
        check("log.syslog.ssl_options.cacertfile = /ca.pem", "log_syslog_cacertfile", "/ca.pem");
        check("log.syslog.ssl_options.verify = verify_none", "log_syslog_verify", "none");
        check("log.syslog.ssl_options.certfile = /c.pem", "log_syslog_certfile", "/c.pem");
        check("log.syslog.ssl_options.keyfile = /k.pem", "log_syslog_keyfile", "/k.pem");
        assert!(told("log.syslog.ssl_options.depth = 2")[0].contains("has no effect"));
        assert!(told("log.queue.file = q.log")[0].contains("has no effect"));
    }

    #[test]
    fn what_holds_for_the_whole_node_is_understood() {
        check("default_queue_type = quorum", "default_queue_type", "quorum");
        check("channel_max = 128", "channel_max", "128");
        check("frame_max = 262144", "frame_max", "262144");
        check("frame_max = 256KB", "frame_max", "262144");
        check("connection_max = 100", "connection_max", "100");
        check("channel_max_per_node = infinity", "channel_max_per_node", "infinity");
        check("cluster_name = east", "cluster_name", "east");
        check("cluster_tags.region = us-east\ncluster_tags.zone = b", "cluster_tags", "region=us-east|zone=b");
        let module = "rabbit_password_hashing_md5";
        check(&format!("password_hashing_module = {module}"), "password_hashing", module);
        let wrong = "r:1:1: default_queue_type cannot be 'stream': allowed is classic or quorum";
        assert_eq!(translated("default_queue_type = stream").1, [wrong]);
    }

    #[test]
    fn backends_are_chained_by_their_numbers() {
        check("auth_backends.1 = http\nauth_backends.2 = internal", "auth_backends", "http|internal");
        check(
            "auth_backends.10 = rabbit_auth_backend_internal\nauth_backends.2.authz = internal\nauth_backends.2.authn = oauth2",
            "auth_backends",
            "oauth2/internal|rabbit_auth_backend_internal",
        );
        check("auth_backends.1.authn = http", "auth_backends", "http");
        let (given, told) = translated("auth_backends.1 = amqp\nauth_backends.2 = internal");
        assert_eq!(given, [("auth_backends", "internal".to_owned())]);
        assert_eq!(told, ["r:1:1: auth_backends.1: the backend amqp is not there yet: others are asked without it"]);
        for (text, told_of) in [
            ("auth_backends.first = http", "the place of a backend in the chain is a number"),
            ("auth_backends.1.auth = http", "behind the number only authn or authz may stand"),
            ("auth_backends.1 = moon", "auth_backends cannot be 'moon': allowed is internal"),
        ] {
            let (given, told) = translated(text);
            assert!(given.is_empty() && told.len() == 1 && told[0].contains(told_of), "{text}: {told:?}");
        }
    }

    #[test]
    fn what_is_cached_may_be_two_backends() {
        let both = "auth_cache.cached_backend.authn = ldap\nauth_cache.cached_backend.authz = internal";
        check(both, "auth_cache_cached_backend", "ldap/internal");
        check("auth_cache.cached_backend.authn = http", "auth_cache_cached_backend", "http");
    }

    #[test]
    fn an_encrypted_value_is_told() {
        let (given, told) = translated("default_pass = encrypted:uL+A4nxX/w==");
        assert_eq!(given, []);
        assert!(told[0].starts_with("r:1:1: default_pass is encrypted"), "{told:?}");
    }

    #[test]
    fn values_have_names() {
        check("auth_oauth2.signing_keys.k1 = /k.pem", "auth_oauth2_signing_keys", "k1=/k.pem");
        check("auth_oauth2.scope_aliases.admin = a b", "auth_oauth2_scope_aliases", "admin=a b");
        check(
            "auth_oauth2.scope_aliases.1.alias = x.y\nauth_oauth2.scope_aliases.1.scope = a b",
            "auth_oauth2_scope_aliases",
            "x.y=a b",
        );
        check(
            "auth_oauth2.algorithms.1 = RS256\nauth_oauth2.algorithms.2 = ES256",
            "auth_oauth2_algorithms",
            "RS256|ES256",
        );
        check("auth_oauth2.preferred_username_claims.1 = name", "auth_oauth2_preferred_username_claims", "name");
    }

    #[test]
    fn what_has_no_effect_is_named() {
        let told = |text: &str| translated(text).1;
        let unknown = "r:1:1: default_usr is not known, and has no effect; did you mean default_user?";
        assert_eq!(told("default_usr = x"), [unknown]);
        assert_eq!(
            told("mqtt.allow_anonymous = true"),
            ["r:1:1: mqtt.allow_anonymous has no effect: the protocol is not there yet"]
        );
        assert_eq!(
            told("hipe_compile = false"),
            ["r:1:1: hipe_compile is not needed: it has no effect in RabbitMQ either"]
        );
        let pattern = "prometheus.filter_aggregated_queue_metrics_pattern";
        let needless = format!("r:1:1: {pattern} is not needed: it has no effect in RabbitMQ 4.3 either");
        assert_eq!(told(&format!("{pattern} = ^orders")), [needless]);
    }
}
