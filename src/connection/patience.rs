//! How long publishers wait for a client that takes nothing just now (`broker/queue/pace`).
//!
//! A client that takes all that it is given pauses nevertheless: its process waits for a processor, or it has taken what it may and
//! has not acknowledged it yet. If its publishers went on at each pause, the queue would grow by megabytes, which are fetched from
//! memory later, and a short pause would become the latency of all messages. So publishers wait for a client that pauses, up to a time
//! that is its patience: this grows by a millisecond with each [`BYTES_PER_MS`] that the client takes, up to [`PATIENCE_MS_MAX`], and
//! shrinks while it takes nothing. When none is left, the client counts as slow, and nobody waits for it.
//!
//! So a client that takes a tenth of [`BYTES_PER_MS`] in each millisecond costs its publishers a tenth of their time at most, and a client
//! that takes nothing costs them [`PATIENCE_MS_MAX`] once.

/// A client that takes so many bytes is waited for a millisecond longer.
const BYTES_PER_MS: u64 = 128 * 1024;

/// A delivery counts for so many bytes more than it has: where messages are small, their number is what a client has to do. So 16 small
/// ones are worth a millisecond.
const DELIVERY_BYTES: u64 = 8 * 1024;

/// The longest pause that is waited for: as long as a process waits for its turn on a busy machine.
const PATIENCE_MS_MAX: u64 = 10;

/// How long publishers still wait for one client, as bytes of which [`BYTES_PER_MS`] are a millisecond.
#[derive(Debug, Default)]
pub(super) struct Patience {
    left_bytes: u64,
    /// How many deliveries it was sent since the last call of [`Patience::note`].
    deliveries: u64,
    /// Since when it has had nothing to take, or has taken nothing.
    pausing_since_ms: Option<u64>,
}

impl Patience {
    /// Notes deliveries that the client is about to be sent.
    pub(super) const fn hand(&mut self, deliveries: usize) {
        self.deliveries += deliveries as u64;
    }

    /// Notes that the client took so many bytes since the last call, and whether it pauses now.
    pub(super) fn note(&mut self, taken_bytes: u64, is_pausing: bool, now_ms: u64) {
        if let Some(since_ms) = self.pausing_since_ms.take() {
            // The time since the last call, in which it took nothing.
            let used_bytes = now_ms.saturating_sub(since_ms).saturating_mul(BYTES_PER_MS);
            self.left_bytes = self.left_bytes.saturating_sub(used_bytes);
        }
        let left_bytes = self.left_bytes + taken_bytes + std::mem::take(&mut self.deliveries) * DELIVERY_BYTES;
        self.left_bytes = left_bytes.min(PATIENCE_MS_MAX * BYTES_PER_MS);
        self.pausing_since_ms = is_pausing.then_some(now_ms);
    }

    /// Whether publishers wait for the client if it pauses.
    pub(super) const fn is_left(&self) -> bool {
        self.left_bytes >= BYTES_PER_MS
    }

    /// When the patience with the pause that goes on is over.
    pub(super) fn until_ms(&self) -> Option<u64> {
        self.pausing_since_ms.filter(|_| self.is_left()).map(|since_ms| since_ms + self.left_bytes / BYTES_PER_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_earns_with_what_it_takes_and_spends_while_it_pauses() {
        let mut patience = Patience::default();
        assert!(!patience.is_left(), "nothing is given in advance");
        patience.note(3 * BYTES_PER_MS, true, 100);
        assert_eq!((patience.is_left(), patience.until_ms()), (true, Some(103)));
        patience.note(0, true, 102);
        assert_eq!(patience.until_ms(), Some(103));
        patience.note(0, true, 103);
        assert_eq!((patience.is_left(), patience.until_ms()), (false, None));
    }

    #[test]
    fn small_deliveries_count_by_their_number() {
        let mut patience = Patience::default();
        patience.hand(32);
        patience.note(0, true, 100);
        assert_eq!(patience.until_ms(), Some(102));
    }

    #[test]
    fn time_with_work_costs_nothing() {
        let mut patience = Patience::default();
        patience.note(2 * BYTES_PER_MS, false, 100);
        patience.note(0, false, 900);
        assert_eq!((patience.is_left(), patience.until_ms()), (true, None));
        patience.note(0, true, 1_000);
        assert_eq!(patience.until_ms(), Some(1_002));
    }

    #[test]
    fn no_pause_is_waited_for_longer_than_the_longest() {
        let mut patience = Patience::default();
        patience.note(1_000 * BYTES_PER_MS, true, 100);
        assert_eq!(patience.until_ms(), Some(100 + PATIENCE_MS_MAX));
    }

    #[test]
    fn a_slow_client_makes_publishers_wait_for_a_small_part_of_the_time() {
        let mut patience = Patience::default();
        let mut waited_ms = 0;
        for now_ms in 0..10_000 {
            // A tenth of what it would have to take.
            patience.note(BYTES_PER_MS / 10, true, now_ms);
            waited_ms += u64::from(patience.is_left());
        }
        assert!(waited_ms <= 1_000, "{waited_ms} of 10,000 ms");
    }
}
