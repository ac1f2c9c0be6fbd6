//! What a reply text says, taken apart for programs, and what whoever reads it should do next.
//!
//! The texts are RabbitMQ's (docs/behaviour.md), so they are the same for every client, and the only place that names what an
//! error is about.

use serde::Serialize;

use crate::error::{AmqpError, ReplyCode};

/// What an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct AdviceSubject<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) name: &'a str,
}

/// Where a declaration differs from what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Difference<'a> {
    pub(super) argument: &'a str,
    pub(super) received: &'a str,
    pub(super) current: &'a str,
}

/// How texts name things: what comes before the name, and what comes behind it. The first one that fits counts.
const NAMES: &[(&str, &str, &str)] = &[
    ("queue", "queue '", "' in vhost '"),
    ("exchange", "exchange '", "' in vhost '"),
    ("vhost", "access to vhost '", "' refused"),
    ("user", "for user '", "'"),
];

/// The queue, exchange, virtual host or user that a text names.
pub(super) fn object(explanation: &str) -> Option<AdviceSubject<'_>> {
    if let Some(name) = explanation.strip_prefix("vhost ").and_then(|rest| rest.strip_suffix(" not found")) {
        return Some(AdviceSubject { kind: "vhost", name });
    }
    let named = |(kind, before, behind): &(&'static str, &str, &str)| {
        let (_, rest) = explanation.split_once(before)?;
        let (name, _) = rest.split_once(behind)?;
        Some(AdviceSubject { kind, name })
    };
    NAMES.iter().find_map(named)
}

/// Both values of `inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but current is 'true'`.
pub(super) fn difference(explanation: &str) -> Option<Difference<'_>> {
    let (argument, rest) = explanation.strip_prefix("inequivalent arg '")?.split_once("' for ")?;
    let (_, values) = rest.rsplit_once("': received ")?;
    if let Some((received, current)) = values.split_once(" but current is ") {
        return Some(Difference { argument, received: value(received), current: value(current) });
    }
    let received = values.strip_prefix("none but current is the value ");
    received.map(|current| Difference { argument, received: "none", current: value(current) })
}

/// `'5'`, `the value '5' of type 'signedint'`, or `none`.
fn value(text: &str) -> &str {
    let text = text.strip_prefix("the value ").unwrap_or(text);
    let text = text.split_once("' of type '").map_or(text, |(value, _)| value);
    text.strip_prefix('\'').map_or(text, |text| text.strip_suffix('\'').unwrap_or(text))
}

/// A code, what the explanation must contain, and the advice. The first row that fits counts.
const ADVICE: &[(ReplyCode, &str, &str)] = &[
    (
        ReplyCode::PreconditionFailed,
        "inequivalent arg",
        "It exists with other properties than this program declares. Declare it with the values that it has, or delete it first; properties that a policy can set are better left out of declarations.",
    ),
    (
        ReplyCode::PreconditionFailed,
        "unknown delivery tag",
        "The program acknowledged a message twice, on another channel than it came on, or on a consumer without acknowledgements. Acknowledge each delivery once, on its own channel.",
    ),
    (
        ReplyCode::PreconditionFailed,
        "delivery acknowledgement on channel",
        "A message was not acknowledged in time. Look for a handler that hangs; if it may take so long, set x-consumer-timeout on the queue or the consumer.",
    ),
    (
        ReplyCode::PreconditionFailed,
        "larger than",
        "The message is too large. Keep large bodies elsewhere and send where they are, or raise max_message_size.",
    ),
    (
        ReplyCode::PreconditionFailed,
        "in use",
        "Somebody consumes from the queue, or binds to the exchange. Stop that first, or delete without if-unused.",
    ),
    (
        ReplyCode::PreconditionFailed,
        "not empty",
        "The queue has messages. Consume or purge them first, or delete it without if-empty.",
    ),
    (
        ReplyCode::PreconditionFailed,
        "user_id",
        "The property user_id must be the name of the user that publishes. Leave it out, or log in as that user.",
    ),
    (
        ReplyCode::PreconditionFailed,
        "expiration",
        "The property expiration must be a string with a whole number of milliseconds, as in \"60000\".",
    ),
    (
        ReplyCode::PreconditionFailed,
        "x-",
        "An argument of the declaration is wrong: look at its name, type and value in the text.",
    ),
    (
        ReplyCode::PreconditionFailed,
        "",
        "The broker cannot do this in the state that the text names. Change the request, or the state, first.",
    ),
    (
        ReplyCode::NotFound,
        "no exchange",
        "There is no such exchange in this virtual host. Declare it before it is used; look for a misspelt name, and for the wrong virtual host.",
    ),
    (
        ReplyCode::NotFound,
        "no queue",
        "There is no such queue in this virtual host. Declare it before it is used; look for a misspelt name, an expired or deleted queue, and for the wrong virtual host.",
    ),
    (
        ReplyCode::NotFound,
        "",
        "There is nothing of this name in this virtual host. Look for a misspelt name, and for the wrong virtual host.",
    ),
    (
        ReplyCode::AccessRefused,
        "Login was refused",
        "The user name or the password is wrong, or guest does not come from the same machine. The broker's log has the reason.",
    ),
    (
        ReplyCode::AccessRefused,
        "exclusive use",
        "Another consumer has the queue for itself. Stop that one, or consume without exclusive.",
    ),
    (ReplyCode::AccessRefused, "reserved", "Names that begin with amq. belong to the broker. Choose another name."),
    (
        ReplyCode::AccessRefused,
        "default exchange",
        "The exchange without a name cannot be declared, deleted or bound. Every queue is bound to it already.",
    ),
    (
        ReplyCode::AccessRefused,
        "",
        "The user lacks the permission that the text names. An administrator can give it: rabbitmqctl set_permissions, or /api/permissions.",
    ),
    (
        ReplyCode::ResourceLocked,
        "",
        "The queue belongs to another connection, which declared it exclusive, and goes with it. Use that connection, or a queue that is not exclusive.",
    ),
    (
        ReplyCode::NotAllowed,
        "vhost",
        "The virtual host does not exist, is full, or the user has no permissions in it. Look at the end of the URI: the default virtual host is /, written %2F.",
    ),
    (
        ReplyCode::NotAllowed,
        "limit",
        "A limit is reached. Close connections and channels that are not needed, or have an administrator raise it.",
    ),
    (
        ReplyCode::NotAllowed,
        "channel_max",
        "The program opened too many channels. Close those that it does not need; most programs need one for each thread.",
    ),
    (
        ReplyCode::NotAllowed,
        "consumer tag",
        "The tag is in use on this channel. Choose another, or let the broker choose one.",
    ),
    (ReplyCode::NotAllowed, "", "This is not allowed at all; the text says why. Change the program."),
    (
        ReplyCode::ConnectionForced,
        "",
        "An operator, a change of users or virtual hosts, or the broker's stop closed it. Connect again.",
    ),
    (
        ReplyCode::ChannelError,
        "",
        "The program used a channel that is not open, or opened one twice. Often two threads share a connection that is not made for it, or go on after the channel was closed by an error: look for an earlier one of the same connection.",
    ),
    (
        ReplyCode::UnexpectedFrame,
        "",
        "The frames came in a wrong order. Often two threads publish on one channel at the same time: give each its own channel.",
    ),
    (
        ReplyCode::FrameError,
        "",
        "The bytes are no frame of AMQP, or one is larger than was agreed. Look for a proxy in between, and for two threads that write to one socket.",
    ),
    (ReplyCode::SyntaxError, "", "A field has an impossible value. Look for an old or home-made client."),
    (ReplyCode::CommandInvalid, "", "The method makes no sense here; the text says why."),
    (
        ReplyCode::ContentTooLarge,
        "",
        "The message is too large. Keep large bodies elsewhere and send where they are, or raise max_message_size.",
    ),
    (
        ReplyCode::NotImplemented,
        "",
        "AMQP 0-9-1 has this, and the broker does not, as RabbitMQ does not. Do without it.",
    ),
    (ReplyCode::InvalidPath, "", "The name of the virtual host cannot be. Look at the end of the URI."),
    (
        ReplyCode::ResourceError,
        "",
        "The broker lacks something that it needs: memory, disk space or descriptors. Look at its log and at /api/leveret/alerts.",
    ),
    (
        ReplyCode::InternalError,
        "",
        "The broker cannot do this. The text and its log say why; if it says nothing of your request, please report it.",
    ),
];

/// What whoever reads the error should do next.
pub(super) fn of(error: &AmqpError) -> String {
    let fits = |row: &&(ReplyCode, &str, &str)| row.0 == error.code && error.explanation.contains(row.1);
    ADVICE.iter().find(fits).map_or("The reply text says what is wrong.", |(_, _, advice)| advice).to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_values_are_found() {
        let of = |text: &'static str| difference(text).map(|found| (found.argument, found.received, found.current));
        let durable = "inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but current is 'true'";
        assert_eq!(of(durable), Some(("durable", "false", "true")));
        let typed = "inequivalent arg 'x-max-length' for queue 'a': received 'b' in vhost '/': received the value '5' of type \
                     'signedint' but current is the value '10' of type 'long'";
        assert_eq!(of(typed), Some(("x-max-length", "5", "10")));
        let none = "inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received none but current is the value '10' \
                    of type 'signedint'";
        assert_eq!(of(none), Some(("x-max-length", "none", "10")));
        assert_eq!(of("no queue 'q' in vhost '/'"), None);
    }

    #[test]
    fn what_it_is_about_is_found() {
        let of = |text: &'static str| object(text).map(|found| (found.kind, found.name));
        assert_eq!(of("no queue 'it's' in vhost '/'"), Some(("queue", "it's")));
        assert_eq!(of("no exchange 'x' in vhost '/'"), Some(("exchange", "x")));
        assert_eq!(of("vhost a b not found"), Some(("vhost", "a b")));
        assert_eq!(of("access to vhost '/' refused for user 'u'"), Some(("vhost", "/")));
        assert_eq!(of("unknown delivery tag 5"), None);
    }

    #[test]
    fn every_code_has_advice_of_its_own() {
        let codes = [
            AmqpError::precondition_failed("?"),
            AmqpError::not_found("?"),
            AmqpError::access_refused("?"),
            AmqpError::resource_locked("?"),
            AmqpError::not_allowed("?"),
            AmqpError::connection_forced("?"),
            AmqpError::channel_error("?"),
            AmqpError::unexpected_frame("?"),
            AmqpError::frame_error("?"),
            AmqpError::syntax_error("?"),
            AmqpError::command_invalid("?"),
            AmqpError::content_too_large("?"),
            AmqpError::not_implemented("?"),
            AmqpError::invalid_path("?"),
            AmqpError::resource_error("?"),
            AmqpError::internal_error("?"),
        ];
        let mut advice: Vec<_> = codes.iter().map(of).collect();
        assert!(!advice.contains(&"The reply text says what is wrong.".to_owned()));
        let rows = ADVICE.iter().filter(|(_, contains, _)| contains.is_empty()).count();
        advice.sort_unstable();
        advice.dedup();
        assert_eq!((advice.len(), rows), (codes.len(), codes.len()));
    }

    proptest! {
        /// Names are a client's, and may be anything.
        #[test]
        fn no_text_makes_it_panic(text in "(inequivalent arg ')?.{0,40}(' for )?.{0,20}(': received )?.{0,20}( but current is )?.{0,20}") {
            object(&text);
            difference(&text);
        }
    }
}
