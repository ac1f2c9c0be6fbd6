//! What holds after a number of changes. A start applies the same changes as the running broker did, in the same order.
//!
//! Invariants: permissions belong to a user and a virtual host that are there; topic permissions, policies and parameters to a
//! virtual host that is. A change that is applied again, or before what came later is applied once more, does no harm.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::auth::{Permissions, TopicPermission, TopicPermissions, User, Variables};
use crate::broker::definitions::{
    Administered, GlobalParameterDefinition, ParameterDefinition, PermissionDefinition, PolicyDefinition,
    TopicPermissionDefinition, VhostDefinition,
};
use crate::broker::metadata::Rights;

/// A user in a virtual host.
type Place = (String, String);

/// Everything that administrators defined.
#[derive(Clone, Debug, Default)]
pub struct MetadataState {
    /// The broker made once what a new one has.
    pub(crate) has_begun: bool,
    /// Virtual hosts by name.
    pub(crate) vhosts: BTreeMap<String, VhostDefinition>,
    /// Users by name.
    pub(crate) users: BTreeMap<String, Arc<User>>,
    permissions: BTreeMap<Place, (PermissionDefinition, Arc<Permissions>)>,
    topic_permissions: BTreeMap<Place, TopicRights>,
    policies: BTreeMap<(String, bool, String), PolicyDefinition>,
    policy_revision: u64,
    parameters: BTreeMap<(String, String, String), ParameterDefinition>,
    global_parameters: BTreeMap<String, GlobalParameterDefinition>,
}

/// By exchange, and the same compiled.
#[derive(Clone, Debug, Default)]
struct TopicRights {
    by_exchange: BTreeMap<String, TopicPermissionDefinition>,
    compiled: Arc<TopicPermissions>,
}

impl MetadataState {
    /// Applies one more change.
    pub(crate) fn apply(&mut self, change: Administered) {
        match change {
            Administered::Begun => self.has_begun = true,
            Administered::Vhost(vhost) => {
                self.vhosts.insert(vhost.name.clone(), vhost);
            }
            Administered::VhostDeleted { name } => self.delete_vhost(&name),
            Administered::User(user) => {
                self.users.insert(user.name.to_string(), Arc::new(user));
            }
            Administered::UserDeleted { name } => self.delete_user(&name),
            Administered::Permission(permission) => self.put_permission(permission),
            Administered::PermissionDeleted { user, vhost } => {
                self.permissions.remove(&(vhost, user));
            }
            Administered::TopicPermission(permission) => {
                let place = (permission.vhost.clone(), permission.user.clone());
                let rights = self.topic_permissions.entry(place).or_default();
                rights.by_exchange.insert(permission.exchange.clone(), permission);
                rights.compile();
            }
            Administered::TopicPermissionDeleted { user, vhost, exchange } => {
                self.delete_topic_permission((vhost, user), &exchange);
            }
            Administered::Policy(policy) => {
                self.policy_revision += 1;
                self.policies.insert((policy.vhost.clone(), policy.is_operator, policy.name.clone()), policy);
            }
            Administered::PolicyDeleted { vhost, name, is_operator } => {
                self.policy_revision += 1;
                self.policies.remove(&(vhost, is_operator, name));
            }
            Administered::Parameter(parameter) => {
                let ParameterDefinition { vhost, component, name, .. } = parameter.clone();
                self.parameters.insert((vhost, component, name), parameter);
            }
            Administered::ParameterDeleted { vhost, component, name } => {
                self.parameters.remove(&(vhost, component, name));
            }
            Administered::GlobalParameter(parameter) => {
                self.global_parameters.insert(parameter.name.clone(), parameter);
            }
            Administered::GlobalParameterDeleted { name } => {
                self.global_parameters.remove(&name);
            }
        }
    }

    fn delete_vhost(&mut self, name: &str) {
        self.policy_revision += 1;
        self.vhosts.remove(name);
        // All that belongs to it goes along, or a virtual host of the same name that is made
        // later would inherit it.
        self.permissions.retain(|(vhost, _), _| vhost != name);
        self.topic_permissions.retain(|(vhost, _), _| vhost != name);
        self.policies.retain(|(vhost, _, _), _| vhost != name);
        self.parameters.retain(|(vhost, _, _), _| vhost != name);
    }

    fn delete_user(&mut self, name: &str) {
        self.users.remove(name);
        self.permissions.retain(|(_, user), _| user != name);
        self.topic_permissions.retain(|(_, user), _| user != name);
    }

    fn put_permission(&mut self, permission: PermissionDefinition) {
        let PermissionDefinition { user, vhost, configure, write, read } = &permission;
        // They were checked when they were put. What another version understood and this one does not permits nothing.
        let compiled = Permissions::new(configure, write, read).unwrap_or_else(|_| Permissions::none());
        self.permissions.insert((vhost.clone(), user.clone()), (permission, Arc::new(compiled)));
    }

    fn delete_topic_permission(&mut self, place: Place, exchange: &str) {
        // Nothing was said of it: whoever deletes it twice is right both times.
        let Some(rights) = self.topic_permissions.get_mut(&place) else { return };
        rights.by_exchange.remove(exchange);
        rights.compile();
        if rights.by_exchange.is_empty() {
            self.topic_permissions.remove(&place);
        }
    }

    /// What a user may do in a virtual host.
    pub(crate) fn rights(&self, user: &str, vhost: &str) -> Rights {
        let place = (vhost.to_owned(), user.to_owned());
        Rights {
            permissions: self.permissions.get(&place).map(|(_, compiled)| Arc::clone(compiled)),
            topics: self.topic_permissions.get(&place).map(|rights| Arc::clone(&rights.compiled)),
        }
    }

    /// A user's permissions in a virtual host.
    pub(crate) fn permission(&self, user: &str, vhost: &str) -> Option<&PermissionDefinition> {
        self.permissions.get(&(vhost.to_owned(), user.to_owned())).map(|(definition, _)| definition)
    }

    /// All permissions, by virtual host and user.
    pub(crate) fn permissions(&self) -> impl Iterator<Item = &PermissionDefinition> {
        self.permissions.values().map(|(definition, _)| definition)
    }

    /// All topic permissions, by virtual host, user and exchange.
    pub(crate) fn topic_permissions(&self) -> impl Iterator<Item = &TopicPermissionDefinition> {
        self.topic_permissions.values().flat_map(|rights| rights.by_exchange.values())
    }

    pub(crate) fn policy(&self, vhost: &str, name: &str, is_operator: bool) -> Option<&PolicyDefinition> {
        self.policies.get(&(vhost.to_owned(), is_operator, name.to_owned()))
    }

    /// All policies, by virtual host and name, those of operators behind the others of each virtual host.
    pub(crate) fn policies(&self) -> impl Iterator<Item = &PolicyDefinition> {
        self.policies.values()
    }

    /// The policies and operator policies of a virtual host.
    pub(crate) fn policies_of(&self, vhost: &str) -> impl Iterator<Item = &PolicyDefinition> {
        let first = (vhost.to_owned(), false, String::new());
        self.policies.range(first..).map(|(_, policy)| policy).take_while(move |policy| policy.vhost == vhost)
    }

    /// Moves with every change of a policy.
    pub(crate) const fn policy_revision(&self) -> u64 {
        self.policy_revision
    }

    pub(crate) fn parameter(&self, vhost: &str, component: &str, name: &str) -> Option<&ParameterDefinition> {
        self.parameters.get(&(vhost.to_owned(), component.to_owned(), name.to_owned()))
    }

    /// All parameters, by virtual host, component and name.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &ParameterDefinition> {
        self.parameters.values()
    }

    /// All global parameters by name.
    pub(crate) const fn global_parameters(&self) -> &BTreeMap<String, GlobalParameterDefinition> {
        &self.global_parameters
    }

    /// The changes that make this out of nothing, each thing before what belongs to it.
    pub(crate) fn changes(&self) -> Vec<Administered> {
        let begun = self.has_begun.then_some(Administered::Begun);
        let vhosts = self.vhosts.values().cloned().map(Administered::Vhost);
        let users = self.users.values().map(|user| Administered::User(user.as_ref().clone()));
        let permissions = self.permissions().cloned().map(Administered::Permission);
        let topic_permissions = self.topic_permissions().cloned().map(Administered::TopicPermission);
        let policies = self.policies().cloned().map(Administered::Policy);
        let parameters = self.parameters().cloned().map(Administered::Parameter);
        let global_parameters = self.global_parameters.values().cloned().map(Administered::GlobalParameter);
        // What belongs to something comes behind it: a start applies them one by one.
        let of_vhosts = permissions.chain(topic_permissions).chain(policies).chain(parameters);
        begun.into_iter().chain(vhosts).chain(users).chain(of_vhosts).chain(global_parameters).collect()
    }
}

impl TopicRights {
    fn compile(&mut self) {
        let compile = |definition: &TopicPermissionDefinition| {
            let TopicPermissionDefinition { user, vhost, exchange, write, read } = definition;
            let variables = Variables { username: user, vhost, client_id: None };
            let compiled = TopicPermission::new(write, read, &variables).unwrap_or_else(|_| TopicPermission::none());
            (exchange.clone(), compiled)
        };
        self.compiled = Arc::new(TopicPermissions(self.by_exchange.values().map(compile).collect()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::PasswordHash;
    use crate::broker::ids::QueueId;
    use crate::broker::queue::arguments::QueueKind;

    fn vhost(name: &str, delayed: u64) -> Administered {
        Administered::Vhost(VhostDefinition::new(name, QueueKind::Classic, QueueId(delayed)))
    }

    fn user(name: &str) -> Administered {
        Administered::User(User::new(name, PasswordHash::none(), Vec::new()))
    }

    fn everything_of(user: &str, vhost: &str) -> Vec<Administered> {
        let (user, vhost, all) = (|| user.to_owned(), || vhost.to_owned(), || ".*".to_owned());
        let name = || "n".to_owned();
        let (component, value) = ("c".to_owned(), serde_json::json!({"a": [1, null]}));
        vec![
            Administered::Permission(PermissionDefinition {
                user: user(),
                vhost: vhost(),
                configure: all(),
                write: all(),
                read: String::new(),
            }),
            Administered::TopicPermission(TopicPermissionDefinition {
                user: user(),
                vhost: vhost(),
                exchange: "amq.topic".to_owned(),
                write: "^{username}".to_owned(),
                read: all(),
            }),
            Administered::Policy(PolicyDefinition {
                vhost: vhost(),
                name: name(),
                pattern: all(),
                apply_to: Default::default(),
                definition: [("max-length".to_owned(), 1.into())].into_iter().collect(),
                priority: -3,
                is_operator: true,
            }),
            Administered::Parameter(ParameterDefinition { vhost: vhost(), component, name: name(), value }),
        ]
    }

    fn after(changes: &[Administered]) -> MetadataState {
        let mut state = MetadataState::default();
        changes.iter().cloned().for_each(|change| state.apply(change));
        state
    }

    #[test]
    fn a_state_is_what_its_own_changes_come_to() {
        let mut changes = vec![Administered::Begun, vhost("/", 1), vhost("v", 2), user("a"), user("b")];
        changes.extend(everything_of("a", "v"));
        let value = serde_json::json!("x");
        changes.push(Administered::GlobalParameter(GlobalParameterDefinition { name: "g".to_owned(), value }));
        let state = after(&changes);
        assert_eq!(state.changes(), changes);
        let twice = after(&[changes.clone(), changes].concat());
        assert_eq!(twice.changes(), state.changes());
    }

    #[test]
    fn what_belongs_to_a_virtual_host_or_a_user_goes_with_it() {
        let mut changes = vec![vhost("v", 2), vhost("w", 3), user("a"), user("b")];
        for (user, vhost) in [("a", "v"), ("b", "v"), ("a", "w")] {
            changes.extend(everything_of(user, vhost));
        }
        let mut state = after(&changes);
        state.apply(Administered::VhostDeleted { name: "v".to_owned() });
        let left = [vec![vhost("w", 3), user("a"), user("b")], everything_of("a", "w")].concat();
        assert_eq!(state.changes(), left);
        assert!(state.rights("a", "v").permissions.is_none() && state.rights("a", "w").topics.is_some());
        state.apply(Administered::UserDeleted { name: "a".to_owned() });
        let left = [vec![vhost("w", 3), user("b")], everything_of("a", "w").split_off(2)].concat();
        assert_eq!(state.changes(), left, "policies and parameters are nobody's");
    }

    #[test]
    fn a_deleted_topic_permission_leaves_the_others() {
        let mut changes = vec![vhost("v", 2), user("a")];
        changes.extend(everything_of("a", "v"));
        let mut state = after(&changes);
        let delete = |exchange: &str| Administered::TopicPermissionDeleted {
            user: "a".to_owned(),
            vhost: "v".to_owned(),
            exchange: exchange.to_owned(),
        };
        state.apply(delete("other"));
        assert!(state.rights("a", "v").topics.is_some_and(|topics| topics.mention("amq.topic")));
        state.apply(delete("amq.topic"));
        assert!(state.rights("a", "v").topics.is_none());
    }
}
