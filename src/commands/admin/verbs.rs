//! What `rabbitmqadmin` does.

use std::io::Read;
use std::path::Path;

use hyper::Method;
use serde_json::{Value, json};

use super::arguments::Request;
use super::{formats, objects};
use crate::commands::client::{Problem, escaped};
use crate::commands::system::write_for_one_user;

/// What there is to say afterwards, or what went wrong.
type Said = Result<String, String>;

/// A verb, and what it does.
type Verb = (&'static str, fn(&Request) -> Said);

const VERBS: &[Verb] = &[
    ("list", list),
    ("show", show),
    ("declare", declare),
    ("delete", delete),
    ("purge", purge),
    ("close", close),
    ("publish", publish),
    ("get", get),
    ("import", import),
    ("export", export),
    ("definitions", definitions),
    ("health_check", health_check),
];

/// # Errors
/// What went wrong, in one sentence.
pub(super) fn carry_out(request: &Request) -> Said {
    let verb = request.word(0);
    match VERBS.iter().find(|(name, _)| *name == verb) {
        Some((_, run)) => run(request),
        None => Err(format!("{verb}: there is no such subcommand; see rabbitmqadmin --help")),
    }
}

fn said(request: &Request, text: &str) -> String {
    if request.quiet { String::new() } else { format!("{text}\n") }
}

fn problem(problem: Problem) -> String {
    match &problem {
        Problem::Refused { status: 404, .. } => "Not found".to_owned(),
        Problem::Refused { status: 401, reason, .. } => format!("Access refused: {reason}"),
        Problem::Unreachable(_) | Problem::TimedOut(_) | Problem::Refused { .. } => problem.to_string(),
    }
}

/// What can be listed, with the columns that are shown unless others are asked for; none are all of them.
const LISTS: &[(&str, bool, &[&str])] = &[
    ("users", false, &[]),
    ("vhosts", false, &["name", "messages"]),
    ("connections", false, &["name", "user", "channels"]),
    ("exchanges", true, &["name", "type"]),
    ("bindings", true, &["source", "destination", "routing_key"]),
    ("permissions", false, &[]),
    ("channels", false, &["name", "user"]),
    ("consumers", true, &[]),
    ("parameters", false, &[]),
    ("policies", true, &[]),
    ("operator_policies", true, &[]),
    ("queues", true, &["name", "messages"]),
    ("nodes", false, &["name", "type", "mem_used"]),
    ("feature_flags", false, &["name", "state"]),
    ("vhost_limits", false, &[]),
    ("user_limits", false, &[]),
];

fn list(request: &Request) -> Said {
    let wanted = request.word(1);
    let list = LISTS.iter().find(|(name, ..)| *name == wanted);
    let (name, of_vhost, columns) =
        list.ok_or_else(|| format!("{wanted} cannot be listed; see rabbitmqadmin --help"))?;
    let path = match &request.vhost {
        Some(vhost) if *of_vhost => format!("/{}/{}", name.replace('_', "-"), escaped(vhost)),
        _ => format!("/{}", name.replace('_', "-")),
    };
    let found = request.client()?.get(&path).map_err(problem)?;
    let chosen: Vec<&str> = request.words.iter().skip(2).map(String::as_str).collect();
    Ok(formats::list(request.format, &found, if chosen.is_empty() { columns } else { &chosen }))
}

fn show(request: &Request) -> Said {
    if request.word(1) != "overview" {
        return Err(format!("{} cannot be shown; there is 'show overview'", request.word(1)));
    }
    let found = request.client()?.get("/overview").map_err(problem)?;
    let chosen: Vec<&str> = request.words.iter().skip(2).map(String::as_str).collect();
    let columns = ["rabbitmq_version", "cluster_name", "queue_totals.messages", "object_totals.queues"];
    Ok(formats::list(request.format, &json!([found]), if chosen.is_empty() { &columns } else { &chosen }))
}

fn object(request: &Request) -> Result<&'static objects::Object, String> {
    objects::find(request.word(1))
        .ok_or_else(|| format!("there is nothing like a {}; see rabbitmqadmin --help", request.word(1)))
}

fn is_binding(request: &Request) -> bool {
    matches!(request.word(1), "binding" | "bindings")
}

/// The path of the bindings between two things.
fn bindings(request: &Request) -> Result<String, String> {
    let kind = if request.pair("destination_type") == Some("exchange") { "e" } else { "q" };
    let (source, destination) = (request.required("source")?, request.required("destination")?);
    Ok(format!("/bindings/{}/e/{}/{kind}/{}", escaped(request.own_vhost()), escaped(source), escaped(destination)))
}

fn declare(request: &Request) -> Said {
    let client = request.client()?;
    if is_binding(request) {
        let arguments = request.pair("arguments").unwrap_or("{}");
        let arguments: Value =
            serde_json::from_str(arguments).map_err(|error| format!("arguments={arguments} is no JSON: {error}"))?;
        let body = json!({ "routing_key": request.pair("routing_key").unwrap_or_default(), "arguments": arguments });
        client.post(&bindings(request)?, &body).map_err(problem)?;
        return Ok(said(request, "binding declared"));
    }
    let object = object(request)?;
    client.put(&object.path(request)?, &object.body(request)?).map_err(problem)?;
    Ok(said(request, &format!("{} declared", object.name)))
}

fn delete(request: &Request) -> Said {
    let (name, path) = if is_binding(request) {
        let key = request.pair("properties_key").or_else(|| request.pair("routing_key")).unwrap_or("~");
        ("binding", format!("{}/{}", bindings(request)?, escaped(key)))
    } else {
        let object = object(request)?;
        (object.name, object.path(request)?)
    };
    if request.client()?.delete(&path).map_err(problem)? || request.is_idempotent {
        Ok(said(request, &format!("{name} deleted")))
    } else {
        Err("Not found".to_owned())
    }
}

fn purge(request: &Request) -> Said {
    let path = format!("/queues/{}/{}/contents", escaped(request.own_vhost()), escaped(request.required("name")?));
    if request.client()?.delete(&path).map_err(problem)? {
        Ok(said(request, "queue purged"))
    } else {
        Err("Not found".to_owned())
    }
}

fn close(request: &Request) -> Said {
    let path = format!("/connections/{}", escaped(request.required("name")?));
    if request.client()?.delete(&path).map_err(problem)? {
        Ok(said(request, "connection closed"))
    } else {
        Err("Not found".to_owned())
    }
}

fn publish(request: &Request) -> Said {
    let payload = match request.pair("payload") {
        Some(payload) => payload.to_owned(),
        None => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(|error| format!("cannot read the payload: {error}"))?;
            text
        }
    };
    let properties = request.pair("properties").unwrap_or("{}");
    let properties: Value =
        serde_json::from_str(properties).map_err(|error| format!("properties={properties} is no JSON: {error}"))?;
    let exchange = request.pair("exchange").filter(|exchange| !exchange.is_empty()).unwrap_or("amq.default");
    let body = json!({
        "routing_key": request.required("routing_key")?, "payload": payload, "properties": properties,
        "payload_encoding": request.pair("payload_encoding").unwrap_or("string"),
    });
    let path = format!("/exchanges/{}/{}/publish", escaped(request.own_vhost()), escaped(exchange));
    let answer = request.client()?.post(&path, &body).map_err(problem)?;
    let is_routed = answer.get("routed").and_then(Value::as_bool) == Some(true);
    Ok(said(request, if is_routed { "Message published" } else { "Message published but NOT routed" }))
}

fn get(request: &Request) -> Said {
    let ackmode = request.pair("ackmode").or_else(|| request.pair("ack_mode")).unwrap_or("ack_requeue_true");
    let count = request.pair("count").unwrap_or("1");
    let count: u64 = count.parse().map_err(|_none| format!("count={count} is no number"))?;
    let body = json!({ "count": count, "ackmode": ackmode, "encoding": request.pair("encoding").unwrap_or("auto") });
    let path = format!("/queues/{}/{}/get", escaped(request.own_vhost()), escaped(request.required("queue")?));
    let found = request.client()?.post(&path, &body).map_err(problem)?;
    let columns =
        ["routing_key", "exchange", "message_count", "payload", "payload_bytes", "payload_encoding", "redelivered"];
    Ok(formats::list(request.format, &found, &columns))
}

fn definitions_path(request: &Request) -> String {
    request.vhost.as_ref().map_or_else(|| "/definitions".to_owned(), |vhost| format!("/definitions/{}", escaped(vhost)))
}

fn export_to(request: &Request, file: &str) -> Said {
    let found = request.client()?.bytes(&Method::GET, &definitions_path(request), Vec::new()).map_err(problem)?;
    if file == "-" {
        return Ok(String::from_utf8_lossy(&found).into_owned() + "\n");
    }
    write_for_one_user(Path::new(file), &found).map_err(|error| format!("cannot write {file}: {error}"))?;
    Ok(said(request, &format!("Exported definitions for localhost to \"{file}\"")))
}

fn import_from(request: &Request, file: &str) -> Said {
    let definitions = std::fs::read(file).map_err(|error| format!("cannot read {file}: {error}"))?;
    request.client()?.bytes(&Method::POST, &definitions_path(request), definitions).map_err(problem)?;
    Ok(said(request, &format!("Uploaded definitions from \"{file}\" to localhost.")))
}

fn export(request: &Request) -> Said {
    export_to(request, request.words.get(1).map(String::as_str).or_else(|| request.pair("file")).ok_or("export FILE")?)
}

fn import(request: &Request) -> Said {
    import_from(
        request,
        request.words.get(1).map(String::as_str).or_else(|| request.pair("file")).ok_or("import FILE")?,
    )
}

/// The second version's words for both.
fn definitions(request: &Request) -> Said {
    let file = request.pair("file").unwrap_or("-");
    match request.word(1) {
        "export" => export_to(request, file),
        "import" => import_from(request, file),
        other => Err(format!("definitions {other}: there is 'definitions export' and 'definitions import'")),
    }
}

fn health_check(request: &Request) -> Said {
    let path = format!("/health/checks/{}", request.word(1).replace('_', "-"));
    let path = request
        .pair("port")
        .or_else(|| request.pair("protocol"))
        .map_or_else(|| path.clone(), |what| format!("{path}/{}", escaped(what)));
    request.client()?.get(&path).map_err(problem)?;
    Ok(said(request, "health check passed"))
}
