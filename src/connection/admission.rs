//! How many connections there may be at a time, and how many of them that have not logged in.
//!
//! Each connection costs a file descriptor, and whoever can reach the port can open one and send nothing. So there may be fewer
//! connections than descriptors, and only some of those may be not logged in: one more, and the one that has been connected for
//! longest is closed. A client that logs in needs milliseconds, so it gets in however many sockets say nothing: when all places are
//! taken and one of these is on its way out, the next one waits for that.
//!
//! **Invariant**: never more than `DescriptorLimits::connections` connections at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::outbox::Outbox;
use super::suspensions::{Follower, Suspensions};
use crate::broker::sink::{Notice, Sink};
use crate::error::AmqpError;

pub(crate) use super::suspensions::Suspension;

/// Descriptors that are not for connections: those of the store, the runtime and the listeners, at least.
const OTHER_DESCRIPTORS_MIN: u64 = 64;
/// Not for connections is this part of all descriptors: a backlog needs one for each 32 MiB.
const OTHER_DESCRIPTORS_SHARE: u64 = 8;
/// Connections of HTTP, however many descriptors there are.
const HTTP_MAX: usize = 1_024;
/// Connections that have not logged in, however many descriptors there are: each also costs memory.
const BEFORE_LOGIN_MAX: usize = 4096;

/// How many there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DescriptorLimits {
    /// Connections in all.
    pub(crate) connections: usize,
    /// Connections that have not logged in.
    pub(crate) before_login: usize,
    /// Connections of HTTP, which are not among the others.
    pub(crate) http: usize,
}

impl DescriptorLimits {
    /// What a process may have that can open so many files.
    pub(crate) fn for_descriptors(descriptors: u64) -> Self {
        // At most half of them: a process with very few descriptors is to serve somebody.
        let others = (descriptors / OTHER_DESCRIPTORS_SHARE).max(OTHER_DESCRIPTORS_MIN).min(descriptors / 2);
        let connections = usize::try_from(descriptors - others).unwrap_or(usize::MAX).max(1);
        let before_login = (connections / 2).clamp(1, BEFORE_LOGIN_MAX);
        // The rest is for the store and the runtime: 38 in a broker that has nothing to do.
        let http = usize::try_from(others / 4).unwrap_or(HTTP_MAX).clamp(1, HTTP_MAX);
        Self { connections, before_login, http }
    }
}

/// Who is connected, over all listeners.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: DescriptorLimits,
    /// Why nobody is let in for now.
    suspensions: Suspensions,
    connected: Mutex<Connected>,
    /// A connection has ended, or has logged in although it was told to go.
    changed: Notify,
}

/// Why a new connection has no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// All are taken, or nobody is let in.
    Taken,
    /// One that had not logged in is being closed for it.
    Leaving,
}

#[derive(Debug, Default)]
struct Connected {
    count: usize,
    next: u64,
    /// Those that have not logged in, in the order of their arrival.
    before_login: BTreeMap<u64, Weak<Outbox>>,
    /// How many of them were told to go, and have neither gone nor logged in.
    leaving: usize,
}

/// Counts one connection for as long as it lives; dropped with it.
#[derive(Debug)]
pub(crate) struct Admitted {
    admission: Arc<Admission>,
    number: u64,
    is_before_login: bool,
}

impl Admission {
    /// Nobody is connected.
    pub(crate) fn new(limits: DescriptorLimits) -> Self {
        Self { limits, suspensions: Suspensions::default(), connected: Mutex::default(), changed: Notify::new() }
    }

    pub(crate) const fn limits(&self) -> DescriptorLimits {
        self.limits
    }

    /// Lets nobody in until `resume`, and closes the connections that have not logged in. The others are the registry's.
    pub(crate) fn suspend(&self, why: Suspension) {
        let waiting: Vec<_> = {
            // Under the lock under which clients are admitted: whoever comes later sees the suspension, and
            // whoever came before is in the list.
            let connected = self.connected.lock();
            self.suspensions.add(why);
            connected.before_login.values().filter_map(Weak::upgrade).collect()
        };
        // Whoever waits for a place has none to expect.
        self.changed.notify_waiters();
        let Some(goodbye) = why.goodbye() else { return };
        for outbox in waiting {
            outbox.notify(Notice::Close(goodbye.clone()));
        }
    }

    /// Lets clients in again, unless there is another reason not to.
    pub(crate) fn resume(&self, why: Suspension) {
        self.suspensions.remove(why);
    }

    /// Whether this is a reason that nobody is let in.
    pub(crate) fn is_suspended_by(&self, why: Suspension) -> bool {
        self.suspensions.contains(why)
    }

    /// Why nobody is let in for now, if it is so.
    pub(crate) fn suspension(&self) -> Option<Suspension> {
        self.suspensions.first()
    }

    /// What a listener follows suspensions with.
    pub(super) fn follower(&self) -> Follower {
        self.suspensions.follower()
    }

    /// Whether all listeners have closed their sockets, or have tried to open them, as it was asked of them last.
    pub(crate) fn is_followed(&self) -> bool {
        self.suspensions.are_followed()
    }

    /// Counts a new connection, unless there are too many. Then, or when too many have not logged in, the oldest of these is closed.
    pub(crate) fn admit(self: &Arc<Self>, outbox: &Arc<Outbox>) -> Result<Admitted, NoPlace> {
        let mut connected = self.connected.lock();
        if self.suspension().is_some() {
            return Err(NoPlace::Taken);
        }
        let is_full = connected.count >= self.limits.connections;
        // When it is full, only if nobody is on its way out yet: a place that is about to be
        // free is enough for one.
        let is_one_too_many =
            if is_full { connected.leaving == 0 } else { connected.before_login.len() >= self.limits.before_login };
        let oldest = if is_one_too_many { connected.before_login.pop_first() } else { None };
        connected.leaving += usize::from(oldest.is_some());
        let admitted = if !is_full {
            let number = connected.next;
            connected.next += 1;
            connected.count += 1;
            connected.before_login.insert(number, Arc::downgrade(outbox));
            Ok(Admitted { admission: Arc::clone(self), number, is_before_login: true })
        } else if connected.leaving > 0 {
            Err(NoPlace::Leaving)
        } else {
            Err(NoPlace::Taken)
        };
        // The outbox has locks of its own.
        drop(connected);
        if let Some(oldest) = oldest.and_then(|(_, outbox)| outbox.upgrade()) {
            // Before the login it is only a reason to close the socket: nothing is said.
            oldest.notify(Notice::Close(AmqpError::connection_forced("too many connections have not logged in")));
        }
        admitted
    }

    /// Resolves when [`Admission::admit`] may answer differently. Enabled before that is called, it misses nothing.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }
}

impl Connected {
    /// One is no longer among those that have not logged in; its outbox, unless it was told to go.
    fn remove_before_login(&mut self, number: u64) -> Option<Weak<Outbox>> {
        let outbox = self.before_login.remove(&number);
        if outbox.is_none() {
            self.leaving -= 1;
        }
        outbox
    }
}

impl Admitted {
    /// The client has logged in: it is not closed for others any more.
    pub(super) fn logged_in(&mut self) {
        if self.is_before_login {
            self.is_before_login = false;
            let outbox = self.admission.connected.lock().remove_before_login(self.number);
            // It was told to go, and stays: whoever waits for its place has to ask for another one.
            if outbox.is_none() {
                self.admission.changed.notify_waiters();
            }
            // It may have come too late to be closed with those that had not logged in.
            let goodbye = self.admission.suspension().and_then(Suspension::goodbye);
            if let (Some(goodbye), Some(outbox)) = (goodbye, outbox.and_then(|outbox| outbox.upgrade())) {
                outbox.notify(Notice::Close(goodbye));
            }
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut connected = self.admission.connected.lock();
        connected.count -= 1;
        if self.is_before_login {
            connected.remove_before_login(self.number);
        }
        drop(connected);
        // The listener's task waits for a place.
        self.admission.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections: usize, before_login: usize) -> Arc<Admission> {
        Arc::new(Admission::new(DescriptorLimits { connections, before_login, http: 1 }))
    }

    fn is_closed(outbox: &Outbox) -> bool {
        let mut notices = Vec::new();
        outbox.take(&mut Vec::new(), &mut notices);
        matches!(notices.as_slice(), [Notice::Close(_)])
    }

    #[test]
    fn some_descriptors_are_not_for_connections() {
        let limits = |descriptors| {
            let DescriptorLimits { connections, before_login, http } = DescriptorLimits::for_descriptors(descriptors);
            (connections, before_login, http)
        };
        assert_eq!(limits(1024), (896, 448, 32));
        assert_eq!(limits(256), (192, 96, 16));
        assert_eq!(limits(64), (32, 16, 8), "however few there are");
        assert_eq!(limits(0), (1, 1, 1));
        assert_eq!(limits(1 << 20), (917_504, BEFORE_LOGIN_MAX, HTTP_MAX));
    }

    #[test]
    fn the_oldest_that_has_not_logged_in_is_closed_for_the_next() {
        let admission = admission(10, 2);
        let outboxes: Vec<Arc<Outbox>> = (0..4).map(|_| Arc::default()).collect();
        let mut all: Vec<Admitted> = outboxes.iter().take(2).map(|outbox| admission.admit(outbox).unwrap()).collect();
        all[0].logged_in();
        all.push(admission.admit(&outboxes[2]).unwrap());
        assert!(outboxes.iter().all(|outbox| !is_closed(outbox)), "two have not logged in");
        all.push(admission.admit(&outboxes[3]).unwrap());
        assert_eq!(outboxes.iter().map(|outbox| is_closed(outbox)).collect::<Vec<_>>(), [false, true, false, false]);
    }

    #[test]
    fn while_it_is_suspended_nobody_is_let_in() {
        let admission = admission(10, 10);
        let (early, late) = (Arc::new(Outbox::default()), Arc::new(Outbox::default()));
        let mut logging_in = admission.admit(&early).unwrap();
        admission.suspend(Suspension::Drained);
        assert!(is_closed(&early));
        logging_in.logged_in();
        assert_eq!(admission.admit(&late).err(), Some(NoPlace::Taken));
        admission.suspend(Suspension::Stopped);
        admission.resume(Suspension::Stopped);
        assert_eq!(admission.admit(&late).err(), Some(NoPlace::Taken), "each reason is taken back by itself");
        admission.resume(Suspension::Drained);
        assert!(admission.admit(&late).is_ok());
    }

    #[test]
    fn when_there_are_too_many_the_next_waits_for_one_that_has_not_logged_in() {
        let admission = admission(3, 3);
        let outboxes: Vec<Arc<Outbox>> = (0..4).map(|_| Arc::default()).collect();
        let mut all: Vec<_> = outboxes.iter().take(3).map(|outbox| admission.admit(outbox).unwrap()).collect();
        all[0].logged_in();
        for _ in 0..2 {
            assert_eq!(admission.admit(&outboxes[3]).err(), Some(NoPlace::Leaving));
        }
        let closed = outboxes.iter().map(|outbox| is_closed(outbox)).collect::<Vec<_>>();
        assert_eq!(closed, [false, true, false, false], "one is closed, however often it is asked");
        drop(all.remove(1));
        all.push(admission.admit(&outboxes[3]).unwrap());
        drop(all);
        let connected = admission.connected.lock();
        assert_eq!((connected.count, connected.leaving, connected.before_login.len()), (0, 0, 0));
    }

    #[test]
    fn when_all_have_logged_in_the_next_is_refused_until_one_ends() {
        let admission = admission(2, 2);
        let (first, second, third) = (Arc::default(), Arc::default(), Arc::default());
        let mut all = [admission.admit(&first).unwrap(), admission.admit(&second).unwrap()];
        all[0].logged_in();
        assert_eq!(admission.admit(&third).err(), Some(NoPlace::Leaving));
        all[1].logged_in();
        assert_eq!(admission.admit(&third).err(), Some(NoPlace::Taken), "it was in before it heard that it had to go");
        assert!(is_closed(&second) && !is_closed(&first));
        drop(all);
        assert!(admission.admit(&third).is_ok());
    }
}
