//! The users and virtual hosts that are to be there when a broker starts.

use std::fmt;

use super::cluster::ClusterAtStart;
use super::definitions::{DefinitionsAtStart, LoadedDefinitions};
use super::start_error::StartFailure;
use crate::auth::{GUEST, User};
use crate::broker::Broker;
use crate::broker::administration::{AdministrationError, DEFAULT_VHOST};
use crate::broker::definitions::PermissionDefinition;
use crate::broker::queue::arguments::QueueKind;
use crate::clock::Clock;
use crate::config::Settings;
use crate::http::StartOver;

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

/// The user and the virtual host that a new broker has.
pub(super) struct First {
    user: String,
    password: String,
    /// Somebody said which user or password it is to have.
    is_wanted: bool,
    tags: Vec<String>,
    /// Expressions for configure, write and read.
    permissions: [String; 3],
    vhost: String,
    is_vhost_wanted: bool,
}

impl Default for First {
    fn default() -> Self {
        Self::from(&Settings::default())
    }
}

impl From<&Settings> for First {
    fn from(settings: &Settings) -> Self {
        let Settings { default_permissions_configure, default_permissions_write, default_permissions_read, .. } =
            settings;
        let permissions = [default_permissions_configure, default_permissions_write, default_permissions_read];
        Self {
            user: settings.default_user.clone().unwrap_or_else(|| GUEST.to_owned()),
            password: settings.default_pass.as_ref().map_or(GUEST, |secret| &secret.0).to_owned(),
            is_wanted: settings.default_user.is_some() || settings.default_pass.is_some(),
            tags: settings.default_user_tags.iter().filter(|tag| *tag != "none").cloned().collect(),
            permissions: permissions.map(|expression| expression.0.clone()),
            vhost: settings.default_vhost.clone().unwrap_or_else(|| DEFAULT_VHOST.to_owned()),
            is_vhost_wanted: settings.default_vhost.is_some(),
        }
    }
}

impl fmt::Debug for First {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("First").field("user", &self.user).field("vhost", &self.vhost).finish_non_exhaustive()
    }
}

/// What a broker is to have: what a new one has, and what whoever embeds it asked for.
pub(super) struct Populated<'a> {
    pub(super) vhosts: &'a [(String, QueueKind)],
    pub(super) users: &'a [Account],
    pub(super) first: &'a First,
    pub(super) cluster: &'a ClusterAtStart,
}

impl Populated<'_> {
    /// Imports the definitions, and makes what is not there.
    pub(super) fn populate(
        &self,
        broker: &Broker,
        definitions: &DefinitionsAtStart,
        now_ms: u64,
    ) -> Result<(), StartFailure> {
        self.fill(broker, definitions, now_ms, !broker.has_begun())
    }

    /// Removes everything, and makes what a new broker has.
    ///
    /// # Errors
    /// As for `populate`; and when a virtual host is protected from deletion: it and what was not removed yet stay.
    pub(super) fn start_over(
        &self,
        broker: &Broker,
        definitions: &DefinitionsAtStart,
        now_ms: u64,
    ) -> Result<(), StartFailure> {
        for vhost in broker.vhosts() {
            broker.delete_vhost(&vhost.name)?;
        }
        for user in broker.users() {
            broker.delete_user(&user.name)?;
        }
        for parameter in broker.global_parameters() {
            broker.delete_global_parameter(&parameter.name)?;
        }
        self.fill(broker, definitions, now_ms, true)
    }

    fn fill(
        &self,
        broker: &Broker,
        definitions: &DefinitionsAtStart,
        now_ms: u64,
        is_new: bool,
    ) -> Result<(), StartFailure> {
        broker.make_cluster_id()?;
        // Before the definitions, as in RabbitMQ: what they say counts more.
        self.cluster.tell(broker)?;
        // All files are read before one is imported: a mistake in the last of them is found before the
        // first has changed anything.
        let loaded = definitions.load()?;
        if is_new && self.first.makes_vhost(&loaded) {
            broker.add_default_vhost(&self.first.vhost);
        }
        // Before the accounts of whoever embeds the broker: what the program asks for counts more than a file.
        loaded.import(broker, now_ms)?;
        self.add_accounts(broker)?;
        // Last: it depends on what there is by now whether a first user is needed.
        if is_new {
            self.first.begin(broker, &loaded)?;
        } else if self.first.is_wanted {
            self.first.tell_of_the_past(broker);
        }
        Ok(())
    }

    fn add_accounts(&self, broker: &Broker) -> Result<(), AdministrationError> {
        for (name, default_queue_kind) in self.vhosts {
            broker.add_vhost(name, *default_queue_kind);
        }
        for Account { name, password, tags, permissions } in self.users {
            let is_as_wanted = |known: &User| known.password.matches(password.as_bytes()) && known.tags == *tags;
            // A salt is drawn for each password that is put, so one that is right already would be
            // written anew at each start.
            if !broker.user(name).is_some_and(|known| is_as_wanted(&known)) {
                broker.put_user(name, broker.hashing().hash(password.as_bytes())?, tags.clone())?;
            }
            for permission in permissions {
                // `/` may have been deleted since the first start.
                if broker.vhost(&permission.vhost).is_some() {
                    broker.put_permission(permission.clone())?;
                }
            }
        }
        Ok(())
    }
}

/// What makes a broker as new, whenever it is asked to.
pub(super) fn again(
    vhosts: Vec<(String, QueueKind)>,
    users: Vec<Account>,
    first: First,
    cluster: ClusterAtStart,
    definitions: DefinitionsAtStart,
    clock: Clock,
) -> StartOver {
    Box::new(move |broker| {
        let populated = Populated { vhosts: &vhosts, users: &users, first: &first, cluster: &cluster };
        populated.start_over(broker, &definitions, clock.now_ms()).map_err(|error| error.to_string())
    })
}

impl First {
    /// The user and the virtual host.
    pub(super) fn names(&self) -> (String, String) {
        (self.user.clone(), self.vhost.clone())
    }

    /// As in RabbitMQ, definitions that bring virtual hosts are enough; those that name no virtual host need the default one.
    fn makes_vhost(&self, loaded: &LoadedDefinitions) -> bool {
        !loaded.is_instead()
            && (self.is_wanted || self.is_vhost_wanted || !loaded.has_vhosts() || loaded.names(&self.vhost))
    }

    /// Makes the first user of a new broker. RabbitMQ makes none where it imports definitions, which is a surprise when a user was asked for, or
    /// when the definitions bring none and nobody could log in.
    fn begin(&self, broker: &Broker, loaded: &LoadedDefinitions) -> Result<(), AdministrationError> {
        // Users that virtual hosts come with are there besides the first one.
        let defaults = &broker.node().settings.vhost_defaults;
        let is_own = |user: &User| !defaults.names_user(&user.name) || loaded.has_user(&user.name);
        let has_users = broker.users().iter().any(|user| is_own(user));
        let is_made = !loaded.is_instead() && (self.is_wanted || !has_users);
        let user = if is_made {
            Some(User::new(&self.user, broker.hashing().hash(self.password.as_bytes())?, self.tags.clone()))
        } else {
            None
        };
        let is_made = broker.begin_with(user, |vhost| self.permission(vhost))?;
        if !loaded.is_there() {
            return Ok(());
        }
        let user = &self.user;
        match (is_made, self.is_wanted) {
            (true, true) => tracing::info!(
                "made user '{user}' besides those of the definitions, because default_user or default_pass is set; RabbitMQ \
                 makes none then, nor does definitions_only = true"
            ),
            (true, false) => tracing::info!("the definitions have no users: made {user}, with the password {user}"),
            (false, true) if broker.user(user).is_some() => {
                tracing::info!("user '{user}' is as the definitions say: default_pass is not used");
            }
            (false, true) => {
                tracing::warn!("user '{user}' was not made, because there are definitions and definitions_only is set")
            }
            (false, false) if !has_users => {
                tracing::warn!("nobody can log in: the definitions have no users, and definitions_only is set");
            }
            (false, false) => {}
        }
        Ok(())
    }

    fn permission(&self, vhost: &str) -> PermissionDefinition {
        let [configure, write, read] = self.permissions.clone();
        PermissionDefinition { user: self.user.clone(), vhost: vhost.to_owned(), configure, write, read }
    }

    /// A default user is made at the first start only. Whoever changed its name or password since then wonders.
    fn tell_of_the_past(&self, broker: &Broker) {
        let user = &self.user;
        match broker.user(user) {
            None => tracing::warn!(
                "user '{user}' was not made: a default user is made only while the data directory is new; make it with \
                 'rabbitmqctl add_user', or over the management API"
            ),
            Some(known) if !known.password.matches(self.password.as_bytes()) => tracing::warn!(
                "user '{user}' keeps its password: default_pass counts only while the data directory is new; change it with \
                 'rabbitmqctl change_password', or over the management API"
            ),
            Some(_) => {}
        }
    }
}
