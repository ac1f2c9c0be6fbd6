//! A client that does not read its deliveries keeps the broker from writing, but must not keep it from anything else.

use std::pin::pin;
use std::task::{Context, Waker};

use super::*;
use crate::error::AmqpError;
use crate::store::Wake;

/// Whether the connection's task would go on now.
fn is_woken(outbox: &Outbox) -> bool {
    pin!(outbox.filled()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// A client that has more deliveries to read than the output takes, and that handed over more since its task looked last.
fn full(hosting: &Arc<Hosting>) -> (Client, Client) {
    let (mut consumer, mut publisher) = (Client::open(hosting), Client::open(hosting));
    consumer.send(&[declare(1, b"q"), consume(1, b"q", NO_ACK)].concat());
    publisher.send(&publish(1, b"q", &[7; 7_000]).repeat(100));
    consumer.session.deliver(0);
    publisher.send(&publish(1, b"q", &[7; 7_000]));
    assert!(is_woken(consumer.session.outbox()));
    consumer.session.deliver(0);
    assert!(!is_woken(consumer.session.outbox()), "nothing can be done before the client reads");
    (consumer, publisher)
}

/// The log called, and nobody heard: the connection was not read any more, and a client that writes before it reads waited for ever.
#[test]
fn a_connection_hears_of_the_log_while_deliveries_wait_for_the_client() {
    let (consumer, _publisher) = full(&hosting());
    consumer.session.outbox().wake();
    assert!(is_woken(consumer.session.outbox()));
}

/// The same with the end of an alarm.
#[test]
fn a_connection_is_read_again_after_an_alarm_while_deliveries_wait_for_the_client() {
    let hosting = hosting();
    let (mut consumer, _publisher) = full(&hosting);
    let alarm = &hosting.broker.node().alarm;
    alarm.set_disk(true);
    consumer.send(&publish(2, b"nowhere", b"hello"));
    assert!(!consumer.session.wants_read());
    alarm.set_disk(false);
    assert!(is_woken(consumer.session.outbox()));
    consumer.session.deliver(0);
    assert!(consumer.session.wants_read());
}

/// Whoever closes connections, of a user or all of them, need not wait until the client reads.
#[test]
fn a_connection_can_be_closed_while_deliveries_wait_for_the_client() {
    let hosting = hosting();
    let (mut consumer, _publisher) = full(&hosting);
    let error = AmqpError::connection_forced("enough");
    hosting.broker.node().registry.close_where(|_| true, &error);
    assert!(is_woken(consumer.session.outbox()));
    consumer.session.deliver(0);
    assert!(!consumer.session.is_open());
}
