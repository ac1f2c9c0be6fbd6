//! What is done with one queue, or with connections.

use hyper::Method;
use serde_json::Value;

use super::arguments::Invocation;
use super::failure::Failure;
use super::output::{Cell, Output, Table};
use super::verb::{CTL, Switch, Tool, Verb, flag, value};
use crate::commands::client::{Problem, escaped};
use crate::commands::exit;

pub(super) const VERBS: &[Verb] = &[
    Verb::new("purge_queue", CTL, "Removes all ready messages of a queue", purge)
        .takes(1, 1, "[--vhost <vhost>] <queue> [--timeout <timeout>]")
        .says(|it| Some(format!("Purging queue '{}' in vhost '{}' ...", it.argument(0), it.vhost()))),
    Verb::new("delete_queue", CTL, "Deletes a queue", delete)
        .takes(1, 1, "[--vhost <vhost>] <queue_name> [--if-empty|-e] [--if-unused|-u] [--force] [--timeout <timeout>]")
        .switches(&[
            Switch { name: "if-empty", letter: Some('e'), takes_value: false },
            Switch { name: "if-unused", letter: Some('u'), takes_value: false },
            flag("force"),
        ])
        .says(|it| {
            let condition = match (it.is_set("if-empty"), it.is_set("if-unused")) {
                (true, true) => " if queue is empty and if queue is unused",
                (true, false) => " if queue is empty",
                (false, true) => " if queue is unused",
                (false, false) => "",
            };
            Some(format!("Deleting queue '{}' on vhost '{}'{condition} ...", it.argument(0), it.vhost()))
        }),
    Verb::new("close_connection", CTL, "Closes a connection; its name or its pid in list_connections names it", close)
        .takes(2, super::verb::ANY, "<connection pid> <explanation>")
        .says(|it| Some(format!("Closing connection {}, reason: {}...", it.argument(0), it.rest(1)))),
    Verb::new("close_all_connections", CTL, "Closes all connections of a virtual host, or of the node", close_all)
        .takes(
            1,
            super::verb::ANY,
            "[--vhost <vhost> --limit <limit>] [-n <node> --global] [--per-connection-delay <delay>] <explanation>",
        )
        .switches(&[flag("global"), value("limit"), value("per-connection-delay")])
        .says(|it| {
            Some(if it.is_set("global") {
                format!("Closing all connections to node {}, reason: {}...", it.node(), it.rest(0))
            } else {
                format!("Closing all connections in vhost {}, reason: {}...", it.vhost(), it.rest(0))
            })
        }),
    Verb::new("close_all_user_connections", CTL, "Closes all connections of a user", close_of_user)
        .takes(2, super::verb::ANY, "<username> <explanation>")
        .says(|it| Some(format!("Closing connections of user {}, reason: {}...", it.argument(0), it.rest(1)))),
    Verb::new(
        "quorum_status",
        &[Tool::Diagnostics, Tool::Queues],
        "Displays the only replica of a quorum queue",
        replicas,
    )
    .takes(1, 1, "[--vhost <vhost>] <queue>")
    .says(|it| Some(format!("Status of queue {} on node {} ...", it.argument(0), it.node()))),
    Verb::new("peek", &[Tool::Queues], "Displays a message of a queue, which stays there", peek)
        .takes(2, 2, "[--vhost <vhost>] <queue> <position>")
        .checks(|it| match it.argument(1).parse::<u64>() {
            Ok(position) if position > 0 => Ok(()),
            _ => Err(Failure::Arguments { code: exit::DATA, text: "position value must be greater than 0".to_owned() }),
        })
        .says(|it| {
            let (queue, position) = (it.argument(0), it.argument(1));
            Some(format!("Peeking at quorum queue {queue} at position {position} on node {} ...", it.node()))
        }),
    Verb::new("rebalance", &[Tool::Queues], "Does nothing: there is one node", rebalance)
        .takes(1, 1, "< all | classic | quorum | stream > [--vhost-pattern <pattern>] [--queue-pattern <pattern>]")
        .switches(&[value("vhost-pattern"), value("queue-pattern")])
        .says(|it| Some(format!("Re-balancing leaders of {} queues...", it.argument(0)))),
];

fn path(it: &Invocation) -> String {
    format!("/queues/{}/{}", escaped(it.vhost()), escaped(it.argument(0)))
}

fn purge(it: &Invocation) -> Result<Output, Failure> {
    if it.client()?.delete(&format!("{}/contents", path(it)))? {
        return Ok(Output::Nothing);
    }
    Err(Failure::bare(exit::DATA, "Object (queue, stream, exchange, etc) was not found"))
}

fn delete(it: &Invocation) -> Result<Output, Failure> {
    let client = it.client()?;
    let Some(queue) = client.find(&path(it))? else {
        return Err(Failure::said(exit::USAGE, "No such queue was found"));
    };
    let conditions = [("if-empty", "if-empty=true"), ("if-unused", "if-unused=true")];
    let query: Vec<_> = conditions.iter().filter(|(name, _)| it.is_set(name)).map(|(_, query)| *query).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    match client.json(&Method::DELETE, &format!("{}{query}", path(it)), None) {
        Ok(_) => {
            let ready = queue.get("messages_ready").and_then(Value::as_u64).unwrap_or(0);
            Ok(Output::Message(format!("Queue was successfully deleted with {ready} ready messages")))
        }
        Err(Problem::Refused { status: 404, .. }) => Err(Failure::said(exit::USAGE, "No such queue was found")),
        Err(problem) => Err(problem.into()),
    }
}

/// Closes connections, and says how many there were.
fn close_each(it: &Invocation, reason: &str, names: &[String]) -> Result<usize, Failure> {
    let mut closed = 0;
    for name in names {
        closed += usize::from(it.client()?.delete_because(&format!("/connections/{}", escaped(name)), reason)?);
    }
    Ok(closed)
}

/// One that has gone meanwhile is closed, too.
fn close(it: &Invocation) -> Result<Output, Failure> {
    close_each(it, &it.rest(1), &[it.argument(0).to_owned()])?;
    Ok(Output::Nothing)
}

/// The names of the connections of which this holds.
fn connections(it: &Invocation, key: &str, wanted: Option<&str>) -> Result<Vec<String>, Failure> {
    let found = it.client()?.get("/connections")?;
    let is_meant = |item: &&Value| wanted.is_none_or(|wanted| item.get(key).and_then(Value::as_str) == Some(wanted));
    let found = found.as_array().into_iter().flatten().filter(is_meant);
    Ok(found.filter_map(|item| Some(item.get("name")?.as_str()?.to_owned())).collect())
}

fn close_all(it: &Invocation) -> Result<Output, Failure> {
    let vhost = (!it.is_set("global")).then(|| it.vhost());
    let mut names = connections(it, "vhost", vhost)?;
    let limit = it.option("limit").and_then(|limit| limit.parse().ok()).filter(|limit| *limit > 0);
    names.truncate(limit.unwrap_or(usize::MAX));
    let closed = close_each(it, &it.rest(0), &names)?;
    Ok(Output::Message(format!("Closed {closed} connections")))
}

fn close_of_user(it: &Invocation) -> Result<Output, Failure> {
    let names = connections(it, "user", Some(it.argument(0)))?;
    close_each(it, &it.rest(1), &names)?;
    Ok(Output::Nothing)
}

fn rebalance(it: &Invocation) -> Result<Output, Failure> {
    let queues = it.client()?.get("/queues?columns=type")?;
    let is_quorum = |queue: &&Value| queue.get("type").and_then(Value::as_str) == Some("quorum");
    let count = queues.as_array().into_iter().flatten().filter(is_quorum).count();
    let row = vec![Cell::text(it.node()), Cell::Plain(Value::from(count))];
    Ok(Table::new(&["Node name", "Number of quorum queues"], vec![row]).drawn().into())
}

/// The columns of `quorum_status`, which are the keys of the answer, too.
const REPLICA: [&str; 10] = [
    "Node Name",
    "Raft State",
    "Membership",
    "Last Log Index",
    "Last Written",
    "Last Applied",
    "Commit Index",
    "Snapshot Index",
    "Term",
    "Machine Version",
];

fn replicas(it: &Invocation) -> Result<Output, Failure> {
    let (vhost, queue) = (it.vhost(), it.argument(0));
    let client = it.client()?;
    let path = format!("/queues/quorum/{}/{}/status", escaped(vhost), escaped(queue));
    let Some(found) = client.find(&path)? else { return Err(no_queue(it)) };
    let row = |replica: &Value| REPLICA.map(|key| Cell::Plain(replica.get(key).cloned().unwrap_or_default())).to_vec();
    let rows = found.as_array().into_iter().flatten().map(row).collect();
    Ok(Table::new(&REPLICA, rows).drawn().into())
}

fn no_queue(it: &Invocation) -> Failure {
    let text = format!("queue '{}' was not found in virtual host '{}'", it.argument(0), it.vhost());
    Failure::bare(exit::DATA, &text)
}

/// RabbitMQ peeks into quorum queues alone.
fn peek(it: &Invocation) -> Result<Output, Failure> {
    let offset = it.argument(1).parse::<u64>().unwrap_or(1).saturating_sub(1);
    let path = format!("/leveret/queues/{}/{}/peek", escaped(it.vhost()), escaped(it.argument(0)));
    let Some(found) = it.client()?.find(&format!("{path}?offset={offset}&limit=1&truncate=64"))? else {
        return Err(no_queue(it));
    };
    let Some(message) = found.get("messages").and_then(|list| list.get(0)) else {
        return Err(Failure::said(exit::UNAVAILABLE, "Target queue does not have a message at that position"));
    };
    let pair =
        |key: &str, value: Option<&Value>| vec![Cell::text(key), Cell::Plain(value.cloned().unwrap_or_default())];
    let properties = message.get("properties").and_then(Value::as_object);
    let headers = properties.and_then(|properties| properties.get("headers")).and_then(Value::as_object);
    let named = properties.into_iter().flatten().filter(|(key, _)| *key != "headers");
    let mut rows: Vec<_> = named.map(|(key, value)| pair(key, Some(value))).collect();
    rows.push(pair("routing_keys", message.get("routing_key")));
    rows.push(pair("exchange", message.get("exchange")));
    rows.push(pair("payload (max 64 bytes)", message.get("payload")));
    rows.extend(headers.into_iter().flatten().map(|(key, value)| pair(&format!("header.{key}"), Some(value))));
    Ok(Table::new(&["keys", "values"], rows).drawn().into())
}
