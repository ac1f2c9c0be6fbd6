//! The end of a binding key that shares its last words with no other key: one thing instead of a node for each word.

use super::Words;
use super::reach::Reach;
use super::slab::{Id, Slab};
use crate::broker::exchange::destinations::Destinations;

/// A leaf's place in its slab.
pub(super) type LeafId = Id<Leaf>;

/// The leaves of a trie.
pub(super) type Leaves = Slab<Leaf>;

/// What is left of a binding key behind the word that leads here.
#[derive(Debug, Default)]
pub(super) struct Leaf {
    /// Empty without words, else the words with a dot before each: one empty word is something else than none.
    tail: Box<[u8]>,
    pub(super) destinations: Destinations,
}

impl Leaf {
    pub(super) fn new(tail: Words<'_>, destinations: Destinations) -> Self {
        let tail = match tail.0 {
            None => Box::default(),
            Some(words) => [b".", words].concat().into_boxed_slice(),
        };
        Self { tail, destinations }
    }

    /// The words that are left of the binding key.
    pub(super) fn words(&self) -> Words<'_> {
        Words(self.tail.get(1..))
    }

    /// How many words may follow the word that leads here.
    pub(super) fn reach(&self) -> Reach {
        Reach::of(self.words())
    }

    /// Whether these are the same words. For a key without wildcards that is whether it matches.
    pub(super) fn is(&self, words: Words<'_>) -> bool {
        self.words().0 == words.0
    }
}

/// How a pattern goes on behind words that it was compared with.
pub(super) enum Compared<'w> {
    /// It ends there, and matches or does not.
    Ended(bool),
    /// It has a `#` there: what is behind it, and the words that the `#` has to choose from.
    Hash(Words<'w>, Words<'w>),
}

/// Compares the words of a pattern up to its first `#`. `spend` is asked before each word, and says whether to go on.
pub(super) fn compare<'w>(
    mut pattern: Words<'w>,
    mut words: Words<'w>,
    mut spend: impl FnMut() -> bool,
) -> Compared<'w> {
    while let Some((wanted, rest)) = pattern.split() {
        if wanted == b"#" {
            return Compared::Hash(rest, words);
        }
        match words.split() {
            Some((word, behind)) if (wanted == b"*" || wanted == word) && spend() => (pattern, words) = (rest, behind),
            _ => return Compared::Ended(false),
        }
    }
    Compared::Ended(words.0.is_none())
}

/// Whether what is behind a `#` matches some of the last words. The first place where the words up to the next `#` match is
/// the right one: it leaves the most words to that `#`.
pub(super) fn compare_behind_hash<'w>(
    mut pattern: Words<'w>,
    mut words: Words<'w>,
    mut spend: impl FnMut() -> bool,
) -> bool {
    while pattern.0.is_some() {
        if !spend() {
            return false;
        }
        match compare(pattern, words, &mut spend) {
            Compared::Ended(true) => return true,
            Compared::Ended(false) => match words.split() {
                Some((_, behind)) => words = behind,
                None => return false,
            },
            Compared::Hash(behind, left) => (pattern, words) = (behind, left),
        }
    }
    true
}
