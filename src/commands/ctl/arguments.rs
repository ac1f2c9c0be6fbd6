//! Reads the command line of RabbitMQ's tools: a verb, its arguments, and options before, between and behind them.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::failure::Failure;
use super::verb::{Switch, Tool, Verb, flag, value};
use crate::commands::client::Client;
use crate::commands::system;
use crate::commands::target::{TlsOptions, Wanted};

/// Options that every verb has.
const GENERAL: &[Switch] = &[
    Switch { name: "node", letter: Some('n'), takes_value: true },
    Switch { name: "quiet", letter: Some('q'), takes_value: false },
    Switch { name: "silent", letter: Some('s'), takes_value: false },
    Switch { name: "timeout", letter: Some('t'), takes_value: true },
    Switch { name: "longnames", letter: Some('l'), takes_value: false },
    Switch { name: "vhost", letter: Some('p'), takes_value: true },
    Switch { name: "help", letter: Some('?'), takes_value: false },
    value("formatter"),
    value("printer"),
    value("file"),
    value("script-name"),
    value("erlang-cookie"),
    value("rabbitmq-home"),
    value("mnesia-dir"),
    value("data-dir"),
    value("plugins-dir"),
    value("enabled-plugins-file"),
    value("aliases-file"),
    flag("dry-run"),
    flag("no-table-headers"),
    flag("table-headers"),
    // Leveret's own: which broker, and how to reach it.
    value("socket"),
    value("port"),
    value("url"),
    value("username"),
    value("password"),
    value("tls-ca-cert-file"),
    value("tls-cert-file"),
    value("tls-key-file"),
    flag("insecure"),
];

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Table,
    PrettyTable,
    Csv,
    Json,
    Erlang,
}

/// A command line that has been understood.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) tool: Tool,
    pub(super) verb: &'static Verb,
    pub(super) arguments: Vec<String>,
    /// The command line as it was written.
    pub(super) given: Vec<String>,
    options: BTreeMap<&'static str, String>,
    /// What was chosen; each verb has a form of its own otherwise.
    pub(super) format: Option<Format>,
    timeout_s: Option<u64>,
    client: OnceCell<Client>,
    node: OnceCell<String>,
}

/// The first argument that is no option and no value of one.
pub(super) fn verb_name(arguments: &[String]) -> Option<&str> {
    let mut at = 0;
    while let Some(argument) = arguments.get(at) {
        match option(GENERAL, argument) {
            Some(Found { switch, value: None }) if switch.takes_value => at += 2,
            Some(_) => at += 1,
            // An option of the verb, which is not known yet. In front of it a value must be joined with `=`.
            None if argument.starts_with('-') && argument.len() > 1 => at += 1,
            None => return Some(argument),
        }
    }
    None
}

/// Whether `--help` is among them.
pub(super) fn asks_for_help(arguments: &[String]) -> bool {
    arguments.iter().any(|argument| matches!(argument.as_str(), "--help" | "-?"))
}

struct Found<'a> {
    switch: Switch,
    /// What stands behind an equals sign, or after the letter.
    value: Option<&'a str>,
}

/// The option that an argument is.
fn option<'a>(known: &[Switch], argument: &'a str) -> Option<Found<'a>> {
    if let Some(long) = argument.strip_prefix("--") {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        };
        let name = name.replace('_', "-");
        return known.iter().find(|switch| switch.name == name).map(|switch| Found { switch: *switch, value });
    }
    let short = argument.strip_prefix('-')?;
    let letter = short.chars().next()?;
    // From the end, as a letter of the verb goes before the same one of all verbs.
    let switch = known.iter().rev().find(|switch| switch.letter == Some(letter))?;
    let rest = short.get(letter.len_utf8()..).filter(|rest| !rest.is_empty());
    match rest {
        Some(_) if !switch.takes_value => None,
        rest => Some(Found { switch: *switch, value: rest.map(|rest| rest.strip_prefix('=').unwrap_or(rest)) }),
    }
}

/// A command line in its parts.
#[derive(Default)]
struct Words {
    /// The verb, and what is no option.
    arguments: Vec<String>,
    options: BTreeMap<&'static str, String>,
    /// Options that are not known, or have no value or a senseless one.
    wrong: Vec<String>,
}

impl Words {
    fn split(known: &[Switch], given: &[String]) -> Self {
        let mut words = Self::default();
        let mut rest = given.iter();
        while let Some(argument) = rest.next() {
            match option(known, argument) {
                Some(Found { switch, value: None }) if switch.takes_value => match rest.next() {
                    Some(value) => drop(words.options.insert(switch.name, value.clone())),
                    None => words.wrong.push(format!("{argument} : ")),
                },
                Some(Found { switch, value }) => {
                    words.options.insert(switch.name, value.unwrap_or("true").to_owned());
                }
                None if argument.starts_with('-') && argument.len() > 1 => words.wrong.push(format!("{argument} : ")),
                None => words.arguments.push(argument.clone()),
            }
        }
        words
    }

    /// What the value of an option means, if the option is given.
    fn value<T>(&mut self, name: &str, read: fn(&str) -> Option<T>) -> Option<T> {
        let text = self.options.get(name)?;
        let meaning = read(text);
        if meaning.is_none() {
            self.wrong.push(format!("--{name} : {text}"));
        }
        meaning
    }
}

impl Invocation {
    /// # Errors
    /// What RabbitMQ's tools say of a command line that they cannot understand.
    pub(super) fn read(tool: Tool, verb: &'static Verb, given: &[String]) -> Result<Self, String> {
        let known: Vec<Switch> = GENERAL.iter().chain(verb.switches).copied().collect();
        let mut words = Words::split(&known, given);
        let timeout_s = words.value("timeout", seconds).flatten();
        let format = words.value("formatter", format_named);
        let Words { mut arguments, options, wrong } = words;
        if !wrong.is_empty() {
            return Err(format!("Invalid options for this command:\n{}", wrong.join("\n")));
        }
        // The verb itself.
        let arguments = arguments.split_off(1.min(arguments.len()));
        let (least, most) = verb.arguments;
        match arguments.len() {
            count if count < least => return Err("not enough arguments.".to_owned()),
            count if count > most => return Err("too many arguments.".to_owned()),
            _ => {}
        }
        let (client, node) = (OnceCell::new(), OnceCell::new());
        Ok(Self { tool, verb, arguments, given: given.to_vec(), options, format, timeout_s, client, node })
    }

    /// An argument; empty if it is not there.
    pub(super) fn argument(&self, at: usize) -> &str {
        self.arguments.get(at).map_or("", String::as_str)
    }

    /// The arguments from one on, as one text.
    pub(super) fn rest(&self, from: usize) -> String {
        self.arguments.get(from..).unwrap_or_default().join(" ")
    }

    /// The value of an option.
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// Whether an option is given and not switched off.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.option(name).is_some_and(|value| value != "false")
    }

    /// The virtual host that is meant.
    pub(super) fn vhost(&self) -> &str {
        self.option("vhost").unwrap_or("/")
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.is_set("quiet") || self.is_silent()
    }

    pub(super) fn is_silent(&self) -> bool {
        self.is_set("silent")
    }

    /// Whether it is said what is going to be done. It would spoil what programs read.
    pub(super) fn shows_banner(&self) -> bool {
        !self.is_quiet() && !matches!(self.format, Some(Format::Json | Format::Csv))
    }

    pub(super) fn shows_header(&self) -> bool {
        !self.is_silent() && !self.is_set("no-table-headers")
    }

    /// How long it may take, in seconds; `None` is for ever.
    pub(super) fn timeout_s(&self, otherwise: u64) -> Option<u64> {
        match (self.option("timeout"), self.timeout_s) {
            (Some("infinity"), _) => None,
            (_, Some(seconds)) => Some(seconds),
            (_, None) => Some(otherwise),
        }
    }

    /// Whoever asks the broker.
    ///
    /// # Errors
    /// When there is no broker to ask.
    pub(super) fn client(&self) -> Result<&Client, Failure> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = self.connect()?;
        self.check_node(&client)?;
        Ok(self.client.get_or_init(|| client))
    }

    fn connect(&self) -> Result<Client, Failure> {
        let configured = Wanted::from_configuration();
        let text = |name| self.option(name).map(str::to_owned);
        let port = match self.option("port") {
            Some(port) => Some(port.parse().map_err(|_none| Failure::usage(format!("{port} is no port")))?),
            None => configured.port,
        };
        let wanted = Wanted {
            socket: text("socket").map(PathBuf::from).or(configured.socket),
            data_dir: text("data-dir").map(PathBuf::from).or(configured.data_dir),
            port,
            url: text("url").or(configured.url),
            user: text("username"),
            password: text("password"),
            tls: TlsOptions {
                ca_file: text("tls-ca-cert-file").map(PathBuf::from),
                cert_file: text("tls-cert-file").map(PathBuf::from),
                key_file: text("tls-key-file").map(PathBuf::from),
                is_insecure: self.is_set("insecure"),
            },
        };
        let target = wanted.find().map_err(Failure::unreachable)?;
        let patience = self.timeout_s(DEFAULT_TIMEOUT_S).map(Duration::from_secs);
        Client::new(target, patience).map_err(Failure::from)
    }

    /// Somebody who names another node does not mean the broker that was found.
    fn check_node(&self, client: &Client) -> Result<(), Failure> {
        let Some(wanted) = self.option("node") else { return Ok(()) };
        let overview = client.get("/overview?columns=node")?;
        let node = overview.get("node").and_then(serde_json::Value::as_str).unwrap_or_default();
        if is_same_node(wanted, node, system::hostname().as_deref()) {
            return Ok(());
        }
        Err(Failure::unreachable(format!("{} is the node {node}", client.target())))
    }

    /// The name of the node, for people: what was asked for, or what the broker calls itself.
    pub(super) fn node(&self) -> &str {
        self.node.get_or_init(|| {
            if let Some(node) = self.option("node") {
                return node.to_owned();
            }
            let overview = self.client().ok().and_then(|client| client.get("/overview?columns=node").ok());
            let node = overview.and_then(|overview| Some(overview.get("node")?.as_str()?.to_owned()));
            node.unwrap_or_else(|| "rabbit@localhost".to_owned())
        })
    }
}

/// RabbitMQ's tools wait so long for an answer.
pub(super) const DEFAULT_TIMEOUT_S: u64 = 60;

/// `Some(None)` is for ever.
#[expect(clippy::option_option, reason = "not a number, no limit, or a number")]
fn seconds(text: &str) -> Option<Option<u64>> {
    if text == "infinity" {
        return Some(None);
    }
    text.parse().ok().map(Some)
}

fn format_named(name: &str) -> Option<Format> {
    Some(match name {
        "table" | "string" | "string_per_line" | "string_per_item" => Format::Table,
        "pretty_table" => Format::PrettyTable,
        "csv" => Format::Csv,
        "json" | "json_stream" => Format::Json,
        "erlang" | "inspect" => Format::Erlang,
        _ => return None,
    })
}

/// Whether a name means the node. The host part of a node's name is the machine's, and this broker may not have been told it.
fn is_same_node(wanted: &str, node: &str, hostname: Option<&str>) -> bool {
    let split = |name: &str| match name.split_once('@') {
        Some((name, host)) => (name.to_owned(), Some(host.to_owned())),
        None => (name.to_owned(), None),
    };
    let ((wanted_name, wanted_host), (name, host)) = (split(wanted), split(node));
    let is_this_machine = |host: &str| {
        let own = hostname.unwrap_or_default();
        host == "localhost" || host == own || Some(host) == own.split('.').next()
    };
    let same_host = match (&wanted_host, &host) {
        (None, _) => true,
        (Some(wanted), Some(host)) => wanted == host || is_this_machine(wanted),
        (Some(wanted), None) => is_this_machine(wanted),
    };
    wanted_name == name && same_host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_known_by_the_names_of_its_machine() {
        for wanted in ["rabbit", "rabbit@localhost", "rabbit@box", "rabbit@box.lan"] {
            assert!(is_same_node(wanted, "rabbit@localhost", Some("box.lan")), "{wanted}");
        }
        assert!(is_same_node("rabbit@my-rabbit", "rabbit@my-rabbit", Some("box")));
        assert!(!is_same_node("nosuch@localhost", "rabbit@localhost", Some("box")));
        assert!(!is_same_node("rabbit@elsewhere", "rabbit@localhost", Some("box")));
    }
}
