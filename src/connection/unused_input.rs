//! What was read and cannot be used yet.

use std::sync::Arc;

use crate::broker::node::Node;

/// The beginning of a frame, or everything since the connection was blocked. It counts as used memory.
#[derive(Debug)]
pub(super) struct UnusedInput {
    bytes: Vec<u8>,
    node: Arc<Node>,
}

impl Drop for UnusedInput {
    fn drop(&mut self) {
        self.set(&[]);
    }
}

impl UnusedInput {
    pub(super) fn nothing(node: Arc<Node>) -> Self {
        Self { bytes: Vec::new(), node }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Keeps this instead.
    pub(super) fn set(&mut self, bytes: &[u8]) {
        let before = self.bytes.capacity();
        if bytes.is_empty() {
            if before == 0 {
                return;
            }
            // The memory goes, too: most connections have nothing unused most of the time.
            self.bytes = Vec::new();
        } else {
            self.bytes.clear();
            self.bytes.extend_from_slice(bytes);
        }
        self.node.half_frames.change(before, self.bytes.capacity());
    }

    /// Forgets so many of the first bytes.
    pub(super) fn forget_first(&mut self, count: usize) {
        if count == self.bytes.len() {
            self.set(&[]);
        } else {
            self.bytes.drain(..count.min(self.bytes.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_counted_while_it_is_there() {
        let node = Arc::new(Node::default());
        let mut kept = UnusedInput::nothing(Arc::clone(&node));
        kept.set(&[7; 1_000]);
        assert!(node.half_frames.bytes() >= 1_000);
        kept.forget_first(999);
        assert_eq!(kept.bytes(), [7]);
        kept.forget_first(1);
        assert_eq!(node.half_frames.bytes(), 0);
        kept.set(&[7; 1_000]);
        drop(kept);
        assert_eq!(node.half_frames.bytes(), 0);
    }
}
