//! Answers that are not to be had at once. A handler never waits: it says what is to be done, and here it is done, beside the thread
//! that serves everybody, or looked at again and again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::answer::Answer;
use super::events::{BeginEvents, EventBody};
use super::refusal::Refusal;

/// Pieces of work that are done at a time; others wait for their turn.
const WORK_MAX: usize = 2;
/// Requests that wait for something to come to be, at a time.
const WATCHES_MAX: usize = 100;
/// Answers that tell of what happens, at a time.
const EVENTS_MAX: usize = 16;
/// Between two looks, at the beginning and at the end: a look locks a queue for a moment.
const LOOK_AGAIN_MIN: Duration = Duration::from_millis(2);
const LOOK_AGAIN_MAX: Duration = Duration::from_millis(50);

/// What is done for an answer once the handler has returned.
pub(super) enum Later {
    /// Work that reads files, or handles many messages.
    Work(Box<dyn FnOnce() -> Result<Answer, Refusal> + Send>),
    /// Something is looked at until it is as somebody wants it.
    Watch(Box<dyn Watch>),
    /// The same where it is over soon: it needs no place among those that may take long.
    BriefWatch(Box<dyn Watch>),
    /// Something is told of as it happens.
    Events(BeginEvents),
}

/// Something that is looked at.
pub(super) trait Watch: Send {
    /// The answer, once there is one, after so many milliseconds.
    fn look(&mut self, waited_ms: u64) -> Option<Result<Answer, Refusal>>;
}

impl fmt::Debug for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Work(_) => "Work",
            Self::Watch(_) => "Watch",
            Self::BriefWatch(_) => "BriefWatch",
            Self::Events(_) => "Events",
        })
    }
}

/// Waits, in work that is done later, for what somebody outside answers.
pub(super) fn wait_for<T>(answer: impl Future<Output = T>) -> T {
    Handle::current().block_on(answer)
}

/// Begins something that nobody waits for.
pub(super) fn begin<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) {
    tokio::spawn(work);
}

/// How much is done later at a time.
#[derive(Debug)]
pub(crate) struct LaterBounds {
    work: Semaphore,
    watches: Semaphore,
    events: Arc<Semaphore>,
}

impl Default for LaterBounds {
    fn default() -> Self {
        Self {
            work: Semaphore::new(WORK_MAX),
            watches: Semaphore::new(WATCHES_MAX),
            events: Arc::new(Semaphore::new(EVENTS_MAX)),
        }
    }
}

impl LaterBounds {
    /// Waits for the answer, on whatever it depends.
    pub(super) async fn answer(&self, later: Later) -> Result<Answer, Refusal> {
        match later {
            Later::Work(work) => {
                // The semaphore is never closed.
                let _turn = self.work.acquire().await;
                tokio::task::spawn_blocking(work).await.unwrap_or_else(|_panicked| {
                    Err(Refusal::new(500, "internal_error", "the log of the broker has more"))
                })
            }
            Later::Watch(watch) => {
                let _place = self.watches.try_acquire().map_err(|_full| Refusal::too_many())?;
                watched(watch).await
            }
            Later::BriefWatch(watch) => watched(watch).await,
            Later::Events(begin) => {
                let place = Arc::clone(&self.events).try_acquire_owned().map_err(|_full| Refusal::too_many())?;
                Ok(Answer::with_events(EventBody::begin(begin, place)))
            }
        }
    }
}

async fn watched(mut watch: Box<dyn Watch>) -> Result<Answer, Refusal> {
    // Whatever the clock of the broker says, the client waits for real.
    let (mut waited, mut pause) = (Duration::ZERO, LOOK_AGAIN_MIN);
    loop {
        if let Some(answer) = watch.look(u64::try_from(waited.as_millis()).unwrap_or(u64::MAX)) {
            return answer;
        }
        tokio::time::sleep(pause).await;
        waited += pause;
        pause = (pause * 2).min(LOOK_AGAIN_MAX);
    }
}
