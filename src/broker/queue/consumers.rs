//! Whose turn it is: round robin among consumers of the highest priority that have credit and room; exclusive and single
//! active consumers.
//!
//! ```text
//!            credit and room
//!   Waiting <----------------- Full      prefetch_count reached: until an acknowledgement
//!  (in a ring) --------------> Stalled   its connection does not take more: until it is drained
//! ```
//!
//! Only waiting consumers are in a ring, so that the next turn costs the same however many others are full.

mod consumer;
mod lazy;
mod served;
mod state;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

pub use consumer::ConsumerSpec;
pub(crate) use consumer::DELIVERY_OVERHEAD_BYTES;
use consumer::Turn;
pub(super) use consumer::{Consumer, Taker};
pub(super) use lazy::Consumers;
use served::Served;
pub(crate) use state::ConsumerState;

use super::rings::Rings;
use super::unacked::HolderId;
use crate::broker::ids::{ChannelId, ConsumerId};
use crate::broker::sink::Delivery;

/// The consumers of a queue that has some.
#[derive(Debug, Default)]
struct Registered {
    by_id: FxHashMap<ConsumerId, Consumer>,
    /// In the order of registration.
    registered: BTreeMap<u64, ConsumerId>,
    /// The same by channel.
    of_channels: BTreeSet<(ChannelId, u64)>,
    /// Highest priority first, then in the order of registration.
    heirs: BTreeSet<(Reverse<i64>, u64)>,
    next_number: u64,
    // A count and not a flag: with quorum queues there may be several.
    exclusive_count: usize,
    rings: Rings,
    /// Consumers with outgoing deliveries.
    touched: Vec<ConsumerId>,
    served: Served,
    single_active: bool,
    active: Option<ConsumerId>,
    /// The active one gets nothing more, and is replaced once it has nothing unacknowledged.
    is_yielding: bool,
}

impl Registered {
    fn new(single_active: bool) -> Self {
        Self { single_active, ..Self::default() }
    }

    fn len(&self) -> usize {
        self.by_id.len()
    }

    fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    fn has_exclusive(&self) -> bool {
        self.exclusive_count > 0
    }

    /// In the order of registration.
    fn iter(&self) -> impl Iterator<Item = &Consumer> {
        self.registered.values().filter_map(|id| self.by_id.get(id))
    }

    /// The consumers of a channel, in the order of registration.
    fn of_channel(&self, channel: ChannelId) -> Vec<ConsumerId> {
        let numbers = self.of_channels.range((channel, 0)..=(channel, u64::MAX));
        numbers.filter_map(|(_, number)| self.registered.get(number).copied()).collect()
    }

    fn add(&mut self, spec: ConsumerSpec, holder: Option<HolderId>) {
        let (id, number) = (spec.id, self.next_number);
        self.next_number += 1;
        self.registered.insert(number, id);
        self.of_channels.insert((spec.channel, number));
        self.heirs.insert((Reverse(spec.priority), number));
        self.exclusive_count += usize::from(spec.exclusive);
        // Full for a moment: `wait` makes it one that waits, in its ring.
        let (turn, outgoing) = (Turn::Full, Vec::new());
        let consumer = Consumer { spec, unacked: 0, holder, number, turn, room_bytes: 0, outgoing };
        self.by_id.insert(id, consumer);
        if self.single_active && self.active.is_none() {
            self.active = Some(id);
        }
        self.wait(id);
    }

    /// Takes a consumer off; the next one in the order of registration becomes the active one.
    fn remove(&mut self, id: ConsumerId) -> Option<Consumer> {
        let consumer = self.by_id.remove(&id)?;
        self.registered.remove(&consumer.number);
        self.of_channels.remove(&(consumer.spec.channel, consumer.number));
        self.heirs.remove(&(Reverse(consumer.spec.priority), consumer.number));
        self.exclusive_count -= usize::from(consumer.spec.exclusive);
        // Only those that wait are in a ring; with a single active consumer nobody is.
        if consumer.turn == Turn::Waiting && !self.single_active {
            let by_id = &self.by_id;
            self.rings.leave(consumer.spec.priority, |id| by_id.contains_key(&id));
        }
        if self.active == Some(id) {
            // At once, also if messages of the old one come back: nothing is delivered before
            // they are in their places.
            self.activate_heir();
        }
        Some(consumer)
    }

    /// A consumer of this priority waits: an active one of lower priority gets nothing more, even if the other one goes before it
    /// takes over, with the next [`Consumers::promote`]. Quorum queues only (behaviour reference 5.3).
    fn yield_to(&mut self, priority: i64) {
        let active = self.active.and_then(|id| self.by_id.get(&id));
        if active.is_some_and(|active| active.spec.priority < priority) {
            self.is_yielding = true;
        }
    }

    /// Replaces the active consumer if it yields and has nothing unacknowledged.
    fn promote(&mut self) {
        if !self.is_yielding {
            return;
        }
        let active = self.active.and_then(|id| self.by_id.get(&id));
        if active.is_none_or(|active| active.unacked == 0) {
            self.activate_heir();
        }
    }

    fn activate_heir(&mut self) {
        self.active = self.heir();
        self.is_yielding = false;
    }

    /// Who is next to be the active one: the highest priority, the earliest registration.
    fn heir(&self) -> Option<ConsumerId> {
        self.heirs.first().and_then(|(_, number)| self.registered.get(number).copied())
    }

    /// Whose turn it is to take a message of this size, with credit and room already taken.
    fn next(&mut self, body_bytes: usize) -> Option<Taker> {
        if self.single_active { self.next_active(body_bytes) } else { self.next_in_rings(body_bytes) }
    }

    fn next_active(&mut self, body_bytes: usize) -> Option<Taker> {
        let id = self.active.filter(|_| !self.is_yielding)?;
        let consumer = self.by_id.get_mut(&id)?;
        // It was parked. An acknowledgement, or `resume`, makes it wait again.
        if consumer.turn != Turn::Waiting {
            return None;
        }
        match consumer.admit(body_bytes) {
            Turn::Waiting => Some(consumer.chosen(&mut self.touched)),
            missing @ (Turn::Full | Turn::Stalled) => {
                self.park(id, missing);
                None
            }
        }
    }

    fn next_in_rings(&mut self, body_bytes: usize) -> Option<Taker> {
        loop {
            let id = self.rings.front()?;
            let Some(consumer) = self.by_id.get_mut(&id) else {
                // It was cancelled, and is taken out only now.
                self.rings.pop_gone();
                continue;
            };
            match consumer.admit(body_bytes) {
                Turn::Waiting => {
                    // Behind the others of its priority: strict round robin (behaviour reference 5.3).
                    self.rings.rotate();
                    return Some(consumer.chosen(&mut self.touched));
                }
                missing @ (Turn::Full | Turn::Stalled) => {
                    self.rings.pop();
                    self.park(id, missing);
                }
            }
        }
    }

    fn park(&mut self, id: ConsumerId, turn: Turn) {
        if let Some(consumer) = self.by_id.get_mut(&id) {
            consumer.turn = turn;
            // By its next turn the connection may have less.
            consumer.room_bytes = 0;
        }
    }

    /// Gives a delivery to its consumer, which [`Registered::next`] chose.
    fn hand(&mut self, delivery: Delivery) {
        if let Some(consumer) = self.by_id.get_mut(&delivery.consumer) {
            consumer.hand(delivery);
        }
    }

    /// Whether some consumer has credit, as far as is known, and waits for messages.
    fn is_waiting(&self) -> bool {
        let is_waiting = |id: ConsumerId| self.by_id.get(&id).is_some_and(|consumer| consumer.turn == Turn::Waiting);
        if self.single_active {
            !self.is_yielding && self.active.is_some_and(is_waiting)
        } else {
            !self.rings.is_empty()
        }
    }

    /// Hands over what [`Consumer::hand`] collected, one call a consumer.
    fn flush(&mut self) {
        for id in self.touched.drain(..) {
            self.served.note(id);
            if let Some(consumer) = self.by_id.get_mut(&id) {
                // By the next pump others may have filled its outbox.
                consumer.room_bytes = 0;
                consumer.hand_over();
            }
        }
    }

    /// Whether the connection of one of the consumers that were handed something last has work with it. If so, it tells the queue when
    /// that is over.
    fn are_served(&self) -> bool {
        // The first one that has work stands for all. A consumer that pauses by itself makes nobody go on while others take messages:
        // it is all of them together that publishers wait for.
        let mut served = self.served.iter().filter_map(|id| self.by_id.get(&id));
        served.any(|consumer| consumer.spec.sink.watch(consumer.spec.id))
    }

    /// Counts a settled message; a consumer that was full waits for its turn again, behind the others.
    fn settled(&mut self, id: ConsumerId) {
        let Some(consumer) = self.by_id.get_mut(&id) else { return };
        consumer.unacked = consumer.unacked.saturating_sub(1);
        // Not if it is stalled: an acknowledgement makes no room in its outbox.
        if consumer.turn == Turn::Full {
            self.wait(id);
        }
    }

    /// Makes the consumers of this channel try again: their connection has room, or their channel has credit.
    fn resume(&mut self, id: ConsumerId) {
        // One that waits already must not be in its ring twice, or it would have two turns.
        if self.by_id.get(&id).is_some_and(|consumer| consumer.turn != Turn::Waiting) {
            self.wait(id);
        }
    }

    #[cfg(any(test, debug_assertions))]
    fn check(&self) {
        let count = self.by_id.len();
        assert_eq!((self.registered.len(), self.of_channels.len(), self.heirs.len()), (count, count, count), "listed");
        let all = || self.by_id.values();
        assert_eq!(self.exclusive_count, all().filter(|consumer| consumer.spec.exclusive).count(), "exclusive");
        assert!(all().all(|consumer| consumer.outgoing.is_empty()), "everything was handed over");
        assert!(self.touched.is_empty(), "everything was handed over");
        assert!(self.active.is_none_or(|id| self.by_id.contains_key(&id)), "the active one is there");
        assert!(!self.single_active || self.active.is_some() || count == 0, "somebody is active");
    }

    fn wait(&mut self, id: ConsumerId) {
        let Some(consumer) = self.by_id.get_mut(&id) else { return };
        consumer.turn = Turn::Waiting;
        if !self.single_active {
            self.rings.wait(consumer.spec.priority, id);
        }
    }
}
