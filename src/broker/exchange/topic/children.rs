//! The children of a trie node by their word: one is kept in the node itself, a few are scanned, many are hashed.

use std::collections::HashMap;

use super::NodeId;

/// Up to this many words a scan beats a hash map, and takes a fraction of its memory.
const SCANNED_MAX: usize = 8;

/// Words and the nodes that they lead to.
#[derive(Debug, Default)]
pub(super) enum Children {
    #[default]
    None,
    /// Most nodes have one child for ever.
    One(Box<[u8]>, NodeId),
    /// Boxed, because else every node would be larger.
    Several(Box<Several>),
}

/// There were more than one at a time.
#[derive(Debug)]
pub(super) enum Several {
    /// Few, in no order.
    Few(Vec<(Box<[u8]>, NodeId)>),
    /// Many. The words are a client's bytes, so std's keyed hash keeps a client from choosing words that collide.
    Many(HashMap<Box<[u8]>, NodeId>),
}

impl Children {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    pub(super) fn get(&self, word: &[u8]) -> Option<NodeId> {
        match self {
            Self::None => None,
            Self::One(present, id) => (**present == *word).then_some(*id),
            Self::Several(several) => several.get(word),
        }
    }

    /// Adds a word that is not there.
    pub(super) fn insert(&mut self, word: &[u8], id: NodeId) {
        *self = match std::mem::take(self) {
            Self::None => Self::One(word.into(), id),
            Self::One(first, first_id) => {
                Self::Several(Box::new(Several::Few(vec![(first, first_id), (word.into(), id)])))
            }
            Self::Several(mut several) => {
                several.insert(word, id);
                Self::Several(several)
            }
        };
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

impl Several {
    fn get(&self, word: &[u8]) -> Option<NodeId> {
        match self {
            Self::Few(words) => words.iter().find(|(present, _)| **present == *word).map(|(_, id)| *id),
            Self::Many(words) => words.get(word).copied(),
        }
    }

    fn insert(&mut self, word: &[u8], id: NodeId) {
        match self {
            Self::Few(words) if words.len() < SCANNED_MAX => words.push((word.into(), id)),
            Self::Few(words) => {
                let mut many: HashMap<_, _> = words.drain(..).collect();
                many.insert(word.into(), id);
                *self = Self::Many(many);
            }
            Self::Many(words) => {
                words.insert(word.into(), id);
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
