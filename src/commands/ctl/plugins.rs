//! `rabbitmq-plugins`: what is built in is always there; the file of enabled plugins is kept as RabbitMQ keeps it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::arguments::{Format, Invocation};
use super::failure::Failure;
use super::output::Output;
use super::verb::{ANY, Switch, Tool, Verb, flag};
use crate::commands::exit;

pub(super) const VERBS: &[Verb] = &[
    Verb::new("list", PLUGINS, "Lists plugins and their state", list)
        .takes(0, 1, "[pattern] [--verbose] [--minimal] [--enabled] [--implicitly-enabled]")
        .switches(&[
            Switch { name: "verbose", letter: Some('v'), takes_value: false },
            Switch { name: "minimal", letter: Some('m'), takes_value: false },
            Switch { name: "enabled", letter: Some('e'), takes_value: false },
            Switch { name: "implicitly-enabled", letter: Some('E'), takes_value: false },
        ])
        .says(|it| Some(format!("Listing plugins with pattern \"{}\" ...", pattern(it)))),
    Verb::new("enable", PLUGINS, "Enables plugins", |it| change(it, |enabled, named| enabled.extend(named)))
        .takes(0, ANY, "<plugin1> [ <plugin2>] | --all [--offline] [--online]")
        .switches(&[flag("offline"), flag("online"), flag("all")])
        .checks(check_named)
        .says(|it| Some(format!("Enabling plugins on node {}:\n{}", it.node(), it.arguments.join("\n")))),
    Verb::new("disable", PLUGINS, "Disables plugins", |it| {
        change(it, |enabled, named| enabled.retain(|plugin| !named.contains(plugin)))
    })
    .takes(0, ANY, "<plugin1> [ <plugin2>] | --all [--offline] [--online]")
    .switches(&[flag("offline"), flag("online"), flag("all")])
    .checks(check_named)
    .says(|it| Some(format!("Disabling plugins on node {}:\n{}", it.node(), it.arguments.join("\n")))),
    Verb::new("set", PLUGINS, "Enables these plugins and no others", set)
        .takes(0, ANY, "[<plugin1> [ <plugin2>] ...] [--offline] [--online]")
        .switches(&[flag("offline"), flag("online")])
        .says(|it| Some(format!("Enabling plugins on node {}:\n{}", it.node(), it.arguments.join("\n")))),
    Verb::new("is_enabled", PLUGINS, "Fails unless plugins are enabled", is_enabled)
        .takes(1, ANY, "<plugin1> [ <plugin2>] [--offline] [--online]")
        .switches(&[flag("offline"), flag("online")])
        .says(|it| {
            let plural = if it.arguments.len() == 1 { ("plugin", "is") } else { ("plugins", "are") };
            Some(format!(
                "Asking node {} if {} {} {} enabled...",
                it.node(),
                plural.0,
                it.arguments.join(", "),
                plural.1
            ))
        }),
    Verb::new("directories", PLUGINS, "Displays where RabbitMQ's tools look for plugins", directories)
        .switches(&[flag("offline"), flag("online")])
        .says(|it| Some(format!("Listing plugin directories used by node {}", it.node()))),
];

const PLUGINS: &[Tool] = &[Tool::Plugins];

/// Plugins whose work this broker does by itself, always.
const BUILT_IN: &[&str] = &[
    "rabbitmq_consistent_hash_exchange",
    "rabbitmq_delayed_message_exchange",
    "rabbitmq_event_exchange",
    "rabbitmq_management",
    "rabbitmq_management_agent",
    "rabbitmq_prometheus",
    "rabbitmq_random_exchange",
    "rabbitmq_recent_history_exchange",
    "rabbitmq_sharding",
    "rabbitmq_web_dispatch",
];

/// What else comes with RabbitMQ 4.3.
const OF_RABBITMQ: &[&str] = &[
    "rabbitmq_amqp1_0",
    "rabbitmq_auth_backend_cache",
    "rabbitmq_auth_backend_http",
    "rabbitmq_auth_backend_internal_loopback",
    "rabbitmq_auth_backend_ldap",
    "rabbitmq_auth_backend_oauth2",
    "rabbitmq_auth_mechanism_ssl",
    "rabbitmq_exchange_federation",
    "rabbitmq_federation",
    "rabbitmq_federation_common",
    "rabbitmq_federation_management",
    "rabbitmq_federation_prometheus",
    "rabbitmq_jms_topic_exchange",
    "rabbitmq_mqtt",
    "rabbitmq_peer_discovery_aws",
    "rabbitmq_peer_discovery_common",
    "rabbitmq_peer_discovery_consul",
    "rabbitmq_peer_discovery_etcd",
    "rabbitmq_peer_discovery_k8s",
    "rabbitmq_queue_federation",
    "rabbitmq_shovel",
    "rabbitmq_shovel_management",
    "rabbitmq_shovel_prometheus",
    "rabbitmq_stomp",
    "rabbitmq_stream",
    "rabbitmq_stream_common",
    "rabbitmq_stream_management",
    "rabbitmq_top",
    "rabbitmq_tracing",
    "rabbitmq_trust_store",
    "rabbitmq_web_mqtt",
    "rabbitmq_web_mqtt_examples",
    "rabbitmq_web_stomp",
    "rabbitmq_web_stomp_examples",
];

/// Where the list of enabled plugins is.
pub(super) fn file() -> PathBuf {
    std::env::var_os("RABBITMQ_ENABLED_PLUGINS_FILE")
        .map_or_else(|| PathBuf::from("/etc/rabbitmq/enabled_plugins"), PathBuf::from)
}

/// What the file enables: one list of names, for Erlang.
fn in_file() -> BTreeSet<String> {
    let text = std::fs::read_to_string(file()).unwrap_or_default();
    names(&text)
}

fn names(text: &str) -> BTreeSet<String> {
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == '@';
    let lines = text.lines().map(|line| line.split('%').next().unwrap_or_default());
    lines
        .flat_map(|line| line.split(move |character| !is_name(character)))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn write(enabled: &BTreeSet<String>) -> std::io::Result<()> {
    let names: Vec<_> = enabled.iter().map(String::as_str).collect();
    std::fs::write(file(), format!("[{}].\n", names.join(",")))
}

fn is_built_in(plugin: &str) -> bool {
    BUILT_IN.contains(&plugin)
}

/// Whether RabbitMQ would find it.
fn is_known(plugin: &str) -> bool {
    is_built_in(plugin) || OF_RABBITMQ.contains(&plugin)
}

fn check_named(it: &Invocation) -> Result<(), Failure> {
    if it.arguments.is_empty() && !it.is_set("all") {
        return Err(Failure::usage("not enough arguments."));
    }
    Ok(())
}

fn named(it: &Invocation) -> BTreeSet<String> {
    if it.is_set("all") {
        return BUILT_IN.iter().map(|&plugin| plugin.to_owned()).collect();
    }
    it.arguments
        .iter()
        .flat_map(|argument| argument.split([',', ' ']))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// As RabbitMQ has it: what is to be the whole list must be there, while `enable` and `disable` take any name and warn.
fn set(it: &Invocation) -> Result<Output, Failure> {
    let unknown: Vec<_> = named(it).into_iter().filter(|plugin| !is_known(plugin)).collect();
    if !unknown.is_empty() {
        let text = format!("The following plugins were not found: {}", unknown.join(", "));
        return Err(Failure::said(exit::DATA, text));
    }
    change(it, |enabled, named| *enabled = named)
}

/// What is done to the list of enabled plugins, with the plugins that were named.
type Change = fn(&mut BTreeSet<String>, BTreeSet<String>);

fn change(it: &Invocation, change: Change) -> Result<Output, Failure> {
    let before = in_file();
    let mut after = before.clone();
    change(&mut after, named(it));
    let missing: Vec<_> = after.iter().filter(|plugin| !is_built_in(plugin)).cloned().collect();
    if after != before {
        let written = write(&after);
        // What is built in is there whatever the file says.
        if let (Err(error), false) = (written, missing.is_empty()) {
            let text = format!("cannot write {}: {error}", file().display());
            return Err(Failure::said(exit::SOFTWARE, text));
        }
    }
    let mut said = Vec::new();
    if !missing.is_empty() {
        said.push(format!("WARNING - plugins currently enabled but missing: {}\n", missing.join(", ")));
    }
    let configured: Vec<_> = after.iter().filter(|plugin| is_built_in(plugin)).collect();
    said.push("The following plugins have been configured:".to_owned());
    said.extend(configured.iter().map(|plugin| format!("  {plugin}")));
    said.push(format!("Applying plugin configuration to {}...", it.node()));
    let changed: Vec<_> = before.symmetric_difference(&after).filter(|plugin| is_built_in(plugin)).collect();
    if changed.is_empty() {
        said.push("Plugin configuration unchanged.".to_owned());
    } else {
        let verb = if after.len() > before.len() { "enabled" } else { "disabled" };
        said.push(format!("The following plugins have been {verb}:"));
        said.extend(changed.iter().map(|plugin| format!("  {plugin}")));
        let count = if verb == "enabled" {
            format!("started {} plugins.", changed.len())
        } else {
            format!("stopped {} plugins.", changed.len())
        };
        said.extend([String::new(), count]);
    }
    let data = json!({ "mode": "online", "set": configured, "enabled": changed });
    let text = if it.is_quiet() { String::new() } else { said.join("\n") + "\n" };
    Ok(Output::Report { text, data })
}

/// What is on: everything that is built in.
fn is_enabled(it: &Invocation) -> Result<Output, Failure> {
    let node = it.node();
    let asked = named(it);
    let missing: Vec<_> = asked.iter().filter(|plugin| !is_built_in(plugin)).cloned().collect();
    let plural = |count: usize| if count == 1 { ("Plugin", "is") } else { ("Plugins", "are") };
    if missing.is_empty() {
        let (noun, verb) = plural(asked.len());
        let asked: Vec<_> = asked.into_iter().collect();
        return Ok(Output::Message(format!("{noun} {} {verb} enabled on node {node}", asked.join(", "))));
    }
    let (noun, verb) = plural(missing.len());
    let text = format!(
        "{noun} {} {verb} not enabled on node {node}. Enabled plugins and dependencies: {}",
        missing.join(", "),
        BUILT_IN.join(", ")
    );
    Err(Failure::said(exit::UNAVAILABLE, text))
}

fn directories(_: &Invocation) -> Result<Output, Failure> {
    let (file, plugins) = (file(), "/plugins");
    let text = format!(
        "Plugin archives directory: {plugins}\nPlugin expansion directory: {plugins}\nEnabled plugins file: {}\n",
        file.display()
    );
    let data = json!({ "plugins_dist_dir": plugins, "plugins_dir": plugins, "enabled_plugins_file": file });
    Ok(Output::Report { text, data })
}

fn pattern(it: &Invocation) -> &str {
    it.arguments.first().map_or(".*", String::as_str)
}

/// A plugin as the list shows it.
struct Listed {
    name: String,
    is_enabled: bool,
    is_running: bool,
}

impl Listed {
    fn line(&self, width: usize, version: &str) -> String {
        let letter = if self.is_enabled { 'E' } else { 'e' };
        let star = if self.is_running { '*' } else { ' ' };
        format!("[{letter}{star}] {:<width$} {version}\n", self.name)
    }

    fn json(&self, version: &str) -> Value {
        let enabled = if self.is_enabled { "enabled" } else { "implicit" };
        json!({
            "name": self.name, "enabled": enabled, "running": self.is_running, "version": version,
            "running_version": version,
        })
    }
}

fn list(it: &Invocation) -> Result<Output, Failure> {
    let unreadable = |error| Failure::usage(format!("the pattern {} cannot be read: {error}", pattern(it)));
    let pattern = fancy_regex::Regex::new(pattern(it)).map_err(unreadable)?;
    let enabled = in_file();
    // A broker that does not run has enabled what the file says, and what is always there.
    let version = super::node::claimed_version();
    let is_running = it.client().and_then(|client| Ok(client.get("/overview?columns=node")?)).is_ok();
    let all: BTreeSet<String> =
        enabled.iter().cloned().chain(BUILT_IN.iter().map(|&plugin| plugin.to_owned())).collect();
    let listed = |name: String| {
        let is_enabled = enabled.contains(&name);
        let is_running = is_running && is_built_in(&name);
        Listed { name, is_enabled, is_running }
    };
    let wanted = all.into_iter().filter(|name| pattern.is_match(name).unwrap_or(false));
    let shown: Vec<Listed> = wanted.map(listed).collect();
    if it.is_set("minimal") {
        let plugins: Vec<String> = shown.into_iter().map(|plugin| plugin.name).collect();
        return Ok(if it.format == Some(Format::Json) {
            Output::Report { text: String::new(), data: Value::from(plugins) }
        } else {
            Output::Lines(plugins)
        });
    }
    let width = shown.iter().map(|plugin| plugin.name.len()).max().unwrap_or(0);
    let lines: String = shown.iter().map(|plugin| plugin.line(width, version)).collect();
    let legend = if it.is_silent() { String::new() } else { legend(is_running.then(|| it.node())) };
    let plugins: Vec<_> = shown.iter().map(|plugin| plugin.json(version)).collect();
    let status = if is_running { "running" } else { "node_down" };
    let data = json!({ "status": status, "format": "normal", "plugins": plugins });
    Ok(Output::Report { text: legend + &lines, data })
}

/// What the marks of the list mean; `None` where no broker runs.
fn legend(node: Option<&str>) -> String {
    let status = match node {
        Some(node) => format!("* = running on {node}"),
        None => "[failed to contact the broker - status not shown]".to_owned(),
    };
    format!(" Configured: E = explicitly enabled; e = implicitly enabled\n | Status: {status}\n |/\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_enabled_plugins_is_read_however_it_is_written() {
        let expected: BTreeSet<_> = ["a", "rabbitmq_mqtt"].map(str::to_owned).into();
        for text in [
            "[a,rabbitmq_mqtt].",
            "[ a ,\n  rabbitmq_mqtt ] .\n",
            "% x\n[a rabbitmq_mqtt].",
            "['a',\"rabbitmq_mqtt\"].",
        ] {
            assert_eq!(names(text), expected, "{text}");
        }
        assert!(names("[].").is_empty());
    }
}
