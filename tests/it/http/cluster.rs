//! The cluster's name, logins, statistics that begin anew, replicas: what tools ask a node for beside its objects.

use serde_json::{Value, json};

use super::{absent, call, refused};
use crate::broker::TestBroker;
use crate::client::eventually;

fn node(broker: &TestBroker) -> String {
    broker.http().get("/api/overview")["node"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cluster_has_the_name_that_somebody_gives_it() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let before = api.get("/api/cluster-name")["name"].clone();
    let missing = refused(400, "bad_request", "[{key_missing,name}]");
    assert_eq!(call(&api, "PUT", "/api/cluster-name", &json!({})), missing);
    assert_eq!(call(&api, "PUT", "/api/cluster-name", &json!({ "name": "zoo" })).0, 204);
    assert_eq!(api.get("/api/cluster-name"), json!({ "name": "zoo" }));
    assert_eq!(api.get("/api/overview")["cluster_name"], "zoo");
    assert_eq!(api.get("/api/global-parameters/cluster_name")["value"], "zoo");
    assert_eq!(call(&api, "PUT", "/api/cluster-name", &json!({ "name": before })).0, 204);
}

/// Global parameters that RabbitMQ always has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_says_which_cluster_it_is_is_a_global_parameter() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let value = |name: &str| api.get(&format!("/api/global-parameters/{name}"))["value"].clone();
    let all = api.get("/api/global-parameters");
    for name in ["cluster_name", "cluster_tags", "internal_cluster_id"] {
        assert!(all.as_array().unwrap().contains(&json!({ "name": name, "value": value(name) })), "{name} in {all}");
    }
    assert_eq!(value("cluster_name"), api.get("/api/overview")["cluster_name"]);
    assert_eq!((value("cluster_tags"), &api.get("/api/overview")["cluster_tags"]), (json!([]), &json!({})));
    let id = value("internal_cluster_id");
    let id = id.as_str().unwrap();
    assert!(id.starts_with("rabbitmq-cluster-id-") && id.len() == "rabbitmq-cluster-id-".len() + 22, "{id}");
    // A file of definitions may go to another cluster, which keeps its own.
    let mut file = api.get("/api/definitions");
    let exported = file["global_parameters"].as_array().unwrap().clone();
    assert!(exported.iter().all(|parameter| parameter["name"] != "internal_cluster_id"), "{exported:?}");
    if broker.is_rabbitmq() {
        return;
    }
    file["global_parameters"] = json!([{ "name": "internal_cluster_id", "value": "that of another one" }]);
    assert_eq!(call(&api, "POST", "/api/definitions", &file).0, 204);
    assert_eq!(value("internal_cluster_id"), id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_logs_in_with_a_form() {
    let broker = TestBroker::with_http().await;
    let api = broker.http().authorized_by(None);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answered = api.send("POST", "/api/login", "username=guest&password=gues%74", &form);
    assert_eq!(answered.status, 200, "{}", answered.text);
    let token = json!({ "type": "basic", "value": "Z3Vlc3Q6Z3Vlc3Q=" });
    assert_eq!(answered.json()["token"], token);
    assert_eq!(answered.json()["user"]["name"], "guest");
    let wrong = refused(401, "not_authorized", "Not_Authorized");
    for form_of in ["username=guest&password=wrong", "username=guest", ""] {
        let answered = api.send("POST", "/api/login", form_of, &form);
        assert_eq!((answered.status, answered.json()), wrong, "{form_of}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_are_counted_until_they_are_forgotten() {
    let broker = TestBroker::with_http().await;
    let (api, node) = (broker.http(), node(&broker));
    let path = format!("/api/auth/attempts/{node}");
    let of_http = |all: &Value| {
        let mut found = all.as_array().unwrap().iter().filter(|of| of["protocol"] == "http");
        found.next().cloned().unwrap_or_default()
    };
    let counted = of_http(&api.get(&path));
    let number = |key: &str| counted[key].as_u64().unwrap();
    assert_eq!(number("auth_attempts"), number("auth_attempts_failed") + number("auth_attempts_succeeded"));
    assert_eq!(api.get(&format!("{path}/source")), json!([]));
    assert_eq!(api.request("DELETE", &path, None).0, 204);
    eventually("they are counted anew", async || {
        let now = of_http(&api.get(&path))["auth_attempts"].as_u64().unwrap_or_default();
        if now < number("auth_attempts").max(8) { Ok(()) } else { Err(now) }
    })
    .await;
    assert_eq!(api.request("GET", "/api/auth/attempts/no-such", None), absent());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_single_node_cannot_do_is_answered_as_rabbitmq_does() {
    let broker = TestBroker::with_http().await;
    let (api, node, name) = (broker.http(), node(&broker), broker.name("q"));
    api.put(&format!("/api/queues/%2F/{name}"), &json!({}));
    let quorum = format!("/api/queues/quorum/%2F/{name}");
    let failed = json!({ "reason": "classic_queue_not_supported", "status": "failed" });
    assert_eq!(api.request("GET", &format!("{quorum}/status"), None), (503, failed));
    let add = format!("{quorum}/replicas/add");
    assert_eq!(call(&api, "POST", &add, &json!({})), refused(400, "bad_request", "[{key_missing,node}]"));
    let other = json!({ "node": "no@such" });
    assert_eq!(call(&api, "POST", &add, &other), refused(400, "bad_request", "Node is not a cluster member"));
    let classic = refused(503, "service_unavailable", "classic_queue_not_supported");
    assert_eq!(call(&api, "POST", &add, &json!({ "node": node })), classic);
    assert_eq!(api.request("GET", "/api/queues/quorum/%2F/no-such/status", None), absent());
    let on = |node: &str, what: &str| format!("/api/queues/quorum/replicas/on/{node}/{what}");
    assert_eq!(api.request("DELETE", &on(&node, "shrink"), None).0, 202);
    assert_eq!(api.request("DELETE", &on("no-such", "shrink"), None), absent());
    let keys = "[{key_missing,vhost_pattern},\n {key_missing,queue_pattern},\n {key_missing,strategy}]";
    assert_eq!(call(&api, "POST", &on(&node, "grow"), &json!({})), refused(400, "bad_request", keys));
    assert_eq!(api.request("DELETE", "/api/reset", None).0, 204);
    assert_eq!(api.request("DELETE", &format!("/api/reset/{node}"), None).0, 204);
    assert_eq!(api.request("DELETE", "/api/reset/no-such", None), absent());
    assert_eq!(api.request("POST", "/api/rebalance/queues", None).0, 204);
    let answered = api.send("GET", "/api/config/effective", "", &[]);
    assert_eq!((answered.status, answered.header("content-type")), (200, "text/plain"));
    assert!(api.get(&format!("/api/nodes/{node}/memory/ets"))["ets_tables_memory"].is_object());
    api.delete_quietly(&format!("/api/queues/%2F/{name}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn feature_flags_tell_the_version() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let flags = api.get("/api/feature-flags");
    let named = |name: &str| flags.as_array().unwrap().iter().find(|flag| flag["name"] == name).cloned();
    for (name, stability) in
        [("rabbitmq_4.2.0", "required"), ("rabbitmq_4.3.0", "stable"), ("quorum_queue", "required")]
    {
        let flag = named(name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!((&flag["state"], &flag["stability"]), (&json!("enabled"), &json!(stability)), "{name}");
        assert_eq!(call(&api, "PUT", &format!("/api/feature-flags/{name}/enable"), &json!({})).0, 204, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_administrators_change_the_cluster() {
    let broker = TestBroker::with_http().await;
    let (api, user) = (broker.http(), broker.name("u"));
    api.put(&format!("/api/users/{user}"), &json!({ "password": "p", "tags": "monitoring" }));
    let monitor = api.clone().log_in(&user, "p");
    let not_administrator = refused(401, "not_authorised", "Not administrator user");
    for (verb, path) in [("PUT", "/api/cluster-name"), ("GET", "/api/config/effective"), ("DELETE", "/api/reset")] {
        assert_eq!(monitor.request(verb, path, Some(&json!({ "name": "x" }))), not_administrator, "{verb} {path}");
    }
    api.delete_quietly(&format!("/api/users/{user}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn definitions_come_as_a_form_with_a_file() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("q"));
    let file =
        json!({ "queues": [{ "name": name, "vhost": "/", "durable": true, "auto_delete": false, "arguments": {} }] });
    let form = format!(
        "--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.json\"\r\n\
         Content-Type: application/json\r\n\r\n{file}\r\n--X--\r\n"
    );
    let answered = api.send("POST", "/api/definitions", &form, &[("content-type", "multipart/form-data; boundary=X")]);
    assert_eq!(answered.status, 204, "{}", answered.text);
    assert_eq!(api.get(&format!("/api/queues/%2F/{name}"))["name"], name);
    api.delete_quietly(&format!("/api/queues/%2F/{name}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_of_messages_are_those_of_ready_and_unacknowledged_ones() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("q"));
    let channel = broker.connect().await.channel(1).await;
    channel.declare(crate::client::queue(&name)).await;
    for _ in 0..3 {
        channel.publish(crate::client::publish("", &name, "x".repeat(150))).await;
    }
    channel.get(&name).await.expect("a message");
    eventually("the bytes are counted", async || {
        let queue = api.get(&format!("/api/queues/%2F/{name}"));
        let bytes =
            ["message_bytes", "message_bytes_ready", "message_bytes_unacknowledged"].map(|key| queue[key].clone());
        if bytes == [450, 300, 150] { Ok(()) } else { Err(queue) }
    })
    .await;
}
