//! What an administrator does to a running broker. Whoever offers it, over HTTP or by a program that embeds the broker, calls these.
//!
//! Each function checks, changes and records under one lock, so it happens as a whole or not at all; what follows for connections
//! comes after that. Listings are values, in the order of names. Before somebody is told that it is done,
//! [`Broker::administered_at`] must be durable.

mod cluster;
mod limits;
mod parameters;
mod permissions;
mod policies;
mod reset;
mod users;
mod vhosts;

use super::Broker;
use super::definitions::Administered;
use super::metadata::MetadataState;
use super::own::Event;
use crate::auth::{InvalidPattern, NoRandomness};
use crate::store::LogPosition;

pub(crate) use cluster::{CLUSTER_NAME, CLUSTER_TAGS};
pub(crate) use parameters::INTERNAL_CLUSTER_ID;
pub(in crate::broker) use parameters::{LIMITS, OPERATOR_POLICY, Understood, VHOST_LIMITS, understood};
pub(in crate::broker) use policies::check as check_policy;
pub(crate) use policies::read as read_policy;
pub use vhosts::VhostSettings;
pub(crate) use vhosts::{DEFAULT_VHOST, everything};

/// What became of something that was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// There was none of this name.
    Created,
    /// It took the place of another one.
    Replaced,
}

impl Put {
    const fn over<T>(known: Option<&T>) -> Self {
        if known.is_some() { Self::Replaced } else { Self::Created }
    }
}

/// Why something was not done, in RabbitMQ's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdministrationError {
    /// What was to be looked at or deleted is not there.
    #[error("Not Found")]
    NotFound,
    /// There is no such virtual host.
    #[error("vhost_not_found")]
    NoSuchVhost,
    /// One of the two is not there.
    #[error("vhost_or_user_not_found")]
    NoSuchVhostOrUser,
    /// There is no such exchange.
    #[error("no_such_exchange: {0}")]
    NoSuchExchange(String),
    /// There are as many virtual hosts as there may be.
    #[error("cannot create vhost '{0}': vhost limit of {1} is reached")]
    TooManyVhosts(String, u64),
    /// A virtual host is not to be deleted.
    #[error("Refusing to delete virtual host '{0}' because it is protected from deletion")]
    Protected(String),
    /// A regular expression is malformed.
    #[error(transparent)]
    InvalidPattern(#[from] InvalidPattern),
    /// What was put makes no sense.
    #[error("Validation failed\n\n{0}\n")]
    Invalid(String),
    /// A limit of a user makes no sense.
    #[error("{0}")]
    InvalidLimit(String),
    /// A password cannot be salted.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl Broker {
    /// Makes changes, all or none.
    pub(in crate::broker) fn administer<R>(
        &self,
        decide: impl FnOnce(&MetadataState) -> Result<(R, Vec<Administered>), AdministrationError>,
    ) -> Result<R, AdministrationError> {
        let node = self.node();
        node.metadata.change(&*node.log, |state| {
            let decided = decide(state)?;
            // Under the lock, with what there was before: an event of a deletion names what went along.
            if node.own_messages.wants_events() {
                let happened = Event::administered(state, &decided.1, &node.settings.node_name);
                happened.into_iter().for_each(|event| node.own_messages.event(|| event));
            }
            Ok(decided)
        })
    }

    /// # Errors
    /// When so many virtual hosts, besides those that are there, are more than there may be; the first of them is named.
    pub(in crate::broker) fn check_vhost_count(
        &self,
        state: &MetadataState,
        new: &[&str],
    ) -> Result<(), AdministrationError> {
        // Without a setting there may be any number.
        let Some(max) = self.node().settings.vhosts_max else { return Ok(()) };
        // All new ones are counted together: a file that brings three is refused as a whole if
        // there is room for two.
        let room = usize::try_from(max).unwrap_or(usize::MAX).saturating_sub(state.vhosts.len());
        let first = new.get(room);
        first.map_or(Ok(()), |name| Err(AdministrationError::TooManyVhosts((*name).to_owned(), max)))
    }

    /// What is to be durable before anybody is told that what was put or deleted is.
    pub fn administered_at(&self) -> LogPosition {
        self.node().metadata.changed_at()
    }

    /// What connections remember of what they may do is looked up again: in this virtual host, or in all.
    pub(in crate::broker) fn rights_changed(&self, vhost: Option<&str>) {
        for concerned in self.vhosts().iter().filter(|concerned| vhost.is_none_or(|vhost| *concerned.name == *vhost)) {
            concerned.rights_changed();
        }
    }
}

#[cfg(test)]
mod tests;
