//! What a scrape asks for: `family`, `vhost` and `queue` of its query, as in RabbitMQ.

use fancy_regex::Error;

use super::Parameters;
use crate::http::expression::{NameExpression, TOO_COSTLY};

/// A longer expression for queues is refused.
const EXPRESSION_BYTES_MAX: usize = 2_000;

/// What is asked for. RabbitMQ reads it for every endpoint, and obeys it in `/detailed`.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) families: Vec<&'a str>,
    /// Of queues and exchanges only: all other families are told of all virtual hosts.
    pub(super) vhosts: Vec<&'a str>,
    queues: Option<NameExpression>,
}

impl<'a> Asked<'a> {
    /// # Errors
    /// What is wrong with the expression for queues.
    pub(super) fn read(parameters: &'a Parameters) -> Result<Self, String> {
        let named = |name: &str| {
            let values = parameters.iter().filter(|(known, _)| known == name);
            values.map(|(_, value)| value.as_deref()).collect::<Vec<_>>()
        };
        let queues = match named("queue").as_slice() {
            [] | [Some("")] => None,
            // RabbitMQ fails then, and says nothing.
            [None] => return Err("'queue' needs a value: queue=EXPRESSION, for names of queues".to_owned()),
            [Some(text)] if text.len() > EXPRESSION_BYTES_MAX => return Err("'queue' regex too long".to_owned()),
            [Some(text)] => Some(NameExpression::new(text, false).map_err(|error| invalid(&error))?),
            _ => return Err("Only one 'queue' query parameter is allowed".to_owned()),
        };
        // Without a value they choose nothing, as if they were not there.
        let [families, vhosts] = ["family", "vhost"].map(|name| named(name).into_iter().flatten().collect());
        Ok(Self { families, vhosts, queues })
    }

    /// Whether a queue of this name is asked for.
    pub(super) fn has_queue(&self, name: &str) -> bool {
        self.queues.as_ref().is_none_or(|expression| expression.is_match(name))
    }

    /// Why nothing is told, once all queues were asked for: nobody has logged in who could be trusted with an expression.
    pub(super) fn refusal(&self) -> Option<&'static str> {
        self.queues.as_ref().filter(|expression| expression.is_too_costly()).map(|_| TOO_COSTLY)
    }
}

/// In RabbitMQ's words, up to those that tell what is wrong.
fn invalid(error: &Error) -> String {
    if let Error::ParseError(position, kind) = error {
        return format!("Invalid 'queue' regex at position {position}: {kind}");
    }
    // Some draw the expression over several lines; the last one says what is wrong.
    let text = error.to_string();
    format!("Invalid 'queue' regex: {}", text.lines().next_back().unwrap_or_default().trim())
}
