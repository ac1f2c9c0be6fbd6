//! What an operator should look at, as the API shows it; the rules themselves are tested beside their code.

use std::time::Duration;

use serde_json::json;

use super::super::call;
use crate::broker::{Setup, TestBroker};
use crate::client::table::S;
use crate::client::{Value, consume, eventually, exchange, publish, queue};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_without_consumers_is_told_of_and_then_not_any_more() {
    let broker = Setup { http: true, manual_clock: true, ..Setup::default() }.start().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (api, name) = (broker.http(), broker.name("q"));
    let ch = broker.connect().await.channel(1).await;
    ch.declare(queue(&name)).await;
    ch.publish(publish("", &name, "a")).await;
    ch.expect_ready(&name, 1).await;
    let alerts = || api.get("/api/leveret/alerts");
    assert_eq!(alerts()["active"], json!([]));
    eventually("the alert is raised", async || {
        broker.pass(Duration::from_secs(5)).await;
        let found = alerts();
        if found["active"] == json!([]) { Err(found) } else { Ok(()) }
    })
    .await;
    let found = alerts();
    let alert = &found["active"][0];
    let known = ["rule", "severity", "vhost", "object", "threshold", "cleared_at"].map(|key| alert[key].clone());
    let object = json!({ "type": "queue", "name": name });
    assert_eq!(
        known,
        [json!("no_consumers"), json!("critical"), json!("/"), object, json!(60), serde_json::Value::Null]
    );
    assert!(
        alert["text"].as_str().unwrap().contains(&format!("Queue '{name}' in virtual host '/' has had no consumer"))
    );
    let active = broker.metrics().send("GET", "/metrics", "", &[]).text;
    let line =
        format!("leveret_alert_active{{rule=\"no_consumers\",severity=\"critical\",vhost=\"/\",queue=\"{name}\"}} 1\n");
    assert!(active.contains(&line), "{active}");
    assert!(alert["next_step"].as_str().unwrap().contains("/api/leveret/errors"));
    assert_eq!(api.get("/api/leveret/alerts?vhost=other")["active"], json!([]));
    // The message has been there for a minute, as peek says, too.
    let peeked = api.get(&format!("/api/leveret/queues/%2F/{name}/peek"));
    assert!(peeked["messages"][0]["age_ms"].as_u64().unwrap() >= 55_000, "{peeked}");
    let of_queue = || api.get(&format!("/api/queues?name={name}&page=1&sort=oldest_ready_age_ms"))["items"][0].clone();
    let ages = || ["oldest_ready_age_ms", "oldest_unacked_age_ms"].map(|key| of_queue()[key].as_u64());
    let [ready, unacked] = ages();
    assert!(ready >= Some(55_000) && unacked.is_none(), "{ready:?} {unacked:?}");
    let metric = |line: &str| {
        let text = broker.metrics().send("GET", "/metrics/per-object", "", &[]).text;
        let line = text.lines().find_map(|of| of.strip_prefix(line).map(str::to_owned));
        line.unwrap_or_else(|| panic!("{text}")).parse::<f64>().unwrap()
    };
    let labels = format!("{{vhost=\"/\",queue=\"{name}\"}} ");
    assert!(metric(&format!("leveret_queue_oldest_ready_age_seconds{labels}")) >= 55.0);
    ch.consume(consume(&name)).await;
    ch.expect_deliver().await;
    eventually("the message counts as delivered", async || {
        broker.pass(Duration::from_secs(5)).await;
        match ages() {
            [None, Some(2_000..)] => Ok(()),
            other => Err(other),
        }
    })
    .await;
    assert!(metric(&format!("leveret_queue_oldest_unacked_age_seconds{labels}")) >= 2.0);
    assert_eq!(metric(&format!("leveret_queue_oldest_ready_age_seconds{labels}")), 0.0);
    eventually("the alert is over", async || {
        broker.pass(Duration::from_secs(5)).await;
        let found = alerts();
        if found["active"] == json!([]) { Ok(()) } else { Err(found) }
    })
    .await;
    let found = alerts();
    assert_eq!((&found["history"][0]["rule"], found["history"].as_array().unwrap().len()), (&json!("no_consumers"), 1));
    assert!(found["history"][0]["cleared_at"].is_u64() && found["looked_at"].is_u64());
    assert_eq!(api.get("/api/leveret/alerts?history=0")["history"], json!([]));
    assert_eq!(call(&api, "GET", "/api/leveret/alerts?history=1001", &serde_json::Value::Null).0, 400);
    api.create_user("manager", "m", "management");
    assert_eq!(
        call(&api.clone().log_in("manager", "m"), "GET", "/api/leveret/alerts", &serde_json::Value::Null).0,
        401
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_describes_every_path() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let document = broker.http().authorized_by(None).get("/api/leveret/openapi.json");
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/api/leveret/alerts"]["get"]["responses"]["200"].is_object());
}

/// A queue of its own threshold, with a name that would break a metric if it could.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_sets_the_threshold_of_a_queue() {
    let broker = Setup { http: true, manual_clock: true, ..Setup::default() }.start().await;
    if broker.is_rabbitmq() {
        return;
    }
    let api = broker.http();
    let ch = broker.connect().await.channel(1).await;
    let name = ch.declare(queue("hostile\"} 7 \\ {")).await.name;
    let policy = json!({ "pattern": "^hostile", "definition": { "leveret-alert-depth": 1 }, "apply-to": "queues" });
    api.put("/api/policies/%2F/p", &policy);
    for _ in 0..2 {
        ch.publish(publish("", &name, "a")).await;
    }
    ch.expect_ready(&name, 2).await;
    eventually("the alert is raised", async || {
        broker.pass(Duration::from_secs(5)).await;
        let found = api.get("/api/leveret/alerts");
        if found["active"] == json!([]) { Err(found) } else { Ok(()) }
    })
    .await;
    let alert = api.get("/api/leveret/alerts")["active"][0].clone();
    assert_eq!((&alert["rule"], &alert["value"], &alert["threshold"]), (&json!("depth"), &json!(2), &json!(1)));
    let rules = api.get("/api/leveret/alerts")["rules"].clone();
    let depth = rules.as_array().unwrap().iter().find(|rule| rule["name"] == "depth").unwrap();
    assert_eq!(depth["policy_key"], "leveret-alert-depth");
    let text = broker.metrics().send("GET", "/metrics", "", &[]).text;
    let line = text.lines().find(|line| line.starts_with("leveret_alert_active{")).unwrap();
    assert!(line.ends_with(r#"queue="hostile\"} 7 \\ {"} 1"#), "{line}");
}

/// Which queues are the end of the way of dead letters, and which only look like it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_where_dead_letters_end_misses_no_consumer() {
    let broker = Setup { http: true, manual_clock: true, ..Setup::default() }.start().await;
    if broker.is_rabbitmq() {
        return;
    }
    let api = broker.http();
    let ch = broker.connect().await.channel(1).await;
    let dying = |name: &str, exchange: &str| queue(name).arg("x-dead-letter-exchange", S(exchange));
    let to = |name: &str, exchange: &str, key: &str| dying(name, exchange).arg("x-dead-letter-routing-key", S(key));
    for name in ["dlx", "shop"] {
        ch.declare_exchange(exchange(name, "topic")).await;
    }
    // Ends: by the name of the queue, by an exchange, and by the key of an exchange that brings other messages, too.
    ch.declare(to("a", "", "a.dead")).await;
    ch.declare(dying("b", "dlx")).await;
    ch.declare(to("c", "shop", "dead.c")).await;
    // Work: what waits comes back to it; what waits is sent on to it; an exchange that brings it its messages brings all their letters.
    ch.declare(to("ring", "", "ring.wait")).await;
    ch.declare(to("ring.wait", "", "ring").arg("x-message-ttl", Value::I(3_600_000))).await;
    ch.declare(to("later", "", "later.work").arg("x-message-ttl", Value::I(3_600_000))).await;
    ch.declare(dying("d", "shop")).await;
    for name in ["a.dead", "b.dead", "c.dead", "later.work", "e"] {
        ch.declare(queue(name)).await;
    }
    for (name, exchange, key) in [
        ("b.dead", "dlx", "#"),
        ("c", "shop", "c.*"),
        ("c.dead", "shop", "dead.c"),
        ("d", "shop", "d"),
        ("e", "shop", "e"),
    ] {
        ch.bind(name, exchange, key).await;
    }
    let ends = ["a.dead", "b.dead", "c.dead"];
    let work = ["a", "b", "c", "d", "e", "later.work", "ring"];
    for name in ends.iter().chain(&work) {
        ch.publish(publish("", name, "a")).await;
        ch.expect_ready(name, 1).await;
    }
    eventually("all that work is missed", async || {
        broker.pass(Duration::from_secs(5)).await;
        let found = api.get("/api/leveret/alerts");
        let mut missed: Vec<_> =
            found["active"].as_array().unwrap().iter().map(|alert| alert["object"]["name"].clone()).collect();
        missed.sort_by_key(ToString::to_string);
        if missed == work { Ok(()) } else { Err(found) }
    })
    .await;
    let queues = api.get("/api/queues");
    let told: Vec<_> = queues.as_array().unwrap().iter().filter(|queue| queue["dead_letter_queue"] == true).collect();
    assert_eq!(told.iter().map(|queue| queue["name"].clone()).collect::<Vec<_>>(), ends);
}
