//! What an open connection does while a backend is being asked: nothing is read, and what wanted to know begins anew with the answer.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Open;
use super::rights::{LiveRights, Renewed, Renewing};
use crate::auth::{Access, Answers, LoggedIn, NotRenewed, Question, Resource, Unanswered, Verdict};
use crate::broker::ids::ConsumerId;
use crate::connection::channel::ChannelPhase;
use crate::error::{AmqpError, MethodId};
use crate::message::Message;
use crate::protocol::assembler::Publish;
use crate::protocol::command::Reply;

const UPDATE_SECRET: MethodId = MethodId::new(10, 70);

/// Why nothing is read, apart from the log, the output and the turn of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stops(u8);

impl Stops {
    /// The memory alarm.
    pub(super) const ALARM: Self = Self(1);
    /// A backend is being asked.
    pub(super) const BACKEND: Self = Self(2);

    pub(super) const fn is_none(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) const fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub(super) const fn remove(&mut self, other: Self) {
        self.0 &= !other.0;
    }
}

/// What begins anew when a backend has answered. What is still in the read buffer begins anew by itself.
#[derive(Default)]
pub(super) struct Asking {
    /// A message that came in frames, which are used up.
    publish: Option<(u16, Publish, Message)>,
    renewing: Option<Renewing>,
    renewed: Option<Result<Renewed, AmqpError>>,
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking").field("publish", &self.publish).finish_non_exhaustive()
    }
}

impl Open {
    /// Whether a backend is being asked.
    pub(in crate::connection) const fn asks(&self) -> bool {
        self.stops.has(Stops::BACKEND)
    }

    /// Keeps a message until it is known whether the user may publish it.
    pub(super) fn keep_publish(&mut self, channel: u16, publish: Publish, message: Message) {
        self.asking.publish = Some((channel, publish, message));
    }

    /// Looks whether the backend that is being asked has answered.
    pub(in crate::connection) fn poll_backend(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(renewing) = &mut self.asking.renewing {
            let Poll::Ready(renewed) = renewing.as_mut().poll(context) else { return Poll::Pending };
            (self.asking.renewing, self.asking.renewed) = (None, Some(renewed));
            return Poll::Ready(());
        }
        self.rights.poll(context)
    }

    /// Goes on, because the backend has answered.
    ///
    /// # Errors
    /// What the connection is to be closed with.
    pub(in crate::connection) fn go_on(&mut self, now_ms: u64) -> Result<(), AmqpError> {
        self.stops.remove(Stops::BACKEND);
        self.rights.set_now(now_ms);
        // Nothing else was asked for meanwhile: nothing was read.
        if let Some(renewed) = self.asking.renewed.take() {
            self.take_over(renewed.map_err(|error| error.with_method(UPDATE_SECRET))?, now_ms);
            return Ok(());
        }
        let Some((channel, publish, message)) = self.asking.publish.take() else { return Ok(()) };
        // The channel may have been closed meanwhile, as a consumer of it was too slow.
        if self.channels.get(channel).is_none_or(|channel| channel.phase != ChannelPhase::Open) {
            return Ok(());
        }
        let result = self.publish_assembled(channel, publish, message, now_ms);
        self.contain(channel, result, now_ms)?;
        self.flush(now_ms);
        if !self.asks() {
            self.rights.forget_refusals();
        }
        Ok(())
    }

    /// Takes a new secret (behaviour reference 1.12).
    pub(super) fn update_secret(&mut self, secret: Vec<u8>, reason: &str, now_ms: u64) {
        let user = &*self.user.name;
        tracing::debug!(target: "connection", peer = %self.peer, user, reason, "asked to update secret");
        if self.rights.logged_in().is_internal_alone() {
            // Users of the broker's own have no secret that ends: whatever it is, it is fine.
            return self.reply(0, &Reply::ConnectionUpdateSecretOk);
        }
        let vhost = &self.vhost.name;
        let entry = Question::Vhost { vhost: vhost.clone(), from: self.peer.ip().to_canonical() };
        let reads = self.consumed_queues().into_iter().map(|(_, queue)| {
            let question = Question::resource(vhost, Access::Read, Resource::Queue(&queue));
            (queue, question)
        });
        // Copies: the question outlives this call, and the connection goes on delivering.
        let (reads, logged_in) = (reads.collect(), self.rights.logged_in().clone());
        self.asking.renewing = Some(Box::pin(renew(logged_in, secret, entry, reads, now_ms)));
        self.stops.add(Stops::BACKEND);
    }

    fn consumed_queues(&self) -> Vec<(ConsumerId, Arc<str>)> {
        let consumers = self.channels.iter().flat_map(|(_, channel)| channel.consumers.iter());
        let queue_of = consumers.filter_map(|(id, consumer)| Some((*id, consumer.queue.as_ref()?.spec.name.clone())));
        queue_of.collect()
    }

    /// The user has another secret: what was allowed is forgotten, and consumers that are not allowed any more are cancelled.
    fn take_over(&mut self, Renewed { rights, unreadable }: Renewed, now_ms: u64) {
        self.user = rights.user.clone();
        self.rights = LiveRights::new(rights, &self.vhost.name, &self.node.metadata, now_ms);
        // A route is remembered together with the right to use it.
        self.publisher.forget_routes();
        for (id, queue) in self.consumed_queues() {
            if unreadable.contains(&queue) {
                self.cancel_unreadable(id, now_ms);
            }
        }
        tracing::info!(target: "connection", peer = %self.peer, user = &*self.user.name, "user updated secret");
        self.reply(0, &Reply::ConnectionUpdateSecretOk);
    }

    fn cancel_unreadable(&mut self, id: ConsumerId, now_ms: u64) {
        let channel = self.channels.number_of(id).and_then(|number| self.channels.get(number));
        let queue = channel.and_then(|channel| channel.consumers.get(&id)?.queue.clone());
        if let Some(queue) = queue {
            queue.cancel(id, now_ms);
        }
        self.encode_everything(now_ms);
        self.send_cancel(id);
    }
}

/// Renews what ends, and asks again what was allowed before.
async fn renew(
    logged_in: LoggedIn,
    secret: Vec<u8>,
    entry: Question,
    reads: Vec<(Arc<str>, Question)>,
    now_ms: u64,
) -> Result<Renewed, AmqpError> {
    let user = logged_in.user.name.clone();
    let rights = logged_in.renewed(secret, now_ms).await.map_err(|error| {
        tracing::error!(target: "connection", user = &*user, %error, "secret update was refused");
        AmqpError::not_allowed(match error {
            NotRenewed::Refused(_) => "New secret was refused by one of the backends",
            NotRenewed::Failed(_) => "Secret update failed",
        })
    })?;
    let mut answers = Answers::default();
    // First whether it may be here at all: if not, nothing else matters.
    if let Some(because) = objection(&mut answers, &rights, &entry, now_ms).await {
        let Question::Vhost { vhost, .. } = &entry else { return Err(AmqpError::not_allowed(because)) };
        let text = format!("access to vhost '{vhost}' refused for user '{user}'{because}");
        return Err(AmqpError::not_allowed(text));
    }
    let mut unreadable = Vec::new();
    for (queue, question) in reads {
        if objection(&mut answers, &rights, &question, now_ms).await.is_some() {
            unreadable.push(queue);
        }
    }
    Ok(Renewed { rights, unreadable })
}

/// Why somebody may not do this, or `None`.
async fn objection(answers: &mut Answers, rights: &LoggedIn, question: &Question, now_ms: u64) -> Option<String> {
    loop {
        match answers.judge(&rights.grants, question, now_ms) {
            Verdict::Allowed => return None,
            Verdict::Refused(objection) => return Some(objection.because()),
            Verdict::Unknown(Unanswered { grant, question, answer }) => {
                let answer = answer.await;
                answers.learn(grant, question, answer);
            }
        }
    }
}
