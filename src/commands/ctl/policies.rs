//! Policies and operator policies.

use leveret::internals::broker::definitions::PolicyDefinition;
use leveret::internals::broker::policies;
use serde_json::{Value, json};

use super::arguments::{Format, Invocation};
use super::failure::Failure;
use super::output::{Cell, Output, Table, WhenEmpty};
use super::verb::{BOTH, CTL, DIAGNOSTICS, Verb, value};
use crate::commands::client::{Problem, escaped};
use crate::commands::exit;

pub(super) const VERBS: &[Verb] = &[
    Verb::new("clear_policy", CTL, "Removes a policy", |it| clear(it, "policies"))
        .takes(1, 1, "[--vhost <vhost>] <name>")
        .says(|it| Some(format!("Clearing policy \"{}\" on vhost \"{}\" ...", it.argument(0), it.vhost()))),
    Verb::new("clear_operator_policy", CTL, "Removes an operator policy", |it| clear(it, "operator-policies"))
        .takes(1, 1, "[--vhost <vhost>] <name>")
        .says(|it| Some(format!("Clearing operator policy \"{}\" on vhost \"{}\" ...", it.argument(0), it.vhost()))),
    Verb::new("list_policies", BOTH, "Lists policies of a virtual host", |it| list(it, "policies"))
        .takes(0, 0, "[--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]")
        .says(|it| Some(format!("Listing policies for vhost \"{}\" ...", it.vhost()))),
    Verb::new("list_operator_policies", BOTH, "Lists operator policies of a virtual host", |it| {
        list(it, "operator-policies")
    })
    .takes(0, 0, "[--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]")
    .says(|it| Some(format!("Listing operator policy overrides for vhost \"{}\" ...", it.vhost()))),
    Verb::new("list_policies_that_match", DIAGNOSTICS, "Lists the policies whose pattern matches a name", matching)
        .takes(1, 1, "[--object-type <type>] <name>")
        .switches(&[value("object-type")])
        .checks(|it| match object_type(it) {
            "queue" | "exchange" => Ok(()),
            other => Err(Failure::usage(format!("object type {other} is not supported. Try one of queue, exchange"))),
        })
        .says(|it| {
            let (kind, name, vhost) = (object_type(it), it.argument(0), it.vhost());
            Some(format!("Listing policies that match {kind} '{name}' in vhost '{vhost}' ..."))
        }),
    Verb::new("set_policy", CTL, "Makes or changes a policy", |it| set(it, "policies"))
        .takes(3, 3, USAGE)
        .switches(&[value("priority"), value("apply-to")])
        .says(|it| Some(banner(it, "policy"))),
    Verb::new("set_operator_policy", CTL, "Makes or changes an operator policy", |it| set(it, "operator-policies"))
        .takes(3, 3, USAGE)
        .switches(&[value("priority"), value("apply-to")])
        .says(|it| Some(banner(it, "operator policy override"))),
];

const USAGE: &str = "[--vhost <vhost>] [--priority <priority>] [--apply-to <apply-to>] <name> <pattern> <definition>";

fn banner(it: &Invocation, kind: &str) -> String {
    format!(
        "Setting {kind} \"{}\" for pattern \"{}\" to \"{}\" with priority \"{}\" for vhost \"{}\" ...",
        it.argument(0),
        it.argument(1),
        it.argument(2),
        it.option("priority").unwrap_or("0"),
        it.vhost()
    )
}

fn path(it: &Invocation, kind: &str) -> String {
    format!("/{kind}/{}/{}", escaped(it.vhost()), escaped(it.argument(0)))
}

fn set(it: &Invocation, kind: &str) -> Result<Output, Failure> {
    let definition: Value = serde_json::from_str(it.argument(2)).map_err(|error| {
        Failure::said(exit::DATA, format!("Could not parse JSON document {}: {error}", it.argument(2)))
    })?;
    let priority = it.option("priority").unwrap_or("0");
    let priority: i64 =
        priority.parse().map_err(|_none| Failure::usage(format!("the priority {priority} is no number")))?;
    let body = json!({
        "pattern": it.argument(1),
        "definition": definition,
        "priority": priority,
        "apply-to": it.option("apply-to").unwrap_or("all"),
    });
    match it.client()?.put(&path(it, kind), &body) {
        Ok(_) => Ok(Output::Nothing),
        Err(Problem::Refused { status: 404, .. }) => Err(Failure::no_vhost(it.vhost())),
        Err(Problem::Refused { reason, .. }) => Err(Failure::invalid(&reason)),
        Err(problem) => Err(problem.into()),
    }
}

fn clear(it: &Invocation, kind: &str) -> Result<Output, Failure> {
    if it.client()?.delete(&path(it, kind))? {
        return Ok(Output::Nothing);
    }
    Err(Failure::said(exit::UNAVAILABLE, "Parameter does not exist"))
}

fn list(it: &Invocation, kind: &str) -> Result<Output, Failure> {
    let found = it.client()?.find(&format!("/{kind}/{}", escaped(it.vhost())))?;
    let columns = ["vhost", "name", "pattern", "apply-to", "definition", "priority"];
    let found = found.unwrap_or_default();
    let cell = |policy: &Value, key: &str| match policy.get(key) {
        Some(definition @ Value::Object(_)) => Cell::Json(definition.clone()),
        value => Cell::Plain(value.cloned().unwrap_or_default()),
    };
    let rows = found.as_array().into_iter().flatten();
    let rows = rows.map(|policy| columns.iter().map(|key| cell(policy, key)).collect()).collect();
    Ok(Table::new(&columns, rows).when_empty(WhenEmpty::EmptyLine).into())
}

fn object_type(it: &Invocation) -> &str {
    it.option("object-type").unwrap_or("queue")
}

/// Of those that are listed the first one holds. For programs it is no failure that there is no such object, as in RabbitMQ.
fn matching(it: &Invocation) -> Result<Output, Failure> {
    let (client, name, vhost) = (it.client()?, it.argument(0), escaped(it.vhost()));
    let kind = object_type(it);
    let Some(object) = client.find(&format!("/{kind}s/{vhost}/{}", escaped(name)))? else {
        if it.format == Some(Format::Json) {
            let data = json!({ "message": "object (queue, exchange) not found", "result": "error", "policies": [] });
            return Ok(Output::Report { text: String::new(), data });
        }
        return Err(Failure::bare(exit::DATA, "Object (queue, stream, exchange, etc) was not found"));
    };
    let listed = client.find(&format!("/policies/{vhost}"))?.unwrap_or_default();
    let read = |policy: &Value| serde_json::from_value::<PolicyDefinition>(policy.clone()).ok();
    let all = listed.as_array().into_iter().flatten().filter_map(read).collect();
    let kind = object.get("type").and_then(Value::as_str).filter(|_| kind == "queue");
    let found = policies::matching(all, name, kind);
    Ok(matching_table(&found).into())
}

fn matching_table(found: &[PolicyDefinition]) -> Table {
    let columns = ["vhost", "name", "pattern", "apply-to", "definition", "priority"];
    let row = |policy: &PolicyDefinition| {
        let PolicyDefinition { vhost, name, pattern, apply_to, definition, priority, .. } = policy;
        let texts = [vhost, name, pattern].map(|text| Cell::text(text));
        let rest = [Cell::Plain(json!(apply_to)), Cell::Terms(definition.clone()), Cell::Plain(json!(priority))];
        texts.into_iter().chain(rest).collect::<Vec<_>>()
    };
    let object = |row: &Vec<Cell>| columns.iter().map(|&key| key.to_owned()).zip(row.iter().map(Cell::data)).collect();
    let rows: Vec<_> = found.iter().map(row).collect();
    let objects: Vec<Value> = rows.iter().map(object).map(Value::Object).collect();
    let table = Table::new(&columns, rows).drawn().when_empty(WhenEmpty::EmptyLine);
    table.with_json(json!({ "result": "ok", "policies": objects }))
}
