//! Virtual hosts, and tracing in them.

use leveret::internals::http::VHOST_MAX;
use serde_json::{Map, Value, json};

use super::arguments::Invocation;
use super::columns::{self, Column, plain, tags};
use super::failure::Failure;
use super::output::Output;
use super::verb::{ANY, BOTH, CTL, Verb, flag, value};
use crate::commands::client::{Problem, escaped};
use crate::commands::exit;

pub(super) const VERBS: &[Verb] = &[
    Verb::new("add_vhost", CTL, "Creates a virtual host", add)
        .takes(
            1,
            1,
            "<vhost> [--description <description> --tags \"<tag1>,<tag2>,<...>\" --default-queue-type \
             <quorum|classic|stream>]",
        )
        .switches(&[value("description"), value("tags"), value("default-queue-type")])
        .checks(check_queue_type)
        .says(|it| Some(format!("Adding vhost \"{}\" ...", it.argument(0)))),
    Verb::new("delete_vhost", CTL, "Deletes a virtual host with everything in it", delete)
        .takes(1, 1, "<vhost>")
        .says(|it| Some(format!("Deleting vhost \"{}\" ...", it.argument(0)))),
    Verb::new("list_vhosts", BOTH, "Lists virtual hosts", list)
        .takes(0, ANY, "[--no-table-headers] [<column> ...] [--timeout <timeout>]")
        .checks(|it| columns::check(it, COLUMNS))
        .says(|_| Some("Listing vhosts ...".to_owned())),
    Verb::new("update_vhost_metadata", CTL, "Changes description, tags, default queue type or protection", update)
        .takes(
            1,
            1,
            "<vhost> [--description=<description>] [--tags=\"<tag1>,<tag2>,<...>\"] \
             [--default-queue-type=<quorum|classic|stream>] [--protected-from-deletion=<true|false>]",
        )
        .switches(&[
            value("description"),
            value("tags"),
            value("default-queue-type"),
            // As in RabbitMQ, a value stands behind an equals sign or nowhere.
            flag(PROTECTED),
            flag(UNPROTECTED),
        ])
        .checks(check_update)
        .says(|it| Some(format!("Updating metadata of vhost \"{}\" ...", it.argument(0)))),
    Verb::new("set_vhost_tags", CTL, "Sets the tags of a virtual host", set_tags)
        .takes(1, ANY, "<vhost> <tag> [...]")
        .says(|it| Some(format!("Setting tags for vhost \"{}\" to [{}] ...", it.argument(0), tags_of(it).join(", ")))),
    Verb::new("restart_vhost", CTL, "Starts a virtual host that has failed", restart)
        .takes(0, 0, "[--vhost <vhost>]")
        .says(|it| Some(format!("Trying to restart vhost '{}' on node '{}' ...", it.vhost(), it.node()))),
    Verb::new("enable_vhost_deletion_protection", CTL, "Protects a virtual host from deletion", protect)
        .takes(1, 1, "<vhost>")
        .says(|it| Some(protecting(it))),
    Verb::new("disable_vhost_deletion_protection", CTL, "Lets a virtual host be deleted again", unprotect)
        .takes(1, 1, "<vhost>")
        .says(|it| Some(unprotecting(it))),
    Verb::new("trace_on", CTL, "Starts tracing in a virtual host", |it| trace(it, true))
        .takes(0, 0, "[--vhost <vhost>]")
        .says(|it| Some(format!("Starting tracing for vhost \"{}\" ...", it.vhost()))),
    Verb::new("trace_off", CTL, "Ends tracing in a virtual host", |it| trace(it, false))
        .takes(0, 0, "[--vhost <vhost>]")
        .says(|it| Some(format!("Stopping tracing for vhost \"{}\" ...", it.vhost()))),
];

fn protecting(it: &Invocation) -> String {
    format!("Protecting virtual host \"{}\" from removal by updating its metadata...", it.argument(0))
}

fn unprotecting(it: &Invocation) -> String {
    format!("Removing deletion protection from virtual host \"{}\" by updating its metadata...", it.argument(0))
}

/// Options with a truth value, as RabbitMQ's tool reads them.
const PROTECTED: &str = "protected-from-deletion";
const UNPROTECTED: &str = "no-protected-from-deletion";

const COLUMNS: &[Column] = &[
    plain("name"),
    plain("tracing"),
    plain("cluster_state"),
    plain("description"),
    tags("tags"),
    plain("default_queue_type"),
    plain("protected_from_deletion"),
];

fn path(vhost: &str) -> String {
    format!("/vhosts/{}", escaped(vhost))
}

fn metadata(it: &Invocation) -> Map<String, Value> {
    let named = [("description", "description"), ("tags", "tags"), ("default-queue-type", "default_queue_type")];
    let given = named.into_iter().filter_map(|(option, key)| Some((key.to_owned(), Value::from(it.option(option)?))));
    given.collect()
}

/// Whether it is to be protected from deletion, if that is said; or a value that is none.
fn protection(it: &Invocation) -> Result<Option<bool>, &str> {
    match (it.option(PROTECTED), it.option(UNPROTECTED)) {
        (_, Some("true")) | (Some("false"), None) => Ok(Some(false)),
        (Some("true"), None) => Ok(Some(true)),
        (None, None) => Ok(None),
        (_, Some(wrong)) | (Some(wrong), None) => Err(wrong),
    }
}

fn check_update(it: &Invocation) -> Result<(), Failure> {
    check_queue_type(it)?;
    let protection = protection(it)
        .map_err(|wrong| Failure::usage(format!("Invalid options for this command:\n--{PROTECTED} : {wrong}")))?;
    // Nothing to change is a slip.
    if protection.is_none() && metadata(it).is_empty() {
        return Err(Failure::usage("not enough arguments."));
    }
    Ok(())
}

/// The types that RabbitMQ's tool lets through. Whether there is one here, the broker says.
const QUEUE_TYPES: [&str; 3] = ["quorum", "stream", "classic"];

fn check_queue_type(it: &Invocation) -> Result<(), Failure> {
    let wrong = match it.option("default-queue-type") {
        Some("") => "Default queue type must not be an empty string".to_owned(),
        Some(kind) if !QUEUE_TYPES.contains(&kind) => {
            format!("Default queue type must be one of: {}. Provided: {kind}", QUEUE_TYPES.join(", "))
        }
        _ => return Ok(()),
    };
    Err(Failure::Arguments { code: exit::DATA, text: format!("Bad argument: {wrong}") })
}

/// One that is there already stays as it is, unless it is told otherwise.
fn add(it: &Invocation) -> Result<Output, Failure> {
    it.client()?.put(&path(it.argument(0)), &Value::Object(metadata(it))).map_err(|problem| match problem {
        // For RabbitMQ it is the command that is wrong where `vhost_max` is reached.
        Problem::Refused { reason, by: Some(setting), .. } if setting == VHOST_MAX => {
            Failure::said(exit::USAGE, reason)
        }
        Problem::Unreachable(_) | Problem::TimedOut(_) | Problem::Refused { .. } => problem.into(),
    })?;
    Ok(Output::Nothing)
}

fn existing(it: &Invocation, vhost: &str) -> Result<Value, Failure> {
    it.client()?.find(&path(vhost))?.ok_or_else(|| Failure::no_vhost(vhost))
}

fn tags_of(it: &Invocation) -> Vec<String> {
    it.arguments.iter().skip(1).cloned().collect()
}

fn set_tags(it: &Invocation) -> Result<Output, Failure> {
    change(it, Map::from_iter([("tags".to_owned(), Value::from(tags_of(it).join(",")))]))
}

fn update(it: &Invocation) -> Result<Output, Failure> {
    let protection = protection(it).ok().flatten();
    let protection = protection.map(|is_protected| ("protected_from_deletion".to_owned(), Value::from(is_protected)));
    change(it, metadata(it).into_iter().chain(protection).collect())
}

/// Changes these of its properties, and no others.
fn change(it: &Invocation, changed: Map<String, Value>) -> Result<Output, Failure> {
    let found = existing(it, it.argument(0))?;
    let mut wanted = Map::new();
    for key in ["description", "tags", "default_queue_type", "tracing"] {
        wanted.extend(found.get(key).filter(|value| !value.is_null()).map(|value| (key.to_owned(), value.clone())));
    }
    wanted.extend(changed);
    it.client()?.put(&path(it.argument(0)), &Value::Object(wanted))?;
    Ok(Output::Nothing)
}

fn delete(it: &Invocation) -> Result<Output, Failure> {
    if it.client()?.delete(&path(it.argument(0)))? {
        Ok(Output::Nothing)
    } else {
        Err(Failure::no_vhost(it.argument(0)))
    }
}

fn list(it: &Invocation) -> Result<Output, Failure> {
    let found = it.client()?.get("/vhosts")?;
    Ok(columns::table(it, COLUMNS, &["name"], &found).into())
}

fn restart(it: &Invocation) -> Result<Output, Failure> {
    existing(it, it.vhost())?;
    Ok(Output::Message(format!("Successfully restarted vhost '{}' on node '{}'", it.vhost(), it.node())))
}

fn protect(it: &Invocation) -> Result<Output, Failure> {
    existing(it, it.argument(0))?;
    it.client()?.post(&format!("{}/deletion/protection", path(it.argument(0))), &json!({}))?;
    Ok(Output::Nothing)
}

fn unprotect(it: &Invocation) -> Result<Output, Failure> {
    existing(it, it.argument(0))?;
    it.client()?.delete(&format!("{}/deletion/protection", path(it.argument(0))))?;
    Ok(Output::Nothing)
}

fn trace(it: &Invocation, is_on: bool) -> Result<Output, Failure> {
    let vhost = it.vhost();
    existing(it, vhost)?;
    it.client()?.put(&path(vhost), &json!({ "tracing": is_on }))?;
    Ok(Output::Message(format!("Trace {} for vhost {vhost}", if is_on { "enabled" } else { "disabled" })))
}
