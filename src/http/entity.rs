//! Entity tags: who asks again for what has not changed is told so, and not sent it again. Pages that are open all day cost little this way.

use std::hash::BuildHasher;
use std::sync::LazyLock;

use axum::http::HeaderValue;
use foldhash::quality::RandomState;

use super::answer::Answer;

/// Of this process: with keys that nobody knows, nobody can make two bodies with the same tag. A body may have 16 MB, for which the
/// standard library's hasher takes 4 % of the time of the answer.
static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// The answer with its tag; or that nothing has changed, to a client that knows the tag already. It is a weak one: on its way the body may
/// be compressed.
pub(super) fn tagged(answer: Answer, known: Option<&HeaderValue>) -> Answer {
    let Some((_, body)) = answer.body.as_ref().filter(|_| answer.status == 200) else { return answer };
    let tag = format!("W/\"{:016x}\"", KEYS.hash_one(body));
    let known = known.and_then(|known| known.to_str().ok()).unwrap_or_default();
    let is_known = known.split(',').any(|one| one.trim() == tag);
    let answer = if is_known { answer.not_modified() } else { answer };
    answer.with_header("etag", tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_not_sent_again() {
        let first = tagged(Answer::json(&1), None);
        let (name, tag) = first.headers.first().cloned().unwrap();
        assert_eq!((name, first.status, first.body.is_some()), ("etag", 200, true));
        let known = HeaderValue::from_str(&format!("\"other\", {tag}")).unwrap();
        let again = tagged(Answer::json(&1), Some(&known));
        assert_eq!((again.status, again.body.is_none(), &again.headers), (304, true, &first.headers));
        assert_eq!(tagged(Answer::json(&2), Some(&known)).status, 200, "it has changed");
    }

    #[test]
    fn only_what_was_found_has_a_tag() {
        assert!(tagged(Answer::no_content(), None).headers.is_empty());
        assert!(tagged(super::super::refusal::Refusal::absent().into(), None).headers.is_empty());
    }
}
