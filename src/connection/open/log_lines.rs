//! What an open connection writes into the log of the program.

use std::borrow::Cow;

use super::Open;
use crate::broker::declarers::Declarable;
use crate::broker::mistyped::{DeclaredFrom, MistypedArguments};
use crate::connection::advice::advice;
use crate::connection::lines::{client, duration};
use crate::error::{AmqpError, ReplyCode};
use crate::protocol::method;
use crate::table::Table;

impl Open {
    /// Says why the broker closes a channel.
    pub(super) fn log_channel_error(&self, channel: u16, error: &AmqpError, now_ms: u64) {
        let spec = &self.registration.info().spec;
        let (method, tip) = (error.method.and_then(method::name), self.tip(channel, error));
        tracing::error!(
            target: "channel",
            peer = %self.peer,
            user = &*spec.user,
            vhost = &*spec.vhost,
            connection = spec.user_provided_name,
            client = client(spec),
            channel,
            method,
            reply_code = error.code.code(),
            %error,
            declared_by = self.declared_by(error, now_ms),
            tip = tip.as_deref(),
            "closing channel"
        );
    }

    /// Says that a client has to wait until an alarm is over.
    pub(super) fn log_blocked(&self, reason: &str) {
        let spec = &self.registration.info().spec;
        tracing::warn!(
            target: "connection",
            peer = %self.peer,
            user = &*spec.user,
            vhost = &*spec.vhost,
            connection = spec.user_provided_name,
            client = client(spec),
            reason,
            "a publisher is blocked until the alarm is over"
        );
    }

    /// What to do about it. A tag that is not known is one of two different mistakes.
    fn tip(&self, channel: u16, error: &AmqpError) -> Option<Cow<'static, str>> {
        let tag = error.explanation.strip_prefix("unknown delivery tag ").and_then(|tag| tag.parse().ok());
        match (tag, self.channels.get(channel)) {
            (Some(tag), Some(channel)) if channel.has_given(tag) => Some(
                "that delivery was settled already, or needs no acknowledgement (no_ack): acknowledge each delivery once"
                    .into(),
            ),
            (Some(_), Some(_)) => {
                Some("no delivery of this channel had that tag: acknowledge on the channel that it came on".into())
            }
            _ => advice(error),
        }
    }

    /// Who declared what is there, and when: where a declaration differs from it, or it is another connection's.
    fn declared_by(&self, error: &AmqpError, now_ms: u64) -> Option<String> {
        let is_about_it = error.code == ReplyCode::ResourceLocked || error.explanation.starts_with("inequivalent arg");
        let (kind, name) = declared(&error.explanation).filter(|_| is_about_it)?;
        let declarer = self.node.declarers.of(kind, &self.registration.info().spec.vhost, name)?;
        let from = declarer.connection.as_deref().unwrap_or("the management API");
        let name = declarer.connection_name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
        let ago = duration(now_ms.saturating_sub(declarer.at_ms));
        Some(format!("user '{}' from {from}{name}, {ago} ago", declarer.user))
    }

    /// Says what was probably meant by arguments of what this client declared that are not known.
    pub(super) fn log_mistyped_arguments(&self, kind: Declarable, name: &str, arguments: &Table) {
        let spec = &self.registration.info().spec;
        let from = DeclaredFrom {
            vhost: &spec.vhost,
            user: Some(&spec.user),
            peer: Some(&self.peer),
            connection: spec.user_provided_name.as_deref(),
            client: Some(&client(spec)),
            by: None,
        };
        MistypedArguments::default().warn(kind, name, arguments, from);
    }
}

/// The queue or exchange that a text names.
fn declared(explanation: &str) -> Option<(Declarable, &str)> {
    let kinds = [(Declarable::Queue, "queue '"), (Declarable::Exchange, "exchange '")];
    kinds.into_iter().find_map(|(kind, before)| {
        let (_, rest) = explanation.split_once(before)?;
        Some((kind, rest.split_once("' in vhost '")?.0))
    })
}
