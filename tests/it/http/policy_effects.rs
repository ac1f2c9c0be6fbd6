//! What policies do to queues and exchanges (reference: 9).

use serde_json::{Value as Json, json};

use crate::broker::{Management, TestBroker};
use crate::client::table::S;
use crate::client::{Channel, Value, eventually, exchange, publish, queue};

/// A virtual host that goes with the test, and a channel in it.
struct Stage {
    api: Management,
    name: String,
    ch: Channel,
}

impl Stage {
    async fn new(broker: &TestBroker) -> Self {
        let (api, name) = (broker.http(), broker.name("effects"));
        api.create_vhost(&name);
        let ch = broker.connect_with().vhost(&name).open().await.channel(1).await;
        Self { api, name, ch }
    }

    fn put(&self, policy: &str, pattern: &str, definition: &Json) {
        let body = json!({ "pattern": pattern, "definition": definition });
        self.api.put(&format!("/api/policies/{}/{policy}", self.name), &body);
    }

    fn delete(&self, policy: &str) {
        assert_eq!(self.api.request("DELETE", &format!("/api/policies/{}/{policy}", self.name), None).0, 204);
    }

    async fn fill(&self, queue: &str, count: usize) {
        for number in 0..count {
            self.ch.publish(publish("", queue, number.to_string())).await;
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.api.delete_quietly(&format!("/api/vhosts/{}", self.name));
    }
}

fn of_kind(name: &str, kind: &str) -> crate::client::method::QueueDeclare {
    queue(name).durable().arg("x-queue-type", S(kind))
}

/// Takes the only message of a queue, and rejects it.
async fn reject(ch: &Channel, queue: &str, requeue: bool) {
    ch.expect_ready(queue, 1).await;
    let delivery = ch.get(queue).await.unwrap();
    ch.reject(delivery.delivery_tag, requeue).await;
}

const KINDS: [&str; 2] = ["classic", "quorum"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_trims_at_once_and_gives_way() {
    let broker = TestBroker::with_http().await;
    let stage = Stage::new(&broker).await;
    for kind in KINDS {
        stage.ch.declare(of_kind(kind, kind)).await;
        stage.fill(kind, 10).await;
        stage.ch.expect_ready(kind, 10).await;
        stage.put("p", ".*", &json!({ "max-length": 3 }));
        stage.ch.expect_ready(kind, 3).await;
        // A later one that does not limit the number.
        stage.put("p", ".*", &json!({ "max-length-bytes": 100_000 }));
        stage.fill(kind, 10).await;
        stage.ch.expect_ready(kind, 13).await;
        stage.delete("p");
        assert_eq!(stage.ch.get(kind).await.unwrap().text(), "7", "{kind}");
        stage.ch.delete(kind).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_smaller_limit_counts() {
    let broker = TestBroker::with_http().await;
    let stage = Stage::new(&broker).await;
    stage.put("p", ".*", &json!({ "max-length": 4 }));
    for (name, own, expected) in [("small", 2, 2), ("large", 9, 4)] {
        stage.ch.declare(queue(name).durable().arg("x-max-length", Value::I(own))).await;
        stage.fill(name, 10).await;
        stage.ch.expect_ready(name, expected).await;
        // What was declared stays what is compared.
        stage.ch.declare(queue(name).durable().arg("x-max-length", Value::I(own))).await;
    }
}

/// Messages that wait keep what they have; those that come later get the time to live.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_to_live_begins_with_later_messages() {
    let broker = TestBroker::with_http().await;
    let stage = Stage::new(&broker).await;
    stage.ch.declare(queue("dead").durable()).await;
    for kind in KINDS {
        stage.ch.declare(of_kind(kind, kind)).await;
        stage.fill(kind, 1).await;
        stage.ch.expect_ready(kind, 1).await;
        stage.put(
            "p",
            &format!("^{kind}$"),
            &json!({ "message-ttl": 1, "dead-letter-exchange": "", "dead-letter-routing-key": "dead" }),
        );
        stage.ch.expect_ready("dead", 0).await;
        assert_eq!(stage.ch.get_no_ack(kind).await.unwrap().text(), "0");
        stage.ch.publish(publish("", kind, "late")).await;
        let dead = stage.ch.get_eventually("dead").await;
        assert_eq!((dead.text().as_str(), dead.key().as_str()), ("late", "dead"), "{kind}");
        stage.delete("p");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expiry_begins_at_once() {
    let broker = TestBroker::with_http().await;
    let stage = Stage::new(&broker).await;
    for kind in KINDS {
        stage.ch.declare(of_kind(kind, kind)).await;
        stage.put("p", ".*", &json!({ "expires": 10 }));
        stage.ch.expect_queue_gone(kind).await;
        stage.delete("p");
    }
}

/// The argument counts where it says something; a policy fills in what it does not say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_follow_the_policy_of_the_moment() {
    let broker = TestBroker::with_http().await;
    let stage = Stage::new(&broker).await;
    let ch = &stage.ch;
    for name in ["own", "first", "second"] {
        ch.declare(queue(name).durable()).await;
    }
    let die = async |name: &str| {
        ch.publish(publish("", name, "m")).await;
        reject(ch, name, false).await;
    };
    let to = |key: &str| json!({ "dead-letter-exchange": "", "dead-letter-routing-key": key });
    for kind in KINDS {
        let (plain, exchange_only, full) = (format!("a-{kind}"), format!("b-{kind}"), format!("c-{kind}"));
        ch.declare(of_kind(&plain, kind)).await;
        ch.declare(of_kind(&exchange_only, kind).arg("x-dead-letter-exchange", S(""))).await;
        let own = of_kind(&full, kind).arg("x-dead-letter-exchange", S("")).arg("x-dead-letter-routing-key", S("own"));
        ch.declare(own).await;
        for target in ["first", "second"] {
            stage.put("p", "^[abc]-", &to(target));
            die(&plain).await;
            ch.get_eventually(target).await;
            die(&exchange_only).await;
            ch.get_eventually(target).await;
            die(&full).await;
            ch.get_eventually("own").await;
        }
        stage.delete("p");
        die(&plain).await;
        die(&full).await;
        ch.get_eventually("own").await;
        assert!(ch.get("first").await.is_none() && ch.get("second").await.is_none(), "{kind}");
    }
}

/// In classic queues the argument counts, in quorum queues the policy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overflow_is_merged_by_the_type_of_the_queue() {
    let broker = TestBroker::with_http().await;
    let stage = Stage::new(&broker).await;
    stage.ch.confirm_select().await;
    for (kind, argument, policy, keeps_first) in [
        ("classic", "drop-head", "reject-publish", false),
        ("classic", "reject-publish", "drop-head", true),
        ("quorum", "drop-head", "reject-publish", true),
        ("quorum", "reject-publish", "drop-head", false),
    ] {
        let declare = of_kind("q", kind).arg("x-max-length", Value::I(1)).arg("x-overflow", S(argument));
        stage.ch.declare(declare).await;
        stage.put("p", ".*", &json!({ "overflow": policy }));
        // RabbitMQ tells a quorum queue of its policy, and publishers of the limit, some time after the answer.
        let settled = async || {
            stage.ch.purge("q").await;
            for number in 0..5 {
                stage.ch.publish(publish("", "q", number.to_string())).await;
                stage.ch.expect_confirm().await;
            }
            let first = stage.ch.get_no_ack("q").await.map(|delivery| delivery.text());
            if first.as_deref().is_some_and(|first| (first == "0") == keeps_first) { Ok(()) } else { Err(first) }
        };
        eventually(&format!("{kind} {argument} {policy}"), settled).await;
        stage.ch.delete("q").await;
        stage.delete("p");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_limit_counts_for_messages_that_wait() {
    let broker = TestBroker::with_http().await;
    let stage = Stage::new(&broker).await;
    stage.ch.declare(of_kind("q", "quorum")).await;
    stage.fill("q", 1).await;
    for _ in 0..3 {
        reject(&stage.ch, "q", true).await;
    }
    stage.ch.expect_ready("q", 1).await;
    stage.put("p", ".*", &json!({ "delivery-limit": 1 }));
    let shown = async || {
        let queues = stage.api.get(&format!("/api/queues/{}?disable_stats=true", stage.name));
        let limit = queues[0]["delivery_limit"].clone();
        if limit == json!(1) { Ok(()) } else { Err(limit) }
    };
    eventually("the limit holds", shown).await;
    reject(&stage.ch, "q", true).await;
    stage.ch.expect_ready("q", 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_gets_an_alternate_and_loses_it() {
    let broker = TestBroker::with_http().await;
    let stage = Stage::new(&broker).await;
    let ch = &stage.ch;
    for x in ["plain", "argued"] {
        let argument = if x == "argued" { Some("own-alternate") } else { None };
        let declare = exchange(x, "direct").durable();
        ch.declare_exchange(
            argument.into_iter().fold(declare, |declare, name| declare.arg("alternate-exchange", S(name))),
        )
        .await;
    }
    for x in ["own-alternate", "alternate"] {
        ch.declare_exchange(exchange(x, "fanout").durable()).await;
        ch.declare(queue(x).durable()).await;
        ch.bind(x, x, "").await;
    }
    let lost = async |x: &str| {
        ch.publish(publish(x, "k", "m").mandatory()).await;
        ch.expect_return().await;
    };
    lost("plain").await;
    stage.put("p", "^(plain|argued|late)$", &json!({ "alternate-exchange": "alternate" }));
    ch.declare_exchange(exchange("late", "direct").durable()).await;
    for x in ["plain", "late"] {
        ch.publish(publish(x, "k", x).mandatory()).await;
        assert_eq!(ch.get_eventually("alternate").await.text(), x);
    }
    ch.publish(publish("argued", "k", "m")).await;
    ch.get_eventually("own-alternate").await;
    stage.delete("p");
    lost("plain").await;
}

/// A queue that is declared later obeys from the start, and so does what an import brings together with its policy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_hold_for_what_comes_later() {
    let broker = TestBroker::with_http().await;
    let stage = Stage::new(&broker).await;
    stage.put("p", "^later", &json!({ "max-length": 2 }));
    stage.ch.declare(queue("later").durable()).await;
    stage.ch.declare(queue("imported").durable()).await;
    for name in ["later", "imported"] {
        stage.fill(name, 5).await;
    }
    stage.ch.expect_ready("later", 2).await;
    stage.ch.expect_ready("imported", 5).await;
    let policy = json!({ "name": "i", "pattern": "^imported", "definition": { "max-length": 3 }, "priority": 0, "apply-to": "queues" });
    let new = json!({ "name": "imported-too", "durable": true, "auto_delete": false, "arguments": {} });
    let operator = json!({ "component": "operator_policy", "name": "o", "value":
        { "pattern": "^imported-too", "definition": { "max-length": 1 }, "priority": 0, "apply-to": "queues" } });
    let file = json!({ "policies": [policy], "queues": [new], "parameters": [operator] });
    let path = format!("/api/definitions/{}", stage.name);
    assert_eq!(stage.api.request("POST", &path, Some(&file)).0, 204);
    stage.ch.expect_ready("imported", 3).await;
    stage.fill("imported-too", 5).await;
    stage.ch.expect_ready("imported-too", 1).await;
    let exported = stage.api.get(&path);
    assert_eq!(exported["policies"].as_array().unwrap().len(), 2);
    assert_eq!(exported["parameters"][0]["value"]["definition"], json!({ "max-length": 1 }));
}
