//! How often a message was delivered.

/// Earlier deliveries (behaviour reference 5.6). A classic queue counts the failed ones only, and tells nobody but the queue to which
/// it dead-letters the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryCounts {
    /// Earlier deliveries by this queue: `x-acquired-count`.
    pub acquired: u32,
    /// Earlier failed deliveries, by this queue and by those in which the message died before: `x-delivery-count`.
    pub failed: u32,
}

impl DeliveryCounts {
    /// Of a message that comes from another queue, in which so many deliveries failed.
    pub(crate) const fn failed(failed: u32) -> Self {
        Self { acquired: 0, failed }
    }

    /// After one more delivery that was lost on its way.
    pub(crate) const fn interrupted(self) -> Self {
        Self { acquired: self.acquired.saturating_add(1), failed: self.failed.saturating_add(1) }
    }
}
