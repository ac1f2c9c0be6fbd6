//! Limits of virtual hosts and of users.

use serde_json::{Map, Value, json};

use super::arguments::Invocation;
use super::failure::Failure;
use super::output::{Cell, Output, Table, WhenEmpty};
use super::verb::{BOTH, CTL, Verb, flag, value};
use crate::commands::client::escaped;
use crate::commands::exit;

pub(super) const VERBS: &[Verb] = &[
    Verb::new("clear_user_limits", CTL, "Removes limits of a user", clear_user)
        .takes(2, 2, "<username> <limit_type> | all")
        .says(|it| {
            let which =
                if it.argument(1) == "all" { "all limits".to_owned() } else { format!("\"{}\" limit", it.argument(1)) };
            Some(format!("Clearing {which} for user \"{}\" ...", it.argument(0)))
        }),
    Verb::new("clear_vhost_limits", CTL, "Removes limits of a virtual host", clear_vhost)
        .takes(0, 0, "[--vhost <vhost>]")
        .says(|it| Some(format!("Clearing vhost \"{}\" limits ...", it.vhost()))),
    Verb::new("list_user_limits", BOTH, "Lists limits of users", list_user)
        .takes(0, 0, "[--user <username>] [--global]")
        .switches(&[value("user"), flag("global")])
        .says(|it| {
            Some(if it.is_set("global") {
                "Listing limits for all users ...".to_owned()
            } else {
                format!("Listing limits for user \"{}\" ...", it.option("user").unwrap_or("guest"))
            })
        }),
    Verb::new("list_vhost_limits", BOTH, "Lists limits of virtual hosts", list_vhost)
        .takes(0, 0, "[--vhost <vhost>] [--global] [--no-table-headers]")
        .switches(&[flag("global")])
        .says(|it| {
            Some(if it.is_set("global") {
                "Listing limits for all vhosts ...".to_owned()
            } else {
                format!("Listing limits for vhost \"{}\" ...", it.vhost())
            })
        }),
    Verb::new("set_user_limits", CTL, "Sets limits of a user", set_user)
        .takes(2, 2, "<username> <definition>")
        .says(|it| Some(format!("Setting user limits to \"{}\" for user \"{}\" ...", it.argument(1), it.argument(0)))),
    Verb::new("set_vhost_limits", CTL, "Sets limits of a virtual host", set_vhost)
        .takes(1, 1, "[--vhost <vhost>] <definition>")
        .says(|it| Some(format!("Setting vhost limits to \"{}\" for vhost \"{}\" ...", it.argument(0), it.vhost()))),
];

fn definition(text: &str) -> Result<Map<String, Value>, Failure> {
    match serde_json::from_str(text) {
        Ok(Value::Object(limits)) => Ok(limits),
        Ok(_) => Err(Failure::said(exit::DATA, "limits are a JSON object, such as {\"max-connections\": 5}")),
        Err(error) => Err(Failure::said(exit::DATA, format!("Could not parse JSON document {text}: {error}"))),
    }
}

/// What there is to limit: `vhost` or `user`, and its name.
fn set(it: &Invocation, kind: &str, name: &str, text: &str) -> Result<Output, Failure> {
    for (limit, number) in definition(text)? {
        let path = format!("/{kind}-limits/{}/{}", escaped(name), escaped(&limit));
        it.client()?.put(&path, &json!({ "value": number }))?;
    }
    Ok(Output::Nothing)
}

fn set_vhost(it: &Invocation) -> Result<Output, Failure> {
    if it.client()?.find(&format!("/vhosts/{}", escaped(it.vhost())))?.is_none() {
        return Err(Failure::no_vhost(it.vhost()));
    }
    set(it, "vhost", it.vhost(), it.argument(0))
}

fn set_user(it: &Invocation) -> Result<Output, Failure> {
    if it.client()?.find(&format!("/users/{}", escaped(it.argument(0))))?.is_none() {
        return Err(Failure::no_user(it.argument(0)));
    }
    set(it, "user", it.argument(0), it.argument(1))
}

/// The limits that there are, by whose they are.
fn all(it: &Invocation, kind: &str) -> Result<Vec<(String, Value)>, Failure> {
    let found = it.client()?.get(&format!("/{kind}-limits"))?;
    let limits = |item: &Value| Some((item.get(kind)?.as_str()?.to_owned(), item.get("value")?.clone()));
    Ok(found.as_array().into_iter().flatten().filter_map(limits).collect())
}

fn of(it: &Invocation, kind: &str, name: &str) -> Result<Option<Value>, Failure> {
    Ok(all(it, kind)?.into_iter().find(|(whose, _)| whose == name).map(|(_, limits)| limits))
}

fn clear(it: &Invocation, kind: &str, name: &str, only: Option<&str>) -> Result<Output, Failure> {
    let limits = of(it, kind, name)?.unwrap_or_default();
    for (limit, _) in limits.as_object().into_iter().flatten() {
        if only.is_none_or(|only| only == limit) {
            it.client()?.delete(&format!("/{kind}-limits/{}/{}", escaped(name), escaped(limit)))?;
        }
    }
    Ok(Output::Nothing)
}

fn clear_vhost(it: &Invocation) -> Result<Output, Failure> {
    clear(it, "vhost", it.vhost(), None)
}

fn clear_user(it: &Invocation) -> Result<Output, Failure> {
    clear(it, "user", it.argument(0), Some(it.argument(1)).filter(|limit| *limit != "all"))
}

fn listed(kind: &str, limits: Vec<(String, Value)>) -> Output {
    let rows = limits.into_iter().map(|(name, limits)| vec![Cell::text(&name), Cell::Json(limits)]).collect();
    Table::new(&[kind, "limits"], rows).when_empty(WhenEmpty::EmptyLine).into()
}

fn list_vhost(it: &Invocation) -> Result<Output, Failure> {
    if it.is_set("global") {
        return Ok(listed("vhost", all(it, "vhost")?));
    }
    let limits = of(it, "vhost", it.vhost())?;
    Ok(Output::Message(limits.map_or_else(String::new, |limits| limits.to_string())))
}

fn list_user(it: &Invocation) -> Result<Output, Failure> {
    if it.is_set("global") {
        return Ok(listed("user", all(it, "user")?));
    }
    let limits = of(it, "user", it.option("user").unwrap_or("guest"))?;
    Ok(Output::Message(limits.unwrap_or_else(|| json!({})).to_string()))
}
