//! How many messages there are, and how long their bodies are.

use std::iter::Sum;

/// Some messages of a queue or a file, in numbers: what is counted once for all, and for those that survive a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MessageSum {
    pub(crate) messages: u32,
    /// Bytes of their bodies.
    pub(crate) body_bytes: u64,
}

impl MessageSum {
    /// One message.
    pub(crate) const fn one(body_bytes: u64) -> Self {
        Self { messages: 1, body_bytes }
    }

    /// With others.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self {
            messages: self.messages.saturating_add(other.messages),
            body_bytes: self.body_bytes.saturating_add(other.body_bytes),
        }
    }

    /// Without some of them. What a damaged file says may be too much: then nothing is left.
    pub(crate) const fn but(self, other: Self) -> Self {
        Self {
            messages: self.messages.saturating_sub(other.messages),
            body_bytes: self.body_bytes.saturating_sub(other.body_bytes),
        }
    }
}

impl Sum for MessageSum {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Self::and)
    }
}
