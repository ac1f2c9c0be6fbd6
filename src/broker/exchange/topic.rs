//! `topic`: binding keys of words, in which `*` stands for one word and `#` for any number of them.
//!
//! The binding keys form a trie of words, held in a slab so that 100,000 bindings are a few large allocations and so that
//! neither adding nor dropping recurses. Words are separated by `.` and may be empty; the empty key has no words at all.
//!
//! **Invariant**: a node other than the root has a binding or a child; [`Routing::unbind`] removes the branch that a
//! binding leaves behind.

mod children;
mod matcher;
mod reach;

#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::sync::Arc;

use smallvec::SmallVec;

use super::destinations::Destinations;
use super::{Binding, DestinationKind, ExchangeType, Matches, Publish, Routing};
use crate::broker::profile::Profile;
use crate::error::AmqpError;
use children::Children;
use matcher::Matcher;
use reach::Reach;

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "topic",
    description: "routes by words with wildcards",
    create: |_| Ok(Box::new(Topic::default())),
};

/// A node's place in the slab, counted from 1, so that a link that leads nowhere takes no more than one that leads somewhere.
type NodeId = NonZeroU32;

/// The root's place: it is made first and never removed.
const ROOT: NodeId = NodeId::MIN;

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

    fn child(&self, word: &[u8]) -> Option<NodeId> {
        match word {
            b"*" => self.star,
            b"#" => self.hash,
            _ => self.words.get(word),
        }
    }

    fn insert_child(&mut self, word: &[u8], id: NodeId) {
        match word {
            b"*" => self.star = Some(id),
            b"#" => self.hash = Some(id),
            _ => self.words.insert(word, id),
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

/// The trie.
#[derive(Debug)]
struct Topic {
    nodes: Vec<Node>,
    /// Places in `nodes` that are free.
    free: Vec<NodeId>,
}

impl Default for Topic {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], free: Vec::new() }
    }
}

impl Routing for Topic {
    fn check(&self, binding: &Binding, _: DestinationKind, profile: &Profile) -> Result<(), AmqpError> {
        let key = &binding.routing_key;
        let hashes = words(key).filter(|word| *word == b"#").count();
        let Some(max) = profile.binding_hashes_max.filter(|max| hashes > *max) else { return Ok(()) };
        Err(AmqpError::precondition_failed(format!(
            "Topic binding key '{}' uses {hashes} '#' wildcards, at most {max} are allowed",
            String::from_utf8_lossy(key)
        )))
    }

    fn bind(&mut self, binding: &Arc<Binding>) {
        let mut at = ROOT;
        for (word, reach) in words(&binding.routing_key).zip(Reach::along(&binding.routing_key)) {
            at = self.child_or_new(at, word);
            if let Some(node) = self.node_mut(at) {
                node.reach.widen(reach);
            }
        }
        if let Some(node) = self.node_mut(at) {
            node.destinations.add(binding.destination);
        }
    }

    fn unbind(&mut self, binding: &Binding) {
        // The nodes from the root to the one before the last, each with the word that leads on.
        let mut path: SmallVec<[(NodeId, &[u8]); 16]> = SmallVec::new();
        let mut at = ROOT;
        for word in words(&binding.routing_key) {
            path.push((at, word));
            let Some(child) = self.node(at).and_then(|node| node.child(word)) else { return };
            at = child;
        }
        if let Some(node) = self.node_mut(at) {
            node.destinations.remove(binding.destination);
        }
        while let Some((parent, word)) = path.pop() {
            if !self.node(at).is_some_and(Node::is_empty) {
                return;
            }
            self.free.push(at);
            if let Some(node) = self.node_mut(parent) {
                node.remove_child(word);
            }
            at = parent;
        }
    }

    /// Other bindings may share its nodes.
    fn index_bytes(&self, binding: &Binding) -> usize {
        let key = &binding.routing_key;
        key.len() + Words::of(key).count() * NODE_BYTES
    }

    fn route(&self, publish: &Publish<'_>, matches: &mut Matches) {
        Matcher::new(&self.nodes, matches).route(publish.keys);
    }

    fn routes_by_key_alone(&self) -> bool {
        true
    }
}

impl Topic {
    fn node(&self, id: NodeId) -> Option<&Node> {
        node(&self.nodes, id)
    }

    fn node_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(place(id))
    }

    fn child_or_new(&mut self, parent: NodeId, word: &[u8]) -> NodeId {
        if let Some(child) = self.node(parent).and_then(|node| node.child(word)) {
            return child;
        }
        let child = self.free.pop().unwrap_or_else(|| {
            self.nodes.push(Node::default());
            // Memory ends long before 2^32 nodes.
            u32::try_from(self.nodes.len()).ok().and_then(NodeId::new).unwrap_or(NodeId::MAX)
        });
        if let Some(node) = self.node_mut(child) {
            node.reach = Reach::default();
        }
        if let Some(node) = self.node_mut(parent) {
            node.insert_child(word, child);
        }
        child
    }
}

fn node(nodes: &[Node], id: NodeId) -> Option<&Node> {
    nodes.get(place(id))
}

const fn place(id: NodeId) -> usize {
    id.get() as usize - 1
}

/// The words of a key.
fn words(key: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut left = Words::of(key);
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
