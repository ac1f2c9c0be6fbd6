//! Messages that were delivered and are not settled yet, by who holds them.
//!
//! Each consumer, and each channel that took messages with `basic.get`, has its own messages in the order of delivery, in pieces.
//! So what one holder leaves behind is found without a look at what others hold, and who settles in the order of delivery finds
//! each message at the front. A [`Token`] names the holder and the delivery: it needs no list of its own.
//!
//! Invariants: all that is held is counted; each holder is listed under its channel, and those of which a message can be late under the
//! time to look; a place is either a holder's or free.

mod holder;

use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) use holder::Unacked;
use holder::{Holder, Holding};

use super::entry::{Entry, Persistent};
use crate::broker::ids::{ChannelId, ConsumerId};
use crate::broker::sink::{Sink, Token};

/// Where a holder stands in the table. It is used again, for later deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HolderId(u32);

impl HolderId {
    /// The first place.
    pub(super) const FIRST: Self = Self(0);
}

/// Holders among whom the oldest delivery is looked for: some microseconds' work.
const HOLDERS_LOOKED_AT_MAX: usize = 1_000;

/// The unacknowledged messages of a queue.
#[derive(Debug, Default)]
pub(super) struct UnackedTable {
    holders: Vec<Option<Holder>>,
    free: Vec<u32>,
    of_channels: BTreeSet<(ChannelId, Holding, HolderId)>,
    /// Holders of which a message can be late, by when to look.
    watched: BTreeSet<(u64, HolderId)>,
    count: usize,
    /// What they count for the limit in bytes.
    bytes: u64,
    persistent: Persistent,
}

impl UnackedTable {
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Those of them that survive a restart.
    pub(super) const fn persistent(&self) -> Persistent {
        self.persistent
    }

    /// A place for what this consumer will hold, until [`UnackedTable::leave`].
    pub(super) fn add_consumer(&mut self, channel: ChannelId, consumer: ConsumerId) -> HolderId {
        self.add(channel, Holding::Consumed(consumer))
    }

    /// The place of what this channel takes with `basic.get`: only a message keeps it, so one is to be inserted at once.
    pub(super) fn getter(&mut self, channel: ChannelId) -> HolderId {
        // One place a channel: the order of its gets is the order of delivery.
        match self.found_getter(channel) {
            Some(id) => id,
            None => self.add(channel, Holding::Got),
        }
    }

    fn found_getter(&self, channel: ChannelId) -> Option<HolderId> {
        let (first, last) = (HolderId(0), HolderId(u32::MAX));
        let got = (channel, Holding::Got, first)..=(channel, Holding::Got, last);
        self.of_channels.range(got).next().map(|(_, _, id)| *id)
    }

    fn add(&mut self, channel: ChannelId, holding: Holding) -> HolderId {
        let holder = Some(Holder::new(channel, holding));
        // A place is used again. A token of the earlier holder names an earlier delivery than any that the new
        // one has, and so finds nothing.
        let id = match self.free.pop() {
            Some(id) => {
                if let Some(place) = self.holders.get_mut(id as usize) {
                    *place = holder;
                }
                HolderId(id)
            }
            None => {
                self.holders.push(holder);
                HolderId(u32::try_from(self.holders.len() - 1).unwrap_or(u32::MAX))
            }
        };
        debug_assert!(id.0 < 1 << HOLDER_BITS, "sixteen million consumers of one queue do not fit the memory");
        self.of_channels.insert((channel, holding, id));
        id
    }

    fn holder(&self, id: HolderId) -> Option<&Holder> {
        self.holders.get(id.0 as usize)?.as_ref()
    }

    fn holder_mut(&mut self, id: HolderId) -> Option<&mut Holder> {
        self.holders.get_mut(id.0 as usize)?.as_mut()
    }

    /// The consumer is gone, and its channel answers for what it left, as for what it took with `basic.get`.
    pub(super) fn leave(&mut self, id: HolderId, sink: Option<&Arc<dyn Sink>>) {
        let Some(holder) = self.holder_mut(id) else { return };
        let (channel, before) = (holder.channel, std::mem::replace(&mut holder.holding, Holding::Left));
        holder.sink = sink.cloned();
        // It is listed as what it is, because a time-out of a consumer and one of a channel look
        // for different holders.
        self.of_channels.remove(&(channel, before, id));
        self.of_channels.insert((channel, Holding::Left, id));
        // The consumer kept an empty place; nobody else does.
        self.end_if_over(id);
    }

    /// Remembers whom to tell when something is late that this channel took with `basic.get`.
    pub(super) fn tell(&mut self, channel: ChannelId, sink: &Arc<dyn Sink>) {
        if let Some(id) = self.found_getter(channel)
            && let Some(holder) = self.holder_mut(id)
        {
            holder.sink.get_or_insert_with(|| Arc::clone(sink));
        }
    }

    fn end_if_over(&mut self, id: HolderId) {
        let Some(place) = self.holders.get_mut(id.0 as usize) else { return };
        if let Some(holder) = place.take_if(|holder| holder.is_over()) {
            self.free.push(id.0);
            self.of_channels.remove(&(holder.channel, holder.holding, id));
            if let Some(at_ms) = holder.watched_ms {
                self.watched.remove(&(at_ms, id));
            }
        }
    }

    /// Adds a delivery, which must be later than all others.
    pub(super) fn insert(&mut self, id: HolderId, unacked: Unacked) -> Token {
        let token = token(id, unacked.delivery);
        let Some(holder) = self.holders.get_mut(id.0 as usize).and_then(Option::as_mut) else {
            debug_assert!(false, "who takes a message has a place");
            return token;
        };
        let deadline_ms = unacked.deadline_ms;
        // Only the earliest time of a holder is in the set, and it rarely changes: deadlines ascend with the
        // deliveries. So a delivery costs no search here.
        if deadline_ms != u64::MAX && holder.watched_ms.is_none_or(|watched_ms| deadline_ms < watched_ms) {
            if let Some(watched_ms) = holder.watched_ms.replace(deadline_ms) {
                self.watched.remove(&(watched_ms, id));
            }
            self.watched.insert((deadline_ms, id));
        }
        self.bytes += u64::from(unacked.entry.counted_bytes);
        self.persistent.add(&unacked.entry);
        holder.push(unacked);
        self.count += 1;
        token
    }

    /// Takes out what this token names, and the consumer that held it; `None` when the queue took it back before.
    pub(super) fn remove(&mut self, Token(token): Token) -> Option<(Unacked, Option<ConsumerId>)> {
        let id = HolderId((token >> DELIVERY_BITS) as u32);
        let holder = self.holder_mut(id)?;
        let first = holder.first()?;
        // The upper bits come from the first delivery that is out. A token of a delivery before it gets a
        // number far behind all, which nobody has.
        let delivery = first + (token.wrapping_sub(first) & DELIVERY_MASK);
        // In the order of delivery nothing is searched, and that is how most clients settle.
        let unacked = if delivery == first { holder.pop_front() } else { holder.take(delivery) }?;
        let consumer = self.removed(id, &unacked);
        Some((unacked, consumer))
    }

    /// Takes out the first message of a holder.
    pub(super) fn pop(&mut self, id: HolderId) -> Option<Unacked> {
        let unacked = self.holder_mut(id)?.pop_front()?;
        self.removed(id, &unacked);
        Some(unacked)
    }

    /// One was taken out; the consumer that held it.
    fn removed(&mut self, id: HolderId, unacked: &Unacked) -> Option<ConsumerId> {
        self.count -= 1;
        self.bytes -= u64::from(unacked.entry.counted_bytes);
        self.persistent.subtract(&unacked.entry);
        let consumer = self.holder(id)?.consumer();
        // A consumer's place stays for its next delivery.
        if consumer.is_none() {
            self.end_if_over(id);
        }
        consumer
    }

    /// The first delivery that this holder has.
    pub(super) fn first_of(&self, id: HolderId) -> Option<u64> {
        self.holder(id)?.first()
    }

    /// All holders of a channel.
    pub(super) fn of_channel(&self, channel: ChannelId) -> Vec<HolderId> {
        self.holders_in(channel, Holding::Consumed(ConsumerId(u64::MAX)))
    }

    /// The holders of a channel that are no consumers.
    pub(super) fn without_consumer(&self, channel: ChannelId) -> Vec<HolderId> {
        self.holders_in(channel, Holding::Left)
    }

    fn holders_in(&self, channel: ChannelId, last: Holding) -> Vec<HolderId> {
        let range = (channel, Holding::Got, HolderId(0))..=(channel, last, HolderId(u32::MAX));
        self.of_channels.range(range).map(|(_, _, id)| *id).collect()
    }

    /// Who is told of what is late there.
    pub(super) fn sink_of(&self, id: HolderId) -> Option<Arc<dyn Sink>> {
        self.holder(id)?.sink.clone()
    }

    /// When to call [`UnackedTable::pop_late`].
    pub(super) fn next_look_ms(&self) -> Option<u64> {
        self.watched.first().map(|&(at_ms, _)| at_ms)
    }

    /// Later deliveries are late after another time than those that are here.
    pub(super) fn timeout_changes(&mut self) {
        for holder in self.holders.iter_mut().flatten() {
            holder.timeout_changes();
        }
    }

    /// A holder of which a message is late: its channel, and its consumer if it is one. Each is named once, and is to lose all that it
    /// has.
    pub(super) fn pop_late(&mut self, now_ms: u64) -> Option<(ChannelId, Option<ConsumerId>)> {
        while let Some(&(at_ms, id)) = self.watched.first().filter(|(at_ms, _)| *at_ms <= now_ms) {
            // It may be noted too early: what is settled leaves the note as it was, so that settling costs
            // nothing. It is put right here.
            self.watched.remove(&(at_ms, id));
            let Some(holder) = self.holder_mut(id) else { continue };
            holder.watched_ms = holder.first_deadline_ms();
            match holder.watched_ms {
                Some(at_ms) if at_ms > now_ms => drop(self.watched.insert((at_ms, id))),
                Some(_) => {
                    // Not noted again: whoever gets this takes all of its messages back.
                    holder.watched_ms = None;
                    return Some((holder.channel, holder.consumer()));
                }
                None => {}
            }
        }
        None
    }

    pub(super) fn into_entries(self) -> impl Iterator<Item = Entry> {
        self.holders.into_iter().flatten().flat_map(Holder::into_entries)
    }

    /// The first delivery that is not settled. Of very many holders only the first ones are looked at.
    pub(super) fn oldest_delivery(&self) -> Option<u64> {
        // A number for statistics: with more holders it may be too late a one.
        let holders = self.holders.iter().take(HOLDERS_LOOKED_AT_MAX).flatten();
        holders.filter_map(Holder::first).min()
    }

    /// Those from the one on that stands at this place, by who holds them.
    pub(super) fn held_from(
        &self,
        mut place: usize,
    ) -> impl Iterator<Item = ((ChannelId, Option<ConsumerId>), &Unacked)> {
        let mut holders = 0;
        for holder in &self.holders {
            let count = holder.as_ref().map_or(0, Holder::len);
            if place < count {
                break;
            }
            (place, holders) = (place - count, holders + 1);
        }
        let rest = self.holders.get(holders..).unwrap_or_default().iter().flatten();
        rest.flat_map(|holder| holder.iter().map(|unacked| ((holder.channel, holder.consumer()), unacked))).skip(place)
    }

    #[cfg(any(test, debug_assertions))]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Unacked> {
        self.holders.iter().flatten().flat_map(Holder::iter)
    }

    /// From this delivery of this holder on: who holds them, and they.
    pub(super) fn iter_from_mut(
        &mut self,
        first: HolderId,
        delivery: u64,
    ) -> impl Iterator<Item = (HolderId, &mut Unacked)> {
        let holders = self.holders.iter_mut().enumerate().skip(first.0 as usize);
        holders.filter_map(|(at, holder)| Some((at, holder.as_mut()?))).flat_map(move |(at, holder)| {
            let id = HolderId(u32::try_from(at).unwrap_or(u32::MAX));
            let delivery = if id == first { delivery } else { 0 };
            holder.iter_from_mut(delivery).map(move |unacked| (id, unacked))
        })
    }

    /// How many a holder has.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn count_of(&self, id: HolderId) -> usize {
        self.holder(id).map_or(0, |holder| holder.iter().count())
    }

    /// Panics where an invariant from the head of this file is broken. Only in tests and debug builds.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn check(&self) {
        assert_eq!(self.count, self.iter().count(), "counted");
        let bytes: u64 = self.iter().map(|unacked| u64::from(unacked.entry.counted_bytes)).sum();
        assert_eq!(self.bytes, bytes, "counted in bytes");
        let stored = self.iter().filter(|unacked| unacked.entry.is_stored).count();
        assert_eq!(self.persistent.messages, stored, "counted as persistent");
        let there = self.holders.iter().flatten();
        assert_eq!(there.clone().count(), self.of_channels.len(), "listed");
        assert_eq!(self.free.len(), self.holders.len() - self.of_channels.len(), "free");
        for (channel, holding, id) in &self.of_channels {
            let Some(holder) = self.holder(*id) else { panic!("{id:?} is listed, and is not there") };
            assert_eq!((holder.channel, holder.holding), (*channel, *holding));
            holder.check();
        }
        let watched = there.filter(|holder| holder.watched_ms.is_some()).count();
        assert_eq!(watched, self.watched.len(), "watched");
    }
}

/// Bits of a token that name the holder; the others name the delivery. Of these only the last bits are there, which is enough: the
/// first delivery that the holder has tells the others, unless it is older than 2^40 deliveries.
const HOLDER_BITS: u32 = 24;
const DELIVERY_BITS: u32 = 64 - HOLDER_BITS;
const DELIVERY_MASK: u64 = (1 << DELIVERY_BITS) - 1;

fn token(HolderId(holder): HolderId, delivery: u64) -> Token {
    Token(u64::from(holder) << DELIVERY_BITS | delivery & DELIVERY_MASK)
}
