//! `/api/policies` and `/api/operator-policies`.

use serde_json::{Value, json};

use super::{absent, call, refused};
use crate::broker::{Management, TestBroker};

/// A virtual host, and a user in it, that go with the test.
struct Stage {
    api: Management,
    name: String,
}

impl Stage {
    fn new(broker: &TestBroker) -> Self {
        let (api, name) = (broker.http(), broker.name("policies"));
        api.create_vhost(&name);
        Self { api, name }
    }

    /// The path of a policy here.
    fn path(&self, policy: &str) -> String {
        format!("/api/policies/{}/{policy}", self.name)
    }

    fn operator_path(&self, policy: &str) -> String {
        format!("/api/operator-policies/{}/{policy}", self.name)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.api.delete_quietly(&format!("/api/vhosts/{}", self.name));
        self.api.delete_quietly(&format!("/api/users/{}", self.name));
    }
}

fn limit(length: u64) -> Value {
    json!({ "pattern": "^a", "definition": { "max-length": length } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_is_put_listed_and_deleted() {
    let broker = TestBroker::with_http().await;
    let stage = Stage::new(&broker);
    let api = &stage.api;
    for path in [stage.path("p"), stage.operator_path("p")] {
        let lists = [path.trim_end_matches("/p").to_owned(), path.split('/').take(3).collect::<Vec<_>>().join("/")];
        assert_eq!(call(api, "PUT", &path, &limit(1)), (201, Value::Null));
        let full =
            json!({ "pattern": "x", "definition": { "max-length": 2 }, "priority": -3, "apply-to": "quorum_queues" });
        let expected = json!({ "vhost": stage.name, "name": "p", "pattern": "^a", "apply-to": "all",
            "definition": { "max-length": 1 }, "priority": 0 });
        assert_eq!(api.get(&path), expected);
        assert_eq!(call(api, "PUT", &path, &full), (204, Value::Null));
        let found = api.get(&path);
        assert_eq!(
            (&found["priority"], &found["apply-to"], &found["pattern"]),
            (&json!(-3), &json!("quorum_queues"), &json!("x"))
        );
        for list in &lists {
            let listed = api.get(list);
            assert!(listed.as_array().unwrap().contains(&found), "{list}: {listed}");
        }
        assert_eq!(api.request("DELETE", &path, None), (204, Value::Null));
        assert_eq!(api.request("DELETE", &path, None), absent());
        assert_eq!(api.request("GET", &path, None), absent());
        assert_eq!(api.get(&lists[0]), json!([]));
        assert_eq!(api.request("POST", &path, Some(&limit(1))).0, 405);
    }
    assert_eq!(api.request("GET", "/api/policies/no-such", None), absent());
    assert_eq!(api.request("GET", "/api/policies/no-such/p", None), absent());
    assert_eq!(api.request("DELETE", "/api/policies/no-such/p", None), absent());
    let missing = refused(404, "not_found", "vhost_not_found");
    assert_eq!(call(api, "PUT", "/api/policies/no-such/p", &limit(1)), missing);
}

/// What RabbitMQ says of a request that is wrong in one way or in several.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_sense_is_refused() {
    let broker = TestBroker::with_http().await;
    let stage = Stage::new(&broker);
    let (api, path) = (&stage.api, stage.path("p"));
    let with = |key: &str, value: Value| {
        let mut body = limit(1);
        body[key] = value;
        body
    };
    let apply_to = "apply-to 'zz' unrecognised; should be one of: 'queues', 'classic_queues',  'quorum_queues', 'streams', \
                    'exchanges', or 'all'";
    for (body, text) in [
        (with("priority", json!("3")), "priority should be a number, actually was <<\"3\">>"),
        (with("priority", Value::Null), "priority should be a number, actually was null"),
        (with("apply-to", json!("zz")), apply_to),
        (with("pattern", json!(5)), "pattern should be a binary but was 5"),
        (with("definition", json!({})), "no policy provided"),
        (with("definition", json!({ "max-length": "5" })), "<<\"5\">> is not a valid maximum length"),
        (with("definition", json!({ "max-length": -1, "expires": 0 })), "0 is not a valid queue expiry"),
        (
            with("definition", json!({ "bogus": { "a": 1 } })),
            "[{<<\"bogus\">>,#{<<\"a\">> => 1}}] are not recognised policy settings",
        ),
        (
            with("definition", json!({ "delayed-retry-type": "all" })),
            "delayed-retry-min is required when delayed-retry-type is all",
        ),
    ] {
        let expected = refused(400, "bad_request", &format!("Validation failed\n\n{text}\n"));
        assert_eq!(call(api, "PUT", &path, &body), expected, "{body}");
    }
    for (body, text) in [
        (json!({ "definition": {} }), "[{key_missing,pattern}]"),
        (json!({}), "[{key_missing,pattern},{key_missing,definition}]"),
        (json!([]), "not_json"),
    ] {
        assert_eq!(call(api, "PUT", &path, &body), refused(400, "bad_request", text), "{body}");
    }
    let text = "Validation failed\n\n[{<<\"dead-letter-exchange\">>,<<\"x\">>}] are not recognised policy settings\n";
    let body = with("definition", json!({ "dead-letter-exchange": "x" }));
    assert_eq!(call(api, "PUT", &stage.operator_path("p"), &body), refused(400, "bad_request", text));
    assert_eq!(call(api, "PUT", &path, &with("priority", json!(1.5))), (201, Value::Null));
    let (_, bad_pattern) = call(api, "PUT", &path, &with("pattern", json!("(")));
    let reason = bad_pattern["reason"].as_str().unwrap();
    let start = "Validation failed\n\npattern should be regular expression but is invalid: ";
    assert!(reason.starts_with(start), "{reason}");
}

/// Policies are for policymakers in their virtual hosts, operator policies for administrators. All see the lists of where they may be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_and_permissions_decide() {
    let broker = TestBroker::with_http().await;
    let stage = Stage::new(&broker);
    let (api, user) = (&stage.api, &stage.name);
    let (policy, operator) = (stage.path("p"), stage.operator_path("p"));
    let lists = [policy.trim_end_matches("/p"), operator.trim_end_matches("/p")];
    let not_allowed = |reason| refused(401, "not_authorised", reason);
    let (object, adm) = (not_allowed("User not authorised to access object"), not_allowed("Not administrator user"));
    for tag in ["management", "policymaker", "monitoring", "administrator"] {
        api.create_user(user, "secret", tag);
        let own = api.clone().log_in(user, "secret");
        let statuses = |path: &str| {
            [("GET", None), ("PUT", Some(limit(1))), ("DELETE", None)]
                .map(|(verb, body)| own.request(verb, path, body.as_ref()))
        };
        for permitted in [false, true] {
            if permitted {
                api.permit(user, &stage.name, "", "", "");
            } else {
                api.delete_quietly(&format!("/api/permissions/{}/{user}", stage.name));
            }
            api.put(&policy, &limit(1));
            api.put(&operator, &limit(1));
            let enters = permitted || tag == "administrator";
            for list in lists {
                assert_eq!(own.request("GET", list, None).0, if enters { 200 } else { 404 }, "{tag} {permitted}");
            }
            let sees_it =
                own.get("/api/policies").as_array().unwrap().iter().any(|policy| policy["vhost"] == json!(user));
            assert_eq!(sees_it, enters, "{tag} {permitted}");
            let (of_policy, of_operator) = (statuses(&policy), statuses(&operator));
            let codes = |answers: &[(u16, Value); 3]| [answers[0].0, answers[1].0, answers[2].0];
            match tag {
                "policymaker" | "administrator" if enters => assert_eq!(codes(&of_policy), [200, 204, 204], "{tag}"),
                "policymaker" => assert_eq!(codes(&of_policy), [404, 404, 404]),
                _ => assert!(of_policy.iter().all(|answer| *answer == object), "{tag}: {of_policy:?}"),
            }
            if tag == "administrator" {
                assert_eq!(codes(&of_operator), [200, 204, 204]);
            } else {
                assert!(of_operator.iter().all(|answer| *answer == adm), "{tag}: {of_operator:?}");
            }
        }
    }
}

/// The keys `policy`, `operator_policy` and `effective_policy_definition`: merged, and null or absent where there is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_and_exchanges_tell_which_policies_hold() {
    let broker = TestBroker::with_http().await;
    let stage = Stage::new(&broker);
    let api = &stage.api;
    let queues = format!("/api/queues/{}", stage.name);
    api.put(&format!("{queues}/abc"), &json!({ "durable": true }));
    let shown = || {
        let list = api.get(&format!("{queues}?disable_stats=true"));
        let queue = &list[0];
        ["policy", "operator_policy", "effective_policy_definition"].map(|key| queue[key].clone())
    };
    assert_eq!(shown(), [Value::Null, Value::Null, json!({})]);
    let put = |path: String, priority: i64, definition: Value| {
        api.put(&path, &json!({ "pattern": "^a", "priority": priority, "definition": definition }));
    };
    put(stage.path("low"), 1, json!({ "max-length": 9, "expires": 100_000 }));
    put(stage.path("high"), 2, json!({ "max-length": 5, "overflow": "drop-head" }));
    put(stage.path("also-high"), 2, json!({ "max-length": 6, "overflow": "drop-head" }));
    // Not for classic queues, whatever else it says.
    put(stage.path("other"), 3, json!({ "max-length": 4, "delivery-limit": 3 }));
    put(stage.operator_path("o"), 0, json!({ "max-length": 7, "message-ttl": 50_000, "overflow": "reject-publish" }));
    let merged = json!({ "max-length": 6, "message-ttl": 50_000, "overflow": "reject-publish" });
    assert_eq!(shown(), [json!("also-high"), json!("o"), merged]);
    let exchange = || {
        let found = api.get(&format!("/api/exchanges/{}?disable_stats=true", stage.name));
        found
            .as_array()
            .unwrap()
            .iter()
            .find(|exchange| exchange["name"] == "amq.topic")
            .unwrap()
            .get("policy")
            .cloned()
    };
    assert_eq!(exchange(), Some(json!("other")));
    for name in ["low", "high", "also-high", "other"] {
        assert_eq!(api.request("DELETE", &stage.path(name), None).0, 204);
    }
    assert_eq!((shown()[0].clone(), exchange()), (Value::Null, None));
    assert_eq!(api.request("DELETE", &stage.operator_path("o"), None).0, 204);
    assert_eq!(shown(), [Value::Null, Value::Null, json!({})]);
    if broker.is_rabbitmq() {
        // Its other lists tell it up to five seconds late.
        return;
    }
    let one = api.get(&format!("{queues}/abc"));
    assert_eq!((one.get("policy"), one.get("operator_policy")), (Some(&Value::Null), Some(&Value::Null)));
    assert_eq!(api.get(&queues)[0].get("policy"), None);
}
