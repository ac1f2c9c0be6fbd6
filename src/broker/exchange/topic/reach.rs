//! How many words of a routing key may be left at a node, so that some binding key below it can match.

use super::{Words, words_of};

/// A range that holds the right number for each binding key. Bindings that go do not make it narrower: to know what is left one
/// would have to look at everything below, and a range that is too wide costs time only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    least: u16,
    /// [`u16::MAX`] for any number.
    most: u16,
}

impl Default for Reach {
    fn default() -> Self {
        Self { least: u16::MAX, most: 0 }
    }
}

impl Reach {
    /// What may follow each word of a binding key, from the first to the last.
    pub(super) fn along(key: Words<'_>) -> impl Iterator<Item = Self> + '_ {
        words_of(key).scan(Left::of(key), |left, word| {
            left.pass(word);
            Some(left.reach())
        })
    }

    /// What these words may stand for.
    pub(super) fn of(key: Words<'_>) -> Self {
        Left::of(key).reach()
    }

    pub(super) fn widen(&mut self, other: Self) {
        self.least = self.least.min(other.least);
        self.most = self.most.max(other.most);
    }

    /// Whether so many words are enough.
    pub(super) fn is_met(self, left: usize) -> bool {
        left >= usize::from(self.least)
    }

    /// Whether exactly so many words may be left.
    pub(super) fn admits(self, left: usize) -> bool {
        self.is_met(left) && (self.most == u16::MAX || left <= usize::from(self.most))
    }
}

/// Words of a binding key that are left.
struct Left {
    hashes: usize,
    others: usize,
}

impl Left {
    fn of(key: Words<'_>) -> Self {
        let hashes = words_of(key).filter(|word| *word == b"#").count();
        Self { hashes, others: key.count() - hashes }
    }

    fn pass(&mut self, word: &[u8]) {
        if word == b"#" {
            self.hashes -= 1;
        } else {
            self.others -= 1;
        }
    }

    fn reach(&self) -> Reach {
        // A short string has no more than 256 words.
        let least = u16::try_from(self.others).unwrap_or(u16::MAX);
        Reach { least, most: if self.hashes > 0 { u16::MAX } else { least } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn along(key: &str) -> Vec<(u16, u16)> {
        Reach::along(Words::of(key.as_bytes())).map(|reach| (reach.least, reach.most)).collect()
    }

    #[test]
    fn a_hash_that_follows_takes_any_number_of_words() {
        const ANY: u16 = u16::MAX;
        assert_eq!(along("a.*.b"), [(2, 2), (1, 1), (0, 0)]);
        assert_eq!(along("a.#.b"), [(1, ANY), (1, 1), (0, 0)]);
        assert_eq!(along("#.a.#"), [(1, ANY), (0, ANY), (0, 0)]);
        assert_eq!(along(""), []);
    }
}
