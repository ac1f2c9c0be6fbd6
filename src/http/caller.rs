//! Who asks: the credentials of a request, and what their owner may see.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Api;
use super::refusal::Refusal;
use crate::auth::{ADMINISTRATOR, Access, PasswordHash, Permissions, Resource, User};
use crate::broker::Broker;
use crate::broker::router::RoutingKeys;
use crate::broker::vhost::Vhost;
use crate::error::AmqpError;

/// What a request needs its caller to be. Each of the tags implies `management`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nobody in particular: no credentials are looked at.
    Nothing,
    /// Any user with a tag.
    Management,
    /// The tag `policymaker`, or `administrator`.
    Policymaker,
    /// The tag `monitoring`, or `administrator`.
    Monitoring,
    /// The tag `administrator`.
    Administrator,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Peer {
    /// From the network.
    Network(IpAddr),
    /// From a process of this machine whose user may do everything: `local` has asked the system who that is.
    Local,
}

impl Peer {
    /// The address that counts where addresses count.
    pub(super) const fn ip(self) -> IpAddr {
        match self {
            Self::Network(ip) => ip,
            Self::Local => IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }
}

/// The user as whom commands act, by the name that RabbitMQ's commands have. It is in no list, and nobody can log in as it.
const LOCAL_USER: &str = "rmq-cli";

/// Somebody who has logged in.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    user: Arc<User>,
    broker: Arc<Broker>,
    /// It may do everything in every virtual host, whatever permissions a user of its name has.
    is_local: bool,
}

/// Why a request has no caller.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum NoCaller {
    /// It brings no credentials: 401, and how to bring some.
    NoCredentials,
    /// The header cannot be read: 400 without a body.
    Unreadable,
    /// The name or the password is wrong, and the answer is to be held back for so long.
    WrongCredentials { delay_ms: u64 },
    /// The credentials are not enough.
    Refused(Refusal),
}

impl Caller {
    /// Whoever came through the local socket.
    pub(super) fn local(api: &Api) -> Self {
        let user = User::new(LOCAL_USER, PasswordHash::none(), vec![ADMINISTRATOR.to_owned()]);
        Self { user: Arc::new(user), broker: Arc::clone(&api.broker), is_local: true }
    }

    /// Logs in with the value of the header `Authorization`.
    pub(super) fn log_in(api: &Api, authorization: Option<&str>, from: IpAddr) -> Result<Self, NoCaller> {
        let header = authorization.ok_or(NoCaller::NoCredentials)?.trim();
        let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
        if scheme.is_empty() {
            return Err(NoCaller::Unreadable);
        }
        if scheme.eq_ignore_ascii_case("bearer") {
            return Err(NoCaller::Refused(wrong_credentials()));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(NoCaller::NoCredentials);
        }
        let decoded = STANDARD.decode(rest.trim()).map_err(|_unreadable| NoCaller::Unreadable)?;
        let colon = decoded.iter().position(|byte| *byte == b':').ok_or(NoCaller::Unreadable)?;
        let (name, password) = decoded.split_at(colon);
        let name = std::str::from_utf8(name).map_err(|_unreadable| NoCaller::Refused(wrong_credentials()))?;
        let logged_in = Self::with_password(api, name, password.get(1..).unwrap_or_default(), from);
        let (mut attempts, now_ms) = (api.attempts.lock(), api.clock.now_ms());
        if logged_in.is_ok() {
            attempts.succeeded(from, now_ms);
        }
        logged_in.map_err(|_refusal| NoCaller::WrongCredentials { delay_ms: attempts.failed(from, now_ms) })
    }

    /// Logs in with a name and a password.
    pub(super) fn with_password(api: &Api, name: &str, password: &[u8], from: IpAddr) -> Result<Self, Refusal> {
        let logged_in = api.logins.with_password(api.broker.user(name), password, from);
        api.broker.node().registry.http_logins.note(logged_in.is_ok());
        match logged_in {
            Ok(user) => Ok(Self { user, broker: Arc::clone(&api.broker), is_local: false }),
            Err(error) => {
                tracing::warn!(user = name, peer = %from, %error, "HTTP access denied");
                Err(wrong_credentials())
            }
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.user.name
    }

    /// Its name, if it is a user that can be given permissions.
    pub(super) fn as_owner(&self) -> Option<&str> {
        (!self.is_local).then(|| self.name())
    }

    /// Its tags.
    pub(super) fn tags(&self) -> &[String] {
        &self.user.tags
    }

    fn has(&self, tag: &str) -> bool {
        self.user.tags.iter().any(|own| own == tag)
    }

    /// Whether it may do everything.
    pub(super) fn is_administrator(&self) -> bool {
        self.has("administrator")
    }

    /// Whether it may see what belongs to other users.
    pub(super) fn is_monitor(&self) -> bool {
        self.has("monitoring") || self.is_administrator()
    }

    /// # Errors
    /// 401 with RabbitMQ's reason.
    pub(super) fn require(&self, needs: Needs) -> Result<(), Refusal> {
        let is_allowed = match needs {
            Needs::Nothing => true,
            Needs::Management => {
                let tags = ["management", "policymaker", "monitoring", "administrator"];
                tags.iter().any(|tag| self.has(tag))
            }
            Needs::Policymaker => self.has("policymaker") || self.is_administrator(),
            Needs::Monitoring => self.is_monitor(),
            Needs::Administrator => self.is_administrator(),
        };
        if is_allowed {
            return Ok(());
        }
        Err(Refusal::not_authorised(match needs {
            Needs::Nothing | Needs::Management => "Not management user",
            Needs::Policymaker => "User not authorised to access object",
            Needs::Monitoring => "Not monitor user",
            Needs::Administrator => "Not administrator user",
        }))
    }

    /// Whether it sees a virtual host with what is in it: it has permissions there, whatever they are.
    pub(super) fn enters(&self, vhost: &str) -> bool {
        self.is_administrator() || self.permissions_in(vhost).is_some()
    }

    /// What it may do in a virtual host.
    pub(super) fn permissions_in(&self, vhost: &str) -> Option<Arc<Permissions>> {
        if self.is_local {
            return Permissions::new(".*", ".*", ".*").ok().map(Arc::new);
        }
        self.broker.node().metadata.rights(&self.user.name, vhost).permissions
    }

    /// # Errors
    /// 401 when AMQP would refuse this user as well.
    pub(super) fn may(&self, vhost: &str, access: Access, resource: Resource<'_>) -> Result<(), Refusal> {
        let allows = |permissions: Arc<Permissions>| permissions.allow(access, resource);
        if self.permissions_in(vhost).is_some_and(allows) {
            return Ok(());
        }
        Err(Refusal::not_authorised("Access refused."))
    }

    /// # Errors
    /// 403 when the user may not use one of these keys with this topic exchange.
    pub(super) fn may_use_topics(
        &self,
        access: Access,
        vhost: &Vhost,
        exchange: &str,
        keys: &RoutingKeys<'_>,
    ) -> Result<(), AmqpError> {
        let rights = self.broker.node().metadata.rights(&self.user.name, &vhost.name);
        rights.check_topics(access, vhost, exchange, keys, &self.user.name)
    }

    /// The user itself.
    pub(super) fn user(&self) -> &User {
        &self.user
    }
}

/// 401 for a wrong name or password. RabbitMQ spells it otherwise than every other refusal.
pub(super) fn wrong_credentials() -> Refusal {
    Refusal { status: 401, error: "not_authorized", reason: "Not_Authorized".into() }
}
