//! What an administrator defines outlives the broker: calls into a broker that runs in this process.

use std::path::{Path, PathBuf};

use leveret::Broker;
use leveret::internals::auth::{HashingAlgorithm, PasswordHash};
use leveret::internals::broker::administration::{Put, VhostSettings};
use leveret::internals::broker::definitions::{
    ApplyTo, GlobalParameterDefinition, ParameterDefinition, PermissionDefinition, PolicyDefinition,
    TopicPermissionDefinition,
};
use leveret::internals::broker::queue::arguments::QueueKind;
use serde_json::json;

use crate::broker::unique;
use crate::client::{Connect, publish, queue};

/// A data directory, removed when dropped.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        Self(std::env::temp_dir().join(unique("administration")))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

async fn start(directory: &Path) -> Broker {
    Broker::builder().data_dir(directory).disk_free_limit(0).start().await.unwrap()
}

fn salted(password: &str) -> PasswordHash {
    HashingAlgorithm::default().hash(password.as_bytes()).unwrap()
}

#[tokio::test]
async fn a_user_of_the_builder_may_do_what_its_expressions_allow() {
    let malformed = Broker::builder().user_with_permissions("worker", "secret", "/", ["(", "", ""]);
    assert!(malformed.is_err());
    let directory = Directory::new();
    let builder = Broker::builder().data_dir(&directory.0).disk_free_limit(0);
    let builder = builder.user_with_permissions("worker", "secret", "/", ["^own-", "^amq\\.default$", ".*"]).unwrap();
    let broker = builder.start().await.unwrap();
    let ch = Connect::to(broker.address()).user("worker", "secret").open().await.channel(1).await;
    ch.declare(queue("own-1")).await;
    ch.publish(publish("", "own-1", "m")).await;
    assert_eq!(ch.drain("own-1").await, ["m"]);
    let text = "ACCESS_REFUSED - configure access to queue 'other' in vhost '/' refused for user 'worker'";
    ch.refused(queue("other"), 403, text).await;
    let text = "ACCESS_REFUSED - write access to exchange 'amq.fanout' in vhost '/' refused for user 'worker'";
    ch.publish_refused(publish("amq.fanout", "", "m"), 403, text).await;
    broker.stop().await;
}

#[tokio::test]
async fn what_was_deleted_of_a_new_broker_stays_deleted() {
    let directory = Directory::new();
    let broker = start(&directory.0).await;
    assert!(broker.state().user("guest").unwrap().has_tag("administrator"));
    Connect::to(broker.address()).open().await.close().await;
    broker.state().put_user("alice", salted("secret"), vec!["administrator".to_owned()]).unwrap();
    broker.state().put_vhost("v", VhostSettings::default(), Some("alice")).unwrap();
    broker.state().delete_user("guest").unwrap();
    broker.state().delete_vhost("/").unwrap();
    for _ in 0..2 {
        let address = broker.address();
        Connect::to(address).user("alice", "secret").vhost("v").open().await.close().await;
        let refused = Connect::to(address).start().await;
        refused.expect_close(403, "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.", (0, 0)).await;
    }
    broker.stop().await;
    for _ in 0..2 {
        let broker = start(&directory.0).await;
        let users = broker.state().users();
        assert_eq!(users.iter().map(|user| &*user.name).collect::<Vec<_>>(), ["alice"]);
        assert_eq!(broker.state().vhosts().iter().map(|vhost| &*vhost.name).collect::<Vec<_>>(), ["v"]);
        Connect::to(broker.address()).user("alice", "secret").vhost("v").open().await.close().await;
        broker.stop().await;
    }
}

#[tokio::test]
async fn everything_that_is_administered_outlives_a_restart() {
    let directory = Directory::new();
    let broker = start(&directory.0).await;
    let state = broker.state();
    let text = str::to_owned;
    let settings = VhostSettings {
        description: text("for the shop"),
        tags: vec![text("a"), text("b")],
        tracing: Some(true),
        protected_from_deletion: Some(true),
        ..VhostSettings::of_kind(QueueKind::Quorum)
    };
    assert_eq!(state.put_vhost("shop", settings, Some("guest")), Ok(Put::Created));
    state.put_vhost_limit("shop", "max-queues", &json!(7)).unwrap();
    state.put_user("alice", salted("secret"), vec![text("monitoring")]).unwrap();
    state.put_user_limit("alice", "max-connections", &json!(3)).unwrap();
    let (user, vhost) = (text("alice"), text("shop"));
    let (configure, write, read) = (text("^$"), text("^(?!private)"), text(".*"));
    state.put_permission(PermissionDefinition { user, vhost, configure, write, read }).unwrap();
    let (user, vhost, exchange) = (text("alice"), text("shop"), text("amq.topic"));
    let (write, read) = (text("^{username}"), text("x"));
    state.put_topic_permission(TopicPermissionDefinition { user, vhost, exchange, write, read }).unwrap();
    let definition = [("max-length".to_owned(), json!(10))].into_iter().collect();
    let (vhost, name, pattern, apply_to) = (text("shop"), text("p"), text("^(?!amq)"), ApplyTo::QuorumQueues);
    let (priority, is_operator) = (-2, true);
    let policy = PolicyDefinition { vhost, name, pattern, apply_to, definition, priority, is_operator };
    state.put_policy(policy, 0).unwrap();
    let (vhost, component, name, value) = (text("shop"), text("shovel"), text("s"), json!({"src-uri": ["amqp://"]}));
    state.put_parameter(ParameterDefinition { vhost, component, name, value }).unwrap();
    let (name, value) = (text("cluster_name"), json!(0.1));
    state.put_global_parameter(GlobalParameterDefinition { name, value }).unwrap();
    let everything = |broker: &Broker| {
        let state = broker.state();
        let administered = (state.vhost_definitions(), state.users(), state.permissions(), state.topic_permissions());
        let others = (state.policies(false), state.policies(true), state.parameters(), state.global_parameters());
        format!("{administered:?} {others:?} {:?} {:?}", state.vhost_limits(), state.user_limits())
    };
    let before = everything(&broker);
    broker.stop().await;
    for _ in 0..2 {
        let broker = start(&directory.0).await;
        assert_eq!(everything(&broker), before);
        assert!(broker.state().user("alice").unwrap().password.matches(b"secret"));
        broker.stop().await;
    }
}

#[tokio::test]
async fn messages_of_a_deleted_virtual_host_do_not_come_back() {
    let directory = Directory::new();
    let broker = start(&directory.0).await;
    let make = |broker: &Broker| broker.state().put_vhost("v", VhostSettings::default(), Some("guest")).unwrap();
    make(&broker);
    let ch = Connect::to(broker.address()).vhost("v").open().await.channel(1).await;
    ch.declare(queue("q").durable()).await;
    ch.confirm_select().await;
    ch.publish_confirmed(publish("", "q", "x")).await;
    broker.state().delete_vhost("v").unwrap();
    assert_eq!(broker.state().node().memory.bytes(), 0);
    make(&broker);
    broker.stop().await;
    let broker = start(&directory.0).await;
    let ch = Connect::to(broker.address()).vhost("v").open().await.channel(1).await;
    assert!(!ch.exists("q").await);
    broker.stop().await;
}
