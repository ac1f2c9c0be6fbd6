//! `/api/users`, permissions and limits.

use serde_json::{Value, json};

use super::{absent, call, refused};
use crate::broker::TestBroker;

/// A user that goes with the test.
struct Guest(crate::broker::Management, String);

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.delete_quietly(&format!("/api/users/{}", self.1));
    }
}

fn user(broker: &TestBroker, tags: &str) -> (Guest, String) {
    let (api, name) = (broker.http(), broker.name("user"));
    let made = call(&api, "PUT", &format!("/api/users/{name}"), &json!({ "password": "secret", "tags": tags }));
    assert_eq!(made, (201, Value::Null));
    (Guest(api, name.clone()), name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_made_changed_and_deleted() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let (_guest, name) = user(&broker, "management,a");
    let path = format!("/api/users/{name}");
    let found = api.get(&path);
    assert_eq!((&found["tags"], &found["limits"]), (&json!(["management", "a"]), &json!({})));
    assert_eq!(found["hashing_algorithm"], "rabbit_password_hashing_sha256");
    assert_eq!(api.clone().log_in(&name, "secret").get("/api/whoami")["name"], json!(name));
    assert_eq!(call(&api, "PUT", &path, &json!({ "password": "other", "tags": ["monitoring"] })).0, 204);
    assert_eq!(api.clone().log_in(&name, "secret").request("GET", "/api/whoami", None).0, 401);
    assert_eq!(api.clone().log_in(&name, "other").get("/api/whoami")["tags"], json!(["monitoring"]));
    let listed = |list: Value| list.as_array().unwrap().iter().any(|user| user["name"] == json!(name));
    assert!(listed(api.get("/api/users")) && listed(api.get("/api/users/without-permissions")));
    assert_eq!(api.request("DELETE", &path, None).0, 204);
    assert_eq!(api.request("DELETE", &path, None), absent());
    assert_eq!(api.request("GET", &path, None), absent());
}

/// Hashes are RabbitMQ's: a user is moved from one broker to another without its password.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_made_from_a_hash() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let (_guest, name) = user(&broker, "");
    let path = format!("/api/users/{name}");
    let hash = "KZ+HQdWBkV/mlf/qF7DmDRVotGnKuQf+8FVtbDOBIlK/Xsge";
    assert_eq!(call(&api, "PUT", &path, &json!({ "password_hash": hash, "tags": "management" })).0, 204);
    assert_eq!(api.get(&path)["password_hash"], hash);
    assert_eq!(api.clone().log_in(&name, "y").request("GET", "/api/whoami", None).0, 200);
    assert_eq!(call(&api, "PUT", &path, &json!({ "tags": "management" })).0, 204);
    assert_eq!(api.clone().log_in(&name, "").request("GET", "/api/whoami", None).0, 401);
    assert_eq!(call(&api, "PUT", &path, &json!({})), refused(400, "bad_request", "tags_not_present"));
    let bad = json!({ "error": "bad_request", "reason": ["not_base64", "???"] });
    assert_eq!(call(&api, "PUT", &path, &json!({ "password_hash": "???", "tags": "" })), (400, bad));
    assert!(api.get("/api/auth/hash_password/secret")["ok"].is_string());
    let unwanted = json!({ "users": [name, "no-such-user"] });
    assert_eq!(call(&api, "POST", "/api/users/bulk-delete", &unwanted).0, 204);
    assert_eq!(api.request("GET", &path, None), absent());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permissions_are_given_and_taken() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let (_guest, name) = user(&broker, "management");
    let path = format!("/api/permissions/%2F/{name}");
    let own = api.clone().log_in(&name, "secret");
    let hidden = refused(404, "not_found", "Not Found");
    assert_eq!(own.request("GET", "/api/queues/%2F", None), hidden);
    let permission = json!({ "configure": "^mine", "write": "", "read": ".*" });
    assert_eq!(call(&api, "PUT", &path, &permission).0, 201);
    assert_eq!(call(&api, "PUT", &path, &permission).0, 204);
    let expected = json!({ "user": name, "vhost": "/", "configure": "^mine", "write": "", "read": ".*" });
    assert_eq!(api.get(&path), expected);
    assert_eq!(api.get(&format!("/api/users/{name}/permissions")), json!([expected]));
    assert!(api.get("/api/vhosts/%2F/permissions").as_array().unwrap().contains(&expected));
    assert_eq!(own.request("GET", "/api/queues/%2F", None).0, 200);
    let not_mine = broker.name("q");
    let denied = refused(401, "not_authorised", "Access refused.");
    assert_eq!(call(&own, "PUT", &format!("/api/queues/%2F/{not_mine}"), &json!({})), denied);
    let missing = refused(400, "bad_request", "[{key_missing,read}]");
    assert_eq!(call(&api, "PUT", &path, &json!({ "configure": "", "write": "" })), missing);
    let nobody = refused(400, "bad_request", "vhost_or_user_not_found");
    assert_eq!(call(&api, "PUT", "/api/permissions/%2F/no-such", &permission), nobody);
    assert_eq!(call(&api, "PUT", &format!("/api/permissions/no-such/{name}"), &json!({})), nobody);
    assert_eq!(api.request("DELETE", &path, None).0, 204);
    assert_eq!(api.request("DELETE", &path, None), absent());
    assert_eq!(own.request("GET", "/api/queues/%2F", None), hidden);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topic_permissions_are_given_and_taken() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let (_guest, name) = user(&broker, "");
    let path = format!("/api/topic-permissions/%2F/{name}");
    let permission = json!({ "exchange": "amq.topic", "write": "^a", "read": "^b" });
    assert_eq!(call(&api, "PUT", &path, &permission).0, 201);
    let expected = json!([{ "user": name, "vhost": "/", "exchange": "amq.topic", "write": "^a", "read": "^b" }]);
    assert_eq!(api.get(&path), expected);
    assert_eq!(api.get(&format!("{path}/amq.topic")), expected);
    assert_eq!(api.get(&format!("/api/users/{name}/topic-permissions")), expected);
    let unknown = json!({ "error": "bad_request", "reason": ["no_such_exchange", "no-such"] });
    let other = json!({ "exchange": "no-such", "write": "", "read": "" });
    assert_eq!(call(&api, "PUT", &path, &other), (400, unknown));
    assert_eq!(api.request("DELETE", &path, None).0, 204);
    assert_eq!(api.request("DELETE", &path, None), absent());
    assert_eq!(api.request("GET", &path, None), absent());
}

/// Each row: what a user with this tag alone gets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_decide_what_one_sees() {
    let broker = TestBroker::with_http().await;
    let denied = |reason| Some(refused(401, "not_authorised", reason));
    for (tag, users, nodes) in [
        ("management", denied("Not administrator user"), denied("Not monitor user")),
        ("policymaker", denied("Not administrator user"), denied("Not monitor user")),
        ("monitoring", denied("Not administrator user"), None),
        ("administrator", None, None),
    ] {
        let (_guest, name) = user(&broker, tag);
        let own = broker.http().log_in(&name, "secret");
        assert_eq!(own.request("GET", "/api/overview", None).0, 200, "{tag}");
        for (path, expected) in [("/api/users", &users), ("/api/nodes", &nodes)] {
            let got = own.request("GET", path, None);
            match expected {
                Some(refused) => assert_eq!(&got, refused, "{tag} {path}"),
                None => assert_eq!(got.0, 200, "{tag} {path}"),
            }
        }
    }
    let (_guest, name) = user(&broker, "");
    let own = broker.http().log_in(&name, "secret");
    assert_eq!(own.request("GET", "/api/overview", None), refused(401, "not_authorised", "Not management user"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_are_put_one_by_one() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let (_guest, name) = user(&broker, "");
    let path = format!("/api/user-limits/{name}");
    assert_eq!(call(&api, "PUT", &format!("{path}/max-channels"), &json!({ "value": 5 })).0, 204);
    assert_eq!(api.get(&path), json!([{ "user": name, "value": { "max-channels": 5 } }]));
    let text = "max-channels should be a number, actually was <<\"x\">>";
    let wrong = call(&api, "PUT", &format!("{path}/max-channels"), &json!({ "value": "x" }));
    assert_eq!(wrong, refused(400, "bad_request", text));
    assert_eq!(api.request("DELETE", &format!("{path}/max-channels"), None).0, 204);
    assert_eq!(api.get(&path), json!([]));
    assert_eq!(api.request("GET", "/api/user-limits/no-such", None), absent());
}
