//! What the user of a connection may do, looked up again as soon as anybody's rights have changed.
//!
//! A publish is checked when its route is looked up. The route is remembered with the answer, until the epoch of the virtual host
//! moves: changes of rights move it.

use std::cell::RefCell;
use std::sync::Arc;

use super::open::Open;
use crate::auth::{self, Access, Resource};
use crate::broker::metadata::{Metadata, Rights};
use crate::broker::router::RoutingKeys;
use crate::broker::vhost::Vhost;
use crate::error::AmqpError;

/// The rights of one user in one virtual host, as of a revision.
#[derive(Debug)]
pub(super) struct LiveRights {
    user: Arc<str>,
    vhost: Arc<str>,
    held: RefCell<(u64, Rights)>,
}

impl LiveRights {
    /// Those of a user in a virtual host.
    pub(super) fn new(user: &Arc<str>, vhost: &Arc<str>, metadata: &Metadata) -> Self {
        let (user, vhost) = (Arc::clone(user), Arc::clone(vhost));
        // Read before the rights, so that a change in between makes them outdated.
        let revision = metadata.rights_revision();
        let held = RefCell::new((revision, metadata.rights(&user, &vhost)));
        Self { user, vhost, held }
    }

    fn look<R>(&self, metadata: &Metadata, look: impl FnOnce(&Rights) -> R) -> R {
        let mut held = self.held.borrow_mut();
        let revision = metadata.rights_revision();
        if held.0 != revision {
            *held = (revision, metadata.rights(&self.user, &self.vhost));
        }
        look(&held.1)
    }

    /// Checks that the user may publish to an exchange with these keys.
    ///
    /// # Errors
    /// 403 when that is not so.
    pub(super) fn check_publish(
        &self,
        metadata: &Metadata,
        vhost: &Vhost,
        exchange: &str,
        keys: &RoutingKeys<'_>,
    ) -> Result<(), AmqpError> {
        let resource = Resource::Exchange(exchange);
        self.look(metadata, |rights| {
            if !rights.permissions.as_ref().is_some_and(|permissions| permissions.allow(Access::Write, resource)) {
                return Err(auth::refused(Access::Write, resource, &self.vhost, &self.user));
            }
            rights.check_topics(Access::Write, vhost, exchange, keys, &self.user)
        })
    }

    /// Whether the user may enter the virtual host.
    pub(super) fn may_enter(&self, metadata: &Metadata) -> bool {
        self.look(metadata, |rights| rights.permissions.is_some())
    }
}

impl Open {
    /// Whether the user may do this.
    pub(super) fn is_allowed(&self, access: Access, resource: Resource<'_>) -> bool {
        self.rights.look(&self.node.metadata, |rights| {
            rights.permissions.as_ref().is_some_and(|permissions| permissions.allow(access, resource))
        })
    }

    /// # Errors
    /// 403 when the user may not do this.
    pub(super) fn may(&self, access: Access, resource: Resource<'_>) -> Result<(), AmqpError> {
        if self.is_allowed(access, resource) {
            return Ok(());
        }
        Err(auth::refused(access, resource, &self.vhost.name, &self.user.name))
    }

    /// # Errors
    /// 403 when the user may not use one of these keys with the exchange, if that is a topic exchange.
    pub(super) fn may_use_topics(
        &self,
        access: Access,
        exchange: &str,
        keys: &RoutingKeys<'_>,
    ) -> Result<(), AmqpError> {
        let check = |rights: &Rights| rights.check_topics(access, &self.vhost, exchange, keys, &self.user.name);
        self.rights.look(&self.node.metadata, check)
    }

    /// How many channels the user may have on all its connections.
    pub(super) fn user_channels_max(&self) -> Option<u64> {
        self.node.metadata.channels_max(&self.user.name)
    }
}
