//! What passes through a virtual host that is traced is copied to whatever is bound to its trace exchange. Who publishes or gets it
//! gives way to others for that.

use super::*;
use crate::broker::administration::VhostSettings;
use crate::broker::ids::ConnectionId;
use crate::broker::queue::QueueHandle;
use crate::broker::vhost::QueueDeclare;
use crate::table::Table;

const OWNER: ConnectionId = ConnectionId(1_000);
/// A copy to each of them is more than a turn.
const LISTENERS: usize = 2_500;

/// A broker whose messages are traced by very many queues, and the last one of them.
fn traced() -> (Arc<Hosting>, Arc<QueueHandle>) {
    let hosting = hosting();
    hosting.broker.put_vhost("/", VhostSettings { tracing: Some(true), ..VhostSettings::default() }, None).unwrap();
    let vhost = hosting.broker.vhost("/").unwrap();
    for number in 0..LISTENERS {
        let queue = format!("listener-{number}");
        let declare =
            QueueDeclare { queue, durable: false, exclusive: false, auto_delete: false, arguments: Table::new() };
        vhost.declare_queue(&declare, OWNER, 0).unwrap();
        vhost.bind_queue(&declare.queue, "amq.fanout", b"", Table::new(), OWNER, 0).unwrap();
    }
    vhost.bind_exchange("amq.fanout", "amq.rabbitmq.trace", b"#", Table::new(), 0).unwrap();
    let last = vhost.queue(&format!("listener-{}", LISTENERS - 1), OWNER).unwrap();
    (hosting, last)
}

#[test]
fn the_traces_of_a_publish_are_a_turn_and_those_of_a_batch_all_come() {
    let (hosting, last) = traced();
    let mut client = Client::open(&hosting);
    client.send(&declare(1, b"q"));
    client.unused = publish(1, b"q", b"hello");
    assert!(client.send_a_turn());
    assert_eq!(last.counts().ready, 1);
    client.send(&publish(1, b"q", b"hello").repeat(3));
    assert_eq!(last.counts().ready, 4);
}

#[test]
fn the_traces_of_a_message_that_is_got_are_a_turn() {
    let (hosting, last) = traced();
    let mut client = Client::open(&hosting);
    client.send(&[declare(1, b"q"), publish(1, b"q", b"hello")].concat());
    client.unused = get(1, b"q");
    assert!(client.send_a_turn());
    assert_eq!(last.counts().ready, 2);
}

#[test]
fn the_traces_of_a_delivery_are_a_turn() {
    let (hosting, last) = traced();
    let (mut consumer, mut publisher) = (Client::open(&hosting), Client::open(&hosting));
    consumer.send(&[declare(1, b"q"), consume(1, b"q", NO_ACK)].concat());
    consumer.read();
    publisher.send(&publish(1, b"q", b"hello"));
    consumer.session.deliver(0);
    assert!(consumer.session.is_turn_over());
    assert_eq!(last.counts().ready, 2);
}
