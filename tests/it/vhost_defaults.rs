//! What virtual hosts get when they are made: `default_users`, `default_policies.operator` and `default_limits.vhosts` of `rabbitmq.conf`.
//! RabbitMQ 4.3.6 answers as these tests expect.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::broker::Management;
use crate::client::Connect;
use crate::process::{Directory, Program, run};

const CONF: &str = "\
default_users.alice.vhost_pattern = .*
default_users.alice.tags = administrator
default_users.alice.password = wonder
default_users.alice.configure = ^a
default_users.alice.read = ^b
default_users.alice.write = ^c
default_users.bob.vhost_pattern = ^qa
default_users.bob.tags = monitoring, policymaker
default_policies.operator.p1.vhost_pattern = .*
default_policies.operator.p1.queue_pattern = ^q
default_policies.operator.p1.max_length = 100
default_policies.operator.p1.expires = 1h
default_policies.operator.p1.message_ttl = 5s
default_policies.operator.p1.delivery_limit = 7
default_policies.operator.p1.max_length_bytes = 1MB
default_policies.operator.p2.vhost_pattern = ^qa
default_policies.operator.p2.max_length = 5
default_policies.operator.p2.classic_queues.queue_version = 2
default_policies.operator.p2.apply_to = classic_queues
default_limits.vhosts.qa.pattern = ^qa
default_limits.vhosts.qa.max_connections = 10
default_limits.vhosts.qa.max_queues = 1
default_limits.vhosts.rest.pattern = .*
default_limits.vhosts.rest.max_connections = 1000
default_limits.vhosts.rest.max_queues = 200
";

fn write(directory: &Directory, text: &str) -> String {
    std::fs::create_dir_all(directory.path()).unwrap();
    let conf = directory.path().join("rabbitmq.conf");
    std::fs::write(&conf, text).unwrap();
    conf.to_str().unwrap().to_owned()
}

fn start(name: &str, directory: &Directory, text: &str) -> (Program, Management) {
    let conf = write(directory, text);
    let data = directory.path().join("data");
    let program = Program::start(
        name,
        &["--data-dir", data.to_str().unwrap(), "--http-listen", "127.0.0.1:0", "--config", &conf],
    );
    let port = program.ports()["http"].as_u64().unwrap().try_into().unwrap();
    let api = Management::at(SocketAddr::from(([127, 0, 0, 1], port)));
    (program, api)
}

/// The names in a list, joined.
fn names(list: &Value, key: &str) -> String {
    list.as_array().unwrap().iter().map(|one| one[key].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_comes_with_users_operator_policies_and_limits() {
    let directory = Directory::new("vhost-defaults");
    let (program, api) = start("vhost-defaults", &directory, CONF);
    // The first virtual host has them, and guest is there as well.
    assert_eq!(names(&api.get("/api/users"), "name"), "alice guest");
    let permission = json!({ "user": "alice", "vhost": "/", "configure": "^a", "write": "^c", "read": "^b" });
    assert_eq!(api.get("/api/permissions/%2F/alice"), permission);
    let expected = json!([{ "vhost": "/", "name": "p1", "pattern": "^q", "apply-to": "all", "priority": 0, "definition": {
        "max-length": 100, "expires": 3_600_000, "message-ttl": 5000, "delivery-limit": 7, "max-length-bytes": 1_048_576 } }]);
    assert_eq!(api.get("/api/operator-policies"), expected);
    let expected = json!([{ "vhost": "/", "value": { "max-connections": 1000, "max-queues": 200 } }]);
    assert_eq!(api.get("/api/vhost-limits"), expected);
    Connect::to(program.address()).user("alice", "wonder").open().await;

    // By a request: the limits are those of the first pattern, in the order of names, that fits.
    api.put("/api/vhosts/qa-1", &json!({}));
    assert_eq!(names(&api.get("/api/operator-policies/qa-1"), "name"), "p1 p2");
    let p2 = api.get("/api/operator-policies/qa-1/p2");
    assert_eq!((&p2["pattern"], &p2["apply-to"]), (&json!(".*"), &json!("classic_queues")));
    assert_eq!(p2["definition"], json!({ "max-length": 5, "queue-version": 2 }));
    assert_eq!(api.get("/api/vhost-limits/qa-1")[0]["value"], json!({ "max-connections": 10, "max-queues": 1 }));
    assert_eq!(names(&api.get("/api/vhosts/qa-1/permissions"), "user"), "alice bob guest");
    let bob = api.get("/api/users/bob");
    assert_eq!((&bob["tags"], &bob["password_hash"]), (&json!(["monitoring", "policymaker"]), &json!("")));
    // They hold at once.
    api.put("/api/queues/%2F/q", &json!({ "durable": true, "arguments": { "x-queue-type": "quorum" } }));
    assert_eq!(api.get("/api/queues/%2F/q")["operator_policy"], "p1");
    api.put("/api/queues/qa-1/q", &json!({}));
    assert_eq!(api.request("PUT", "/api/queues/qa-1/more", Some(&json!({}))).0, 400);

    // By definitions, whose own words count more.
    let definitions = json!({ "vhosts": [{ "name": "qa-d" }], "users": [], "parameters": [
        { "vhost": "qa-d", "component": "vhost-limits", "name": "limits", "value": { "max-queues": 3 } }] });
    assert_eq!(api.request("POST", "/api/definitions", Some(&definitions)).0, 204);
    assert_eq!(names(&api.get("/api/operator-policies/qa-d"), "name"), "p1 p2");
    assert_eq!(api.get("/api/vhost-limits/qa-d")[0]["value"], json!({ "max-queues": 3 }));
    let permitted = names(&api.get("/api/vhosts/qa-d/permissions"), "user");
    assert!(permitted.starts_with("alice bob"), "{permitted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_away_does_not_come_back() {
    let directory = Directory::new("vhost-defaults-once");
    let (mut program, api) = start("vhost-defaults-once", &directory, CONF);
    api.put("/api/vhosts/v", &json!({}));
    api.delete_quietly("/api/operator-policies/v/p1");
    api.delete_quietly("/api/vhost-limits/v/max-queues");
    api.delete_quietly("/api/permissions/v/alice");
    api.put("/api/users/alice", &json!({ "password": "other", "tags": "" }));
    let check = |api: &Management| {
        assert_eq!(api.get("/api/operator-policies/v"), json!([]));
        assert_eq!(api.get("/api/vhost-limits/v")[0]["value"], json!({ "max-connections": 1000 }));
        assert_eq!(names(&api.get("/api/vhosts/v/permissions"), "user"), "guest");
        assert_eq!(api.get("/api/users/alice")["tags"], json!([]));
    };
    api.put("/api/vhosts/v", &json!({}));
    check(&api);
    // A user that is there keeps its password.
    api.put("/api/vhosts/w", &json!({}));
    assert_eq!(names(&api.get("/api/vhosts/w/permissions"), "user"), "alice guest");
    Connect::to(program.address()).user("alice", "other").vhost("w").open().await;
    program.stop();
    let (_program, api) = start("vhost-defaults-once", &directory, CONF);
    check(&api);
}

#[test]
fn what_makes_no_sense_is_told() {
    for (line, told) in [
        ("default_users.a.colour = red", "a user has no such property"),
        ("default_users.a.configure = (", "regular expression"),
        ("default_limits.vhosts.a.max_queues = 0", "numbers above 0"),
        ("default_policies.operator.a.expires = soon", "allowed is"),
    ] {
        let directory = Directory::new("vhost-defaults-wrong");
        let conf = write(&directory, line);
        let output = run(&["config", "check", "--config", &conf]);
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success() && text.contains(told), "{line}: {text}");
    }
}
