use std::sync::Arc;

use super::*;
use crate::auth::{ADMINISTRATOR, GUEST, HashingAlgorithm, PasswordHash};
use crate::broker::definitions::{PermissionDefinition, TopicPermissionDefinition};
use crate::broker::ids::ConnectionId;
use crate::broker::node::Node;
use crate::broker::queue::arguments::QueueKind;
use crate::broker::vhost::QueueDeclare;
use crate::table::Table;

/// A new broker, with what it has then.
pub(super) fn begun() -> Broker {
    let broker = Broker::new(Arc::new(Node::default()));
    broker.begin().unwrap();
    broker
}

fn declare(name: &str) -> QueueDeclare {
    let arguments = Table::new();
    QueueDeclare { queue: name.to_owned(), durable: true, exclusive: false, auto_delete: false, arguments }
}

#[test]
fn a_new_broker_has_guest_as_its_administrator_and_makes_it_once() {
    let broker = begun();
    let guest = broker.user(GUEST).unwrap();
    assert!(guest.password.matches(b"guest") && guest.has_tag(ADMINISTRATOR));
    assert_eq!(broker.permissions(), [everything(GUEST, "/")]);
    broker.delete_user(GUEST).unwrap();
    broker.delete_vhost("/").unwrap();
    broker.begin().unwrap();
    assert!(broker.users().is_empty() && broker.vhosts().is_empty() && broker.permissions().is_empty());
}

#[test]
fn where_there_are_users_guest_is_not_made() {
    let broker = Broker::new(Arc::new(Node::default()));
    broker.put_user("alice", PasswordHash::none(), Vec::new()).unwrap();
    broker.begin().unwrap();
    assert_eq!(broker.users().iter().map(|user| &*user.name).collect::<Vec<_>>(), ["alice"]);
}

#[test]
fn a_virtual_host_is_made_changed_and_deleted() {
    let broker = begun();
    let tags = vec!["a".to_owned()];
    let settings = VhostSettings { tags, tracing: Some(true), ..VhostSettings::of_kind(QueueKind::Quorum) };
    assert_eq!(broker.put_vhost("v", settings, Some("guest")), Ok(Put::Created));
    assert_eq!(broker.permission("guest", "v"), Some(everything("guest", "v")));
    let vhost = broker.vhost("v").unwrap();
    let queue = vhost.declare_queue(&declare("q"), ConnectionId(1), 0).unwrap().queue;
    assert_eq!(queue.spec.arguments.kind, QueueKind::Quorum);

    let settings = VhostSettings { description: "d".to_owned(), ..VhostSettings::default() };
    assert_eq!(broker.put_vhost("v", settings, Some("guest")), Ok(Put::Replaced));
    let definition = broker.vhost_definition("v").unwrap();
    assert_eq!((definition.description.as_str(), definition.tags.len(), definition.tracing), ("d", 0, true));
    assert_eq!(definition.default_queue_kind, QueueKind::Quorum);
    assert!(Arc::ptr_eq(&vhost, &broker.vhost("v").unwrap()), "what is in it stays");

    broker.protect_vhost("v", true).unwrap();
    let text = "Refusing to delete virtual host 'v' because it is protected from deletion";
    assert_eq!(broker.delete_vhost("v").unwrap_err().to_string(), text);
    assert!(vhost.declare_queue(&declare("other"), ConnectionId(1), 0).is_ok(), "nothing has happened");
    broker.protect_vhost("v", false).unwrap();
    broker.delete_vhost("v").unwrap();
    assert!(vhost.declare_queue(&declare("late"), ConnectionId(1), 0).is_err(), "nothing can come into it any more");
    assert!(queue.is_deleted() && vhost.read(|topology| topology.exchanges().count()) == 0);
    assert_eq!((broker.vhost("v").is_none(), broker.permission("guest", "v")), (true, None));
    assert_eq!(broker.delete_vhost("v"), Err(AdministrationError::NotFound));
    assert_eq!(
        broker.node().definitions.bytes(),
        begun().node().definitions.bytes(),
        "its memory is not counted any more"
    );
}

#[test]
fn a_user_is_changed_and_keeps_its_limits() {
    let broker = begun();
    let put = |password: &str, tag: &str| {
        let password = HashingAlgorithm::default().hash(password.as_bytes()).unwrap();
        broker.put_user("u", password, vec![tag.to_owned()]).unwrap()
    };
    assert_eq!(put("x", "management"), Put::Created);
    broker.put_user_limit("u", "max-channels", &serde_json::json!(3)).unwrap();
    assert_eq!(put("y", "monitoring"), Put::Replaced);
    let user = broker.user("u").unwrap();
    assert!(user.password.matches(b"y") && user.has_tag("monitoring") && !user.has_tag("management"));
    assert_eq!(user.limits.max_channels, Some(3));
    broker.permit_everything("u", "/").unwrap();
    broker.delete_user("u").unwrap();
    assert_eq!((broker.user("u"), broker.permission("u", "/")), (None, None));
    assert_eq!(broker.delete_user("u"), Err(AdministrationError::NotFound));
}

#[test]
fn permissions_are_of_somebody_somewhere() {
    let broker = begun();
    let nobody = everything("nobody", "/");
    assert_eq!(broker.put_permission(nobody), Err(AdministrationError::NoSuchVhostOrUser));
    assert_eq!(broker.put_permission(everything("guest", "no")), Err(AdministrationError::NoSuchVhostOrUser));
    let bad = PermissionDefinition { write: "(".to_owned(), ..everything("guest", "/") };
    assert!(matches!(broker.put_permission(bad), Err(AdministrationError::InvalidPattern(_))));
    assert_eq!(broker.delete_permission("guest", "no"), Err(AdministrationError::NotFound));
    assert_eq!(broker.permissions(), [everything("guest", "/")], "nothing changed");
}

#[test]
fn topic_permissions_are_by_exchange() {
    let broker = begun();
    let (user, vhost, read) = ("guest".to_owned(), "/".to_owned(), String::new());
    let of = |exchange: &str, write: &str| TopicPermissionDefinition {
        user: user.clone(),
        vhost: vhost.clone(),
        exchange: exchange.to_owned(),
        write: write.to_owned(),
        read: read.clone(),
    };
    let no_exchange = AdministrationError::NoSuchExchange("no".to_owned());
    assert_eq!(broker.put_topic_permission(of("no", "a")), Err(no_exchange));
    assert!(broker.put_topic_permission(of("amq.topic", "(")).is_err());
    assert_eq!(broker.put_topic_permission(of("amq.topic", "a")), Ok(Put::Created));
    assert_eq!(broker.put_topic_permission(of("amq.topic", "^{client_id}")), Ok(Put::Replaced));
    assert_eq!(broker.put_topic_permission(of("amq.direct", "c")), Ok(Put::Created));
    assert_eq!(broker.delete_topic_permissions("guest", "/", Some("amq.direct")), Ok(()));
    assert_eq!(broker.topic_permissions(), [of("amq.topic", "^{client_id}")]);
    assert_eq!(broker.delete_topic_permissions("guest", "/", None), Ok(()));
    assert_eq!(broker.delete_topic_permissions("guest", "/", None), Err(AdministrationError::NotFound));
}

#[test]
fn rights_are_seen_to_change_by_whoever_remembers_them() {
    let broker = begun();
    let (metadata, vhost) = (&broker.node().metadata, broker.vhost("/").unwrap());
    let seen = || (metadata.rights_revision(), vhost.epoch());
    let before = seen();
    broker.put_user("u", PasswordHash::none(), Vec::new()).unwrap();
    assert_eq!(seen(), before, "nobody may do more or less");
    broker.permit_everything("u", "/").unwrap();
    let granted = seen();
    assert!(granted.0 > before.0 && granted.1 > before.1);
    broker.delete_user("u").unwrap();
    assert!(seen().0 > granted.0 && seen().1 > granted.1);
}
