//! The last errors that closed a channel or a connection: who it was, and what it was told. Nothing is kept until one happens, and
//! never more than [`KEPT_MAX`].

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::AmqpError;

/// So many are kept.
pub(crate) const KEPT_MAX: usize = 1_000;
/// Characters of what a client says of itself.
const SAID_CHARS_MAX: usize = 200;
/// Characters of an explanation; more than is ever sent, so that both values are there where two differ.
const EXPLANATION_CHARS_MAX: usize = 1_000;

/// Who was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrorSource {
    /// Who logged in; `None` before.
    pub(crate) user: Option<Arc<str>>,
    /// The virtual host; `None` before it was opened.
    pub(crate) vhost: Option<Arc<str>>,
    /// The client's address and port.
    pub(crate) peer: String,
    /// RabbitMQ's name of the connection.
    pub(crate) connection: String,
    /// The name that the client gave it.
    pub(crate) connection_name: Option<String>,
    /// `product`, `version` and `platform`, as far as the client says them.
    pub(crate) client: Vec<(&'static str, String)>,
    /// The channel that was closed; `None` when it was the connection.
    pub(crate) channel: Option<u16>,
}

/// An error that closed a channel or a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecentError {
    /// Its place among all errors since the start, from 1.
    pub(crate) id: u64,
    /// When, in milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// Who was told.
    pub(crate) source: ErrorSource,
    /// The reply code, the text and the method that it was told.
    pub(crate) error: AmqpError,
}

/// The last errors of a broker.
#[derive(Debug, Default)]
pub struct RecentErrors(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    total: u64,
    latest: VecDeque<Arc<RecentError>>,
}

impl RecentErrors {
    /// Adds an error; texts of the client are cut to a bounded length.
    pub(crate) fn note(&self, mut source: ErrorSource, mut error: AmqpError, at_ms: u64) {
        source.connection_name.iter_mut().for_each(|name| shorten(name, SAID_CHARS_MAX));
        source.client.iter_mut().for_each(|(_, text)| shorten(text, SAID_CHARS_MAX));
        shorten(&mut error.explanation, EXPLANATION_CHARS_MAX);
        let mut kept = self.0.lock();
        kept.total += 1;
        let id = kept.total;
        kept.latest.push_back(Arc::new(RecentError { id, at_ms, source, error }));
        if kept.latest.len() > KEPT_MAX {
            kept.latest.pop_front();
        }
    }

    /// How many there were since the start, and those that are kept, the latest first.
    pub(crate) fn latest(&self) -> (u64, Vec<Arc<RecentError>>) {
        let kept = self.0.lock();
        (kept.total, kept.latest.iter().rev().cloned().collect())
    }
}

fn shorten(text: &mut String, chars_max: usize) {
    if let Some((at, _)) = text.char_indices().nth(chars_max) {
        text.truncate(at);
    }
    // A thousand are kept for long, so what was cut off is given back.
    text.shrink_to_fit();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_kept_and_all_are_counted() {
        let errors = RecentErrors::default();
        let long = "ü".repeat(100_000);
        for at_ms in 0..1_500 {
            let source = ErrorSource {
                connection_name: Some(long.clone()),
                client: vec![("product", long.clone())],
                ..ErrorSource::default()
            };
            errors.note(source, AmqpError::not_found(long.clone()), at_ms);
        }
        let (total, latest) = errors.latest();
        assert_eq!((total, latest.len()), (1_500, KEPT_MAX));
        assert_eq!((latest[0].id, latest[999].id), (1_500, 501), "the latest first");
        let RecentError { source, error, .. } = &*latest[0];
        assert_eq!(source.connection_name.as_ref().unwrap().chars().count(), SAID_CHARS_MAX);
        assert_eq!(source.client[0].1.chars().count(), SAID_CHARS_MAX);
        assert_eq!(error.explanation.chars().count(), EXPLANATION_CHARS_MAX);
        assert_eq!(error.reply_text(), AmqpError::not_found(long).reply_text());
    }
}
