//! Patterns of scopes: `*` stands for anything, `%2F` for a slash.

use percent_encoding::percent_decode_str;

/// Whether a name fits a pattern. As in RabbitMQ, what stands between two `*` is looked for once: at its first place.
pub(super) fn matches(name: &str, pattern: &str) -> bool {
    let Some(parts) = pattern.split('*').map(decoded).collect::<Option<Vec<_>>>() else { return false };
    let Some((first, rest)) = parts.split_first() else { return false };
    let Some(mut left) = name.as_bytes().strip_prefix(first.as_slice()) else { return false };
    for (place, part) in rest.iter().enumerate() {
        let is_last = place + 1 == rest.len();
        if part.is_empty() {
            if is_last {
                return true;
            }
            continue;
        }
        let Some(at) = left.windows(part.len()).position(|window| window == part.as_slice()) else { return false };
        left = left.get(at + part.len()..).unwrap_or_default();
    }
    left.is_empty()
}

/// A part without its escapes; `None` when they are malformed.
fn decoded(part: &str) -> Option<Vec<u8>> {
    let bytes = part.as_bytes();
    let is_escape =
        |at: usize| bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    let is_whole = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%').all(|(at, _)| is_escape(at));
    is_whole.then(|| percent_decode_str(&part.replace('+', " ")).collect())
}

/// A text that stands for itself in a pattern.
pub(super) fn literal(text: &str) -> String {
    text.replace('%', "%25").replace('*', "%2A").replace('/', "%2F").replace('+', "%2B")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (name, pattern) in [
            ("orders", "orders"),
            ("orders", "*"),
            ("", "*"),
            ("orders", "ord*"),
            ("orders", "*ers"),
            ("orders", "o*d*s"),
            ("a/b", "a%2Fb"),
            ("a b", "a+b"),
            ("a*b", "a%2Ab"),
            ("", ""),
        ] {
            assert!(matches(name, pattern), "{name} {pattern}");
        }
        for (name, pattern) in [
            ("orders", "order"),
            ("orders", "rders"),
            ("orders", ""),
            ("", "a*"),
            ("orders", "*x*"),
            ("a%b", "a%b"),
            ("aba", "*a"),
        ] {
            assert!(!matches(name, pattern), "{name} {pattern}");
        }
    }

    proptest! {
        #[test]
        fn a_literal_fits_itself_alone(text in ".{0,12}", other in ".{0,12}") {
            prop_assert!(matches(&text, &literal(&text)));
            prop_assert_eq!(matches(&other, &literal(&text)), other == text);
        }
    }
}
