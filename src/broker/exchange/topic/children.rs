//! The children of a trie node by their word: one is kept in the node itself, a few are scanned, many are hashed.

use super::NodeId;
use super::leaf::LeafId;
use crate::broker::split_map::SplitMap;

/// Up to this many words a scan beats a hash map, and takes a fraction of its memory.
const SCANNED_MAX: usize = 8;

/// What a word leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum WordLink {
    /// Several keys go on there, or one ends there and another goes on.
    Node(NodeId),
    /// The end of a key, without wildcards.
    Literal(LeafId),
    /// The end of a key, with wildcards.
    Pattern(LeafId),
}

/// Words and what they lead to.
#[derive(Debug, Default)]
pub(super) enum Children {
    #[default]
    None,
    /// Most nodes have one child for ever.
    One(Box<[u8]>, WordLink),
    /// Boxed, because else every node would be larger.
    Several(Box<SeveralWords>),
}

/// There were more than one at a time.
#[derive(Debug)]
pub(super) enum SeveralWords {
    /// Few, in no order.
    Few(Vec<(Box<[u8]>, WordLink)>),
    /// Many. The words are a client's bytes, so std's keyed hash keeps a client from choosing words that collide.
    Many(SplitMap<Box<[u8]>, WordLink>),
}

impl Children {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    pub(super) fn get(&self, word: &[u8]) -> Option<WordLink> {
        match self {
            Self::None => None,
            Self::One(present, link) => (**present == *word).then_some(*link),
            Self::Several(several) => several.get(word),
        }
    }

    /// Adds a word that is not there.
    pub(super) fn insert(&mut self, word: &[u8], link: WordLink) {
        *self = match std::mem::take(self) {
            Self::None => Self::One(word.into(), link),
            Self::One(first, first_link) => {
                Self::Several(Box::new(SeveralWords::Few(vec![(first, first_link), (word.into(), link)])))
            }
            Self::Several(mut several) => {
                several.insert(word, link);
                Self::Several(several)
            }
        };
    }

    /// Gives a word that is there another link.
    pub(super) fn replace(&mut self, word: &[u8], link: WordLink) {
        let place = match self {
            Self::None => None,
            Self::One(present, place) => (**present == *word).then_some(place),
            Self::Several(several) => several.get_mut(word),
        };
        debug_assert!(place.is_some(), "the word is there");
        if let Some(place) = place {
            *place = link;
        }
    }

    /// Removes a word. What was several stays so until the last is gone, so that a node at a limit does not swing.
    pub(super) fn remove(&mut self, word: &[u8]) {
        let is_empty = match self {
            Self::None => return,
            Self::One(present, _) => **present == *word,
            Self::Several(several) => several.remove(word),
        };
        if is_empty {
            *self = Self::None;
        }
    }
}

impl SeveralWords {
    fn get_mut(&mut self, word: &[u8]) -> Option<&mut WordLink> {
        match self {
            Self::Few(words) => words.iter_mut().find(|(present, _)| **present == *word).map(|(_, link)| link),
            Self::Many(words) => words.get_mut(word),
        }
    }

    fn get(&self, word: &[u8]) -> Option<WordLink> {
        match self {
            Self::Few(words) => words.iter().find(|(present, _)| **present == *word).map(|(_, link)| *link),
            Self::Many(words) => words.get(word).copied(),
        }
    }

    fn insert(&mut self, word: &[u8], link: WordLink) {
        match self {
            Self::Few(words) if words.len() < SCANNED_MAX => words.push((word.into(), link)),
            Self::Few(words) => {
                let mut many: SplitMap<_, _> = words.drain(..).collect();
                many.insert(word.into(), link);
                *self = Self::Many(many);
            }
            Self::Many(words) => {
                words.insert(word.into(), link);
            }
        }
    }

    /// Whether that was the last one.
    fn remove(&mut self, word: &[u8]) -> bool {
        match self {
            Self::Few(words) => {
                words.retain(|(present, _)| **present != *word);
                words.is_empty()
            }
            Self::Many(words) => {
                words.remove(word);
                words.is_empty()
            }
        }
    }
}
