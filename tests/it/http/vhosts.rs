//! `/api/vhosts`.

use serde_json::{Value, json};

use super::{absent, call, refused};
use crate::broker::TestBroker;
use crate::client::queue;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_virtual_host_is_made_changed_and_deleted() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("vhost"));
    let path = format!("/api/vhosts/{name}");
    assert_eq!(api.send("PUT", &path, "", &[]).status, 201);
    let settings = json!({ "description": "d", "tags": "a,b", "default_queue_type": "quorum", "tracing": true });
    assert_eq!(call(&api, "PUT", &path, &settings), (204, Value::Null));
    let found = api.get(&path);
    for (key, value) in [
        ("name", json!(name)),
        ("description", json!("d")),
        ("tags", json!(["a", "b"])),
        ("default_queue_type", json!("quorum")),
        ("tracing", json!(true)),
        ("protected_from_deletion", json!(false)),
    ] {
        assert_eq!(found[key], value, "{key}");
    }
    // Who made it may do everything in it.
    let permission = json!({ "user": "guest", "vhost": name, "configure": ".*", "write": ".*", "read": ".*" });
    assert_eq!(api.get(&format!("{path}/permissions")), json!([permission]));
    let limit = format!("/api/vhost-limits/{name}/max-queues");
    assert_eq!(call(&api, "PUT", &limit, &json!({ "value": 5 })).0, 204);
    assert_eq!(api.get(&format!("/api/vhost-limits/{name}")), json!([{ "vhost": name, "value": { "max-queues": 5 } }]));
    assert_eq!(api.request("DELETE", &path, None).0, 204);
    assert_eq!(api.request("DELETE", &path, None), absent());
    let bad = refused(400, "bad_request", "zzz is not a valid queue type");
    assert_eq!(call(&api, "PUT", &path, &json!({ "default_queue_type": "zzz" })), bad);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_protected_virtual_host_stays() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("vhost"));
    let path = format!("/api/vhosts/{name}");
    call(&api, "PUT", &path, &json!({}));
    let in_metadata = || api.get(&path)["metadata"].get("protected_from_deletion").cloned();
    assert_eq!(in_metadata(), None);
    assert_eq!(api.request("POST", &format!("{path}/deletion/protection"), None).0, 204);
    assert_eq!((in_metadata(), &api.get(&path)["protected_from_deletion"]), (Some(json!(true)), &json!(true)));
    let text = format!("Refusing to delete virtual host '{name}' because it is protected from deletion");
    assert_eq!(api.request("DELETE", &path, None), refused(412, "precondition_failed", &text));
    assert_eq!(api.request("DELETE", &format!("{path}/deletion/protection"), None).0, 204);
    assert_eq!(api.request("DELETE", &path, None).0, 204);
    let text = "Cannot enable deletion protection of virtual host 'no-such' because it does not exist";
    let missing = api.request("POST", "/api/vhosts/no-such/deletion/protection", None);
    assert_eq!(missing, refused(404, "not_found", text));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_go_with_their_virtual_host() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("vhost"));
    let path = format!("/api/vhosts/{name}");
    call(&api, "PUT", &path, &json!({}));
    let connection = broker.connect_with().vhost(&name).open().await;
    connection.channel(1).await.declare(queue("q").durable()).await;
    assert_eq!(api.get(&format!("/api/queues/{name}"))[0]["name"], "q");
    assert_eq!(api.request("DELETE", &path, None).0, 204);
    connection.expect_close(320, &format!("CONNECTION_FORCED - vhost '{name}' is deleted"), (0, 0)).await;
    assert_eq!(api.request("GET", &format!("/api/queues/{name}"), None), absent());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_virtual_host_is_described() {
    let broker = TestBroker::with_http().await;
    let found = broker.http().get("/api/vhosts/%2F");
    assert_eq!((&found["description"], &found["tags"]), (&json!("Default virtual host"), &json!([])));
}
