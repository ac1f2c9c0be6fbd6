//! What decides who logs in and who may do what: a backend. RabbitMQ chains them with `auth_backends.N`.
//!
//! ```text
//!   Attempt --Backend::authenticate--> Identified { user, Grant }     a Grant --answer(Question)--> Answer
//! ```
//!
//! A backend is one file that implements [`Backend`], and what its users may do implements [`Grant`]. Some know their answers and some have
//! to ask somebody over the network: those return a future. Whoever asks goes on with other work until it is there; nobody waits in a
//! lock or on a thread.

use std::fmt::Debug;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use super::login::LoginRefused;
use super::permissions::{Access, Resource};
use super::user::User;

/// An answer that is on its way.
pub(crate) type Waiting<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// An answer that is there, or on its way.
pub(crate) enum Said<T> {
    /// It is there.
    Now(T),
    /// It is on its way.
    Later(Waiting<T>),
}

impl<T: Debug> Debug for Said<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Now(answer) => f.debug_tuple("Now").field(answer).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}

/// A login that somebody tries.
#[derive(Clone)]
pub struct Attempt {
    /// The name that is given.
    pub(crate) user: String,
    /// The password or token; `None` when the name is proved otherwise, by a certificate.
    pub(crate) password: Option<Vec<u8>>,
    /// The address that the client connects from.
    pub(crate) from: IpAddr,
    /// The time of the login, in milliseconds since 1970.
    pub(crate) now_ms: u64,
}

impl Debug for Attempt {
    /// Leaves the password out, so that no log can show it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attempt").field("user", &self.user).field("from", &self.from).finish_non_exhaustive()
    }
}

/// Somebody whom a backend knows.
#[derive(Clone, Debug)]
pub struct Identified {
    /// Who it is: the name may be another than the one that was given.
    pub(crate) user: Arc<User>,
    /// What it may do.
    pub(crate) grant: Arc<dyn Grant>,
}

/// What decides who logs in.
pub trait Backend: Debug + Send + Sync {
    /// RabbitMQ's name of it, as its texts have it: `rabbit_auth_backend_internal`.
    fn name(&self) -> &'static str;

    /// Finds out who it is.
    fn authenticate(&self, attempt: Arc<Attempt>) -> Waiting<Result<Identified, LoginRefused>>;

    /// Finds out what somebody may do whom another backend has identified; the attempt has the name that is known now.
    fn authorise(&self, attempt: Arc<Attempt>) -> Waiting<Result<Identified, LoginRefused>> {
        self.authenticate(attempt)
    }
}

/// What a backend lets one user do.
pub(crate) trait Grant: Debug + Send + Sync {
    /// The name of the backend.
    fn backend(&self) -> &'static str;

    /// Whether the user may do this.
    fn answer(&self, question: &Question, now_ms: u64) -> Said<BackendAnswer>;

    /// Whether it is that of the broker's own users, whose rights whoever asks often may hold.
    fn is_internal(&self) -> bool {
        false
    }

    /// When it ends, if it does.
    fn expires_at_ms(&self) -> Option<u64> {
        None
    }

    /// Takes a new secret in place of the one that the user logged in with. Asked of those only that end.
    fn renew(&self, secret: Vec<u8>, now_ms: u64) -> Waiting<Result<Identified, NotRenewed>> {
        // Only backends whose logins end need these.
        let _ = (secret, now_ms);
        Box::pin(std::future::ready(Err(NotRenewed::Failed("what does not end cannot be renewed".to_owned()))))
    }
}

/// Why a secret does not take the place of another; for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotRenewed {
    /// It is no good.
    #[error("{0}")]
    Refused(String),
    /// Nobody can say whether it is.
    #[error("{0}")]
    Failed(String),
}

/// A kind of resource, by RabbitMQ's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ResourceKind {
    /// RabbitMQ's `exchange`.
    Exchange,
    /// RabbitMQ's `queue`.
    Queue,
}

impl ResourceKind {
    /// The word that backends are asked with.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Exchange => "exchange",
            Self::Queue => "queue",
        }
    }
}

/// What a user wants to do. Equal questions have equal answers, until the grant is another one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    /// Enter a virtual host.
    Vhost {
        /// The name of the virtual host.
        vhost: Arc<str>,
        /// The address that the client connects from.
        from: IpAddr,
    },
    /// Do something with an exchange or a queue.
    Resource {
        vhost: Arc<str>,
        /// Whether to configure it, write to it or read from it.
        access: Access,
        /// Whether it is an exchange or a queue.
        kind: ResourceKind,
        /// Its name; the default exchange has one of its own here, `amq.default`.
        name: Arc<str>,
    },
    /// Use a routing key with a topic exchange.
    Topic {
        vhost: Arc<str>,
        /// Whether to publish (write) or to bind (read).
        access: Access,
        /// The topic exchange.
        exchange: Arc<str>,
        /// The routing key of the message or of the binding.
        key: Arc<str>,
    },
}

impl Question {
    /// Whether a user may do this with a resource.
    pub(crate) fn resource(vhost: &Arc<str>, access: Access, resource: Resource<'_>) -> Self {
        let kind = match resource {
            Resource::Exchange(_) => ResourceKind::Exchange,
            Resource::Queue(_) => ResourceKind::Queue,
        };
        Self::Resource { vhost: Arc::clone(vhost), access, kind, name: resource.name().into() }
    }

    /// Whether a user may use this key with a topic exchange.
    pub(crate) fn topic(vhost: &Arc<str>, access: Access, exchange: &str, key: &[u8]) -> Self {
        let key = String::from_utf8_lossy(key).into();
        Self::Topic { vhost: Arc::clone(vhost), access, exchange: exchange.into(), key }
    }
}

/// What a backend says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BackendAnswer {
    /// The user may do it.
    Allow,
    /// No, and perhaps why, for the client.
    Deny(Option<String>),
    /// It cannot say, and why: that is a no.
    CannotSay(String),
}

impl From<bool> for BackendAnswer {
    fn from(is_allowed: bool) -> Self {
        if is_allowed { Self::Allow } else { Self::Deny(None) }
    }
}
