//! `/api/definitions`, `/api/parameters` and `/api/global-parameters`.

use serde_json::{Value, json};

use super::{absent, call, refused};
use crate::broker::{Management, TestBroker};

/// What goes with the test: a path that is deleted.
struct Guest(Management, String);

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.delete_quietly(&self.1);
    }
}

fn vhost(broker: &TestBroker) -> (Guest, String) {
    let (api, name) = (broker.http(), broker.name("vhost"));
    let path = format!("/api/vhosts/{name}");
    assert_eq!(call(&api, "PUT", &path, &json!({ "description": "d", "tags": "a,b" })).0, 201);
    (Guest(api, path), name)
}

/// A queue, an exchange, bindings, a limit.
fn fill(api: &Management, vhost: &str) {
    for (verb, path, body) in [
        ("PUT", format!("/api/queues/{vhost}/q"), json!({ "durable": true, "arguments": { "x-max-length": 5 } })),
        ("PUT", format!("/api/exchanges/{vhost}/x"), json!({ "type": "topic", "durable": true })),
        ("PUT", format!("/api/exchanges/{vhost}/y"), json!({ "type": "fanout", "auto_delete": true })),
        ("POST", format!("/api/bindings/{vhost}/e/x/q/q"), json!({ "routing_key": "k", "arguments": { "a": 1 } })),
        ("POST", format!("/api/bindings/{vhost}/e/x/e/y"), json!({})),
        ("PUT", format!("/api/vhost-limits/{vhost}/max-queues"), json!({ "value": 9 })),
    ] {
        let status = call(api, verb, &path, &body).0;
        assert!((200..300).contains(&status), "{verb} {path}: {status}");
    }
}

/// A file without the keys that say where and when it was written, its lists in one order.
fn essence(mut file: Value) -> Value {
    let told = ["rabbit_version", "rabbitmq_version", "product_name", "product_version", "original_cluster_name"];
    let fields = file.as_object_mut().unwrap();
    for key in told.into_iter().chain(["explanation", "original_vhost_name"]) {
        assert_eq!(fields.remove(key).is_some(), key != "original_cluster_name", "{key}");
    }
    for list in fields.values_mut().filter_map(Value::as_array_mut) {
        list.sort_by_key(Value::to_string);
    }
    file
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_virtual_host_is_exported_without_its_name() {
    let broker = TestBroker::with_http().await;
    let (api, (_guest, name)) = (broker.http(), vhost(&broker));
    fill(&api, &name);
    let file = api.get(&format!("/api/definitions/{name}"));
    assert_eq!((&file["original_vhost_name"], &file["rabbitmq_version"]), (&json!(name), &file["product_version"]));
    assert_eq!(file["explanation"], json!(format!("Definitions of virtual host '{name}'")));
    let expected = json!({
        "rabbitmq_definition_format": "single_virtual_host",
        "description": "d",
        "metadata": { "description": "d", "tags": ["a", "b"], "default_queue_type": "classic" },
        "limits": { "max-queues": 9 },
        "parameters": [{ "component": "vhost-limits", "name": "limits", "value": { "max-queues": 9 } }],
        "policies": [],
        "queues": [{
            "name": "q", "type": "classic", "durable": true, "auto_delete": false,
            "arguments": { "x-max-length": 5, "x-queue-type": "classic" },
        }],
        "exchanges": [
            { "name": "x", "type": "topic", "durable": true, "auto_delete": false, "arguments": {} },
            { "name": "y", "type": "fanout", "durable": false, "auto_delete": true, "arguments": {} },
        ],
        "bindings": [
            { "source": "x", "destination": "q", "destination_type": "queue", "routing_key": "k", "arguments": { "a": 1 } },
            { "source": "x", "destination": "y", "destination_type": "exchange", "routing_key": "", "arguments": {} },
        ],
    });
    let sorted = |mut file: Value| {
        file.as_object_mut().unwrap().values_mut().filter_map(Value::as_array_mut).for_each(|list| {
            list.sort_by_key(Value::to_string);
        });
        file
    };
    assert_eq!(essence(file), sorted(expected));
    let unknown = refused(400, "bad_request", "vhost_not_found");
    assert_eq!(api.request("GET", "/api/definitions/no-such", None), unknown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_exported_under_both_paths() {
    let broker = TestBroker::with_http().await;
    let (api, (_guest, name)) = (broker.http(), vhost(&broker));
    fill(&api, &name);
    for path in ["/api/definitions?download=all.json", "/api/all-configuration?download=all.json"] {
        let answered = api.send("GET", path, "", &[]);
        assert_eq!(answered.header("content-disposition"), "attachment; filename=all.json");
        let file = answered.json();
        let cluster = api.get("/api/cluster-name")["name"].clone();
        assert_eq!(
            (&file["rabbitmq_definition_format"], &file["original_cluster_name"]),
            (&json!("cluster"), &cluster)
        );
        let of_test = |key: &str| {
            let mut list = file[key].as_array().unwrap_or_else(|| panic!("{key}: {file}")).clone();
            list.retain(|thing| thing["vhost"] == json!(name) || thing["name"] == json!(name));
            list
        };
        let metadata = json!({ "description": "d", "tags": ["a", "b"], "default_queue_type": "classic" });
        let limits = json!({ "max-queues": 9 });
        assert_eq!(of_test("vhosts"), [json!({ "name": name, "metadata": metadata, "limits": limits })]);
        let permission = json!({ "user": "guest", "vhost": name, "configure": ".*", "write": ".*", "read": ".*" });
        assert_eq!(of_test("permissions"), [permission]);
        let parameter = json!({ "component": "vhost-limits", "name": "limits", "vhost": name, "value": limits });
        assert_eq!(of_test("parameters"), [parameter]);
        let counts = ["queues", "exchanges", "bindings", "policies", "topic_permissions"].map(|key| of_test(key).len());
        assert_eq!(counts, [1, 2, 2, 0, 0]);
        let users = file["users"].as_array().unwrap();
        let guest = users.iter().find(|user| user["name"] == json!("guest")).unwrap();
        assert_eq!(guest["hashing_algorithm"], "rabbit_password_hashing_sha256");
        assert!(guest["password_hash"].is_string() && guest["tags"].is_array() && guest["limits"].is_object());
    }
}

/// reference: 10, limits
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_queues_than_a_virtual_host_may_have_are_refused_before_anything_is_done() {
    let broker = TestBroker::with_http().await;
    let (api, (_guest, name)) = (broker.http(), vhost(&broker));
    api.put(&format!("/api/queues/{name}/q0"), &json!({}));
    api.put(&format!("/api/vhost-limits/{name}/max-queues"), &json!({ "value": 2 }));
    let queues = |names: &[&str]| {
        let queue = |queue: &&str| json!({ "vhost": name, "name": queue, "durable": true, "auto_delete": false, "arguments": {} });
        json!({ "queues": names.iter().map(queue).collect::<Vec<_>>() })
    };
    // One that is there already is not added.
    let answer = call(&api, "POST", "/api/definitions", &queues(&["q0", "q1", "q2"]));
    let reason = format!(
        "Adding 2 queue(s) to virtual host \"{name}\" would exceed the limit of 2 queue(s).\n\nThis virtual host currently has 1 \
         queue(s) defined.\n\nImport aborted!"
    );
    assert_eq!(answer, (400, json!({ "error": "bad_request", "reason": reason })));
    assert_eq!(api.get(&format!("/api/queues/{name}?columns=name")), json!([{ "name": "q0" }]));
    assert_eq!(call(&api, "POST", "/api/definitions", &queues(&["q0", "q1"])).0, 204);
    if broker.is_rabbitmq() {
        // There some come in, and others do not.
        return;
    }
    let mut file = queues(&["q2"]);
    file["parameters"] =
        json!([{ "vhost": name, "component": "vhost-limits", "name": "limits", "value": { "max-queues": 3 } }]);
    assert_eq!(call(&api, "POST", "/api/definitions", &file).0, 204, "a limit that the same file brings counts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_a_virtual_host_are_a_parameter() {
    let broker = TestBroker::with_http().await;
    let (api, (_guest, name)) = (broker.http(), vhost(&broker));
    let path = format!("/api/parameters/vhost-limits/{name}/limits");
    assert_eq!(api.request("GET", &path, None), absent());
    assert_eq!(call(&api, "PUT", &path, &json!({ "value": { "max-queues": 3 } })), (201, Value::Null));
    assert_eq!(call(&api, "PUT", &path, &json!({ "value": { "max-queues": 4 } })), (204, Value::Null));
    let found = json!({ "component": "vhost-limits", "vhost": name, "name": "limits", "value": { "max-queues": 4 } });
    assert_eq!(api.get(&path), found);
    assert_eq!(api.get(&format!("/api/parameters/vhost-limits/{name}")), json!([found]));
    assert_eq!(api.get("/api/parameters/zzz"), json!([]));
    let zzz = format!("/api/parameters/zzz/{name}/n");
    let unknown = refused(400, "bad_request", "Validation failed\n\ncomponent zzz not found\n");
    assert_eq!(call(&api, "PUT", &zzz, &json!({ "value": 1 })), unknown);
    let policy = refused(400, "bad_request", "policies may not be set using this method");
    assert_eq!(call(&api, "PUT", &format!("/api/parameters/policy/{name}/n"), &json!({ "value": 1 })), policy);
    let missing = refused(400, "bad_request", "[{key_missing,value}]");
    assert_eq!(call(&api, "PUT", &path, &json!({})), missing);
    assert_eq!(api.request("GET", "/api/parameters/vhost-limits/no-such", None), absent());
    assert_eq!(api.request("DELETE", &path, None).0, 204);
    assert_eq!(api.request("DELETE", &path, None), absent());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn global_parameters_are_put_and_deleted() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("parameter"));
    let path = format!("/api/global-parameters/{name}");
    let _guest = Guest(api.clone(), path.clone());
    assert_eq!(call(&api, "PUT", &path, &json!({ "value": { "a": [1] } })), (201, Value::Null));
    assert_eq!(call(&api, "PUT", &path, &json!({ "value": { "a": [2] } })), (204, Value::Null));
    let found = json!({ "name": name, "value": { "a": [2] } });
    assert_eq!(api.get(&path), found);
    assert!(api.get("/api/global-parameters").as_array().unwrap().contains(&found));
    assert_eq!(call(&api, "PUT", &path, &json!({})), refused(400, "bad_request", "[{key_missing,value}]"));
    assert_eq!(api.request("DELETE", &path, None).0, 204);
    assert_eq!(api.request("DELETE", &path, None), absent());
}

/// Each row: a tag, and what it gets from parameters and from definitions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_decide_who_may_see_definitions() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("user"));
    let path = format!("/api/users/{name}");
    let _guest = Guest(api.clone(), path.clone());
    let object = refused(401, "not_authorised", "User not authorised to access object");
    let administrator = refused(401, "not_authorised", "Not administrator user");
    for (tag, parameters) in [("management", Some(&object)), ("monitoring", Some(&object)), ("policymaker", None)] {
        call(&api, "PUT", &path, &json!({ "password": "secret", "tags": tag }));
        let own = api.clone().log_in(&name, "secret");
        for path in ["/api/parameters", "/api/global-parameters"] {
            let got = own.request("GET", path, None);
            assert!(parameters.map_or(got.0 == 200, |refused| got == *refused), "{tag} {path}: {got:?}");
        }
        for path in ["/api/definitions", "/api/definitions/%2F"] {
            assert_eq!(own.request("GET", path, None), administrator, "{tag} {path}");
        }
    }
}

/// What is in one virtual host goes into another one, and comes back the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_virtual_host_is_imported_as_it_was_exported() {
    let broker = TestBroker::with_http().await;
    let (api, (_one, from), (_other, into)) = (broker.http(), vhost(&broker), vhost(&broker));
    fill(&api, &from);
    let file = api.get(&format!("/api/definitions/{from}"));
    let path = format!("/api/definitions/{into}");
    for _ in 0..2 {
        assert_eq!(call(&api, "POST", &path, &file), (204, Value::Null));
        assert_eq!(essence(api.get(&path))["queues"], essence(file.clone())["queues"]);
    }
    let mut back = essence(api.get(&path));
    back["limits"] = json!({ "max-queues": 9 });
    assert_eq!(back, essence(file));
    assert_eq!(
        call(&api, "POST", "/api/definitions/no-such", &json!({})),
        refused(404, "not_found", "vhost_not_found")
    );
}

/// An own vhost key is passed over, unknown keys are, and so is what every virtual host has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_out_has_a_default() {
    let broker = TestBroker::with_http().await;
    let (api, (_guest, name)) = (broker.http(), vhost(&broker));
    let path = format!("/api/definitions/{name}");
    let file = json!({
        "$schema": "x",
        "queues": [{ "name": "q", "vhost": "no-such", "durable": true, "auto_delete": false, "arguments": {}, "zzz": 1 },
                   { "name": "amq.mine", "durable": true, "auto_delete": false, "arguments": {} }],
        "exchanges": [{ "name": "", "type": "direct", "durable": true, "auto_delete": false, "internal": false, "arguments": {} },
                      { "name": "amq.mine", "type": "direct", "durable": true, "auto_delete": false, "internal": false, "arguments": {} }],
        "bindings": [{ "source": "", "destination": "q", "destination_type": "queue", "routing_key": "q", "arguments": {} },
                     { "source": "amq.topic", "destination": "q", "destination_type": "queue", "routing_key": "a", "arguments": {} }],
    });
    assert_eq!(call(&api, "POST", &path, &file), (204, Value::Null));
    let found = api.get(&path);
    let queue = json!({
        "name": "q", "type": "classic", "durable": true, "auto_delete": false, "arguments": { "x-queue-type": "classic" },
    });
    assert_eq!((&found["queues"], &found["exchanges"]), (&json!([queue]), &json!([])));
    let topic = json!({ "source": "amq.topic", "destination": "q", "destination_type": "queue", "routing_key": "a", "arguments": {} });
    // RabbitMQ keeps the other one, which changes nothing.
    let mut bindings = found["bindings"].as_array().unwrap().clone();
    bindings.retain(|binding| binding["source"] != json!(""));
    assert_eq!(bindings, [topic]);
    let other = json!({ "queues": [{ "name": "q", "durable": true, "auto_delete": true, "arguments": { "x-max-length": 1 } }] });
    assert_eq!(call(&api, "POST", &path, &other).0, 204, "what is there stays");
    assert_eq!(api.get(&path)["queues"], json!([queue]));
}

/// Each row: a file for one virtual host, and why it is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_imported_is_refused_with_rabbitmqs_text() {
    let broker = TestBroker::with_http().await;
    let (api, (_guest, name)) = (broker.http(), vhost(&broker));
    let path = format!("/api/definitions/{name}");
    let binding = json!({ "source": "amq.topic", "destination": "no", "destination_type": "queue", "routing_key": "", "arguments": {} });
    let policy = json!({ "name": "bad", "pattern": "a", "definition": { "zzz": 7 }, "apply-to": "all", "priority": 0 });
    let (open, close) = ("{resources_missing,[{not_found,{resource,", ",queue,<<\"no\">>}}]}");
    let unknown = "Validation failed\n\n[{<<\"zzz\">>,7}] are not recognised policy settings\n";
    for (section, entry, reason) in [
        (
            "exchanges",
            json!({ "name": "z", "type": "nope" }),
            "precondition_failed: unknown exchange type 'nope'".to_owned(),
        ),
        ("bindings", binding, format!("{open}<<\"{name}\">>{close}")),
        ("policies", policy, format!("{unknown} (vhost: \"{name}\" key: \"bad\")")),
    ] {
        let queue = json!({ "name": "before", "durable": true, "auto_delete": false, "arguments": {} });
        let file = json!({ "queues": [queue], section: [entry] });
        let (status, mut answer) = call(&api, "POST", &path, &file);
        // Erlang breaks a long term into lines.
        let text = answer["reason"].as_str().unwrap_or_default().replace(",\n    ", ",");
        answer["reason"] = json!(text);
        assert_eq!((status, answer), refused(400, "bad_request", &reason), "{section}");
        if !broker.is_rabbitmq() {
            assert_eq!(api.get(&path)["queues"], json!([]), "all or nothing: {section}");
        }
    }
}

/// A virtual host, a user and everything in between, in one file, with names of the test's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_file_brings_users_and_virtual_hosts() {
    let broker = TestBroker::with_http().await;
    let (api, vhost, user) = (broker.http(), broker.name("vhost"), broker.name("user"));
    let guests = [format!("/api/vhosts/{vhost}"), format!("/api/users/{user}")];
    let _guests = guests.map(|path| Guest(api.clone(), path));
    let topic = json!({ "user": user, "vhost": vhost, "exchange": "x", "write": "^a", "read": ".*" });
    let permission = json!({ "user": user, "vhost": vhost, "configure": "", "write": "^x$", "read": ".*" });
    let queue = json!({ "name": "q", "vhost": vhost, "durable": true, "auto_delete": false, "arguments": { "x-queue-type": "quorum" } });
    let exchange = json!({ "name": "x", "vhost": vhost, "type": "topic", "durable": true, "auto_delete": false, "internal": false, "arguments": {} });
    let binding = json!({ "source": "x", "vhost": vhost, "destination": "q", "destination_type": "queue", "routing_key": "a", "arguments": {} });
    let policy = json!({ "vhost": vhost, "name": "p", "pattern": "^q", "apply-to": "queues", "definition": { "max-length": 3 }, "priority": 2 });
    let metadata = json!({ "description": "d", "tags": ["t"], "default_queue_type": "quorum" });
    let file = json!({
        "rabbit_version": "3.12.0",
        "users": [{ "name": user, "password": "secret", "tags": "management,a", "limits": { "max-channels": 7 } }],
        "vhosts": [{ "name": vhost, "metadata": metadata, "limits": {} }],
        "permissions": [permission],
        "topic_permissions": [topic],
        "parameters": [{ "component": "vhost-limits", "vhost": vhost, "name": "limits", "value": { "max-queues": 4 } }],
        "policies": [policy],
        "queues": [queue],
        "exchanges": [exchange],
        "bindings": [binding],
    });
    for path in ["/api/definitions", "/api/all-configuration"] {
        assert_eq!(call(&api, "POST", path, &file), (204, Value::Null));
    }
    assert_eq!(api.clone().log_in(&user, "secret").get("/api/whoami")["tags"], json!(["management", "a"]));
    let found = api.get("/api/definitions");
    let of_test = |key: &str| {
        let mut list = found[key].as_array().unwrap().clone();
        list.retain(|thing| thing["vhost"] == json!(vhost) || thing["name"] == json!(vhost));
        // RabbitMQ gives permissions to whoever imports a virtual host, too.
        list.retain(|thing| thing["user"] != json!("guest"));
        list
    };
    for (key, expected) in
        [("permissions", permission), ("topic_permissions", topic), ("policies", policy), ("bindings", binding)]
    {
        assert_eq!(of_test(key), [expected], "{key}");
    }
    assert_eq!(of_test("vhosts"), [json!({ "name": vhost, "metadata": metadata, "limits": { "max-queues": 4 } })]);
    assert_eq!(of_test("queues")[0]["type"], "quorum");
    let limits = json!([{ "user": user, "value": { "max-channels": 7 } }]);
    assert_eq!(api.get(&format!("/api/user-limits/{user}")), limits);
}

/// Each row: a whole file, and why it is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_about_nobody_is_refused() {
    let broker = TestBroker::with_http().await;
    let (api, (_guest, name)) = (broker.http(), vhost(&broker));
    let permission = |user: &str, vhost: &str| json!({ "permissions": [{ "user": user, "vhost": vhost, "configure": "", "write": "", "read": "" }] });
    let nowhere = "Please create virtual host \"no-such\" prior to importing definitions.";
    let queue = json!({ "name": "a", "vhost": "no-such", "durable": true, "auto_delete": false, "arguments": {} });
    for (file, reason) in [
        (permission("no-such", &name), "{no_such_user,<<\"no-such\">>}"),
        (permission("guest", "no-such"), nowhere),
        (json!({ "queues": [queue] }), nowhere),
    ] {
        assert_eq!(call(&api, "POST", "/api/definitions", &file), refused(400, "bad_request", reason));
    }
    for body in ["{", "[]"] {
        let answered = api.send("POST", "/api/definitions", body, &[]);
        let (status, answer) = (answered.status, answered.json());
        let reason = answer["reason"].as_str().unwrap_or_default();
        assert!(status == 400 && reason.starts_with("failed_to_parse_json"), "{body:?}: {status} {answer}");
    }
    assert_eq!(api.send("POST", "/api/definitions", "", &[]).status, 204);
}

/// What RabbitMQ 4 refuses or drops, and files of RabbitMQ 3 have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_rabbitmq_3_are_understood() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let api = broker.http();
    let hash = "KZ+HQdWBkV/mlf/qF7DmDRVotGnKuQf+8FVtbDOBIlK/Xsge";
    let file = json!({
        "rabbit_version": "3.8.9",
        "users": [{ "name": "old", "password_hash": hash, "tags": "management", "limits": [] }],
        "vhosts": [{ "name": "old", "limits": [], "default_queue_type": "undefined" }],
        "parameters": [{ "vhost": "old", "component": "zzz", "name": "n", "value": null }],
        "policies": [{ "vhost": "old", "name": "ha", "pattern": ".*", "definition": { "ha-mode": "all" } }],
        "queues": [{ "name": "typed", "vhost": "old", "type": "quorum", "arguments": [] }, { "name": "nowhere" }],
    });
    assert_eq!(call(&api, "POST", "/api/definitions", &file), (204, Value::Null));
    let found = api.get("/api/definitions/old");
    assert_eq!(found["queues"][0]["arguments"], json!({ "x-queue-type": "quorum" }));
    assert_eq!(found["policies"][0]["definition"], json!({ "ha-mode": "all" }));
    assert_eq!(found["parameters"], json!([{ "component": "zzz", "name": "n", "value": null }]));
    assert_eq!(api.get("/api/queues/%2F/nowhere")["durable"], true);
    assert_eq!(api.clone().log_in("old", "y").get("/api/whoami")["tags"], json!(["management"]));
    let stream = json!({ "users": [{ "name": "new" }], "queues": [{ "name": "s", "type": "stream" }] });
    let (status, answer) = call(&api, "POST", "/api/definitions", &stream);
    assert_eq!(status, 400, "{answer}");
    assert_eq!(api.request("GET", "/api/users/new", None), absent(), "all or nothing");
}
