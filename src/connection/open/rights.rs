//! What the user of a connection may do.
//!
//! Of the broker's own users it is held, and looked up again as soon as anybody's rights have changed. Other backends are asked, and some
//! answer later: then the method that wants to know ends with an error that nobody sees ([`Open::contain`]), the connection reads
//! nothing more, and when the answer is there the method begins anew. So a method asks for everything before it changes anything.
//!
//! A publish is checked when its route is looked up. The route is remembered with the answer, until the epoch of the virtual host
//! moves, which changes of rights do, or the user's secret is another one.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Open;
use crate::auth::{
    self, Access, Answers, BackendAnswer, LoggedIn, Objection, Question, Resource, Unanswered, Verdict, Waiting,
    topic_refused,
};
use crate::broker::metadata::{Metadata, Rights};
use crate::broker::registry::{ChannelLimits, ChannelsReached};
use crate::broker::router::RoutingKeys;
use crate::broker::vhost::Vhost;
use crate::error::{AmqpError, MethodId};

/// The rights of one user in one virtual host.
#[derive(Debug)]
pub(in crate::connection) struct LiveRights {
    logged_in: LoggedIn,
    vhost: Arc<str>,
    /// Of the broker's own users, as of a revision.
    held: RefCell<(u64, Rights)>,
    /// Only the broker's own users have a say.
    is_internal_alone: bool,
    answers: RefCell<Answers>,
    /// What somebody wants to know, and the answer is on its way.
    unanswered: RefCell<Option<Unanswered>>,
    /// The time of the last look at a clock: when a session was called.
    now_ms: Cell<u64>,
}

/// What other backends say.
enum Others {
    Allow,
    Object(Objection),
    /// The answer is on its way.
    Wait,
}

impl LiveRights {
    /// Those of a user in a virtual host.
    pub(in crate::connection) fn new(logged_in: LoggedIn, vhost: &Arc<str>, metadata: &Metadata, now_ms: u64) -> Self {
        // Read before the rights, so that a change in between makes them outdated.
        let revision = metadata.rights_revision();
        let held = RefCell::new((revision, metadata.rights(&logged_in.user.name, vhost)));
        Self {
            is_internal_alone: logged_in.is_internal_alone(),
            logged_in,
            vhost: Arc::clone(vhost),
            held,
            answers: RefCell::default(),
            unanswered: RefCell::default(),
            now_ms: Cell::new(now_ms),
        }
    }

    /// Who it is.
    pub(super) fn logged_in(&self) -> &LoggedIn {
        &self.logged_in
    }

    /// When they end, if they do.
    pub(super) fn expires_at_ms(&self) -> Option<u64> {
        if self.is_internal_alone { None } else { self.logged_in.expires_at_ms() }
    }

    fn user(&self) -> &str {
        &self.logged_in.user.name
    }

    fn look<R>(&self, metadata: &Metadata, look: impl FnOnce(&Rights) -> R) -> R {
        let mut held = self.held.borrow_mut();
        let revision = metadata.rights_revision();
        // Somebody's rights have changed since, perhaps this user's.
        if held.0 != revision {
            *held = (revision, metadata.rights(self.user(), &self.vhost));
        }
        look(&held.1)
    }

    /// Asks all backends.
    fn ask(&self, question: &Question) -> Others {
        // One question at a time: the method begins anew with its answer, and then asks the next.
        if self.is_waiting() {
            return Others::Wait;
        }
        match self.answers.borrow().judge(&self.logged_in.grants, question, self.now_ms.get()) {
            Verdict::Allowed => Others::Allow,
            Verdict::Refused(objection) => Others::Object(objection),
            Verdict::Unknown(unanswered) => {
                *self.unanswered.borrow_mut() = Some(unanswered);
                Others::Wait
            }
        }
    }

    /// # Errors
    /// 403 when the user may not do this; anything while the answer is on its way.
    fn check(&self, metadata: &Metadata, access: Access, resource: Resource<'_>) -> Result<(), AmqpError> {
        if self.is_internal_alone {
            let allows = |rights: &Rights| rights.permissions.as_ref().is_some_and(|own| own.allow(access, resource));
            let is_allowed = self.look(metadata, allows);
            let refused = || auth::refused(access, resource, &self.vhost, self.user());
            return if is_allowed { Ok(()) } else { Err(refused()) };
        }
        match self.ask(&Question::resource(&self.vhost, access, resource)) {
            Others::Allow => Ok(()),
            Others::Object(objection) => Err(objection.of_resource(access, resource, &self.vhost, self.user())),
            Others::Wait => Err(waits()),
        }
    }

    /// # Errors
    /// As for [`LiveRights::check`], of routing keys of a topic exchange.
    fn check_topics(
        &self,
        metadata: &Metadata,
        access: Access,
        vhost: &Vhost,
        exchange: &str,
        keys: &RoutingKeys<'_>,
    ) -> Result<(), AmqpError> {
        if self.is_internal_alone {
            return self.look(metadata, |rights| rights.check_topics(access, vhost, exchange, keys, self.user()));
        }
        if !vhost.is_topic_exchange(exchange) {
            return Ok(());
        }
        keys.iter().try_for_each(|key| match self.ask(&Question::topic(&self.vhost, access, exchange, key)) {
            Others::Allow => Ok(()),
            Others::Object(objection) => {
                let key = String::from_utf8_lossy(key);
                Err(topic_refused(access, exchange, &key, &self.vhost, self.user()).saying_more(&objection.because()))
            }
            Others::Wait => Err(waits()),
        })
    }

    /// Checks that the user may publish to an exchange with these keys.
    ///
    /// # Errors
    /// As for [`LiveRights::check`].
    pub(super) fn check_publish(
        &self,
        metadata: &Metadata,
        vhost: &Vhost,
        exchange: &str,
        keys: &RoutingKeys<'_>,
    ) -> Result<(), AmqpError> {
        self.check(metadata, Access::Write, Resource::Exchange(exchange))?;
        self.check_topics(metadata, Access::Write, vhost, exchange, keys)
    }

    /// Checks that the user may enter the virtual host from there.
    ///
    /// # Errors
    /// 530 when it may not; anything while the answer is on its way.
    pub(in crate::connection) fn check_entry(
        &self,
        metadata: &Metadata,
        from: std::net::IpAddr,
    ) -> Result<(), AmqpError> {
        let refused = || {
            let (vhost, user) = (&self.vhost, self.user());
            AmqpError::not_allowed(format!("access to vhost '{vhost}' refused for user '{user}'"))
        };
        if self.is_internal_alone {
            let is_allowed = self.look(metadata, |rights| rights.permissions.is_some());
            return if is_allowed { Ok(()) } else { Err(refused()) };
        }
        match self.ask(&Question::Vhost { vhost: Arc::clone(&self.vhost), from }) {
            Others::Allow => Ok(()),
            Others::Object(objection) => Err(refused().saying_more(&objection.because())),
            Others::Wait => Err(waits()),
        }
    }

    /// Whether an answer is on its way.
    pub(in crate::connection) fn is_waiting(&self) -> bool {
        self.unanswered.borrow().is_some()
    }

    /// Looks whether the answer that is on its way is there, and remembers it.
    pub(in crate::connection) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(unanswered) = self.unanswered.get_mut() else { return Poll::Ready(()) };
        let Poll::Ready(answer) = unanswered.answer.as_mut().poll(context) else { return Poll::Pending };
        if let Some(Unanswered { grant, question, .. }) = self.unanswered.take() {
            if let BackendAnswer::CannotSay(error) = &answer {
                tracing::error!(target: "connection", user = self.user(), ?question, error, "a backend cannot say whether this is allowed");
            }
            self.answers.get_mut().learn(grant, question, answer);
        }
        Poll::Ready(())
    }

    /// Notes what time it is.
    pub(super) fn set_now(&self, now_ms: u64) {
        self.now_ms.set(now_ms);
    }

    /// Forgets what was refused, once what was asked for it is done.
    pub(super) fn forget_refusals(&mut self) {
        if !self.is_internal_alone {
            self.answers.get_mut().forget_refusals();
        }
    }
}

/// What a method ends with whose answer is on its way. Nobody sees it.
fn waits() -> AmqpError {
    AmqpError::internal_error("a backend is being asked")
}

/// What is found out while a connection renews its secret.
#[derive(Debug)]
pub(super) struct Renewed {
    pub(super) rights: LoggedIn,
    /// Queues that the user may not read any more.
    pub(super) unreadable: Vec<Arc<str>>,
}

/// A renewal that is on its way.
pub(super) type Renewing = Waiting<Result<Renewed, AmqpError>>;

impl Open {
    /// Whether the user may do this; false while the answer is on its way, too.
    pub(super) fn is_allowed(&self, access: Access, resource: Resource<'_>) -> bool {
        self.may(access, resource).is_ok()
    }

    /// # Errors
    /// 403 when the user may not do this.
    pub(super) fn may(&self, access: Access, resource: Resource<'_>) -> Result<(), AmqpError> {
        self.rights.check(&self.node.metadata, access, resource)
    }

    /// # Errors
    /// 403 when the user may not use one of these keys with the exchange, if that is a topic exchange.
    pub(super) fn may_use_topics(
        &self,
        access: Access,
        exchange: &str,
        keys: &RoutingKeys<'_>,
    ) -> Result<(), AmqpError> {
        self.rights.check_topics(&self.node.metadata, access, &self.vhost, exchange, keys)
    }

    /// How many channels there may be.
    pub(super) fn channel_limits(&self) -> ChannelLimits {
        let of_user = self.node.metadata.channels_max(&self.user.name);
        ChannelLimits { of_node: self.node.settings.channels_max, of_user }
    }

    /// 530 for one more.
    pub(super) fn too_many_channels(&self, reached: ChannelsReached) -> AmqpError {
        let text = match reached {
            ChannelsReached::Node { max } => format!(
                "number of channels opened on node '{}' has reached the maximum allowed limit of ({max})",
                self.node.settings.node_name
            ),
            ChannelsReached::User { max } => format!(
                "number of channels opened for user '{}' has reached the maximum allowed user limit of {max}",
                self.user.name
            ),
        };
        AmqpError::not_allowed(text).with_method(MethodId::NONE)
    }
}
