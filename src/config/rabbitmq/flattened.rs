//! Terms of `advanced.config` as the entries of `rabbitmq.conf` that say the same: what is known of those is known of these.

use super::conf::ConfEntry;
use super::keys;
use super::terms::Source;
use crate::config::given::GivenSettings;
use crate::erlang::Term;

/// Parts of a path that are called otherwise in `rabbitmq.conf`.
const RENAMED: [(&str, &str); 10] = [
    ("management.tcp_config.", "management.tcp."),
    ("management.ssl_config.", "management.ssl."),
    ("prometheus.tcp_config.", "prometheus.tcp."),
    ("prometheus.ssl_config.", "prometheus.ssl."),
    ("auth_oauth2.key_config.", "auth_oauth2."),
    ("log.categories.", "log."),
    ("log.file.file", "log.file"),
    ("default_permissions.1", "default_permissions.configure"),
    ("default_permissions.2", "default_permissions.write"),
    ("default_permissions.3", "default_permissions.read"),
];

/// Keys whose values are lists of words that stand in one value, with blanks between them.
const WORDS: [&str; 2] = ["auth_oauth2.scope_aliases.", "auth_oauth2.additional_scopes_key"];

/// What a public key is written in that is no file.
const KEYS_IN_PLACE: [&str; 3] = ["pem", "map", "json"];

/// The entries that a term comes to. What cannot be written so is told.
pub(super) fn entries(source: &Source<'_>, key: &str, value: &Term<'_>, read: &mut GivenSettings) -> Vec<ConfEntry> {
    let mut entries = Vec::new();
    flatten(source, key, value, &mut entries, read);
    entries
}

/// Whether all of them are keys that are known.
pub(super) fn are_known(entries: &[ConfEntry]) -> bool {
    // Keys with names in them stand in no table. `translate` tells which of them it does not know.
    let is_named = |key: &str| ["auth_oauth2.", "management.", "prometheus."].iter().any(|of| key.starts_with(of));
    entries.iter().all(|entry| is_named(&entry.key) || keys::meaning(&entry.key).is_some())
}

fn renamed(key: &str) -> String {
    let mut key = key.to_owned();
    for (from, to) in RENAMED {
        if let Some(rest) = key.strip_prefix(from) {
            key = format!("{to}{rest}");
        }
    }
    match key.strip_suffix(".enabled") {
        Some(output) if output.starts_with("log.") => output.to_owned(),
        _ => key,
    }
}

fn flatten(source: &Source<'_>, key: &str, value: &Term<'_>, into: &mut Vec<ConfEntry>, read: &mut GivenSettings) {
    let entry = |text: String| ConfEntry { key: renamed(key), value: text, origin: source.origin(value.text()) };
    match value {
        Term::Word(..) => into.extend(value.word().map(entry)),
        Term::List(_, items) if WORDS.iter().any(|words| key.starts_with(words)) => {
            into.push(entry(items.iter().filter_map(Term::word).collect::<Vec<_>>().join(" ")));
        }
        Term::List(_, items) => {
            for (number, item) in (1..).zip(items) {
                match item {
                    Term::Tuple(_, pair) => match pair.as_slice() {
                        [Term::Word(_, name), value] => flatten(source, &format!("{key}.{name}"), value, into, read),
                        _ => {
                            read.warn(source.origin(item.text()), format!("{key} is not understood and has no effect"))
                        }
                    },
                    Term::Word(..) | Term::List(..) => flatten(source, &format!("{key}.{number}"), item, into, read),
                }
            }
        }
        Term::Tuple(at, pair) => match pair.as_slice() {
            [Term::Word(_, "pem_file"), path] => flatten(source, key, path, into, read),
            [Term::Word(_, kind), _] if KEYS_IN_PLACE.contains(kind) => {
                let text = format!(
                    "{key} has no effect: write the key to a file in PEM, and its path: {{pem_file, \"/k.pem\"}}"
                );
                read.warn(source.origin(at), text);
            }
            _ => read.warn(source.origin(at), format!("{key} is not understood and has no effect")),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::terms::read_settings;
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let mut read = GivenSettings::default();
        read_settings(Path::new("a.config"), text, &mut read);
        assert_eq!(read.problems.iter().map(ToString::to_string).collect::<Vec<_>>(), [""; 0], "{text}");
        let mut given: Vec<_> = read.given.iter().map(|given| (given.setting.name, given.texts.join("|"))).collect();
        given.sort();
        let given: Vec<_> = given.iter().map(|(name, text)| (*name, text.as_str())).collect();
        assert_eq!(given, expected, "{text}");
    }

    #[test]
    fn listeners_of_http_are_lists_of_lists() {
        check(
            "[{rabbitmq_management, [{listener, [{port, 15671}, {ssl, true}, {ssl_opts, [{certfile, \"/c.pem\"}]}]}]}].",
            &[("https_cert", "/c.pem"), ("https_listen", ":15671")],
        );
        check(
            "[{rabbitmq_management, [{tcp_config, [{port, 8080}, {ip, \"127.0.0.1\"}]}]},
              {rabbitmq_prometheus, [{tcp_config, [{port, 9000}]}]}].",
            &[("http_listen", "127.0.0.1:8080"), ("prometheus_listen", ":9000")],
        );
    }

    #[test]
    fn keys_of_the_broker_are_those_of_rabbitmq_conf() {
        check(
            "[{rabbit, [{default_permissions, [<<\"^a\">>, <<\"^b\">>, <<\"^c\">>]}, {default_user_tags, [monitoring]},
               {log, [{file, [{file, \"/l.log\"}, {level, error}]}, {console, [{enabled, false}]},
                      {categories, [{queue, [{level, debug}]}]}]}]}].",
            &[
                ("default_permissions_configure", "^a"),
                ("default_permissions_read", "^c"),
                ("default_permissions_write", "^b"),
                ("default_user_tags", "monitoring"),
                ("log_categories", "queue=debug"),
                ("log_console", "false"),
                ("log_file", "/l.log"),
                ("log_file_level", "error"),
            ],
        );
    }

    #[test]
    fn tokens_are_configured_with_maps() {
        check(
            "[{rabbitmq_auth_backend_oauth2, [{resource_server_id, <<\"rabbit\">>},
               {key_config, [{default_key, <<\"k\">>}, {signing_keys, #{<<\"k\">> => {pem_file, \"/k.pem\"}}}]},
               {scope_aliases, #{<<\"admin\">> => [<<\"a.b\">>, <<\"c.d\">>]}},
               {oauth_providers, #{<<\"uaa\">> => [{issuer, <<\"https://x\">>}]}}]}].",
            &[
                ("auth_oauth2_default_key", "k"),
                ("auth_oauth2_oauth_providers", "uaa.issuer=https://x"),
                ("auth_oauth2_resource_server_id", "rabbit"),
                ("auth_oauth2_scope_aliases", "admin=a.b c.d"),
                ("auth_oauth2_signing_keys", "k=/k.pem"),
            ],
        );
    }

    #[test]
    fn what_cannot_be_taken_over_is_told_with_its_place() {
        let told = |text: &str| {
            let mut read = GivenSettings::default();
            read_settings(Path::new("a.config"), text, &mut read);
            assert!(read.given.is_empty(), "{text}");
            read.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        let key =
            "[{rabbitmq_auth_backend_oauth2, [{key_config, [{signing_keys, #{<<\"k\">> => {pem, <<\"x\">>}}}]}]}].";
        assert!(
            told(key).starts_with("a.config:1:76: ") && told(key).contains("write the key to a file"),
            "{}",
            told(key)
        );
        let secret = "[{rabbit, [{default_pass, {encrypted, <<\"abc\">>}}]}].";
        assert!(told(secret).starts_with("a.config:1:12: default_pass is encrypted"), "{}", told(secret));
    }
}
