//! The scenarios, in the order in which they run.

use super::pipe::Pipe;
use super::topology::Topology;
use super::{Kind, Scenario};
use crate::amqp::Durability;
use crate::consumer::Acks;

const SMALL: &[usize] = &[256];
const BOTH: &[usize] = &[16, 1024];
const ALL: &[usize] = &[16, 1024, 65_536];
const NONE: &[usize] = &[];

const ACK_EACH: Pipe = Pipe { acks: Acks::Each, ..Pipe::AUTOACK };

const DURABLE: Pipe =
    Pipe { acks: Acks::Every(100), confirm_window: Some(1000), durability: Durability::Durable, ..Pipe::AUTOACK };

const fn scenario(
    name: &'static str,
    about: &'static str,
    body_sizes: &'static [usize],
    messages: u64,
    kind: Kind,
) -> Scenario {
    Scenario { name, about, body_sizes, messages, kind }
}

const fn pipe(
    name: &'static str,
    about: &'static str,
    body_sizes: &'static [usize],
    messages: u64,
    pipe: Pipe,
) -> Scenario {
    scenario(name, about, body_sizes, messages, Kind::Pipe(pipe))
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    pipe("autoack", "1 publisher : 1 consumer, no_ack", ALL, 5_000_000, Pipe::AUTOACK),
    pipe("autoack-2-pairs", "the same twice, independently", SMALL, 5_000_000, Pipe { width: 2, ..Pipe::AUTOACK }),
    pipe(
        "ack-multiple",
        "prefetch 1,000, one multiple ack for 100 deliveries",
        SMALL,
        5_000_000,
        Pipe { acks: Acks::Every(100), ..Pipe::AUTOACK },
    ),
    pipe("ack-each-1000", "prefetch 1,000, an ack for each delivery", SMALL, 5_000_000, ACK_EACH),
    pipe("ack-each-100", "prefetch 100", SMALL, 5_000_000, Pipe { prefetch_count: 100, ..ACK_EACH }),
    pipe("ack-each-1", "prefetch 1", SMALL, 200_000, Pipe { prefetch_count: 1, ..ACK_EACH }),
    pipe(
        "confirms",
        "transient, confirms with window 1,000, no_ack",
        SMALL,
        5_000_000,
        Pipe { confirm_window: Some(1000), ..Pipe::AUTOACK },
    ),
    pipe(
        "mandatory",
        "autoack with the mandatory flag; all are routed",
        SMALL,
        5_000_000,
        Pipe { mandatory: true, ..Pipe::AUTOACK },
    ),
    scenario("mandatory-returned", "mandatory, no queue: all are returned", SMALL, 1_000_000, Kind::Returned),
    pipe(
        "fanout-1-10",
        "1 publisher, a fanout exchange, 10 queues and consumers, no_ack",
        SMALL,
        10_000_000,
        Pipe { topology: Topology::Fanout, width: 10, ..Pipe::AUTOACK },
    ),
    pipe(
        "fanout-1-100",
        "the same with 100",
        SMALL,
        20_000_000,
        Pipe { topology: Topology::Fanout, width: 100, ..Pipe::AUTOACK },
    ),
    pipe(
        "topic-10k",
        "a topic exchange with 10,000 bindings, 10,000 routing keys in turn",
        SMALL,
        2_000_000,
        Pipe { topology: Topology::Topic { keys: 10_000 }, width: 10_000, ..Pipe::AUTOACK },
    ),
    pipe(
        "topic-10k-hot",
        "the same with 100 routing keys in turn",
        SMALL,
        2_000_000,
        Pipe { topology: Topology::Topic { keys: 100 }, width: 10_000, ..Pipe::AUTOACK },
    ),
    pipe(
        "headers",
        "a headers exchange with 10 bindings of two headers each",
        SMALL,
        2_000_000,
        Pipe { topology: Topology::Headers, width: 10, ..Pipe::AUTOACK },
    ),
    pipe(
        "queues-10x10x10",
        "10 publishers, each to its own of 10 queues, 10 consumers, no_ack",
        SMALL,
        5_000_000,
        Pipe { width: 10, ..Pipe::AUTOACK },
    ),
    pipe(
        "queues-1000-slow",
        "1,000 queues at 1 message/s each, no_ack",
        SMALL,
        10_000,
        Pipe { topology: Topology::Spread, width: 1000, pace: Some(1000.0), ..Pipe::AUTOACK },
    ),
    pipe(
        "priority",
        "a queue with 10 priorities, all in turn, no_ack",
        SMALL,
        2_000_000,
        Pipe { topology: Topology::Priority, width: 10, ..Pipe::AUTOACK },
    ),
    pipe(
        "dead-letter",
        "5 queues with TTL 0, each the dead-letter target of the one before; counts hops",
        SMALL,
        1_000_000,
        Pipe { topology: Topology::DeadLetters, width: 5, ..Pipe::AUTOACK },
    ),
    scenario("ttl-expiry", "a million messages expire in a queue", SMALL, 1_000_000, Kind::Expiry),
    scenario("latency", "one message in flight, no_ack", SMALL, 50_000, Kind::Latency),
    scenario("rpc", "request and reply by direct reply-to, one in flight", SMALL, 30_000, Kind::Rpc),
    scenario(
        "backlog",
        "fills a transient queue, then drains it",
        &[16, 256],
        2_000_000,
        Kind::Backlog { durability: Durability::Transient, queues: 1 },
    ),
    pipe(
        "durable-1",
        "durable, persistent, confirms with window 1, an ack for 100",
        BOTH,
        100_000,
        Pipe { confirm_window: Some(1), ..DURABLE },
    ),
    pipe(
        "durable-1x10",
        "the same with 10 publishers",
        BOTH,
        200_000,
        Pipe { topology: Topology::Funnel, width: 10, confirm_window: Some(1), ..DURABLE },
    ),
    pipe("durable-100", "window 100", BOTH, 1_000_000, Pipe { confirm_window: Some(100), ..DURABLE }),
    pipe("durable-1000", "window 1,000", BOTH, 5_000_000, DURABLE),
    scenario(
        "confirm-latency",
        "one durable message in flight, beside the disk's own fdatasync",
        SMALL,
        5_000,
        Kind::Confirm,
    ),
    scenario(
        "durable-backlog",
        "fills a durable queue to --backlog messages, rests, drains it",
        &[1024],
        0,
        Kind::Backlog { durability: Durability::Durable, queues: 1 },
    ),
    scenario(
        "durable-backlog-1000",
        "the same, spread over 1,000 queues",
        &[1024],
        0,
        Kind::Backlog { durability: Durability::Durable, queues: 1000 },
    ),
    scenario("connections-idle", "connections with one channel each (--connections)", NONE, 0, Kind::Idle),
    scenario("churn-connections", "connect, open a channel, close both", NONE, 5_000, Kind::ChurnConnections),
    scenario("churn-queues", "declare queues, delete them", NONE, 10_000, Kind::ChurnQueues(Durability::Transient)),
    scenario("churn-bindings", "bind a queue, unbind it", NONE, 20_000, Kind::ChurnBindings(Durability::Transient)),
    scenario("churn-queues-durable", "the same, durable", NONE, 2_000, Kind::ChurnQueues(Durability::Durable)),
    scenario("churn-bindings-durable", "the same, durable", NONE, 2_000, Kind::ChurnBindings(Durability::Durable)),
    scenario("start", "start to listening, with nothing to recover; memory and size", NONE, 20, Kind::Start),
    scenario("start-10k-queues", "start to listening with 10,000 durable queues", NONE, 10_000, Kind::StartWithQueues),
    scenario("restart-backlog", "start after kill -9 with --backlog messages", &[1024], 0, Kind::RestartAfterKill),
];
