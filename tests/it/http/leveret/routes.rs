//! Which queues a message would reach.

use serde_json::{Value, json};

use super::super::call;
use crate::broker::{Management, TestBroker};
use crate::client::{args, exchange, queue, table::S};

fn ask(api: &Management, exchange: &str, key: &str, headers: Value) -> Value {
    let body = json!({ "exchange": exchange, "routing_key": key, "headers": headers });
    let (status, found) = call(api, "POST", "/api/leveret/routes/%2F", &body);
    assert_eq!(status, 200, "{found}");
    found
}

fn names(found: &Value) -> Vec<&str> {
    found["queues"].as_array().unwrap().iter().map(|queue| queue["name"].as_str().unwrap()).collect()
}

fn why<'a>(found: &'a Value, destination: &str) -> (bool, &'a str) {
    let mut bindings = found["bindings"].as_array().unwrap().iter();
    let binding = bindings.find(|binding| binding["destination"] == destination).unwrap();
    (binding["matches"].as_bool().unwrap(), binding["why"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_type_says_why() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (api, a, b) = (broker.http(), broker.name("a"), broker.name("b"));
    let ch = broker.connect().await.channel(1).await;
    ch.declare(queue(&a)).await;
    ch.declare(queue(&b)).await;
    ch.bind(&a, "amq.topic", "order.*").await;
    ch.bind(&b, "amq.topic", "mail.#").await;
    let found = ask(&api, "amq.topic", "order.new", json!({}));
    assert_eq!(names(&found), [&a]);
    assert_eq!(why(&found, &a), (true, "'order.new' matches the pattern 'order.*'"));
    assert_eq!(why(&found, &b), (false, "'order.new' does not match the pattern 'mail.#'"));
    assert_eq!(found["queues"][0]["through"][0]["routing_key"], "order.*");
    assert_eq!(found["exchanges"], json!([{ "name": "amq.topic", "type": "topic", "note": null }]));
    assert_eq!((&found["unroutable"], &found["bindings_left_out"]), (&json!(false), &json!(0)));
    ch.bind(&a, "amq.direct", "x").await;
    let found = ask(&api, "amq.direct", "y", json!({}));
    assert_eq!(why(&found, &a), (false, "'y' is not the binding key 'x'"));
    assert_eq!(found["unroutable"], true);
    ch.bind_with(&a, "amq.headers", "", &args([("x-match", S("all")), ("kind", S("new"))])).await;
    assert_eq!(why(&ask(&api, "amq.headers", "", json!({})), &a), (false, "x-match all: there is no header 'kind'"));
    let other = ask(&api, "amq.headers", "", json!({ "kind": "old" }));
    assert_eq!(why(&other, &a), (false, "x-match all: the header 'kind' has another value"));
    assert!(why(&ask(&api, "amq.headers", "", json!({ "kind": "new" })), &a).0);
    let found = ask(&api, "", &a, json!({ "CC": [b, "nowhere"] }));
    let mut reached = names(&found);
    reached.sort_unstable();
    assert_eq!(reached, [&a, &b]);
    assert_eq!(why(&found, "nowhere"), (false, "there is no queue of the name 'nowhere'"));
    // Nothing was published.
    assert_eq!((ch.counts(&a).await, ch.counts(&b).await), ((0, 0), (0, 0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_exchanges_on_the_way_are_named() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (api, a) = (broker.http(), broker.name("a"));
    let [first, second, spare, late] = ["first", "second", "spare", "late"].map(|stem| broker.name(stem));
    let ch = broker.connect().await.channel(1).await;
    ch.declare(queue(&a)).await;
    ch.declare_exchange(exchange(&first, "direct").arg("alternate-exchange", S(&spare))).await;
    ch.declare_exchange(exchange(&second, "fanout")).await;
    ch.declare_exchange(exchange(&spare, "fanout")).await;
    ch.bind_exchange(&second, &first, "k").await;
    ch.bind(&a, &second, "").await;
    let found = ask(&api, &first, "k", json!({}));
    assert_eq!(names(&found), [&a]);
    let passed: Vec<_> = found["exchanges"].as_array().unwrap().iter().map(|passed| &passed["name"]).collect();
    assert_eq!(passed, [&json!(first), &json!(second)]);
    let found = ask(&api, &first, "other", json!({}));
    assert_eq!(names(&found), Vec::<&str>::new());
    let note = format!("nothing matches, so the alternate exchange '{spare}' gets the message");
    assert_eq!((&found["exchanges"][0]["note"], &found["exchanges"][1]["name"]), (&json!(note), &json!(spare)));
    ch.declare_exchange(exchange(&late, "x-delayed-message").arg("x-delayed-type", S("direct"))).await;
    ch.bind(&a, &late, "k").await;
    let found = ask(&api, &late, "k", json!({ "x-delay": 5000 }));
    assert_eq!(found["exchanges"][0]["note"], "it holds the message back for 5000 ms, and routes it then");
    assert_eq!((why(&found, &a).0, &found["unroutable"]), (true, &json!(false)));
    let refused = |body: Value| call(&api, "POST", "/api/leveret/routes/%2F", &body).0;
    assert_eq!(refused(json!({})), 400);
    assert_eq!(refused(json!({ "exchange": "no-such" })), 404);
    assert_eq!(refused(json!({ "exchange": "", "headers": [] })), 400);
}
