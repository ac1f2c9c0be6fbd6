//! direct, fanout and topic exchanges (reference: 7.3).

use crate::broker::TestBroker;
use crate::client::method::bind;
use crate::client::{Channel, Table, exchange, publish, queue};

async fn stage(broker: &TestBroker, kind: &str) -> (Channel, String) {
    let ch = broker.connect().await.channel(1).await;
    let x = broker.name(kind);
    ch.declare_exchange(exchange(&x, kind)).await;
    (ch, x)
}

/// Binds a queue by each pattern and returns the patterns that a key reaches.
struct Router {
    ch: Channel,
    x: String,
    queues: Vec<(String, String)>,
}

impl Router {
    async fn new(broker: &TestBroker, kind: &str, patterns: &[&str]) -> Self {
        let (ch, x) = stage(broker, kind).await;
        let mut queues = Vec::new();
        for pattern in patterns {
            let name = broker.name("q");
            ch.declare(queue(&name).exclusive()).await;
            ch.bind(&name, &x, pattern).await;
            queues.push(((*pattern).to_owned(), name));
        }
        ch.confirm_select().await;
        Self { ch, x, queues }
    }

    async fn reached_by(&self, key: &str) -> Vec<&str> {
        self.ch.publish_confirmed(publish(&self.x, key, key)).await;
        let mut reached = Vec::new();
        for (pattern, name) in &self.queues {
            match self.ch.drain(name).await.len() {
                0 => {}
                1 => reached.push(pattern.as_str()),
                copies => panic!("{copies} copies of {key} by {pattern}"),
            }
        }
        reached
    }
}

/// reference: 7.3 direct: the whole key, byte by byte
#[tokio::test]
async fn a_direct_exchange_compares_the_whole_key() {
    let broker = TestBroker::start().await;
    let router = Router::new(&broker, "direct", &["", "a", "A", "a.b", "#", "*", "a "]).await;
    for key in ["", "a", "A", "a.b", "#", "*", "a "] {
        assert_eq!(router.reached_by(key).await, [key]);
    }
    assert_eq!(router.reached_by("b").await, [""; 0]);
    assert_eq!(router.reached_by("a.").await, [""; 0]);
}

/// reference: 7.3 direct: several queues by one key, several keys for one queue
#[tokio::test]
async fn a_direct_exchange_routes_to_every_queue_of_a_key() {
    let broker = TestBroker::start().await;
    let (ch, x) = stage(&broker, "direct").await;
    let (one, two) = (broker.name("one"), broker.name("two"));
    for name in [&one, &two] {
        ch.declare(queue(name).exclusive()).await;
        ch.bind(name, &x, "both").await;
    }
    ch.bind(&one, &x, "only one").await;
    ch.publish(publish(&x, "both", "b")).await;
    ch.publish(publish(&x, "only one", "o")).await;
    ch.expect_ready(&one, 2).await;
    assert_eq!(ch.drain(&one).await, ["b", "o"]);
    assert_eq!(ch.drain(&two).await, ["b"]);
}

/// reference: 7.3 fanout: the key does not matter
#[tokio::test]
async fn a_fanout_exchange_ignores_keys() {
    let broker = TestBroker::start().await;
    let router = Router::new(&broker, "fanout", &["", "a", "#"]).await;
    for key in ["", "a", "anything.at.all"] {
        assert_eq!(router.reached_by(key).await, ["", "a", "#"]);
    }
}

/// reference: 7.3 topic, every row of the table: which patterns each key reaches
#[tokio::test]
async fn a_topic_exchange_matches_word_by_word() {
    let broker = TestBroker::start().await;
    let cases: [(&str, &[&str], &[&str]); 21] = [
        ("a.#", &["a", "a.b.c", "a.", "a.b"], &["", "b", "ab", "b.a"]),
        ("#", &["", "a", "a.b", ".", "..."], &[]),
        ("*", &["a", "#", "*"], &["", "a.b", "."]),
        ("*.*", &["a.", ".", ".a", "a.b"], &["", "a", "a.b.c", ".."]),
        ("a.*.b", &["a..b", "a.x.b"], &["a.b", "a.x.y.b"]),
        ("a.#.b", &["a..b", "a.b", "a.x.y.b"], &["a", "b", "a.x"]),
        ("#.*", &["a", "a.b.c", "."], &[""]),
        ("*.#", &["a", "a.b.c", "."], &[""]),
        ("#.#", &["", "a", "a.b"], &[]),
        ("a.#.#", &["a", "a.b", "a.b.c"], &["", "b"]),
        ("#.b.#", &["b", "a.b.c", "b.b"], &["", "a", "a.c"]),
        ("#.a.#.a", &["a.a", "a.b.a", "x.a.a"], &["a", "", "a.b"]),
        ("", &[""], &["a", "."]),
        (".", &["."], &["", "a", ".."]),
        ("..", &[".."], &["", "."]),
        ("a.", &["a."], &["a", "a.."]),
        ("a..b", &["a..b"], &["a.b", "a.x.b"]),
        ("a.*", &["a.#", "a.b", "a."], &["a", "a.b.c", "A.b"]),
        ("a*", &["a*"], &["ab", "a", "a.b"]),
        ("#b", &["#b"], &["b", "ab", "a.b"]),
        ("A.b", &["A.b"], &["a.b", "A.B"]),
    ];
    let patterns: Vec<_> = cases.iter().map(|(pattern, ..)| *pattern).collect();
    let router = Router::new(&broker, "topic", &patterns).await;
    let mut keys: Vec<_> = cases.iter().flat_map(|(_, yes, no)| yes.iter().chain(*no)).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let reached = router.reached_by(key).await;
        for (pattern, yes, no) in cases {
            assert!(!yes.contains(key) || reached.contains(&pattern), "{pattern} should match {key}: {reached:?}");
            assert!(!no.contains(key) || !reached.contains(&pattern), "{pattern} should not match {key}");
        }
    }
}

/// reference: 7.3 topic, at most two `#`
#[tokio::test]
async fn a_topic_binding_with_three_hashes_is_refused() {
    let broker = TestBroker::to_the_letter().await;
    let (ch, x) = stage(&broker, "topic").await;
    let name = broker.name("q");
    ch.declare(queue(&name).exclusive()).await;
    for (key, count) in [("#.#.#", 3), ("#.a.#.b.#", 3), ("#.#.#.#", 4)] {
        let text = format!(
            "PRECONDITION_FAILED - Topic binding key '{key}' uses {count} '#' wildcards, at most 2 are allowed"
        );
        ch.refused(bind(&name, &x, key, &Table::default(), false), 406, &text).await;
    }
    // Only whole words are wildcards.
    ch.bind(&name, &x, "#a.#b.#c.##").await;
}

/// reference: 7.3 topic, long keys
#[tokio::test]
async fn topic_keys_of_128_words_match() {
    let broker = TestBroker::start().await;
    let words = vec!["a"; 128].join(".");
    let last = format!("#.{}", "z");
    let router = Router::new(&broker, "topic", &["#", &words, "a.#.a", &last]).await;
    assert_eq!(words.len(), 255);
    assert_eq!(router.reached_by(&words).await, ["#", &words, "a.#.a"]);
    let z = format!("{}.z", vec!["a"; 127].join("."));
    assert_eq!(router.reached_by(&z).await, ["#", &last]);
}

/// reference: 7.3 topic, unbinding one of several patterns
#[tokio::test]
async fn a_topic_binding_can_be_undone_alone() {
    let broker = TestBroker::start().await;
    let (ch, x) = stage(&broker, "topic").await;
    let name = broker.name("q");
    ch.declare(queue(&name).exclusive()).await;
    for key in ["a.*", "a.#", "a.b"] {
        ch.bind(&name, &x, key).await;
    }
    ch.unbind(&name, &x, "a.#").await;
    for (key, routed) in [("a.b", true), ("a.c", true), ("a", false), ("a.b.c", false)] {
        ch.publish(publish(&x, key, key).mandatory()).await;
        if routed {
            assert_eq!(ch.get_eventually(&name).await.text(), key);
        } else {
            ch.expect_return().await;
        }
    }
}
