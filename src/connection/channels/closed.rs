//! The channel numbers that a client closed and did not open again.
//!
//! A client with several threads cannot keep them from sending on a channel that another of its threads closes. What comes for such
//! a number is ignored until it is opened again. One bit a number, so that a client that uses all of them costs 8 KiB.

const BITS: u16 = 64;

/// A set of channel numbers.
#[derive(Debug, Default)]
pub(super) struct ClosedNumbers {
    /// As long as the greatest number needs.
    words: Vec<u64>,
}

impl ClosedNumbers {
    pub(super) fn insert(&mut self, number: u16) {
        let (index, bit) = place(number);
        if self.words.len() <= index {
            self.words.resize(index + 1, 0);
        }
        if let Some(word) = self.words.get_mut(index) {
            *word |= bit;
        }
    }

    pub(super) fn remove(&mut self, number: u16) {
        let (index, bit) = place(number);
        if let Some(word) = self.words.get_mut(index) {
            *word &= !bit;
        }
    }

    pub(super) fn contains(&self, number: u16) -> bool {
        let (index, bit) = place(number);
        self.words.get(index).is_some_and(|word| word & bit != 0)
    }
}

fn place(number: u16) -> (usize, u64) {
    (usize::from(number / BITS), 1 << (number % BITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_told_from_all_others() {
        let mut closed = ClosedNumbers::default();
        let numbers = [1, 63, 64, 2047, u16::MAX];
        numbers.iter().for_each(|number| closed.insert(*number));
        closed.remove(64);
        closed.remove(65);
        let found: Vec<u16> = (0..=u16::MAX).filter(|number| closed.contains(*number)).collect();
        assert_eq!(found, [1, 63, 2047, u16::MAX]);
    }
}
