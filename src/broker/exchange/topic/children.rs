//! The children of a trie node by their word: a few are scanned, many are hashed.

use std::collections::HashMap;

use super::NodeId;

/// Up to this many words a scan beats a hash map, and takes a fraction of its memory.
const SCANNED_MAX: usize = 8;

/// Words and the nodes that they lead to.
#[derive(Debug)]
pub(super) enum Children {
    /// Few, in no order.
    Few(Vec<(Box<[u8]>, NodeId)>),
    /// Many. The words are a client's bytes, so std's keyed hash keeps a client from choosing words that collide.
    #[expect(
        clippy::box_collection,
        reason = "unboxed it would double the size of every node, and few have many words"
    )]
    Many(Box<HashMap<Box<[u8]>, NodeId>>),
}

impl Default for Children {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Children {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Few(words) => words.is_empty(),
            Self::Many(words) => words.is_empty(),
        }
    }

    pub(super) fn get(&self, word: &[u8]) -> Option<NodeId> {
        match self {
            Self::Few(words) => words.iter().find(|(present, _)| **present == *word).map(|(_, id)| *id),
            Self::Many(words) => words.get(word).copied(),
        }
    }

    /// Adds a word that is not there.
    pub(super) fn insert(&mut self, word: &[u8], id: NodeId) {
        match self {
            Self::Few(words) if words.len() < SCANNED_MAX => {
                // Most nodes have one child for ever: a vector would make room for four.
                words.reserve_exact(1);
                words.push((word.into(), id));
            }
            Self::Few(words) => {
                let mut many: HashMap<_, _> = words.drain(..).collect();
                many.insert(word.into(), id);
                *self = Self::Many(Box::new(many));
            }
            Self::Many(words) => {
                words.insert(word.into(), id);
            }
        }
    }

    /// Removes a word. Hashed words stay hashed until the last is gone, so that a node at the limit does not swing.
    pub(super) fn remove(&mut self, word: &[u8]) {
        match self {
            Self::Few(words) => words.retain(|(present, _)| **present != *word),
            Self::Many(words) => {
                words.remove(word);
                if words.is_empty() {
                    *self = Self::default();
                }
            }
        }
    }
}
