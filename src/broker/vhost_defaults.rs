//! What virtual hosts get when they are made, besides what whoever makes them says: limits, operator policies, users with their
//! permissions. RabbitMQ's `default_limits`, `default_policies` and `default_users`.
//!
//! It is given once: what an administrator takes away later does not come back.

use std::collections::BTreeMap;

use super::definitions::{Administered, PermissionDefinition, PolicyDefinition, VhostDefinition, VhostLimits};
use super::metadata::MetadataState;
use crate::auth::{Pattern, User};

/// Something, and the names of the virtual hosts that get it.
#[derive(Debug)]
pub(crate) struct ForVhosts<T> {
    pub(crate) vhosts: Pattern,
    pub(crate) given: T,
}

/// All that virtual hosts get.
#[derive(Debug, Default)]
pub struct VhostDefaults {
    /// The first one that fits counts.
    pub(crate) limits: Vec<ForVhosts<VhostLimits>>,
    /// All that fit. The virtual host that they name is nobody's.
    pub(crate) operator_policies: Vec<ForVhosts<PolicyDefinition>>,
    /// All that fit, with their permission to configure, write and read.
    pub(crate) users: Vec<ForVhosts<(User, [String; 3])>>,
}

impl<T> ForVhosts<T> {
    fn of(&self, vhost: &str) -> Option<&T> {
        self.vhosts.is_match(vhost).then_some(&self.given)
    }
}

impl VhostDefaults {
    /// A new virtual host with its limits.
    pub(in crate::broker) fn limited(&self, new: VhostDefinition) -> VhostDefinition {
        match self.limits.iter().find_map(|limits| limits.of(&new.name)) {
            Some(limits) => VhostDefinition { limits: *limits, ..new },
            None => new,
        }
    }

    /// The rest of what these virtual hosts get, all of which are new. A user that is there already keeps its password and tags.
    pub(in crate::broker) fn changes<'a>(
        &self,
        new: impl Iterator<Item = &'a str>,
        state: &MetadataState,
    ) -> Vec<Administered> {
        let mut made = BTreeMap::new();
        let mut changes = Vec::new();
        for vhost in new {
            let policies = self.operator_policies.iter().filter_map(|policy| policy.of(vhost));
            changes
                .extend(policies.map(|policy| {
                    Administered::Policy(PolicyDefinition { vhost: vhost.to_owned(), ..policy.clone() })
                }));
            for (user, [configure, write, read]) in self.users.iter().filter_map(|user| user.of(vhost)) {
                if !state.users.contains_key(&*user.name) {
                    made.insert(user.name.clone(), user);
                }
                changes.push(Administered::Permission(PermissionDefinition {
                    user: user.name.to_string(),
                    vhost: vhost.to_owned(),
                    configure: configure.clone(),
                    write: write.clone(),
                    read: read.clone(),
                }));
            }
        }
        // Before what they may do.
        made.into_values().map(|user| Administered::User(user.clone())).chain(changes).collect()
    }

    /// Whether a user of this name comes with virtual hosts.
    pub(crate) fn names_user(&self, name: &str) -> bool {
        self.users.iter().any(|user| *user.given.0.name == *name)
    }
}
