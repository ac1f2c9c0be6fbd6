//! What the stories have in common: deliveries, and operations in one line.

use amqprs::channel::{
    BasicAckArguments, BasicConsumeArguments, BasicNackArguments, BasicPublishArguments, BasicRejectArguments, Channel,
    ConsumerMessage, ExchangeDeclareArguments, QueueDeclareArguments,
};
use amqprs::{BasicProperties, Deliver, FieldValue};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::check;
use crate::harness::{equal, next, until, Context, Event, Listening, Outcome};

/// A delivery.
pub(crate) struct Message {
    pub(crate) deliver: Deliver,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Vec<u8>,
}

impl Message {
    pub(crate) fn tag(&self) -> u64 {
        self.deliver.delivery_tag()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&FieldValue> {
        self.properties.headers()?.get(&name.try_into().ok()?)
    }
}

pub(crate) struct Inbox {
    pub(crate) tag: String,
    pub(crate) messages: UnboundedReceiver<ConsumerMessage>,
}

impl Inbox {
    pub(crate) async fn next(&mut self) -> Outcome<Message> {
        let message = next("message", &mut self.messages).await?;
        Ok(Message {
            deliver: message.deliver.ok_or("no deliver")?,
            properties: message.basic_properties.ok_or("no properties")?,
            body: message.content.ok_or("no content")?,
        })
    }

    /// The next message, which must have this body.
    pub(crate) async fn receive(&mut self, body: &str) -> Outcome<Message> {
        let message = self.next().await?;
        equal("body", String::from_utf8_lossy(&message.body), body)?;
        Ok(message)
    }

    pub(crate) fn is_empty(&self) -> Outcome {
        equal("messages too many", self.messages.len(), 0)
    }
}

pub(crate) async fn consume(channel: &Channel, queue: &str, auto_ack: bool) -> Outcome<Inbox> {
    let arguments = BasicConsumeArguments::new(queue, "").manual_ack(!auto_ack).finish();
    let (tag, messages) = channel.basic_consume_rx(arguments).await?;
    Ok(Inbox { tag, messages })
}

pub(crate) async fn ack(channel: &Channel, message: &Message) -> Outcome {
    Ok(channel.basic_ack(BasicAckArguments::new(message.tag(), false)).await?)
}

pub(crate) async fn nack(channel: &Channel, message: &Message, multiple: bool, requeue: bool) -> Outcome {
    Ok(channel.basic_nack(BasicNackArguments::new(message.tag(), multiple, requeue)).await?)
}

pub(crate) async fn reject(channel: &Channel, message: &Message, requeue: bool) -> Outcome {
    Ok(channel.basic_reject(BasicRejectArguments::new(message.tag(), requeue)).await?)
}

pub(crate) async fn publish(
    channel: &Listening,
    exchange: &str,
    key: &str,
    properties: BasicProperties,
    body: &[u8],
) -> Outcome {
    channel.published.set(channel.published.get() + 1);
    Ok(channel.basic_publish(properties, body.to_vec(), BasicPublishArguments::new(exchange, key)).await?)
}

pub(crate) async fn mandatory(channel: &Listening, key: &str, properties: BasicProperties, body: &str) -> Outcome {
    channel.published.set(channel.published.get() + 1);
    let arguments = BasicPublishArguments::new("", key).mandatory(true).finish();
    Ok(channel.basic_publish(properties, body.into(), arguments).await?)
}

pub(crate) async fn send(channel: &Listening, queue: &str, body: &str) -> Outcome {
    publish(channel, "", queue, BasicProperties::default(), body.as_bytes()).await
}

/// Publishes on a confirm channel and waits for the ack.
pub(crate) async fn confirmed(channel: &Listening, queue: &str, properties: BasicProperties, body: &[u8]) -> Outcome {
    publish(channel, "", queue, properties, body).await?;
    equal("acked", channel.confirmed().await?, true)
}

/// Declares a queue passively.
pub(crate) async fn passive(channel: &Channel, queue: &str) -> Outcome<(String, u32, u32)> {
    Ok(channel.queue_declare(QueueDeclareArguments::new(queue).passive(true).finish()).await?.ok_or("no declare-ok")?)
}

pub(crate) async fn passive_exchange(channel: &Channel, exchange: &str) -> Outcome {
    let arguments = ExchangeDeclareArguments::new(exchange, "direct").passive(true).finish();
    Ok(channel.exchange_declare(arguments).await?)
}

pub(crate) async fn exclusive(channel: &Channel) -> Outcome<String> {
    Ok(channel.queue_declare(QueueDeclareArguments::exclusive_server_named()).await?.ok_or("no declare-ok")?.0)
}

pub(crate) async fn ready(channel: &Channel, queue: &str) -> Outcome<u32> {
    Ok(passive(channel, queue).await?.1)
}

pub(crate) async fn holds(channel: &Channel, queue: &str, n: u32) -> Outcome {
    until(&format!("{n} messages in {queue}"), async || Ok(ready(channel, queue).await? == n)).await
}

/// The operation must fail, and its channel be closed with this code and a text beginning with `text`.
pub(crate) async fn refused<V>(
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

pub(crate) async fn missing<V>(t: &Context, operation: impl AsyncFnOnce(&Listening) -> Outcome<V>) -> Outcome {
    refused(t, 404, "NOT_FOUND - no ", operation).await
}

/// Waits until the operation gives 404.
pub(crate) async fn gone(t: &Context, what: &str, operation: impl AsyncFn(&Listening) -> Outcome) -> Outcome {
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
