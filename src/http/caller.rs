//! Who asks: the credentials of a request, and what their owner may see.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Api;
use super::asked::Asked;
use super::refusal::Refusal;
use crate::auth::{
    ADMINISTRATOR, Access, Attempt, LoggedIn, Objection, PasswordHash, Question, Resource, User, refused, topic_refused,
};
use crate::broker::declarers::Declarable;
use crate::broker::mistyped::{DeclaredFrom, MistypedArguments};
use crate::broker::router::RoutingKeys;
use crate::broker::vhost::Vhost;
use crate::error::AmqpError;
use crate::table::Table;

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
    /// Any user with a tag, whose name and password are in the body, which is a form.
    Form,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum CallerPlace {
    /// From the network.
    Network(IpAddr),
    /// From a process of this machine whose user may do everything: `local` has asked the system who that is.
    Local,
}

impl CallerPlace {
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
    logged_in: LoggedIn,
    from: IpAddr,
    /// It may do everything in every virtual host, whatever permissions a user of its name has.
    is_local: bool,
    asked: Arc<Asked>,
}

/// Why a request has no caller.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum NoCaller {
    /// It brings no credentials: 401, and how to bring some.
    NoCredentials,
    /// The header cannot be read: 400 without a body.
    Unreadable,
    /// The name or the password is wrong, and the answer is to be held back until this time.
    WrongCredentials { until_ms: u64 },
    /// So many answers to this address are held back that its credentials are not looked at, for so long.
    TooManyFailed { for_ms: u64 },
    /// The credentials are not enough.
    Refused(Refusal),
}

impl Caller {
    /// Whoever came through the local socket.
    pub(super) fn local(api: &Api) -> Self {
        let user = User::new(LOCAL_USER, PasswordHash::none(), vec![ADMINISTRATOR.to_owned()]);
        let logged_in = LoggedIn { user: Arc::new(user), grants: [].into() };
        Self::new(api, logged_in, CallerPlace::Local.ip(), true)
    }

    fn new(api: &Api, logged_in: LoggedIn, from: IpAddr, is_local: bool) -> Self {
        let asked = Arc::new(Asked::new(api.clock.clone()));
        Self { logged_in, from, is_local, asked }
    }

    /// Logs in with the value of the header `Authorization`.
    pub(super) async fn log_in(api: &Api, authorization: Option<&str>, from: IpAddr) -> Result<Self, NoCaller> {
        let Some(header) = authorization.map(str::trim) else {
            // As RabbitMQ has it: who must not bring a password is not asked for one.
            api.pages_login.check_basic().map_err(NoCaller::Refused)?;
            return Err(NoCaller::NoCredentials);
        };
        let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
        if scheme.is_empty() {
            return Err(NoCaller::Unreadable);
        }
        if scheme.eq_ignore_ascii_case("bearer") {
            // The token says who it is.
            Self::with_password(api, b"", rest.trim().as_bytes(), from).await
        } else if scheme.eq_ignore_ascii_case("basic") {
            api.pages_login.check_basic().map_err(NoCaller::Refused)?;
            let decoded = STANDARD.decode(rest.trim()).map_err(|_unreadable| NoCaller::Unreadable)?;
            let colon = decoded.iter().position(|byte| *byte == b':').ok_or(NoCaller::Unreadable)?;
            let (name, password) = decoded.split_at(colon);
            Self::with_password(api, name, password.get(1..).unwrap_or_default(), from).await
        } else {
            Err(NoCaller::NoCredentials)
        }
    }

    /// Logs in with a name and a password. Whoever fails costs itself time, whichever way it came.
    pub(super) async fn with_password(api: &Api, name: &[u8], password: &[u8], from: IpAddr) -> Result<Self, NoCaller> {
        let may_try = api.attempts.lock().may_try(from, api.clock.now_ms());
        may_try.map_err(|for_ms| NoCaller::TooManyFailed { for_ms })?;
        let logged_in = Self::checked(api, name, password, from).await;
        api.broker.node().registry.http_logins.note(logged_in.is_some());
        // Not locked while the password is looked at, which takes time, or a question to somebody else.
        let (mut attempts, now_ms) = (api.attempts.lock(), api.clock.now_ms());
        match logged_in {
            Some(logged_in) => {
                attempts.succeeded(from, now_ms);
                Ok(Self::new(api, logged_in, from, false))
            }
            None => Err(NoCaller::WrongCredentials { until_ms: now_ms + attempts.failed(from, now_ms) }),
        }
    }

    async fn checked(api: &Api, name: &[u8], password: &[u8], from: IpAddr) -> Option<LoggedIn> {
        // No user has such a name.
        let name = std::str::from_utf8(name).ok()?;
        let (user, password) = (name.to_owned(), Some(password.to_vec()));
        let attempt = Attempt { user, password, from, now_ms: api.clock.now_ms() };
        let peer = from.to_canonical();
        let refused = |error| tracing::warn!(user = name, %peer, %error, "HTTP access denied");
        api.logins.log_in(attempt).await.map_err(refused).ok()
    }

    /// Whether backends are being asked.
    pub(super) fn asks(&self) -> bool {
        self.asked.is_any()
    }

    /// Waits for the answers of backends that were asked meanwhile; whether there were any. Then what wanted to know them is to
    /// begin anew.
    pub(super) async fn learn(&self) -> bool {
        self.asked.learn().await
    }

    /// The name of the user who asks.
    pub(super) fn name(&self) -> &str {
        &self.logged_in.user.name
    }

    /// Says what was probably meant by arguments of what this caller declared that are not known.
    pub(super) fn log_mistyped_arguments(&self, kind: Declarable, vhost: &str, name: &str, arguments: &Table) {
        let from = DeclaredFrom { vhost, user: Some(self.name()), by: Some("the HTTP API"), ..DeclaredFrom::default() };
        MistypedArguments::default().warn(kind, name, arguments, from);
    }

    /// Its name, if it is a user that can be given permissions.
    pub(super) fn as_owner(&self) -> Option<&str> {
        (!self.is_local).then(|| self.name())
    }

    pub(super) fn tags(&self) -> &[String] {
        &self.logged_in.user.tags
    }

    fn has(&self, tag: &str) -> bool {
        self.logged_in.user.tags.iter().any(|own| own == tag)
    }

    /// Whether it may do everything.
    pub(super) fn is_administrator(&self) -> bool {
        self.has("administrator")
    }

    /// Whether it may see what belongs to other users.
    pub(super) fn is_monitor(&self) -> bool {
        self.has("monitoring") || self.is_administrator()
    }

    /// Everybody sees what belongs to oneself.
    ///
    /// # Errors
    /// 401 when it is another user, and the caller is no monitor.
    pub(super) fn sees_user(&self, name: &str) -> Result<(), Refusal> {
        if self.is_monitor() || self.name() == name {
            Ok(())
        } else {
            Err(Refusal::not_authorised("User not authorised to access object"))
        }
    }

    /// # Errors
    /// 401 with RabbitMQ's reason.
    pub(super) fn require(&self, needs: Needs) -> Result<(), Refusal> {
        let is_allowed = match needs {
            Needs::Nothing => true,
            Needs::Management | Needs::Form => {
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
            Needs::Nothing | Needs::Management | Needs::Form => "Not management user",
            Needs::Policymaker => "User not authorised to access object",
            Needs::Monitoring => "Not monitor user",
            Needs::Administrator => "Not administrator user",
        }))
    }

    /// Whether the broker's own users say what it may do.
    pub(super) fn is_internal(&self) -> bool {
        self.is_local || self.logged_in.is_internal()
    }

    /// Whether it sees a virtual host with what is in it: it may enter it, whatever it may do there.
    pub(super) fn enters(&self, vhost: &str) -> bool {
        self.is_administrator() || self.is_let_in(vhost)
    }

    /// Whether it may enter a virtual host.
    pub(super) fn is_let_in(&self, vhost: &str) -> bool {
        let from = self.from.to_canonical();
        self.ask(&Question::Vhost { vhost: vhost.into(), from }).is_ok()
    }

    fn ask(&self, question: &Question) -> Result<(), Option<Objection>> {
        if self.is_local { Ok(()) } else { self.asked.ask(&self.logged_in.grants, question) }
    }

    /// # Errors
    /// 403 when AMQP would refuse this user as well.
    pub(super) fn check(&self, vhost: &str, access: Access, resource: Resource<'_>) -> Result<(), AmqpError> {
        let question = Question::resource(&vhost.into(), access, resource);
        self.ask(&question).map_err(|objection| match objection {
            Some(objection) => objection.of_resource(access, resource, vhost, self.name()),
            None => refused(access, resource, vhost, self.name()),
        })
    }

    /// # Errors
    /// 401 when AMQP would refuse this user as well.
    pub(super) fn may(&self, vhost: &str, access: Access, resource: Resource<'_>) -> Result<(), Refusal> {
        self.check(vhost, access, resource).map_err(|_refused| Refusal::not_authorised("Access refused."))
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
        if !vhost.is_topic_exchange(exchange) {
            return Ok(());
        }
        keys.iter().try_for_each(|key| {
            self.ask(&Question::topic(&vhost.name, access, exchange, key)).map_err(|objection| {
                let refused = topic_refused(access, exchange, &String::from_utf8_lossy(key), &vhost.name, self.name());
                refused.saying_more(&objection.map(|objection| objection.because()).unwrap_or_default())
            })
        })
    }

    /// The user itself.
    pub(super) fn user(&self) -> &User {
        &self.logged_in.user
    }
}

/// 401 for a wrong name or password. RabbitMQ spells it otherwise than every other refusal.
pub(super) fn wrong_credentials() -> Refusal {
    Refusal::new(401, "not_authorized", "Not_Authorized")
}

/// 429 for an address from which too many logins failed a moment ago.
pub(super) fn too_many_failed() -> Refusal {
    Refusal::new(429, "too_many_requests", "too many logins from this address failed")
}
