//! Arguments of queues and exchanges that are not known, but look like some that are. They have no effect, as in RabbitMQ; so the log
//! says what was probably meant.

use std::collections::HashSet;
use std::fmt::Display;

use super::declarers::Declarable;
use super::exchange;
use super::queue::arguments::known;
use crate::nearest::nearest;
use crate::table::Table;

/// More arguments of one declaration, more different ones of a file, and longer ones are not looked at: words are compared letter by
/// letter.
const OF_ONE_LOOKED_AT_MAX: usize = 32;
const LOOKED_AT_MAX: usize = 1_000;
const ARGUMENT_BYTES_MAX: usize = 64;

/// Where a declaration comes from, as far as it says so.
#[derive(Clone, Copy, Default)]
pub(crate) struct DeclaredFrom<'a> {
    pub(crate) vhost: &'a str,
    pub(crate) user: Option<&'a str>,
    /// The address of a client of AMQP, the name that it gave its connection, and what it says that it is.
    pub(crate) peer: Option<&'a dyn Display>,
    pub(crate) connection: Option<&'a str>,
    pub(crate) client: Option<&'a str>,
    /// What it came by, if not by AMQP.
    pub(crate) by: Option<&'static str>,
}

/// Says of arguments that are not known what was probably meant: of each name once, however many queues and exchanges of one file have
/// it.
#[derive(Debug, Default)]
pub(crate) struct MistypedArguments {
    looked_at: HashSet<String>,
}

impl MistypedArguments {
    /// Looks at a declaration that made something.
    pub(crate) fn warn(&mut self, kind: Declarable, name: &str, arguments: &Table, from: DeclaredFrom<'_>) {
        if arguments.is_empty() {
            return;
        }
        let (what, known): (_, Vec<&str>) = match kind {
            Declarable::Queue => ("queue", known::known_arguments().collect()),
            Declarable::Exchange => ("exchange", exchange::known_arguments().collect()),
        };
        let arguments = arguments.iter().filter_map(|(name, _)| str::from_utf8(name).ok()).take(OF_ONE_LOOKED_AT_MAX);
        for argument in arguments.filter(|it| it.len() <= ARGUMENT_BYTES_MAX && !known.contains(it)) {
            if self.looked_at.len() < LOOKED_AT_MAX
                && self.looked_at.insert(argument.to_owned())
                && let Some(meant) = nearest(argument, known.iter().copied())
            {
                let reason =
                    format!("{what} '{name}' is declared with an argument that is not known: did you mean {meant}?");
                tracing::warn!(
                    target: "queue",
                    peer = from.peer.map(tracing::field::display),
                    user = from.user,
                    vhost = from.vhost,
                    connection = from.connection,
                    client = from.client,
                    by = from.by,
                    argument,
                    reason,
                    "an argument has no effect"
                );
            }
        }
    }
}
