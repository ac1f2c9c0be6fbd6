//! What changes while the broker runs: the log, limits; and what its configuration is.

use hyper::Method;
use serde_json::{Value, json};

use super::arguments::Invocation;
use super::erlang;
use super::failure::Failure;
use super::health::own_node;
use super::output::{Cell, Output, Table};
use super::unserved::no_erlang_text;
use super::verb::{ANY, BOTH, CTL, DIAGNOSTICS, Verb};
use crate::commands::exit;

pub(super) const VERBS: &[Verb] = &[
    Verb::new("rotate_logs", CTL, "Rotates the files of the log, or opens them again", rotate_logs)
        .says(|it| Some(format!("Rotating logs for node {} ...", it.node()))),
    Verb::new("set_log_level", CTL, "Sets how much is logged, until the next start", set_log_level)
        .takes(1, 1, "<log_level>")
        .checks(|it| check_level(it.argument(0)))
        .says(|it| Some(format!("Setting log level to \"{}\" ...", it.argument(0)))),
    Verb::new(
        "set_vm_memory_high_watermark",
        CTL,
        "Sets how much memory messages may take, until the next start",
        set_memory_watermark,
    )
    .takes(1, 2, "<fraction> | absolute <value>")
    .checks(|it| memory_watermark(it).map(drop))
    .says(|it| {
        let (node, unit) = (it.node(), if it.argument(0) == "absolute" { " bytes" } else { "" });
        Some(format!("Setting memory threshold on {node} to {}{unit} ...", last(it)))
    }),
    Verb::new(
        "set_disk_free_limit",
        CTL,
        "Sets how much space must be left, until the next start",
        set_disk_free_limit,
    )
    .takes(1, 2, "<limit> | mem_relative <fraction>")
    .checks(|it| disk_free_limit(it).map(drop))
    .says(|it| {
        let (node, unit) = (it.node(), if it.argument(0) == "mem_relative" { " times the total RAM" } else { "" });
        Some(format!("Setting disk free limit on {node} to {}{unit} ...", last(it)))
    }),
    Verb::new("environment", BOTH, "Displays what is configured", environment)
        .takes(0, 0, "[--timeout <timeout>]")
        .says(|it| Some(format!("Application environment of node {} ...", it.node()))),
    Verb::new(
        "os_env",
        DIAGNOSTICS,
        "Displays the variables for RabbitMQ or Leveret that the broker was started with",
        os_env,
    )
    .takes(0, 0, "[--timeout <timeout>]")
    .says(|it| Some(format!("Listing RabbitMQ-specific environment variables defined on node {}...", it.node()))),
    Verb::new("eval", CTL, "Answers a few expressions that scripts ask for: there is no Erlang", eval)
        .takes(1, ANY, "<expr>"),
];

/// The levels that RabbitMQ's tool takes.
const LEVELS: [&str; 6] = ["debug", "info", "warning", "error", "critical", "none"];

fn check_level(level: &str) -> Result<(), Failure> {
    if LEVELS.contains(&level) {
        return Ok(());
    }
    let text = format!("level {level} is not supported. Try one of {}", LEVELS.join(", "));
    Err(Failure::Arguments { code: exit::USAGE, text })
}

fn last(it: &Invocation) -> &str {
    it.argument(if it.argument(1).is_empty() { 0 } else { 1 })
}

fn rotate_logs(it: &Invocation) -> Result<Output, Failure> {
    it.client()?.post("/leveret/log/rotate", &json!({}))?;
    Ok(Output::Nothing)
}

fn set(it: &Invocation, setting: &str, value: &str) -> Result<Output, Failure> {
    it.client()?.put(&format!("/leveret/settings/{setting}"), &json!({ "value": value }))?;
    Ok(Output::Nothing)
}

fn set_log_level(it: &Invocation) -> Result<Output, Failure> {
    set(it, "log_level", it.argument(0))
}

fn wrong(text: &str) -> Failure {
    Failure::Arguments { code: exit::DATA, text: text.to_owned() }
}

/// A share of the memory as a setting has it: `0.4` is 40 %.
fn share(text: &str, most: f64) -> Option<String> {
    let fraction: f64 = text.parse().ok().filter(|fraction| (0.0..=most).contains(fraction))?;
    Some(format!("{:.1}%", fraction * 100.0))
}

fn memory_watermark(it: &Invocation) -> Result<String, Failure> {
    match (it.argument(0), it.argument(1)) {
        ("absolute", "") => Err(Failure::usage("not enough arguments.")),
        ("absolute", bytes) => Ok(bytes.to_owned()),
        (fraction, "") => share(fraction, 1.0)
            .ok_or_else(|| wrong("The threshold should be a fraction between 0.0 and 1.0, or absolute and bytes")),
        _ => Err(Failure::usage("too many arguments.")),
    }
}

fn set_memory_watermark(it: &Invocation) -> Result<Output, Failure> {
    set(it, "memory_high_watermark", &memory_watermark(it)?)
}

fn disk_free_limit(it: &Invocation) -> Result<String, Failure> {
    /// RabbitMQ takes any; so many times the memory is more than a disk has.
    const TIMES_MAX: f64 = 100.0;
    match (it.argument(0), it.argument(1)) {
        ("mem_relative", "") => Err(Failure::usage("not enough arguments.")),
        ("mem_relative", fraction) => {
            share(fraction, TIMES_MAX).ok_or_else(|| wrong("The limit should be a number such as 1.5"))
        }
        (bytes, "") => Ok(bytes.to_owned()),
        _ => Err(Failure::usage("too many arguments.")),
    }
}

fn set_disk_free_limit(it: &Invocation) -> Result<Output, Failure> {
    set(it, "disk_free_limit", &disk_free_limit(it)?)
}

/// The settings that have a value, by name.
pub(super) fn configured(it: &Invocation) -> Result<Vec<(String, String)>, Failure> {
    let text = it.client()?.bytes(&Method::GET, "/config/effective", Vec::new())?;
    let text = String::from_utf8_lossy(&text);
    let pair = |line: &str| line.split_once(" = ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(text.lines().filter_map(pair).collect())
}

pub(super) fn environment(it: &Invocation) -> Result<Output, Failure> {
    let settings = configured(it)?;
    // They are TOML's values, which for texts, numbers, truth values and lists of them are JSON's and Erlang's.
    let lines: Vec<_> = settings.iter().map(|(name, value)| format!("      {{{name},{value}}}")).collect();
    let value = |text: &String| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()));
    let data: Value = settings.iter().map(|(name, text)| (name.clone(), value(text))).collect();
    Ok(Output::Report {
        text: format!("[{{leveret,\n     [\n{}\n     ]}}]\n", lines.join(",\n")),
        data: json!({ "leveret": data }),
    })
}

/// What is known of an expression: its text without blanks and the final dot, and how it is answered.
type Known = (&'static str, fn(&Invocation) -> Result<String, Failure>);

const EXPRESSIONS: &[Known] = &[
    ("node()", |it| Ok(format!("'{}'", own_node(it)?))),
    ("rabbit:is_running()", |it| Ok(super::health::is_started(it)?.to_string())),
    ("rabbit:is_booted()", |it| Ok(super::health::is_started(it)?.to_string())),
    ("rabbit_misc:version()", |it| of_overview(it, "rabbitmq_version", |text| format!("\"{text}\""))),
    ("rabbit_nodes:cluster_name()", |it| of_overview(it, "cluster_name", |text| format!("<<\"{text}\">>"))),
    ("rabbit_nodes:list_running()", |it| Ok(format!("['{}']", own_node(it)?))),
    ("rabbit_nodes:list_members()", |it| Ok(format!("['{}']", own_node(it)?))),
    ("rabbit_nodes:all_running()", |it| Ok(format!("['{}']", own_node(it)?))),
    ("length(rabbit_nodes:list_running())", |it| own_node(it).map(|_| "1".to_owned())),
    ("rabbit_mnesia:is_clustered()", |it| own_node(it).map(|_| "false".to_owned())),
    ("rabbit_vhost:list_names()", |it| {
        let vhosts = it.client()?.get("/vhosts?columns=name")?;
        let names = vhosts.as_array().into_iter().flatten().filter_map(|vhost| vhost.get("name"));
        Ok(erlang::term(&names.cloned().collect()))
    }),
    ("rabbit_alarm:get_alarms()", |it| {
        let node = own_node(it)?;
        let alarm = |resource: &String| format!("{{{{resource_limit,{resource},'{node}'}},[]}}");
        Ok(format!("[{}]", super::health::raised(it)?.iter().map(alarm).collect::<Vec<_>>().join(",")))
    }),
];

fn of_overview(it: &Invocation, key: &str, write: impl Fn(&str) -> String) -> Result<String, Failure> {
    let overview = it.client()?.get("/overview")?;
    Ok(write(overview.get(key).and_then(Value::as_str).unwrap_or_default()))
}

fn eval(it: &Invocation) -> Result<Output, Failure> {
    let text: String = it.rest(0).chars().filter(|character| !character.is_whitespace()).collect();
    let wanted = text.trim_end_matches('.');
    match EXPRESSIONS.iter().find(|(known, _)| *known == wanted) {
        Some((_, answer)) => Ok(Output::Message(answer(it)?)),
        None if is_literal(wanted) => Ok(Output::Message(wanted.to_owned())),
        None => match environment_call(wanted) {
            Some((setting, value)) => set(it, setting, value).map(|_| Output::Message("ok".to_owned())),
            None => Err(Failure::said(exit::USAGE, no_erlang_text(it))),
        },
    }
}

/// Keys of RabbitMQ's environment that scripts change in a running broker, and the setting of each.
const ENVIRONMENT: [(&str, &str); 3] =
    [("consumer_timeout", "consumer_timeout"), ("heartbeat", "heartbeat"), ("max_message_size", "max_message_size")];

/// The setting and the new value of `application:set_env(rabbit,KEY,VALUE)`.
fn environment_call(wanted: &str) -> Option<(&'static str, &str)> {
    let (key, value) = wanted.strip_prefix("application:set_env(rabbit,")?.strip_suffix(')')?.split_once(',')?;
    let (_, setting) = ENVIRONMENT.iter().find(|(known, _)| *known == key)?;
    // Some add that it is to hold after a restart of the application, too, which is never restarted here.
    let value = value.strip_suffix(",[{persistent,true}]").unwrap_or(value);
    Some((*setting, if value == "undefined" { "off" } else { value }))
}

/// An atom or a number, which is its own value: scripts look with `eval 'ok.'` whether the broker answers.
fn is_literal(text: &str) -> bool {
    let is_atom = text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
    is_atom || text.parse::<i64>().is_ok()
}

/// Passwords are not told.
fn os_env(it: &Invocation) -> Result<Output, Failure> {
    let process = it.client()?.process()?;
    let all = process.environment().map_err(|error| {
        Failure::said(exit::UNAVAILABLE, format!("the environment of process {process} cannot be read: {error}"))
    })?;
    let is_known = |name: &str| name.starts_with("RABBITMQ_") || name.starts_with("LEVERET_");
    let mut known: Vec<_> = all.into_iter().filter(|(name, _)| is_known(name)).collect();
    known.sort();
    for (name, value) in &mut known {
        if is_secret(name) {
            "********".clone_into(value);
        }
    }
    let lines = known.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let rows = known.iter().map(|(name, value)| vec![Cell::text(name), Cell::text(value)]).collect();
    let variables: Value = known.into_iter().collect();
    let data = json!({ "result": "ok", "node": it.node(), "variables": variables });
    Ok(Table::new(&["variable", "value"], rows).with_lines(lines).with_json(data).into())
}

/// The name of a file is none.
fn is_secret(name: &str) -> bool {
    !name.ends_with("_FILE") && ["PASS", "SECRET", "COOKIE", "TOKEN"].iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_written_as_settings_have_them() {
        assert_eq!(share("0.4", 1.0).as_deref(), Some("40.0%"));
        assert_eq!(share("1.5", 100.0).as_deref(), Some("150.0%"));
        for text in ["1.5", "-1", "much", "NaN", "inf", ""] {
            assert_eq!(share(text, 1.0), None, "{text}");
        }
    }

    #[test]
    fn settings_are_found_in_calls_of_the_environment() {
        let minute = "application:set_env(rabbit,consumer_timeout,60000)";
        assert_eq!(environment_call(minute), Some(("consumer_timeout", "60000")));
        let never = "application:set_env(rabbit,consumer_timeout,undefined,[{persistent,true}])";
        assert_eq!(environment_call(never), Some(("consumer_timeout", "off")));
        for text in ["application:set_env(rabbit,colour,red)", "application:get_env(kernel,heartbeat)", "f()"] {
            assert_eq!(environment_call(text), None, "{text}");
        }
    }

    #[test]
    fn only_what_is_its_own_value_is_a_literal() {
        assert!(is_literal("ok") && is_literal("1") && is_literal("true"));
        for text in ["", "X", "f()", "[]", "\"a\"", "'a'", "1+1"] {
            assert!(!is_literal(text), "{text}");
        }
    }
}
