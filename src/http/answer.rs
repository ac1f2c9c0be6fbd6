//! What a handler answers.

use serde::Serialize;
use serde_json::Value;

use super::events::{BeginEvents, EventBody};
use super::later::{Later, Watch};
use super::refusal::{REFUSED_BY, Refusal};
use crate::store::LogPosition;

/// An answer, and what must be durable before it is given.
#[derive(Debug)]
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: u16,
    /// The body, with its content type.
    pub(super) body: Option<(&'static str, Vec<u8>)>,
    /// Headers beside those that every answer has.
    pub(super) headers: Vec<(&'static str, String)>,
    /// The client is told once this is durable.
    pub(super) after: LogPosition,
    /// What is to be done first: it has the answer instead of this one.
    pub(super) later: Option<Later>,
    /// Events that follow for as long as the client reads.
    pub(super) events: Option<EventBody>,
}

/// Bytes that a list is given room for at once, at most.
const RESERVED_MAX: usize = 32 * 1024 * 1024;

pub(super) const JSON: &str = "application/json";

impl Answer {
    fn empty(status: u16) -> Self {
        Self { status, body: None, headers: Vec::new(), after: LogPosition::START, later: None, events: None }
    }

    /// 200 with a JSON body.
    pub(super) fn json(value: &impl Serialize) -> Self {
        // Only a map whose keys are no strings, or a writer that fails, can fail here; none is there.
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self { body: Some((JSON, body)), ..Self::empty(200) }
    }

    /// 200 with a JSON list, whose items are written one after the other.
    pub(super) fn json_list(items: impl Iterator<Item = impl Serialize>) -> Self {
        let (mut body, mut left) = (Vec::from(*b"["), items.size_hint().1);
        for item in items {
            let before = body.len();
            if before > 1 {
                body.push(b',');
            }
            if serde_json::to_writer(&mut body, &item).is_err() {
                debug_assert!(false, "an item of a list cannot be written");
                body.truncate(before);
            }
            // Items of a list are alike, up to names and numbers of other lengths: room for all of them at once is cheaper than twice as
            // much again and again.
            if let Some(count) = left.take() {
                let expected = (body.len() - before).saturating_mul(count);
                body.reserve(expected.saturating_add(expected / 8).min(RESERVED_MAX));
            }
        }
        body.push(b']');
        Self { body: Some((JSON, body)), ..Self::empty(200) }
    }

    /// A JSON body with another status.
    pub(super) fn json_with(status: u16, value: &Value) -> Self {
        Self { status, ..Self::json(value) }
    }

    /// What this work finds.
    pub(super) fn after_work(work: impl FnOnce() -> Result<Self, Refusal> + Send + 'static) -> Self {
        Self { later: Some(Later::Work(Box::new(work))), ..Self::empty(200) }
    }

    /// What this watch finds.
    pub(super) fn after_watch(watch: impl Watch + 'static) -> Self {
        Self { later: Some(Later::Watch(Box::new(watch))), ..Self::empty(200) }
    }

    /// What this watch finds, which does so soon.
    pub(super) fn after_brief_watch(watch: impl Watch + 'static) -> Self {
        Self { later: Some(Later::BriefWatch(Box::new(watch))), ..Self::empty(200) }
    }

    /// Events that begin now.
    pub(super) fn events(begin: BeginEvents) -> Self {
        Self { later: Some(Later::Events(begin)), ..Self::empty(200) }
    }

    /// 200 with these events.
    pub(super) fn with_events(events: EventBody) -> Self {
        Self { events: Some(events), ..Self::empty(200) }
    }

    /// 200 with a text for people.
    pub(super) fn text(text: String) -> Self {
        Self { body: Some(("text/plain", text.into_bytes())), ..Self::empty(200) }
    }

    /// 202: seen to.
    pub(super) fn accepted() -> Self {
        Self::empty(202)
    }

    /// 201: it was not there before.
    pub(super) fn created() -> Self {
        Self::empty(201)
    }

    /// 204: done, and nothing to say.
    pub(super) fn no_content() -> Self {
        Self::empty(204)
    }

    /// 201 for what is new, 204 for what was there.
    pub(super) fn put(is_new: bool) -> Self {
        if is_new { Self::created() } else { Self::no_content() }
    }

    /// 304 in place of what has not changed.
    pub(super) fn not_modified(self) -> Self {
        Self { status: 304, body: None, ..self }
    }

    /// With one more header.
    pub(super) fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Given once this is durable.
    pub(super) fn once_durable(mut self, position: LogPosition) -> Self {
        self.after = position;
        self
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let answer = Self::json_with(refusal.status, &refusal.body());
        match refusal.refused_by {
            Some(setting) => answer.with_header(REFUSED_BY, setting.to_owned()),
            None => answer,
        }
    }
}
