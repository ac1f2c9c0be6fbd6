//! A definitions file is imported: users and all that administrators define in one step, then queues, exchanges and bindings one by one.
//!
//! Everything was looked at before. What can still fail then is what somebody else changes at the same time, and what is counted: the
//! queues that the node may have, and the memory that definitions may take. Then what was made before stays, and importing the
//! file once more goes on from there. What is there already stays as it is, whatever its arguments are.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::entries::{BindingEntry, End, UserEntry, VhostEntry};
use super::placeholders::TOLD_MAX;
use super::{DefinitionsError, DefinitionsFile};
use crate::auth::{HashingAlgorithm, User};
use crate::broker::Broker;
use crate::broker::administration::{
    AdministrationError, INTERNAL_CLUSTER_ID, OPERATOR_POLICY, Understood, VHOST_LIMITS, understood,
};
use crate::broker::declarers::Declarable;
use crate::broker::definitions::{Administered, ParameterDefinition, VhostDefinition};
use crate::broker::ids::QueueId;
use crate::broker::metadata::MetadataState;
use crate::broker::mistyped::{DeclaredFrom, MistypedArguments};
use crate::broker::node::NodeSettings;
use crate::broker::vhost::{IMPORTER, Vhost};
use crate::store::LogPosition;

impl Broker {
    /// Imports a file. What is to be durable before anybody is told that it is done.
    ///
    /// # Errors
    /// When something in the file cannot be done; see above what is done then.
    pub fn import(&self, file: &DefinitionsFile, now_ms: u64) -> Result<LogPosition, DefinitionsError> {
        file.check(self)?;
        self.import_administered(file)?;
        for vhost in file.vhosts_with_policies().iter().filter_map(|name| self.vhost(name)) {
            vhost.load_policies();
            vhost.apply_policies(now_ms);
        }
        let mut position = self.administered_at();
        let mut mistyped = MistypedArguments::default();
        for queue in file.queues.iter().filter(|queue| queue.is_imported()) {
            let vhost = self.imported_into(&queue.vhost)?;
            if vhost.read(|topology| topology.queue(&queue.name).is_none()) {
                let declare = queue.declare(None);
                vhost.declare_queue(&declare, IMPORTER, now_ms)?;
                mistyped.warn(Declarable::Queue, &queue.name, &declare.arguments, from_file(&vhost));
                vhost.node().declarers.forget(Declarable::Queue, &vhost.name, &queue.name);
            }
            position = position.and(vhost.changed_at());
        }
        for exchange in file.exchanges.iter().filter(|exchange| exchange.is_imported()) {
            let vhost = self.imported_into(&exchange.vhost)?;
            if vhost.read(|topology| topology.exchange(&exchange.name).is_none()) {
                let declare = exchange.declare();
                vhost.declare_exchange(&declare)?;
                mistyped.warn(Declarable::Exchange, &exchange.name, &declare.arguments, from_file(&vhost));
                vhost.node().declarers.forget(Declarable::Exchange, &vhost.name, &exchange.name);
            }
            position = position.and(vhost.changed_at());
        }
        for binding in file.bindings.iter().filter(|binding| binding.is_imported()) {
            let vhost = self.imported_into(&binding.vhost)?;
            bind(&vhost, binding, now_ms)?;
            position = position.and(vhost.changed_at());
        }
        file.warn();
        Ok(position)
    }

    /// A virtual host that was there, or was made a moment ago.
    fn imported_into(&self, name: &str) -> Result<Arc<Vhost>, DefinitionsError> {
        self.vhost(name).ok_or_else(|| DefinitionsError::NoSuchVhost(name.to_owned()))
    }

    /// All or nothing.
    fn import_administered(&self, file: &DefinitionsFile) -> Result<(), DefinitionsError> {
        let _changing = self.vhost_changes.lock();
        let names: Vec<_> = file.vhosts.iter().map(|entry| (entry.name.clone(), self.node().ids.fresh())).collect();
        let fresh: BTreeMap<_, _> = names.into_iter().collect();
        let made = self
            .administer(|state| {
                let vhosts = file.vhost_changes(state, &fresh, &self.node().settings)?;
                file.check_ends(state, &vhosts)?;
                let mut changes: Vec<_> = vhosts.values().cloned().map(Administered::Vhost).collect();
                let new = vhosts.keys().map(String::as_str).filter(|name| !state.vhosts.contains_key(*name));
                let new: Vec<_> = new.collect();
                self.check_vhost_count(state, &new)?;
                // Before what the file says of the same things.
                changes.extend(self.node().settings.vhost_defaults.changes(new.into_iter(), state));
                changes.extend(file.other_changes(state, self.hashing())?);
                Ok((vhosts, changes))
            })
            .map_err(|error| DefinitionsError::Invalid(error.to_string()))?;
        for (name, definition) in made {
            let new = || {
                let vhost = Vhost::bare(&definition, Arc::clone(self.node()));
                vhost.load_policies();
                vhost.declare_standard_exchanges();
                vhost
            };
            self.vhosts.entry(name.as_str().into()).or_insert_with(new).set_tracing(definition.tracing);
        }
        self.rights_changed(None);
        Ok(())
    }
}

impl DefinitionsFile {
    /// Says in the log what an administrator might not expect.
    fn warn(&self) {
        let passed_over = self.queues.iter().filter(|queue| !queue.is_imported()).count()
            + self.exchanges.iter().filter(|exchange| !exchange.is_imported()).count()
            + self.bindings.iter().filter(|binding| !binding.is_imported()).count();
        if passed_over > 0 {
            tracing::warn!(passed_over, "reserved names in an imported file were passed over");
        }
        self.warn_of_vhosts();
        for policy in &self.policies {
            // Mirrored queues of RabbitMQ 3.
            for key in policy.definition.keys().filter(|key| key.starts_with("ha-")) {
                let (name, vhost) = (&policy.name, &policy.vhost);
                tracing::warn!("policy '{name}' in virtual host '{vhost}' has no effect by {key}: there is one node");
            }
        }
        for place in &self.placeholders {
            tracing::warn!("{place}: nothing stands in for a placeholder in definitions; write what is meant");
        }
    }

    /// Says what of virtual hosts stands where it has no effect, as in RabbitMQ.
    fn warn_of_vhosts(&self) {
        let is_parameter = |vhost: &str, limits: &Map<String, Value>| {
            let limits_of = |it: &&ParameterDefinition| it.component == VHOST_LIMITS && it.vhost == vhost;
            self.parameters.iter().filter(limits_of).any(|it| it.value.as_object() == Some(limits))
        };
        let limited =
            self.vhosts.iter().filter(|entry| entry.limits().is_some_and(|it| !is_parameter(&entry.name, it)));
        for VhostEntry { name, .. } in limited.take(TOLD_MAX) {
            tracing::warn!(
                "limits of virtual host '{name}' in an imported file have no effect: write a parameter {VHOST_LIMITS}"
            );
        }
        let misplaced = self.vhosts.iter().flat_map(|entry| entry.misplaced().map(move |key| (&entry.name, key)));
        for (name, key) in misplaced.take(TOLD_MAX) {
            tracing::warn!(
                "{key} of virtual host '{name}' in an imported file has no effect: it belongs into its metadata"
            );
        }
    }

    /// The virtual hosts of which the file brings policies, or operator policies.
    fn vhosts_with_policies(&self) -> BTreeSet<&str> {
        let operators = self.parameters.iter().filter(|parameter| parameter.component == OPERATOR_POLICY);
        let operators = operators.map(|parameter| parameter.vhost.as_str());
        self.policies.iter().map(|policy| policy.vhost.as_str()).chain(operators).collect()
    }

    /// The virtual hosts as they will be, where the file says something of them.
    pub(super) fn vhost_changes(
        &self,
        state: &MetadataState,
        fresh: &BTreeMap<String, u64>,
        settings: &NodeSettings,
    ) -> Result<BTreeMap<String, VhostDefinition>, AdministrationError> {
        let mut changed: BTreeMap<String, VhostDefinition> = BTreeMap::new();
        for entry in &self.vhosts {
            let new = || {
                let id = fresh.get(&entry.name).copied().unwrap_or_default();
                let new = VhostDefinition::new(&entry.name, settings.default_queue_kind, QueueId(id));
                settings.vhost_defaults.limited(new)
            };
            let known = || state.vhosts.get(&entry.name).cloned().unwrap_or_else(new);
            let definition = changed.entry(entry.name.clone()).or_insert_with(known);
            entry.apply_to(definition);
        }
        for parameter in &self.parameters {
            let Understood::Limits { vhost, limits } = understood(parameter.clone())? else { continue };
            let known = changed.get(&vhost).or_else(|| state.vhosts.get(&vhost)).cloned();
            let known = known.ok_or(AdministrationError::NoSuchVhost)?;
            changed.insert(vhost, VhostDefinition { limits, ..known });
        }
        Ok(changed)
    }

    /// Somebody may have deleted something since the file was looked at.
    fn check_ends(
        &self,
        state: &MetadataState,
        made: &BTreeMap<String, VhostDefinition>,
    ) -> Result<(), AdministrationError> {
        let permissions = self.permissions.iter().map(|permission| (&permission.vhost, &permission.user));
        let topics = self.topic_permissions.iter().map(|permission| (&permission.vhost, &permission.user));
        let users: HashSet<&str> = self.users.iter().map(|user| user.name.as_str()).collect();
        let has_user = |name: &String| state.users.contains_key(name) || users.contains(name.as_str());
        if permissions.clone().chain(topics.clone()).any(|(_, user)| !has_user(user)) {
            return Err(AdministrationError::NoSuchVhostOrUser);
        }
        let parameters = self.parameters.iter().map(|parameter| &parameter.vhost);
        let policies = self.policies.iter().map(|policy| &policy.vhost);
        let mut vhosts = permissions.chain(topics).map(|(vhost, _)| vhost).chain(parameters).chain(policies);
        let is_there = |name: &String| state.vhosts.contains_key(name) || made.contains_key(name);
        if vhosts.all(is_there) { Ok(()) } else { Err(AdministrationError::NoSuchVhost) }
    }

    fn other_changes(
        &self,
        state: &MetadataState,
        usual: HashingAlgorithm,
    ) -> Result<Vec<Administered>, AdministrationError> {
        let user = |entry: &UserEntry| {
            let known = state.users.get(&*entry.name).map(|known| known.limits);
            let limits = entry.limits.or(known).unwrap_or_default();
            Ok::<_, AdministrationError>(Administered::User(User { limits, ..entry.user(usual)? }))
        };
        let mut changes = self.users.iter().map(user).collect::<Result<Vec<_>, _>>()?;
        changes.extend(self.permissions.iter().cloned().map(Administered::Permission));
        changes.extend(self.topic_permissions.iter().cloned().map(Administered::TopicPermission));
        for parameter in &self.parameters {
            match understood(parameter.clone())? {
                Understood::Policy(policy) => changes.push(Administered::Policy(policy)),
                Understood::Kept(parameter) => changes.push(Administered::Parameter(parameter)),
                Understood::Limits { .. } => {}
            }
        }
        // What told another cluster from all others does not tell this one.
        let own = self.global_parameters.iter().filter(|parameter| parameter.name != INTERNAL_CLUSTER_ID);
        changes.extend(own.cloned().map(Administered::GlobalParameter));
        changes.extend(self.policies.iter().cloned().map(Administered::Policy));
        Ok(changes)
    }
}

fn from_file(vhost: &Vhost) -> DeclaredFrom<'_> {
    DeclaredFrom { vhost: &vhost.name, by: Some("imported definitions"), ..DeclaredFrom::default() }
}

fn bind(vhost: &Vhost, entry: &BindingEntry, now_ms: u64) -> Result<(), DefinitionsError> {
    let BindingEntry { source, destination, arguments, .. } = entry;
    let (key, arguments) = (entry.routing_key.as_bytes(), arguments.clone());
    match entry.destination_type {
        End::Queue => vhost.bind_queue(destination, source, key, arguments, IMPORTER, now_ms)?,
        End::Exchange => vhost.bind_exchange(destination, source, key, arguments, now_ms)?,
    }
    Ok(())
}
