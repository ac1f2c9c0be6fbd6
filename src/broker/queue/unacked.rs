//! Messages that were delivered and are not settled yet, found by the token of their delivery in constant time.

use super::entry::Entry;
use crate::broker::ids::{ChannelId, ConsumerId};
use crate::broker::sink::Token;

/// A delivered message that waits to be settled.
#[derive(Debug)]
pub(super) struct Unacked {
    pub(super) entry: Entry,
    /// The channel that must settle it.
    pub(super) channel: ChannelId,
    /// The consumer it went to; `None` when it was taken by `basic.get`, or the consumer of a quorum queue was cancelled.
    pub(super) consumer: Option<ConsumerId>,
    /// When it is late, by what held when it was delivered; `u64::MAX` for never.
    pub(super) deadline_ms: u64,
    /// Its place in the order of all deliveries of the queue.
    pub(super) delivery: u64,
}

#[derive(Debug)]
struct Slot {
    /// How often this slot was used: the upper half of the token, so that an old token finds nothing.
    generation: u32,
    unacked: Option<Unacked>,
}

/// A slab of unacked messages.
#[derive(Debug, Default)]
pub(super) struct UnackedTable {
    slots: Vec<Slot>,
    free: Vec<u32>,
    count: usize,
    /// The generation of a slot that is used for the first time.
    first_generation: u32,
}

impl UnackedTable {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn insert(&mut self, unacked: Unacked) -> Token {
        self.count += 1;
        if let Some(index) = self.free.pop()
            && let Some(slot) = self.slots.get_mut(index as usize)
        {
            slot.generation = slot.generation.wrapping_add(1);
            slot.unacked = Some(unacked);
            return token(slot.generation, index);
        }
        #[expect(clippy::cast_possible_truncation, reason = "four billion unacked messages do not fit the memory")]
        let index = self.slots.len() as u32;
        self.slots.push(Slot { generation: self.first_generation, unacked: Some(unacked) });
        token(self.first_generation, index)
    }

    /// Takes out what this token names; `None` when the queue took it back before.
    pub(super) fn remove(&mut self, Token(token): Token) -> Option<Unacked> {
        #[expect(clippy::cast_possible_truncation, reason = "the two halves of the token")]
        let (generation, index) = ((token >> 32) as u32, token as u32);
        let slot = self.slots.get_mut(index as usize).filter(|slot| slot.generation == generation)?;
        let unacked = slot.unacked.take()?;
        self.free.push(index);
        self.count -= 1;
        self.give_back_memory();
        Some(unacked)
    }

    /// Takes out all for which `wanted` holds, in the order of delivery.
    pub(super) fn remove_where(&mut self, wanted: impl Fn(&Unacked) -> bool) -> Vec<Unacked> {
        let mut removed = Vec::new();
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if slot.unacked.as_ref().is_some_and(&wanted)
                && let Some(unacked) = slot.unacked.take()
            {
                #[expect(clippy::cast_possible_truncation, reason = "slots are counted in 32 bits")]
                self.free.push(index as u32);
                removed.push(unacked);
            }
        }
        self.count -= removed.len();
        self.give_back_memory();
        removed.sort_by_key(|unacked| unacked.delivery);
        removed
    }

    pub(super) fn into_entries(self) -> impl Iterator<Item = Entry> {
        self.slots.into_iter().filter_map(|slot| slot.unacked.map(|unacked| unacked.entry))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Unacked> {
        self.slots.iter().filter_map(|slot| slot.unacked.as_ref())
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Unacked> {
        self.slots.iter_mut().filter_map(|slot| slot.unacked.as_mut())
    }

    /// A table that was large gives its memory back once it is empty. The generations go on beyond all that were used, so that
    /// old tokens still find nothing.
    fn give_back_memory(&mut self) {
        // A thousand queues keep this.
        const KEPT_SLOTS: usize = 256;
        if self.count > 0 || self.slots.len() <= KEPT_SLOTS {
            return;
        }
        let last = self.slots.iter().map(|slot| slot.generation).max().unwrap_or_default();
        *self = Self { first_generation: last.wrapping_add(1), ..Self::default() };
    }
}

fn token(generation: u32, index: u32) -> Token {
    Token(u64::from(generation) << 32 | u64::from(index))
}
