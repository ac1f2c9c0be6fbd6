//! Queues, exchanges and bindings.

use amqprs::channel::{
    BasicCancelArguments, ExchangeBindArguments, ExchangeDeclareArguments, ExchangeDeleteArguments,
    ExchangeUnbindArguments, QueueBindArguments, QueueDeclareArguments, QueueDeleteArguments, QueuePurgeArguments,
    QueueUnbindArguments,
};
use amqprs::{BasicProperties, FieldValue};

use crate::check;
use crate::client::{
    consume, exclusive, gone, holds, missing, passive, passive_exchange, publish, refused, send, Inbox,
};
use crate::harness::{equal, table, Context, Listening, Outcome};

pub(crate) async fn declare(t: &Context) -> Outcome {
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

pub(crate) async fn bind(t: &Context) -> Outcome {
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

pub(crate) async fn exclusive_auto_delete(t: &Context) -> Outcome {
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

pub(crate) async fn exchange_to_exchange(t: &Context) -> Outcome {
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
