//! One place for each priority level of a queue.

use smallvec::SmallVec;

use super::seq::Seq;

/// Until where the messages of each level, in the order of the queue, are such or such: delivered, or not in the log any more. Most
/// queues have one level. Invariant: a mark only rises.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks(SmallVec<[(u8, Seq); 1]>);

impl Marks {
    /// Moves the mark of a level on; whether this is beyond it.
    pub(crate) fn raise(&mut self, level: u8, below: Seq) -> bool {
        // A look at all levels: most queues have one.
        match self.0.iter_mut().find(|(other, _)| *other == level) {
            Some((_, mark)) if below <= *mark => return false,
            Some((_, mark)) => *mark = below,
            None => self.0.push((level, below)),
        }
        true
    }

    /// The first place of a level that is not before its mark.
    pub(crate) fn below(&self, level: u8) -> Seq {
        self.0.iter().find(|(other, _)| *other == level).map_or(Seq::FIRST, |(_, below)| *below)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each level with its mark.
    pub(crate) fn as_slice(&self) -> &[(u8, Seq)] {
        &self.0
    }
}

impl FromIterator<(u8, Seq)> for Marks {
    fn from_iter<I: IntoIterator<Item = (u8, Seq)>>(marks: I) -> Self {
        let mut all = Self::default();
        for (level, below) in marks {
            all.raise(level, below);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_rise_and_never_fall() {
        let mut marks = Marks::default();
        let rose = [(4, 10), (0, 3), (4, 7), (4, 10), (4, 12)].map(|(level, below)| marks.raise(level, Seq(below)));
        assert_eq!(rose, [true, true, false, false, true]);
        assert_eq!([0, 1, 4].map(|level| marks.below(level)), [Seq(3), Seq::FIRST, Seq(12)]);
        assert_eq!(marks.as_slice().iter().copied().collect::<Marks>(), marks);
    }
}
