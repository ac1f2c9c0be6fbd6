//! The exchanges that the broker itself publishes to: `amq.rabbitmq.trace` and `amq.rabbitmq.event`. That of the log is tested with the
//! program.

use serde_json::json;

use super::call;
use crate::broker::{Management, Setup, TestBroker};
use crate::client::properties::properties;
use crate::client::table::S;
use crate::client::{Channel, Delivery, Table, Value, args, consume, exchange, publish, queue};

/// A virtual host that is traced, with a queue that gets all traces. It goes with the test.
struct Traced {
    api: Management,
    vhost: String,
    fire: Channel,
    ch: Channel,
    connection: String,
}

impl Traced {
    async fn start(broker: &TestBroker) -> Self {
        let (api, vhost) = (broker.http(), broker.name("traced"));
        api.create_vhost(&vhost);
        let connection = broker.connect_with().vhost(&vhost).open().await;
        let name = format!("{} -> {}", connection.local_address(), broker.address());
        let fire = connection.channel(1).await;
        fire.declare(queue("fire")).await;
        fire.bind("fire", "amq.rabbitmq.trace", "#").await;
        let traced = Self { ch: connection.channel(2).await, api, vhost, fire, connection: name };
        traced.set(true);
        traced
    }

    fn set(&self, tracing: bool) {
        self.api.put(&format!("/api/vhosts/{}", self.vhost), &json!({ "tracing": tracing }));
    }

    async fn next(&self, key: &str, body: &str) -> Delivery {
        let got = self.fire.get_eventually("fire").await;
        assert_eq!((got.key().as_str(), got.text().as_str()), (key, body));
        got
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        self.api.delete_quietly(&format!("/api/vhosts/{}", self.vhost));
    }
}

fn texts(texts: &[&str]) -> Value {
    Value::A(texts.iter().map(S).collect())
}

/// Without what differs from one broker to the next.
fn told(delivery: &Delivery, left_out: &[&str]) -> Table {
    let Table(fields) = delivery.headers();
    let is_kept = |name: &[u8]| !left_out.iter().any(|other| other.as_bytes() == name);
    Table(fields.into_iter().filter(|(name, _)| is_kept(name)).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_and_delivered_is_traced() {
    let broker = TestBroker::with_http().await;
    let stage = Traced::start(&broker).await;
    let ch = &stage.ch;
    ch.declare(queue("q")).await;
    ch.declare_exchange(exchange("x", "fanout")).await;
    ch.bind("q", "x", "").await;
    let headers = args([("k", Value::I(1)), ("s", S("v"))]);
    let given =
        properties().content_type("text/plain").delivery_mode(2).message_id("m").timestamp(17).headers(headers.clone());
    ch.publish(publish("x", "key", "body").with(given)).await;
    ch.sync().await;
    let got = stage.next("publish.x", "body").await;
    assert_eq!((got.exchange.as_str(), &got.properties.delivery_mode), ("amq.rabbitmq.trace", &None));
    let said = [
        ("message_id", S("m")),
        ("timestamp", Value::I(17)),
        ("delivery_mode", Value::I(2)),
        ("headers", Value::F(headers)),
        ("content_type", S("text/plain")),
    ];
    let by = [("channel", Value::I(2)), ("connection", S(&stage.connection)), ("exchange_name", S("x"))];
    let routed = [("routed_queues", texts(&["q"])), ("routing_keys", texts(&["key"]))];
    let rest = [("user", S("guest")), ("vhost", S(&stage.vhost))];
    let expected: Vec<_> = by.iter().chain(&routed).chain(&rest).cloned().collect();
    let expected = Table(expected.into_iter().map(|(name, value)| (name.into(), value)).collect());
    assert_eq!(told(&got, &["node", "properties"]), expected);
    let Some(Value::F(properties)) = got.headers().get("properties").cloned() else { panic!("{got:?}") };
    for (name, value) in said {
        assert_eq!(properties.get(name), Some(&value), "{name}");
    }
    // A delivery to a consumer, and one that comes again.
    ch.consume(consume("q")).await;
    let delivered = ch.expect_deliver().await;
    let got = stage.next("deliver.q", "body").await;
    assert_eq!(got.headers().get("redelivered"), Some(&Value::I(0)));
    let left_out = ["node", "properties", "redelivered"];
    let expected: Vec<_> = by.iter().chain(&routed[1..]).chain(&rest).cloned().collect();
    let expected = Table(expected.into_iter().map(|(name, value)| (name.into(), value)).collect());
    assert_eq!(told(&got, &left_out), expected);
    ch.reject(delivered.delivery_tag, true).await;
    ch.expect_deliver().await;
    assert_eq!(stage.next("deliver.q", "body").await.headers().get("redelivered"), Some(&Value::I(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_get_and_the_http_api_are_traced_and_traces_are_not() {
    let broker = TestBroker::with_http().await;
    let stage = Traced::start(&broker).await;
    let ch = &stage.ch;
    ch.declare(queue("q")).await;
    ch.publish(publish("", "q", "a")).await;
    ch.sync().await;
    let got = stage.next("publish.", "a").await;
    assert_eq!(got.headers().get("routed_queues"), Some(&texts(&["q"])));
    assert_eq!(ch.get_no_ack("q").await.unwrap().text(), "a");
    stage.next("deliver.q", "a").await;
    let message = json!({ "routing_key": "q", "properties": {}, "payload": "b", "payload_encoding": "string" });
    let path = format!("/api/exchanges/{}/amq.default/publish", stage.vhost);
    assert_eq!(call(&stage.api, "POST", &path, &message).1, json!({ "routed": true }));
    stage.next("publish.", "b").await;
    let get = json!({ "count": 1, "ackmode": "ack_requeue_false", "encoding": "auto" });
    assert_eq!(call(&stage.api, "POST", &format!("/api/queues/{}/q/get", stage.vhost), &get).0, 200);
    stage.next("deliver.q", "b").await;
    // All those gets of traces were not traced themselves.
    stage.fire.expect_ready("fire", 0).await;
    stage.set(false);
    ch.publish(publish("", "q", "c")).await;
    assert_eq!(ch.get_eventually("q").await.text(), "c");
    stage.fire.expect_ready("fire", 0).await;
}

/// What happens, as a queue that is bound to the exchange gets it.
struct Happening {
    ch: Channel,
    queue: String,
}

impl Happening {
    async fn bound(broker: &TestBroker, key: &str) -> Self {
        let (ch, name) = (broker.connect().await.channel(1).await, broker.name("events"));
        ch.declare(queue(&name).exclusive()).await;
        ch.bind(&name, "amq.rabbitmq.event", key).await;
        Self { ch, queue: name }
    }

    /// Passes over others until one of this key says this under this name.
    async fn expect(&self, key: &str, name: &str, value: &Value) -> Table {
        loop {
            let got = self.ch.get_eventually(&self.queue).await;
            let headers = got.headers();
            if got.key() == key && headers.get(name) == Some(value) {
                assert_eq!((got.text().as_str(), got.properties.delivery_mode), ("", Some(2)));
                let Some(Value::l(at_ms)) = headers.get("timestamp_in_ms") else { panic!("{headers:?}") };
                assert_eq!(got.properties.timestamp, u64::try_from(at_ms / 1_000).ok());
                return headers;
            }
        }
    }
}

fn has(headers: &Table, fields: &[(&str, Value)]) {
    for (name, value) in fields {
        assert_eq!(headers.get(name), Some(value), "{name} in {headers:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_declare_and_open_is_told() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        // The plugin is not enabled there.
        return;
    }
    let happening = Happening::bound(&broker, "#").await;
    let (q, x) = (broker.name("q"), broker.name("x"));
    let connection = broker.connect().await;
    let connection_name = format!("{} -> {}", connection.local_address(), broker.address());
    let created = happening.expect("connection.created", "name", &S(&connection_name)).await;
    let user = ("user_who_performed_action", S("guest"));
    has(&created, &[user.clone(), ("vhost", S("/")), ("ssl", Value::t(false)), ("protocol", S("{0,9,1}"))]);
    let ch = connection.channel(1).await;
    let channel_name = format!("{connection_name} (1)");
    has(
        &happening.expect("channel.created", "name", &S(&channel_name)).await,
        &[("number", Value::l(1)), user.clone()],
    );
    ch.declare(queue(&q).arg("x-max-length", Value::I(5))).await;
    let created = happening.expect("queue.created", "name", &S(&q)).await;
    let arguments = texts(&["{<<\"x-max-length\">>,signedint,5}", "{<<\"x-queue-type\">>,longstr,<<\"classic\">>}"]);
    let type_name = ("type", S("rabbit_classic_queue"));
    has(
        &created,
        &[user.clone(), type_name.clone(), ("arguments", arguments), ("durable", Value::t(false)), ("vhost", S("/"))],
    );
    ch.declare_exchange(exchange(&x, "topic")).await;
    has(
        &happening.expect("exchange.created", "name", &S(&x)).await,
        &[user.clone(), ("type", S("topic")), ("internal", Value::t(false))],
    );
    ch.bind(&q, &x, "k.#").await;
    let bound =
        [("destination_name", S(&q)), ("destination_kind", S("queue")), ("routing_key", S("k.#")), user.clone()];
    has(&happening.expect("binding.created", "source_name", &S(&x)).await, &bound);
    let tag = ch.consume(consume(&q).tag("t").arg("x-priority", Value::I(3))).await;
    let created = happening.expect("consumer.created", "queue", &S(&q)).await;
    let arguments = texts(&["{<<\"x-priority\">>,signedint,3}"]);
    has(
        &created,
        &[
            ("consumer_tag", S(&tag)),
            ("arguments", arguments),
            ("ack_required", Value::t(true)),
            ("prefetch_count", Value::l(0)),
        ],
    );
    ch.cancel(&tag).await;
    has(
        &happening.expect("consumer.deleted", "queue", &S(&q)).await,
        &[("consumer_tag", S(&tag)), ("channel", S(&channel_name))],
    );
    ch.delete(&q).await;
    has(&happening.expect("queue.deleted", "name", &S(&q)).await, &[user.clone(), type_name]);
    has(&happening.expect("binding.deleted", "source_name", &S(&x)).await, &bound);
    ch.delete_exchange(&x).await;
    happening.expect("exchange.deleted", "name", &S(&x)).await;
    ch.close().await;
    has(&happening.expect("channel.closed", "pid", &S(&channel_name)).await, &[("consumer_count", Value::l(0))]);
    connection.close().await;
    happening.expect("connection.closed", "name", &S(&connection_name)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_administrators_do_is_told() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (api, happening) = (broker.http(), Happening::bound(&broker, "#").await);
    let by = ("user_who_performed_action", S("guest"));
    api.put("/api/vhosts/v", &json!({ "description": "d", "tags": "a,b" }));
    let created = happening.expect("vhost.created", "name", &S("v")).await;
    has(&created, &[("description", S("d")), ("tags", texts(&["a", "b"])), ("tracing", Value::t(false)), by.clone()]);
    api.put("/api/vhosts/v", &json!({ "description": "e" }));
    has(&happening.expect("vhost.updated", "name", &S("v")).await, &[("description", S("e"))]);
    api.put("/api/vhost-limits/v/max-queues", &json!({ "value": 10 }));
    let value = ("value", Value::F(args([("max-queues", Value::l(10))])));
    has(&happening.expect("parameter.set", "component", &S("vhost-limits")).await, &[("name", S("limits")), value]);
    has(
        &happening.expect("vhost.limits.set", "vhost", &S("v")).await,
        &[("max-queues", Value::l(10)), ("name", S("limits"))],
    );
    api.create_user("u", "p", "management");
    happening.expect("user.created", "name", &S("u")).await;
    has(&happening.expect("user.tags.set", "name", &S("u")).await, &[("tags", texts(&["management"])), by.clone()]);
    api.create_user("u", "other", "");
    happening.expect("user.password.changed", "name", &S("u")).await;
    api.put("/api/users/u", &json!({ "tags": "" }));
    happening.expect("user.password.cleared", "name", &S("u")).await;
    api.permit("u", "v", "^c", ".*", "");
    let expected = [("vhost", S("v")), ("configure", S("^c")), ("write", S(".*")), ("read", S("")), by.clone()];
    has(&happening.expect("permission.created", "user", &S("u")).await, &expected);
    let policy = json!({ "pattern": "^q", "definition": { "max-length": 7 }, "priority": 1, "apply-to": "queues" });
    api.put("/api/policies/v/p", &policy);
    let definition = Value::F(args([("max-length", Value::l(7))]));
    let expected =
        [("pattern", S("^q")), ("apply-to", S("queues")), ("priority", Value::l(1)), ("definition", definition)];
    has(&happening.expect("policy.set", "name", &S("p")).await, &expected);
    api.delete_quietly("/api/policies/v/p");
    has(&happening.expect("policy.cleared", "name", &S("p")).await, &[("vhost", S("v"))]);
    api.put("/api/global-parameters/g", &json!({ "value": { "a": 1 } }));
    let value = ("value", Value::F(args([("a", Value::l(1))])));
    has(&happening.expect("parameter.set", "component", &S("global")).await, &[("name", S("g")), value]);
    let _refused = broker.connect_with().user("u", "wrong").start().await;
    let failed = happening.expect("user.authentication.failure", "name", &S("u")).await;
    has(&failed, &[("auth_mechanism", S("PLAIN")), ("connection_type", S("network"))]);
    api.delete_quietly("/api/users/u");
    has(&happening.expect("user.deleted", "name", &S("u")).await, &[by]);
    api.delete_quietly("/api/vhosts/v");
    happening.expect("permission.deleted", "user", &S("guest")).await;
    happening.expect("vhost.limits.cleared", "vhost", &S("v")).await;
    happening.expect("vhost.deleted", "name", &S("v")).await;
    let nobody = ("user_who_performed_action", S("rmq-internal"));
    has(&happening.expect("vhost.down", "name", &S("v")).await, &[nobody]);
}

/// A virtual host comes and goes with its exchanges and queues.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_a_virtual_host_is_told() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (api, happening) = (broker.http(), Happening::bound(&broker, "#").await);
    api.put("/api/vhosts/v", &json!({}));
    let created = happening.expect("exchange.created", "name", &S("amq.topic")).await;
    has(&created, &[("vhost", S("v")), ("user_who_performed_action", S("guest"))]);
    api.put("/api/queues/v/q", &json!({ "durable": true }));
    happening.expect("queue.created", "name", &S("q")).await;
    api.delete_quietly("/api/vhosts/v");
    let by = ("user_who_performed_action", S("guest"));
    has(&happening.expect("queue.deleted", "name", &S("q")).await, &[("vhost", S("v")), by.clone()]);
    has(&happening.expect("exchange.deleted", "name", &S("amq.topic")).await, &[("vhost", S("v")), by]);
}

/// As RabbitMQ: which policy was put for a queue, or that one is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_of_queues_are_told() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (api, happening) = (broker.http(), Happening::bound(&broker, "queue.policy.*").await);
    api.put("/api/queues/%2F/q", &json!({}));
    let put = |kind: &str, length: i64| {
        let definition = json!({ "max-length": length });
        let policy = json!({ "pattern": "^q", "definition": definition, "priority": 1, "apply-to": "queues" });
        api.put(&format!("/api/{kind}/%2F/p"), &policy);
        let definition = Value::F(args([("max-length", Value::l(length))]));
        let told = [("pattern", S("^q")), ("apply-to", S("queues")), ("priority", Value::l(1))];
        let by = [("user_who_performed_action", S("guest")), ("type", S("rabbit_classic_queue")), ("vhost", S("/"))];
        told.into_iter().chain(by).chain([("definition", definition)]).collect::<Vec<_>>()
    };
    for (kind, length) in [("policies", 7), ("policies", 8), ("operator-policies", 5)] {
        let expected = put(kind, length);
        has(&happening.expect("queue.policy.updated", "name", &S("q")).await, &expected);
    }
    for kind in ["operator-policies", "policies"] {
        api.delete_quietly(&format!("/api/{kind}/%2F/p"));
        let told = happening.expect("queue.policy.cleared", "name", &S("q")).await;
        assert_eq!(told.get("definition"), None);
    }
    // What changes nothing for the queue is not told.
    api.put("/api/policies/%2F/other", &json!({ "pattern": "^x", "definition": { "max-length": 1 } }));
    put("policies", 9);
    let told = happening.expect("queue.policy.updated", "name", &S("q")).await;
    assert_eq!(told.get("pattern"), Some(&S("^q")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alarms_are_told() {
    let broker = Setup { http: true, memory_high_watermark: Some(1_000_000), ..Setup::default() }.start().await;
    if broker.is_rabbitmq() {
        return;
    }
    let happening = Happening::bound(&broker, "alarm.#").await;
    let (ch, name) = (broker.connect().await.channel(1).await, broker.name("q"));
    ch.declare(queue(&name)).await;
    ch.publish(publish("", &name, vec![0; 1_200_000])).await;
    let set = happening.expect("alarm.set", "source", &S("memory")).await;
    assert!(set.get("node").is_some());
    broker.http().delete_quietly(&format!("/api/queues/%2F/{name}"));
    happening.expect("alarm.cleared", "source", &S("memory")).await;
}
