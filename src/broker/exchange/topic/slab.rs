//! Many small things of a kind in a few large allocations, with places that are used again.
//!
//! Nothing is moved when there are more: whoever waits for the topology would wait for that, too. And at most one chunk is partly empty.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::num::NonZeroU32;

/// A place in a slab, counted from 1, so that a link that leads nowhere takes no more than one that leads somewhere.
pub(super) struct Id<T> {
    number: NonZeroU32,
    of: PhantomData<fn() -> T>,
}

/// Things at places that stay theirs until they are taken.
#[derive(Debug)]
pub(super) struct Slab<T> {
    /// All but the last one have [`CHUNK`] things.
    chunks: Vec<Vec<T>>,
    free: Vec<Id<T>>,
}

/// Things that are allocated together.
const CHUNK: usize = 256;

impl<T> Id<T> {
    /// Where the first thing is put.
    pub(super) const FIRST: Self = Self { number: NonZeroU32::MIN, of: PhantomData };

    const fn index(self) -> usize {
        self.number.get() as usize - 1
    }
}

impl<T: Default> Slab<T> {
    pub(super) const fn new() -> Self {
        Self { chunks: Vec::new(), free: Vec::new() }
    }

    pub(super) fn get(&self, id: Id<T>) -> Option<&T> {
        self.chunks.get(id.index() / CHUNK)?.get(id.index() % CHUNK)
    }

    pub(super) fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        self.chunks.get_mut(id.index() / CHUNK)?.get_mut(id.index() % CHUNK)
    }

    pub(super) fn insert(&mut self, thing: T) -> Id<T> {
        if let Some(id) = self.free.pop() {
            if let Some(place) = self.get_mut(id) {
                *place = thing;
            }
            return id;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            // The first one grows as it is used: most exchanges have few bindings.
            let capacity = if self.chunks.is_empty() { 0 } else { CHUNK };
            self.chunks.push(Vec::with_capacity(capacity));
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(thing);
        }
        // Memory ends long before 2^32 things.
        let number = u32::try_from(self.len()).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX);
        Id { number, of: PhantomData }
    }

    /// Takes a thing out; its place is free.
    pub(super) fn take(&mut self, id: Id<T>) -> T {
        debug_assert!(!self.free.contains(&id) || self.free.len() > 64, "a place is freed once");
        self.free.push(id);
        self.get_mut(id).map(std::mem::take).unwrap_or_default()
    }

    /// How many places there are.
    fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.len())
    }

    /// How many places there are, and how many of them are free.
    #[cfg(test)]
    pub(super) fn places(&self) -> (usize, usize) {
        (self.len(), self.free.len())
    }
}

// What is derived would ask the same of `T`.
impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<T> Eq for Id<T> {}

impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number)
    }
}
