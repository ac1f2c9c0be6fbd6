//! How much a connection does before others get their turn.
//!
//! A worker of the runtime that is busy with one connection serves no other, and while it is the one that waits for sockets,
//! nobody hears of any socket. So whatever a client can make long is one of two things:
//!
//! - many small things: each is counted as [`Effort`], and after a turn's worth of it the connection stops in the middle of what
//!   it has read, lets others go first, and goes on;
//! - one long thing: it is done [`aside`](super::aside::aside), while another thread takes over the worker's place.
//!
//! Effort is counted a batch at a time, not a message at a time, and not in time, so that the same bytes always do the same.

/// A connection that has done so much lets others go first: about a millisecond, at a quarter of a microsecond each.
pub(super) const TURN_EFFORT: usize = 4096;

/// What a method costs that is not a publish or a settlement: it is decoded, checked and answered on its own.
pub(super) const METHOD_EFFORT: usize = 32;

/// What it costs to find a route that is not remembered, beside what is found.
pub(super) const ROUTE_EFFORT: usize = 8;

/// So many bytes that are copied cost as much as one small thing.
const BYTES_PER_EFFORT: usize = 1024;

/// What was done in this turn.
#[derive(Debug, Default)]
pub(super) struct Effort {
    spent: usize,
}

impl Effort {
    /// Counts things that were done.
    pub(super) const fn spend(&mut self, things: usize) {
        self.spent = self.spent.saturating_add(things);
    }

    /// Counts things that were done, and the bytes that were copied for it.
    pub(super) const fn spend_bytes(&mut self, things: usize, bytes: usize) {
        self.spend(things + bytes / BYTES_PER_EFFORT);
    }

    /// Whether others are to go first.
    pub(super) const fn is_turn_over(&self) -> bool {
        self.spent >= TURN_EFFORT
    }

    /// Others went first.
    pub(super) const fn begin_turn(&mut self) {
        self.spent = 0;
    }
}
