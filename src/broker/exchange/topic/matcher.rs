//! Matching a routing key against the trie: a walk that follows the word itself, `*` and `#` at every node.

use rustc_hash::FxHashSet;

use super::{Node, NodeId, ROOT, Words, node};
use crate::broker::exchange::Destination;

/// One walk. It allocates nothing but room in `destinations`, unless a key meets two `#` on one branch.
///
/// The depth of recursion is the length of a branch, so it is bounded by the words of a binding key and not by those of the
/// routing key, which may be long when it comes from a CC header.
#[derive(Debug)]
pub(super) struct Matcher<'t, 'd> {
    nodes: &'t [Node],
    destinations: &'d mut Vec<Destination>,
    /// The second `#` of each branch that was walked already. What lies before it is read from left to right, so its first
    /// visit leaves the most words to choose from, and a later one could find nothing new. Without this, a routing key of
    /// n words could cost n cubed.
    second_hashes: FxHashSet<NodeId>,
}

impl<'t, 'd> Matcher<'t, 'd> {
    pub(super) fn new(nodes: &'t [Node], destinations: &'d mut Vec<Destination>) -> Self {
        Self { nodes, destinations, second_hashes: FxHashSet::default() }
    }

    pub(super) fn route(&mut self, key: &[u8]) {
        self.walk(ROOT, Words::of(key), false);
    }

    /// Follows `words` from a node. `after_hash` tells whether the branch has had a `#`.
    fn walk(&mut self, id: NodeId, words: Words<'_>, after_hash: bool) {
        let Some(here) = node(self.nodes, id) else { return };
        match words.split() {
            None => here.destinations.append_to(self.destinations),
            Some((word, rest)) => self.step(here, word, rest, after_hash),
        }
        self.enter_hash(here, words, after_hash);
    }

    /// Takes one word from a node, as itself and as `*`.
    fn step(&mut self, here: &Node, word: &[u8], rest: Words<'_>, after_hash: bool) {
        if let Some(child) = here.words.get(word) {
            self.walk(child, rest, after_hash);
        }
        if let Some(child) = here.star {
            self.walk(child, rest, after_hash);
        }
    }

    /// Takes any number of words by the `#` below a node, if there is one.
    fn enter_hash(&mut self, above: &Node, words: Words<'_>, after_hash: bool) {
        let Some(id) = above.hash else { return };
        if after_hash && !self.second_hashes.insert(id) {
            return;
        }
        let Some(hash) = node(self.nodes, id) else { return };
        hash.destinations.append_to(self.destinations);
        if !hash.has_children() {
            return;
        }
        // A `#` below this one takes what this one leaves: all of it, when this one takes nothing.
        self.enter_hash(hash, words, true);
        let mut left = words;
        while let Some((word, rest)) = left.split() {
            self.step(hash, word, rest, true);
            left = rest;
        }
    }
}
