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

/// What the consumers of a queue took in some time.
#[derive(Clone, Copy, Debug)]
pub(super) struct TakenMeanwhile {
    pub(super) bytes: u64,
    pub(super) within_ms: u64,
}

/// How far ahead publishers may be, and what was measured since that was decided. Every queue has one, so its numbers are short: they are
/// never near their ends, and stop there.
#[derive(Debug)]
pub(super) struct Lead {
    bytes: u32,
    taken_bytes: u32,
    measured_ms: u32,
}

impl Default for Lead {
    fn default() -> Self {
        Self { bytes: short(AHEAD_BYTES_FIRST), taken_bytes: 0, measured_ms: 0 }
    }
}

impl Lead {
    /// So long may the queue be, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.into()
    }

    /// Notes what was taken while somebody waited, so that the consumers were what is slow.
    pub(super) fn note(&mut self, taken: TakenMeanwhile) {
        self.taken_bytes = self.taken_bytes.saturating_add(short(taken.bytes));
        self.measured_ms = self.measured_ms.saturating_add(short(taken.within_ms));
        let measured_ms = u64::from(self.measured_ms);
        if measured_ms >= MEASURED_MS {
            let target = u64::from(self.taken_bytes) * AHEAD_MS / measured_ms;
            // Half of the way: a single pause of a client is no change of its pace.
            self.bytes = short(self.bytes().midpoint(target.clamp(AHEAD_BYTES_MIN, AHEAD_BYTES_MAX)));
            (self.taken_bytes, self.measured_ms) = (0, 0);
        }
    }
}

fn short(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What may be ahead of consumers that take so many bytes in each millisecond, for a second.
    fn after_a_second_of(bytes_per_ms: u64) -> u64 {
        let mut lead = Lead::default();
        (0..1_000).for_each(|_| lead.note(TakenMeanwhile { bytes: bytes_per_ms, within_ms: 1 }));
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
        assert!(after_a_second_of(u64::MAX) <= AHEAD_BYTES_MAX);
    }

    #[test]
    fn one_pause_takes_half_of_the_lead_at_most() {
        let mut lead = Lead::default();
        lead.note(TakenMeanwhile { bytes: 1, within_ms: 10_000 });
        assert!(lead.bytes() >= AHEAD_BYTES_FIRST / 2);
        lead.note(TakenMeanwhile { bytes: u64::MAX, within_ms: u64::MAX });
        assert!(lead.bytes() >= AHEAD_BYTES_FIRST / 4);
    }
}
