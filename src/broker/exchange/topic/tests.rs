use proptest::prelude::*;

use super::super::testing::Exchange;
use super::*;
use crate::broker::profile::Compatibility;
use crate::broker::router::RoutingKeys;
use crate::properties::{Properties, PropertiesEditor};
use crate::table::Value;

/// Whether a topic exchange with the one binding key `pattern` routes a message with `key`.
fn matches(pattern: &str, key: &str) -> bool {
    let mut exchange = Exchange::new("topic");
    exchange.bind(1, pattern);
    exchange.route(key) == [1]
}

fn check(pattern: &str, matching: &[&str], others: &[&str]) {
    for key in matching {
        assert!(matches(pattern, key), "'{pattern}' should match '{key}'");
    }
    for key in others {
        assert!(!matches(pattern, key), "'{pattern}' should not match '{key}'");
    }
}

#[test]
fn a_key_without_wildcards_matches_itself() {
    check("a.b", &["a.b"], &["a", "a.b.c", "A.b", "", "a.b."]);
    check("", &[""], &["a", "."]);
}

#[test]
fn a_hash_matches_any_number_of_words() {
    check("#", &["", "a", "a.b.c", "."], &[]);
    check("a.#", &["a", "a.b", "a.b.c"], &["", "b", "b.a"]);
    check("a.#.b", &["a.b", "a..b", "a.x.y.b"], &["a", "b", "a.b.c"]);
}

#[test]
fn a_star_matches_one_word_which_may_be_empty() {
    check("*", &["a"], &["", "a.b"]);
    check("*.*", &["a.b", "a.", "."], &["a", "a.b.c"]);
    check("a.*.b", &["a..b", "a.x.b"], &["a.b", "a.x.y.b"]);
}

#[test]
fn a_hash_beside_a_star_wants_at_least_one_word() {
    check("#.*", &["a", "a.b.c"], &[""]);
    check("*.#", &["a", "a.b.c"], &[""]);
}

#[test]
fn two_hashes_may_both_match_nothing() {
    check("#.#", &["", "a", "a.b"], &[]);
    check("a.#.#", &["a", "a.b.c"], &["b"]);
    check("#.b.#", &["b", "a.b", "b.c", "a.b.c"], &["", "a"]);
    check("#.a.#.a", &["a.a", "a.b.a", "b.a.a"], &["a"]);
}

#[test]
fn dots_make_empty_words() {
    check(".", &["."], &["", ".."]);
    check("..", &[".."], &["."]);
    check("a.", &["a."], &["a"]);
    check("a..b", &["a..b"], &["a.b"]);
}

#[test]
fn wildcards_stand_for_whole_words_only() {
    check("a*", &["a*"], &["ab", "a"]);
    check("#b", &["#b"], &["ab", "b"]);
}

#[test]
fn wildcards_in_a_routing_key_are_ordinary_words() {
    check("a.*", &["a.#", "a.*"], &["#"]);
    check("a.b", &[], &["a.*", "#"]);
}

#[test]
fn three_hashes_are_refused() {
    let refused =
        |key| Exchange::new("topic").bind_with(1, key, Default::default()).map_err(|error| error.reply_text());
    assert_eq!(
        refused("#.#.#").unwrap_err(),
        "PRECONDITION_FAILED - Topic binding key '#.#.#' uses 3 '#' wildcards, at most 2 are allowed"
    );
    assert_eq!(refused("#.a.#.##"), Ok(()));
}

#[test]
fn older_profiles_take_any_number_of_hashes_at_a_bounded_cost() {
    // Read in every possible way, these keys would take longer than the universe lasts.
    let hashes = vec!["#.a"; 60].join(".");
    let keys = [hashes.clone(), format!("{hashes}.b"), vec!["#"; 100].join(".")];
    for version in [Compatibility::V3_13, Compatibility::V4_2] {
        let exchange_with = |keys: &[String]| {
            let mut exchange = Exchange::new("topic");
            exchange.profile = version.profile();
            (0..).zip(keys).for_each(|(queue, key)| exchange.bind(queue, key));
            exchange
        };
        let mut exchange = exchange_with(&keys);
        assert_eq!(exchange.route(&vec!["a"; 127].join(".")), [0, 2], "{version:?}");
        let alone = keys.each_ref().map(|key| routed(&exchange_with(std::slice::from_ref(key))));
        assert_eq!(alone, [Some(1), Some(0), Some(1)], "{version:?}: the message is refused");
        assert_eq!(routed(&exchange), None, "{version:?}: it is too much for one message");
    }
}

#[test]
fn the_longest_keys_match() {
    let words = vec!["a"; 128].join(".");
    assert_eq!(words.len(), 255);
    check(&words, &[&words], &["a.a"]);
    check("#.a.#.a", &[&words], &[]);
    let dots = ".".repeat(255);
    check(&dots, &[&dots], &["."]);
    check(&vec!["*"; 128].join("."), &[&words], &["a.a"]);
}

/// Every way of writing `*` or `a` so many times, behind a `#`.
fn bind_wildcards(exchange: &mut Exchange, words: u32, last: &str) {
    for number in 0..1_u64 << words {
        let pattern = (0..words).map(|bit| if number >> bit & 1 == 0 { "a" } else { "*" });
        let key = std::iter::once("#").chain(pattern).collect::<Vec<_>>().join(".") + last;
        exchange.bind(number, &key);
    }
}

/// The destinations for the longest key of one-letter words, unless too much had to be looked at.
fn routed(exchange: &Exchange) -> Option<usize> {
    let key = vec!["a"; 127].join(".");
    let keys = RoutingKeys::single(key.as_bytes());
    let mut matches = Matches::default();
    exchange.routing.route(&RoutedMessage::new(&keys, Properties::NONE, 0), &mut matches);
    (!matches.is_exhausted()).then_some(matches.destinations.len())
}

#[test]
fn a_hash_passes_over_words_that_cannot_be_the_last_ones() {
    let mut exchange = Exchange::new("topic");
    bind_wildcards(&mut exchange, 13, "");
    assert_eq!(routed(&exchange), Some(1 << 13));
}

#[test]
fn patterns_that_may_begin_at_every_word_are_given_up() {
    let mut exchange = Exchange::new("topic");
    bind_wildcards(&mut exchange, 4, ".b.#");
    assert_eq!(routed(&exchange), Some(0));
    bind_wildcards(&mut exchange, 12, ".b.#");
    assert_eq!(routed(&exchange), None);
}

#[test]
fn a_binding_that_several_keys_match_is_found_once() {
    let mut exchange = Exchange::new("topic");
    exchange.bind(1, "#");
    exchange.bind(2, "a.*");
    let copies = (0..100).map(|number| Value::from(format!("a.{number}"))).collect();
    let headers = [("CC", Value::Array(copies))].into_iter().collect();
    let properties = PropertiesEditor::new().set_headers(&headers).build();
    let keys = RoutingKeys::with_copies(b"b", Properties::new(&properties));
    let mut matches = Matches::default();
    exchange.routing.route(&RoutedMessage::new(&keys, Properties::new(&properties), 0), &mut matches);
    assert_eq!(matches.destinations.len(), 2);
}

#[test]
fn a_queue_bound_by_several_matching_keys_is_found() {
    let mut exchange = Exchange::new("topic");
    for pattern in ["a.b", "a.*", "#", "#.b"] {
        exchange.bind(1, pattern);
    }
    assert_eq!(exchange.route("a.b"), [1]);
    for pattern in ["#", "a.b", "#.b"] {
        exchange.unbind(1, pattern);
    }
    assert_eq!((exchange.route("a.b"), exchange.route("b")), (vec![1], vec![]));
}

#[test]
fn unbinding_leaves_nothing_behind() {
    let mut topic = Topic::default();
    let bindings: Vec<Binding> = (0..10_000)
        .map(|n| super::super::testing::binding(n, &format!("a.{}.*.{n}.#", n % 100), Default::default()))
        .collect();
    for binding in &bindings {
        topic.bind(&Arc::new(binding.clone()));
    }
    for binding in &bindings {
        topic.unbind(binding);
    }
    let (nodes, leaves) = (topic.nodes.places(), topic.leaves.places());
    assert!(topic.nodes.get(ROOT).unwrap().is_empty());
    assert_eq!((nodes.1, leaves.1), (nodes.0 - 1, leaves.0), "all but the root is free");
    for binding in &bindings {
        topic.bind(&Arc::new(binding.clone()));
    }
    let again = (topic.nodes.places().0, topic.leaves.places().0);
    assert_eq!(again, (nodes.0, leaves.0), "what was freed is used again");
}

#[test]
fn unbinding_what_is_not_bound_changes_nothing() {
    let mut exchange = Exchange::new("topic");
    exchange.bind(1, "a.b");
    exchange.unbind(1, "a.b.c");
    exchange.unbind(1, "a");
    exchange.unbind(2, "a.b");
    assert_eq!(exchange.route("a.b"), [1]);
}

/// The matcher that this one is compared with: the definition, by recursion on the words.
fn slow_matches(pattern: &[&[u8]], key: &[&[u8]]) -> bool {
    match (pattern, key) {
        ([], []) => true,
        ([b"#", rest @ ..], _) => slow_matches(rest, key) || (!key.is_empty() && slow_matches(pattern, &key[1..])),
        ([b"*", rest @ ..], [_, key @ ..]) => slow_matches(rest, key),
        ([word, rest @ ..], [first, key @ ..]) => word == first && slow_matches(rest, key),
        _ => false,
    }
}

fn any_key(word: &'static str, words_max: usize) -> impl Strategy<Value = String> {
    proptest::collection::vec(word, 0..words_max).prop_map(|words| words.join("."))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn the_trie_agrees_with_the_definition(
        changes in proptest::collection::vec((any::<bool>(), 0..4_u64, any_key("[ab]|\\*|#|", 6)), 1..30),
        keys in proptest::collection::vec(any_key("[abc]?", 7), 1..6),
    ) {
        let mut exchange = Exchange::new("topic");
        exchange.profile = Compatibility::V4_2.profile();
        let mut bound: Vec<(u64, String)> = Vec::new();
        for (bind, queue, pattern) in changes {
            let present = bound.iter().position(|present| *present == (queue, pattern.clone()));
            match (bind, present) {
                (true, None) => {
                    exchange.bind(queue, &pattern);
                    bound.push((queue, pattern));
                }
                (false, Some(at)) => {
                    exchange.unbind(queue, &pattern);
                    bound.swap_remove(at);
                }
                _ => {}
            }
        }
        for key in keys {
            let key_words: Vec<&[u8]> = words(key.as_bytes()).collect();
            let mut expected: Vec<u64> = bound
                .iter()
                .filter(|(_, pattern)| {
                    slow_matches(&words(pattern.as_bytes()).collect::<Vec<_>>(), &key_words)
                })
                .map(|(queue, _)| *queue)
                .collect();
            expected.sort_unstable();
            expected.dedup();
            prop_assert_eq!(exchange.route(&key), expected, "key '{}' bindings {:?}", key, bound);
        }
    }
}

/// Tens of thousands of bindings have one leaf each, and some nodes.
#[test]
fn a_node_is_small() {
    assert_eq!((size_of::<Node>(), size_of::<Leaf>()), (56, 32));
}
