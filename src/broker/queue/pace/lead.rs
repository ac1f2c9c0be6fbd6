//! How far publishers may be ahead of the consumers of a queue: by what these take in [`AHEAD_MS`].
//!
//! A long queue costs latency, and memory that is in no cache. A short one costs processor time: what is read, handed out and written
//! at a time is little, and the consumers run dry while a publisher is being woken. Consumers that take 400 KB in a millisecond
//! need a megabyte (a quarter more messages a second than with 256 KiB); for consumers that take 10 KB a megabyte is 100 ms of waiting.
//! So the length is measured as time.

/// What the consumers take in so many milliseconds may be in the queue.
const AHEAD_MS: u64 = 8;

/// However slow the consumers are: 300 messages of 100 bytes, so that no consumer runs dry between two of its reads.
pub(super) const AHEAD_BYTES_MIN: u64 = 64 * 1024;

/// However fast the consumers are: what a few cores have in their caches.
pub(super) const AHEAD_BYTES_MAX: u64 = 1024 * 1024;

/// Before anything was measured.
pub(super) const AHEAD_BYTES_FIRST: u64 = 256 * 1024;

/// Consumers are looked at for so many milliseconds: longer than a process waits for its turn on a busy machine.
const MEASURED_MS: u64 = 16;

/// How far ahead publishers may be, and what was measured since that was decided.
#[derive(Debug)]
pub(super) struct Lead {
    bytes: u64,
    taken_bytes: u64,
    measured_ms: u64,
    /// Up to when it was measured.
    noted_ms: u64,
}

impl Default for Lead {
    fn default() -> Self {
        Self { bytes: AHEAD_BYTES_FIRST, taken_bytes: 0, measured_ms: 0, noted_ms: 0 }
    }
}

impl Lead {
    /// So long may the queue be, in bytes.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Begins to measure: somebody waits, so the consumers are what is slow.
    pub(super) const fn begin(&mut self, now_ms: u64) {
        self.noted_ms = now_ms;
    }

    /// Notes what the consumers took since the last call, or since it was begun.
    pub(super) fn note(&mut self, taken_bytes: u64, now_ms: u64) {
        self.taken_bytes += taken_bytes;
        self.measured_ms += now_ms.saturating_sub(self.noted_ms);
        self.noted_ms = now_ms;
        if self.measured_ms >= MEASURED_MS {
            let taken_bytes = std::mem::take(&mut self.taken_bytes).saturating_mul(AHEAD_MS);
            let target = taken_bytes / std::mem::take(&mut self.measured_ms);
            // Half of the way: a single pause of a client is no change of its pace.
            self.bytes = u64::midpoint(self.bytes, target.clamp(AHEAD_BYTES_MIN, AHEAD_BYTES_MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What may be ahead of consumers that take so many bytes in each millisecond, for a second.
    fn after_a_second_of(bytes_per_ms: u64) -> u64 {
        let mut lead = Lead::default();
        lead.begin(5_000);
        (1..=1_000).for_each(|ms| lead.note(bytes_per_ms, 5_000 + ms));
        lead.bytes()
    }

    #[test]
    fn the_lead_is_eight_milliseconds_of_what_is_taken() {
        assert!(after_a_second_of(40_000).abs_diff(320_000) < 1_000);
        assert!(after_a_second_of(10_000).abs_diff(80_000) < 1_000);
    }

    #[test]
    fn the_lead_has_bounds() {
        assert!(after_a_second_of(0).abs_diff(AHEAD_BYTES_MIN) < 10);
        assert!(after_a_second_of(10 * AHEAD_BYTES_MAX).abs_diff(AHEAD_BYTES_MAX) < 10);
        assert!(after_a_second_of(u64::MAX / 2_000) <= AHEAD_BYTES_MAX);
    }

    #[test]
    fn one_pause_takes_half_of_the_lead_at_most() {
        let mut lead = Lead::default();
        lead.begin(0);
        lead.note(1, 10_000);
        assert!(lead.bytes() >= AHEAD_BYTES_FIRST / 2);
    }

    #[test]
    fn time_in_which_nobody_waits_is_not_measured() {
        let mut lead = Lead::default();
        for round in 0..100 {
            lead.begin(round * 1_000);
            lead.note(40_000, round * 1_000 + 1);
        }
        assert!(lead.bytes() > AHEAD_BYTES_FIRST);
    }
}
