//! Messages that an exchange holds back: listed, cancelled, brought forward.

use serde_json::{Value, json};

use super::super::call;
use crate::broker::{Setup, TestBroker};
use crate::client::{Channel, Value as Field, exchange, publish, queue, table::S};

async fn stage(broker: &TestBroker, x: &str, name: &str) -> Channel {
    let ch = broker.connect().await.channel(1).await;
    ch.declare_exchange(exchange(x, "x-delayed-message").durable().arg("x-delayed-type", S("direct"))).await;
    ch.declare(queue(name).durable()).await;
    ch.bind(name, x, "k").await;
    for (body, delay) in [("late", 3_000_000), ("soon", 1_000_000), ("middle", 2_000_000)] {
        ch.publish(publish(x, "k", body).header("x-delay", Field::I(delay))).await;
    }
    ch.sync().await;
    ch
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_listed_cancelled_and_brought_forward() {
    let broker = Setup { http: true, on_disk: true, ..Setup::default() }.start().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (api, x, name) = (broker.http(), broker.name("x"), broker.name("q"));
    let ch = stage(&broker, &x, &name).await;
    let list = |query: &str| api.get(&format!("/api/leveret/delayed/%2F{query}"));
    let payloads = |found: &Value| -> Vec<String> {
        let messages = found["messages"].as_array().unwrap().iter();
        messages.map(|message| message["payload"].as_str().unwrap().to_owned()).collect()
    };
    let found = list("");
    assert_eq!((payloads(&found), &found["total"]), (vec!["soon".into(), "middle".into(), "late".into()], &json!(3)));
    let first = &found["messages"][0];
    assert_eq!((&first["exchange"], &first["routing_key"], &first["id"]), (&json!(x), &json!("k"), &json!(1)));
    assert!(first["due_in_ms"].as_u64().unwrap() > 900_000);
    let part = list("?offset=1&limit=1&truncate=3");
    assert_eq!((payloads(&part), &part["next_offset"]), (vec!["mid".into()], &json!(2)));
    assert_eq!(list("?exchange=other")["total"], 0);
    let chosen = |at: usize| json!({ "due_at": found["messages"][at]["due_at"], "id": found["messages"][at]["id"] });
    let act = |deed: &str, body: &Value| call(&api, "POST", &format!("/api/leveret/delayed/%2F/{deed}"), body);
    let body = json!({ "messages": [chosen(1), { "due_at": 1, "id": 77 }] });
    assert_eq!(act("cancel", &body), (200, json!({ "done": [2], "not_found": [77] })));
    assert_eq!(act("publish", &json!({ "messages": [chosen(2)] })), (200, json!({ "done": [0], "not_found": [] })));
    assert_eq!(ch.get_eventually(&name).await.text(), "late");
    assert_eq!(payloads(&list("")), ["soon"]);
    assert_eq!(act("publish", &json!({ "messages": [chosen(2)] })).1, json!({ "done": [], "not_found": [0] }));
    assert_eq!(act("cancel", &json!({})).0, 400);
    api.create_user("reader", "r", "management");
    api.permit("reader", "/", "", "", ".*");
    let reader = api.clone().log_in("reader", "r");
    assert_eq!(reader.get("/api/leveret/delayed/%2F")["total"], 1);
    let (_, refused) = call(&reader, "POST", "/api/leveret/delayed/%2F/cancel", &json!({ "messages": [chosen(0)] }));
    assert_eq!(refused, json!({ "done": [], "not_found": [1] }));
    api.permit("reader", "/", "", "", "^$");
    assert_eq!(reader.get("/api/leveret/delayed/%2F")["total"], 0);
}
