//! Deliveries, and what becomes of them.

use amqprs::channel::{
    BasicAckArguments, BasicGetArguments, BasicNackArguments, BasicQosArguments, QueueDeleteArguments,
};
use amqprs::{BasicProperties, FieldValue};

use crate::check;
use crate::client::{ack, confirmed, consume, exclusive, holds, nack, publish, reject};
use crate::harness::{equal, Context, Event, Listening, Outcome};

pub(crate) async fn prefetch(t: &Context) -> Outcome {
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

pub(crate) async fn nack_requeue(t: &Context) -> Outcome {
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

pub(crate) async fn priorities(t: &Context) -> Outcome {
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

pub(crate) async fn rpc_direct_reply_to(t: &Context) -> Outcome {
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

pub(crate) async fn cancel_notification(t: &Context) -> Outcome {
    let channel = &t.channel().await?;
    let queue = &t.queue(channel, []).await?;
    let inbox = consume(channel, queue, false).await?;
    t.channel().await?.queue_delete(QueueDeleteArguments::new(queue)).await?;
    equal("event", channel.event("cancel").await?, Event::Cancelled(inbox.tag))?;
    exclusive(channel).await?;
    Ok(())
}

pub(crate) async fn get(t: &Context) -> Outcome {
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
