//! A hash that is the same on every machine and in every release: exchanges that hash keep their assignment over a restart.

/// FNV-1a over the bytes, then a finalizer that spreads every bit over all 64 (splitmix64).
///
/// Not keyed: a client that chooses keys to overload one queue could as well publish to that queue.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let mut state: u64 = 0xCBF2_9CE4_8422_2325;
    for byte in bytes {
        state = (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
    }
    mix(state)
}

/// Two numbers into one, order mattering.
pub(super) fn combine(a: u64, b: u64) -> u64 {
    mix(a.rotate_left(32) ^ mix(b))
}

/// A number below `count`, each equally likely for a uniform `number`.
pub(super) fn below(number: u64, count: usize) -> usize {
    let product = u128::from(number) * u128::try_from(count).unwrap_or(0);
    usize::try_from(product >> 64).unwrap_or(0)
}

const fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_key_never_changes() {
        assert_eq!(hash(b""), 0xC381_7C01_6BA4_FF30);
        assert_eq!(hash(b"orders.eu"), 0xDF2F_E73A_54A8_5091);
    }
}
