//! Matching a routing key against the trie: a walk that follows the word itself, `*` and `#` at every node.

use rustc_hash::FxHashSet;

use super::children::WordLink;
use super::leaf::{self, Compared, LeafId, Leaves};
use super::slab::Slab;
use super::{Node, NodeId, ROOT, Words};
use crate::broker::exchange::Matches;
use crate::broker::exchange::destinations::Destinations;
use crate::broker::router::RoutingKeys;

/// How many nodes one key comes to at most. The walk for one key is not interrupted, so the topology is locked for as long as that
/// takes: some milliseconds. Between two keys others get the lock.
const KEY_NODES_MAX: usize = 20_000;

/// The walks for one message. They allocate nothing but room for what is found, unless there are several keys or a key meets
/// two `#` on one branch.
///
/// The depth of recursion is the length of a branch, so it is bounded by the words of a binding key and not by those of the
/// routing key, which may be long when it comes from a CC header.
#[derive(Debug)]
pub(super) struct Matcher<'t, 'm> {
    nodes: &'t Slab<Node>,
    leaves: &'t Leaves,
    matches: &'m mut Matches,
    /// How many more nodes this key may come to.
    nodes_left: usize,
    /// Each `#` behind another one on its branch that was walked already, or the leaf that it is in. What lies before it is read from left to right, so its
    /// first visit leaves the most words to choose from, and a later one could find nothing new. So a node is visited once for
    /// each word at most.
    entered: FxHashSet<WordLink>,
    /// With several keys: where destinations were found already.
    found: Option<FxHashSet<WordLink>>,
}

impl<'t, 'm> Matcher<'t, 'm> {
    pub(super) fn new(nodes: &'t Slab<Node>, leaves: &'t Leaves, matches: &'m mut Matches) -> Self {
        Self { nodes, leaves, matches, nodes_left: 0, entered: FxHashSet::default(), found: None }
    }

    pub(super) fn route(&mut self, keys: &RoutingKeys<'_>) {
        self.found = keys.has_copies().then(FxHashSet::default);
        let first = self.matches.take_place();
        for (number, key) in keys.iter().enumerate().skip(first) {
            if number > first && self.matches.is_step_over() {
                return self.matches.go_on_at(number);
            }
            self.entered.clear();
            self.nodes_left = KEY_NODES_MAX;
            self.walk(ROOT, Words::of(key), None);
        }
    }

    /// Counts a node that is visited. False when that is too much.
    fn spend_node(&mut self) -> bool {
        self.nodes_left = self.nodes_left.saturating_sub(1);
        if self.nodes_left == 0 {
            self.matches.exhaust();
        }
        self.matches.spend(1)
    }

    /// Follows `words` from a node. Behind a `#` it is known how many are left.
    fn walk(&mut self, id: NodeId, words: Words<'_>, left: Option<usize>) {
        let Some(here) = self.nodes.get(id) else { return };
        if !self.spend_node() || left.is_some_and(|left| !here.reach.admits(left)) {
            return;
        }
        match words.split() {
            None => self.find(WordLink::Node(id), &here.destinations),
            Some((word, rest)) => self.step(here, word, rest, left.map(|left| left.saturating_sub(1))),
        }
        self.enter_hash(here, words, left);
    }

    fn find(&mut self, at: WordLink, destinations: &Destinations) {
        if destinations.is_empty() || self.found.as_mut().is_some_and(|found| !found.insert(at)) {
            return;
        }
        destinations.append_to(&mut self.matches.destinations);
    }

    /// Takes one word from a node, as itself and as `*`.
    fn step(&mut self, here: &Node, word: &[u8], rest: Words<'_>, left: Option<usize>) {
        match here.words.get(word) {
            None => {}
            Some(WordLink::Node(child)) => self.walk(child, rest, left),
            Some(link @ WordLink::Literal(id)) => {
                if self.matches.spend(1)
                    && let Some(leaf) = self.leaves.get(id).filter(|leaf| leaf.is(rest))
                {
                    self.find(link, &leaf.destinations);
                }
            }
            Some(WordLink::Pattern(id)) => self.pattern(id, rest, left.is_some()),
        }
        if let Some(child) = here.star {
            self.walk(child, rest, left);
        }
    }

    /// Compares a key's end that has wildcards. Its first `#` is entered once, as one of a node is.
    fn pattern(&mut self, id: LeafId, words: Words<'_>, is_behind_hash: bool) {
        let link = WordLink::Pattern(id);
        let Some(leaf) = self.leaves.get(id).filter(|_| self.matches.spend(1)) else { return };
        let is_match = match leaf::compare(leaf.words(), words, || self.matches.spend(1)) {
            Compared::Ended(is_match) => is_match,
            Compared::Hash(..) if is_behind_hash && !self.entered.insert(link) => false,
            Compared::Hash(behind, left) => leaf::compare_behind_hash(behind, left, || self.matches.spend(1)),
        };
        if is_match {
            self.find(link, &leaf.destinations);
        }
    }

    /// Takes any number of words by the `#` below a node, if there is one.
    fn enter_hash(&mut self, above: &Node, words: Words<'_>, left: Option<usize>) {
        let Some(id) = above.hash else { return };
        if left.is_some() && !self.entered.insert(WordLink::Node(id)) {
            return;
        }
        let Some(hash) = self.nodes.get(id) else { return };
        self.find(WordLink::Node(id), &hash.destinations);
        if !hash.has_children() {
            return;
        }
        let mut left = left.unwrap_or_else(|| words.count());
        // A `#` below this one takes what this one leaves: all of it, when this one takes nothing.
        self.enter_hash(hash, words, Some(left));
        let mut words = words;
        while let Some((word, rest)) = words.split()
            // With fewer words than any key below needs, those behind them are too few as well.
            && hash.reach.is_met(left)
            && self.spend_node()
        {
            let behind = left.saturating_sub(1);
            // Too many are left: the `#` takes one more.
            if hash.reach.admits(left) {
                self.step(hash, word, rest, Some(behind));
            }
            (words, left) = (rest, behind);
        }
    }
}
