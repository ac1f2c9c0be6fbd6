//! Reads the command line of `rabbitmqadmin`, of its first and of its second version.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::commands::client::Client;
use crate::commands::target::{TlsOptions, Wanted, http};

/// How lists are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Format {
    #[default]
    Table,
    Tsv,
    Long,
    PrettyJson,
    RawJson,
    KeyValue,
    Bash,
}

/// A command line that has been understood.
#[derive(Debug, Default)]
pub(super) struct Request {
    /// Words that are no pairs: `declare`, `queue`; names of columns.
    pub(super) words: Vec<String>,
    /// What was written as `key=value` or `--key value`.
    pub(super) pairs: BTreeMap<String, String>,
    pub(super) vhost: Option<String>,
    pub(super) format: Format,
    pub(super) quiet: bool,
    /// To delete what is not there is no failure.
    pub(super) is_idempotent: bool,
    base_uri: Option<String>,
    host: Option<String>,
    port: Option<String>,
    path_prefix: Option<String>,
    /// HTTPS, to the broker of this machine if none is named.
    has_tls: bool,
    tls: TlsOptions,
    username: Option<String>,
    password: Option<String>,
}

/// Options that say how to ask, by name and letter.
const GENERAL: &[(&str, char)] = &[
    ("host", 'H'),
    ("port", 'P'),
    ("base-uri", 'U'),
    ("path-prefix", '\0'),
    ("username", 'u'),
    ("password", 'p'),
    ("vhost", 'V'),
    ("format", 'f'),
];
/// Options with a value that change nothing here.
const IGNORED: &[(&str, char)] =
    &[("node", 'N'), ("config", 'c'), ("depth", 'd'), ("sort", 'S'), ("timeout", 't'), ("table-style", '\0')];
/// Files for TLS, by the names of both versions.
const FILES: &[(&str, char)] = &[
    ("tls-ca-cert-file", '\0'),
    ("ssl-ca-cert-file", '\0'),
    ("tls-cert-file", '\0'),
    ("ssl-cert-file", '\0'),
    ("tls-key-file", '\0'),
    ("ssl-key-file", '\0'),
];
/// Options without a value.
const FLAGS: &[(&str, char)] = &[
    ("quiet", 'q'),
    ("non-interactive", '\0'),
    ("ssl", 's'),
    ("use-tls", '\0'),
    ("sort-reverse", 'R'),
    ("ssl-insecure", 'k'),
    ("insecure", '\0'),
    ("idempotently", '\0'),
];

impl Request {
    /// # Errors
    /// What cannot be understood.
    pub(super) fn read(arguments: &[String]) -> Result<Self, String> {
        let mut request = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let (name, written) = parted(argument);
            let mut value = || match &written {
                Some(value) => Ok(value.clone()),
                None => rest.next().cloned().ok_or_else(|| format!("{name} needs a value")),
            };
            if let Some(option) = find(GENERAL, name).filter(|option| !request.is_own(name, option)) {
                let value = value()?;
                request.set(option, value)?;
            } else if let Some(option) = find(FILES, name) {
                let file = PathBuf::from(value()?);
                request.set_file(option, file);
            } else if find(IGNORED, name).is_some() {
                value()?;
            } else if let Some(flag) = find(FLAGS, name) {
                request.set_flag(flag);
            } else if let Some(key) = name.strip_prefix("--") {
                let value = value()?;
                request.pairs.insert(key.replace('-', "_"), value);
            } else if let Some((key, value)) =
                // Only where pairs belong: the name of a file may hold `=`, too.
                argument
                    .split_once('=')
                    .filter(|_| request.words.len() > 1 || is_verb_with_pairs(&request.words))
            {
                request.pairs.insert(key.replace('-', "_"), value.to_owned());
            } else if argument.starts_with('-') && argument.len() > 1 {
                return Err(format!("the option {argument} is not known; see rabbitmqadmin --help"));
            } else {
                request.words.push(argument.clone());
            }
        }
        in_order(&mut request.words);
        Ok(request)
    }

    /// Whether an option belongs to what is asked for: a user has a password of its own, and the check of a port its port.
    fn is_own(&self, written: &str, option: &str) -> bool {
        let has = |wanted: &[&str]| self.words.iter().any(|word| wanted.contains(&word.as_str()));
        let is_its_own = match option {
            "password" => has(&["user", "users"]),
            "port" => has(&["port_listener"]),
            _ => false,
        };
        written.starts_with("--") && is_its_own
    }

    fn set(&mut self, option: &str, value: String) -> Result<(), String> {
        match option {
            "host" => self.host = Some(value),
            "port" => self.port = Some(value),
            "base-uri" => self.base_uri = Some(value),
            "path-prefix" => self.path_prefix = Some(value),
            "username" => self.username = Some(value),
            "password" => self.password = Some(value),
            "vhost" => self.vhost = Some(value),
            _ => self.format = format_named(&value).ok_or_else(|| format!("the format {value} is not known"))?,
        }
        Ok(())
    }

    fn set_flag(&mut self, flag: &str) {
        self.quiet |= flag == "quiet";
        self.is_idempotent |= flag == "idempotently";
        self.has_tls |= matches!(flag, "ssl" | "use-tls");
        self.tls.is_insecure |= matches!(flag, "ssl-insecure" | "insecure");
    }

    fn set_file(&mut self, option: &str, file: PathBuf) {
        match option {
            "tls-ca-cert-file" | "ssl-ca-cert-file" => self.tls.ca_file = Some(file),
            "tls-cert-file" | "ssl-cert-file" => self.tls.cert_file = Some(file),
            _ => self.tls.key_file = Some(file),
        }
    }

    /// A word by its place; empty if it is not there.
    pub(super) fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", String::as_str)
    }

    /// The value of a pair.
    pub(super) fn pair(&self, key: &str) -> Option<&str> {
        self.pairs.get(key).map(String::as_str)
    }

    /// # Errors
    /// When a pair is missing.
    pub(super) fn required(&self, key: &str) -> Result<&str, String> {
        self.pair(key).ok_or_else(|| format!("mandatory argument '{key}' is missing"))
    }

    /// The virtual host of what is declared.
    pub(super) fn own_vhost(&self) -> &str {
        self.pair("vhost").or(self.vhost.as_deref()).unwrap_or("/")
    }

    /// Whoever asks: the broker of this machine, unless an address or a user is given.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn client(&self) -> Result<Client, String> {
        let said = [&self.base_uri, &self.host, &self.port, &self.username];
        let is_remote = self.has_tls || said.into_iter().any(Option::is_some);
        let local = if is_remote { None } else { Wanted::from_configuration().find().ok() };
        let target = match local {
            Some(target) => target,
            None => http(&self.url(), self.username.as_deref(), self.password.as_deref(), &self.tls)?,
        };
        Client::new(target, None).map_err(|problem| problem.to_string())
    }

    /// Where the API is. The first version names what is before `/api`, the second one that with it.
    fn url(&self) -> String {
        let (scheme, usual_port) = if self.has_tls { ("https", "15671") } else { ("http", "15672") };
        let (host, port) = (self.host.as_deref().unwrap_or("localhost"), self.port.as_deref().unwrap_or(usual_port));
        let place = self.base_uri.clone().unwrap_or_else(|| format!("{scheme}://{host}:{port}"));
        match self.path_prefix.as_deref().map(|prefix| prefix.trim_start_matches('/')) {
            Some(prefix) if !prefix.is_empty() => format!("{}/{prefix}", place.trim_end_matches('/')),
            _ => place,
        }
    }
}

/// An option, and its value if that is written behind `=`.
fn parted(argument: &str) -> (&str, Option<String>) {
    match argument.split_once('=') {
        Some((name, value)) if name.starts_with('-') => (name, Some(value.to_owned())),
        _ => (argument, None),
    }
}

/// What the second version puts before its verbs, where the first one has the verb first.
const GROUPS: &[&str] = &[
    "queues",
    "exchanges",
    "bindings",
    "users",
    "vhosts",
    "permissions",
    "policies",
    "operator_policies",
    "parameters",
    "vhost_limits",
    "user_limits",
    "connections",
    "channels",
    "consumers",
    "nodes",
    "feature_flags",
];

/// Makes `list queues` of `queues list`.
fn in_order(words: &mut [String]) {
    let [group, verb, ..] = words else { return };
    let is_verb = matches!(verb.as_str(), "list" | "declare" | "delete" | "purge" | "close");
    if is_verb && GROUPS.contains(&group.as_str()) {
        std::mem::swap(group, verb);
    }
}

/// `get` and `publish` have pairs behind one word.
fn is_verb_with_pairs(words: &[String]) -> bool {
    words.first().is_some_and(|word| matches!(word.as_str(), "get" | "publish"))
}

fn find<'a>(known: &[(&'a str, char)], written: &str) -> Option<&'a str> {
    let is_it = |(name, letter): &&(&str, char)| {
        written.strip_prefix("--") == Some(*name)
            || written.strip_prefix('-').is_some_and(|short| short == letter.to_string())
    };
    known.iter().find(is_it).map(|(name, _)| *name)
}

fn format_named(name: &str) -> Option<Format> {
    Some(match name {
        "table" => Format::Table,
        "tsv" => Format::Tsv,
        "long" => Format::Long,
        "pretty_json" | "json" => Format::PrettyJson,
        "raw_json" => Format::RawJson,
        "kvp" => Format::KeyValue,
        "bash" => Format::Bash,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Request {
        Request::read(&line.split(' ').map(str::to_owned).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn both_versions_say_the_same() {
        for line in [
            "-V v declare queue name=q durable=true",
            "--vhost v declare queue --name q --durable true",
            "declare queue name=q durable=true --vhost=v",
        ] {
            let request = read(line);
            assert_eq!(request.words, ["declare", "queue"], "{line}");
            assert_eq!(
                (request.own_vhost(), request.pair("name"), request.pair("durable")),
                ("v", Some("q"), Some("true")),
                "{line}"
            );
        }
        assert_eq!(read("get queue=q count=2").pair("count"), Some("2"));
        assert_eq!(read("publish routing_key=k payload=a=b").pair("payload"), Some("a=b"));
        let user = read("-u admin -p secret declare user --name u --password own --tags x");
        assert_eq!((user.pair("password"), user.password.as_deref()), (Some("own"), Some("secret")));
    }

    #[test]
    fn the_second_versions_groups_may_come_before_the_verb() {
        assert_eq!(read("queues list name messages").words, ["list", "queues", "name", "messages"]);
        assert_eq!(read("users declare --name u --password own").pair("password"), Some("own"));
        assert_eq!(read("--vhost v queues delete --name q --idempotently").words, ["delete", "queues"]);
        assert_eq!(read("definitions export").words, ["definitions", "export"]);
    }

    #[test]
    fn the_port_of_a_health_check_is_not_that_of_the_api() {
        let checked = read("--port 15673 health_check port_listener --port 5672");
        assert_eq!((checked.pair("port"), checked.port.as_deref()), (Some("5672"), Some("15673")));
        assert_eq!(read("list queues --port 15673").port.as_deref(), Some("15673"));
    }
}
