//! Runtime parameters, those of virtual hosts and global ones.

use serde_json::{Value, json};

use super::arguments::Invocation;
use super::failure::Failure;
use super::output::{Cell, Output, Table, WhenEmpty};
use super::verb::{BOTH, CTL, Verb};
use crate::commands::client::{Problem, escaped};
use crate::commands::exit;

pub(super) const VERBS: &[Verb] = &[
    Verb::new("clear_global_parameter", CTL, "Removes a global parameter", |it| {
        clear(it, &format!("/global-parameters/{}", escaped(it.argument(0))))
    })
    .takes(1, 1, "<name>")
    .says(|it| Some(format!("Clearing global runtime parameter \"{}\" ...", it.argument(0)))),
    Verb::new("clear_parameter", CTL, "Removes a parameter of a component", |it| clear(it, &path(it)))
        .takes(2, 2, "[--vhost <vhost>] <component_name> <name>")
        .says(|it| {
            Some(format!(
                "Clearing runtime parameter \"{}\" for component \"{}\" on vhost \"{}\" ...",
                it.argument(1),
                it.argument(0),
                it.vhost()
            ))
        }),
    Verb::new("list_global_parameters", BOTH, "Lists global parameters", list_global)
        .takes(0, 0, "[--no-table-headers] [--timeout <timeout>]")
        .says(|_| Some("Listing global runtime parameters ...".to_owned())),
    Verb::new("list_parameters", BOTH, "Lists parameters of a virtual host", list)
        .takes(0, 0, "[--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]")
        .says(|it| Some(format!("Listing runtime parameters for vhost \"{}\" ...", it.vhost()))),
    Verb::new("set_global_parameter", CTL, "Sets a global parameter", set_global).takes(2, 2, "<name> <value>").says(
        |it| Some(format!("Setting global runtime parameter \"{}\" to \"{}\" ...", it.argument(0), it.argument(1))),
    ),
    Verb::new("set_cluster_name", CTL, "Sets the name of the cluster", set_cluster_name)
        .takes(1, 1, "<name>")
        .says(|it| Some(format!("Setting cluster name to {} ...", it.argument(0)))),
    Verb::new("set_parameter", CTL, "Sets a parameter of a component", set)
        .takes(3, 3, "[--vhost <vhost>] <component_name> <name> <value>")
        .says(|it| {
            Some(format!(
                "Setting runtime parameter \"{}\" for component \"{}\" to \"{}\" in vhost \"{}\" ...",
                it.argument(1),
                it.argument(0),
                it.argument(2),
                it.vhost()
            ))
        }),
];

fn path(it: &Invocation) -> String {
    format!("/parameters/{}/{}/{}", escaped(it.argument(0)), escaped(it.vhost()), escaped(it.argument(1)))
}

fn parsed(text: &str) -> Result<Value, Failure> {
    let unreadable = |error| Failure::said(exit::DATA, format!("Could not parse JSON document {text}: {error}"));
    serde_json::from_str(text).map_err(unreadable)
}

fn put(it: &Invocation, path: &str, body: &Value) -> Result<Output, Failure> {
    match it.client()?.put(path, body) {
        Ok(_) => Ok(Output::Nothing),
        Err(Problem::Refused { reason, .. }) => Err(Failure::invalid(&reason)),
        Err(problem) => Err(problem.into()),
    }
}

fn set(it: &Invocation) -> Result<Output, Failure> {
    let body = json!({
        "component": it.argument(0), "vhost": it.vhost(), "name": it.argument(1), "value": parsed(it.argument(2))?,
    });
    put(it, &path(it), &body)
}

fn set_global(it: &Invocation) -> Result<Output, Failure> {
    let body = json!({ "name": it.argument(0), "value": parsed(it.argument(1))? });
    put(it, &format!("/global-parameters/{}", escaped(it.argument(0))), &body)
}

fn set_cluster_name(it: &Invocation) -> Result<Output, Failure> {
    put(it, "/cluster-name", &json!({ "name": it.argument(0) }))
}

fn clear(it: &Invocation, path: &str) -> Result<Output, Failure> {
    if it.client()?.delete(path)? {
        return Ok(Output::Nothing);
    }
    Err(Failure::said(exit::UNAVAILABLE, "Parameter does not exist"))
}

fn rows(found: &Value, columns: &[&str]) -> Vec<Vec<Cell>> {
    let cell = |item: &Value, key: &str| {
        let value = item.get(key).cloned().unwrap_or_default();
        if key == "value" { Cell::Json(value) } else { Cell::Plain(value) }
    };
    let row = |item: &Value| columns.iter().map(|key| cell(item, key)).collect();
    found.as_array().into_iter().flatten().map(row).collect()
}

fn list(it: &Invocation) -> Result<Output, Failure> {
    let found = it.client()?.get("/parameters")?;
    let own = found.as_array().into_iter().flatten();
    let own: Vec<_> =
        own.filter(|it_is| it_is.get("vhost").and_then(Value::as_str) == Some(it.vhost())).cloned().collect();
    let columns = ["component", "name", "value"];
    Ok(Table::new(&columns, rows(&Value::from(own), &columns)).when_empty(WhenEmpty::EmptyLine).into())
}

fn list_global(it: &Invocation) -> Result<Output, Failure> {
    let columns = ["name", "value"];
    let found = it.client()?.get("/global-parameters")?;
    Ok(Table::new(&columns, rows(&found, &columns)).when_empty(WhenEmpty::EmptyLine).into())
}
