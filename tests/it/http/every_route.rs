//! Every route of the API, with every method that it has: each has a line in `every_route.txt`, which says what is answered. The lines are in
//! the order in which they are asked, so that what one makes another one finds. A new route without a line makes this test fail.

use std::collections::BTreeMap;

use leveret::internals::server::talk::Talk;
use serde_json::Value;

use crate::broker::{Management, TestBroker};
use crate::client::{consume, eventually};

/// What is asked, and what is answered.
#[derive(Clone, Copy, Debug)]
struct Line {
    /// RabbitMQ answers something else.
    is_ours: bool,
    method: &'static str,
    path: &'static str,
    body: &'static str,
    /// The status, and the form of the body (`form`).
    answer: &'static str,
}

/// A line is `METHOD path body => status form`.
fn lines() -> Vec<Line> {
    let read = |line: &'static str| {
        let (asked, answer) = line.split_once(" => ").unwrap_or_else(|| panic!("no answer: {line}"));
        let is_ours = asked.starts_with('~');
        let mut parts = asked.trim_start_matches('~').splitn(3, ' ');
        let mut next = || parts.next().unwrap_or_default();
        Line { is_ours, method: next(), path: next(), body: next(), answer }
    };
    include_str!("every_route.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(read)
        .collect()
}

/// The form of a body: `-` for none, `{name:s count:n}` for an object, the same in brackets for a list of objects. The letters stand for the
/// types of JSON; an error is written with its words.
fn form(text: &str) -> String {
    let Ok(body) = serde_json::from_str::<Value>(text) else {
        return if text.is_empty() { "-" } else { "text" }.to_owned();
    };
    match &body {
        Value::Object(object) if object.contains_key("error") => format!("error {body}"),
        Value::Object(_) => format!("{{{}}}", keys(&body)),
        Value::Array(items) => match items.iter().find(|item| item.is_object()) {
            Some(item) => format!("[{}]", keys(item)),
            None => format!("[{}]", items.first().map_or("", kind)),
        },
        other => kind(other).to_owned(),
    }
}

fn keys(object: &Value) -> String {
    let keys = object.as_object().into_iter().flatten().map(|(key, value)| format!("{key}:{}", kind(value)));
    keys.collect::<Vec<_>>().join(" ")
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "0",
        Value::Bool(_) => "b",
        Value::Number(_) => "n",
        Value::String(_) => "s",
        Value::Array(_) => "a",
        Value::Object(_) => "o",
    }
}

/// What RabbitMQ shows beside what a line has: docs/management.md says why these are left out, or it is a certificate that nobody has.
const OF_RABBITMQ_ALONE: [&str; 9] = [
    "garbage_collection:o",
    "peer_cert_issuer:s",
    "peer_cert_serial_number:s",
    "peer_cert_subject:s",
    "peer_cert_validity:s",
    "ssl_cipher:s",
    "ssl_hash:s",
    "ssl_key_exchange:s",
    "ssl_protocol:s",
];

/// A form of RabbitMQ without what it has alone, and what is null.
fn without_own(form: &str) -> String {
    let Some(open @ ('{' | '[')) = form.chars().next() else { return form.to_owned() };
    let close = if open == '{' { '}' } else { ']' };
    let keys =
        form[1..form.len() - 1].split(' ').filter(|key| !OF_RABBITMQ_ALONE.contains(key) && !key.ends_with(":0"));
    format!("{open}{}{close}", keys.collect::<Vec<_>>().join(" "))
}

/// Whether a body has everything that is expected of it; more keys may be there. `?` stands for any body, or any type.
fn has(expected: &str, found: &str) -> bool {
    let listed = |form: &str| {
        let open = form.chars().next().filter(|first| matches!(first, '{' | '['))?;
        let keys = form[1..form.len() - 1].split(' ').map(|key| key.split_once(':').unwrap_or((key, "")));
        let keys: BTreeMap<_, _> = keys.map(|(key, kind)| (key.to_owned(), kind.to_owned())).collect();
        Some((open, keys))
    };
    let is_alike = |expected: &str, found: &str| expected == found || expected == "?" || found == "?";
    match (listed(expected), listed(found)) {
        (Some((open, expected)), Some((found_open, found))) => {
            let is_there = |(key, kind): (&String, &String)| found.get(key).is_some_and(|found| is_alike(kind, found));
            open == found_open && expected.iter().all(is_there)
        }
        _ => is_alike(expected, found),
    }
}

/// The names that stand in braces.
struct Names(Vec<(&'static str, String)>);

impl Names {
    fn of(vhost: &str, api: &Management, connection: &str, channel: &str) -> Self {
        let overview = api.get("/api/overview");
        let listeners = overview["listeners"].as_array().cloned().unwrap_or_default();
        let amqp = listeners.iter().find(|one| one["protocol"] == "amqp").expect("it speaks AMQP");
        let text = |key: &str| overview[key].as_str().unwrap_or_default().to_owned();
        Self(vec![
            ("node", text("node")),
            ("cluster", text("cluster_name")),
            ("vhost", vhost.to_owned()),
            ("second", format!("{vhost}-2")),
            ("user", format!("{vhost}-u")),
            ("absent", format!("{vhost}-absent")),
            ("connection", connection.to_owned()),
            ("channel", channel.to_owned()),
            ("port", amqp["port"].to_string()),
        ])
    }

    /// A path with the names that its braces stand for; what is no name stands for itself.
    fn path(&self, path: &str) -> String {
        let segments =
            path.split('/').map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                Some(name) => {
                    let known =
                        self.0.iter().find(|(known, _)| *known == name).map_or(name, |(_, value)| value.as_str());
                    known.replace('%', "%25").replace(' ', "%20").replace('>', "%3E").replace('/', "%2F")
                }
                None => part.to_owned(),
            });
        format!("/api{}", segments.collect::<Vec<_>>().join("/"))
    }

    fn text(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }
}

#[test]
fn every_route_has_a_line() {
    let fits = |line: &Line, method: &str, route: &str| {
        let path = line.path.split('?').next().unwrap_or_default();
        let (parts, named): (Vec<_>, Vec<_>) = (path.split('/').collect(), route.split('/').collect());
        let is_variable = |part: &str| part.starts_with('{');
        let alike = |(a, b): (&&str, &&str)| a == b || (is_variable(a) && is_variable(b));
        line.method == method && parts.len() == named.len() && parts.iter().zip(&named).all(alike)
    };
    let lines = lines();
    let forgotten: Vec<_> = Talk::actions()
        .filter(|(method, route)| !lines.iter().any(|line| fits(line, method, route)))
        .map(|(method, route)| format!("{method} {route}"))
        .collect();
    assert!(forgotten.is_empty(), "without a line in every_route.txt: {forgotten:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_answers_as_its_line_says() {
    let broker = TestBroker::with_http().await;
    let (api, vhost) = (broker.http(), broker.name("every"));
    api.create_vhost(&vhost);
    api.put(&format!("/api/queues/{vhost}/classic"), &serde_json::json!({ "durable": true }));
    let quorum = serde_json::json!({ "durable": true, "arguments": { "x-queue-type": "quorum" } });
    api.put(&format!("/api/queues/{vhost}/quorum"), &quorum);
    let connection = broker.connect_with().vhost(&vhost).open().await;
    let channel = connection.channel(1).await;
    channel.consume(consume("classic").tag("t")).await;
    let list = |what: &str| api.get(&format!("/api/vhosts/{vhost}/{what}"));
    // A RabbitMQ shows them with its next statistics.
    eventually("connection, channel and consumer are listed", async || {
        tokio::time::sleep(crate::client::POLL).await;
        let shown = (
            &list("connections")[0]["user"],
            &list("channels")[0]["user"],
            &api.get(&format!("/api/consumers/{vhost}"))[0],
        );
        if shown.0.is_string() && shown.1.is_string() && shown.2.is_object() {
            Ok(())
        } else {
            Err(format!("{shown:?}"))
        }
    })
    .await;
    let name = |what: &str| list(what)[0]["name"].as_str().unwrap_or_default().to_owned();
    let names = Names::of(&vhost, &api, &name("connections"), &name("channels"));

    let mut wrong = Vec::new();
    for line in lines() {
        if broker.is_rabbitmq() && (line.is_ours || line.path.starts_with("/leveret/")) {
            continue;
        }
        let form_type: &[_] = &[("content-type", "application/x-www-form-urlencoded")];
        let headers = if line.path == "/login" { form_type } else { &[] };
        let answered = api.send(line.method, &names.path(line.path), &names.text(line.body), headers);
        let (status, expected) = line.answer.split_once(' ').unwrap_or((line.answer, "-"));
        let found = form(&answered.text);
        let expected = names.text(expected);
        // A list of RabbitMQ may begin with another object, and a new object has no statistics yet: there may be less, and not more.
        let is_so = if broker.is_rabbitmq() {
            found == "[]" || has(&without_own(&found), &expected)
        } else {
            has(&expected, &found)
        };
        if answered.status.to_string() != status || !is_so {
            wrong.push(format!("{} {}: {} {found}, expected {}", line.method, line.path, answered.status, line.answer));
        }
        if (line.method, line.path) == ("DELETE", "/connections/{connection}") {
            // The answer does not wait for what goes with the connection, and later lines show whether it is gone.
            eventually("the consumer is gone with its connection", async || {
                let left = api.get(&format!("/api/consumers/{vhost}"));
                if left == serde_json::json!([]) { Ok(()) } else { Err(left) }
            })
            .await;
        }
    }
    api.delete_quietly(&format!("/api/vhosts/{vhost}"));
    assert!(wrong.is_empty(), "{wrong:#?}");
}
