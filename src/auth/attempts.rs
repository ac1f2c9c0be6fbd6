//! How often somebody logged in, or tried to, from where; and how long whoever fails is made to wait.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

/// Addresses that are remembered. Beyond, the one that was quiet for longest is forgotten.
const ADDRESSES_MAX: usize = 10_000;
/// The first failures of an address cost so long each; later ones twice as long as the one before.
const DELAY_MS: u64 = 100;
const CHEAP_FAILURES: u32 = 4;
const DELAY_MS_MAX: u64 = 3_000;
/// So many answers to one address are held back at a time. Until one of them is out, no more of its credentials are looked at: who does not
/// wait for an answer gains nothing.
const HELD_BACK_MAX: usize = 32;
/// After so long without a failure an address begins anew.
const FORGIVEN_MS: u64 = 60_000;

/// How often somebody logged in from one address, or in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AttemptCounts {
    /// Logins that were refused.
    pub(crate) failed: u64,
    /// Logins that were not.
    pub(crate) succeeded: u64,
}

#[derive(Clone, Debug, Default)]
struct OfAddress {
    counts: AttemptCounts,
    /// Until when the answers are held back that are not out.
    held_back_until_ms: VecDeque<u64>,
    /// Failures in a row, none of which is much later than the one before.
    in_a_row: u32,
    last_ms: u64,
}

/// Logins that were tried, in all and by the address that they came from.
#[derive(Debug, Default)]
pub(crate) struct LoginAttempts {
    all: AttemptCounts,
    addresses: HashMap<IpAddr, OfAddress>,
}

impl LoginAttempts {
    /// Whether credentials from this address are looked at.
    ///
    /// # Errors
    /// In how many milliseconds they are, if too many answers are held back.
    pub(crate) fn may_try(&mut self, from: IpAddr, now_ms: u64) -> Result<(), u64> {
        // Nothing of this address has failed lately.
        let Some(address) = self.addresses.get_mut(&from.to_canonical()) else { return Ok(()) };
        address.held_back_until_ms.retain(|until_ms| *until_ms > now_ms);
        let full = address.held_back_until_ms.len() >= HELD_BACK_MAX;
        match address.held_back_until_ms.iter().min() {
            Some(until_ms) if full => Err(until_ms - now_ms),
            Some(_) | None => Ok(()),
        }
    }

    /// Counts a login.
    pub(crate) fn succeeded(&mut self, from: IpAddr, now_ms: u64) {
        self.all.succeeded += 1;
        let address = self.address(from, now_ms);
        address.counts.succeeded += 1;
        address.last_ms = now_ms;
    }

    /// Counts a login that was refused: how long its answer is to be held back.
    pub(crate) fn failed(&mut self, from: IpAddr, now_ms: u64) -> u64 {
        self.all.failed += 1;
        let address = self.address(from, now_ms);
        if now_ms.saturating_sub(address.last_ms) > FORGIVEN_MS {
            address.in_a_row = 0;
        }
        address.counts.failed += 1;
        address.last_ms = now_ms;
        address.in_a_row = address.in_a_row.saturating_add(1);
        let doubled = address.in_a_row.saturating_sub(CHEAP_FAILURES).min(u64::BITS / 2);
        let delay_ms = (DELAY_MS << doubled).min(DELAY_MS_MAX);
        if address.held_back_until_ms.len() >= HELD_BACK_MAX {
            // Others were looked at in the same moment.
            address.held_back_until_ms.pop_front();
        }
        address.held_back_until_ms.push_back(now_ms + delay_ms);
        delay_ms
    }

    #[cfg(test)]
    pub(crate) fn all(&self) -> AttemptCounts {
        self.all
    }

    /// The attempts by address.
    #[cfg(test)]
    pub(crate) fn by_address(&self) -> impl Iterator<Item = (IpAddr, AttemptCounts)> + '_ {
        self.addresses.iter().map(|(from, address)| (*from, address.counts))
    }

    fn address(&mut self, from: IpAddr, now_ms: u64) -> &mut OfAddress {
        let from = from.to_canonical();
        if self.addresses.len() >= ADDRESSES_MAX && !self.addresses.contains_key(&from) {
            // Half of them at once, so that the search is seldom.
            let mut times: Vec<_> = self.addresses.values().map(|address| address.last_ms).collect();
            let (_, median, _) = times.select_nth_unstable(ADDRESSES_MAX / 2);
            let median = *median;
            self.addresses.retain(|_, address| address.last_ms > median);
        }
        self.addresses.entry(from).or_insert_with(|| OfAddress { last_ms: now_ms, ..OfAddress::default() })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(number).into()
    }

    #[test]
    fn who_goes_on_guessing_waits_longer_and_longer() {
        let mut attempts = LoginAttempts::default();
        let delays: Vec<_> = (0..11).map(|now_ms| attempts.failed(address(1), now_ms)).collect();
        assert_eq!(delays, [100, 100, 100, 100, 200, 400, 800, 1600, 3000, 3000, 3000]);
        assert_eq!(attempts.failed(address(2), 20), 100, "others are not meant");
        assert_eq!(attempts.failed(address(1), 60_020), 100, "a minute is over");
        attempts.succeeded(address(1), 60_030);
        assert_eq!(attempts.all(), AttemptCounts { failed: 13, succeeded: 1 });
        let mut by_address: Vec<_> = attempts.by_address().map(|(from, counts)| (from, counts.failed)).collect();
        by_address.sort_unstable();
        assert_eq!(by_address, [(address(1), 12), (address(2), 1)]);
    }

    #[test]
    fn who_does_not_wait_for_answers_is_not_looked_at() {
        let mut attempts = LoginAttempts::default();
        for _ in 0..HELD_BACK_MAX {
            assert_eq!(attempts.may_try(address(1), 1_000), Ok(()));
            attempts.failed(address(1), 1_000);
        }
        assert_eq!(attempts.may_try(address(1), 1_000), Err(100), "the first answers are out soon");
        assert_eq!(attempts.may_try(address(2), 1_000), Ok(()), "others are not meant");
        assert_eq!(attempts.may_try(address(1), 1_099), Err(1));
        assert_eq!(attempts.may_try(address(1), 1_100), Ok(()));
        for _ in 0..1_000 {
            attempts.failed(address(1), 1_100);
        }
        assert_eq!(attempts.addresses[&address(1)].held_back_until_ms.len(), HELD_BACK_MAX, "it is bounded");
        assert_eq!(attempts.may_try(address(1), 4_100), Ok(()), "all answers are out");
    }

    #[test]
    fn so_many_addresses_are_remembered_and_no_more() {
        let mut attempts = LoginAttempts::default();
        for number in 0..25_000 {
            attempts.failed(address(number), u64::from(number));
        }
        assert!(attempts.addresses.len() <= ADDRESSES_MAX);
        assert!(attempts.addresses.contains_key(&address(24_999)), "the latest are remembered");
        for number in 0..25_000 {
            attempts.failed(address(number), 30_000);
        }
        assert!(attempts.addresses.len() <= ADDRESSES_MAX, "also if all of them came in the same moment");
    }
}
