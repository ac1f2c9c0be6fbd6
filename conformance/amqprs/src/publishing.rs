//! What is published, how it is confirmed, and that it arrives as it was.

use amqprs::channel::BasicCancelArguments;
use amqprs::{BasicProperties, DecimalValue, FieldTable, FieldValue};

use crate::check;
use crate::client::{ack, confirmed, consume, holds, mandatory, publish, ready, send};
use crate::harness::{equal, table, unique, Address, Context, Event, Listening, Outcome};

pub(crate) async fn publish_consume(t: &Context) -> Outcome {
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

pub(crate) async fn confirms(t: &Context) -> Outcome {
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

pub(crate) async fn mandatory_return(t: &Context) -> Outcome {
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

pub(crate) async fn large_body(t: &Context) -> Outcome {
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

pub(crate) async fn tx(t: &Context) -> Outcome {
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

pub(crate) async fn headers_and_properties(t: &Context) -> Outcome {
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
