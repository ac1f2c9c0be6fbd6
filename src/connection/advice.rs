//! What to do about an error of a client, for whoever reads the log.

use crate::error::{AmqpError, ReplyCode};

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
pub(super) fn advice(error: &AmqpError) -> Option<&'static str> {
    let fits = |(code, part, _): &&(ReplyCode, &str, &str)| *code == error.code && error.explanation.contains(part);
    ADVICE.iter().find(fits).map(|(_, _, advice)| *advice)
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
}
