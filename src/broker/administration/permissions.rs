//! Permissions and topic permissions. A change is seen by the next operation of every connection that it concerns.

use super::vhosts::everything;
use super::{AdministrationError, Put};
use crate::auth::{Permissions, TopicPermission, Variables};
use crate::broker::Broker;
use crate::broker::definitions::{Administered, PermissionDefinition, TopicPermissionDefinition};
use crate::broker::metadata::MetadataState;

impl Broker {
    /// All permissions, by virtual host and user.
    pub fn permissions(&self) -> Vec<PermissionDefinition> {
        self.node().metadata.read(|state| state.permissions().cloned().collect())
    }

    /// A user's permissions in a virtual host.
    pub fn permission(&self, user: &str, vhost: &str) -> Option<PermissionDefinition> {
        self.node().metadata.read(|state| state.permission(user, vhost).cloned())
    }

    /// Lets a user do everything in a virtual host.
    ///
    /// # Errors
    /// When either is missing.
    pub fn permit_everything(&self, user: &str, vhost: &str) -> Result<Put, AdministrationError> {
        self.put_permission(everything(user, vhost))
    }

    /// Gives a user permissions in a virtual host.
    ///
    /// # Errors
    /// When either is missing, or an expression is malformed.
    pub fn put_permission(&self, permission: PermissionDefinition) -> Result<Put, AdministrationError> {
        let vhost = permission.vhost.clone();
        let put = self.administer(|state| {
            let PermissionDefinition { user, vhost, configure, write, read } = &permission;
            find(state, user, vhost)?;
            Permissions::new(configure, write, read)?;
            let put = Put::over(state.permission(user, vhost));
            Ok((put, vec![Administered::Permission(permission)]))
        })?;
        self.rights_changed(Some(&vhost));
        Ok(put)
    }

    /// Takes a user's permissions in a virtual host away. Its connections stay, and can do nothing.
    ///
    /// # Errors
    /// When there are none.
    pub fn delete_permission(&self, user: &str, vhost: &str) -> Result<(), AdministrationError> {
        self.administer(|state| {
            state.permission(user, vhost).ok_or(AdministrationError::NotFound)?;
            let (user, vhost) = (user.to_owned(), vhost.to_owned());
            Ok(((), vec![Administered::PermissionDeleted { user, vhost }]))
        })?;
        self.rights_changed(Some(vhost));
        Ok(())
    }

    /// All topic permissions, by virtual host, user and exchange.
    pub fn topic_permissions(&self) -> Vec<TopicPermissionDefinition> {
        self.node().metadata.read(|state| state.topic_permissions().cloned().collect())
    }

    /// Limits a user to some routing keys of a topic exchange.
    ///
    /// # Errors
    /// When user, virtual host or exchange is missing, or an expression is malformed.
    pub fn put_topic_permission(&self, permission: TopicPermissionDefinition) -> Result<Put, AdministrationError> {
        let TopicPermissionDefinition { user, vhost, exchange, write, read } = permission.clone();
        let there = self.vhost(&vhost).ok_or(AdministrationError::NoSuchVhostOrUser)?;
        let has_exchange = there.read(|topology| topology.exchange(&exchange).is_some());
        let put = self.administer(|state| {
            find(state, &user, &vhost)?;
            TopicPermission::new(&write, &read, &Variables { username: &user, vhost: &vhost, client_id: None })?;
            if !has_exchange {
                return Err(AdministrationError::NoSuchExchange(exchange.clone()));
            }
            let put = Put::over(topic_permissions(state, &user, &vhost).find(|known| known.exchange == exchange));
            Ok((put, vec![Administered::TopicPermission(permission)]))
        })?;
        self.rights_changed(Some(&vhost));
        Ok(put)
    }

    /// Takes the limits of a user's routing keys away: of one exchange, or of all.
    ///
    /// # Errors
    /// When there are none.
    pub fn delete_topic_permissions(
        &self,
        user: &str,
        vhost: &str,
        exchange: Option<&str>,
    ) -> Result<(), AdministrationError> {
        self.administer(|state| {
            let all = topic_permissions(state, user, vhost);
            let concerned = all.filter(|known| exchange.is_none_or(|exchange| known.exchange == exchange));
            let changes: Vec<_> = concerned
                .map(|TopicPermissionDefinition { user, vhost, exchange, .. }| Administered::TopicPermissionDeleted {
                    user: user.clone(),
                    vhost: vhost.clone(),
                    exchange: exchange.clone(),
                })
                .collect();
            if changes.is_empty() { Err(AdministrationError::NotFound) } else { Ok(((), changes)) }
        })?;
        self.rights_changed(Some(vhost));
        Ok(())
    }
}

fn topic_permissions<'a>(
    state: &'a MetadataState,
    user: &'a str,
    vhost: &'a str,
) -> impl Iterator<Item = &'a TopicPermissionDefinition> {
    state.topic_permissions().filter(move |known| known.user == user && known.vhost == vhost)
}

/// # Errors
/// When either is missing.
fn find(state: &MetadataState, user: &str, vhost: &str) -> Result<(), AdministrationError> {
    let is_there = state.users.contains_key(user) && state.vhosts.contains_key(vhost);
    if is_there { Ok(()) } else { Err(AdministrationError::NoSuchVhostOrUser) }
}
