//! Which tag opens which endpoint, as RabbitMQ 4.3.6 answers.

use serde_json::{Value, json};

use crate::broker::{Management, TestBroker};

/// The tags, in the order of the columns.
const TAGS: [&str; 5] = ["", "management", "policymaker", "monitoring", "administrator"];

/// Whom an endpoint is open to: a column for each tag; and what others are told. Who has no tag is told that everywhere.
type Open = ([bool; 5], &'static str);

const EVERYBODY: Open = ([false, true, true, true, true], NO_TAG);
const POLICYMAKER: Open = ([false, false, true, false, true], NO_OBJECT);
const MONITORING: Open = ([false, false, false, true, true], "Not monitor user");
/// It belongs to another user.
const OWN: Open = ([false, false, false, true, true], NO_OBJECT);
const ADMINISTRATOR: Open = ([false, false, false, false, true], "Not administrator user");

const NO_TAG: &str = "Not management user";
const NO_OBJECT: &str = "User not authorised to access object";

/// What is read; V is a virtual host in which the user has all permissions, N the node.
const READ: [(Open, &[&str]); 5] = [
    (
        EVERYBODY,
        &[
            "/overview",
            "/whoami",
            "/cluster-name",
            "/extensions",
            "/connections",
            "/channels",
            "/consumers",
            "/consumers/V",
            "/exchanges",
            "/exchanges/V/amq.topic",
            "/queues",
            "/queues/V/q",
            "/queues/V/q/bindings",
            "/queues/detailed",
            "/bindings",
            "/bindings/V",
            "/vhosts",
            "/vhosts/V/connections",
            "/vhost-limits",
            "/vhost-limits/V",
            "/policies",
            "/policies/V",
            "/operator-policies",
            "/operator-policies/V",
            "/feature-flags",
            "/deprecated-features",
            "/aliveness-test/V",
            "/health/checks/alarms",
            "/health/checks/virtual-hosts",
        ],
    ),
    (POLICYMAKER, &["/parameters", "/parameters/shovel/V", "/global-parameters"]),
    (MONITORING, &["/nodes", "/nodes/N", "/nodes/N/memory", "/auth/attempts/N"]),
    (OWN, &["/user-limits/guest", "/connections/username/guest"]),
    (
        ADMINISTRATOR,
        &[
            "/vhosts/V",
            "/vhosts/V/permissions",
            "/users",
            "/users/guest",
            "/users/guest/permissions",
            "/users/without-permissions",
            "/permissions",
            "/permissions/V/guest",
            "/topic-permissions",
            "/user-limits",
            "/definitions",
            "/definitions/V",
            "/auth/hash_password/x",
        ],
    ),
];

/// What is changed: twice, it is the same as once.
const CHANGED: [(Open, &str, &str, &str); 15] = [
    (ADMINISTRATOR, "PUT", "/vhosts/V-2", "{}"),
    (ADMINISTRATOR, "PUT", "/users/V-u", r#"{"password": "x", "tags": ""}"#),
    (ADMINISTRATOR, "PUT", "/permissions/V/guest", r#"{"configure": ".*", "write": ".*", "read": ".*"}"#),
    (ADMINISTRATOR, "PUT", "/topic-permissions/V/guest", r#"{"exchange": "amq.topic", "write": ".*", "read": ".*"}"#),
    (POLICYMAKER, "PUT", "/policies/V/p", r#"{"pattern": "^x", "definition": {"max-length": 1}}"#),
    (ADMINISTRATOR, "PUT", "/operator-policies/V/p", r#"{"pattern": "^x", "definition": {"max-length": 1}}"#),
    (ADMINISTRATOR, "PUT", "/vhost-limits/V/max-queues", r#"{"value": 100}"#),
    (ADMINISTRATOR, "PUT", "/user-limits/V-u/max-channels", r#"{"value": 100000}"#),
    (POLICYMAKER, "PUT", "/global-parameters/V", r#"{"value": 1}"#),
    (EVERYBODY, "PUT", "/queues/V/q2", "{}"),
    (
        EVERYBODY,
        "POST",
        "/exchanges/V/amq.default/publish",
        r#"{"routing_key": "q", "payload": "x", "payload_encoding": "string", "properties": {}}"#,
    ),
    (EVERYBODY, "POST", "/queues/V/q/get", r#"{"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"}"#),
    (EVERYBODY, "DELETE", "/queues/V/q/contents", ""),
    (ADMINISTRATOR, "POST", "/definitions/V", r#"{"queues": []}"#),
    (ADMINISTRATOR, "POST", "/rebalance/queues", "{}"),
];

/// A virtual host with a queue, and what the calls make.
struct Stage {
    api: Management,
    vhost: String,
    node: String,
}

impl Stage {
    fn set(broker: &TestBroker) -> Self {
        let (api, vhost) = (broker.http(), broker.name("tags"));
        let node = api.get("/api/overview")["node"].as_str().unwrap().to_owned();
        api.create_vhost(&vhost);
        api.put(&format!("/api/queues/{vhost}/q"), &json!({}));
        Self { api, vhost, node }
    }

    fn path(&self, path: &str) -> String {
        let named = |part: &str| match part {
            "N" => self.node.clone(),
            _ if part.starts_with('V') => part.replacen('V', &self.vhost, 1),
            _ => part.to_owned(),
        };
        format!("/api{}", path.split('/').map(named).collect::<Vec<_>>().join("/"))
    }

    /// A user with this tag, who may do everything in the virtual host.
    fn user(&self, tag: &str) -> (String, Management) {
        let name = format!("{}-{tag}", self.vhost);
        self.api.create_user(&name, "p", tag);
        self.api.permit(&name, &self.vhost, ".*", ".*", ".*");
        (name.clone(), self.api.clone().log_in(&name, "p"))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let made = ["/global-parameters/V", "/users/V-u", "/vhosts/V-2", "/vhosts/V"];
        for path in made {
            self.api.delete_quietly(&self.path(path));
        }
        for tag in TAGS {
            self.api.delete_quietly(&format!("/api/users/{}-{tag}", self.vhost));
        }
    }
}

fn expect((status, body): (u16, Value), (open, reason): Open, column: usize, what: &str) {
    if open[column] {
        assert!((200..205).contains(&status), "{what}: {status} {body}");
    } else {
        let reason = if column == 0 { NO_TAG } else { reason };
        assert_eq!((status, body), super::refused(401, "not_authorised", reason), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_open_what_is_read() {
    let broker = TestBroker::with_http().await;
    let stage = Stage::set(&broker);
    for (column, tag) in TAGS.into_iter().enumerate() {
        let (_, own) = stage.user(tag);
        for (open, path) in READ.iter().flat_map(|(open, paths)| paths.iter().map(move |path| (open, path))) {
            let answered = own.request("GET", &stage.path(path), None);
            expect(answered, *open, column, &format!("{tag} {path}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_open_what_is_changed() {
    let broker = TestBroker::with_http().await;
    let stage = Stage::set(&broker);
    for (column, tag) in TAGS.into_iter().enumerate() {
        let (_, own) = stage.user(tag);
        for (open, verb, path, body) in CHANGED {
            let answered = own.send(verb, &stage.path(path), body, &[]);
            expect((answered.status, answered.json()), open, column, &format!("{tag} {verb} {path}"));
        }
    }
}

/// What belongs to oneself is open to any tag.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_sees_what_is_his_own() {
    let broker = TestBroker::with_http().await;
    let stage = Stage::set(&broker);
    let (name, own) = stage.user("management");
    for path in ["connections/username", "user-limits"] {
        assert_eq!(own.get(&format!("/api/{path}/{name}")), Value::Array(Vec::new()), "{path}");
        let of_another = own.request("GET", &format!("/api/{path}/guest"), None);
        assert_eq!(of_another, super::refused(401, "not_authorised", "User not authorised to access object"), "{path}");
    }
}
