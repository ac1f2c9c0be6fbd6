//! Users.

use std::sync::Arc;

use super::{AdministrationError, Put};
use crate::auth::{HashingAlgorithm, PasswordHash, User};
use crate::broker::Broker;
use crate::broker::definitions::Administered;
use crate::error::AmqpError;

impl Broker {
    /// How passwords of new users are hashed.
    pub fn hashing(&self) -> HashingAlgorithm {
        self.node().settings.password_hashing
    }

    /// All users, by name.
    pub fn users(&self) -> Vec<Arc<User>> {
        self.node().metadata.read(|state| state.users.values().cloned().collect())
    }

    /// A user by its name.
    pub fn user(&self, name: &str) -> Option<Arc<User>> {
        self.node().metadata.user(name)
    }

    /// Makes a user or changes it. Its limits stay, and so do its connections: the password counts for the next login.
    ///
    /// # Errors
    /// None that could be foreseen; a later version may have some.
    pub fn put_user(&self, name: &str, password: PasswordHash, tags: Vec<String>) -> Result<Put, AdministrationError> {
        self.administer(|state| {
            let known = state.users.get(name);
            let limits = known.map(|known| known.limits).unwrap_or_default();
            let user = User { limits, ..User::new(name, password, tags) };
            Ok((Put::over(known), vec![Administered::User(user)]))
        })
    }

    /// Deletes a user with its permissions, and closes its connections.
    ///
    /// # Errors
    /// When there is none.
    pub fn delete_user(&self, name: &str) -> Result<(), AdministrationError> {
        self.administer(|state| {
            state.users.get(name).ok_or(AdministrationError::NotFound)?;
            Ok(((), vec![Administered::UserDeleted { name: name.to_owned() }]))
        })?;
        self.rights_changed(None);
        let error = AmqpError::connection_forced(format!("user '{name}' is deleted"));
        self.node().registry.close_where(|connection| *connection.spec.user == *name, &error);
        Ok(())
    }
}
