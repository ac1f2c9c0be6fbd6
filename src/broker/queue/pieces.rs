//! A long list in pieces: what is added comes last, and what is taken is mostly the first.
//!
//! One long deque would be copied as a whole each time it grows: with a million messages 56 MB at once, while the queue is locked. No
//! piece grows beyond [`PIECE_MAX`], so nothing that is done here for one thing takes longer than that does for a piece.
//!
//! Invariants: if the front is empty, so is all; no piece behind it is empty.

use std::collections::VecDeque;

/// Things that a piece is made for: 224 KiB of messages.
pub(super) const PIECE_MAX: usize = 4096;

/// Room for so many is kept when the last one is taken.
const KEPT: usize = 1024;

#[derive(Debug)]
pub(super) struct Pieces<T> {
    front: VecDeque<T>,
    /// Boxed, because most queues never have so many.
    #[expect(clippy::box_collection, reason = "a queue at rest has room for a pointer, not for a list")]
    behind: Option<Box<VecDeque<VecDeque<T>>>>,
}

impl<T> Default for Pieces<T> {
    fn default() -> Self {
        Self { front: VecDeque::new(), behind: None }
    }
}

impl<T> Pieces<T> {
    pub(super) fn len(&self) -> usize {
        self.pieces().map(VecDeque::len).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.front.is_empty()
    }

    pub(super) fn front(&self) -> Option<&T> {
        self.front.front()
    }

    pub(super) fn back_mut(&mut self) -> Option<&mut T> {
        match &mut self.behind {
            None => self.front.back_mut(),
            Some(behind) => behind.back_mut()?.back_mut(),
        }
    }

    pub(super) fn pieces(&self) -> impl Iterator<Item = &VecDeque<T>> {
        std::iter::once(&self.front).chain(self.behind.iter().flat_map(|behind| behind.iter()))
    }

    /// No piece may be made empty, but for all of them.
    pub(super) fn pieces_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut VecDeque<T>> {
        std::iter::once(&mut self.front).chain(self.behind.iter_mut().flat_map(|behind| behind.iter_mut()))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pieces().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.pieces_mut().flatten()
    }

    /// Those from the one on that stands at this place.
    pub(super) fn iter_at(&self, mut place: usize) -> impl Iterator<Item = &T> {
        let mut pieces = 0;
        for piece in self.pieces() {
            if place < piece.len() {
                break;
            }
            (place, pieces) = (place - piece.len(), pieces + 1);
        }
        self.pieces().skip(pieces).flatten().skip(place)
    }

    /// The first `count` with their places, the last of them first. What is behind them is passed over piece by piece.
    pub(super) fn first_mut(&mut self, count: usize) -> impl Iterator<Item = (usize, &mut T)> {
        let mut start = self.len();
        let pieces = self.pieces_mut().rev().map(move |piece| {
            start -= piece.len();
            (start, piece)
        });
        pieces.flat_map(move |(start, piece)| {
            let wanted = count.saturating_sub(start).min(piece.len());
            piece.range_mut(..wanted).enumerate().rev().map(move |(at, thing)| (start + at, thing))
        })
    }

    /// Adds one behind everything that is there.
    pub(super) fn push_back(&mut self, thing: T) {
        // The usual case: one deque, as if there were no pieces.
        if self.behind.is_none() && self.front.len() < PIECE_MAX {
            self.front.push_back(thing);
        } else {
            self.push_behind(thing);
        }
    }

    fn push_behind(&mut self, thing: T) {
        let behind = self.behind.get_or_insert_default();
        match behind.back_mut().filter(|piece| piece.len() < PIECE_MAX) {
            Some(piece) => piece.push_back(thing),
            None => {
                // As large as it will be: else the piece itself would be copied as it grows.
                let mut piece = VecDeque::with_capacity(PIECE_MAX);
                piece.push_back(thing);
                behind.push_back(piece);
            }
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<T> {
        // An empty front has nothing behind it: a queue asks its list of returned messages before each delivery.
        let thing = self.front.pop_front()?;
        if self.front.is_empty() {
            self.renew_front();
        }
        Some(thing)
    }

    /// If the front is empty, the next piece takes its place, or the memory of one that was long is given back.
    fn renew_front(&mut self) {
        if let Some(behind) = &mut self.behind {
            self.front = behind.pop_front().unwrap_or_default();
            if behind.is_empty() {
                self.behind = None;
            }
        // A short one keeps its memory: a queue that is emptied and filled all the time
        // would allocate each time.
        } else if self.front.capacity() > KEPT {
            self.front = VecDeque::new();
        }
    }

    /// Takes the first out for which `is_wanted` holds, and hands each to `take`: they stand side by side at the front.
    pub(super) fn take_while(&mut self, is_wanted: impl Fn(&T) -> bool, mut take: impl FnMut(T)) {
        while self.front().is_some_and(&is_wanted) {
            // The list is ordered by what is asked for, so a search finds the end, and a drain takes
            // all of a piece at once.
            let count = self.front.partition_point(&is_wanted);
            self.front.drain(..count).for_each(&mut take);
            if self.front.is_empty() {
                self.renew_front();
            }
        }
        // A front that was cut in the middle would keep the room of a whole piece.
        if self.front.len() < self.front.capacity() / 4 {
            self.front.shrink_to_fit();
        }
    }

    /// Moves those to the end of `taken` for which `is_wanted` holds; it is told the place of each. Pieces are looked through for which
    /// `goes_on` holds, which is told what is there and how many were before.
    pub(super) fn take_some(
        &mut self,
        goes_on: impl Fn(&VecDeque<T>, usize) -> bool,
        is_wanted: impl Fn(usize, &T) -> bool,
        taken: &mut Vec<T>,
    ) {
        let mut start = 0;
        for piece in self.pieces_mut() {
            if !goes_on(piece, start) {
                break;
            }
            let length = piece.len();
            // Mostly nothing of a piece is wanted, and then it is not rebuilt.
            if piece.iter().enumerate().any(|(at, thing)| is_wanted(start + at, thing)) {
                let all = piece.drain(..).enumerate();
                let (wanted, kept): (Vec<_>, Vec<_>) = all.partition(|(at, thing)| is_wanted(start + at, thing));
                piece.extend(kept.into_iter().map(|(_, thing)| thing));
                taken.extend(wanted.into_iter().map(|(_, thing)| thing));
            }
            // By the length before: places are those of the list as it was.
            start += length;
        }
        if let Some(behind) = &mut self.behind {
            // At the end: a piece that is emptied earlier would move the others while they are looked through.
            behind.retain(|piece| !piece.is_empty());
            if behind.is_empty() {
                self.behind = None;
            }
        }
        if self.front.is_empty() {
            self.renew_front();
        }
    }

    #[cfg(any(test, debug_assertions))]
    pub(super) fn check(&self) {
        assert!(self.behind.is_none() || !self.front.is_empty(), "the front is empty only if all is");
        assert!(self.pieces().skip(1).all(|piece| !piece.is_empty()), "no piece is empty");
    }
}

impl<T: Send> Pieces<T> {
    pub(super) fn into_things(self) -> impl Iterator<Item = T> + Send {
        self.front.into_iter().chain(self.behind.into_iter().flat_map(|behind| *behind).flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANY: usize = PIECE_MAX * 3 + 7;

    fn filled() -> Pieces<usize> {
        let mut pieces = Pieces::default();
        (0..MANY).for_each(|thing| pieces.push_back(thing));
        pieces
    }

    #[test]
    fn no_piece_is_copied_that_is_longer_than_others() {
        let mut pieces = filled();
        assert!(pieces.pieces().all(|piece| piece.capacity() == PIECE_MAX));
        assert!((0..MANY).all(|thing| pieces.pop_front() == Some(thing)));
        assert_eq!((pieces.len(), pieces.front.capacity()), (0, 0), "nothing is kept of what was long");
    }

    #[test]
    fn the_first_ones_are_met_from_the_last_to_the_first_with_their_places() {
        let mut pieces = filled();
        assert!((0..5).all(|thing| pieces.pop_front() == Some(thing)));
        for count in [0, 1, PIECE_MAX - 6, PIECE_MAX - 5, PIECE_MAX, 9000, MANY - 5, usize::MAX] {
            let expected = (0..count.min(MANY - 5)).rev().map(|place| (place, place + 5));
            assert!(pieces.first_mut(count).map(|(place, thing)| (place, *thing)).eq(expected), "{count}");
        }
    }

    #[test]
    fn some_are_taken_out_by_place_and_value() {
        let (mut pieces, mut taken) = (filled(), Vec::new());
        let is_wanted = |place: usize, thing: &usize| place >= 256 && thing.is_multiple_of(1000);
        pieces.take_some(|_, before| before < 5000, is_wanted, &mut taken);
        pieces.check();
        assert_eq!(taken, [1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000]);
        assert_eq!(pieces.len(), MANY - taken.len());
        pieces.take_some(|_, _| true, |_, _| true, &mut taken);
        pieces.check();
        assert_eq!((pieces.len(), taken.len(), pieces.is_empty()), (0, MANY, true));
    }
}
