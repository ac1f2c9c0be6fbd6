//! What to do about an error of a client, for whoever reads the log.

use std::borrow::Cow;

use crate::broker::exchange::EXCHANGE_TYPES;
use crate::error::{AmqpError, ReplyCode};
use crate::nearest::nearest;

/// A code, what the text has in it, and what to do. The first that fits counts.
const ADVICE: &[(ReplyCode, &str, &str)] = &[
    (
        ReplyCode::PreconditionFailed,
        "inequivalent arg",
        "declare it as it is, or delete it and declare it anew; a policy changes limits without that",
    ),
    (
        ReplyCode::PreconditionFailed,
        "unknown delivery tag",
        "acknowledge each delivery once, on the channel that it came on, and not at all with no_ack",
    ),
    (
        ReplyCode::PreconditionFailed,
        "delivery acknowledgement on channel",
        "acknowledge sooner, or allow more time: --consumer-timeout, or x-consumer-timeout of the queue",
    ),
    (
        ReplyCode::PreconditionFailed,
        "invalid expiration",
        "expiration is a whole number of milliseconds as text: \"60000\"",
    ),
    (
        ReplyCode::PreconditionFailed,
        "invalid property 'non-durable'",
        "quorum queues are always durable: declare it durable, or as x-queue-type classic",
    ),
    (
        ReplyCode::PreconditionFailed,
        "invalid property 'exclusive-owner'",
        "quorum queues are never exclusive: leave exclusive out, or declare it as x-queue-type classic",
    ),
    (
        ReplyCode::PreconditionFailed,
        "invalid property 'auto-delete'",
        "quorum queues are never auto-delete: leave it out, or let x-expires delete a queue that is not used",
    ),
    (
        ReplyCode::PreconditionFailed,
        "of queue type rabbit_",
        "queues of this type have no such argument: leave it out, or choose another x-queue-type",
    ),
    (
        ReplyCode::PreconditionFailed,
        "invalid arg 'x-message-ttl'",
        "x-message-ttl is a whole number of milliseconds, 0 or more, and no text: 60000",
    ),
    (
        ReplyCode::PreconditionFailed,
        "unsupported queue type",
        "x-queue-type is classic or quorum; streams are not there",
    ),
    (
        ReplyCode::PreconditionFailed,
        "invalid_overflow",
        "x-overflow is drop-head, reject-publish or reject-publish-dlx",
    ),
    (
        ReplyCode::PreconditionFailed,
        "'x-delayed-type' must be",
        "give the exchange the argument x-delayed-type: direct, fanout, topic or headers, by which it routes when the time comes",
    ),
    (ReplyCode::PreconditionFailed, "larger than", "send less at a time, or raise --max-message-size"),
    (ReplyCode::PreconditionFailed, "in use", "cancel its consumers first, or delete it without if-unused"),
    (ReplyCode::NotFound, "no queue", "declare the queue first; check its name and the virtual host"),
    (ReplyCode::NotFound, "no exchange", "declare the exchange first; check its name and the virtual host"),
    (
        ReplyCode::AccessRefused,
        "Login was refused",
        "check user and password; guest may only come from this machine (--guest-from-anywhere)",
    ),
    (
        ReplyCode::AccessRefused,
        "in exclusive use",
        "another consumer of the queue is exclusive: end it, or consume without exclusive",
    ),
    (
        ReplyCode::AccessRefused,
        "reserved prefix",
        "names that begin with amq. are the broker's own: choose another one, or leave the name empty to be given one",
    ),
    (
        ReplyCode::AccessRefused,
        "default exchange",
        "the default exchange leads to each queue by its name: it needs no bindings, and is there for good",
    ),
    (
        ReplyCode::AccessRefused,
        "",
        "give the user the permission: rabbitmqctl set_permissions -p VHOST USER CONF WRITE READ",
    ),
    (
        ReplyCode::ResourceLocked,
        "",
        "the queue belongs to another connection, with which it goes: use a name of its own for each connection",
    ),
    (
        ReplyCode::NotAllowed,
        "not found",
        "make the virtual host (rabbitmqctl add_vhost NAME), or check its name in the URL",
    ),
    (
        ReplyCode::NotAllowed,
        "access to vhost",
        "give the user permissions there: rabbitmqctl set_permissions -p VHOST USER CONF WRITE READ",
    ),
    (ReplyCode::NotAllowed, "reuse consumer tag", "let the broker choose tags, or use each once on a channel"),
    (
        ReplyCode::ChannelError,
        "expected 'channel.open'",
        "the channel is closed: open it again after an error, and use a channel in one thread only",
    ),
    (ReplyCode::UnexpectedFrame, "", "a channel is probably used by several threads at a time: give each its own"),
    (ReplyCode::FrameError, "", "client and broker disagree on the protocol: check for a proxy between them"),
];

/// What to do about it, if that is known.
pub(super) fn advice(error: &AmqpError) -> Option<Cow<'static, str>> {
    if let Some(types) = exchange_types(error) {
        return Some(types.into());
    }
    let fits = |(code, part, _): &&(ReplyCode, &str, &str)| *code == error.code && error.explanation.contains(part);
    ADVICE.iter().find(fits).map(|(_, _, advice)| (*advice).into())
}

/// The types of exchanges that there are, and which of them was probably meant.
fn exchange_types(error: &AmqpError) -> Option<String> {
    let explanation = error.explanation.as_str();
    let before = ["unknown exchange type '", "invalid exchange type '"];
    let name = before.iter().find_map(|before| explanation.strip_prefix(before))?.strip_suffix('\'')?;
    let names: Vec<_> = EXCHANGE_TYPES.iter().map(|exchange_type| exchange_type.name).collect();
    let likely = nearest(name, names.iter().copied()).map(|likely| format!("did you mean '{likely}'? "));
    Some(format!("{}the types are {}", likely.unwrap_or_default(), names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commonest_mistakes_have_an_advice() {
        let inequivalent =
            "inequivalent arg 'durable' for queue 'q' in vhost '/': received 'true' but current is 'false'";
        let tip = advice(&AmqpError::precondition_failed(inequivalent)).unwrap();
        assert!(tip.starts_with("declare it as it is"), "{tip}");
        assert!(advice(&AmqpError::not_found("no queue 'q' in vhost '/'")).unwrap().contains("queue first"));
        let reserved =
            advice(&AmqpError::access_refused("queue name 'amq.x' contains reserved prefix 'amq.*'")).unwrap();
        assert!(reserved.starts_with("names that begin with amq."), "{reserved}");
        let refused =
            advice(&AmqpError::access_refused("configure access to queue 'q' in vhost '/' refused for user 'a'"));
        assert!(refused.unwrap().starts_with("give the user the permission"));
        assert!(advice(&AmqpError::precondition_failed("something else")).is_none());
    }

    #[test]
    fn mistakes_in_declarations_have_an_advice_that_says_what_is_allowed() {
        for (explanation, part) in [
            ("invalid expiration '10s': {leftover_string,\"s\"}", "milliseconds as text"),
            ("invalid arg 'x-message-ttl' for queue 'q' in vhost '/': {value_negative,-1}", "0 or more"),
            ("invalid property 'non-durable' for queue 'q' in vhost '/'", "declare it durable"),
            ("invalid property 'exclusive-owner' for queue 'q' in vhost '/'", "leave exclusive out"),
            (
                "invalid arg 'x-max-priority' for queue 'q' in vhost '/' of queue type rabbit_quorum_queue",
                "queues of this type have no such argument",
            ),
            (
                "invalid arg 'x-queue-type' for queue 'q' in vhost '/': \"unsupported queue type 'bogus'\"",
                "classic or quorum",
            ),
            ("invalid arg 'x-overflow' for queue 'q' in vhost '/': invalid_overflow", "drop-head, reject-publish"),
            ("Invalid argument, 'x-delayed-type' must be an existing exchange type", "direct, fanout, topic"),
        ] {
            let tip = advice(&AmqpError::precondition_failed(explanation)).unwrap_or_default();
            assert!(tip.contains(part), "{explanation}: {tip}");
        }
    }

    #[test]
    fn an_unknown_type_of_exchange_is_told_with_those_that_there_are() {
        let unknown = |name: &str| AmqpError::precondition_failed(format!("unknown exchange type '{name}'"));
        let tip = advice(&unknown("topicc")).unwrap();
        assert!(tip.starts_with("did you mean 'topic'? the types are direct, "), "{tip}");
        assert!(advice(&unknown("colour")).unwrap().starts_with("the types are "));
        assert!(advice(&AmqpError::command_invalid("invalid exchange type ''")).unwrap().starts_with("the types are "));
    }
}
