//! `/api/connections`, `/api/channels`.

use serde_json::{Value, json};

use super::absent;
use crate::broker::{Management, TestBroker};
use crate::client::{Connection, eventually};

/// RabbitMQ lists a connection some seconds after it was opened.
async fn listed(api: &Management, connection: &Connection) -> Value {
    let port = connection.local_address().port();
    let mut found = Value::Null;
    eventually("the connection is listed", async || {
        let all = api.get("/api/connections");
        let is_own = |listed: &&Value| listed["peer_port"] == port && listed["state"].is_string();
        let own = all.as_array().unwrap().iter().find(is_own);
        own.cloned().ok_or_else(|| all.to_string()).map(|listed| found = listed)
    })
    .await;
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_listed_with_who_it_is() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let connection = broker.connect().await;
    let _channel = connection.channel(1).await;
    let found = listed(&api, &connection).await;
    for (key, value) in [
        ("user", json!("guest")),
        ("vhost", json!("/")),
        ("protocol", json!("AMQP 0-9-1")),
        ("ssl", json!(false)),
        ("state", json!("running")),
        ("type", json!("network")),
        ("auth_mechanism", json!("PLAIN")),
        ("port", json!(broker.address().port())),
    ] {
        assert_eq!(found[key], value, "{key}");
    }
    let (local, peer) = (connection.local_address(), broker.address());
    assert_eq!(found["name"], format!("{local} -> {peer}"));
    if !broker.is_rabbitmq() {
        let name = found["name"].as_str().unwrap().replace(' ', "%20").replace('>', "%3E");
        assert_eq!(api.get(&format!("/api/connections/{name}"))["name"], found["name"]);
        let channels = api.get(&format!("/api/connections/{name}/channels"));
        assert_eq!(channels[0]["name"], format!("{local} -> {peer} (1)"));
        assert_eq!(api.get(&format!("/api/channels/{name}%20(1)"))["number"], 1);
    }
    assert_eq!(api.request("GET", "/api/connections/no-such", None), absent());
    assert_eq!(api.request("GET", "/api/channels/no-such", None), absent());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_closed_from_outside() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    for (headers, text) in [
        (&[][..], "CONNECTION_FORCED - Closed via management plugin"),
        (&[("x-reason", "go home")][..], "CONNECTION_FORCED - go home"),
    ] {
        let connection = broker.connect().await;
        let found = listed(&api, &connection).await;
        let name = found["name"].as_str().unwrap().replace(' ', "%20").replace('>', "%3E");
        assert_eq!(api.send("DELETE", &format!("/api/connections/{name}"), "", headers).status, 204);
        connection.expect_close(320, text, (0, 0)).await;
    }
    assert_eq!(api.request("DELETE", "/api/connections/username/nobody", None).0, 204);
}
