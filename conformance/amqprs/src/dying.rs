//! Dead letters.

use std::time::SystemTime;

use amqprs::channel::{QueueBindArguments, QueueDeclareArguments};
use amqprs::{BasicProperties, FieldTable, FieldValue};

use crate::check;
use crate::client::{consume, gone, mandatory, passive, publish, reject, send, Message};
use crate::harness::{equal, table, until, Context, Event, Outcome};

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

pub(crate) async fn dead_letter(t: &Context) -> Outcome {
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

pub(crate) async fn ttl(t: &Context) -> Outcome {
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
