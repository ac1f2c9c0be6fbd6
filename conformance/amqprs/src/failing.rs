//! Errors, lost connections, and very many channels.

use std::time::Duration;

use amqprs::channel::{BasicQosArguments, ExchangeDeleteArguments, QueueDeclareArguments};
use tokio::time::timeout;

use crate::check;
use crate::client::{ack, consume, exclusive, holds, passive, ready, refused, send};
use crate::harness::{equal, proxy, unique, Address, Context, Listening, Outcome, WAIT};

pub(crate) async fn errors(t: &Context) -> Outcome {
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

pub(crate) async fn heartbeat_loss(t: &Context) -> Outcome {
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
        let noticed = timeout(WAIT, lost).await;
        proxy("thaw").await?;
        equal("network failure", noticed.map_err(|_| "the lost connection goes unnoticed")?, true)?;
    }
    check!(!connection.is_open(), "the connection is still open");
    let end = timeout(WAIT, inbox.messages.recv()).await?;
    check!(end.is_none(), "a message came");
    Ok(())
}

pub(crate) async fn reconnect(t: &Context) -> Outcome {
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
    let (lost, cut) = tokio::join!(timeout(WAIT, connection.listen_network_io_failure()), proxy("cut"));
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

pub(crate) async fn channels_1000(t: &Context) -> Outcome {
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
