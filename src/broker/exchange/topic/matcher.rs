//! Matching a routing key against the trie: a walk that follows the word itself, `*` and `#` at every node.

use rustc_hash::FxHashSet;

use super::{Node, NodeId, ROOT, Words, node};
use crate::broker::exchange::Matches;
use crate::broker::router::RoutingKeys;

/// The walks for one message. They allocate nothing but room for what is found, unless there are several keys or a key meets
/// two `#` on one branch.
///
/// The depth of recursion is the length of a branch, so it is bounded by the words of a binding key and not by those of the
/// routing key, which may be long when it comes from a CC header.
#[derive(Debug)]
pub(super) struct Matcher<'t, 'm> {
    nodes: &'t [Node],
    matches: &'m mut Matches,
    /// Each `#` behind another one on its branch that was walked already. What lies before it is read from left to right, so its
    /// first visit leaves the most words to choose from, and a later one could find nothing new. So a node is visited once for
    /// each word at most.
    entered: FxHashSet<NodeId>,
    /// With several keys: where destinations were found already.
    found: Option<FxHashSet<NodeId>>,
}

impl<'t, 'm> Matcher<'t, 'm> {
    pub(super) fn new(nodes: &'t [Node], matches: &'m mut Matches) -> Self {
        Self { nodes, matches, entered: FxHashSet::default(), found: None }
    }

    pub(super) fn route(&mut self, keys: &RoutingKeys<'_>) {
        self.found = keys.has_copies().then(FxHashSet::default);
        for key in keys.iter() {
            self.entered.clear();
            self.walk(ROOT, Words::of(key), None);
        }
    }

    /// Follows `words` from a node. Behind a `#` it is known how many are left.
    fn walk(&mut self, id: NodeId, words: Words<'_>, left: Option<usize>) {
        let Some(here) = node(self.nodes, id) else { return };
        if !self.matches.spend(1) || left.is_some_and(|left| !here.reach.admits(left)) {
            return;
        }
        match words.split() {
            None => self.find(id, here),
            Some((word, rest)) => self.step(here, word, rest, left.map(|left| left.saturating_sub(1))),
        }
        self.enter_hash(here, words, left);
    }

    fn find(&mut self, id: NodeId, here: &Node) {
        if here.destinations.is_empty() || self.found.as_mut().is_some_and(|found| !found.insert(id)) {
            return;
        }
        here.destinations.append_to(&mut self.matches.destinations);
    }

    /// Takes one word from a node, as itself and as `*`.
    fn step(&mut self, here: &Node, word: &[u8], rest: Words<'_>, left: Option<usize>) {
        if let Some(child) = here.words.get(word) {
            self.walk(child, rest, left);
        }
        if let Some(child) = here.star {
            self.walk(child, rest, left);
        }
    }

    /// Takes any number of words by the `#` below a node, if there is one.
    fn enter_hash(&mut self, above: &Node, words: Words<'_>, left: Option<usize>) {
        let Some(id) = above.hash else { return };
        if left.is_some() && !self.entered.insert(id) {
            return;
        }
        let Some(hash) = node(self.nodes, id) else { return };
        self.find(id, hash);
        if !hash.has_children() {
            return;
        }
        let mut left = left.unwrap_or_else(|| words.count());
        // A `#` below this one takes what this one leaves: all of it, when this one takes nothing.
        self.enter_hash(hash, words, Some(left));
        let mut words = words;
        while let Some((word, rest)) = words.split()
            && hash.reach.is_met(left)
            && self.matches.spend(1)
        {
            let behind = left.saturating_sub(1);
            if hash.reach.admits(left) {
                self.step(hash, word, rest, Some(behind));
            }
            (words, left) = (rest, behind);
        }
    }
}
