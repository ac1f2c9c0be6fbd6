//! Why nobody is let in for now, and how far the listeners have followed: as long as there is a reason their sockets are closed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::error::AmqpError;

/// Why nobody is let in for now. Each reason is taken back by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Suspension {
    /// `rabbitmqctl stop_app`.
    Stopped = 1,
    /// Maintenance: `rabbitmq-upgrade drain`.
    Drained = 2,
    /// `rabbitmqctl suspend_listeners`: who is connected stays.
    Listeners = 4,
}

impl Suspension {
    /// What clients are told that are connected, unless they stay.
    pub(crate) fn goodbye(self) -> Option<AmqpError> {
        match self {
            Self::Stopped => {
                Some(AmqpError::connection_forced("broker forced connection closure with reason 'shutdown'"))
            }
            Self::Drained => Some(AmqpError::connection_forced("Node was put into maintenance mode")),
            Self::Listeners => None,
        }
    }
}

/// The reasons of now, and who follows them.
#[derive(Debug, Default)]
pub(super) struct Suspensions {
    state: watch::Sender<State>,
    /// Of each listener the last change that it has followed.
    listeners: Mutex<Vec<Weak<AtomicU64>>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// The bits of [`Suspension`].
    reasons: u8,
    /// How often they were changed.
    changes: u64,
}

impl State {
    const fn has(self, why: Suspension) -> bool {
        self.reasons & why as u8 != 0
    }
}

impl Suspensions {
    pub(super) fn add(&self, why: Suspension) {
        self.change(|reasons| reasons | why as u8);
    }

    pub(super) fn remove(&self, why: Suspension) {
        self.change(|reasons| reasons & !(why as u8));
    }

    fn change(&self, changed: impl FnOnce(u8) -> u8) {
        self.state.send_modify(|state| {
            *state = State { reasons: changed(state.reasons), changes: state.changes + 1 };
        });
    }

    pub(super) fn contains(&self, why: Suspension) -> bool {
        self.state.borrow().has(why)
    }

    /// One of the reasons, if there is any.
    pub(super) fn first(&self) -> Option<Suspension> {
        let state = *self.state.borrow();
        [Suspension::Stopped, Suspension::Drained, Suspension::Listeners].into_iter().find(|why| state.has(*why))
    }

    /// What one more listener follows them with.
    pub(super) fn follower(&self) -> Follower {
        let followed = Arc::new(AtomicU64::new(0));
        self.listeners.lock().push(Arc::downgrade(&followed));
        Follower { state: self.state.subscribe(), followed }
    }

    /// Whether every listener has done what the last change asks of it. One that has ended has nothing to do.
    pub(super) fn are_followed(&self) -> bool {
        let changes = self.state.borrow().changes;
        let listeners = self.listeners.lock();
        listeners.iter().filter_map(Weak::upgrade).all(|followed| followed.load(Ordering::SeqCst) >= changes)
    }
}

/// Follows the reasons, for one listener.
#[derive(Debug)]
pub(super) struct Follower {
    state: watch::Receiver<State>,
    followed: Arc<AtomicU64>,
}

impl Follower {
    /// Waits for the next change. Cancel safe.
    pub(super) async fn changed(&mut self) {
        if self.state.changed().await.is_err() {
            // Nobody is left who could change anything.
            std::future::pending().await
        }
    }

    /// Has the listener do what is asked of it now: it is told whether anybody is let in.
    pub(super) fn follow<R>(&mut self, act: impl FnOnce(bool) -> R) -> R {
        let State { reasons, changes } = *self.state.borrow_and_update();
        let done = act(reasons == 0);
        self.followed.store(changes, Ordering::SeqCst);
        done
    }
}
