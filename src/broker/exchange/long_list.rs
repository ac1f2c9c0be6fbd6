//! A list in which an item is inserted, removed and found by its place in little time, however long it is.

use std::iter;

/// So many items are moved at most when one is inserted or removed. A full piece is split in two.
const PIECE_ITEMS_MAX: usize = 256;
/// Neighbours that have no more together become one piece. It is far from full then, so that no client can have pieces split and
/// joined in turn.
const JOINED_ITEMS_MAX: usize = PIECE_ITEMS_MAX / 2;

/// Items in an order that the caller keeps: it says of each item whether it stands before the place that is meant.
///
/// The items lie in pieces, and a tree has the sums of their lengths. A short list is one piece. A list has memory for
/// twice its items at most, but for a moment.
#[derive(Debug)]
pub(super) struct LongList<T> {
    /// None is empty but the last one.
    pieces: Vec<Vec<T>>,
    lengths: Sums,
    items: usize,
}

impl<T> Default for LongList<T> {
    fn default() -> Self {
        Self { pieces: Vec::new(), lengths: Sums::default(), items: 0 }
    }
}

impl<T> LongList<T> {
    /// How many items there are.
    pub(super) const fn len(&self) -> usize {
        self.items
    }

    /// All items in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pieces.iter().flatten()
    }

    /// The item that has so many others before it.
    pub(super) fn nth(&self, at: usize) -> Option<&T> {
        let (piece, before) = self.lengths.find(at);
        self.pieces.get(piece)?.get(at - before)
    }

    /// Inserts an item behind all for which `is_before` holds.
    pub(super) fn insert(&mut self, item: T, mut is_before: impl FnMut(&T) -> bool) {
        let last = self.pieces.len().saturating_sub(1);
        let mut number = self.piece_of(&mut is_before).min(last);
        let mut place = self.pieces.get(number).map_or(0, |piece| piece.partition_point(&mut is_before));
        if self.pieces.get(number).is_none_or(|piece| piece.len() >= PIECE_ITEMS_MAX) {
            // What is always appended fills its pieces: they are not halved.
            let split_at = if number == last && place == PIECE_ITEMS_MAX { place } else { PIECE_ITEMS_MAX / 2 };
            self.split(number, split_at);
            if place >= split_at && self.pieces.len() > number + 1 {
                (number, place) = (number + 1, place - split_at);
            }
        }
        if let Some(piece) = self.pieces.get_mut(number) {
            piece.insert(place.min(piece.len()), item);
            self.lengths.add(number, 1);
            self.items += 1;
        }
    }

    /// The first item for which `is_before` does not hold.
    pub(super) fn find_mut(&mut self, mut is_before: impl FnMut(&T) -> bool) -> Option<&mut T> {
        let number = self.piece_of(&mut is_before);
        let piece = self.pieces.get_mut(number)?;
        let place = piece.partition_point(is_before);
        piece.get_mut(place)
    }

    /// Removes the first item for which `is_before` does not hold.
    pub(super) fn remove(&mut self, mut is_before: impl FnMut(&T) -> bool) -> Option<T> {
        let number = self.piece_of(&mut is_before);
        let piece = self.pieces.get_mut(number)?;
        let place = piece.partition_point(is_before);
        if place >= piece.len() {
            return None;
        }
        let removed = piece.remove(place);
        if piece.len() * 4 <= piece.capacity() {
            piece.shrink_to(piece.len() * 2);
        }
        self.lengths.subtract(number, 1);
        self.items -= 1;
        self.join(number);
        Some(removed)
    }

    /// The number of the piece that has the first item for which `is_before` does not hold.
    fn piece_of(&self, is_before: &mut impl FnMut(&T) -> bool) -> usize {
        self.pieces.partition_point(|piece| piece.last().is_some_and(&mut *is_before))
    }

    /// Makes a new piece of what a piece has from this place on; the first piece of all if there is none.
    fn split(&mut self, number: usize, at: usize) {
        let Some(piece) = self.pieces.get_mut(number) else {
            self.pieces.push(Vec::new());
            return self.sum_up();
        };
        let rest = piece.split_off(at);
        piece.shrink_to_fit();
        self.pieces.insert(number + 1, rest);
        self.sum_up();
    }

    /// Joins a piece that became shorter with the next one or the one before, if they are short together. One that is empty goes,
    /// unless it is the last: what is appended and removed in turn would make one each time.
    fn join(&mut self, number: usize) {
        let length = |number: usize| self.pieces.get(number).map(Vec::len);
        let is_short = |first: usize| {
            length(first).zip(length(first + 1)).is_some_and(|(one, other)| one + other <= JOINED_ITEMS_MAX)
        };
        let firsts = iter::once(number).chain(number.checked_sub(1));
        if let Some(first) = firsts.into_iter().find(|first| is_short(*first)) {
            let mut next = self.pieces.remove(first + 1);
            if let Some(piece) = self.pieces.get_mut(first) {
                piece.append(&mut next);
            }
            self.sum_up();
        } else if length(number) == Some(0) && number + 1 < self.pieces.len() {
            self.pieces.remove(number);
            self.sum_up();
        }
    }

    fn sum_up(&mut self) {
        self.lengths = Sums::of(self.pieces.iter().map(Vec::len));
    }
}

/// Numbers in an order, of which one is changed, or found by the sum of all before it, in logarithmic time: a Fenwick tree.
///
/// Entry `i` is the sum of the numbers from `i & (i + 1)` to `i`.
#[derive(Debug, Default)]
struct Sums {
    tree: Vec<usize>,
}

impl Sums {
    fn of(numbers: impl Iterator<Item = usize>) -> Self {
        let mut tree: Vec<usize> = numbers.collect();
        for at in 0..tree.len() {
            let sum = tree.get(at).copied().unwrap_or(0);
            if let Some(above) = tree.get_mut(at | (at + 1)) {
                *above += sum;
            }
        }
        Self { tree }
    }

    fn add(&mut self, at: usize, more: usize) {
        self.change(at, |sum| *sum += more);
    }

    fn subtract(&mut self, at: usize, less: usize) {
        self.change(at, |sum| *sum -= less);
    }

    fn change(&mut self, mut at: usize, change: impl Fn(&mut usize)) {
        while let Some(sum) = self.tree.get_mut(at) {
            change(sum);
            at |= at + 1;
        }
    }

    /// The first number that makes the sum more than `target`, and the sum of those before it.
    fn find(&self, target: usize) -> (usize, usize) {
        let (mut at, mut before) = (0, 0);
        let mut step = self.tree.len().checked_ilog2().map_or(0, |bits| 1 << bits);
        while step > 0 {
            if let Some(sum) = self.tree.get(at + step - 1)
                && before + sum <= target
            {
                before += sum;
                at += step;
            }
            step /= 2;
        }
        (at, before)
    }
}

#[cfg(test)]
mod tests;
