//! A channel: each call is one line of a test's story.

use std::collections::VecDeque;
use std::sync::Mutex;

use amq_protocol::protocol::{AMQPClass, basic, channel, confirm, exchange, queue, tx};

use super::connection::Connection;
use super::delivery::{Confirm, Delivery, Event, Returned, content_method};
use super::method::{self, Consume, ExchangeDeclare, Publish, QueueDeclare, Request, parse_method};
use super::socket::{BODY, HEADER, METHOD, frame, header};
use super::table::Table;

/// A channel of a connection.
#[derive(Debug)]
pub struct Channel {
    pub connection: Connection,
    pub id: u16,
    /// What came while a reply was awaited.
    early: Mutex<VecDeque<Event>>,
}

/// What `queue.declare-ok` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    pub name: String,
    pub messages: u32,
    pub consumers: u32,
}

impl Channel {
    pub fn new(connection: Connection, id: u16) -> Self {
        Self { connection, id, early: Mutex::default() }
    }

    /// `channel.open` and its answer.
    pub async fn open(&self) {
        self.call(channel::Open {}).await;
    }

    /// `channel.close` and its answer.
    pub async fn close(&self) {
        self.call(close()).await;
        self.early.lock().unwrap().clear();
    }

    /// Sends a method.
    pub async fn send(&self, request: impl Into<Request>) {
        self.connection.write(frame(METHOD, self.id, &request.into().0)).await;
    }

    /// Sends a method and returns its reply; what else comes before waits for [`Channel::next`].
    pub async fn call(&self, request: impl Into<Request>) -> AMQPClass {
        let request = request.into();
        self.send(request.clone()).await;
        self.reply_to(request.ids()).await
    }

    /// The reply to the method with these ids.
    pub async fn reply_to(&self, (class, id): (u16, u16)) -> AMQPClass {
        let reply = if (class, id) == (40, 40) { (40, 51) } else { (class, id + 1) };
        loop {
            match self.next_from_socket().await {
                Event::Method(method) => {
                    let ids = Request::from(method.clone()).ids();
                    assert_eq!(ids, reply, "the reply to {class}/{id} on channel {}: {method:?}", self.id);
                    return method;
                }
                Event::Closed => panic!("the socket was closed instead of a reply to {class}/{id}"),
                Event::GetOk(delivery) => panic!("a get-ok out of turn: {delivery:?}"),
                other => self.early.lock().unwrap().push_back(other),
            }
        }
    }

    /// The next thing from the broker on this channel.
    pub async fn next(&self) -> Event {
        let early = self.early.lock().unwrap().pop_front();
        match early {
            Some(event) => event,
            None => self.next_from_socket().await,
        }
    }

    async fn next_from_socket(&self) -> Event {
        let Some(first) = self.connection.socket.frame(self.id).await else { return Event::Closed };
        assert_eq!(first.kind, METHOD, "a method is due: {first:?}");
        let Some(event) = content_method(&first.payload) else {
            return match parse_method(&first.payload) {
                AMQPClass::Basic(basic::AMQPMethod::Ack(ack)) => Event::Confirm(Confirm {
                    ack: true,
                    delivery_tag: ack.delivery_tag,
                    multiple: ack.multiple,
                    requeue: false,
                }),
                AMQPClass::Basic(basic::AMQPMethod::Nack(nack)) => Event::Confirm(Confirm {
                    ack: false,
                    delivery_tag: nack.delivery_tag,
                    multiple: nack.multiple,
                    requeue: nack.requeue,
                }),
                AMQPClass::Basic(basic::AMQPMethod::Cancel(cancel)) => {
                    Event::Cancel(cancel.consumer_tag.to_string(), cancel.nowait)
                }
                method => Event::Method(method),
            };
        };
        // A broker that is killed may have said half of it.
        let Some(header) = self.connection.socket.frame(self.id).await else { return Event::Closed };
        assert_eq!(header.kind, HEADER, "a content header is due");
        assert_eq!(&header.payload[..4], [0, 60, 0, 0], "class basic and weight 0");
        let size = u64::from_be_bytes(header.payload[4..12].try_into().unwrap()) as usize;
        let mut body = Vec::with_capacity(size);
        while body.len() < size {
            let Some(piece) = self.connection.socket.frame(self.id).await else { return Event::Closed };
            assert_eq!(piece.kind, BODY, "a body is due");
            body.extend_from_slice(&piece.payload);
        }
        event.with_content(&header.payload[12..], body)
    }

    /// Expects `channel.close` with exactly this content and answers it; the channel may then be opened again.
    pub async fn expect_close(&self, code: u16, text: &str, ids: (u16, u16)) {
        self.expect_error(code, text, ids).await;
        self.send(channel::CloseOk {}).await;
    }

    /// Expects `channel.close` with exactly this content and does not answer it.
    pub async fn expect_error(&self, code: u16, text: &str, ids: (u16, u16)) {
        match self.next().await {
            Event::Method(AMQPClass::Channel(channel::AMQPMethod::Close(close))) => {
                let got = (close.reply_code, close.reply_text.to_string(), (close.class_id, close.method_id));
                assert_eq!(got, (code, text.to_owned(), ids));
            }
            other => panic!("expected channel.close {code} {text}, got {other:?}"),
        }
    }

    /// Sends a method, sees the channel closed with this code and text and the method's own ids, and opens it again.
    pub async fn refused(&self, request: impl Into<Request>, code: u16, text: &str) {
        let request = request.into();
        let ids = request.ids();
        self.send(request).await;
        self.expect_close(code, text, ids).await;
        self.open().await;
    }

    /// As [`Channel::refused`], for a publish.
    pub async fn publish_refused(&self, publish: Publish, code: u16, text: &str) {
        self.publish(publish).await;
        self.expect_close(code, text, (60, 40)).await;
        self.open().await;
    }

    /// `queue.declare` and its answer.
    pub async fn declare(&self, declare: QueueDeclare) -> Declared {
        match self.call(declare).await {
            AMQPClass::Queue(queue::AMQPMethod::DeclareOk(ok)) => {
                Declared { name: ok.queue.to_string(), messages: ok.message_count, consumers: ok.consumer_count }
            }
            other => panic!("not declare-ok: {other:?}"),
        }
    }

    /// `exchange.declare` and its answer.
    pub async fn declare_exchange(&self, declare: ExchangeDeclare) {
        self.call(declare).await;
    }

    /// `exchange.delete` and its answer.
    pub async fn delete_exchange(&self, name: &str) {
        self.call(delete_exchange(name)).await;
    }

    /// `queue.bind` and its answer.
    pub async fn bind(&self, queue: &str, exchange: &str, key: &str) {
        self.call(method::bind(queue, exchange, key, &Table::default(), false)).await;
    }

    /// `queue.bind` with arguments and its answer.
    pub async fn bind_with(&self, queue: &str, exchange: &str, key: &str, arguments: &Table) {
        self.call(method::bind(queue, exchange, key, arguments, false)).await;
    }

    /// `queue.unbind` and its answer.
    pub async fn unbind(&self, queue: &str, exchange: &str, key: &str) {
        self.call(method::unbind(queue, exchange, key, &Table::default())).await;
    }

    /// `exchange.bind` and its answer.
    pub async fn bind_exchange(&self, destination: &str, source: &str, key: &str) {
        self.call(method::exchange_bind(destination, source, key, &Table::default(), false)).await;
    }

    /// `exchange.unbind` and its answer.
    pub async fn unbind_exchange(&self, destination: &str, source: &str, key: &str) {
        self.call(method::exchange_unbind(destination, source, key, &Table::default(), false)).await;
    }

    /// `queue.purge` and the count of its answer.
    pub async fn purge(&self, queue: &str) -> u32 {
        match self.call(purge(queue)).await {
            AMQPClass::Queue(queue::AMQPMethod::PurgeOk(ok)) => ok.message_count,
            other => panic!("not purge-ok: {other:?}"),
        }
    }

    /// `queue.delete` and the count of its answer.
    pub async fn delete(&self, queue: &str) -> u32 {
        match self.call(delete(queue)).await {
            AMQPClass::Queue(queue::AMQPMethod::DeleteOk(ok)) => ok.message_count,
            other => panic!("not delete-ok: {other:?}"),
        }
    }

    /// `basic.publish` with its content, split by the negotiated frame-max.
    pub async fn publish(&self, publish: Publish) {
        self.connection.write(self.publish_bytes(&publish)).await;
    }

    /// A `basic.publish` on the wire.
    pub fn publish_bytes(&self, publish: &Publish) -> Vec<u8> {
        let mut bytes = frame(METHOD, self.id, &publish.method().0);
        bytes.extend(header(self.id, publish.body.len() as u64, &publish.properties.encode()));
        for piece in publish.body.chunks(self.connection.frame_max - 8) {
            bytes.extend(frame(BODY, self.id, piece));
        }
        bytes
    }

    /// Publishes a body and waits for its confirm, so that it has arrived; needs [`Channel::confirm_select`].
    pub async fn publish_confirmed(&self, publish: Publish) {
        self.publish(publish).await;
        let confirm = self.expect_confirm().await;
        assert!(confirm.ack, "expected an ack: {confirm:?}");
    }

    /// `confirm.select` and its answer.
    pub async fn confirm_select(&self) {
        self.call(confirm::Select { nowait: false }).await;
    }

    /// The next thing is a confirm.
    pub async fn expect_confirm(&self) -> Confirm {
        match self.next().await {
            Event::Confirm(confirm) => confirm,
            other => panic!("expected a confirm, got {other:?}"),
        }
    }

    /// Confirms until this number is settled; fails if one of them is a nack.
    pub async fn expect_acks_up_to(&self, last: u64) {
        let mut open: std::collections::BTreeSet<u64> = (1..=last).collect();
        while !open.is_empty() {
            let confirm = self.expect_confirm().await;
            assert!(confirm.ack, "expected acks only: {confirm:?}");
            open.retain(|&tag| if confirm.multiple { tag > confirm.delivery_tag } else { tag != confirm.delivery_tag });
        }
    }

    /// The next thing is `basic.return`.
    pub async fn expect_return(&self) -> Returned {
        match self.next().await {
            Event::Return(returned) => returned,
            other => panic!("expected a return, got {other:?}"),
        }
    }

    /// `basic.consume` and the tag of its answer.
    pub async fn consume(&self, consume: Consume) -> String {
        match self.call(consume).await {
            AMQPClass::Basic(basic::AMQPMethod::ConsumeOk(ok)) => ok.consumer_tag.to_string(),
            other => panic!("not consume-ok: {other:?}"),
        }
    }

    /// `basic.cancel` and its answer.
    pub async fn cancel(&self, tag: &str) {
        self.call(basic::Cancel { consumer_tag: tag.into(), nowait: false }).await;
    }

    /// `basic.qos` per consumer.
    pub async fn qos(&self, prefetch_count: u16) {
        self.call(basic::Qos { prefetch_count, global: false }).await;
    }

    /// The next thing is a delivery.
    pub async fn expect_deliver(&self) -> Delivery {
        match self.next().await {
            Event::Deliver(delivery) => delivery,
            other => panic!("expected a delivery, got {other:?}"),
        }
    }

    /// The next things are deliveries with these bodies, in this order.
    pub async fn expect_bodies(&self, bodies: &[&str]) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        for body in bodies {
            let delivery = self.expect_deliver().await;
            assert_eq!(delivery.text(), *body, "after {} deliveries", deliveries.len());
            deliveries.push(delivery);
        }
        deliveries
    }

    /// The next thing is `basic.cancel` for this tag.
    pub async fn expect_cancelled(&self, tag: &str) {
        assert_eq!(self.next().await, Event::Cancel(tag.to_owned(), true));
    }

    /// Proves by round trips that nothing came: what the broker sent before its last answer would have been seen.
    pub async fn expect_nothing(&self) {
        for _ in 0..2 {
            self.call(channel::Flow { active: true }).await;
        }
        let early = self.early.lock().unwrap().pop_front();
        assert_eq!(early, None, "nothing was expected on channel {}", self.id);
    }

    /// A round trip: the broker has handled everything that was sent on this connection before.
    pub async fn sync(&self) {
        self.call(channel::Flow { active: true }).await;
    }

    /// What came while a reply was awaited, if anything did.
    pub fn take_early(&self) -> Option<Event> {
        self.early.lock().unwrap().pop_front()
    }

    /// `basic.get`, to be acknowledged.
    pub async fn get(&self, queue: &str) -> Option<Delivery> {
        self.get_with(basic::Get { queue: queue.into(), no_ack: false }).await
    }

    /// `basic.get` without acknowledgement.
    pub async fn get_no_ack(&self, queue: &str) -> Option<Delivery> {
        self.get_with(basic::Get { queue: queue.into(), no_ack: true }).await
    }

    async fn get_with(&self, get: basic::Get) -> Option<Delivery> {
        self.send(get).await;
        loop {
            match self.next_from_socket().await {
                Event::GetOk(delivery) => return Some(delivery),
                Event::Method(AMQPClass::Basic(basic::AMQPMethod::GetEmpty(_))) => return None,
                event @ (Event::Method(_) | Event::Closed) => panic!("the reply to basic.get: {event:?}"),
                other => self.early.lock().unwrap().push_back(other),
            }
        }
    }

    /// Polls with `basic.get` until a message is there.
    pub async fn get_eventually(&self, queue: &str) -> Delivery {
        let deadline = tokio::time::sleep(super::socket::PATIENCE);
        tokio::pin!(deadline);
        loop {
            if let Some(delivery) = self.get_no_ack(queue).await {
                return delivery;
            }
            tokio::select! {
                () = &mut deadline => panic!("no message came to {queue}"),
                () = tokio::time::sleep(super::POLL) => {}
            }
        }
    }

    /// Everything in the queue, oldest first, as bodies; taken without acknowledgement.
    pub async fn drain(&self, queue: &str) -> Vec<String> {
        let mut bodies = Vec::new();
        while let Some(delivery) = self.get_no_ack(queue).await {
            bodies.push(delivery.text());
        }
        bodies
    }

    /// What a passive declare says.
    pub async fn counts(&self, queue: &str) -> (u32, u32) {
        let declared = self.declare(method::queue(queue).passive()).await;
        (declared.messages, declared.consumers)
    }

    /// Polls until the queue has so many ready messages (reference: 4.1, counts may lag behind publishes).
    pub async fn expect_ready(&self, queue: &str, ready: u32) {
        super::eventually(&format!("{ready} ready messages in {queue}"), async || {
            let (messages, _) = self.counts(queue).await;
            if messages == ready { Ok(()) } else { Err(messages) }
        })
        .await;
    }

    /// Polls until the queue is gone; the last look closes the channel, which is opened again.
    ///
    /// A look is a bind, which does not count as use (reference: 4.5). A passive declare does: with a manual clock that
    /// stands still, one that comes before the queue's timer would keep the queue for ever.
    pub async fn expect_queue_gone(&self, name: &str) {
        let look = || method::bind(name, "amq.direct", "is it there", &Table::default(), false);
        super::eventually(&format!("{name} is gone"), async || if self.finds(look()).await { Err(()) } else { Ok(()) })
            .await;
    }

    /// Whether a queue exists; the channel is opened again after a 404.
    pub async fn exists(&self, name: &str) -> bool {
        self.finds(method::queue(name).passive()).await
    }

    /// Whether an exchange exists; the channel is opened again after a 404.
    pub async fn exchange_exists(&self, name: &str) -> bool {
        self.finds(method::exchange(name, "direct").passive()).await
    }

    /// Whether what a request names exists; the channel is opened again after a 404.
    async fn finds(&self, request: impl Into<Request>) -> bool {
        self.send(request).await;
        match self.next_from_socket().await {
            Event::Method(AMQPClass::Channel(channel::AMQPMethod::Close(close))) => {
                assert_eq!(close.reply_code, 404, "{close:?}");
                self.send(channel::CloseOk {}).await;
                self.open().await;
                false
            }
            Event::Method(AMQPClass::Queue(_) | AMQPClass::Exchange(_)) => true,
            other => panic!("the reply to a look at what may be gone: {other:?}"),
        }
    }

    /// `basic.ack` of one message.
    pub async fn ack(&self, delivery_tag: u64) {
        self.send(basic::Ack { delivery_tag, multiple: false }).await;
    }

    /// `basic.ack` of everything up to a tag.
    pub async fn ack_multiple(&self, delivery_tag: u64) {
        self.send(basic::Ack { delivery_tag, multiple: true }).await;
    }

    /// `basic.nack` of one message.
    pub async fn nack(&self, delivery_tag: u64, requeue: bool) {
        self.send(basic::Nack { delivery_tag, multiple: false, requeue }).await;
    }

    /// `basic.nack` of everything up to a tag.
    pub async fn nack_multiple(&self, delivery_tag: u64, requeue: bool) {
        self.send(basic::Nack { delivery_tag, multiple: true, requeue }).await;
    }

    /// `basic.reject`.
    pub async fn reject(&self, delivery_tag: u64, requeue: bool) {
        self.send(basic::Reject { delivery_tag, requeue }).await;
    }

    /// `tx.select` and its answer.
    pub async fn tx_select(&self) {
        self.call(tx::Select {}).await;
    }

    /// `tx.commit` and its answer.
    pub async fn tx_commit(&self) {
        self.call(tx::Commit {}).await;
    }

    /// `tx.rollback` and its answer.
    pub async fn tx_rollback(&self) {
        self.call(tx::Rollback {}).await;
    }
}

/// `channel.close` with a friendly code.
pub fn close() -> channel::Close {
    channel::Close { reply_code: 200, reply_text: "bye".into(), class_id: 0, method_id: 0 }
}

/// `queue.purge`.
pub fn purge(queue: &str) -> queue::Purge {
    queue::Purge { queue: queue.into(), nowait: false }
}

/// `queue.delete` whatever its state.
pub fn delete(queue: &str) -> queue::Delete {
    queue::Delete { queue: queue.into(), if_unused: false, if_empty: false, nowait: false }
}

/// `exchange.delete` whatever its state.
pub fn delete_exchange(exchange: &str) -> exchange::Delete {
    exchange::Delete { exchange: exchange.into(), if_unused: false, nowait: false }
}
