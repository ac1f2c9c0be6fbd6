//! The broker's own users as a backend: `rabbit_auth_backend_internal`. It knows its answers at once.

use std::future::ready;
use std::sync::Arc;

use super::Broker;
use super::node::Node;
use crate::auth::{
    Attempt, Backend, BackendAnswer, Grant, Identified, LoginRefused, Question, Resource, ResourceKind, Said, User,
    Waiting, check_password,
};

const NAME: &str = "rabbit_auth_backend_internal";

/// The users that administrators made.
#[derive(Clone, Debug)]
pub struct OwnUsers {
    node: Arc<Node>,
}

impl OwnUsers {
    /// Those of a broker.
    pub fn new(broker: &Broker) -> Self {
        Self { node: Arc::clone(broker.node()) }
    }

    fn identified(&self, user: Arc<User>) -> Identified {
        let rights = OwnRights { node: Arc::clone(&self.node), user: Arc::clone(&user.name) };
        Identified { user, grant: Arc::new(rights) }
    }
}

impl Backend for OwnUsers {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Without a password the name was proved otherwise: it needs only be known.
    fn authenticate(&self, attempt: Arc<Attempt>) -> Waiting<Result<Identified, LoginRefused>> {
        let user = self.node.metadata.user(&attempt.user);
        let user = match &attempt.password {
            Some(password) => check_password(user, password, self.node.settings.password_hashing),
            None => user.ok_or(LoginRefused::UnknownUser),
        };
        Box::pin(ready(user.map(|user| self.identified(user))))
    }

    /// Whoever another backend has identified needs no password here, as in RabbitMQ.
    fn authorise(&self, attempt: Arc<Attempt>) -> Waiting<Result<Identified, LoginRefused>> {
        let user = self.node.metadata.user(&attempt.user).ok_or(LoginRefused::UnknownUser);
        Box::pin(ready(user.map(|user| self.identified(user))))
    }
}

/// What one of them may do, looked up live.
#[derive(Debug)]
struct OwnRights {
    node: Arc<Node>,
    user: Arc<str>,
}

impl Grant for OwnRights {
    fn backend(&self) -> &'static str {
        NAME
    }

    fn is_internal(&self) -> bool {
        true
    }

    fn answer(&self, question: &Question, _: u64) -> Said<BackendAnswer> {
        let rights = |vhost: &str| self.node.metadata.rights(&self.user, vhost);
        let is_allowed = match question {
            Question::Vhost { vhost, .. } => rights(vhost).permissions.is_some(),
            Question::Resource { vhost, access, kind, name } => {
                let resource = match kind {
                    ResourceKind::Exchange => Resource::Exchange(name),
                    ResourceKind::Queue => Resource::Queue(name),
                };
                rights(vhost).permissions.is_some_and(|permissions| permissions.allow(*access, resource))
            }
            Question::Topic { vhost, access, exchange, key } => {
                rights(vhost).topics.is_none_or(|topics| topics.allow(*access, exchange, key))
            }
        };
        Said::Now(is_allowed.into())
    }
}
