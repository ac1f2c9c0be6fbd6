//! Administers the broker under test: over the management interface of a RabbitMQ, by calls into an embedded broker.

use leveret::internals::broker::Broker;
use leveret::internals::broker::administration::VhostSettings;
use leveret::internals::broker::definitions::{PermissionDefinition, TopicPermissionDefinition};
use serde_json::json;

use super::Management;

pub enum Administrator<'a> {
    Remote(&'a Management),
    Embedded(&'a Broker),
}

/// Names of virtual hosts as they stand in a path.
fn escaped(vhost: &str) -> String {
    vhost.replace('/', "%2F")
}

impl Administrator<'_> {
    pub fn permit(&self, user: &str, vhost: &str, configure: &str, write: &str, read: &str) {
        match self {
            Self::Remote(management) => management.permit(user, vhost, configure, write, read),
            Self::Embedded(broker) => {
                let [user, vhost, configure, write, read] = [user, vhost, configure, write, read].map(str::to_owned);
                broker.put_permission(PermissionDefinition { user, vhost, configure, write, read }).unwrap();
            }
        }
    }

    pub fn forbid(&self, user: &str, vhost: &str) {
        match self {
            Self::Remote(management) => {
                management.delete_quietly(&format!("/api/permissions/{}/{user}", escaped(vhost)));
            }
            Self::Embedded(broker) => broker.delete_permission(user, vhost).unwrap(),
        }
    }

    pub fn permit_topics(&self, user: &str, exchange: &str, write: &str, read: &str) {
        match self {
            Self::Remote(management) => management.put(
                &format!("/api/topic-permissions/%2F/{user}"),
                &json!({"exchange": exchange, "write": write, "read": read}),
            ),
            Self::Embedded(broker) => {
                let [user, vhost, exchange, write, read] = [user, "/", exchange, write, read].map(str::to_owned);
                let permission = TopicPermissionDefinition { user, vhost, exchange, write, read };
                broker.put_topic_permission(permission).unwrap();
            }
        }
    }

    pub fn create_vhost(&self, vhost: &str) {
        match self {
            Self::Remote(management) => management.create_vhost(vhost),
            Self::Embedded(broker) => {
                broker.put_vhost(vhost, VhostSettings::default(), Some("guest")).unwrap();
            }
        }
    }

    pub fn delete_vhost(&self, vhost: &str) {
        match self {
            Self::Remote(management) => management.delete_quietly(&format!("/api/vhosts/{vhost}")),
            Self::Embedded(broker) => broker.delete_vhost(vhost).unwrap(),
        }
    }

    pub fn delete_user(&self, user: &str) {
        match self {
            Self::Remote(management) => management.delete_quietly(&format!("/api/users/{user}")),
            Self::Embedded(broker) => broker.delete_user(user).unwrap(),
        }
    }

    /// `max-connections` or `max-queues` of a virtual host.
    pub fn limit_vhost(&self, vhost: &str, limit: &str, value: i64) {
        match self {
            Self::Remote(management) => management.limit_vhost(vhost, limit, value),
            Self::Embedded(broker) => broker.put_vhost_limit(vhost, limit, &json!(value)).unwrap(),
        }
    }

    /// `max-connections` or `max-channels` of a user.
    pub fn limit_user(&self, user: &str, limit: &str, value: i64) {
        match self {
            Self::Remote(management) => management.limit_user(user, limit, value),
            Self::Embedded(broker) => broker.put_user_limit(user, limit, &json!(value)).unwrap(),
        }
    }
}
