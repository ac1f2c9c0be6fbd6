//! How many connections there may be at a time, and how many of them that have not logged in.
//!
//! Each connection costs a file descriptor, and whoever can reach the port can open one without saying a word. So there may be fewer
//! connections than descriptors, and only some of those may be strangers: one more, and the stranger that has been connected for longest
//! makes room. A client that logs in needs milliseconds; it finds a place however many sockets say nothing.
//! **Invariant**: never more than `Limits::connections` seats at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::outbox::Outbox;
use crate::broker::sink::{Notice, Sink};
use crate::error::AmqpError;

/// Descriptors that are not for connections: those of the store, the runtime and the listeners, at least.
const OTHER_DESCRIPTORS_MIN: u64 = 64;
/// Not for connections is this part of all descriptors: a backlog needs one for each 32 MiB.
const OTHER_DESCRIPTORS_SHARE: u64 = 8;
/// Strangers, however many descriptors there are: each also costs memory.
const BEFORE_LOGIN_MAX: usize = 4096;

/// How many there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections that have not logged in.
    pub before_login: usize,
}

impl Limits {
    /// What a process may have that can open so many files.
    pub fn for_descriptors(descriptors: u64) -> Self {
        let others = (descriptors / OTHER_DESCRIPTORS_SHARE).max(OTHER_DESCRIPTORS_MIN).min(descriptors / 2);
        let connections = usize::try_from(descriptors - others).unwrap_or(usize::MAX).max(1);
        Self { connections, before_login: (connections / 2).clamp(1, BEFORE_LOGIN_MAX) }
    }
}

/// Who is connected, over all listeners.
#[derive(Debug)]
pub struct Admission {
    limits: Limits,
    seated: Mutex<Seated>,
}

#[derive(Debug, Default)]
struct Seated {
    count: usize,
    next: u64,
    /// Those that have not logged in, in the order of their arrival.
    strangers: BTreeMap<u64, Weak<Outbox>>,
}

/// The place of a connection; dropped with it.
#[derive(Debug)]
pub struct Seat {
    admission: Arc<Admission>,
    number: u64,
    is_stranger: bool,
}

impl Admission {
    /// Nobody is connected.
    pub fn new(limits: Limits) -> Self {
        Self { limits, seated: Mutex::default() }
    }

    /// The limits.
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// A place for a new connection, unless there are too many. The oldest stranger may have to leave.
    pub fn admit(self: &Arc<Self>, outbox: &Arc<Outbox>) -> Option<Seat> {
        let mut seated = self.seated.lock();
        let is_full = seated.count >= self.limits.connections;
        let leaves = if is_full || seated.strangers.len() >= self.limits.before_login {
            seated.strangers.pop_first().and_then(|(_, stranger)| stranger.upgrade())
        } else {
            None
        };
        let seat = (!is_full).then(|| {
            let number = seated.next;
            seated.next += 1;
            seated.count += 1;
            seated.strangers.insert(number, Arc::downgrade(outbox));
            Seat { admission: Arc::clone(self), number, is_stranger: true }
        });
        drop(seated);
        if let Some(stranger) = leaves {
            // Before the login it is only a reason to close the socket: nothing is said.
            stranger.notify(Notice::Close(AmqpError::connection_forced("too many connections have not logged in")));
        }
        seat
    }
}

impl Seat {
    /// The client has logged in: it need not make room for others.
    pub(super) fn logged_in(&mut self) {
        if self.is_stranger {
            self.is_stranger = false;
            self.admission.seated.lock().strangers.remove(&self.number);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seated = self.admission.seated.lock();
        seated.count -= 1;
        seated.strangers.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections: usize, before_login: usize) -> Arc<Admission> {
        Arc::new(Admission::new(Limits { connections, before_login }))
    }

    fn is_told_to_leave(outbox: &Outbox) -> bool {
        let mut notices = Vec::new();
        outbox.take(&mut Vec::new(), &mut notices);
        matches!(notices.as_slice(), [Notice::Close(_)])
    }

    #[test]
    fn some_descriptors_are_not_for_connections() {
        let limits = |descriptors| {
            let Limits { connections, before_login } = Limits::for_descriptors(descriptors);
            (connections, before_login)
        };
        assert_eq!(limits(1024), (896, 448));
        assert_eq!(limits(256), (192, 96));
        assert_eq!(limits(64), (32, 16), "however few there are");
        assert_eq!(limits(0), (1, 1));
        assert_eq!(limits(1 << 20), (917_504, BEFORE_LOGIN_MAX));
    }

    #[test]
    fn the_oldest_stranger_makes_room_for_the_next() {
        let admission = admission(10, 2);
        let outboxes: Vec<Arc<Outbox>> = (0..4).map(|_| Arc::default()).collect();
        let mut seats: Vec<Seat> = outboxes.iter().take(2).map(|outbox| admission.admit(outbox).unwrap()).collect();
        seats[0].logged_in();
        seats.push(admission.admit(&outboxes[2]).unwrap());
        assert!(outboxes.iter().all(|outbox| !is_told_to_leave(outbox)), "two have not logged in");
        seats.push(admission.admit(&outboxes[3]).unwrap());
        assert_eq!(
            outboxes.iter().map(|outbox| is_told_to_leave(outbox)).collect::<Vec<_>>(),
            [false, true, false, false]
        );
    }

    #[test]
    fn when_all_places_are_taken_the_next_is_turned_away_until_one_leaves() {
        let admission = admission(2, 2);
        let (first, second, third) = (Arc::default(), Arc::default(), Arc::default());
        let mut seats = [admission.admit(&first).unwrap(), admission.admit(&second).unwrap()];
        seats[0].logged_in();
        assert!(admission.admit(&third).is_none());
        assert!(is_told_to_leave(&second), "a stranger leaves, so that there is room soon");
        assert!(admission.admit(&third).is_none(), "its socket may still be open");
        assert!(!is_told_to_leave(&first), "who has logged in stays");
        drop(seats);
        assert!(admission.admit(&third).is_some());
        assert_eq!(admission.seated.lock().count, 0);
    }
}
