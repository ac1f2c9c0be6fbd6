//! What administrators defined: virtual hosts, users and their rights, policies, parameters, limits.
//!
//! All of it is behind one lock, under which a change is checked, made and recorded, so several changes can be one: all or none.
//! Nothing waits while it is held, and who reads gets values. It may be locked before a topology, and never while one is.

mod state;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::changes;
use super::definitions::{Administered, Definition};
use super::registry::ConnectionLimits;
use super::router::RoutingKeys;
use super::vhost::Vhost;
use crate::auth::{Access, Permissions, TopicPermissions, User};
use crate::error::AmqpError;
use crate::store::{LastChange, Log, LogPosition};

pub(crate) use state::MetadataState;

/// What a user may do in a virtual host, as it was at one time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rights {
    /// On exchanges and queues; `None` when it may not enter the virtual host.
    pub(crate) permissions: Option<Arc<Permissions>>,
    /// On routing keys; `None` when nothing is said.
    pub(crate) topics: Option<Arc<TopicPermissions>>,
}

impl Rights {
    /// # Errors
    /// 403 when the user may not use one of these keys with the exchange, if that is a topic exchange.
    pub(crate) fn check_topics(
        &self,
        access: Access,
        vhost: &Vhost,
        exchange: &str,
        keys: &RoutingKeys<'_>,
        user: &str,
    ) -> Result<(), AmqpError> {
        // Where nothing is said of routing keys, all are allowed.
        let Some(topics) = self.topics.as_ref().filter(|topics| topics.mention(exchange)) else { return Ok(()) };
        // Asked last, because it locks the topology.
        if !vhost.is_topic_exchange(exchange) {
            return Ok(());
        }
        keys.iter().try_for_each(|key| topics.check(access, exchange, key, &vhost.name, user))
    }
}

/// A limit as it was put; a negative one is none.
pub(in crate::broker) fn effective(limit: Option<i64>) -> Option<u64> {
    limit.and_then(|limit| u64::try_from(limit).ok())
}

/// What administrators defined.
#[derive(Debug, Default)]
pub struct Metadata {
    state: RwLock<MetadataState>,
    rights_revision: AtomicU64,
    /// Where the log has the last change.
    changed_at: LastChange,
}

impl Metadata {
    /// Looks at it. Nothing else may be locked meanwhile.
    pub fn read<R>(&self, look: impl FnOnce(&MetadataState) -> R) -> R {
        look(&self.state.read())
    }

    /// A user by its name.
    pub(crate) fn user(&self, name: &str) -> Option<Arc<User>> {
        self.read(|state| state.users.get(name).cloned())
    }

    /// Moves when anybody's rights change: what was allowed at one revision is until the next.
    pub(crate) fn rights_revision(&self) -> u64 {
        self.rights_revision.load(Ordering::Acquire)
    }

    /// What a user may do in a virtual host now.
    pub(crate) fn rights(&self, user: &str, vhost: &str) -> Rights {
        self.read(|state| state.rights(user, vhost))
    }

    /// How many connections a virtual host and a user may have.
    pub(crate) fn connection_limits(&self, user: &str, vhost: &str, of_node: Option<u64>) -> ConnectionLimits {
        self.read(|state| ConnectionLimits {
            of_node,
            of_vhost: state.vhosts.get(vhost).and_then(|vhost| effective(vhost.limits.max_connections)),
            of_user: state.users.get(user).and_then(|user| effective(user.limits.max_connections)),
        })
    }

    /// How many channels a user may have.
    pub(crate) fn channels_max(&self, user: &str) -> Option<u64> {
        self.read(|state| state.users.get(user).and_then(|user| effective(user.limits.max_channels)))
    }

    /// What is to be durable before anybody is told that everything is as it was wanted.
    pub(crate) fn changed_at(&self) -> LogPosition {
        self.changed_at.position()
    }

    /// Makes changes, all or none: `decide` looks at what there is and says which.
    ///
    /// # Errors
    /// Those of `decide`; then nothing changes.
    pub(in crate::broker) fn change<R, E>(
        &self,
        log: &dyn Log,
        decide: impl FnOnce(&MetadataState) -> Result<(R, Vec<Administered>), E>,
    ) -> Result<R, E> {
        let mut state = self.state.write();
        // Under the lock of writers: what was looked at is still so when it is changed.
        let (result, wanted) = decide(&state)?;
        let touches_rights = wanted.iter().any(touches_rights);
        for change in &wanted {
            state.apply(change.clone());
        }
        let wanted: Vec<_> = wanted.into_iter().map(Definition::Administered).collect();
        // Still under the lock, so that the log has changes in the order in which they were made.
        let position = changes::record(log, &wanted);
        self.changed_at.note(position);
        if touches_rights {
            // Behind the change: who sees the new revision sees what it stands for.
            self.rights_revision.fetch_add(1, Ordering::Release);
        }
        Ok(result)
    }

    /// Takes over what the log knows.
    pub(in crate::broker) fn restore(&self, state: MetadataState) {
        *self.state.write() = state;
        self.rights_revision.fetch_add(1, Ordering::Release);
    }

    /// Everything, as changes of which it would come to be.
    pub(in crate::broker) fn definitions(&self) -> Vec<Definition> {
        self.read(MetadataState::changes).into_iter().map(Definition::Administered).collect()
    }
}

/// Whether somebody may do more or less after this.
const fn touches_rights(change: &Administered) -> bool {
    match change {
        Administered::UserDeleted { .. }
        | Administered::VhostDeleted { .. }
        | Administered::Permission(_)
        | Administered::PermissionDeleted { .. }
        | Administered::TopicPermission(_)
        | Administered::TopicPermissionDeleted { .. } => true,
        Administered::Begun
        | Administered::Vhost(_)
        | Administered::User(_)
        | Administered::Policy(_)
        | Administered::PolicyDeleted { .. }
        | Administered::Parameter(_)
        | Administered::ParameterDeleted { .. }
        | Administered::GlobalParameter(_)
        | Administered::GlobalParameterDeleted { .. } => false,
    }
}
