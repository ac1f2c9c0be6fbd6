//! The users and virtual hosts that are to be there when a broker starts.

use std::fmt;

use crate::auth::{PasswordHash, User};
use crate::broker::Broker;
use crate::broker::administration::{AdministrationError, DEFAULT_VHOST};
use crate::broker::definitions::PermissionDefinition;
use crate::broker::queue::arguments::QueueKind;

/// A user that is to be there, with its permissions.
pub(super) struct Account {
    pub(super) name: String,
    pub(super) password: String,
    pub(super) tags: Vec<String>,
    pub(super) permissions: Vec<PermissionDefinition>,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Makes the virtual hosts and users that are to be there, and what a new broker has.
pub(super) fn populate(
    broker: &Broker,
    vhosts: &[(String, QueueKind)],
    users: &[Account],
) -> Result<(), AdministrationError> {
    if !broker.has_begun() {
        broker.add_vhost(DEFAULT_VHOST, QueueKind::Classic);
    }
    for (name, default_queue_kind) in vhosts {
        broker.add_vhost(name, *default_queue_kind);
    }
    for Account { name, password, tags, permissions } in users {
        let is_as_wanted = |known: &User| known.password.matches(password.as_bytes()) && known.tags == *tags;
        if !broker.user(name).is_some_and(|known| is_as_wanted(&known)) {
            broker.put_user(name, PasswordHash::salted(password.as_bytes())?, tags.clone())?;
        }
        for permission in permissions {
            // `/` may have been deleted since the first start.
            if broker.vhost(&permission.vhost).is_some() {
                broker.put_permission(permission.clone())?;
            }
        }
    }
    broker.begin()
}
