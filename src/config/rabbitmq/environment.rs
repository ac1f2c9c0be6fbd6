//! `RABBITMQ_*`: one row a variable.

use super::levels;
use super::listeners::listen as place;
use super::meaning::Meaning::{Missing, Needless, Sets};
use super::meaning::{Meaning, relative_or_absolute, same, verify};
use crate::config::environment::{Environment, is_service_link, texts};
use crate::config::given::{GivenSettings, Origin};
use crate::config::setting::{PREFIX as OWN_PREFIX, Setting};
use crate::config::settings::SETTINGS;
use crate::nearest::nearest;

pub(super) const PREFIX: &str = "RABBITMQ_";

/// Both make one address.
const NODE_PORT: &str = "RABBITMQ_NODE_PORT";
const NODE_ADDRESS: &str = "RABBITMQ_NODE_IP_ADDRESS";
/// It holds settings in the words of Erlang's command line.
const ERL_ARGUMENTS: &str = "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS";

/// Variables that say which files are read.
pub(in crate::config) const CONFIG_FILE: &str = "RABBITMQ_CONFIG_FILE";
pub(in crate::config) const CONFIG_FILES: &str = "RABBITMQ_CONFIG_FILES";
pub(in crate::config) const ADVANCED_CONFIG_FILE: &str = "RABBITMQ_ADVANCED_CONFIG_FILE";
pub(in crate::config) const ENABLED_PLUGINS_FILE: &str = "RABBITMQ_ENABLED_PLUGINS_FILE";
/// Names a file of variables.
pub(super) const CONF_ENV_FILE: &str = "RABBITMQ_CONF_ENV_FILE";
pub(in crate::config) const ENABLED_PLUGINS: &str = "RABBITMQ_ENABLED_PLUGINS";

/// Those that are looked at elsewhere.
const OTHERS: [&str; 10] = [
    levels::LOG,
    NODE_PORT,
    NODE_ADDRESS,
    ERL_ARGUMENTS,
    CONFIG_FILE,
    CONFIG_FILES,
    ADVANCED_CONFIG_FILE,
    ENABLED_PLUGINS_FILE,
    ENABLED_PLUGINS,
    CONF_ENV_FILE,
];

const NO_COOKIE: &str = "is not needed: there are no Erlang nodes that have to know each other";
const NO_VM: &str = "is not needed: there is no Erlang machine to set";
const NO_PATH: &str = "is not needed: nothing is there that would be looked for in this place";

/// What each variable means. Those of Bitnami's image stand at the end.
const VARIABLES: &[(&str, Meaning)] = &[
    ("DEFAULT_USER", Sets("default_user", same)),
    ("DEFAULT_PASS", Sets("default_pass", same)),
    ("DEFAULT_VHOST", Sets("default_vhost", same)),
    ("DEFAULT_USER_FILE", Sets("default_user_file", same)),
    ("DEFAULT_PASS_FILE", Sets("default_pass_file", same)),
    ("VM_MEMORY_HIGH_WATERMARK", Sets("memory_high_watermark", relative_or_absolute)),
    ("SSL_CERTFILE", Sets("tls_cert", same)),
    ("SSL_KEYFILE", Sets("tls_key", same)),
    ("SSL_CACERTFILE", Sets("tls_ca", same)),
    ("SSL_VERIFY", Sets("tls_verify", verify)),
    ("SSL_FAIL_IF_NO_PEER_CERT", Sets("tls_require_client_cert", same)),
    ("SSL_DEPTH", Needless("is not needed: chains of any usual length are believed")),
    ("MANAGEMENT_SSL_CERTFILE", Sets("https_cert", same)),
    ("MANAGEMENT_SSL_KEYFILE", Sets("https_key", same)),
    ("MANAGEMENT_SSL_CACERTFILE", Sets("https_ca", same)),
    ("MANAGEMENT_SSL_VERIFY", Sets("https_verify", verify)),
    ("MANAGEMENT_SSL_FAIL_IF_NO_PEER_CERT", Sets("https_require_client_cert", same)),
    ("MANAGEMENT_SSL_DEPTH", Needless("is not needed: chains of any usual length are believed")),
    ("MNESIA_BASE", Sets("data_dir", same)),
    ("MNESIA_DIR", Sets("data_dir", same)),
    ("NODENAME", Sets("node_name", same)),
    ("USE_LONGNAME", Needless("is not needed: the name of the node is what RABBITMQ_NODENAME says")),
    ("ERLANG_COOKIE", Needless(NO_COOKIE)),
    ("SERVER_ERL_ARGS", Needless(NO_VM)),
    ("SERVER_START_ARGS", Needless(NO_VM)),
    ("CTL_ERL_ARGS", Needless(NO_VM)),
    ("IO_THREAD_POOL_SIZE", Needless(NO_VM)),
    ("MAX_NUMBER_OF_PROCESSES", Needless(NO_VM)),
    ("MAX_NUMBER_OF_ATOMS", Needless(NO_VM)),
    ("DISTRIBUTION_BUFFER_SIZE", Needless(NO_VM)),
    ("SCHEDULER_BIND_TYPE", Needless(NO_VM)),
    ("DIST_PORT", Needless(NO_COOKIE)),
    ("LOGS", Sets("log_file", same)),
    ("LOG_BASE", Sets("log_dir", same)),
    ("PLUGINS_DIR", Needless(NO_PATH)),
    ("PLUGINS_EXPAND_DIR", Needless(NO_PATH)),
    ("GENERATED_CONFIG_DIR", Needless(NO_PATH)),
    ("SCHEMA_DIR", Needless(NO_PATH)),
    ("FEATURE_FLAGS", Needless("is not needed: there are no feature flags to choose")),
    ("FEATURE_FLAGS_FILE", Needless(NO_PATH)),
    ("SERVICENAME", Needless("is not needed here")),
    ("CONSOLE_LOG", Needless("is not needed here")),
    ("HOME", Needless(NO_PATH)),
    ("DATA_DIR", Needless(NO_PATH)),
    ("VERSION", Needless("is not needed here")),
    ("PGP_KEY_ID", Needless("is not needed here")),
    ("ALLOW_INPUT", Needless(NO_VM)),
    ("BASE", Needless(NO_PATH)),
    ("BOOT_MODULE", Needless(NO_VM)),
    ("CTL_DIST_PORT_MIN", Needless(NO_COOKIE)),
    ("CTL_DIST_PORT_MAX", Needless(NO_COOKIE)),
    ("DBG", Needless(NO_VM)),
    ("DEFAULT_ALLOC_ARGS", Needless(NO_VM)),
    ("IGNORE_SIGINT", Needless(NO_VM)),
    ("KEEP_PID_FILE_ON_EXIT", Needless("is not needed: the file is removed when the broker ends")),
    ("MAX_OPEN_FILES", Needless("is not needed: as many files are open as the system allows")),
    ("MOTD_FILE", Needless("is not needed: the first lines on the terminal are Leveret's")),
    ("NODE_ONLY", Missing("the broker and its process are one")),
    ("PRODUCT_NAME", Needless("is not needed: clients are told RabbitMQ")),
    ("PRODUCT_VERSION", Needless("is not needed: compatibility says which version clients are told")),
    ("QUORUM_DIR", Missing("all messages are below one directory; set RABBITMQ_MNESIA_DIR")),
    ("STREAM_DIR", Missing("all messages are below one directory; set RABBITMQ_MNESIA_DIR")),
    ("SCHEDULER_BUSY_WAIT_THRESHOLD", Needless(NO_VM)),
    ("SCRIPTS_DIR", Needless(NO_PATH)),
    ("SERVER_CODE_PATH", Needless(NO_VM)),
    ("PID_FILE", Sets("pid_file", same)),
    ("USERNAME", Sets("default_user", same)),
    ("PASSWORD", Sets("default_pass", same)),
    ("VHOST", Sets("default_vhost", same)),
    ("PLUGINS", Needless("is not needed: what is there is always on")),
    ("NODE_NAME", Sets("node_name", same)),
];

/// Words that people try, and the setting that they look for.
const INVENTED: &[(&str, &str)] = &[
    ("MANAGEMENT_PORT", "http_listen"),
    ("HTTP_PORT", "http_listen"),
    ("DISK_FREE_LIMIT", "disk_free_limit"),
    ("HEARTBEAT", "heartbeat"),
    ("LOAD_DEFINITIONS", "definitions"),
    ("DEFINITIONS_FILE", "definitions"),
    ("LOG_LEVEL", "log_level"),
];

/// Words of programs that connect to a broker, which often stand in the same environment.
const OF_CLIENTS: [&str; 6] = ["HOST", "HOSTNAME", "URL", "URI", "USER", "PASS"];

/// Reads RabbitMQ's variables.
pub(in crate::config) fn read(environment: &Environment) -> GivenSettings {
    let mut read = GivenSettings::default();
    for (name, value) in environment.with_prefix(PREFIX) {
        let short = name.strip_prefix(PREFIX).unwrap_or(name);
        if is_service_link(name, value) || OF_CLIENTS.contains(&short) || OTHERS.contains(&name) {
            continue;
        }
        let origin = Origin::Variable(name.to_owned());
        match VARIABLES.iter().find(|(known, _)| *known == short) {
            Some((_, meaning)) => take(&mut read, *meaning, value, origin),
            None => read.warn(origin, format!("is no variable that has an effect{}", likely(short))),
        }
    }
    listen(environment, &mut read);
    listen_with_certificates(environment, &mut read);
    levels::read_variable(environment, &mut read);
    super::erl_arguments::read(environment.get(ERL_ARGUMENTS), ERL_ARGUMENTS, &mut read);
    read
}

/// Takes what one variable says.
fn take(read: &mut GivenSettings, meaning: Meaning, value: &str, origin: Origin) {
    match meaning {
        Sets(setting, convert) => {
            let Some(setting) = Setting::find(setting) else { return };
            match convert(value) {
                Ok(value) => read.given.push(setting.given(texts(setting, &value), origin)),
                Err(reason) => read.refuse(origin, format!("it cannot be '{value}': {reason}")),
            }
        }
        Needless(why) => read.note(origin, why),
        Missing(what) => read.warn(origin, format!("has no effect: {what}")),
    }
}

fn likely(short: &str) -> String {
    if let Some((_, setting)) = INVENTED.iter().find(|(word, _)| *word == short) {
        return format!("; did you mean {OWN_PREFIX}{}?", setting.to_ascii_uppercase());
    }
    let of_rabbitmq =
        VARIABLES.iter().map(|(name, _)| *name).chain(OTHERS.iter().filter_map(|name| name.strip_prefix(PREFIX)));
    if let Some(known) = nearest(short, of_rabbitmq) {
        return format!("; did you mean {PREFIX}{known}?");
    }
    let own = nearest(short, SETTINGS.iter().map(|setting| setting.name));
    own.map(|own| format!("; did you mean {OWN_PREFIX}{}?", own.to_ascii_uppercase())).unwrap_or_default()
}

/// Where RabbitMQ's two variables say to listen.
fn listen(environment: &Environment, read: &mut GivenSettings) {
    let port = environment.get(NODE_PORT).filter(|value| !is_service_link(NODE_PORT, value));
    let address = environment.get(NODE_ADDRESS).filter(|value| !value.is_empty() && *value != "auto");
    let Some(name) = port.map(|_| NODE_PORT).or_else(|| address.map(|_| NODE_ADDRESS)) else { return };
    let port = port.filter(|port| !port.is_empty()).unwrap_or("5672");
    let text = place(address, port);
    if let Some(setting) = Setting::find("amqp_listen") {
        read.given.push(setting.given(vec![text], Origin::Variable(name.to_owned())));
    }
}

/// The variables of certificates alone made RabbitMQ's image listen with TLS, on its ports.
fn listen_with_certificates(environment: &Environment, read: &mut GivenSettings) {
    for (variable, setting, place) in [
        ("RABBITMQ_SSL_CERTFILE", "amqps_listen", ":5671"),
        ("RABBITMQ_MANAGEMENT_SSL_CERTFILE", "https_listen", ":15671"),
    ] {
        if let (Some(_), Some(setting)) = (environment.get(variable), Setting::find(setting)) {
            read.given.push(setting.given(vec![place.to_owned()], Origin::Variable(variable.to_owned())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given<const N: usize>(variables: [(&str, &str); N]) -> Vec<(&'static str, String)> {
        let read = read(&Environment::from(variables));
        assert_eq!(read.problems, []);
        read.given.into_iter().map(|given| (given.setting.name, given.texts.join("|"))).collect()
    }

    fn told<const N: usize>(variables: [(&str, &str); N]) -> Vec<String> {
        read(&Environment::from(variables)).problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_row_names_a_setting_that_there_is() {
        for (variable, meaning) in VARIABLES {
            if let Sets(setting, _) = meaning {
                assert!(Setting::find(setting).is_some(), "{variable}: {setting}");
            }
        }
        for (word, setting) in INVENTED {
            assert!(Setting::find(setting).is_some(), "{word}: {setting}");
        }
    }

    /// Those that RabbitMQ 4.3 and its scripts read.
    #[test]
    fn every_variable_of_rabbitmq_is_known() {
        let names = "ADVANCED_CONFIG_FILE ALLOW_INPUT BASE BOOT_MODULE CONFIG_FILE CONFIG_FILES CONF_ENV_FILE CTL_DIST_PORT_MAX \
            CTL_DIST_PORT_MIN CTL_ERL_ARGS DBG DEFAULT_ALLOC_ARGS DEFAULT_PASS DEFAULT_USER DEFAULT_VHOST DISTRIBUTION_BUFFER_SIZE \
            DIST_PORT ENABLED_PLUGINS ENABLED_PLUGINS_FILE ERLANG_COOKIE FEATURE_FLAGS FEATURE_FLAGS_FILE HOME IGNORE_SIGINT \
            KEEP_PID_FILE_ON_EXIT LOG LOGS LOG_BASE MAX_NUMBER_OF_ATOMS MAX_NUMBER_OF_PROCESSES MAX_OPEN_FILES MNESIA_BASE MNESIA_DIR \
            MOTD_FILE NODENAME NODE_IP_ADDRESS NODE_ONLY NODE_PORT PID_FILE PLUGINS_DIR PLUGINS_EXPAND_DIR PRODUCT_NAME PRODUCT_VERSION \
            QUORUM_DIR SCHEDULER_BIND_TYPE SCHEDULER_BUSY_WAIT_THRESHOLD SCRIPTS_DIR SERVER_ADDITIONAL_ERL_ARGS SERVER_CODE_PATH \
            SERVER_ERL_ARGS SERVER_START_ARGS STREAM_DIR USE_LONGNAME";
        for short in names.split_whitespace() {
            let name = format!("{PREFIX}{short}");
            let is_known = VARIABLES.iter().any(|(known, _)| *known == short) || OTHERS.contains(&name.as_str());
            assert!(is_known, "{name}");
        }
    }

    #[test]
    fn variables_of_the_official_image_are_understood() {
        let values = given([
            ("RABBITMQ_DEFAULT_USER", "anna"),
            ("RABBITMQ_DEFAULT_PASS", "pass,word"),
            ("RABBITMQ_DEFAULT_VHOST", "shop"),
            ("RABBITMQ_VM_MEMORY_HIGH_WATERMARK", "0.6"),
        ]);
        let expected = [
            ("default_pass", "pass,word"),
            ("default_user", "anna"),
            ("default_vhost", "shop"),
            ("memory_high_watermark", "60.0%"),
        ];
        assert_eq!(values, expected.map(|(name, value)| (name, value.to_owned())));
    }

    /// RabbitMQ's image once made listeners of them; today it refuses to start.
    #[test]
    fn certificates_of_the_old_image_are_listened_with() {
        let values = given([("RABBITMQ_SSL_CERTFILE", "/c.pem"), ("RABBITMQ_SSL_VERIFY", "verify_peer")]);
        let expected = [("tls_cert", "/c.pem"), ("tls_verify", "peer"), ("amqps_listen", ":5671")];
        assert_eq!(values, expected.map(|(name, value)| (name, value.to_owned())));
        let values = given([("RABBITMQ_MANAGEMENT_SSL_CERTFILE", "/c.pem")]);
        let expected = [("https_cert", "/c.pem"), ("https_listen", ":15671")];
        assert_eq!(values, expected.map(|(name, value)| (name, value.to_owned())));
    }

    /// A wrong value is told with the name of its variable, and what is allowed.
    #[test]
    fn every_wrong_value_of_every_variable_is_one_line() {
        for (short, meaning) in VARIABLES {
            let Sets(name, convert) = meaning else { continue };
            let setting = Setting::find(name).unwrap();
            let is_wrong = |wrong: &&str| convert(wrong).and_then(|value| (setting.check)(&value)).is_err();
            // Names, passwords and paths may be nearly anything.
            let Some(wrong) = ["(", ""].into_iter().find(is_wrong) else { continue };
            let name = format!("{PREFIX}{short}");
            let environment = Environment::from([(name.as_str(), wrong)]);
            let serve = crate::config::Serve { config: vec!["/dev/null".into()], ..crate::config::Serve::default() };
            let told: Vec<_> = crate::config::load(&serve, &environment).wrong().map(ToString::to_string).collect();
            assert!(told[0].starts_with(&format!("{name}: it cannot be '{wrong}': allowed is ")), "{told:?}");
            assert!(told.len() == 1 && told[0].lines().count() == 1, "{told:?}");
        }
    }

    #[test]
    fn the_log_is_where_the_variables_say() {
        let place = |name: &'static str, value: &str| (name, value.to_owned());
        assert_eq!(given([("RABBITMQ_LOGS", "-")]), [place("log_file", "-")]);
        assert_eq!(given([("RABBITMQ_LOG_BASE", "/logs")]), [place("log_dir", "/logs")]);
        let levels = [place("log_level", "debug"), place("log_categories", "connection=error|queue=info")];
        assert_eq!(given([("RABBITMQ_LOG", "debug,+color,connection=error,queue=info,ra=debug")]), levels);
    }

    #[test]
    fn port_and_address_are_one_place() {
        let place = |text: &str| [("amqp_listen", text.to_owned())];
        assert_eq!(given([("RABBITMQ_NODE_PORT", "5673")]), place(":5673"));
        assert_eq!(given([("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")]), place("127.0.0.1:5672"));
        let both = [("RABBITMQ_NODE_IP_ADDRESS", "::1"), ("RABBITMQ_NODE_PORT", "1")];
        assert_eq!(given(both), place("[::1]:1"));
    }

    #[test]
    fn what_is_not_understood_is_named_with_the_likely_one() {
        let likely = |name: &str, meant: &str| {
            let expected = format!("{name}: is no variable that has an effect; did you mean {meant}?");
            assert_eq!(told([(name, "x")]), [expected]);
        };
        likely("RABBITMQ_DEFAULT_USERS", "RABBITMQ_DEFAULT_USER");
        likely("RABBITMQ_DEFAULT_PASSWORD", "RABBITMQ_DEFAULT_PASS");
        likely("RABBITMQ_MANAGEMENT_PORT", "LEVERET_HTTP_LISTEN");
        likely("RABBITMQ_HEARTBEAT", "LEVERET_HEARTBEAT");
        assert_eq!(told([("RABBITMQ_COLOUR", "red")]), ["RABBITMQ_COLOUR: is no variable that has an effect"]);
        let cookie = told([("RABBITMQ_ERLANG_COOKIE", "secret")]);
        assert!(cookie[0].starts_with("RABBITMQ_ERLANG_COOKIE: is not needed: "), "{cookie:?}");
    }

    #[test]
    fn what_kubernetes_or_a_client_wants_is_not_read() {
        let links = given([
            ("RABBITMQ_PORT", "tcp://10.0.0.1:5672"),
            ("RABBITMQ_SERVICE_PORT_AMQP", "5672"),
            ("RABBITMQ_NODE_PORT", "tcp://10.0.0.1:5672"),
            ("RABBITMQ_URL", "amqp://rabbitmq"),
            ("RABBITMQ_HOST", "rabbitmq"),
        ]);
        assert_eq!(links, []);
    }
}
