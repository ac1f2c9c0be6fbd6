//! A client with transactions.

use std::collections::BTreeMap;

use amq_protocol::protocol::{AMQPClass, basic, tx};

use super::{Countdown, get_all};
use crate::client::delivery::Event;
use crate::client::properties::properties;
use crate::client::{Channel, Connect, publish, queue};

/// A client that moves messages from one queue to two others in transactions, each whole or not at all.
#[derive(Default)]
pub(super) struct Mover {
    /// What is known of each number; they go on through all kills.
    known: BTreeMap<u64, Moving>,
    next: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moving {
    /// Published, and not confirmed.
    Published,
    /// Confirmed.
    There,
    /// Whether its transaction was committed was not said.
    Committing,
    /// It was.
    Moved,
}

const FROM: &str = "tx.from";
const TO: [&str; 2] = ["tx.to.1", "tx.to.2"];

impl Mover {
    /// Everything is in the first queue or in both others.
    pub(super) async fn check(&mut self, ch: &Channel, is_first: bool) -> u64 {
        if is_first {
            for name in [FROM, TO[0], TO[1]] {
                ch.declare(queue(name).durable()).await;
            }
        }
        let mut places = Vec::new();
        for name in [FROM, TO[0], TO[1]] {
            let numbers: Vec<u64> = get_all(ch, name).await.iter().map(|got| got.text().parse().unwrap()).collect();
            assert!(numbers.is_sorted_by(|one, next| one < next), "{name}: {numbers:?}");
            places.push(numbers);
        }
        let is_in = |place: usize, number: &u64| places[place].binary_search(number).is_ok();
        for (number, moving) in &self.known {
            let found = (is_in(0, number), is_in(1, number), is_in(2, number));
            let is_fine = match found {
                (true, false, false) => *moving != Moving::Moved,
                (false, true, true) => matches!(moving, Moving::Committing | Moving::Moved),
                (false, false, false) => *moving == Moving::Published,
                _ => false,
            };
            assert!(is_fine, "{number} was {moving:?}, and is in the three queues: {found:?}");
        }
        for number in places.iter().flatten() {
            assert!(self.known.contains_key(number), "{number} is back");
        }
        let known = |place: usize, moving| places[place].iter().map(move |number| (*number, moving));
        self.known = known(0, Moving::There).chain(known(1, Moving::Moved)).collect();
        places.iter().map(Vec::len).sum::<usize>() as u64
    }

    pub(super) async fn begin(&self, connect: &Connect) -> (Channel, Channel) {
        let connection = connect.open().await;
        let (feed, tx) = (connection.channel(1).await, connection.channel(2).await);
        feed.confirm_select().await;
        tx.tx_select().await;
        (feed, tx)
    }

    /// One by one, until the broker is gone.
    pub(super) async fn work(&mut self, (feed, tx): &(Channel, Channel), countdown: &Countdown) {
        loop {
            let number = self.next;
            self.next += 1;
            self.known.insert(number, Moving::Published);
            feed.publish(publish("", FROM, number.to_string()).with(properties().delivery_mode(2))).await;
            match feed.next().await {
                Event::Confirm(confirm) => assert!(confirm.ack, "{confirm:?}"),
                Event::Closed => return,
                other => panic!("{other:?}"),
            }
            self.known.insert(number, Moving::There);
            countdown.confirmed(1);
            // Every third one stays.
            if !number.is_multiple_of(3) && self.transact(tx, countdown).await.is_none() {
                return;
            }
        }
    }

    /// `None` when the broker is gone.
    async fn transact(&mut self, ch: &Channel, countdown: &Countdown) -> Option<()> {
        ch.send(basic::Get { queue: FROM.into(), no_ack: false }).await;
        let delivery = match ch.next().await {
            Event::GetOk(delivery) => delivery,
            Event::Closed => return None,
            other => panic!("{other:?}"),
        };
        let number = delivery.text().parse().unwrap();
        assert_eq!(self.known.get(&number), Some(&Moving::There), "{number}");
        ch.ack(delivery.delivery_tag).await;
        for name in TO {
            ch.publish(publish("", name, &delivery.body).with(properties().delivery_mode(2))).await;
        }
        self.known.insert(number, Moving::Committing);
        ch.send(tx::Commit {}).await;
        match ch.next().await {
            Event::Method(AMQPClass::Tx(tx::AMQPMethod::CommitOk(_))) => {}
            Event::Closed => return None,
            other => panic!("{other:?}"),
        }
        self.known.insert(number, Moving::Moved);
        countdown.confirmed(1);
        Some(())
    }
}
