//! The metrics of port 15692, read as Prometheus reads them: what cannot be parsed fails every test.

use std::collections::BTreeMap;

use serde_json::json;

use crate::broker::{Management, TestBroker};
use crate::client::{eventually, publish, queue};

type Labels = BTreeMap<String, String>;

/// What an endpoint tells.
pub(super) struct Metrics {
    types: BTreeMap<String, String>,
    samples: Vec<(String, Labels, f64)>,
}

impl Metrics {
    pub(super) fn of(endpoint: &Management, path: &str) -> Self {
        let answered = endpoint.send("GET", path, "", &[]);
        assert_eq!(answered.status, 200, "{path}: {}", answered.text);
        assert_eq!(answered.header("content-type"), "text/plain; version=0.0.4");
        Self::parse(&answered.text)
    }

    /// As the format is defined: every sample behind the type of its family, every family once, in one piece.
    fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line has an end");
        let (mut types, mut samples, mut current) = (BTreeMap::new(), Vec::new(), String::new());
        // Not `lines`: a carriage return is part of a name.
        for line in text.strip_suffix('\n').unwrap().split('\n').filter(|line| !line.is_empty()) {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect(line);
                assert!(["counter", "gauge", "histogram", "summary", "untyped"].contains(&kind), "{line}");
                current = name.to_owned();
                assert!(types.insert(current.clone(), kind.to_owned()).is_none(), "{name} begins again");
            } else if let Some(rest) = line.strip_prefix("# HELP ") {
                assert_eq!(rest.split_once(' ').expect(line).0, current);
            } else {
                let (name, labels, value) = sample(line).unwrap_or_else(|| panic!("{line:?}"));
                let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
                assert!(name == current || family == Some(current.as_str()), "{name} among {current}");
                samples.push((name, labels, value));
            }
        }
        let keys: std::collections::BTreeSet<_> = samples.iter().map(|(name, labels, _)| (name, labels)).collect();
        assert_eq!(keys.len(), samples.len(), "no sample is told twice");
        Self { types, samples }
    }

    /// The value of the sample with these labels, among others.
    pub(super) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |of: &Labels| labels.iter().all(|(name, value)| of.get(*name).is_some_and(|known| known == value));
        self.samples.iter().find(|(known, of, _)| known == name && has(of)).map(|(.., value)| *value)
    }
}

fn sample(line: &str) -> Option<(String, Labels, f64)> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut labels = Labels::new();
    if let Some(mut inner) = rest.strip_prefix('{') {
        loop {
            let (label, quoted) = inner.split_once("=\"")?;
            let mut value = String::new();
            let mut characters = quoted.chars();
            loop {
                match characters.next()? {
                    '"' => break,
                    '\\' => value.push(match characters.next()? {
                        'n' => '\n',
                        other @ ('"' | '\\') => other,
                        _ => return None,
                    }),
                    other => value.push(other),
                }
            }
            let is_new = labels.insert(label.to_owned(), value).is_none();
            if !is_new || !label.chars().all(is_name) {
                return None;
            }
            inner = characters.as_str();
            match inner.strip_prefix(',') {
                Some(next) => inner = next,
                None => break,
            }
        }
        rest = inner.strip_prefix('}')?;
    }
    let value = rest.strip_prefix(' ')?.replace("+Inf", "inf").parse().ok()?;
    name.chars().all(is_name).then(|| (name.to_owned(), labels, value))
}

/// The families of RabbitMQ's `/metrics` that are not about Erlang, Raft or streams.
const FAMILIES: &str = include_str!("prometheus/families.txt");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_family_of_rabbitmq_is_there_with_its_type() {
    let broker = TestBroker::with_http().await;
    let endpoint = broker.metrics();
    for path in ["/metrics", "/metrics/per-object"] {
        let metrics = Metrics::of(&endpoint, path);
        for line in FAMILIES.lines() {
            let (name, kind) = line.split_once(' ').unwrap();
            assert_eq!(metrics.types.get(name).map(String::as_str), Some(kind), "{name} in {path}");
        }
        for name in ["rabbitmq_build_info", "rabbitmq_identity_info"] {
            assert_eq!(metrics.value(name, &[]), Some(1.0), "{name}");
        }
        let node = broker.http().get("/api/overview")["node"].as_str().unwrap().to_owned();
        let id = broker.http().get("/api/global-parameters/internal_cluster_id")["value"].clone();
        let labels = [("rabbitmq_node", &*node), ("rabbitmq_cluster_permanent_id", id.as_str().unwrap())];
        assert_eq!(metrics.value("rabbitmq_identity_info", &labels), Some(1.0));
    }
}

/// What the queries of RabbitMQ's dashboard (Grafana 10991) name, each joined with `rabbitmq_identity_info` or `rabbitmq_build_info` by the place
/// that it comes from.
/// Not the sizes of messages: docs/management.md says why they are left out.
const OF_DASHBOARD: [&str; 36] = [
    "rabbitmq_queue_messages_ready",
    "rabbitmq_queue_messages_unacked",
    "rabbitmq_queue_messages",
    "rabbitmq_global_messages_received_total",
    "rabbitmq_global_messages_received_confirm_total",
    "rabbitmq_global_messages_confirmed_total",
    "rabbitmq_global_messages_routed_total",
    "rabbitmq_global_messages_unroutable_dropped_total",
    "rabbitmq_global_messages_unroutable_returned_total",
    "rabbitmq_global_messages_delivered_total",
    "rabbitmq_global_messages_delivered_consume_auto_ack_total",
    "rabbitmq_global_messages_delivered_consume_manual_ack_total",
    "rabbitmq_global_messages_delivered_get_auto_ack_total",
    "rabbitmq_global_messages_delivered_get_manual_ack_total",
    "rabbitmq_global_messages_get_empty_total",
    "rabbitmq_global_messages_redelivered_total",
    "rabbitmq_global_messages_acknowledged_total",
    "rabbitmq_global_publishers",
    "rabbitmq_global_consumers",
    "rabbitmq_consumers",
    "rabbitmq_connections",
    "rabbitmq_connections_opened_total",
    "rabbitmq_connections_closed_total",
    "rabbitmq_channels",
    "rabbitmq_channels_opened_total",
    "rabbitmq_channels_closed_total",
    "rabbitmq_queues",
    "rabbitmq_queues_declared_total",
    "rabbitmq_queues_created_total",
    "rabbitmq_queues_deleted_total",
    "rabbitmq_process_resident_memory_bytes",
    "rabbitmq_resident_memory_limit_bytes",
    "rabbitmq_process_open_fds",
    "rabbitmq_process_max_fds",
    "rabbitmq_disk_space_available_bytes",
    "rabbitmq_disk_space_available_limit_bytes",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_panel_of_the_dashboard_has_numbers_and_their_joins() {
    let broker = TestBroker::with_http().await;
    let (endpoint, name) = (broker.metrics(), broker.name("q"));
    let channel = broker.connect().await.channel(1).await;
    channel.declare(queue(&name).exclusive()).await;
    channel.confirm_select().await;
    channel.publish(publish("", &name, "x")).await;
    channel.get(&name).await.expect("a message");
    let metrics = Metrics::of(&endpoint, "/metrics");
    let missing: Vec<_> = OF_DASHBOARD.into_iter().filter(|name| metrics.value(name, &[]).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?}");
    // Many samples are joined with one: two of these, or a label too few, and the panels stay empty.
    let labels_of = |name: &str| {
        let found: Vec<_> = metrics.samples.iter().filter(|(known, ..)| known == name).collect();
        assert_eq!(found.len(), 1, "{name}");
        found[0].1.keys().cloned().collect::<Vec<_>>()
    };
    let has = |labels: &[String], wanted: &[&str]| wanted.iter().all(|name| labels.iter().any(|label| label == name));
    let identity = labels_of("rabbitmq_identity_info");
    assert!(has(&identity, &["rabbitmq_cluster", "rabbitmq_cluster_permanent_id", "rabbitmq_node"]), "{identity:?}");
    let build = labels_of("rabbitmq_build_info");
    let wanted = ["rabbitmq_version", "erlang_version", "prometheus_client_version", "prometheus_plugin_version"];
    assert!(has(&build, &wanted), "{build:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_is_told_of_with_all_its_numbers() {
    let broker = TestBroker::with_http().await;
    let (endpoint, name) = (broker.metrics(), broker.name("q"));
    let channel = broker.connect().await.channel(1).await;
    channel.declare(queue(&name)).await;
    for _ in 0..3 {
        channel.publish(publish("", &name, "x".repeat(150))).await;
    }
    channel.get(&name).await.expect("a message");
    channel.get_no_ack(&name).await.expect("a message");
    let of_queue = [("vhost", "/"), ("queue", name.as_str())];
    eventually("the queue is told of", async || {
        let metrics = Metrics::of(&endpoint, "/metrics/per-object");
        let value = |family: &str| metrics.value(&format!("rabbitmq_queue_{family}"), &of_queue);
        let expected = [
            ("messages", 2.0),
            ("messages_ready", 1.0),
            ("messages_unacked", 1.0),
            ("messages_ready_bytes", 150.0),
            ("messages_unacked_bytes", 150.0),
            ("messages_bytes", 300.0),
            ("consumers", 0.0),
            ("get_ack_total", 1.0),
            ("get_total", 1.0),
        ];
        let wrong = expected.into_iter().find(|(family, number)| value(family) != Some(*number));
        wrong.map_or(Ok(()), |(family, _)| Err(format!("{family}: {:?}", value(family))))
    })
    .await;
    let path = "/metrics/detailed?family=queue_coarse_metrics&family=queue_consumer_count";
    let metrics = Metrics::of(&endpoint, path);
    let kind = [of_queue[0], of_queue[1], ("queue_type", "rabbit_classic_queue"), ("membership", "leader")];
    assert_eq!(metrics.value("rabbitmq_detailed_queue_info", &kind), Some(1.0));
    assert_eq!(metrics.value("rabbitmq_detailed_queue_messages", &of_queue), Some(2.0));
    assert_eq!(metrics.value("rabbitmq_detailed_queue_consumers", &of_queue), Some(0.0));
    assert!(!metrics.types.contains_key("rabbitmq_detailed_queue_messages_bytes"), "it was not asked for");
    let elsewhere = Metrics::of(&endpoint, "/metrics/detailed?family=queue_coarse_metrics&vhost=no-such");
    assert_eq!(elsewhere.types["rabbitmq_detailed_queue_messages"], "gauge");
    assert_eq!(elsewhere.value("rabbitmq_detailed_queue_messages", &[]), None);
}

/// `queue` and `vhost` choose among what is told of each queue, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expression_chooses_queues_in_detail() {
    let broker = TestBroker::with_http().await;
    let (endpoint, name) = (broker.metrics(), broker.name("chosen"));
    let channel = broker.connect().await.channel(1).await;
    for end in ["aa", "ab", "b"] {
        channel.declare(queue(&format!("{name}-{end}"))).await;
    }
    let chosen = |query: &str| {
        let metrics = Metrics::of(&endpoint, &format!("/metrics/detailed?family=queue_coarse_metrics{query}"));
        let of = |family: &str| {
            let mine = metrics
                .samples
                .iter()
                .filter(|(known, labels, _)| known == family && labels["queue"].starts_with(&name));
            let mut ends: Vec<_> = mine.map(|(_, labels, _)| labels["queue"][name.len() + 1..].to_owned()).collect();
            ends.sort();
            ends.join(" ")
        };
        (of("rabbitmq_detailed_queue_messages"), of("rabbitmq_detailed_queue_info"))
    };
    let both = |ends: &str| (ends.to_owned(), ends.to_owned());
    // RabbitMQ knows of a queue when its statistics have come.
    eventually("all are told", async || if chosen("") == both("aa ab b") { Ok(()) } else { Err(chosen("")) }).await;
    for (query, ends) in [
        (format!("&queue={name}-a"), "aa ab"),
        (format!("&queue={name}-a&vhost=%2F"), "aa ab"),
        (format!("&queue={name}-a&vhost=no-such"), ""),
        ("&queue=b%24".to_owned(), "ab b"),
        ("&queue=-a(%3F!a)".to_owned(), "ab"),
        ("&queue=no-such".to_owned(), ""),
        ("&queue=".to_owned(), "aa ab b"),
        ("&vhost".to_owned(), "aa ab b"),
        (format!("&vhost&queue={name}-a&family"), "aa ab"),
        ("&vhost=".to_owned(), ""),
    ] {
        assert_eq!(chosen(&query), both(ends), "{query}");
    }
    let all = Metrics::of(&endpoint, "/metrics/per-object?queue=no-such&vhost=no-such");
    assert!(all.value("rabbitmq_queue_messages", &[("queue", &format!("{name}-b"))]).is_some(), "only in detail");
    let families = ["vhost_status", "exchange_names", "exchange_bindings"];
    for (family, told) in families.into_iter().zip(["vhost_status", "exchange_name", "exchange_bindings"]) {
        let metrics = Metrics::of(&endpoint, &format!("/metrics/detailed?family={family}&vhost=no-such&queue=no-such"));
        assert!(metrics.value(&format!("rabbitmq_cluster_{told}"), &[("vhost", "/")]).is_some(), "{family}");
    }
    let elsewhere =
        Metrics::of(&endpoint, "/metrics/detailed?family=exchange_metrics&family=channel_metrics&vhost=no-such");
    assert_eq!(elsewhere.value("rabbitmq_detailed_exchange_messages_published_total", &[]), None);
    assert!(elsewhere.value("rabbitmq_detailed_channel_consumers", &[]).is_some(), "channels are told of everywhere");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expression_for_queues_that_is_none_is_refused_everywhere() {
    let broker = TestBroker::with_http().await;
    let endpoint = broker.metrics();
    let long = "a".repeat(2_001);
    let too_long = format!("queue={long}");
    for path in ["/metrics", "/metrics/per-object", "/metrics/detailed", "/metrics/memory-breakdown"] {
        for (query, text) in [
            ("queue=(", "Invalid 'queue' regex"),
            ("queue=a&queue=b", "Only one 'queue' query parameter is allowed"),
            (too_long.as_str(), "'queue' regex too long"),
        ] {
            let answered = endpoint.send("GET", &format!("{path}?{query}"), "", &[]);
            assert_eq!((answered.status, answered.header("content-type")), (400, "text/plain"), "{path} {query}");
            assert!(answered.text.starts_with(text), "{path} {query}: {}", answered.text);
        }
    }
    let answered = endpoint.send("GET", &format!("/metrics/detailed?queue={}", &long[1..]), "", &[]);
    assert_eq!(answered.status, 200);
    assert_eq!(endpoint.send("GET", "/metrics/detailed?=a", "", &[]).status, 400);
    // RabbitMQ answers with an empty 500.
    if !broker.is_rabbitmq() {
        let answered = endpoint.send("GET", "/metrics/detailed?queue&vhost=%2F", "", &[]);
        let reason = "'queue' needs a value: queue=EXPRESSION, for names of queues";
        assert_eq!((answered.status, answered.text.as_str()), (400, reason));
    }
}

/// Nobody has to log in for the metrics, so nobody may make them cost what he likes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expression_that_takes_too_long_with_all_names_is_refused() {
    let broker = TestBroker::with_http().await;
    // RabbitMQ gives up each queue by itself.
    if broker.is_rabbitmq() {
        return;
    }
    let channel = broker.connect().await.channel(1).await;
    for length in 100..220 {
        channel.declare(queue(&"a".repeat(length))).await;
    }
    let reason = "this regular expression takes too long with the names that are there";
    let expression = "%5E(%3F%3D(a%2B)%2B%24)(a%7Caa)%2B%5C1x%24";
    let path = format!("/metrics/detailed?family=queue_coarse_metrics&queue={expression}");
    let answered = broker.metrics().send("GET", &path, "", &[]);
    assert_eq!((answered.status, answered.header("content-type")), (400, "text/plain"), "{}", answered.text);
    assert!(answered.text.starts_with(reason), "{}", answered.text);
    let path = format!("/api/queues?page=1&use_regex=true&name={expression}");
    let answered = broker.http().send("GET", &path, "", &[]);
    assert_eq!(answered.status, 400, "{}", answered.text);
    assert!(answered.text.contains(reason), "{}", answered.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passed_is_counted_by_protocol_and_type_and_outlives_its_queue() {
    let broker = TestBroker::with_http().await;
    let (endpoint, name) = (broker.metrics(), broker.name("q"));
    let before = Metrics::of(&endpoint, "/metrics");
    let global = |metrics: &Metrics, name: &str| {
        let name = format!("rabbitmq_global_{name}_total");
        let classic = [("protocol", "amqp091"), ("queue_type", "rabbit_classic_queue")];
        metrics
            .value(&name, &classic)
            .or_else(|| metrics.value(&name, &classic[..1]))
            .unwrap_or_else(|| panic!("{name}"))
    };
    let channel = broker.connect().await.channel(1).await;
    channel.declare(queue(&name)).await;
    for _ in 0..3 {
        channel.publish(publish("", &name, "x")).await;
    }
    channel.publish(publish("", format!("{name}-none"), "x")).await;
    channel.get_no_ack(&name).await.expect("a message");
    let api = broker.http();
    let deleted = api.request("DELETE", &format!("/api/queues/%2F/{name}"), None);
    assert_eq!(deleted.0, 204);
    let counts = [
        ("messages_received", 4.0),
        ("messages_routed", 3.0),
        ("messages_unroutable_dropped", 1.0),
        ("messages_delivered_get_auto_ack", 1.0),
    ];
    // Other tests of the same RabbitMQ count as well.
    eventually("everything is counted", async || {
        let now = Metrics::of(&endpoint, "/metrics");
        let less = counts.iter().find(|(name, count)| global(&now, name) < global(&before, name) + count);
        less.map_or(Ok(()), |(name, _)| Err(format!("{name}: {}", global(&now, name))))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_clients_choose_do_not_break_the_format() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("q"));
    let hostile = format!("{name}\"}} 1\\ # {{,=\u{85}é");
    let escaped = hostile.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    api.put(&format!("/api/queues/%2F/{escaped}"), &json!({}));
    eventually("the queue is told of", async || {
        for path in ["/metrics/per-object", "/metrics/detailed?family=queue_metrics"] {
            let metrics = Metrics::of(&broker.metrics(), path);
            let family = metrics.types.keys().find(|name| name.ends_with("queue_consumers")).unwrap().clone();
            metrics.value(&family, &[("queue", &hostile)]).ok_or(path)?;
        }
        Ok::<_, &str>(())
    })
    .await;
    api.delete_quietly(&format!("/api/queues/%2F/{escaped}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_logins_are_counted_by_protocol() {
    let broker = TestBroker::with_http().await;
    let endpoint = broker.metrics();
    let failed = |metrics: &Metrics| {
        let of = |protocol| metrics.value("rabbitmq_auth_attempts_failed_total", &[("protocol", protocol)]);
        (of("http").unwrap_or_default(), of("amqp091").unwrap_or_default())
    };
    let before = failed(&Metrics::of(&endpoint, "/metrics"));
    let wrong = broker.http().log_in("guest", "wrong");
    assert_eq!(wrong.request("GET", "/api/overview", None).0, 401);
    let after = Metrics::of(&endpoint, "/metrics");
    assert!(failed(&after).0 >= before.0 + 1.0, "HTTP");
}

/// Only here: RabbitMQ has other endpoints for that, with credentials.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_told_without_credentials() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let endpoint = broker.metrics();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(endpoint.request("GET", path, None), (200, json!({ "status": "ok" })), "{path}");
    }
    assert_eq!(endpoint.request("GET", "/no-such", None), super::absent());
    assert_eq!(endpoint.request("POST", "/metrics", None).0, 405);
    let metrics = Metrics::of(&endpoint, "/metrics");
    assert_eq!(metrics.types["leveret_log_sync_duration_seconds"], "histogram");
}

/// The text is written in pieces: a family with many samples goes over several.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_objects_are_told_of_completely() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let queues: Vec<_> = (0..3_000).map(|number| json!({ "name": format!("many-{number}"), "vhost": "/" })).collect();
    assert_eq!(broker.http().request("POST", "/api/definitions", Some(&json!({ "queues": queues }))).0, 204);
    let metrics = Metrics::of(&broker.metrics(), "/metrics/per-object");
    let count = metrics.samples.iter().filter(|(name, ..)| name == "rabbitmq_queue_messages").count();
    assert_eq!(count, 3_000);
}
