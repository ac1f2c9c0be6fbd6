//! What closed channels and connections.

use serde_json::{Value, json};

use super::super::call;
use crate::broker::TestBroker;
use crate::client::table::S;
use crate::client::{args, eventually, queue};

fn keys(found: &Value, keys: &[&str]) -> Value {
    keys.iter().map(|key| ((*key).to_owned(), found[*key].clone())).collect::<serde_json::Map<_, _>>().into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_channel_says_who_what_and_what_to_do() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (api, name) = (broker.http(), broker.name("q"));
    assert_eq!(api.get("/api/leveret/errors"), json!({ "total": 0, "items": [] }));
    let connection = broker.connect().await;
    let local = connection.local_address();
    let ch = connection.channel(1).await;
    ch.declare(queue(&name).durable()).await;
    let text = format!(
        "PRECONDITION_FAILED - inequivalent arg 'durable' for queue '{name}' in vhost '/': received 'false' but current is 'true'"
    );
    ch.refused(queue(&name), 406, &text).await;
    let found = api.get("/api/leveret/errors");
    assert_eq!(found["total"], 1);
    let error = &found["items"][0];
    let expected = json!({
        "id": 1, "closed": "channel", "user": "guest", "vhost": "/", "peer": local.to_string(), "channel": 1,
        "connection": format!("{local} -> {}", broker.address()), "reply_code": 406, "reply_text": text,
        "method": "queue.declare", "class_id": 50, "method_id": 10,
        "object": { "type": "queue", "name": name },
        "difference": { "argument": "durable", "received": "false", "current": "true" },
        "declared_by": {
            "user": "guest", "connection": format!("{local} -> {}", broker.address()), "connection_name": null,
            "at": error["declared_by"]["at"],
        },
    });
    let known: Vec<_> = expected.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys(error, &known), expected);
    assert!(error["advice"].as_str().unwrap().contains("Declare it with the values"), "{error}");
    assert!(error["at"].as_u64().unwrap() > 1_700_000_000_000, "{error}");
    assert!(error["client"].is_object(), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_refused_is_there_with_its_client() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let mut connect = broker.connect_with().vhost("no such");
    connect.client_properties =
        args([("product", S("shop")), ("version", S("2.0")), ("connection_name", S("shop-api"))]);
    let connection = connect.ask().await;
    connection.expect_error(530, "NOT_ALLOWED - vhost no such not found", (10, 40)).await;
    let api = broker.http();
    eventually("the error is listed", async || {
        let found = api.get("/api/leveret/errors");
        let error = keys(
            &found["items"][0],
            &["closed", "user", "vhost", "channel", "method", "object", "client", "connection_name"],
        );
        let expected = json!({
            "closed": "connection", "user": "guest", "vhost": null, "channel": null, "method": "connection.open",
            "object": { "type": "vhost", "name": "no such" }, "client": { "product": "shop", "version": "2.0" },
            "connection_name": "shop-api",
        });
        if error == expected { Ok(()) } else { Err(error) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_is_filtered_and_bounded_and_others_see_their_own_only() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let api = broker.http();
    let connection = broker.connect().await;
    for number in 1..=3 {
        let ch = connection.channel(number).await;
        let text = format!("NOT_FOUND - no queue 'no-{number}' in vhost '/'");
        ch.refused(queue(&format!("no-{number}")).passive(), 404, &text).await;
    }
    let ids = |query: &str| {
        let found = api.get(&format!("/api/leveret/errors{query}"));
        found["items"].as_array().unwrap().iter().map(|error| error["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ids(""), [3, 2, 1]);
    assert_eq!(ids("?limit=2"), [3, 2]);
    assert_eq!(ids("?after=2"), [3]);
    assert_eq!(ids("?vhost=other"), Vec::<u64>::new());
    assert_eq!(ids("?vhost=%2F&user=guest"), [3, 2, 1]);
    let (status, refusal) = call(&api, "GET", "/api/leveret/errors?limit=1001", &Value::Null);
    assert_eq!((status, &refusal["reason"]), (400, &json!("limit must be a whole number from 1 to 1000")));
    api.create_user("watcher", "w", "management");
    let watcher = api.clone().log_in("watcher", "w");
    let found = watcher.get("/api/leveret/errors");
    assert_eq!(found["items"], json!([]), "these were guest's");
    api.create_user("nobody", "n", "");
    let (status, _) = call(&api.clone().log_in("nobody", "n"), "GET", "/api/leveret/errors", &Value::Null);
    assert_eq!(status, 401);
}
