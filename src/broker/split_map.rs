//! A hash map that grows a little at a time.
//!
//! A map of std moves all its entries when it grows: a few hundred thousand take some hundredths of a second, and whoever waits for the
//! lock around the map waits as long. This one consists of pieces, which are tables of hashbrown, as that of std is. When its entries are more than
//! [`PIECE_ENTRIES`] for each piece, the next piece in turn is split in two (linear hashing), so one insertion moves two hundred
//! entries or so. A small map is one piece, and costs what a map of std does.
//!
//! ```text
//! pieces  of these bits of the hash           the next to be split
//! 1       -                                   0
//! 2       0           1                       0
//! 3       00    1     10                      1
//! 4       00    01    10    11                0
//! ```

use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::iter;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

/// So many entries a piece has on average. One that is about to be split has twice as many, which is a little less than what a table
/// of 256 places takes before it doubles. Tables that are twice as large leave more memory unused when they are split: a binding of a
/// topic exchange took 290 bytes instead of 270.
const PIECE_ENTRIES: usize = 100;

/// A map whose keys the broker chooses itself.
pub(in crate::broker) type FxSplitMap<K, V> = SplitMap<K, V, FxBuildHasher>;

/// A hash map in pieces.
#[derive(Clone)]
pub(in crate::broker) struct SplitMap<K, V, S = RandomState> {
    first: HashTable<(K, V)>,
    more: Vec<HashTable<(K, V)>>,
    hasher: S,
    entries: usize,
}

impl<K: fmt::Debug, V: fmt::Debug, S> fmt::Debug for SplitMap<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K, V, S: Default> Default for SplitMap<K, V, S> {
    fn default() -> Self {
        Self { first: HashTable::new(), more: Vec::new(), hasher: S::default(), entries: 0 }
    }
}

impl<K, V, S> SplitMap<K, V, S> {
    pub(in crate::broker) fn len(&self) -> usize {
        self.entries
    }

    pub(in crate::broker) fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// How many pieces there are. It never becomes less.
    pub(in crate::broker) fn pieces(&self) -> usize {
        1 + self.more.len()
    }

    /// The entries of one piece. If the map is split between two looks, an entry moves to a piece of a higher number: who looks at one
    /// piece after the other up to the last finds all that stay, some of them twice.
    pub(in crate::broker) fn piece(&self, number: usize) -> Option<impl ExactSizeIterator<Item = &(K, V)>> {
        let piece = match number.checked_sub(1) {
            None => Some(&self.first),
            Some(further) => self.more.get(further),
        };
        piece.map(HashTable::iter)
    }

    pub(in crate::broker) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        iter::once(&self.first).chain(&self.more).flatten().map(|(key, value)| (key, value))
    }

    pub(in crate::broker) fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    pub(in crate::broker) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    fn number_of(&self, hash: u64) -> usize {
        // Most maps are small.
        if self.more.is_empty() { 0 } else { piece_of(hash, self.pieces()) }
    }

    fn piece_of(&self, hash: u64) -> &HashTable<(K, V)> {
        self.more.get(self.number_of(hash).wrapping_sub(1)).unwrap_or(&self.first)
    }

    fn piece_mut(&mut self, number: usize) -> &mut HashTable<(K, V)> {
        debug_assert!(number <= self.more.len(), "{number} is one of {} pieces", self.pieces());
        self.more.get_mut(number.wrapping_sub(1)).unwrap_or(&mut self.first)
    }
}

/// The piece of an entry with this hash, when there are so many.
fn piece_of(hash: u64, pieces: usize) -> usize {
    // A table of this size looks at the lowest ten bits and at the highest seven: entries that had these in common would collide.
    let bits = usize::try_from(hash >> 10 & u64::from(u32::MAX)).unwrap_or(usize::MAX);
    let mask = pieces.next_power_of_two() - 1;
    // A piece that does not exist yet is still part of the one that will be split.
    if bits & mask < pieces { bits & mask } else { bits & (mask >> 1) }
}

impl<K: Eq + Hash, V, S: BuildHasher> SplitMap<K, V, S> {
    /// An entry as it was inserted.
    pub(in crate::broker) fn get_entry<Q>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        self.piece_of(hash).find(hash, |(present, _)| present.borrow() == key).map(|(key, value)| (key, value))
    }

    pub(in crate::broker) fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.get_entry(key).map(|(_, value)| value)
    }

    pub(in crate::broker) fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        let piece = self.piece_mut(self.number_of(hash));
        piece.find_mut(hash, |(present, _)| present.borrow() == key).map(|(_, value)| value)
    }

    pub(in crate::broker) fn contains_key<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.get_entry(key).is_some()
    }

    /// Adds an entry, or gives one that is there another value; the value before.
    pub(in crate::broker) fn insert(&mut self, key: K, value: V) -> Option<V> {
        if let Some(present) = self.get_mut(&key) {
            return Some(std::mem::replace(present, value));
        }
        let hash = self.hasher.hash_one(&key);
        let number = self.number_of(hash);
        let piece = self.more.get_mut(number.wrapping_sub(1)).unwrap_or(&mut self.first);
        piece.insert_unique(hash, (key, value), |(key, _)| self.hasher.hash_one(key));
        self.entries += 1;
        if self.entries > self.pieces() * PIECE_ENTRIES {
            self.split();
        }
        None
    }

    pub(in crate::broker) fn remove<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.remove_entry(key).map(|(_, value)| value)
    }

    pub(in crate::broker) fn remove_entry<Q>(&mut self, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        let piece = self.piece_mut(self.number_of(hash));
        let (removed, _) = piece.find_entry(hash, |(present, _)| present.borrow() == key).ok()?.remove();
        self.entries -= 1;
        Some(removed)
    }

    /// Splits the next piece in turn.
    fn split(&mut self) {
        let pieces = self.pieces();
        // The largest power of two that is not more than there are: the pieces behind it are what was split already.
        let source = pieces - (1 << pieces.ilog2());
        let hasher = &self.hasher;
        let hash_of = |(key, _): &(K, V)| hasher.hash_one(key);
        let old = self.more.get_mut(source.wrapping_sub(1)).unwrap_or(&mut self.first);
        let mut new = HashTable::with_capacity(old.len() / 2);
        for entry in old.extract_if(|entry| piece_of(hash_of(entry), pieces + 1) != source) {
            new.insert_unique(hash_of(&entry), entry, hash_of);
        }
        // It had grown for all of them.
        old.shrink_to_fit(hash_of);
        self.more.push(new);
    }
}

impl<K, V, S> IntoIterator for SplitMap<K, V, S> {
    type Item = (K, V);
    type IntoIter = iter::Flatten<iter::Chain<iter::Once<HashTable<(K, V)>>, std::vec::IntoIter<HashTable<(K, V)>>>>;

    fn into_iter(self) -> Self::IntoIter {
        iter::once(self.first).chain(self.more).flatten()
    }
}

impl<K: Eq + Hash, V, S: BuildHasher + Default> FromIterator<(K, V)> for SplitMap<K, V, S> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::default();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map(steps in vec((0u16..4_000, any::<bool>(), any::<u8>()), 0..6_000)) {
            let (mut map, mut model) = (SplitMap::<u16, u8>::default(), BTreeMap::new());
            for (key, is_insertion, value) in steps {
                if is_insertion {
                    prop_assert_eq!(map.insert(key, value), model.insert(key, value));
                } else {
                    prop_assert_eq!(map.remove(&key), model.remove(&key));
                }
                prop_assert_eq!(map.get(&key), model.get(&key));
            }
            prop_assert_eq!(map.len(), model.len());
            let mut all: Vec<_> = map.iter().map(|(key, value)| (*key, *value)).collect();
            all.sort_unstable();
            prop_assert_eq!(&all, &model.into_iter().collect::<Vec<_>>());
            let mut taken: Vec<_> = map.into_iter().collect();
            taken.sort_unstable();
            prop_assert_eq!(taken, all);
        }
    }

    fn of(count: u64) -> FxSplitMap<u64, u64> {
        (0..count).map(|number| (number, number)).collect()
    }

    #[test]
    fn no_piece_is_large() {
        let map = of(100_000);
        let largest = (0..map.pieces()).filter_map(|number| map.piece(number)).map(|piece| piece.len()).max().unwrap();
        assert!(largest <= 3 * PIECE_ENTRIES, "{largest} entries would be moved at once");
        assert_eq!(of(PIECE_ENTRIES as u64).pieces(), 1, "a small map is one piece");
    }

    #[test]
    fn who_looks_at_all_pieces_misses_nothing_while_it_grows() {
        let mut map = of(10_000);
        let (mut number, mut seen) = (0, BTreeMap::new());
        while number < map.pieces() {
            seen.extend(map.piece(number).unwrap().map(|(key, value)| (*key, *value)));
            number += 1;
            if number % 3 == 0 && map.len() < 20_000 {
                for more in 0..1_000 {
                    map.insert(1_000_000 * number as u64 + more, 0);
                }
            }
        }
        assert!((0..10_000).all(|key| seen.contains_key(&key)));
    }
}
