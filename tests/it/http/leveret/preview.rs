//! What a policy would change.

use serde_json::{Value, json};

use super::super::{call, refused};
use crate::broker::TestBroker;
use crate::client::{Value as Argument, exchange, queue};

const PATH: &str = "/api/leveret/policies/preview";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_change_is_told_and_nothing_changes() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let api = broker.http();
    api.create_vhost("v");
    let ch = broker.connect_with().vhost("v").open().await.channel(1).await;
    ch.declare(queue("orders.a")).await;
    ch.declare(queue("orders.b").arg("x-max-length", Argument::I(2))).await;
    ch.declare(queue("other")).await;
    ch.declare_exchange(exchange("orders.x", "topic")).await;
    api.put("/api/policies/v/now", &json!({ "pattern": "a$", "definition": { "max-length": 9, "expires": 60_000 } }));
    let policy = json!({ "vhost": "v", "pattern": "^orders", "definition": { "max-length": 5 }, "priority": 1 });
    let (status, found) = call(&api, "POST", PATH, &policy);
    assert_eq!(status, 200, "{found}");
    let one = |kind: &str, name: &str, now: Value, changes: Value| json!({ "kind": kind, "name": name, "matches": true, "wins": true, "now_policy": now, "changes": changes });
    let matches = [
        one("queue", "orders.a", json!("now"), json!({ "expires": [60_000, null], "max-length": [9, 5] })),
        one("queue", "orders.b", Value::Null, json!({})),
        one("exchange", "orders.x", Value::Null, json!({})),
    ];
    assert_eq!(found, json!({ "total": 3, "truncated": false, "matches": matches }));
    let query = "?vhost=v&pattern=%5Eorders&priority=1&definition=%7B%22max-length%22%3A5%7D";
    assert_eq!(api.get(&format!("{PATH}{query}")), found);
    assert_eq!(api.get("/api/policies/v").as_array().unwrap().len(), 1);
    // With a lower priority, and for queues alone.
    let lower = json!({ "vhost": "v", "pattern": "a$", "definition": { "max-length": 5 }, "apply-to": "queues" });
    let found = call(&api, "POST", PATH, &lower).1;
    let key = |name: &str| found["matches"][0][name].clone();
    assert_eq!((key("wins"), key("changes"), &found["total"]), (json!(false), json!({}), &json!(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_cannot_be_is_refused_as_when_it_is_put() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let api = broker.http();
    let text = "[{key_missing,vhost},{key_missing,pattern},{key_missing,definition}]";
    assert_eq!(call(&api, "POST", PATH, &json!({})), refused(400, "bad_request", text));
    let bad = json!({ "vhost": "/", "pattern": "(", "definition": { "max-length": -1 } });
    let (status, found) = call(&api, "POST", PATH, &bad);
    let reason = found["reason"].as_str().unwrap();
    assert!(status == 400 && reason.contains("-1 is not a valid maximum length\npattern should be"), "{found}");
    let elsewhere = json!({ "vhost": "no-such", "pattern": "x", "definition": { "max-length": 1 } });
    assert_eq!(call(&api, "POST", PATH, &elsewhere), refused(404, "not_found", "vhost_not_found"));
    let found = api.request("GET", &format!("{PATH}?vhost=%2F&pattern=x&definition=5%7B"), None);
    assert_eq!(found.0, 400);
    // Who does not make policies may not ask, and who may not enter a virtual host does not see it.
    for (user, tag, status) in [("m", "management", 401), ("p", "policymaker", 404)] {
        api.create_user(user, "x", tag);
        let found = call(&api.clone().log_in(user, "x"), "POST", PATH, &bad);
        assert_eq!(found.0, status, "{found:?}");
    }
}
