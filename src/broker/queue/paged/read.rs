//! Parts of segment files that have nothing unread, in pieces: as many as there are messages, if those that were moved lay between others.

use crate::store::checkpoint::Part;

/// Parts of a piece at most.
const PIECE_MAX: usize = 1024;

/// Parts in no order.
#[derive(Debug, Default)]
pub(in crate::broker::queue) struct ReadParts(Vec<Vec<Part>>);

impl ReadParts {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::broker::queue) fn push(&mut self, part: Part) {
        match self.0.last_mut().filter(|piece| piece.len() < PIECE_MAX) {
            Some(piece) => piece.push(part),
            None => self.0.push(vec![part]),
        }
    }

    /// Adds others: it costs the same for all parts of a piece.
    pub(super) fn append(&mut self, others: Self) {
        for mut piece in others.0 {
            // Filled up only if all of it fits: else the pieces would be copied again and again.
            match self.0.last_mut().filter(|last| last.len() + piece.len() <= PIECE_MAX) {
                Some(last) => last.append(&mut piece),
                None => self.0.push(piece),
            }
        }
    }

    /// Those for which `is_wanted` holds, in as much memory as they need.
    pub(super) fn only(self, is_wanted: impl Fn(&Part) -> bool) -> Self {
        let mut wanted = Self::default();
        self.into_parts().filter(is_wanted).for_each(|part| wanted.push(part));
        wanted.0.iter_mut().for_each(Vec::shrink_to_fit);
        wanted
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Part> {
        self.0.iter().flatten()
    }

    pub(super) fn into_parts(self) -> ReadPartsIter {
        self.0.into_iter().flatten()
    }
}

pub(super) type ReadPartsIter = std::iter::Flatten<std::vec::IntoIter<Vec<Part>>>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::seq::Seq;

    fn part(number: u64) -> Part {
        Part { first_seq: Seq(number), ..Part::default() }
    }

    fn numbers(parts: &ReadParts) -> Vec<u64> {
        parts.iter().map(|part| part.first_seq.0).collect()
    }

    #[test]
    fn parts_are_kept_whatever_is_added_and_left_out() {
        let (mut parts, mut others) = (ReadParts::default(), ReadParts::default());
        assert!(parts.is_empty());
        (0..3000).for_each(|number| parts.push(part(number)));
        (3000..5000).for_each(|number| others.push(part(number)));
        parts.append(others);
        parts.append(ReadParts::default());
        assert_eq!(numbers(&parts), (0..5000).collect::<Vec<_>>());
        let parts = parts.only(|part| part.first_seq.0.is_multiple_of(3));
        assert_eq!(numbers(&parts), (0..5000).step_by(3).collect::<Vec<_>>());
        assert!(parts.0.iter().all(|piece| piece.len() == piece.capacity() && piece.len() <= PIECE_MAX));
        assert!(parts.only(|_| false).is_empty());
    }
}
