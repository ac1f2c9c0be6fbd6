//! Files of Erlang terms: `advanced.config`, the old `rabbitmq.config`, and `enabled_plugins`.

use std::path::Path;

use super::application_terms;
use super::chained::pair;
use super::conf::ConfEntry;
use super::erl_arguments::meaning;
use super::flattened;
use super::listeners::listen;
use super::meaning::Meaning::{Missing, Needless, Sets};
use super::tls_terms::read_ssl_options;
use super::translated::{ENCRYPTED, translate};
use crate::config::given::{FilePlace, GivenSettings, Origin};
use crate::config::setting::Setting;
use crate::erlang::{Commas, Term, parsed, place};

/// A file with its text, to say where something is.
pub(super) struct Source<'a> {
    file: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    pub(super) fn origin(&self, at: &str) -> Origin {
        Origin::File(FilePlace::of(self.file, self.text, place(self.text, at)))
    }
}

/// Reads settings of applications: `[{rabbit, [{loopback_users, []}]}].`
pub(super) fn read_settings(file: &Path, text: &str, read: &mut GivenSettings) {
    let source = Source { file, text };
    let applications = match parsed(text, Commas::Optional) {
        Ok(Term::List(_, applications)) => applications,
        Ok(Term::Tuple(at, _) | Term::Word(at, _)) | Err(at) => {
            read.refuse(source.origin(at), "here a list of Erlang terms is expected: [{rabbit, [{heartbeat, 60}]}].");
            return;
        }
    };
    let mut entries = Vec::new();
    for application in applications {
        let Term::Tuple(_, parts) = application else { continue };
        let [Term::Word(_, name), Term::List(_, settings)] = parts.as_slice() else { continue };
        for setting in settings {
            let Term::Tuple(at, pair) = setting else { continue };
            if let (Some(prefix), [Term::Word(_, key), value]) = (application_terms::prefix(name), pair.as_slice()) {
                application_terms::read(&source, &format!("{prefix}.{key}"), value, read);
                continue;
            }
            match pair.as_slice() {
                [Term::Word(_, "ssl_options"), Term::List(_, options)] if *name == "rabbit" => {
                    read_ssl_options(&source, options, read);
                }
                [Term::Word(_, "tcp_listeners"), Term::List(_, none)] if *name == "rabbit" && none.is_empty() => {
                    let setting = Setting::find("no_amqp");
                    read.given.extend(setting.map(|setting| setting.given(vec!["true".to_owned()], source.origin(at))));
                }
                [Term::Word(_, "ssl_listeners"), Term::List(_, none)] if *name == "rabbit" && none.is_empty() => {}
                [Term::Word(_, key), value] if meaning(name, key).is_some() => {
                    take(&source, (name, key), value, at, read);
                }
                [Term::Word(_, key), value] => entries.extend(as_entries(&source, (name, key), (value, at), read)),
                _ => {}
            }
        }
    }
    // All together, as a port and the address that it belongs to may stand in any order.
    translate(entries, read);
}

/// Applications whose keys have others' names in `rabbitmq.conf`, and what they begin with there.
const PREFIXES: [(&str, &str); 4] = [
    ("rabbit", ""),
    ("rabbitmq_management", "management."),
    ("rabbitmq_prometheus", "prometheus."),
    ("rabbitmq_auth_backend_oauth2", "auth_oauth2."),
];

/// A setting as entries of `rabbitmq.conf`, if those are keys that are known.
fn as_entries(
    source: &Source<'_>,
    (application, key): (&str, &str),
    (value, at): (&Term<'_>, &str),
    read: &mut GivenSettings,
) -> Vec<ConfEntry> {
    let mut own = GivenSettings::default();
    let prefix = PREFIXES.iter().find(|(name, _)| *name == application).map(|(_, prefix)| *prefix);
    let entries = prefix.map(|prefix| flattened::entries(source, &format!("{prefix}{key}"), value, &mut own));
    match entries.filter(|entries| flattened::are_known(entries)) {
        Some(entries) => {
            // Only now: of a key that is not known one warning is enough.
            read.add(own);
            entries
        }
        None => {
            read.warn(source.origin(at), format!("{key} of {application} is not understood and has no effect"));
            Vec::new()
        }
    }
}

fn take(source: &Source<'_>, (application, key): (&str, &str), value: &Term<'_>, at: &str, read: &mut GivenSettings) {
    let origin = source.origin(at);
    if let Term::Tuple(_, parts) = value
        && parts.first().and_then(Term::atom) == Some("encrypted")
    {
        read.refuse(origin, format!("{key} {ENCRYPTED}"));
        return;
    }
    let texts = match value {
        Term::Word(..) => value.word().into_iter().collect(),
        // An empty list is a value, too: it takes the place of the default.
        Term::List(_, items) if items.is_empty() => vec!["none".to_owned()],
        Term::List(_, items) if key == "auth_backends" => items.iter().filter_map(backend).collect(),
        Term::List(_, items) => items.iter().filter_map(item).collect(),
        // `{absolute, 1000}`
        Term::Tuple(_, parts) => parts.last().and_then(Term::word).into_iter().collect(),
    };
    match meaning(application, key) {
        Some(Sets(name, convert)) => {
            let Some(setting) = Setting::find(name) else { return };
            let converted: Result<Vec<_>, _> = texts.iter().map(|text| convert(text)).collect();
            match converted {
                Ok(texts) => read.given.push(setting.given(texts, origin)),
                Err(reason) => read.refuse(origin, format!("{key} cannot be '{}': {reason}", texts.join(","))),
            }
        }
        Some(Needless(why)) => read.note(origin, format!("{key} {why}")),
        Some(Missing(what)) => read.warn(origin, format!("{key} has no effect: {what}")),
        None => read.warn(origin, format!("{key} of {application} is not understood and has no effect")),
    }
}

/// A backend, or one that says who somebody is and one that says what it may do. A list stands for the first of it.
fn backend(term: &Term<'_>) -> Option<String> {
    match term {
        Term::Word(..) => term.word(),
        Term::Tuple(_, both) => match both.as_slice() {
            [authn, authz] => Some(pair(authn.word()?, backend(authz)?)),
            _ => None,
        },
        Term::List(_, all) => all.first().and_then(backend),
    }
}

/// An item of a list. A pair is an address with its port: `{"127.0.0.1", 5672}`.
fn item(term: &Term<'_>) -> Option<String> {
    match term {
        Term::Word(..) => term.word(),
        Term::Tuple(_, pair) => match pair.as_slice() {
            [Term::Word(_, address), Term::Word(_, port)] => Some(listen(Some(*address), port)),
            _ => None,
        },
        Term::List(..) => None,
    }
}

/// Plugins of RabbitMQ whose work is always done here, or is not needed.
const BUILT_IN: [&str; 9] = [
    "rabbitmq_management",
    "rabbitmq_management_agent",
    "rabbitmq_web_dispatch",
    "rabbitmq_delayed_message_exchange",
    "rabbitmq_event_exchange",
    "rabbitmq_consistent_hash_exchange",
    "rabbitmq_recent_history_exchange",
    "rabbitmq_random_exchange",
    "rabbitmq_prometheus",
];
const MORE_BUILT_IN: [&str; 3] = ["rabbitmq_sharding", "rabbitmq_auth_mechanism_ssl", "rabbitmq_priority_queue"];

/// Reads `enabled_plugins`, and says which of them are not there.
pub(super) fn read_plugins(file: &Path, text: &str, read: &mut GivenSettings) {
    let source = Source { file, text };
    let plugins = match parsed(text, Commas::Optional) {
        Ok(Term::List(_, plugins)) => plugins,
        Ok(Term::Tuple(at, _) | Term::Word(at, _)) | Err(at) => {
            read.warn(source.origin(at), "here a list of plugins is expected: [rabbitmq_management].");
            return;
        }
    };
    for plugin in plugins {
        let Term::Word(at, name) = plugin else { continue };
        if !BUILT_IN.contains(&name) && !MORE_BUILT_IN.contains(&name) {
            read.warn(source.origin(at), format!("the plugin {name} is not there, and what it does is not done"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(read: &GivenSettings) -> Vec<String> {
        read.problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn settings_of_applications_are_read() {
        let text = "%% old form\n[{rabbit, [{loopback_users, []}, {heartbeat, 30},\n  {default_user, <<\"anna\">>}, {colour, red}]}].\n";
        let mut read = GivenSettings::default();
        read_settings(Path::new("r.config"), text, &mut read);
        let given: Vec<_> = read.given.iter().map(|given| (given.setting.name, given.texts.join("|"))).collect();
        let expected = [("loopback_users", "none"), ("heartbeat", "30"), ("default_user", "anna")];
        assert_eq!(given, expected.map(|(name, text)| (name, text.to_owned())));
        assert_eq!(told(&read), ["r.config:3:31: colour of rabbit is not understood and has no effect"]);
    }

    /// The keys of the documentation of RabbitMQ's backend for directories.
    #[test]
    fn backends_for_users_have_their_queries_here() {
        let text = r#"[{rabbitmq_auth_backend_ldap, [
            {servers, ["a.example", "b.example"]}, {port, 636}, {use_ssl, true},
            {user_dn_pattern, "cn=${username},ou=people"},
            {dn_lookup_bind, {"cn=root", "secret"}}, {other_bind, anon},
            {ssl_options, [{cacertfile, "/ca.pem"}, {verify, verify_peer}]},
            {vhost_access_query, {in_group, "ou=${vhost}-users", "uniqueMember"}},
            {resource_access_query, {for, [{permission, configure, {match, {string, "${name}"}, {string, "^\\d+$"}}},
                                           {permission, write, {'and', [{constant, true}]}}]}},
            {tag_queries, [{administrator, {in_group, "cn=admins"}}, {management, {constant, true}}]}]},
          {rabbitmq_auth_backend_http, [{http_method, post}, {user_path, "http://x/user"}]}]."#;
        let mut read = GivenSettings::default();
        read_settings(Path::new("a.config"), text, &mut read);
        assert_eq!(told(&read), [""; 0]);
        let given: Vec<_> = read.given.iter().map(|given| (given.setting.name, given.texts.join("|"))).collect();
        let resources = "{for, [{permission, configure, {match, {string, \"${name}\"}, {string, \"^\\\\d+$\"}}},";
        assert!(given[10].1.starts_with(resources), "{}", given[10].1);
        let mut simple: Vec<_> = given.iter().map(|(name, text)| (*name, text.as_str())).collect();
        simple.remove(10);
        let expected = [
            ("auth_ldap_servers", "a.example|b.example"),
            ("auth_ldap_port", "636"),
            ("auth_ldap_use_ssl", "true"),
            ("auth_ldap_user_dn_pattern", "cn=${username},ou=people"),
            ("auth_ldap_dn_lookup_bind_user_dn", "cn=root"),
            ("auth_ldap_dn_lookup_bind_password", "secret"),
            ("auth_ldap_other_bind", "anon"),
            ("auth_ldap_cacertfile", "/ca.pem"),
            ("auth_ldap_verify", "peer"),
            ("auth_ldap_queries_vhost_access", "{in_group, \"ou=${vhost}-users\", \"uniqueMember\"}"),
            ("auth_ldap_queries_tags", "[{administrator, {in_group, \"cn=admins\"}}, {management, {constant, true}}]"),
            ("auth_http_http_method", "post"),
            ("auth_http_user_path", "http://x/user"),
        ];
        assert_eq!(simple, expected);
        let mut read = GivenSettings::default();
        let text = "[{rabbitmq_auth_backend_ldap, [{vhost_access_query, {paint, it}}, {colour, red}]}].";
        read_settings(Path::new("a.config"), text, &mut read);
        let told = told(&read);
        assert!(
            told[0].starts_with("a.config:1:53: auth_ldap.queries.vhost_access cannot be '{paint, it}': "),
            "{told:?}"
        );
        assert!(told[1].starts_with("a.config:1:76: auth_ldap.colour has no effect"), "{told:?}");
    }

    #[test]
    fn backends_may_be_pairs() {
        let mut read = GivenSettings::default();
        let text = "[{rabbit,[{auth_backends,[{rabbit_auth_backend_ldap,rabbit_auth_backend_internal},{http,[internal]},oauth2]}]}].";
        read_settings(Path::new("r"), text, &mut read);
        assert_eq!(told(&read), [""; 0]);
        let expected = "rabbit_auth_backend_ldap/rabbit_auth_backend_internal|http/internal|oauth2";
        assert_eq!(read.given[0].texts.join("|"), expected);
    }

    #[test]
    fn listeners_are_ports_or_pairs_or_none() {
        let given = |listeners: &str| {
            let mut read = GivenSettings::default();
            read_settings(Path::new("r"), &format!("[{{rabbit,[{{{listeners}}}]}}]."), &mut read);
            assert_eq!(told(&read), [""; 0]);
            read.given.iter().map(|given| (given.setting.name, given.texts.join("|"))).collect::<Vec<_>>()
        };
        let expected = [("amqp_listen", ":5672|127.0.0.1:5673|[::1]:5674".to_owned())];
        assert_eq!(given("tcp_listeners,[5672,{\"127.0.0.1\",5673},{\"::1\",5674}]"), expected);
        assert_eq!(given("tcp_listeners,[]"), [("no_amqp", "true".to_owned())]);
        assert_eq!(given("ssl_listeners,[5671]"), [("amqps_listen", ":5671".to_owned())]);
    }

    #[test]
    fn what_is_no_term_is_told_with_its_place() {
        let mut read = GivenSettings::default();
        read_settings(Path::new("r.config"), "[{rabbit, [}].", &mut read);
        assert_eq!(
            told(&read),
            ["r.config:1:1: here a list of Erlang terms is expected: [{rabbit, [{heartbeat, 60}]}]."]
        );
        let mut read = GivenSettings::default();
        read_settings(Path::new("r.config"), &"[".repeat(100_000), &mut read);
        assert_eq!(read.problems.len(), 1);
    }

    /// Found by the fuzzer: it was read for ever.
    #[test]
    fn a_list_that_does_not_end_is_told() {
        for text in ["[a.", "[.", "[{rabbit, [{heartbeat, 10}.", "."] {
            let mut read = GivenSettings::default();
            read_settings(Path::new("r.config"), text, &mut read);
            assert_eq!(read.problems.len(), 1, "{text}");
        }
    }

    #[test]
    fn plugins_are_read_leniently() {
        let mut read = GivenSettings::default();
        read_plugins(Path::new("e"), "[rabbitmq_management , rabbitmq_prometheus\n rabbitmq_mqtt].", &mut read);
        assert_eq!(told(&read), ["e:2:2: the plugin rabbitmq_mqtt is not there, and what it does is not done"]);
    }
}
