//! Everything in a file is looked at before anything of it is done.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::entries::{BindingEntry, End, ExchangeEntry, QueueEntry};
use super::{DefinitionsError, DefinitionsFile};
use crate::auth::{Permissions, TopicPermission, Variables};
use crate::broker::Broker;
use crate::broker::administration::{check_policy, understood};
use crate::broker::definitions::{ParameterDefinition, PolicyDefinition, VhostDefinition};
use crate::broker::exchange::{Binding, Destination, DestinationKind, Routing};
use crate::broker::ids::QueueId;
use crate::broker::metadata::effective;
use crate::broker::queue::arguments::QueueKind;
use crate::broker::vhost::{Vhost, standard_exchanges};

/// A thing by the names of its virtual host and its own.
type Name<'a> = (&'a str, &'a str);

/// What will be there, as far as it is not there yet.
struct Stage<'a> {
    broker: &'a Broker,
    vhosts: HashMap<&'a str, Arc<Vhost>>,
    users: HashSet<&'a str>,
    queues: HashMap<Name<'a>, QueueKind>,
    exchanges: HashMap<Name<'a>, Box<dyn Routing>>,
}

impl DefinitionsFile {
    /// # Errors
    /// When something in the file cannot be done here.
    pub(super) fn check(&self, broker: &Broker) -> Result<(), DefinitionsError> {
        let mut stage = Stage {
            broker,
            vhosts: HashMap::new(),
            users: self.users.iter().map(|user| user.name.as_str()).collect(),
            queues: HashMap::new(),
            exchanges: HashMap::new(),
        };
        stage.add_vhosts(self)?;
        stage.check_permissions(self)?;
        for parameter in &self.parameters {
            stage.vhost(&parameter.vhost)?;
            understood(parameter.clone()).map_err(|error| of_parameter(parameter, &error))?;
        }
        for policy in &self.policies {
            stage.vhost(&policy.vhost)?;
            check_policy(&without_mirrors(policy)).map_err(|error| of_policy(policy, &error))?;
        }
        let kinds = self.default_queue_kinds();
        self.queues.iter().try_for_each(|queue| stage.add_queue(queue, kinds.get(queue.vhost.as_str()).copied()))?;
        stage.check_queue_counts(self)?;
        self.exchanges.iter().try_for_each(|exchange| stage.add_exchange(exchange))?;
        self.bindings.iter().try_for_each(|binding| stage.check_binding(binding))?;
        let topics = &self.topic_permissions;
        topics.iter().try_for_each(|topic| stage.source(&topic.vhost, &topic.exchange, |_| Ok(())))
    }

    /// The type of queues that the file wants a virtual host to have, where it says so.
    fn default_queue_kinds(&self) -> HashMap<&str, QueueKind> {
        self.vhosts.iter().filter_map(|entry| Some((entry.name.as_str(), entry.default_queue_kind()?))).collect()
    }
}

impl<'a> Stage<'a> {
    fn add_vhosts(&mut self, file: &'a DefinitionsFile) -> Result<(), DefinitionsError> {
        for entry in &file.vhosts {
            if self.broker.vhost(&entry.name).is_some() {
                continue;
            }
            // It stands for the one that will be made: nobody else ever sees it.
            let definition =
                VhostDefinition::new(&entry.name, self.broker.node().settings.default_queue_kind, QueueId(0));
            self.vhosts.insert(&entry.name, Vhost::bare(&definition, Arc::clone(self.broker.node())));
            for (exchange, routing) in standard_exchanges() {
                self.exchanges.insert((&entry.name, exchange), routing);
            }
        }
        Ok(())
    }

    fn vhost(&self, name: &str) -> Result<Arc<Vhost>, DefinitionsError> {
        let found = self.vhosts.get(name).cloned().or_else(|| self.broker.vhost(name));
        found.ok_or_else(|| DefinitionsError::NoSuchVhost(name.to_owned()))
    }

    fn find_user(&self, name: &str) -> Result<(), DefinitionsError> {
        let is_there = self.users.contains(name) || self.broker.user(name).is_some();
        if is_there { Ok(()) } else { Err(DefinitionsError::NoSuchUser(name.to_owned())) }
    }

    fn check_permissions(&self, file: &DefinitionsFile) -> Result<(), DefinitionsError> {
        for permission in &file.permissions {
            self.vhost(&permission.vhost)?;
            self.find_user(&permission.user)?;
            Permissions::new(&permission.configure, &permission.write, &permission.read).map_err(invalid)?;
        }
        for permission in &file.topic_permissions {
            self.vhost(&permission.vhost)?;
            self.find_user(&permission.user)?;
            let variables = Variables { username: &permission.user, vhost: &permission.vhost, client_id: None };
            TopicPermission::new(&permission.write, &permission.read, &variables).map_err(invalid)?;
        }
        Ok(())
    }

    fn add_queue(&mut self, queue: &'a QueueEntry, default: Option<QueueKind>) -> Result<(), DefinitionsError> {
        let vhost = self.vhost(&queue.vhost)?;
        if queue.is_imported() {
            let kind = vhost.check_new_queue(&queue.declare(default))?;
            self.queues.insert((&queue.vhost, &queue.name), kind);
        }
        Ok(())
    }

    /// In RabbitMQ's words, which looks at the limits only that are there before the import. Those of the file itself count here, too: there more
    /// queues come in than may be, and then the bindings of the others fail.
    fn check_queue_counts(&self, file: &DefinitionsFile) -> Result<(), DefinitionsError> {
        let node = self.broker.node();
        let changed = node.metadata.read(|state| file.vhost_changes(state, &BTreeMap::new(), &node.settings));
        let changed = changed.map_err(invalid)?;
        for (name, added) in self.added_queues() {
            let definition = changed.get(name).cloned().or_else(|| self.broker.vhost_definition(name));
            let Some(max) = definition.and_then(|definition| effective(definition.limits.max_queues)) else { continue };
            let present = self.broker.vhost(name).map_or(0, |vhost| vhost.read(|topology| topology.objects().queues));
            if (present + added) as u64 > max {
                return Err(DefinitionsError::Invalid(format!(
                    "Adding {added} queue(s) to virtual host \"{name}\" would exceed the limit of {max} queue(s).\n\nThis virtual host \
                     currently has {present} queue(s) defined.\n\nImport aborted!"
                )));
            }
        }
        Ok(())
    }

    /// How many queues come into each virtual host.
    fn added_queues(&self) -> BTreeMap<&'a str, usize> {
        let mut added = BTreeMap::new();
        for (vhost, name) in self.queues.keys() {
            let known = self.broker.vhost(vhost);
            if !known.is_some_and(|known| known.read(|topology| topology.queue(name).is_some())) {
                *added.entry(*vhost).or_default() += 1;
            }
        }
        added
    }

    fn add_exchange(&mut self, exchange: &'a ExchangeEntry) -> Result<(), DefinitionsError> {
        let vhost = self.vhost(&exchange.vhost)?;
        let name = (exchange.vhost.as_str(), exchange.name.as_str());
        if exchange.is_imported()
            && !self.exchanges.contains_key(&name)
            && let Some(routing) = vhost.check_new_exchange(&exchange.declare())?
        {
            self.exchanges.insert(name, routing);
        }
        Ok(())
    }

    fn check_binding(&self, entry: &BindingEntry) -> Result<(), DefinitionsError> {
        let vhost = self.vhost(&entry.vhost)?;
        if !entry.is_imported() {
            return Ok(());
        }
        let kind = match entry.destination_type {
            End::Exchange => {
                self.source(&entry.vhost, &entry.destination, |_| Ok(()))?;
                DestinationKind::Exchange
            }
            End::Queue => match self.queue(&vhost, entry)? {
                QueueKind::Classic => DestinationKind::ClassicQueue,
                QueueKind::Quorum => DestinationKind::QuorumQueue,
            },
        };
        // Which queue it is makes no difference to whether the binding is accepted.
        let binding =
            Binding::new(Destination::Queue(QueueId(0)), entry.routing_key.as_bytes(), entry.arguments.clone());
        self.source(&entry.vhost, &entry.source, |routing| {
            Ok(vhost.check_new_binding(&entry.source, routing, &binding, kind)?)
        })
    }

    fn queue(&self, vhost: &Vhost, entry: &BindingEntry) -> Result<QueueKind, DefinitionsError> {
        let (of, name) = (entry.vhost.as_str(), entry.destination.as_str());
        if let Some(kind) = self.queues.get(&(of, name)) {
            return Ok(*kind);
        }
        let found = vhost.read(|topology| topology.queue(name).map(|queue| queue.spec.arguments.kind));
        found.ok_or_else(|| missing(of, "queue", name))
    }

    /// Looks at how an exchange routes, or will.
    fn source(
        &self,
        vhost: &str,
        name: &str,
        look: impl FnOnce(&dyn Routing) -> Result<(), DefinitionsError>,
    ) -> Result<(), DefinitionsError> {
        if let Some(routing) = self.exchanges.get(&(vhost, name)) {
            return look(&**routing);
        }
        self.vhost(vhost)?.read(|topology| match topology.exchange(name) {
            Some(exchange) => look(&*exchange.routing),
            None => Err(missing(vhost, "exchange", name)),
        })
    }
}

fn missing(vhost: &str, kind: &'static str, name: &str) -> DefinitionsError {
    DefinitionsError::Missing { vhost: vhost.to_owned(), kind, name: name.to_owned() }
}

fn invalid(error: impl std::error::Error) -> DefinitionsError {
    DefinitionsError::Invalid(error.to_string())
}

fn of_policy(policy: &PolicyDefinition, error: &impl std::error::Error) -> DefinitionsError {
    DefinitionsError::Invalid(format!("{error} (vhost: \"{}\" key: \"{}\")", policy.vhost, policy.name))
}

fn of_parameter(parameter: &ParameterDefinition, error: &impl std::error::Error) -> DefinitionsError {
    let ParameterDefinition { vhost, component, name, .. } = parameter;
    DefinitionsError::Invalid(format!("{error} (vhost: \"{vhost}\" / component: \"{component}\" / key: \"{name}\")"))
}

/// A policy without what RabbitMQ 3 knew of mirrored queues, and RabbitMQ 4 refuses: it means nothing on one node, and must not keep a
/// file from being imported.
fn without_mirrors(policy: &PolicyDefinition) -> PolicyDefinition {
    let mut policy = policy.clone();
    let mirrors = |key: &str| key.starts_with("ha-");
    if !policy.definition.keys().all(|key| mirrors(key)) {
        policy.definition.retain(|key, _| !mirrors(key));
    } else if !policy.definition.is_empty() {
        // Nothing else is left to be looked at but the pattern.
        policy.definition = [("queue-mode".to_owned(), "default".into())].into_iter().collect();
    }
    policy
}
