//! What backends are asked for one caller. A handler never waits: where an answer is on its way it goes on as if it were a no, and begins
//! anew when the answer is there. So a handler asks for everything before it changes anything.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::auth::{Answers, Grant, Objection, Question, Unanswered, Verdict};
use crate::clock::Clock;

/// Questions of one caller, with their answers.
#[derive(Debug)]
pub(super) struct Asked {
    clock: Clock,
    answers: Mutex<Answers>,
    unanswered: Mutex<Vec<Unanswered>>,
}

impl Asked {
    /// Nothing was asked yet.
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, answers: Mutex::new(Answers::of_request()), unanswered: Mutex::default() }
    }

    /// Asks all backends.
    ///
    /// # Errors
    /// Who says no; `None` while an answer is on its way.
    pub(super) fn ask(&self, grants: &[Arc<dyn Grant>], question: &Question) -> Result<(), Option<Objection>> {
        match self.answers.lock().judge(grants, question, self.clock.now_ms()) {
            Verdict::Allowed => Ok(()),
            Verdict::Refused(objection) => Err(Some(objection)),
            Verdict::Unknown(unanswered) => {
                let mut all = self.unanswered.lock();
                if !all.iter().any(|one| one.grant == unanswered.grant && one.question == unanswered.question) {
                    all.push(unanswered);
                }
                Err(None)
            }
        }
    }

    /// Whether answers are on their way.
    pub(super) fn is_any(&self) -> bool {
        !self.unanswered.lock().is_empty()
    }

    /// Waits for the answers that are on their way; whether there were any.
    pub(super) async fn learn(&self) -> bool {
        let unanswered = std::mem::take(&mut *self.unanswered.lock());
        let is_any = !unanswered.is_empty();
        for Unanswered { grant, question, answer } in unanswered {
            let answer = answer.await;
            self.answers.lock().learn(grant, question, answer);
        }
        is_any
    }
}
