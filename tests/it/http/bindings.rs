//! `/api/bindings`.

use serde_json::{Value, json};

use super::{absent, call, refused};
use crate::broker::TestBroker;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_binding_is_made_named_and_removed() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("q"));
    call(&api, "PUT", &format!("/api/queues/%2F/{name}"), &json!({}));
    let path = format!("/api/bindings/%2F/e/amq.topic/q/{name}");
    for (body, key, location) in [
        (json!({}), "~", "~"),
        (json!({ "routing_key": "a.#/~" }), "a.%23%2F%7E", "a.%2523%252F%257E"),
        (json!({ "routing_key": "plain" }), "plain", "plain"),
    ] {
        let made = api.send("POST", &path, &body.to_string(), &[]);
        assert_eq!(made.status, 201);
        assert_eq!(made.header("location"), format!("{name}/{location}"));
        let found = api.get(&format!("{path}/{location}"));
        assert_eq!(found["properties_key"], key);
        assert_eq!(found["routing_key"], body["routing_key"].as_str().unwrap_or_default());
        // The same binding again is the same.
        assert_eq!(api.send("POST", &path, &body.to_string(), &[]).status, 201);
        assert_eq!(api.request("DELETE", &format!("{path}/{location}"), None).0, 204);
        assert_eq!(api.request("DELETE", &format!("{path}/{location}"), None), absent());
    }
    assert_eq!(api.get(&path), json!([]));
}

/// Clients that do not escape a properties key once more have its escapes decoded with the path.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_binding_is_found_by_its_routing_key_too() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("q"));
    call(&api, "PUT", &format!("/api/queues/%2F/{name}"), &json!({}));
    let path = format!("/api/bindings/%2F/e/amq.topic/q/{name}");
    for routing_key in ["a#", "a%23"] {
        assert_eq!(api.send("POST", &path, &json!({ "routing_key": routing_key }).to_string(), &[]).status, 201);
    }
    // The second could be the properties key of the one or the routing key of the other: RabbitMQ takes it as the former.
    for (escaped, routing_key) in [("a%23", "a#"), ("a%2523", "a#"), ("a%252523", "a%23")] {
        assert_eq!(api.get(&format!("{path}/{escaped}"))["routing_key"], routing_key, "{escaped}");
    }
    assert_eq!(api.request("DELETE", &format!("{path}/a%23"), None).0, 204);
    assert_eq!(api.get(&path)[0]["routing_key"], "a%23");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_of_arguments_does_not_matter() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("q"));
    call(&api, "PUT", &format!("/api/queues/%2F/{name}"), &json!({}));
    let path = format!("/api/bindings/%2F/e/amq.headers/q/{name}");
    let first = api.send("POST", &path, r#"{"routing_key":"k","arguments":{"x-match":"any","a":1}}"#, &[]);
    let second = api.send("POST", &path, r#"{"routing_key":"k","arguments":{"a":1,"x-match":"any"}}"#, &[]);
    assert_eq!(first.header("location"), second.header("location"));
    assert!(first.header("location").starts_with(&format!("{name}/k~")), "{}", first.header("location"));
    assert_eq!(api.get(&path).as_array().unwrap().len(), 1);
    let other = api.send("POST", &path, r#"{"routing_key":"k","arguments":{"a":2,"x-match":"any"}}"#, &[]);
    assert_ne!(first.header("location"), other.header("location"));
    let key = other.header("location").split_once('/').unwrap().1.to_owned();
    assert_eq!(api.request("DELETE", &format!("{path}/{key}"), None).0, 204);
    assert_eq!(api.get(&path).as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_ends_must_be_there() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("q"));
    call(&api, "PUT", &format!("/api/queues/%2F/{name}"), &json!({}));
    let post = |path: &str| call(&api, "POST", path, &json!({}));
    let no_exchange = refused(404, "not_found", "no exchange 'no-such' in vhost '/'");
    assert_eq!(post(&format!("/api/bindings/%2F/e/no-such/q/{name}")), no_exchange);
    let no_queue = refused(404, "not_found", "no queue 'no-such' in vhost '/'");
    assert_eq!(post("/api/bindings/%2F/e/amq.topic/q/no-such"), no_queue);
    let default = refused(401, "not_authorised", "Access refused.");
    assert_eq!(post(&format!("/api/bindings/%2F/e/amq.default/q/{name}")), default);
    assert_eq!(api.get("/api/bindings/%2F/e/no-such/q/no-such"), json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_exchange_leads_to_every_queue() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("q"));
    call(&api, "PUT", &format!("/api/queues/%2F/{name}"), &json!({}));
    let expected = json!([{
        "source": "", "vhost": "/", "destination": name, "destination_type": "queue",
        "routing_key": name, "arguments": {}, "properties_key": name,
    }]);
    assert_eq!(api.get(&format!("/api/queues/%2F/{name}/bindings")), expected);
    let all = api.get("/api/bindings/%2F");
    assert!(all.as_array().unwrap().contains(&expected[0]), "{all}");
    // RabbitMQ shows a default binding to a queue that is not there.
    if !broker.is_rabbitmq() {
        assert_eq!(api.get("/api/queues/%2F/no-such/bindings"), Value::Array(Vec::new()));
    }
}
