//! Many small things of a kind in a few large allocations, with places that are used again.

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
    things: Vec<T>,
    free: Vec<Id<T>>,
}

impl<T> Id<T> {
    /// Where the first thing is put.
    pub(super) const FIRST: Self = Self { number: NonZeroU32::MIN, of: PhantomData };

    const fn index(self) -> usize {
        self.number.get() as usize - 1
    }
}

impl<T: Default> Slab<T> {
    pub(super) const fn new() -> Self {
        Self { things: Vec::new(), free: Vec::new() }
    }

    pub(super) fn get(&self, id: Id<T>) -> Option<&T> {
        self.things.get(id.index())
    }

    pub(super) fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        self.things.get_mut(id.index())
    }

    pub(super) fn insert(&mut self, thing: T) -> Id<T> {
        if let Some(id) = self.free.pop() {
            if let Some(place) = self.get_mut(id) {
                *place = thing;
            }
            return id;
        }
        self.things.push(thing);
        // Memory ends long before 2^32 things.
        let number = u32::try_from(self.things.len()).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX);
        Id { number, of: PhantomData }
    }

    /// Takes a thing out; its place is free.
    pub(super) fn take(&mut self, id: Id<T>) -> T {
        debug_assert!(!self.free.contains(&id) || self.free.len() > 64, "a place is freed once");
        self.free.push(id);
        self.get_mut(id).map(std::mem::take).unwrap_or_default()
    }

    /// How many places there are, and how many of them are free.
    #[cfg(test)]
    pub(super) fn places(&self) -> (usize, usize) {
        (self.things.len(), self.free.len())
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
