//! Publishing as a protocol without frames, confirms and channels does it.

use super::published::Outcome;
use super::*;
use crate::broker::Broker;
use crate::broker::ids::{ChannelId, ConnectionId, ConsumerId};
use crate::broker::node::Node;
use crate::broker::queue::QueueHandle;
use crate::broker::queue::arguments::QueueKind;
use crate::broker::sink::{Delivery, Notice, Sink};
use crate::broker::vhost::{ExchangeDeclare, QueueDeclare};
use crate::message::address;
use crate::store::TransactionId;
use crate::table::{Table, Value};

#[derive(Debug)]
struct NoSink;

impl Sink for NoSink {
    fn room_bytes(&self) -> usize {
        0
    }
    fn starve(&self, _: ConsumerId) {}
    fn deliver(&self, _: &mut Vec<Delivery>) {}
    fn reply(&self, _: Delivery) {}
    fn notify(&self, _: Notice) {}
}

fn vhost() -> Arc<Vhost> {
    Broker::new(Arc::new(Node::default())).add_vhost("/", QueueKind::Classic)
}

fn declare(vhost: &Vhost, queue: &str, arguments: Table) -> Arc<QueueHandle> {
    let declare =
        QueueDeclare { queue: queue.to_owned(), durable: true, exclusive: false, auto_delete: false, arguments };
    vhost.declare_queue(&declare, ConnectionId(1), 0).unwrap().queue
}

const AUTHOR: Author<'_> = Author { user: "guest", may_impersonate: false };

/// Adds a message to the default exchange whose ticket is its body.
fn add(publisher: &mut Publisher<&'static str>, queue: &str, body: &'static str) {
    add_to(publisher, "", queue, body);
}

fn add_to(publisher: &mut Publisher<&'static str>, exchange: &str, key: &str, body: &'static str) {
    let address = address(exchange, key.as_bytes());
    let request = PublishRequest::new(&address, exchange, key.as_bytes(), &[0, 0]);
    let FoundRoute { route, .. } = publisher.route(&request, |_| Ok(()), &mut AtOnce).unwrap();
    let expiration_ms = request.check(AUTHOR).unwrap();
    let parts = RecordParts { address: &address, facts: request.facts(), properties: request.properties() };
    let pieces = body.as_bytes().chunks(3);
    let body_bytes = u32::try_from(body.len()).unwrap();
    publisher.add(Pending { ticket: body, expiration_ms, route }, &parts, PublishBody::Pieces(pieces, body_bytes));
}

fn publish(publisher: &mut Publisher<&'static str>) -> Vec<(&'static str, Outcome)> {
    let batch = publisher.take_batch();
    let published = publisher.publish(&batch, TransactionId::NONE, 0, &mut AtOnce);
    let mut outcomes = published.outcomes();
    let outcomes = batch.iter().enumerate().map(|(place, (pending, _))| (pending.ticket, outcomes.at(place))).collect();
    publisher.recycle(batch);
    outcomes
}

fn bodies(queue: &Arc<QueueHandle>) -> Vec<String> {
    let sink: Arc<dyn Sink> = Arc::new(NoSink);
    let next = || queue.get(ChannelId(1), &sink, true, 0).unwrap();
    std::iter::from_fn(next).map(|(got, _)| String::from_utf8(got.message.body().to_vec()).unwrap()).collect()
}

#[test]
fn each_message_is_routed_refused_or_unroutable() {
    let vhost = vhost();
    let open = declare(&vhost, "open", Table::default());
    let limits = [("x-max-length", Value::I32(1)), ("x-overflow", Value::LongString(b"reject-publish".to_vec()))];
    let full = declare(&vhost, "full", limits.into_iter().collect());
    let mut publisher = Publisher::new(vhost);
    for (queue, body) in [("open", "first"), ("full", "second"), ("full", "third"), ("none", "fourth"), ("open", "5")] {
        add(&mut publisher, queue, body);
    }
    let outcomes: Vec<_> =
        publish(&mut publisher).into_iter().map(|(body, o)| (body, o.refusals, o.is_unroutable)).collect();
    let expected =
        [("first", 0, false), ("second", 0, false), ("third", 1, false), ("fourth", 0, true), ("5", 0, false)];
    assert_eq!(outcomes, expected);
    assert_eq!((bodies(&open), bodies(&full)), (vec!["first".to_owned(), "5".to_owned()], vec!["second".to_owned()]));
    assert!(publisher.is_empty() && publish(&mut publisher).is_empty());
}

#[test]
fn who_may_publish_is_asked_until_the_route_is_remembered_and_again_when_the_topology_has_changed() {
    let vhost = vhost();
    declare(&vhost, "q", Table::default());
    let mut publisher = Publisher::<()>::new(Arc::clone(&vhost));
    let address = address("", b"q");
    let request = PublishRequest::new(&address, "", b"q", &[0, 0]);
    let refuse = |_: &RoutingKeys<'_>| Err(AmqpError::access_refused("no"));
    assert_eq!(publisher.route(&request, refuse, &mut AtOnce).unwrap_err(), AmqpError::access_refused("no"));
    assert!(publisher.route(&request, |_| Ok(()), &mut AtOnce).unwrap().steps.is_some());
    assert!(publisher.route(&request, refuse, &mut AtOnce).unwrap().steps.is_none(), "it is remembered");
    declare(&vhost, "another", Table::default());
    assert!(publisher.route(&request, refuse, &mut AtOnce).is_err());
}

#[test]
fn properties_of_other_users_and_bad_ones_are_refused() {
    let user_id = Properties::NONE.edit().set(crate::properties::Property::UserId, "somebody").build();
    let request = PublishRequest::new(&[0, 0], "", b"", &user_id);
    assert!(request.check(AUTHOR).is_err());
    assert_eq!(request.check(Author { may_impersonate: true, ..AUTHOR }), Ok(None));
    let expiration = Properties::NONE.edit().set(crate::properties::Property::Expiration, "70").build();
    assert_eq!(PublishRequest::new(&[0, 0], "", b"", &expiration).check(AUTHOR), Ok(Some(70)));
    let never = Properties::NONE.edit().set(crate::properties::Property::Expiration, "never").build();
    assert!(PublishRequest::new(&[0, 0], "", b"", &never).check(AUTHOR).is_err());
}

fn declare_exchange(vhost: &Vhost, exchange: &str, kind: &str) {
    let declare = ExchangeDeclare {
        exchange: exchange.to_owned(),
        kind: kind.to_owned(),
        durable: true,
        auto_delete: false,
        internal: false,
        arguments: Table::new(),
    };
    vhost.declare_exchange(&declare).unwrap();
}

/// Messages are routed one by one and published together, and somebody else may bind in between.
#[test]
fn who_is_bound_to_a_recent_history_while_a_message_is_on_its_way_has_it_once() {
    let vhost = vhost();
    declare_exchange(&vhost, "recent", "x-recent-history");
    declare_exchange(&vhost, "fanout", "fanout");
    let names = ["before", "between", "behind", "late", "after"];
    let queues = names.map(|name| declare(&vhost, name, Table::new()));
    let bind = |queue: &str, exchange: &str| {
        vhost.bind_queue(queue, exchange, b"", Table::new(), ConnectionId(1), 0).unwrap();
    };
    bind("before", "recent");
    bind("behind", "fanout");
    let mut publisher = Publisher::new(Arc::clone(&vhost));
    add_to(&mut publisher, "recent", "", "message");
    bind("between", "recent");
    vhost.bind_exchange("fanout", "recent", b"", Table::new(), 0).unwrap();
    // It was bound before already.
    vhost.bind_queue("before", "recent", b"again", Table::new(), ConnectionId(1), 0).unwrap();
    bind("late", "recent");
    vhost.unbind_queue("late", "recent", b"", Table::new(), ConnectionId(1)).unwrap();
    publish(&mut publisher);
    bind("after", "recent");
    let expected: [&[&str]; 5] = [&["message"], &["message"], &["message"], &[], &["message"]];
    assert_eq!(
        queues.map(|queue| bodies(&queue)),
        expected.map(|texts| texts.iter().map(|&it| it.to_owned()).collect::<Vec<_>>())
    );
}

/// Notes how many things are done on the worker, and how many elsewhere.
#[derive(Default)]
struct Counted {
    here: usize,
    elsewhere: usize,
    is_elsewhere: bool,
}

impl Turn for Counted {
    fn work<R>(&mut self, things: usize, work: impl FnOnce() -> R) -> R {
        *if self.is_elsewhere { &mut self.elsewhere } else { &mut self.here } += things;
        work()
    }

    fn long_work(&mut self, work: impl FnOnce(&mut Self)) {
        self.is_elsewhere = true;
        work(self);
    }
}

#[test]
fn a_batch_of_many_short_runs_is_long_work() {
    let vhost = vhost();
    for exchange in ["one", "other"] {
        declare_exchange(&vhost, exchange, "fanout");
        for queue in 0..100 {
            let queue = format!("{exchange}.{queue}");
            declare(&vhost, &queue, Table::default());
            vhost.bind_queue(&queue, exchange, b"", Table::new(), ConnectionId(1), 0).unwrap();
        }
    }
    let mut publisher = Publisher::new(vhost);
    let mut counted = Counted::default();
    let publish = |publisher: &mut Publisher<_>, counted: &mut Counted, count: usize| {
        for exchange in ["one", "other"].into_iter().cycle().take(count) {
            add_to(publisher, exchange, "", "x");
        }
        let batch = publisher.take_batch();
        let published = publisher.publish(&batch, TransactionId::NONE, 0, counted);
        assert!((0..count).all(|place| !published.outcomes().at(place).is_unroutable));
    };
    publish(&mut publisher, &mut counted, 40);
    assert_eq!((counted.here, counted.elsewhere), (40 * 101, 0), "so much is a turn");
    let mut counted = Counted::default();
    publish(&mut publisher, &mut counted, 1_000);
    assert_eq!((counted.here, counted.elsewhere), (41 * 101, 959 * 101));
}
