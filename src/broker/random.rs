//! The broker's one source of randomness, so that a seed makes a run repeatable.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Random numbers: a keyed hash of a counter. The key comes from the operating system, so names made of it cannot be guessed.
#[derive(Debug)]
pub struct Random {
    key: Key,
    counter: AtomicU64,
}

#[derive(Debug)]
enum Key {
    System(RandomState),
    Seed(u64),
}

impl Default for Random {
    fn default() -> Self {
        Self { key: Key::System(RandomState::new()), counter: AtomicU64::new(0) }
    }
}

impl Random {
    /// The same numbers every time.
    pub fn seeded(seed: u64) -> Self {
        Self { key: Key::Seed(seed), counter: AtomicU64::new(0) }
    }

    /// The next number.
    pub(crate) fn next(&self) -> u64 {
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        match &self.key {
            Key::System(state) => state.hash_one(count),
            Key::Seed(seed) => split_mix(seed.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15))),
        }
    }

    /// A name with 22 random characters of base64url, as RabbitMQ makes for queues and consumers.
    pub(crate) fn name(&self, prefix: &str) -> String {
        let bytes = u128::from(self.next()) << 64 | u128::from(self.next());
        format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes.to_be_bytes()))
    }
}

fn split_mix(mut state: u64) -> u64 {
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_22_characters_behind_their_prefix_and_differ() {
        let random = Random::default();
        let (a, b) = (random.name("amq.gen-"), random.name("amq.gen-"));
        assert_eq!(a.len(), "amq.gen-".len() + 22);
        assert_ne!(a, b);
    }

    #[test]
    fn a_seed_repeats_itself() {
        let (a, b) = (Random::seeded(7), Random::seeded(7));
        assert_eq!((a.next(), a.next()), (b.next(), b.next()));
    }
}
