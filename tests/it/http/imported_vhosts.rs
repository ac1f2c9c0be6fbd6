//! What counts of an entry of `vhosts` in a definitions file, and from where: `metadata` before what stands beside it.

use serde_json::{Value, json};

use super::call;
use crate::broker::{Management, TestBroker};

/// Virtual hosts that go with the test, also those that are protected.
struct Guests(Management, Vec<String>);

impl Drop for Guests {
    fn drop(&mut self) {
        for name in &self.1 {
            self.0.delete_quietly(&format!("/api/vhosts/{name}/deletion/protection"));
            self.0.delete_quietly(&format!("/api/vhosts/{name}"));
        }
    }
}

/// Description, tags, type of queues, tracing, protection.
fn told(api: &Management, vhost: &str) -> Value {
    let found = api.get(&format!("/api/vhosts/{vhost}"));
    let keys = ["description", "tags", "default_queue_type", "tracing", "protected_from_deletion"];
    Value::from_iter(keys.map(|key| found[key].clone()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_counts_more_and_type_and_protection_count_there_alone() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let rows = [
        (
            json!({ "description": "top", "tags": ["top"], "default_queue_type": "quorum", "protected_from_deletion": true }),
            json!(["top", ["top"], "classic", false, false]),
        ),
        (
            json!({ "description": "top", "tags": "x,y", "tracing": true, "default_queue_type": "moon",
                    "metadata": { "description": "m", "tracing": false } }),
            json!(["m", ["x", "y"], "classic", true, false]),
        ),
        (
            json!({ "description": "top", "tags": ["top"],
                    "metadata": { "tags": [], "default_queue_type": "quorum", "protected_from_deletion": true, "zzz": 1 } }),
            json!(["top", [], "quorum", false, true]),
        ),
        (json!({ "metadata": [] }), json!(["", [], "classic", false, false])),
        (json!({ "metadata": null, "default_queue_type": null }), json!(["", [], "classic", false, false])),
    ];
    let names: Vec<_> = (0..rows.len()).map(|_| broker.name("vhost")).collect();
    let _guests = Guests(broker.http(), names.clone());
    let mut entries: Vec<_> = rows.iter().map(|(entry, _)| entry.clone()).collect();
    entries.iter_mut().zip(&names).for_each(|(entry, name)| entry["name"] = json!(name));
    assert_eq!(call(&api, "POST", "/api/definitions", &json!({ "vhosts": entries })), (204, Value::Null));
    for ((entry, expected), name) in rows.iter().zip(&names) {
        assert_eq!(&told(&api, name), expected, "{entry}");
    }
    let bad = json!({ "vhosts": [{ "name": "never", "metadata": { "default_queue_type": "moon" } }] });
    let (status, answer) = call(&api, "POST", "/api/definitions", &bad);
    assert!(status == 400 && answer["reason"].to_string().contains("moon is not a valid queue type"), "{answer}");
}

/// RabbitMQ exports limits twice, as a parameter as well, and imports the parameter.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_count_as_a_parameter_alone() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("vhost"));
    let _guests = Guests(broker.http(), vec![name.clone()]);
    let limits_of = |limits: Value| json!({ "vhosts": [{ "name": name, "limits": limits }] });
    for limits in [json!({ "max-queues": 0 }), json!([{ "name": "max-queues", "value": 0 }]), json!("x"), json!(5)] {
        assert_eq!(call(&api, "POST", "/api/definitions", &limits_of(limits)), (204, Value::Null));
        assert_eq!(api.get(&format!("/api/vhost-limits/{name}")), json!([]));
    }
    let mut file = limits_of(json!({ "max-queues": 0 }));
    file["parameters"] =
        json!([{ "vhost": name, "component": "vhost-limits", "name": "limits", "value": { "max-queues": 2 } }]);
    assert_eq!(call(&api, "POST", "/api/definitions", &file), (204, Value::Null));
    assert_eq!(api.get(&format!("/api/vhost-limits/{name}"))[0]["value"], json!({ "max-queues": 2 }));
    // One who is there keeps them.
    assert_eq!(call(&api, "POST", "/api/definitions", &limits_of(json!({}))), (204, Value::Null));
    assert_eq!(api.get(&format!("/api/vhost-limits/{name}"))[0]["value"], json!({ "max-queues": 2 }));
}
