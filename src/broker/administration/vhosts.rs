//! Virtual hosts, made and deleted while the broker runs.

use std::sync::Arc;

use super::{AdministrationError, Put};
use crate::auth::{ADMINISTRATOR, GUEST, User};
use crate::broker::Broker;
use crate::broker::definitions::{Administered, PermissionDefinition, VhostDefinition};
use crate::broker::ids::QueueId;
use crate::broker::metadata::MetadataState;
use crate::broker::queue::arguments::QueueKind;
use crate::broker::vhost::Vhost;

/// The virtual host that a new broker has.
pub(crate) const DEFAULT_VHOST: &str = "/";
/// RabbitMQ's description of it.
const DEFAULT_DESCRIPTION: &str = "Default virtual host";

/// What is said of a virtual host that is put. As in RabbitMQ, a description and tags that are not given are empty then, and the
/// rest stays as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VhostSettings {
    /// Shown to people, and without effect.
    pub description: String,
    /// Shown to people, and without effect.
    pub tags: Vec<String>,
    /// The type of queues that do not name one.
    pub default_queue_kind: Option<QueueKind>,
    /// Its messages are to be traced.
    pub tracing: Option<bool>,
    /// It cannot be deleted.
    pub protected_from_deletion: Option<bool>,
}

impl VhostSettings {
    /// One of which only the default type of queues is said.
    pub fn of_kind(kind: QueueKind) -> Self {
        Self { default_queue_kind: Some(kind), ..Self::default() }
    }

    fn applied_to(self, known: VhostDefinition) -> VhostDefinition {
        VhostDefinition {
            description: self.description,
            tags: self.tags,
            default_queue_kind: self.default_queue_kind.unwrap_or(known.default_queue_kind),
            tracing: self.tracing.unwrap_or(known.tracing),
            protected_from_deletion: self.protected_from_deletion.unwrap_or(known.protected_from_deletion),
            ..known
        }
    }
}

impl Broker {
    /// All virtual hosts, by name.
    pub fn vhosts(&self) -> Vec<Arc<Vhost>> {
        let mut vhosts: Vec<_> = self.vhosts.iter().map(|vhost| Arc::clone(&vhost)).collect();
        vhosts.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        vhosts
    }

    /// What is said of all virtual hosts, by name.
    pub fn vhost_definitions(&self) -> Vec<VhostDefinition> {
        self.node().metadata.read(|state| state.vhosts.values().cloned().collect())
    }

    /// What is said of a virtual host.
    pub fn vhost_definition(&self, name: &str) -> Option<VhostDefinition> {
        self.node().metadata.read(|state| state.vhosts.get(name).cloned())
    }

    /// Adds a virtual host, unless there is one of this name.
    pub fn add_vhost(&self, name: &str, default_queue_kind: QueueKind) -> Arc<Vhost> {
        self.add_vhost_with(name, VhostSettings::of_kind(default_queue_kind))
    }

    /// Adds the virtual host that a new broker has, unless there is one of this name.
    pub(crate) fn add_default_vhost(&self, name: &str) -> Arc<Vhost> {
        let description = DEFAULT_DESCRIPTION.to_owned();
        self.add_vhost_with(name, VhostSettings { description, ..VhostSettings::default() })
    }

    fn add_vhost_with(&self, name: &str, settings: VhostSettings) -> Arc<Vhost> {
        if let Some(vhost) = self.vhost(name) {
            return vhost;
        }
        let kind = settings.default_queue_kind.unwrap_or(self.node().settings.default_queue_kind);
        let never = |_: &MetadataState| Ok(Vec::new());
        match self.make_vhost(name, settings, never) {
            Ok((_, vhost)) => vhost,
            // Nothing was asked that could be refused.
            Err(_) => Vhost::bare(&VhostDefinition::new(name, kind, QueueId(0)), Arc::clone(self.node())),
        }
    }

    /// Makes a virtual host or changes it. Who makes it may do everything in it, if that is somebody.
    ///
    /// # Errors
    /// When the maker is nobody.
    pub fn put_vhost(
        &self,
        name: &str,
        settings: VhostSettings,
        maker: Option<&str>,
    ) -> Result<Put, AdministrationError> {
        let (put, _) = self.make_vhost(name, settings, |state| {
            let Some(maker) = maker else { return Ok(Vec::new()) };
            state.users.get(maker).ok_or(AdministrationError::NoSuchVhostOrUser)?;
            Ok(vec![Administered::Permission(everything(maker, name))])
        })?;
        Ok(put)
    }

    /// Makes a virtual host, with what `along` says, or changes it.
    fn make_vhost(
        &self,
        name: &str,
        settings: VhostSettings,
        along: impl FnOnce(&MetadataState) -> Result<Vec<Administered>, AdministrationError>,
    ) -> Result<(Put, Arc<Vhost>), AdministrationError> {
        // Held until it is in the map: a policy that is put between its look at all policies and that would
        // find nobody to obey it.
        let _changing = self.vhost_changes.lock();
        let fresh = QueueId(self.node().ids.fresh());
        let (kind, defaults) = (self.node().settings.default_queue_kind, &self.node().settings.vhost_defaults);
        let (put, definition) = self.administer(|state| {
            let known = state.vhosts.get(name);
            let new = || defaults.limited(VhostDefinition::new(name, kind, fresh));
            let before = known.cloned().unwrap_or_else(new);
            let definition = settings.applied_to(before);
            let mut changes = vec![Administered::Vhost(definition.clone())];
            if known.is_none() {
                self.check_vhost_count(state, &[name])?;
                changes.extend(defaults.changes([name].into_iter(), state));
                changes.extend(along(state)?);
            }
            Ok(((Put::over(known), definition), changes))
        })?;
        let new = || {
            let vhost = Vhost::bare(&definition, Arc::clone(self.node()));
            vhost.load_policies();
            vhost.declare_standard_exchanges();
            vhost
        };
        let vhost = Arc::clone(&self.vhosts.entry(name.into()).or_insert_with(new));
        vhost.set_tracing(definition.tracing);
        Ok((put, vhost))
    }

    /// Deletes a virtual host with everything in it, and closes its connections. It takes as long as there are queues.
    ///
    /// # Errors
    /// When there is none, or it is protected.
    pub fn delete_vhost(&self, name: &str) -> Result<(), AdministrationError> {
        let changing = self.vhost_changes.lock();
        let vhost = self.vhost(name).ok_or(AdministrationError::NotFound)?;
        self.administer(|state| {
            let definition = state.vhosts.get(name).ok_or(AdministrationError::NotFound)?;
            if definition.protected_from_deletion {
                return Err(AdministrationError::Protected(name.to_owned()));
            }
            // First: behind its end the log must tell of nothing new in it.
            vhost.close();
            Ok(((), vec![Administered::VhostDeleted { name: name.to_owned() }]))
        })?;
        // A checkpoint still tells where its messages are, until they are free.
        self.leaving.lock().push(Arc::clone(&vhost));
        self.vhosts.remove(name);
        // What follows takes long. A new one of this name may be made meanwhile.
        drop(changing);
        self.node().registry.close_where(|connection| *connection.spec.vhost == *name, &vhost.deleted());
        vhost.delete_everything();
        self.leaving.lock().retain(|leaving| !Arc::ptr_eq(leaving, &vhost));
        Ok(())
    }

    /// Protects a virtual host from deletion, or not any more.
    ///
    /// # Errors
    /// When there is none.
    pub fn protect_vhost(&self, name: &str, is_protected: bool) -> Result<(), AdministrationError> {
        self.administer(|state| {
            let known = state.vhosts.get(name).ok_or(AdministrationError::NoSuchVhost)?;
            let definition = VhostDefinition { protected_from_deletion: is_protected, ..known.clone() };
            Ok(((), vec![Administered::Vhost(definition)]))
        })
    }

    /// Whether what a new broker has was made: then what is missing of it was deleted.
    pub fn has_begun(&self) -> bool {
        self.node().metadata.read(|state| state.has_begun)
    }

    /// Makes what a new broker has: the virtual host `/`, and `guest` as its administrator unless there are users. It is made
    /// once in the life of a data directory.
    ///
    /// # Errors
    /// When the system gives no random numbers for guest's password.
    pub fn begin(&self) -> Result<(), AdministrationError> {
        if self.has_begun() {
            return Ok(());
        }
        self.add_default_vhost(DEFAULT_VHOST);
        let guest = User::new(GUEST, self.hashing().hash(GUEST.as_bytes())?, vec![ADMINISTRATOR.to_owned()]);
        let has_users = !self.users().is_empty();
        self.begin_with((!has_users).then_some(guest), |vhost| everything(GUEST, vhost)).map(drop)
    }

    /// Notes that what a new broker has was made, and makes with it this user, unless there is one of its name, with these permissions in
    /// all virtual hosts. Whether the user was made.
    ///
    /// # Errors
    /// None that could be foreseen; a later version may have some.
    pub fn begin_with(
        &self,
        user: Option<User>,
        permission: impl Fn(&str) -> PermissionDefinition,
    ) -> Result<bool, AdministrationError> {
        self.administer(|state| {
            let mut changes = vec![Administered::Begun];
            let new = user.filter(|user| !state.users.contains_key(&*user.name));
            let is_made = new.is_some();
            if let Some(user) = new {
                changes.push(Administered::User(user));
                changes.extend(state.vhosts.keys().map(|vhost| Administered::Permission(permission(vhost))));
            }
            Ok((is_made, changes))
        })
    }
}

/// Permission to do everything.
pub(crate) fn everything(user: &str, vhost: &str) -> PermissionDefinition {
    let all = || ".*".to_owned();
    PermissionDefinition { user: user.to_owned(), vhost: vhost.to_owned(), configure: all(), write: all(), read: all() }
}
