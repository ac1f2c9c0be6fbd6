//! What `basic.consume` may be given: one line an argument, with the queue types that know it, and the rule for its value, which also
//! says where it goes (behaviour reference 5.3).

use std::fmt::Display;

use crate::broker::profile::{Profile, Timed};
use crate::broker::queue::arguments::check_integer;
use crate::broker::queue::arguments::{QueueKind, invalid_argument};
use crate::error::AmqpError;
use crate::table::{Table, Value};

/// The arguments of a consumer, checked and typed.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ConsumerArguments {
    pub(super) priority: i64,
    pub(super) timeout_ms: Option<u64>,
}

struct ConsumerArgument {
    name: &'static str,
    is_known: fn(QueueKind, &Profile) -> bool,
    /// Checks the value, and puts it where it belongs.
    set: fn(&mut ConsumerArguments, &Value) -> Result<(), String>,
}

/// All arguments that mean something, in the order in which they are checked. Others are ignored.
const CONSUMER_ARGUMENTS: &[ConsumerArgument] = &[
    ConsumerArgument { name: "x-priority", is_known: everywhere, set: priority },
    ConsumerArgument { name: "x-stream-offset", is_known: in_streams, set: nothing },
    ConsumerArgument { name: "x-stream-filter", is_known: in_streams, set: nothing },
    ConsumerArgument { name: "x-stream-match-unfiltered", is_known: in_streams, set: nothing },
    ConsumerArgument { name: "x-consumer-timeout", is_known: where_deliveries_time_out, set: timeout },
];

const fn everywhere(_: QueueKind, _: &Profile) -> bool {
    true
}

/// There are no streams yet.
const fn in_streams(_: QueueKind, _: &Profile) -> bool {
    false
}

fn where_deliveries_time_out(kind: QueueKind, profile: &Profile) -> bool {
    match kind {
        QueueKind::Quorum => true,
        QueueKind::Classic => profile.consumer_timeout == Timed::EveryType,
    }
}

fn priority(arguments: &mut ConsumerArguments, value: &Value) -> Result<(), String> {
    arguments.priority = check_integer(value)?;
    Ok(())
}

/// A negative one is none.
fn timeout(arguments: &mut ConsumerArguments, value: &Value) -> Result<(), String> {
    arguments.timeout_ms = u64::try_from(check_integer(value)?).ok();
    Ok(())
}

const fn nothing(_: &mut ConsumerArguments, _: &Value) -> Result<(), String> {
    Ok(())
}

impl ConsumerArguments {
    /// Checks the arguments of a new consumer. `queue` is how error texts name it: `queue 'q' in vhost '/'`.
    ///
    /// # Errors
    /// 406 for an argument of the wrong type, or one that this type of queue does not know.
    pub(super) fn parse(
        arguments: &Table,
        kind: QueueKind,
        queue: &dyn Display,
        profile: &Profile,
    ) -> Result<Self, AmqpError> {
        let mut parsed = Self::default();
        for ConsumerArgument { name, is_known, set } in CONSUMER_ARGUMENTS {
            let Some(value) = arguments.get(name) else { continue };
            if !is_known(kind, profile) {
                let text = format!("invalid arg '{name}' for {queue} of queue type {}", kind.module());
                return Err(AmqpError::precondition_failed(text));
            }
            set(&mut parsed, value).map_err(|reason| invalid_argument(name, queue, &reason))?;
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::profile::Compatibility;

    fn parse(fields: &[(&'static str, Value)], kind: QueueKind) -> Result<ConsumerArguments, String> {
        let arguments: Table = fields.iter().cloned().collect();
        let profile = Compatibility::default().profile();
        ConsumerArguments::parse(&arguments, kind, &"queue 'q' in vhost '/'", profile)
            .map_err(|error| error.explanation)
    }

    #[test]
    fn each_argument_goes_to_its_place_where_it_is_known() {
        let fields =
            [("x-priority", Value::I32(-3)), ("x-other", Value::I32(1)), ("x-consumer-timeout", Value::I32(70))];
        let expected = ConsumerArguments { priority: -3, timeout_ms: Some(70) };
        assert_eq!(parse(&fields, QueueKind::Quorum), Ok(expected));
        let unlimited = ConsumerArguments::default();
        assert_eq!(parse(&[("x-consumer-timeout", Value::I32(-1))], QueueKind::Quorum), Ok(unlimited));
    }

    #[test]
    fn arguments_of_other_types_and_values_of_other_kinds_are_refused() {
        let texts = [
            (
                "x-stream-offset",
                "invalid arg 'x-stream-offset' for queue 'q' in vhost '/' of queue type rabbit_quorum_queue",
            ),
            ("x-priority", "invalid arg 'x-priority' for queue 'q' in vhost '/': \"expected integer, got bool\""),
        ];
        for (name, text) in texts {
            assert_eq!(parse(&[(name, Value::Bool(true))], QueueKind::Quorum), Err(text.to_owned()));
        }
    }
}
