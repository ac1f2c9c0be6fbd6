//! The stories, told by amqprs. It has no recovery of its own, so `reconnect` connects again by hand.

mod harness;

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use amqprs::channel::{
    BasicAckArguments, BasicCancelArguments, BasicConsumeArguments, BasicGetArguments, BasicNackArguments,
    BasicPublishArguments, BasicQosArguments, BasicRejectArguments, Channel, ConsumerMessage, ExchangeBindArguments,
    ExchangeDeclareArguments, ExchangeDeleteArguments, ExchangeUnbindArguments, QueueBindArguments,
    QueueDeclareArguments, QueueDeleteArguments, QueuePurgeArguments, QueueUnbindArguments,
};
use amqprs::{BasicProperties, DecimalValue, Deliver, FieldTable, FieldValue};
use harness::{equal, next, proxy, table, tell, unique, until, Address, Context, Event, Listening, Outcome, Story};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

/// A delivery.
struct Message {
    deliver: Deliver,
    properties: BasicProperties,
    body: Vec<u8>,
}

impl Message {
    fn tag(&self) -> u64 {
        self.deliver.delivery_tag()
    }

    fn header(&self, name: &str) -> Option<&FieldValue> {
        self.properties.headers()?.get(&name.try_into().ok()?)
    }
}

struct Inbox {
    tag: String,
    messages: UnboundedReceiver<ConsumerMessage>,
}

impl Inbox {
    async fn next(&mut self) -> Outcome<Message> {
        let message = next("message", &mut self.messages).await?;
        Ok(Message {
            deliver: message.deliver.ok_or("no deliver")?,
            properties: message.basic_properties.ok_or("no properties")?,
            body: message.content.ok_or("no content")?,
        })
    }

    /// The next message, which must have this body.
    async fn receive(&mut self, body: &str) -> Outcome<Message> {
        let message = self.next().await?;
        equal("body", String::from_utf8_lossy(&message.body), body)?;
        Ok(message)
    }

    fn is_empty(&self) -> Outcome {
        harness::equal("messages too many", self.messages.len(), 0)
    }
}

async fn consume(channel: &Channel, queue: &str, auto_ack: bool) -> Outcome<Inbox> {
    let arguments = BasicConsumeArguments::new(queue, "").manual_ack(!auto_ack).finish();
    let (tag, messages) = channel.basic_consume_rx(arguments).await?;
    Ok(Inbox { tag, messages })
}

async fn ack(channel: &Channel, message: &Message) -> Outcome {
    Ok(channel.basic_ack(BasicAckArguments::new(message.tag(), false)).await?)
}

async fn nack(channel: &Channel, message: &Message, multiple: bool, requeue: bool) -> Outcome {
    Ok(channel.basic_nack(BasicNackArguments::new(message.tag(), multiple, requeue)).await?)
}

async fn reject(channel: &Channel, message: &Message, requeue: bool) -> Outcome {
    Ok(channel.basic_reject(BasicRejectArguments::new(message.tag(), requeue)).await?)
}

async fn publish(channel: &Listening, exchange: &str, key: &str, properties: BasicProperties, body: &[u8]) -> Outcome {
    channel.published.set(channel.published.get() + 1);
    Ok(channel.basic_publish(properties, body.to_vec(), BasicPublishArguments::new(exchange, key)).await?)
}

async fn mandatory(channel: &Listening, key: &str, properties: BasicProperties, body: &str) -> Outcome {
    channel.published.set(channel.published.get() + 1);
    let arguments = BasicPublishArguments::new("", key).mandatory(true).finish();
    Ok(channel.basic_publish(properties, body.into(), arguments).await?)
}

async fn send(channel: &Listening, queue: &str, body: &str) -> Outcome {
    publish(channel, "", queue, BasicProperties::default(), body.as_bytes()).await
}

/// Publishes on a confirm channel and waits for the ack.
async fn confirmed(channel: &Listening, queue: &str, properties: BasicProperties, body: &[u8]) -> Outcome {
    publish(channel, "", queue, properties, body).await?;
    equal("acked", channel.confirmed().await?, true)
}

/// Declares a queue passively.
async fn passive(channel: &Channel, queue: &str) -> Outcome<(String, u32, u32)> {
    Ok(channel.queue_declare(QueueDeclareArguments::new(queue).passive(true).finish()).await?.ok_or("no declare-ok")?)
}

async fn passive_exchange(channel: &Channel, exchange: &str) -> Outcome {
    let arguments = ExchangeDeclareArguments::new(exchange, "direct").passive(true).finish();
    Ok(channel.exchange_declare(arguments).await?)
}

async fn exclusive(channel: &Channel) -> Outcome<String> {
    Ok(channel.queue_declare(QueueDeclareArguments::exclusive_server_named()).await?.ok_or("no declare-ok")?.0)
}

async fn ready(channel: &Channel, queue: &str) -> Outcome<u32> {
    Ok(passive(channel, queue).await?.1)
}

async fn holds(channel: &Channel, queue: &str, n: u32) -> Outcome {
    until(&format!("{n} messages in {queue}"), async || Ok(ready(channel, queue).await? == n)).await
}

/// The operation must fail, and its channel be closed with this code and a text beginning with `text`.
async fn refused<V>(
    t: &Context,
    code: u16,
    text: &str,
    operation: impl AsyncFnOnce(&Listening) -> Outcome<V>,
) -> Outcome {
    let channel = t.channel().await?;
    check!(operation(&channel).await.is_err(), "succeeded, where this was due: {code} {text}");
    let event = channel.event("close").await?;
    let Event::Closed(got, reason) = &event else { return Err(format!("{event:?}").into()) };
    check!(*got == code && reason.starts_with(text), "want {code} {text}, got {got} {reason}");
    Ok(())
}

async fn missing<V>(t: &Context, operation: impl AsyncFnOnce(&Listening) -> Outcome<V>) -> Outcome {
    refused(t, 404, "NOT_FOUND - no ", operation).await
}

/// Waits until the operation gives 404.
async fn gone(t: &Context, what: &str, operation: impl AsyncFn(&Listening) -> Outcome) -> Outcome {
    until(&format!("{what} is gone"), async || {
        let channel = t.channel().await?;
        if operation(&channel).await.is_ok() {
            channel.close().await?;
            return Ok(false);
        }
        let event = channel.event("close").await?;
        check!(matches!(event, Event::Closed(404, _)), "{event:?}");
        Ok(true)
    })
    .await
}

async fn declare(t: &Context) -> Outcome {
    let channel = t.channel().await?;
    let mut exchanges = vec![];
    for kind in ["direct", "fanout", "topic", "headers"] {
        let exchange = t.exchange(&channel, kind).await?;
        channel.exchange_declare(ExchangeDeclareArguments::new(&exchange, kind).durable(true).finish()).await?;
        passive_exchange(&channel, &exchange).await?;
        exchanges.push(exchange);
    }
    let queue = t.queue_name();
    for _ in 0..2 {
        let declared = channel.queue_declare(QueueDeclareArguments::durable_client_named(&queue)).await?;
        equal("declare-ok", declared, Some((queue.clone(), 0, 0)))?;
    }
    equal("declare-ok", passive(&channel, &queue).await?, (queue.clone(), 0, 0))?;
    let named = exclusive(&channel).await?;
    check!(named.starts_with("amq.gen-"), "server-named: {named}");
    for _ in 0..3 {
        send(&channel, &queue, "x").await?;
    }
    holds(&channel, &queue, 3).await?;
    equal("purged", channel.queue_purge(QueuePurgeArguments::new(&queue)).await?, Some(3))?;
    holds(&channel, &queue, 0).await?;
    channel.queue_delete(QueueDeleteArguments::new(&queue)).await?;
    missing(t, async |ch| passive(ch, &queue).await).await?;
    for exchange in &exchanges {
        channel.exchange_delete(ExchangeDeleteArguments::new(exchange)).await?;
    }
    missing(t, async |ch| passive_exchange(ch, &exchanges[0]).await).await?;
    passive(&channel, &named).await?; // other channels go on
    Ok(())
}

async fn arrives(inbox: &mut Inbox, exchange: &str, key: &str) -> Outcome {
    let message = inbox.receive(key).await?;
    equal("exchange", message.deliver.exchange(), exchange)?;
    equal("routing key", message.deliver.routing_key(), key)
}

async fn bind(t: &Context) -> Outcome {
    let channel = &t.channel().await?;
    let queue = &t.queue(channel, []).await?;
    let mut inbox = consume(channel, queue, true).await?;
    let plain = BasicProperties::default;
    let topic = &t.exchange(channel, "topic").await?;
    channel.queue_bind(QueueBindArguments::new(queue, topic, "stock.*.nyse")).await?;
    channel.queue_bind(QueueBindArguments::new(queue, topic, "#.all")).await?;
    for key in ["stock.ibm.nyse", "stock.ibm.lse", "a.b.all"] {
        publish(channel, topic, key, plain(), key.as_bytes()).await?;
    }
    arrives(&mut inbox, topic, "stock.ibm.nyse").await?;
    arrives(&mut inbox, topic, "a.b.all").await?;
    channel.queue_unbind(QueueUnbindArguments::new(queue, topic, "#.all")).await?;
    for key in ["a.b.all", "stock.sun.nyse"] {
        publish(channel, topic, key, plain(), key.as_bytes()).await?;
    }
    arrives(&mut inbox, topic, "stock.sun.nyse").await?;

    let headers = &t.exchange(channel, "headers").await?;
    let criteria = table([("x-match", "all".into()), ("a", FieldValue::I(1)), ("b", "two".into())]);
    channel.queue_bind(QueueBindArguments::new(queue, headers, "").arguments(criteria).finish()).await?;
    let with = |headers| BasicProperties::default().with_headers(headers).finish();
    publish(channel, headers, "first", with(table([("a", FieldValue::I(1))])), b"first").await?;
    let all = table([("a", FieldValue::l(1)), ("b", "two".into()), ("c", true.into())]);
    publish(channel, headers, "second", with(all), b"second").await?;
    arrives(&mut inbox, headers, "second").await?;

    let fanout = &t.exchange(channel, "fanout").await?;
    let other = &t.queue(channel, []).await?;
    channel.queue_bind(QueueBindArguments::new(queue, fanout, "")).await?;
    channel.queue_bind(QueueBindArguments::new(other, fanout, "")).await?;
    for key in ["one", "two"] {
        publish(channel, fanout, key, plain(), key.as_bytes()).await?;
        arrives(&mut inbox, fanout, key).await?;
    }
    holds(channel, other, 2).await
}

async fn publish_consume(t: &Context) -> Outcome {
    let channel = &t.channel().await?;
    let queue = &t.queue(channel, []).await?;
    let mut inbox = consume(channel, queue, false).await?;
    let bodies: Vec<String> = (0..100).map(|i| format!("message {i}")).chain([String::new()]).collect();
    for body in &bodies {
        publish(channel, "", queue, BasicProperties::default().with_persistence(true).finish(), body.as_bytes())
            .await?;
    }
    for (i, body) in (1..).zip(&bodies) {
        let message = inbox.receive(body).await?;
        let deliver = &message.deliver;
        equal(
            "deliver",
            (
                deliver.exchange().as_str(),
                deliver.routing_key(),
                deliver.consumer_tag(),
                deliver.redelivered(),
                message.tag(),
            ),
            ("", queue, &inbox.tag, false, i),
        )?;
        ack(channel, &message).await?;
    }
    channel.basic_cancel(BasicCancelArguments::new(&inbox.tag)).await?;
    send(channel, queue, "one more").await?;
    holds(channel, queue, 1).await?;
    inbox.is_empty()
}

async fn confirms(t: &Context) -> Outcome {
    let channel = &t.confirming().await?;
    let queue = &t.queue(channel, []).await?;
    for i in 0..50 {
        let properties = BasicProperties::default().with_persistence(i % 2 == 0).finish();
        publish(channel, "", queue, properties, b"x").await?;
    }
    let mut open: Vec<u64> = (1..=50).collect();
    while !open.is_empty() {
        let event = channel.event("confirm").await?;
        let Event::Acked(tag, multiple) = event else { return Err(format!("{event:?}").into()) };
        open.retain(|each| if multiple { *each > tag } else { *each != tag });
    }
    holds(channel, queue, 50).await?;
    confirmed(channel, &unique("nowhere"), BasicProperties::default(), b"unroutable").await?;
    let limits = [("x-max-length", FieldValue::I(1)), ("x-overflow", "reject-publish".into())];
    let full = &t.queue(channel, limits).await?;
    confirmed(channel, full, BasicProperties::default(), b"fits").await?;
    send(channel, full, "too many").await?;
    equal("acked", channel.confirmed().await?, false)
}

async fn mandatory_return(t: &Context) -> Outcome {
    let channel = &t.confirming().await?;
    let key = unique("nowhere");
    let headers = table([("a", FieldValue::I(1))]);
    let properties = BasicProperties::default().with_message_id("m1").with_headers(headers.clone()).finish();
    mandatory(channel, &key, properties.clone(), "back").await?;
    let returned = Event::Returned {
        code: 312,
        text: "NO_ROUTE".into(),
        exchange: String::new(),
        key,
        message_id: Some("m1".into()),
        headers: Some(headers),
        body: "back".into(),
    };
    equal("first", channel.event("return").await?, returned)?;
    equal("then acked", channel.confirmed().await?, true)?;
    mandatory(channel, &t.queue(channel, []).await?, properties, "routed").await?;
    equal("acked", channel.confirmed().await?, true)
}

async fn prefetch(t: &Context) -> Outcome {
    let channel = &t.confirming().await?;
    let queue = &t.queue(channel, []).await?;
    for i in 1..=10 {
        confirmed(channel, queue, BasicProperties::default(), i.to_string().as_bytes()).await?;
    }
    channel.basic_qos(BasicQosArguments::new(0, 3, false)).await?;
    let mut inbox = consume(channel, queue, false).await?;
    let first = inbox.receive("1").await?;
    inbox.receive("2").await?;
    inbox.receive("3").await?;
    // Nothing more arrives: behind the round trip of `holds` it would be here.
    holds(channel, queue, 7).await?;
    inbox.is_empty()?;
    ack(channel, &first).await?;
    let fourth = inbox.receive("4").await?;
    holds(channel, queue, 6).await?;
    inbox.is_empty()?;
    channel.basic_ack(BasicAckArguments::new(fourth.tag(), true)).await?;
    let three = [inbox.receive("5").await?, inbox.receive("6").await?, inbox.receive("7").await?];
    holds(channel, queue, 3).await?;
    inbox.is_empty()?;
    for message in &three {
        ack(channel, message).await?;
    }
    for body in ["8", "9", "10"] {
        ack(channel, &inbox.receive(body).await?).await?;
    }
    holds(channel, queue, 0).await?;
    inbox.is_empty()
}

async fn nack_requeue(t: &Context) -> Outcome {
    let channel = &t.confirming().await?;
    let queue = &t.queue(channel, []).await?;
    for body in ["a", "b", "c"] {
        confirmed(channel, queue, BasicProperties::default(), body.as_bytes()).await?;
    }
    let mut inbox = consume(channel, queue, false).await?;
    let mut arrives = async |body: &str, redelivered: bool| {
        let message = inbox.receive(body).await?;
        equal("redelivered", message.deliver.redelivered(), redelivered)?;
        Outcome::Ok(message)
    };
    arrives("a", false).await?;
    let (b, c) = (arrives("b", false).await?, arrives("c", false).await?);
    nack(channel, &b, false, true).await?;
    arrives("b", true).await?;
    reject(channel, &c, true).await?;
    nack(channel, &arrives("c", true).await?, true, true).await?;
    for body in ["a", "b", "c"] {
        nack(channel, &arrives(body, true).await?, false, false).await?;
    }
    holds(channel, queue, 0).await?;
    inbox.is_empty()
}

type Death = (i64, String, String, String);

fn text_of(value: Option<&FieldValue>) -> Outcome<String> {
    match value {
        Some(FieldValue::S(text)) => Ok(text.to_string()),
        other => Err(format!("a string was due, {other:?} came").into()),
    }
}

fn field<'a>(table: &'a FieldTable, name: &str) -> Option<&'a FieldValue> {
    table.get(&name.try_into().ok()?)
}

fn tables(message: &Message) -> Outcome<Vec<FieldTable>> {
    let Some(FieldValue::A(entries)) = message.header("x-death") else { return Err("x-death is no array".into()) };
    let entries: Vec<FieldValue> = entries.clone().into();
    Ok(entries.into_iter().map(FieldTable::try_from).collect::<Result<_, _>>()?)
}

/// The x-death entries; their times must be recent.
fn deaths(message: &Message) -> Outcome<Vec<Death>> {
    let mut deaths = vec![];
    for death in tables(message)? {
        let Some(FieldValue::T(time)) = field(&death, "time") else { return Err("no time".into()) };
        let now = SystemTime::UNIX_EPOCH.elapsed()?.as_secs();
        check!(time.abs_diff(now) < 60, "time {time}");
        let Some(FieldValue::l(count)) = field(&death, "count") else { return Err("no count".into()) };
        let text = |name| text_of(field(&death, name));
        deaths.push((*count, text("reason")?, text("queue")?, text("exchange")?));
    }
    Ok(deaths)
}

fn death(count: i64, reason: &str, queue: &str) -> Death {
    (count, reason.into(), queue.into(), String::new())
}

fn death_headers(message: &Message, which: &str, reason: &str, queue: &str) -> Outcome {
    for (part, expected) in [("reason", reason), ("queue", queue), ("exchange", "")] {
        let name = format!("x-{which}-death-{part}");
        equal(&name, text_of(message.header(&name))?, expected)?;
    }
    Ok(())
}

fn letters_to(exchange: &str, key: &str) -> [(&'static str, FieldValue); 2] {
    [("x-dead-letter-exchange", exchange.into()), ("x-dead-letter-routing-key", key.into())]
}

async fn dead_letter(t: &Context) -> Outcome {
    let channel = &t.channel().await?;
    let dlx = &t.exchange(channel, "direct").await?;
    let dead = &t.queue(channel, []).await?;
    channel.queue_bind(QueueBindArguments::new(dead, dlx, "dead")).await?;
    let work = &t.queue(channel, letters_to(dlx, "dead")).await?;
    let mut buried = consume(channel, dead, true).await?;
    let own = BasicProperties::default().with_headers(table([("mine", "kept".into())])).finish();
    publish(channel, "", work, own, b"x").await?;
    reject(channel, &consume(channel, work, false).await?.receive("x").await?, false).await?;
    let message = buried.receive("x").await?;
    equal("exchange", message.deliver.exchange(), dlx)?;
    equal("routing key", message.deliver.routing_key(), "dead")?;
    equal("own header", text_of(message.header("mine"))?, "kept")?;
    equal("x-death", deaths(&message)?, [death(1, "rejected", work)])?;
    let keys = FieldValue::A(vec![work.as_str().into()].try_into()?);
    equal("routing keys", field(&tables(&message)?[0], "routing-keys"), Some(&keys))?;
    death_headers(&message, "first", "rejected", work)?;
    death_headers(&message, "last", "rejected", work)?;

    let wait = &t.queue_name();
    let work2 = &t.queue(channel, letters_to("", wait)).await?;
    let [exchange, key] = letters_to("", work2);
    let arguments = table([exchange, key, ("x-message-ttl", FieldValue::I(100))]);
    channel.queue_declare(QueueDeclareArguments::durable_client_named(wait).arguments(arguments).finish()).await?;
    let mut inbox = consume(channel, work2, false).await?;
    send(channel, work2, "retry").await?;
    let message = inbox.receive("retry").await?;
    equal("x-death", message.header("x-death"), None)?;
    reject(channel, &message, false).await?;
    reject(channel, &inbox.receive("retry").await?, false).await?;
    let message = inbox.receive("retry").await?;
    equal("x-death", deaths(&message)?, [death(2, "expired", wait), death(2, "rejected", work2)])?;
    death_headers(&message, "first", "rejected", work2)?;
    death_headers(&message, "last", "expired", wait)
}

async fn ttl(t: &Context) -> Outcome {
    let channel = &t.channel().await?;
    let dead = &t.queue(channel, []).await?;
    let mut inbox = consume(channel, dead, true).await?;
    let [exchange, key] = letters_to("", dead);
    let by_queue = &t.queue(channel, [exchange, key, ("x-message-ttl", FieldValue::I(200))]).await?;
    send(channel, by_queue, "queue").await?;
    equal("x-death", deaths(&inbox.receive("queue").await?)?, [death(1, "expired", by_queue)])?;

    let by_message = &t.queue(channel, letters_to("", dead)).await?;
    publish(channel, "", by_message, BasicProperties::default().with_expiration("200").finish(), b"message").await?;
    let message = inbox.receive("message").await?;
    equal("x-death", deaths(&message)?, [death(1, "expired", by_message)])?;
    equal("original expiration", text_of(field(&tables(&message)?[0], "original-expiration"))?, "200")?;
    equal("expiration", message.properties.expiration(), None)?;

    let expiring = &t.queue(channel, [("x-expires", FieldValue::I(300))]).await?;
    until("a return: the queue has expired", async || {
        mandatory(channel, expiring, BasicProperties::default(), "x").await?;
        Ok(matches!(channel.events.borrow_mut().try_recv(), Ok(Event::Returned { .. })))
    })
    .await?;
    gone(t, expiring, async |ch| passive(ch, expiring).await.map(drop)).await
}

async fn priorities(t: &Context) -> Outcome {
    let channel = &t.confirming().await?;
    let queue = &t.queue(channel, [("x-max-priority", FieldValue::I(10))]).await?;
    let priority = |body: &str| match body {
        "a" => Some(1),
        "b" | "f" => Some(5),
        "c" => Some(3),
        "e" => Some(10),
        _ => None,
    };
    for body in ["a", "b", "c", "d", "e", "f"] {
        let mut properties = BasicProperties::default();
        if let Some(priority) = priority(body) {
            properties.with_priority(priority);
        }
        confirmed(channel, queue, properties, body.as_bytes()).await?;
    }
    channel.basic_qos(BasicQosArguments::new(0, 1, false)).await?;
    let mut inbox = consume(channel, queue, false).await?;
    for body in ["e", "b", "f", "c", "a", "d"] {
        let message = inbox.receive(body).await?;
        equal("priority", message.properties.priority(), priority(body))?;
        ack(channel, &message).await?;
    }
    Ok(())
}

async fn rpc_direct_reply_to(t: &Context) -> Outcome {
    let server = &t.channel().await?;
    let requests = &t.queue(server, []).await?;
    let mut incoming = consume(server, requests, true).await?;
    let connection = t.connect().await?;
    let client = &Listening::open(&connection).await?;
    let mut replies = consume(client, "amq.rabbitmq.reply-to", true).await?;
    let ids = ["one", "two", "three"];
    for id in ids {
        let properties =
            BasicProperties::default().with_reply_to("amq.rabbitmq.reply-to").with_correlation_id(id).finish();
        publish(client, "", requests, properties, format!("hello {id}").as_bytes()).await?;
    }
    for id in ids {
        let request = incoming.receive(&format!("hello {id}")).await?;
        let reply_to = request.properties.reply_to().ok_or("no reply-to")?;
        check!(reply_to.starts_with("amq.rabbitmq.reply-to."), "reply-to {reply_to}");
        let id = request.properties.correlation_id().ok_or("no correlation id")?;
        let properties = BasicProperties::default().with_correlation_id(id).finish();
        publish(server, "", reply_to, properties, &request.body.to_ascii_uppercase()).await?;
    }
    for id in ids {
        let reply = replies.receive(&format!("HELLO {}", id.to_uppercase())).await?;
        equal("correlation id", reply.properties.correlation_id(), Some(&id.to_string()))?;
    }
    Ok(connection.close().await?)
}

async fn exclusive_auto_delete(t: &Context) -> Outcome {
    let channel = &t.channel().await?;
    let owner = t.connect().await?;
    let owned = &exclusive(&*Listening::open(&owner).await?).await?;
    // Its channel is closed by now; the queue belongs to the connection.
    refused(t, 405, "RESOURCE_LOCKED", async |ch| passive(ch, owned).await).await?;
    owner.close().await?;
    missing(t, async |ch| passive(ch, owned).await).await?;

    let fleeting = &t.queue_name();
    channel.queue_declare(QueueDeclareArguments::durable_client_named(fleeting).auto_delete(true).finish()).await?;
    let inbox = consume(channel, fleeting, true).await?;
    channel.basic_cancel(BasicCancelArguments::new(&inbox.tag)).await?;
    gone(t, fleeting, async |ch| passive(ch, fleeting).await.map(drop)).await?;

    let exchange = &t.exchange_name();
    let declaration = ExchangeDeclareArguments::new(exchange, "direct").durable(true).auto_delete(true).finish();
    channel.exchange_declare(declaration).await?;
    let queue = &t.queue(channel, []).await?;
    channel.queue_bind(QueueBindArguments::new(queue, exchange, "key")).await?;
    channel.queue_unbind(QueueUnbindArguments::new(queue, exchange, "key")).await?;
    gone(t, exchange, async |ch| passive_exchange(ch, exchange).await).await
}

async fn large_body(t: &Context) -> Outcome {
    let channel = &t.confirming().await?;
    let queue = &t.queue(channel, []).await?;
    let sizes = [0, 1, 131063, 131064, 131065, 131072, 10 << 20];
    let pattern = |size: u32| -> Vec<u8> { (0..size).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect() };
    for size in sizes {
        confirmed(channel, queue, BasicProperties::default(), &pattern(size)).await?;
    }
    let mut inbox = consume(channel, queue, true).await?;
    for size in sizes {
        let body = inbox.next().await?.body;
        check!(body == pattern(size), "a body of {size} bytes came back changed, with {} bytes", body.len());
    }
    Ok(())
}

async fn cancel_notification(t: &Context) -> Outcome {
    let channel = &t.channel().await?;
    let queue = &t.queue(channel, []).await?;
    let inbox = consume(channel, queue, false).await?;
    t.channel().await?.queue_delete(QueueDeleteArguments::new(queue)).await?;
    equal("event", channel.event("cancel").await?, Event::Cancelled(inbox.tag))?;
    exclusive(channel).await?;
    Ok(())
}

async fn errors(t: &Context) -> Outcome {
    let channel = &t.channel().await?;
    let address = Address::from_env("AMQP_URL")?;
    let at = format!("in vhost '{}'", address.vhost);
    let nowhere = &unique("missing");
    let text = format!("NOT_FOUND - no queue '{nowhere}' {at}");
    refused(t, 404, &text, async |ch| consume(ch, nowhere, true).await).await?;
    let queue = &t.queue(channel, []).await?;
    let text = format!(
        "PRECONDITION_FAILED - inequivalent arg 'durable' for queue '{queue}' {at}: received 'false' but current is 'true'"
    );
    refused(t, 406, &text, async |ch| Ok(ch.queue_declare(QueueDeclareArguments::new(queue)).await?)).await?;
    let text = format!("ACCESS_REFUSED - deletion of system exchange 'amq.direct' {at} not allowed");
    refused(t, 403, &text, async |ch| Ok(ch.exchange_delete(ExchangeDeleteArguments::new("amq.direct")).await?))
        .await?;
    let owner = t.connect().await?;
    let owned = &exclusive(&*Listening::open(&owner).await?).await?;
    let text = format!("RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{owned}' {at}.");
    refused(t, 405, &text, async |ch| passive(ch, owned).await).await?;
    owner.close().await?;

    let elsewhere = Address { vhost: nowhere.clone(), ..Address::from_env("AMQP_URL")? };
    let error = elsewhere.connect(60).await.err().ok_or("connected to a missing vhost")?.to_string();
    let text = format!("NOT_ALLOWED - vhost {nowhere} not found");
    check!(error.contains("530") && error.contains(&text), "{error}");
    // The client does not ask for a reason, and so the socket just closes.
    let stranger = Address { user: "conformance-nobody".into(), password: nowhere.clone(), ..address };
    let error = stranger.connect(60).await.err().ok_or("logged in with a wrong password")?.to_string();
    check!(error.contains("network error"), "{error}");

    exclusive(channel).await?;
    Ok(())
}

async fn heartbeat_loss(t: &Context) -> Outcome {
    let connection = Address::from_env("PROXY_URL")?.connect(1).await?;
    let channel = Listening::open(&connection).await?;
    let queue = t.queue(&channel, []).await?;
    let mut inbox = consume(&channel, &queue, true).await?;
    {
        let lost = connection.listen_network_io_failure();
        tokio::pin!(lost);
        let early = timeout(Duration::from_secs(3), &mut lost).await; // three heartbeats, idle
        check!(early.is_err(), "lost while nothing was wrong");
        proxy("freeze").await?;
        let noticed = timeout(Duration::from_secs(15), lost).await;
        proxy("thaw").await?;
        equal("network failure", noticed.map_err(|_| "the lost connection goes unnoticed")?, true)?;
    }
    check!(!connection.is_open(), "the connection is still open");
    let end = timeout(harness::WAIT, inbox.messages.recv()).await?;
    check!(end.is_none(), "a message came");
    Ok(())
}

async fn reconnect(t: &Context) -> Outcome {
    let address = Address::from_env("PROXY_URL")?;
    let queue = &t.queue_name();
    let setup = async || {
        let connection = address.connect(60).await?;
        let channel = Listening::open(&connection).await?;
        channel.queue_declare(QueueDeclareArguments::durable_client_named(queue)).await?;
        channel.basic_qos(BasicQosArguments::new(0, 10, false)).await?;
        let inbox = consume(&channel, queue, false).await?;
        Outcome::Ok((connection, channel, inbox))
    };
    let (connection, channel, mut inbox) = setup().await?;
    send(&channel, queue, "a").await?;
    send(&channel, queue, "b").await?;
    ack(&channel, &inbox.receive("a").await?).await?;
    inbox.receive("b").await?;
    ready(&channel, queue).await?; // behind the ack, so that has arrived
    let (lost, cut) = tokio::join!(timeout(harness::WAIT, connection.listen_network_io_failure()), proxy("cut"));
    cut?;
    equal("network failure", lost.map_err(|_| "the loss goes unnoticed")?, true)?;

    let (connection, channel, mut inbox) = setup().await?;
    let b = inbox.receive("b").await?;
    equal("redelivered", b.deliver.redelivered(), true)?;
    ack(&channel, &b).await?;
    send(&channel, queue, "c").await?;
    ack(&channel, &inbox.receive("c").await?).await?;
    holds(&channel, queue, 0).await?;
    inbox.is_empty()?;
    channel.close().await?;
    Ok(connection.close().await?)
}

async fn channels_1000(t: &Context) -> Outcome {
    let connection = t.connect().await?;
    let first = Listening::open(&connection).await?;
    let queue = &t.queue(&first, []).await?;
    let mut channels = vec![];
    for _ in 0..1000 {
        channels.push(Listening::open(&connection).await?);
    }
    for (i, channel) in channels.iter().enumerate() {
        ready(channel, queue).await?;
        send(channel, queue, &i.to_string()).await?;
    }
    let mut inbox = consume(&first, queue, true).await?;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..1000 {
        seen.insert(inbox.next().await?.body);
    }
    equal("different messages", seen.len(), 1000)?;
    for channel in channels {
        channel.close().await?;
    }
    first.close().await?;
    Ok(connection.close().await?)
}

async fn tx(t: &Context) -> Outcome {
    let watcher = &t.channel().await?;
    let channel = t.channel().await?;
    let queue = &t.queue(&channel, []).await?;
    let take_both = async |channel: &Listening| {
        let mut inbox = consume(channel, queue, false).await?;
        for body in ["1", "2"] {
            ack(channel, &inbox.receive(body).await?).await?;
        }
        Outcome::Ok(())
    };
    channel.tx_select().await?;
    send(&channel, queue, "1").await?;
    send(&channel, queue, "2").await?;
    equal("before the commit", ready(&channel, queue).await?, 0)?;
    equal("before the commit", ready(watcher, queue).await?, 0)?;
    channel.tx_commit().await?;
    holds(watcher, queue, 2).await?;
    send(&channel, queue, "3").await?;
    channel.tx_rollback().await?;
    holds(watcher, queue, 2).await?;
    take_both(&channel).await?;
    channel.tx_rollback().await?;
    channel.close().await?;
    holds(watcher, queue, 2).await?;

    let channel = t.channel().await?;
    channel.tx_select().await?;
    take_both(&channel).await?;
    channel.tx_commit().await?;
    channel.close().await?;
    holds(watcher, queue, 0).await
}

/// All properties but the headers.
fn listed(p: &BasicProperties) -> Vec<Option<String>> {
    let number = |n: Option<u8>| n.map(|n| n.to_string());
    vec![
        p.content_type().cloned(),
        p.content_encoding().cloned(),
        number(p.delivery_mode()),
        number(p.priority()),
        p.correlation_id().cloned(),
        p.reply_to().cloned(),
        p.expiration().cloned(),
        p.message_id().cloned(),
        p.timestamp().map(|t| t.to_string()),
        p.message_type().cloned(),
        p.user_id().cloned(),
        p.app_id().cloned(),
        p.cluster_id().cloned(),
    ]
}

async fn headers_and_properties(t: &Context) -> Outcome {
    let channel = &t.channel().await?;
    let queue = &t.queue(channel, []).await?;
    let mut inbox = consume(channel, queue, true).await?;
    let innermost = FieldValue::A(vec![FieldValue::I(1), "two".into()].try_into()?);
    let mixed = vec!["a".into(), FieldValue::I(2), FieldValue::V, table([("three", FieldValue::l(3))]).into()];
    let headers = table([
        ("string", "grüße".into()),
        ("empty", "".into()),
        ("yes", true.into()),
        ("no", false.into()),
        ("b", FieldValue::b(-5)),
        ("B", FieldValue::B(200)),
        ("s", FieldValue::s(-3000)),
        ("u", FieldValue::u(60000)),
        ("I", FieldValue::I(-2_000_000_000)),
        ("i", FieldValue::i(4_000_000_000)),
        ("l", FieldValue::l(9_000_000_000_000_000_000)),
        ("f", FieldValue::f(0.5)),
        ("d", FieldValue::d(1.25)),
        ("D", FieldValue::D(DecimalValue::new(2, 314))),
        ("T", FieldValue::T(1_700_000_001)),
        ("V", FieldValue::V),
        ("x", FieldValue::x(vec![0, 255].try_into()?)),
        ("F", table([("inner", table([("innermost", innermost)]).into()), ("empty", FieldTable::new().into())]).into()),
        ("A", FieldValue::A(mixed.try_into()?)),
    ]);
    let sent = BasicProperties::default()
        .with_content_type("text/plain")
        .with_content_encoding("utf-8")
        .with_headers(headers)
        .with_delivery_mode(2)
        .with_priority(7)
        .with_correlation_id("c1")
        .with_reply_to("r1")
        .with_expiration("60000")
        .with_message_id("m1")
        .with_timestamp(1_700_000_000)
        .with_message_type("t1")
        .with_user_id(&Address::from_env("AMQP_URL")?.user)
        .with_app_id("a1")
        .with_cluster_id("k1")
        .finish();
    publish(channel, "", queue, sent.clone(), b"x").await?;
    let got = inbox.receive("x").await?.properties;
    equal("headers", got.headers(), sent.headers())?;
    equal("properties", listed(&got), listed(&sent))?;
    send(channel, queue, "x").await?;
    let got = inbox.receive("x").await?.properties;
    equal("headers", got.headers(), None)?;
    check!(listed(&got).iter().all(Option::is_none), "properties: {got:?}");
    Ok(())
}

async fn exchange_to_exchange(t: &Context) -> Outcome {
    let channel = &t.channel().await?;
    let a = &t.exchange(channel, "fanout").await?;
    let b = &t.exchange(channel, "topic").await?;
    let queue = &t.queue(channel, []).await?;
    channel.exchange_bind(ExchangeBindArguments::new(b, a, "")).await?;
    channel.queue_bind(QueueBindArguments::new(queue, b, "k.#")).await?;
    let mut inbox = consume(channel, queue, true).await?;
    let publish_to = async |exchange: &str, key: &str| {
        publish(channel, exchange, key, BasicProperties::default(), key.as_bytes()).await
    };
    publish_to(a, "k.1").await?;
    publish_to(a, "other").await?;
    arrives(&mut inbox, a, "k.1").await?;
    channel.exchange_unbind(ExchangeUnbindArguments::new(b, a, "")).await?;
    publish_to(a, "k.2").await?;
    publish_to(b, "k.3").await?;
    arrives(&mut inbox, b, "k.3").await
}

async fn get(t: &Context) -> Outcome {
    let channel = &t.confirming().await?;
    let queue = &t.queue(channel, []).await?;
    let get =
        async |no_ack| Outcome::Ok(channel.basic_get(BasicGetArguments::new(queue).no_ack(no_ack).finish()).await?);
    let take = async |body: &str, left: u32, redelivered: bool, no_ack: bool| {
        let (ok, _, content) = get(no_ack).await?.ok_or("the queue is empty")?;
        equal("body", String::from_utf8_lossy(&content), body)?;
        equal(
            "get-ok",
            (ok.message_count(), ok.redelivered(), ok.exchange().as_str(), ok.routing_key()),
            (left, redelivered, "", queue),
        )?;
        Outcome::Ok(ok.delivery_tag())
    };
    check!(get(false).await?.is_none(), "the queue is not empty");
    for body in ["1", "2", "3"] {
        confirmed(channel, queue, BasicProperties::default(), body.as_bytes()).await?;
    }
    let first = take("1", 2, false, false).await?;
    take("2", 1, false, true).await?;
    let third = take("3", 0, false, false).await?;
    channel.basic_nack(BasicNackArguments::new(first, false, true)).await?;
    channel.basic_ack(BasicAckArguments::new(third, false)).await?;
    channel.basic_ack(BasicAckArguments::new(take("1", 0, true, false).await?, false)).await?;
    check!(get(false).await?.is_none(), "the queue is not empty");
    Ok(())
}

macro_rules! stories {
    ($($name:literal => $body:ident $(within $seconds:literal)?),+ $(,)?) => {
        [$(Story {
            name: $name,
            body: |t| Box::pin($body(t)),
            deadline: Duration::from_secs([30 $(, $seconds)?].into_iter().fold(0, u64::max)),
        }),+]
    };
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let stories = stories! {
        "declare" => declare,
        "bind" => bind,
        "publish-consume" => publish_consume,
        "confirms" => confirms,
        "mandatory-return" => mandatory_return,
        "prefetch" => prefetch,
        "nack-requeue" => nack_requeue,
        "dead-letter" => dead_letter,
        "ttl" => ttl,
        "priorities" => priorities,
        "rpc-direct-reply-to" => rpc_direct_reply_to,
        "exclusive-auto-delete" => exclusive_auto_delete,
        "large-body" => large_body,
        "cancel-notification" => cancel_notification,
        "errors" => errors,
        "heartbeat-loss" => heartbeat_loss,
        "reconnect" => reconnect,
        "channels-1000" => channels_1000 within 60,
        "tx" => tx,
        "headers-and-properties" => headers_and_properties,
        "exchange-to-exchange" => exchange_to_exchange,
        "get" => get,
    };
    ExitCode::from(u8::from(tell(&stories).await > 0))
}
