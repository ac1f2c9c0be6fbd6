//! `/api/overview`, nodes, features and health.

use serde_json::{Value, json};

use super::{absent, call, refused};
use crate::broker::TestBroker;
use crate::client::eventually;

fn has(object: &Value, keys: &[&str]) {
    for key in keys {
        assert!(object.get(key).is_some(), "{key} of {object}");
    }
}

/// The keys without which programs refuse the answer (`rabbitmqadmin`, NServiceBus, Telegraf).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overview_has_what_programs_read() {
    let broker = TestBroker::with_http().await;
    let overview = broker.http().get("/api/overview");
    has(
        &overview,
        &[
            "management_version",
            "rates_mode",
            "product_version",
            "product_name",
            "rabbitmq_version",
            "cluster_name",
            "erlang_version",
            "erlang_full_version",
            "disable_stats",
            "node",
            "object_totals",
            "queue_totals",
            "message_stats",
            "churn_rates",
            "listeners",
            "contexts",
            "exchange_types",
            "statistics_db_event_queue",
        ],
    );
    has(&overview["object_totals"], &["connections", "channels", "exchanges", "queues", "consumers"]);
    has(
        &overview["churn_rates"],
        &[
            "connection_created",
            "connection_closed",
            "channel_created",
            "channel_closed",
            "queue_declared",
            "queue_created",
            "queue_deleted",
            "queue_deleted_details",
        ],
    );
    assert_eq!(overview["product_name"], "RabbitMQ");
    let is_amqp = |listener: &Value| listener["protocol"] == "amqp" && listener["port"] == broker.address().port();
    assert!(overview["listeners"].as_array().unwrap().iter().any(is_amqp), "{overview}");
    let short = broker.http().get("/api/overview?disable_stats=true");
    assert!(short.get("message_stats").is_none() && short.get("listeners").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_has_what_programs_read() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let node = api.get("/api/nodes")[0].clone();
    has(
        &node,
        &[
            "name",
            "uptime",
            "run_queue",
            "processors",
            "os_pid",
            "fd_total",
            "fd_used",
            "proc_total",
            "mem_limit",
            "mem_used",
            "mem_alarm",
            "disk_free",
            "disk_free_limit",
            "disk_free_alarm",
            "rates_mode",
            "enabled_plugins",
            "being_drained",
            "running",
            "sockets_total",
            "exchange_types",
            "partitions",
            "contexts",
        ],
    );
    assert!(node["os_pid"].is_string());
    if !broker.is_rabbitmq() {
        // As RabbitMQ's own pages ask for their charts of the node.
        let sampled = || api.get("/api/nodes?node_stats_age=60&node_stats_incr=5")[0].clone();
        let node = sampled();
        for name in ["mem_used", "disk_free", "fd_used", "sockets_used", "proc_used"] {
            let details = &node[format!("{name}_details")];
            assert!(details["rate"].is_number() && details["samples"].is_array(), "{name}: {details}");
        }
        eventually("the node is looked at for the first time", async || {
            let details = sampled()["mem_used_details"].clone();
            let bytes = details["samples"][0]["sample"].as_u64();
            if bytes.is_some_and(|bytes| bytes > 1_000_000) { Ok(()) } else { Err(details) }
        })
        .await;
    }
    let name = node["name"].as_str().unwrap();
    assert_eq!(api.get(&format!("/api/nodes/{name}"))["name"], name);
    let memory = api.get(&format!("/api/nodes/{name}/memory"))["memory"].clone();
    assert!(memory["total"]["rss"].is_u64());
    let relative = api.get(&format!("/api/nodes/{name}/memory/relative"))["memory"].clone();
    assert_eq!(relative["total"], 100);
    // Clients with types refuse an answer that lacks a part.
    for part in ["connection_readers", "quorum_queue_dlx_procs", "metadata_store_ets", "reserved_unallocated", "atom"] {
        assert!(memory[part].is_u64() && relative[part].is_u64(), "{part}: {memory} {relative}");
    }
    assert_eq!(api.request("GET", "/api/nodes/no-such", None), absent());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_told_byte_for_byte() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    for path in [
        "aliveness-test/%2F",
        "healthchecks/node",
        "health/checks/alarms",
        "health/checks/local-alarms",
        "health/checks/virtual-hosts",
        "health/checks/is-in-service",
        "health/checks/ready-to-serve-clients",
        "health/checks/below-node-connection-limit",
        "health/checks/metadata-store/initialized",
        "health/checks/quorum-queues-without-elected-leaders/all-vhosts",
        "health/checks/certificate-expiration/1/days",
    ] {
        let answered = api.send("GET", &format!("/api/{path}"), "", &[]);
        assert_eq!((answered.status, answered.text.as_str()), (200, r#"{"status":"ok"}"#), "{path}");
    }
    let port = broker.address().port();
    assert_eq!(api.get(&format!("/api/health/checks/port-listener/{port}")), json!({ "status": "ok", "port": port }));
    let (status, closed) = api.request("GET", "/api/health/checks/port-listener/1", None);
    assert_eq!((status, &closed["status"], &closed["missing"]), (503, &json!("failed"), &json!(1)));
    assert_eq!(closed["reason"], "No active listener");
    assert_eq!(
        api.request("GET", "/api/health/checks/port-listener/x", None),
        refused(400, "bad_request", "Invalid port")
    );
    assert_eq!(api.get("/api/health/checks/protocol-listener/amqp091")["status"], "ok");
    let (status, missing) = api.request("GET", "/api/health/checks/protocol-listener/mqtt", None);
    assert_eq!((status, &missing["missing"]), (503, &json!(["mqtt"])));
    assert_eq!(api.request("GET", "/api/aliveness-test/no-such", None), absent());
    let unit = "Time unit not recognised. Supported units: days, weeks, months, years.";
    assert_eq!(
        api.request("GET", "/api/health/checks/certificate-expiration/1/zzz", None),
        refused(400, "bad_request", unit)
    );
}

/// NServiceBus stops at its start unless `stream_queue` is enabled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn features_that_programs_ask_for_are_on() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let flags = api.get("/api/feature-flags");
    for name in ["stream_queue", "quorum_queue", "khepri_db"] {
        let is_on = |flag: &Value| flag["name"] == name && flag["state"] == "enabled";
        assert!(flags.as_array().unwrap().iter().any(is_on), "{name}");
    }
    assert_eq!(call(&api, "PUT", "/api/feature-flags/quorum_queue/enable", &json!({})).0, 204);
    let unknown = refused(400, "bad_request", "unsupported");
    assert_eq!(call(&api, "PUT", "/api/feature-flags/no-such/enable", &json!({})), unknown);
    let denied = |feature: &Value| feature["name"] == "global_qos" && feature["state"] == "denied";
    assert!(api.get("/api/deprecated-features").as_array().unwrap().iter().any(denied));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_is_told_who_it_is() {
    let broker = TestBroker::with_http().await;
    let expected = json!({ "name": "guest", "tags": ["administrator"], "is_internal_user": true });
    assert_eq!(broker.http().get("/api/whoami"), expected);
    assert_eq!(broker.http().get("/api/extensions"), json!([{ "javascript": "dispatcher.js" }]));
    assert!(broker.http().get("/api/cluster-name")["name"].is_string());
}
