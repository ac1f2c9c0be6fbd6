//! `topic`: binding keys of words, in which `*` stands for one word and `#` for any number of them.
//!
//! The binding keys form a trie of words, held in slabs so that 100,000 bindings are a few large allocations and so that
//! neither adding nor dropping recurses. Words are separated by `.` and may be empty; the empty key has no words at all.
//! What follows the first word that a key shares with no other key is one [`Leaf`]: it becomes nodes when another key comes that
//! has this word, too.
//!
//! **Invariant**: a node other than the root has a binding or a child, and a leaf has a binding; [`Routing::unbind`] removes the
//! branch that a binding leaves behind.

mod children;
mod leaf;
mod matcher;
mod reach;
mod slab;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use smallvec::SmallVec;

use super::destinations::Destinations;
use super::{Binding, Considered, DestinationKind, ExchangeType, Matches, RoutedMessage, Routing, Selection};
use crate::broker::profile::Profile;
use crate::error::AmqpError;
use children::{Children, WordLink};
use leaf::{Leaf, Leaves};
use matcher::Matcher;
use reach::Reach;
use slab::{Id, Slab};

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "topic",
    description: "routes by words with wildcards",
    arguments: &[],
    selection: Selection::Each(why),
    create: |_| Ok(Box::new(Topic::default())),
};

fn why(considered: &Considered<'_>) -> String {
    let (given, bound) = (considered.routing_keys(), considered.binding_key());
    let verb = if considered.is_selected { "matches" } else { "does not match" };
    format!("{given} {verb} the pattern '{bound}'")
}

/// A node's place in its slab.
type NodeId = Id<Node>;

/// The root's place: it is made first and never removed.
const ROOT: NodeId = NodeId::FIRST;

/// A node with its place among the children of another one, as allocators round it up.
const NODE_BYTES: usize = size_of::<Node>() + 32;

/// Where the words of one or more binding keys have led so far.
#[derive(Debug, Default)]
struct Node {
    /// The next words that are no wildcards.
    words: Children,
    /// `*`, one word.
    star: Option<NodeId>,
    /// `#`, any number of words.
    hash: Option<NodeId>,
    /// How many words may follow.
    reach: Reach,
    /// What is bound by the key that ends here.
    destinations: Destinations,
}

impl Node {
    fn is_empty(&self) -> bool {
        self.destinations.is_empty() && !self.has_children()
    }

    fn has_children(&self) -> bool {
        self.star.is_some() || self.hash.is_some() || !self.words.is_empty()
    }

    fn child(&self, word: &[u8]) -> Option<WordLink> {
        match word {
            b"*" => self.star.map(WordLink::Node),
            b"#" => self.hash.map(WordLink::Node),
            _ => self.words.get(word),
        }
    }

    fn remove_child(&mut self, word: &[u8]) {
        match word {
            b"*" => self.star = None,
            b"#" => self.hash = None,
            _ => self.words.remove(word),
        }
    }
}

/// The trie: nodes and leaves refer to each other by their places.
#[derive(Debug)]
struct Topic {
    nodes: Slab<Node>,
    leaves: Leaves,
}

impl Default for Topic {
    fn default() -> Self {
        let mut nodes = Slab::new();
        let root = nodes.insert(Node::default());
        debug_assert_eq!(root, ROOT);
        Self { nodes, leaves: Slab::new() }
    }
}

impl Routing for Topic {
    fn check(&self, binding: &Binding, _: DestinationKind, profile: &Profile) -> Result<(), AmqpError> {
        let key = binding.routing_key();
        let hashes = words(key).filter(|word| *word == b"#").count();
        let Some(max) = profile.binding_hashes_max.filter(|max| hashes > *max) else { return Ok(()) };
        Err(AmqpError::precondition_failed(format!(
            "Topic binding key '{}' uses {hashes} '#' wildcards, at most {max} are allowed",
            String::from_utf8_lossy(key)
        )))
    }

    fn bind(&mut self, binding: &Arc<Binding>) {
        let (mut at, mut left) = (ROOT, Words::of(binding.routing_key()));
        for reach in Reach::along(left) {
            let Some((word, rest)) = left.split() else { break };
            let Some(link) = self.nodes.get(at).and_then(|node| node.child(word)) else { break };
            // The very same key is a leaf already: one more destination is all.
            let Some(child) = self.node_behind(at, word, link, rest) else {
                if let WordLink::Literal(leaf) | WordLink::Pattern(leaf) = link
                    && let Some(leaf) = self.leaves.get_mut(leaf)
                {
                    leaf.destinations.add(binding.destination());
                }
                return;
            };
            if let Some(node) = self.nodes.get_mut(child) {
                node.reach.widen(reach);
            }
            (at, left) = (child, rest);
        }
        if left.0.is_some() {
            let mut destinations = Destinations::default();
            destinations.add(binding.destination());
            self.insert_below(at, left, destinations);
        } else if let Some(node) = self.nodes.get_mut(at) {
            node.destinations.add(binding.destination());
        }
    }

    fn unbind(&mut self, binding: &Binding) {
        // The nodes from the root to the last one, each with the word that leads on.
        let mut path: SmallVec<[(NodeId, &[u8]); 16]> = SmallVec::new();
        let (mut at, mut left) = (ROOT, Words::of(binding.routing_key()));
        while let Some((word, rest)) = left.split() {
            let Some(link) = self.nodes.get(at).and_then(|node| node.child(word)) else { return };
            match link {
                WordLink::Node(child) => {
                    path.push((at, word));
                    (at, left) = (child, rest);
                }
                WordLink::Literal(id) | WordLink::Pattern(id) => {
                    let Some(leaf) = self.leaves.get_mut(id).filter(|leaf| leaf.is(rest)) else { return };
                    leaf.destinations.remove(binding.destination());
                    if !leaf.destinations.is_empty() {
                        return;
                    }
                    self.leaves.take(id);
                    if let Some(node) = self.nodes.get_mut(at) {
                        node.remove_child(word);
                    }
                    return self.prune(at, path);
                }
            }
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.destinations.remove(binding.destination());
        }
        self.prune(at, path);
    }

    /// Other bindings may share its nodes, and whether they do changes while it is there: counted as if none did.
    fn index_bytes(&self, binding: &Binding) -> usize {
        let key = binding.routing_key();
        key.len() + Words::of(key).count() * NODE_BYTES
    }

    fn route(&self, publish: &RoutedMessage<'_>, matches: &mut Matches) {
        Matcher::new(&self.nodes, &self.leaves, matches).route(publish.keys);
    }

    fn routes_by_key_alone(&self) -> bool {
        true
    }
}

impl Topic {
    /// The node that a word leads to. A leaf becomes one, unless it is what this key ends in.
    fn node_behind(&mut self, parent: NodeId, word: &[u8], link: WordLink, rest: Words<'_>) -> Option<NodeId> {
        let id = match link {
            WordLink::Node(child) => return Some(child),
            WordLink::Literal(leaf) | WordLink::Pattern(leaf) => leaf,
        };
        if self.leaves.get(id).is_some_and(|leaf| leaf.is(rest)) {
            return None;
        }
        let mut leaf = self.leaves.take(id);
        let child = self.nodes.insert(Node { reach: leaf.reach(), ..Node::default() });
        if let Some(node) = self.nodes.get_mut(parent) {
            node.words.replace(word, WordLink::Node(child));
        }
        let destinations = std::mem::take(&mut leaf.destinations);
        self.insert_below(child, leaf.words(), destinations);
        Some(child)
    }

    /// Adds the end of a key to a node that none of its words leads on from: nodes for the wildcards that it begins with, and a leaf.
    fn insert_below(&mut self, mut at: NodeId, mut left: Words<'_>, destinations: Destinations) {
        for reach in Reach::along(left) {
            let Some((word, rest)) = left.split() else { break };
            if word != b"*" && word != b"#" {
                let link = if words_of(rest).any(|word| word == b"*" || word == b"#") {
                    WordLink::Pattern
                } else {
                    WordLink::Literal
                };
                let leaf = self.leaves.insert(Leaf::new(rest, destinations));
                if let Some(node) = self.nodes.get_mut(at) {
                    node.words.insert(word, link(leaf));
                }
                return;
            }
            let child = self.nodes.insert(Node { reach, ..Node::default() });
            if let Some(node) = self.nodes.get_mut(at) {
                let place = if word == b"*" { &mut node.star } else { &mut node.hash };
                debug_assert!(place.is_none(), "no other key goes on here");
                *place = Some(child);
            }
            (at, left) = (child, rest);
        }
        if let Some(node) = self.nodes.get_mut(at) {
            debug_assert!(node.destinations.is_empty(), "no other key ends here");
            node.destinations = destinations;
        }
    }

    /// Removes a node that nothing is bound at or below, and those above it that led only there.
    fn prune(&mut self, mut at: NodeId, mut path: SmallVec<[(NodeId, &[u8]); 16]>) {
        // The root has no parent, and so it stays.
        while let Some((parent, word)) = path.pop() {
            if !self.nodes.get(at).is_some_and(Node::is_empty) {
                return;
            }
            self.nodes.take(at);
            if let Some(node) = self.nodes.get_mut(parent) {
                node.remove_child(word);
            }
            at = parent;
        }
    }
}

/// The words of a key.
fn words(key: &[u8]) -> impl Iterator<Item = &[u8]> {
    words_of(Words::of(key))
}

fn words_of(mut left: Words<'_>) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (word, rest) = left.split()?;
        left = rest;
        Some(word)
    })
}

/// The words of a key that were not read yet; `None` when there are none, which is not the same as one empty word.
#[derive(Clone, Copy, Debug)]
struct Words<'a>(Option<&'a [u8]>);

impl<'a> Words<'a> {
    fn of(key: &'a [u8]) -> Self {
        Self(if key.is_empty() { None } else { Some(key) })
    }

    /// How many there are.
    fn count(self) -> usize {
        self.0.map_or(0, |left| 1 + left.iter().filter(|byte| **byte == b'.').count())
    }

    /// The first word and those behind it.
    fn split(self) -> Option<(&'a [u8], Self)> {
        let left = self.0?;
        Some(match left.iter().position(|byte| *byte == b'.') {
            Some(dot) => {
                let (word, rest) = left.split_at_checked(dot)?;
                (word, Self(rest.get(1..)))
            }
            None => (left, Self(None)),
        })
    }
}
