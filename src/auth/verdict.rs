//! What all the backends of a user say together, with the answers that were on their way.

use std::collections::HashMap;
use std::sync::Arc;

use super::backend::{BackendAnswer, Grant, Question, Said, Waiting};
use super::permissions::{Access, Resource, refused};
use crate::error::AmqpError;

/// So many answers a connection remembers. RabbitMQ has twelve of each channel.
const ANSWERS_MAX: usize = 256;

/// What the backends of a user say. All of them must allow, and the first that does not is named.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Every backend that was asked allows it.
    Allowed,
    /// One backend refuses it, or could not say.
    Refused(Objection),
    /// The answer is on its way; it is to be learned, and then to be asked again.
    Unknown(Unanswered),
}

/// Who says no, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Objection {
    backend: &'static str,
    answer: BackendAnswer,
}

/// A question whose answer is on its way.
pub(crate) struct Unanswered {
    /// The place of the grant that is asked.
    pub(crate) grant: usize,
    /// What it is asked.
    pub(crate) question: Question,
    /// What that grant will answer; it ends with the connection or request that waits for it.
    pub(crate) answer: Waiting<BackendAnswer>,
}

impl std::fmt::Debug for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unanswered")
            .field("grant", &self.grant)
            .field("question", &self.question)
            .finish_non_exhaustive()
    }
}

impl Objection {
    /// What follows the sentence that says what is refused, as RabbitMQ writes it.
    pub(crate) fn because(&self) -> String {
        let backend = self.backend;
        match &self.answer {
            BackendAnswer::Allow | BackendAnswer::Deny(None) => String::new(),
            BackendAnswer::Deny(Some(reason)) => format!(" by backend {backend}: {reason}"),
            BackendAnswer::CannotSay(error) => format!(", backend {backend} returned an error: {error}"),
        }
    }

    /// 403 for a resource.
    pub(crate) fn of_resource(&self, access: Access, resource: Resource<'_>, vhost: &str, user: &str) -> AmqpError {
        refused(access, resource, vhost, user).saying_more(&self.because())
    }
}

/// Answers that were on their way once. A yes is remembered as long as the user's secret is the same, as RabbitMQ does; a no until
/// that is done for which it was asked.
#[derive(Debug)]
pub(crate) struct Answers {
    known: HashMap<(usize, Question), BackendAnswer>,
    has_refusals: bool,
    max: usize,
}

impl Default for Answers {
    fn default() -> Self {
        Self { known: HashMap::new(), has_refusals: false, max: ANSWERS_MAX }
    }
}

impl Answers {
    /// All answers of one request, whose questions are those of a list that there is.
    pub(crate) fn of_request() -> Self {
        Self { max: usize::MAX, ..Self::default() }
    }

    /// Learns an answer.
    pub(crate) fn learn(&mut self, grant: usize, question: Question, answer: BackendAnswer) {
        if self.known.len() >= self.max {
            self.known.clear();
        }
        self.has_refusals |= answer != BackendAnswer::Allow;
        self.known.insert((grant, question), answer);
    }

    /// Forgets what was refused: it may be allowed when it is asked the next time.
    pub(crate) fn forget_refusals(&mut self) {
        if std::mem::take(&mut self.has_refusals) {
            self.known.retain(|_, answer| *answer == BackendAnswer::Allow);
        }
    }

    /// Asks all grants, of which some may have been asked before.
    pub(crate) fn judge(&self, grants: &[Arc<dyn Grant>], question: &Question, now_ms: u64) -> Verdict {
        for (place, grant) in grants.iter().enumerate() {
            let answer = match self.known.get(&(place, question.clone())) {
                Some(answer) => answer.clone(),
                None => match grant.answer(question, now_ms) {
                    Said::Now(answer) => answer,
                    // Those behind it are asked when this is known: a refusal spares them the question.
                    Said::Later(answer) => {
                        return Verdict::Unknown(Unanswered { grant: place, question: question.clone(), answer });
                    }
                },
            };
            if answer != BackendAnswer::Allow {
                return Verdict::Refused(Objection { backend: grant.backend(), answer });
            }
        }
        Verdict::Allowed
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;
    use crate::auth::Said;

    /// Answers with what it was made with; at once, or later.
    #[derive(Debug)]
    struct Fixed(BackendAnswer, bool);

    impl Grant for Fixed {
        fn backend(&self) -> &'static str {
            "rabbit_auth_backend_test"
        }

        fn answer(&self, _: &Question, _: u64) -> Said<BackendAnswer> {
            let answer = self.0.clone();
            if self.1 { Said::Later(Box::pin(std::future::ready(answer))) } else { Said::Now(answer) }
        }
    }

    fn grants(all: Vec<Fixed>) -> Vec<Arc<dyn Grant>> {
        all.into_iter().map(|grant| Arc::new(grant) as Arc<dyn Grant>).collect()
    }

    fn question() -> Question {
        Question::resource(&"/".into(), Access::Read, Resource::Queue("q"))
    }

    fn because(answers: &Answers, grants: &[Arc<dyn Grant>]) -> Option<String> {
        match answers.judge(grants, &question(), 0) {
            Verdict::Allowed => None,
            Verdict::Refused(objection) => Some(objection.because()),
            Verdict::Unknown(unanswered) => panic!("{unanswered:?}"),
        }
    }

    #[test]
    fn all_must_allow_and_the_first_that_does_not_is_named() {
        let (yes, no) = (|| Fixed(BackendAnswer::Allow, false), |answer| Fixed(answer, false));
        let answers = Answers::default();
        assert_eq!(because(&answers, &grants(vec![yes(), yes()])), None);
        assert_eq!(because(&answers, &grants(vec![yes(), no(BackendAnswer::Deny(None))])).as_deref(), Some(""));
        let told = no(BackendAnswer::Deny(Some("no fame".to_owned())));
        let told = because(&answers, &grants(vec![told, no(BackendAnswer::Deny(None))]));
        assert_eq!(told.as_deref(), Some(" by backend rabbit_auth_backend_test: no fame"));
        let failed = because(&answers, &grants(vec![no(BackendAnswer::CannotSay("timeout".to_owned()))]));
        assert_eq!(failed.as_deref(), Some(", backend rabbit_auth_backend_test returned an error: timeout"));
    }

    /// A no is seen by whoever asked for it, and then asked again; a yes is remembered.
    #[test]
    fn later_answers_are_learned() {
        for (answer, is_remembered) in [(BackendAnswer::Allow, true), (BackendAnswer::Deny(None), false)] {
            let (mut answers, grants) = (Answers::default(), grants(vec![Fixed(answer.clone(), true)]));
            let ask = |answers: &Answers| match answers.judge(&grants, &question(), 0) {
                Verdict::Unknown(unanswered) => Some(unanswered),
                Verdict::Allowed | Verdict::Refused(_) => None,
            };
            let mut unanswered = ask(&answers).unwrap();
            let polled = unanswered.answer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert_eq!(polled, std::task::Poll::Ready(answer.clone()));
            answers.learn(unanswered.grant, unanswered.question, answer.clone());
            assert!(ask(&answers).is_none(), "{answer:?} is there");
            answers.forget_refusals();
            assert_eq!(ask(&answers).is_none(), is_remembered, "{answer:?}");
        }
    }

    #[test]
    fn so_many_answers_are_remembered_and_no_more() {
        let mut answers = Answers::default();
        for number in 0..10_000 {
            let name = number.to_string();
            answers.learn(
                0,
                Question::resource(&"/".into(), Access::Read, Resource::Queue(&name)),
                BackendAnswer::Allow,
            );
        }
        assert!(answers.known.len() <= ANSWERS_MAX);
    }
}
