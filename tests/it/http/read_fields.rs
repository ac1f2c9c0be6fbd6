//! What tools and client libraries read of the answers: each field must be there, whatever has happened, with the type that they parse.
//!
//! Telegraf, Datadog, KEDA, NServiceBus, Terraform and the pages read what these tables have; `rabbitmq_http_client` for Rust refuses an
//! answer without any of the fields that it knows. RabbitMQ leaves some of them out until statistics are there, so that this is asked of
//! our own broker only.

use serde_json::{Value, json};

use crate::broker::{Management, TestBroker};
use crate::client::table::S;
use crate::client::{args, consume, eventually, publish, queue};

/// A path, and what is read of it: `a.b[].c:n` is a number `c` in each item of a list that is not empty. Types are `n` (number), `i` (whole
/// number), `s` (text), `t` (text that is not empty), `b` (boolean), `a` (list), `l` (list of texts), `o` (object), `z` (null); several stand
/// for any of them.
const FIELDS: &[(&str, &str)] = &[
    (
        "/api/overview",
        "rabbitmq_version:t product_version:t product_name:t cluster_name:t node:t erlang_version:t erlang_full_version:t disable_stats:b \
         object_totals.queues:i object_totals.exchanges:i object_totals.connections:i object_totals.channels:i object_totals.consumers:i \
         queue_totals.messages:i queue_totals.messages_ready:i queue_totals.messages_unacknowledged:i queue_totals.messages_details.rate:n \
         queue_totals.messages_ready_details.rate:n queue_totals.messages_unacknowledged_details.rate:n message_stats.publish:i \
         message_stats.publish_details.rate:n message_stats.confirm:i message_stats.deliver_get:i message_stats.ack:i message_stats.redeliver:i \
         message_stats.return_unroutable:i message_stats.drop_unroutable:i churn_rates.connection_created:i churn_rates.connection_closed:i \
         churn_rates.queue_declared:i churn_rates.queue_created:i churn_rates.queue_deleted:i churn_rates.channel_created:i \
         churn_rates.channel_closed:i churn_rates.connection_created_details.rate:n listeners[].node:t listeners[].protocol:t \
         listeners[].ip_address:t listeners[].port:i listeners[].socket_opts:ao statistics_db_event_queue:i rates_mode:t contexts[].node:t \
         contexts[].description:t contexts[].path:t contexts[].port:nt exchange_types[].name:t exchange_types[].enabled:b",
    ),
    ("/api/queues/{vhost}/{queue}", QUEUE),
    (
        "/api/queues/{vhost}/{queue}",
        "consumer_details[].consumer_tag:t consumer_details[].ack_required:b consumer_details[].prefetch_count:i policy:zt operator_policy:zt",
    ),
    ("/api/queues/{vhost}/{quorum}", QUEUE),
    ("/api/queues/{vhost}/{quorum}", "leader:t members:l online:l delivery_limit:it"),
    ("/api/queues", "[].name:t [].vhost:t [].type:t [].state:t [].messages:i [].consumers:i [].message_stats:o"),
    ("/api/queues/{vhost}", "[].name:t [].effective_policy_definition:o"),
    (
        "/api/queues?page=1&page_size=500&pagination=false",
        "items[].name:t items[].messages:i page:i page_count:i page_size:i total_count:i filtered_count:i item_count:i",
    ),
    (
        "/api/queues/{vhost}?page=1&name=read&use_regex=true",
        "items[].messages:i items[].messages_unacknowledged:i items[].message_stats.publish_details.rate:n \
         items[].message_stats.deliver_get_details.rate:n",
    ),
    (
        "/api/queues?disable_stats=true&enable_queue_totals=true",
        "[].name:t [].messages:i [].messages_ready:i [].messages_unacknowledged:i",
    ),
    ("/api/aliveness-test/{vhost}", "status:t"),
    ("/api/vhosts", "[].name:t [].tracing:b [].description:s [].tags:l [].default_queue_type:t [].metadata:o"),
    (
        "/api/vhosts/{vhost}",
        "name:t tracing:b description:s tags:l default_queue_type:t metadata.description:s metadata.tags:l cluster_state:o messages:i \
         messages_ready:i messages_unacknowledged:i",
    ),
    ("/api/permissions", "[].user:t [].vhost:t [].configure:s [].write:s [].read:s"),
    ("/api/permissions/{vhost}/guest", "user:t vhost:t configure:s write:s read:s"),
    ("/api/users", "[].name:t [].tags:l [].password_hash:s [].hashing_algorithm:t"),
    ("/api/users/guest", "name:t tags:l password_hash:t hashing_algorithm:t limits:o"),
    ("/api/whoami", "name:t tags:l"),
    (
        "/api/definitions",
        "rabbitmq_version:t users[].name:t users[].password_hash:t users[].hashing_algorithm:t users[].tags:l vhosts[].name:t \
         permissions[].user:t permissions[].vhost:t topic_permissions:a parameters:a global_parameters:a policies[].name:t \
         policies[].apply-to:t policies[].definition:o queues[].name:t queues[].vhost:t queues[].durable:b queues[].auto_delete:b \
         queues[].arguments:o exchanges[].name:t exchanges[].type:t bindings[].source:t bindings[].destination:t \
         bindings[].destination_type:t bindings[].routing_key:s bindings[].arguments:o",
    ),
    ("/api/definitions/{vhost}", "policies:a parameters:a queues[].name:t exchanges[].name:t bindings[].source:t"),
    ("/api/exchanges", "[].name:s [].vhost:t [].type:t [].durable:b [].auto_delete:b [].internal:b [].arguments:o"),
    (
        "/api/exchanges/{vhost}/{exchange}",
        "name:t vhost:t type:t durable:b auto_delete:b internal:b arguments:o message_stats.publish_in:i message_stats.publish_out:i \
         message_stats.publish_in_details.rate:n message_stats.publish_out_details.rate:n",
    ),
    ("/api/bindings", BINDINGS),
    ("/api/bindings/{vhost}", BINDINGS),
    ("/api/bindings/{vhost}/e/{exchange}/q/{queue}", BINDINGS),
    ("/api/queues/{vhost}/{queue}/bindings", BINDINGS),
    ("/api/exchanges/{vhost}/{exchange}/bindings/source", BINDINGS),
    ("/api/feature-flags", "[].name:t [].state:t [].desc:s [].stability:t [].provided_by:t [].doc_url:s"),
    ("/api/policies", "[].vhost:t [].name:t [].pattern:t [].apply-to:t [].definition:o [].priority:i"),
    ("/api/policies/{vhost}/{policy}", "vhost:t name:t pattern:t apply-to:t definition:o priority:i"),
    ("/api/nodes", NODE),
    (
        "/api/connections",
        "[].name:t [].node:t [].user:t [].vhost:t [].state:t [].client_properties.connection_name:t [].user_provided_name:t [].connected_at:i \
         [].channels:i [].protocol:t [].ssl:b [].peer_host:t [].peer_port:i [].channel_max:i [].frame_max:i [].timeout:i [].send_oct:i \
         [].recv_oct:i [].send_oct_details.rate:n [].recv_oct_details.rate:n [].auth_mechanism:t [].type:t",
    ),
    (
        "/api/channels",
        "[].name:t [].node:t [].number:i [].user:t [].vhost:t [].state:t [].consumer_count:i [].confirm:b [].transactional:b [].prefetch_count:i \
         [].messages_unacknowledged:i [].messages_unconfirmed:i [].messages_uncommitted:i [].acks_uncommitted:i [].connection_details.name:t \
         [].connection_details.peer_host:t [].connection_details.peer_port:i [].message_stats.deliver_details.rate:n",
    ),
    ("/api/consumers", CONSUMERS),
    ("/api/consumers/{vhost}", CONSUMERS),
];

const QUEUE: &str = "name:t vhost:t type:t durable:b auto_delete:b exclusive:b arguments:o node:t state:t messages:i messages_ready:i \
    messages_unacknowledged:i messages_details.rate:n messages_ready_details.rate:n messages_unacknowledged_details.rate:n consumers:i \
    consumer_utilisation:n consumer_capacity:n consumer_details:a message_stats.publish:i message_stats.publish_details.rate:n \
    message_stats.ack_details.rate:n message_stats.deliver_details.rate:n message_stats.deliver_get_details.rate:n \
    message_stats.redeliver_details.rate:n effective_policy_definition:o idle_since:t memory:i message_bytes:i message_bytes_ready:i \
    message_bytes_unacknowledged:i message_bytes_persistent:i message_bytes_ram:i messages_persistent:i messages_ram:i";

const BINDINGS: &str =
    "[].source:s [].vhost:t [].destination:t [].destination_type:t [].routing_key:s [].arguments:o [].properties_key:t";

const CONSUMERS: &str = "[].consumer_tag:t [].ack_required:b [].exclusive:b [].active:b [].activity_status:t [].prefetch_count:i \
    [].arguments:o [].queue.name:t [].queue.vhost:t [].channel_details.name:t [].channel_details.number:i [].channel_details.node:t \
    [].channel_details.connection_name:t [].channel_details.peer_host:t [].channel_details.peer_port:i [].channel_details.user:t";

const NODE: &str = "[].name:t [].type:t [].running:b [].uptime:i [].run_queue:i [].processors:i [].os_pid:t [].fd_total:i [].fd_used:i \
    [].sockets_total:i [].sockets_used:i [].proc_total:i [].proc_used:i [].mem_used:i [].mem_limit:i [].mem_alarm:b [].disk_free:i \
    [].disk_free_limit:i [].disk_free_alarm:b [].partitions:a [].enabled_plugins:l [].rates_mode:t [].being_drained:b [].mem_used_details.rate:n \
    [].disk_free_details.rate:n [].fd_used_details.rate:n [].proc_used_details.rate:n [].sockets_used_details.rate:n";

/// What is wrong with one field of a value; nothing if it is as it should be.
fn wrong(value: &Value, field: &str, types: &str) -> Option<String> {
    let (key, rest) = field.split_once('.').map_or((field, None), |(key, rest)| (key, Some(rest)));
    let (name, is_list) = key.strip_suffix("[]").map_or((key, false), |name| (name, true));
    let found = if name.is_empty() { Some(value) } else { value.get(name) };
    let Some(found) = found else { return Some(format!("{key} is missing in {value}")) };
    let below = |value: &Value| rest.and_then(|rest| wrong(value, rest, types));
    if is_list {
        return match found.as_array().filter(|list| !list.is_empty()) {
            Some(list) => list.iter().find_map(below),
            None => Some(format!("{key} is no list with something in it: {found}")),
        };
    }
    if rest.is_some() {
        return below(found);
    }
    let is_one = |kind: char| match kind {
        'n' => found.is_number(),
        'i' => found.is_u64(),
        's' => found.is_string(),
        't' => found.as_str().is_some_and(|text| !text.is_empty()),
        'b' => found.is_boolean(),
        'a' => found.is_array(),
        'l' => found.as_array().is_some_and(|list| list.iter().all(Value::is_string)),
        'o' => found.is_object(),
        'z' => found.is_null(),
        _ => panic!("there is no type {kind}"),
    };
    (!types.chars().any(is_one)).then(|| format!("{key} is {found}, and not one of {types}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_field_that_a_client_reads_is_there() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (api, vhost) = (broker.http(), broker.name("vhost"));
    api.create_vhost(&vhost);
    let empty = fields(&api, &vhost, "no-such-queue");
    assert!(empty.iter().any(|wrong| wrong.contains("no-such-queue")), "the check finds what is missing");
    let mut connect = broker.connect_with().vhost(&vhost);
    connect.client_properties = args([("connection_name", S("a program"))]);
    let connection = connect.open().await;
    let channel = connection.channel(1).await;
    channel.declare(queue("read").durable()).await;
    channel.declare(queue("quorum").quorum()).await;
    api.put(&format!("/api/exchanges/{vhost}/exchange"), &json!({ "type": "topic", "durable": true }));
    api.request("POST", &format!("/api/bindings/{vhost}/e/exchange/q/read"), Some(&json!({ "routing_key": "#" })));
    api.put(
        &format!("/api/policies/{vhost}/policy"),
        &json!({ "pattern": "^none$", "definition": { "max-length": 9 } }),
    );
    for _ in 0..3 {
        channel.publish(publish("exchange", "key", "four")).await;
    }
    channel.qos(1).await;
    channel.consume(consume("read")).await;
    channel.expect_deliver().await;
    eventually("the numbers of the queue are true", async || {
        let queue = api.get(&format!("/api/queues/{vhost}/read"));
        let is = |key: &str, number: u64| queue[key] == number;
        let numbers = [
            ("messages", 3),
            ("messages_ready", 2),
            ("messages_unacknowledged", 1),
            ("consumers", 1),
            ("message_bytes", 12),
        ];
        if numbers.iter().all(|(key, number)| is(key, *number)) { Ok(()) } else { Err(queue.to_string()) }
    })
    .await;
    let wrong = fields(&api, &vhost, "read");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let queue = api.get(&format!("/api/queues/{vhost}/read"));
    for (key, value) in [
        ("message_stats.publish", json!(3)),
        ("message_stats.deliver", json!(1)),
        ("message_stats.deliver_get", json!(1)),
        ("message_stats.ack", json!(0)),
        ("state", json!("running")),
        ("type", json!("classic")),
        ("durable", json!(true)),
    ] {
        let found = key.split('.').fold(&queue, |value, key| &value[key]);
        assert_eq!(*found, value, "{key}");
    }
    let exchange = api.get(&format!("/api/exchanges/{vhost}/exchange"));
    assert_eq!(
        (&exchange["message_stats"]["publish_in"], &exchange["message_stats"]["publish_out"]),
        (&json!(3), &json!(3))
    );
    for path in [
        "alarms",
        "local-alarms",
        "virtual-hosts",
        "ready-to-serve-clients",
        "is-in-service",
        "node-is-quorum-critical",
    ] {
        assert_eq!(api.get(&format!("/api/health/checks/{path}"))["status"], "ok", "{path}");
    }
    assert_eq!(api.get(&format!("/api/aliveness-test/{vhost}")), json!({ "status": "ok" }));
    for empty in ["/api/federation-links", "/api/shovels", "/api/stream/connections", "/api/stream/publishers"] {
        assert_eq!(api.get(empty), json!([]), "{empty}");
    }
}

/// What of the table is not as it should be.
fn fields(api: &Management, vhost: &str, name: &str) -> Vec<String> {
    let mut wrongs = Vec::new();
    for (path, fields) in FIELDS {
        let path = path.replace("{vhost}", vhost).replace("{queue}", name);
        let path =
            ["quorum", "exchange", "policy"].iter().fold(path, |path, key| path.replace(&format!("{{{key}}}"), key));
        let (status, body) = api.request("GET", &path, None);
        if status != 200 {
            wrongs.push(format!("{path}: {status} {body}"));
            continue;
        }
        for field in fields.split_whitespace() {
            let (field, types) = field.rsplit_once(':').expect("a field has types");
            wrongs.extend(wrong(&body, field, types).map(|wrong| format!("{path}: {field}: {wrong}")));
        }
    }
    wrongs
}
