//! Messages that were delivered and are not settled yet, by who holds them.
//!
//! Each consumer, and each channel that took messages with `basic.get`, has its own messages in the order of delivery, in pieces.
//! So what one holder leaves behind is found without a look at what others hold, and who settles in the order of delivery finds
//! each message at the front. A [`Token`] names the holder and the delivery: it needs no list of its own.
//!
//! Invariants: a holder that is no consumer has messages; `front` is empty only if all of a holder is; deliveries ascend; no piece
//! behind the front is empty.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::entry::Entry;
use crate::broker::ids::{ChannelId, ConsumerId};
use crate::broker::sink::{Sink, Token};

/// A delivered message that waits to be settled.
#[derive(Debug)]
pub(super) struct Unacked {
    pub(super) entry: Entry,
    /// When it is late, by what held when it was delivered; `u64::MAX` for never. It ascends with the deliveries of a holder, unless
    /// [`UnackedTable::timeout_changes`] was told.
    pub(super) deadline_ms: u64,
    /// Its place in the order of all deliveries of the queue.
    pub(super) delivery: u64,
}

/// Where a holder stands in the table. It is used again, for later deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HolderId(u32);

impl HolderId {
    /// The first place, and one behind all.
    pub(super) const FIRST: Self = Self(0);
    pub(super) const NONE: Self = Self(u32::MAX);
}

/// Why a channel holds messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Holding {
    /// It took them with `basic.get`.
    Got,
    /// They were left by a consumer that is gone.
    Left,
    /// They went to this consumer.
    Consumed(ConsumerId),
}

/// Messages of a piece at most: what one that is settled out of order may have to move.
const PIECE_MAX: usize = 256;

/// Holders among whom the oldest delivery is looked for: some microseconds' work.
const HOLDERS_LOOKED_AT_MAX: usize = 1_000;

/// Room for so many messages is kept when the last one is settled.
const KEPT_UNACKED: usize = 64;

#[derive(Debug)]
struct Holder {
    channel: ChannelId,
    holding: Holding,
    /// Who is told when a message is late that no consumer holds.
    sink: Option<Arc<dyn Sink>>,
    front: VecDeque<Unacked>,
    behind: VecDeque<VecDeque<Unacked>>,
    /// When to look whether a message is late: never after the first one is.
    watched_ms: Option<u64>,
    /// The timeout has changed since its messages were delivered, so that one behind may be late before the first one is.
    is_mixed: bool,
}

impl Holder {
    fn new(channel: ChannelId, holding: Holding) -> Self {
        let (front, behind) = (VecDeque::new(), VecDeque::new());
        Self { channel, holding, sink: None, front, behind, watched_ms: None, is_mixed: false }
    }

    const fn consumer(&self) -> Option<ConsumerId> {
        match self.holding {
            Holding::Consumed(id) => Some(id),
            Holding::Got | Holding::Left => None,
        }
    }

    /// A holder is kept while its consumer is there or it has messages.
    fn is_over(&self) -> bool {
        self.front.is_empty() && self.consumer().is_none()
    }

    /// When its first message is late that is ever late.
    fn first_deadline_ms(&mut self) -> Option<u64> {
        let deadline_ms = if self.is_mixed {
            self.iter().map(|unacked| unacked.deadline_ms).min()
        } else {
            self.front.front().map(|first| first.deadline_ms)
        };
        self.is_mixed &= deadline_ms.is_some();
        deadline_ms.filter(|&at_ms| at_ms != u64::MAX)
    }

    fn push(&mut self, unacked: Unacked) {
        if self.behind.is_empty() && self.front.len() < PIECE_MAX {
            return self.front.push_back(unacked);
        }
        match self.behind.back_mut().filter(|piece| piece.len() < PIECE_MAX) {
            Some(piece) => piece.push_back(unacked),
            None => {
                let mut piece = VecDeque::with_capacity(PIECE_MAX);
                piece.push_back(unacked);
                self.behind.push_back(piece);
            }
        }
    }

    fn pop_front(&mut self) -> Option<Unacked> {
        let unacked = self.front.pop_front();
        if self.front.is_empty() {
            self.next_piece();
        }
        unacked
    }

    fn next_piece(&mut self) {
        if let Some(piece) = self.behind.pop_front() {
            self.front = piece;
        } else if self.front.capacity() > KEPT_UNACKED {
            (self.front, self.behind) = (VecDeque::new(), VecDeque::new());
        }
    }

    /// Takes out a delivery that need not be the first.
    fn take(&mut self, delivery: u64) -> Option<Unacked> {
        let first_of = |piece: &VecDeque<Unacked>| piece.front().map_or(u64::MAX, |first| first.delivery);
        let behind = self.behind.partition_point(|piece| first_of(piece) <= delivery).checked_sub(1);
        let piece = match behind {
            Some(at) => self.behind.get_mut(at)?,
            None => &mut self.front,
        };
        let at = piece.binary_search_by_key(&delivery, |unacked| unacked.delivery).ok()?;
        let unacked = piece.remove(at);
        if piece.len() < piece.capacity() / 4 && piece.capacity() > KEPT_UNACKED {
            piece.shrink_to(piece.len() * 2);
        }
        match behind {
            Some(at) if piece.is_empty() => drop(self.behind.remove(at)),
            None if piece.is_empty() => self.next_piece(),
            _ => {}
        }
        unacked
    }

    fn len(&self) -> usize {
        self.front.len() + self.behind.iter().map(VecDeque::len).sum::<usize>()
    }

    fn iter(&self) -> impl Iterator<Item = &Unacked> {
        self.front.iter().chain(self.behind.iter().flatten())
    }

    /// Those from this delivery on.
    fn iter_from_mut(&mut self, delivery: u64) -> impl Iterator<Item = &mut Unacked> {
        let before = self.behind.partition_point(|piece| piece.back().is_some_and(|last| last.delivery < delivery));
        let pieces = self.behind.range_mut(before..).flatten();
        self.front.iter_mut().chain(pieces).skip_while(move |unacked| unacked.delivery < delivery)
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Unacked> {
        self.front.iter_mut().chain(self.behind.iter_mut().flatten())
    }
}

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
}

impl UnackedTable {
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A place for what this consumer will hold, until [`UnackedTable::leave`].
    pub(super) fn add_consumer(&mut self, channel: ChannelId, consumer: ConsumerId) -> HolderId {
        self.add(channel, Holding::Consumed(consumer))
    }

    /// The place of what this channel takes with `basic.get`; a message must follow.
    pub(super) fn getter(&mut self, channel: ChannelId) -> HolderId {
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
        self.of_channels.remove(&(channel, before, id));
        self.of_channels.insert((channel, Holding::Left, id));
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
        if deadline_ms != u64::MAX && holder.watched_ms.is_none_or(|watched_ms| deadline_ms < watched_ms) {
            if let Some(watched_ms) = holder.watched_ms.replace(deadline_ms) {
                self.watched.remove(&(watched_ms, id));
            }
            self.watched.insert((deadline_ms, id));
        }
        self.bytes += u64::from(unacked.entry.counted_bytes);
        holder.push(unacked);
        self.count += 1;
        token
    }

    /// Takes out what this token names, and the consumer that held it; `None` when the queue took it back before.
    pub(super) fn remove(&mut self, Token(token): Token) -> Option<(Unacked, Option<ConsumerId>)> {
        let id = HolderId((token >> DELIVERY_BITS) as u32);
        let holder = self.holder_mut(id)?;
        let first = holder.front.front()?.delivery;
        let delivery = first + (token.wrapping_sub(first) & DELIVERY_MASK);
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
        let consumer = self.holder(id)?.consumer();
        if consumer.is_none() {
            self.end_if_over(id);
        }
        consumer
    }

    /// The first delivery that this holder has.
    pub(super) fn first_of(&self, id: HolderId) -> Option<u64> {
        Some(self.holder(id)?.front.front()?.delivery)
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
            holder.is_mixed = !holder.front.is_empty();
        }
    }

    /// A holder of which a message is late: its channel, and its consumer if it is one. Each is named once, and is to lose all that it
    /// has.
    pub(super) fn pop_late(&mut self, now_ms: u64) -> Option<(ChannelId, Option<ConsumerId>)> {
        while let Some(&(at_ms, id)) = self.watched.first().filter(|(at_ms, _)| *at_ms <= now_ms) {
            self.watched.remove(&(at_ms, id));
            let Some(holder) = self.holder_mut(id) else { continue };
            holder.watched_ms = holder.first_deadline_ms();
            match holder.watched_ms {
                Some(at_ms) if at_ms > now_ms => drop(self.watched.insert((at_ms, id))),
                Some(_) => {
                    holder.watched_ms = None;
                    return Some((holder.channel, holder.consumer()));
                }
                None => {}
            }
        }
        None
    }

    pub(super) fn into_entries(self) -> impl Iterator<Item = Entry> {
        let holders = self.holders.into_iter().flatten();
        let unacked = holders.flat_map(|holder| holder.front.into_iter().chain(holder.behind.into_iter().flatten()));
        unacked.map(|unacked| unacked.entry)
    }

    /// The first delivery that is not settled. Of very many holders only the first ones are looked at.
    pub(super) fn oldest_delivery(&self) -> Option<u64> {
        let holders = self.holders.iter().take(HOLDERS_LOOKED_AT_MAX).flatten();
        holders.filter_map(|holder| Some(holder.front.front()?.delivery)).min()
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

    pub(super) fn iter(&self) -> impl Iterator<Item = &Unacked> {
        self.holders.iter().flatten().flat_map(Holder::iter)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Unacked> {
        self.holders.iter_mut().flatten().flat_map(Holder::iter_mut)
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
    #[cfg(debug_assertions)]
    pub(super) fn count_of(&self, id: HolderId) -> usize {
        self.holder(id).map_or(0, |holder| holder.iter().count())
    }

    /// The invariants.
    #[cfg(debug_assertions)]
    pub(super) fn check(&self) {
        assert_eq!(self.count, self.iter().count(), "counted");
        let bytes: u64 = self.iter().map(|unacked| u64::from(unacked.entry.counted_bytes)).sum();
        assert_eq!(self.bytes, bytes, "counted in bytes");
        let there = self.holders.iter().flatten();
        assert_eq!(there.clone().count(), self.of_channels.len(), "listed");
        assert_eq!(self.free.len(), self.holders.len() - self.of_channels.len(), "free");
        for (channel, holding, id) in &self.of_channels {
            let Some(holder) = self.holder(*id) else { panic!("{id:?} is listed, and is not there") };
            assert_eq!((holder.channel, holder.holding), (*channel, *holding));
            assert!(!holder.is_over(), "{holding:?} of {channel:?} holds nothing");
            assert!(!holder.front.is_empty() || holder.behind.is_empty());
            assert!(holder.behind.iter().all(|piece| !piece.is_empty() && piece.len() <= PIECE_MAX));
            assert!(holder.iter().is_sorted_by_key(|unacked| unacked.delivery));
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
