//! Kill the broker while this publishes, start it again, and see that nothing is missing that was confirmed.
//!
//! ```sh
//! cargo run --release &                      # the broker
//! cargo run --release --example survive      # in another terminal; then: kill -9 the broker, and start it again
//! ```

#![allow(clippy::print_stdout, reason = "it is to be watched")]

use std::collections::VecDeque;
use std::time::Duration;

use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

const URL: &str = "amqp://guest:guest@localhost:5672/%2F";
const QUEUE: &str = "survive";
/// Messages that wait for their confirm.
const WINDOW: usize = 1_000;

#[tokio::main]
async fn main() -> Result<(), lapin::Error> {
    let (connection, channel) = connect().await?;
    channel.queue_delete(QUEUE.into(), QueueDeleteOptions::default()).await?;
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(QUEUE.into(), options, FieldTable::default()).await?;
    println!("publishing; now kill -9 the broker");
    let (published, confirmed) = publish(&channel).await;
    drop(connection);
    println!("\nthe broker is gone: {published} messages published, the first {confirmed} of them confirmed");
    println!("now start it again");
    let (connection, channel) = loop {
        match connect().await {
            Ok(connected) => break connected,
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    };
    let there = count(&channel).await?;
    println!("{there} messages are there, in their order, none missing and none twice");
    if there < confirmed {
        println!("THE LAST {} THAT WERE CONFIRMED ARE LOST", confirmed - there);
    } else {
        println!(
            "all {confirmed} that were confirmed, and {} that the broker had not confirmed yet",
            there - confirmed
        );
    }
    connection.close(200, "done".into()).await
}

async fn connect() -> Result<(Connection, Channel), lapin::Error> {
    let connection = Connection::connect(URL, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    Ok((connection, channel))
}

/// Publishes numbers from 1 on until the broker is gone: how many, and how many of them were confirmed.
async fn publish(channel: &Channel) -> (u64, u64) {
    let mut waiting = VecDeque::new();
    let (mut published, mut confirmed) = (0, 0);
    if channel.confirm_select(ConfirmSelectOptions::default()).await.is_err() {
        return (0, 0);
    }
    loop {
        let properties = BasicProperties::default().with_delivery_mode(2);
        let body = (published + 1).to_string();
        let options = BasicPublishOptions::default();
        match channel.basic_publish("".into(), QUEUE.into(), options, body.as_bytes(), properties).await {
            Ok(confirm) => waiting.push_back(confirm),
            Err(_) => break,
        }
        published += 1;
        if waiting.len() >= WINDOW
            && let Some(oldest) = waiting.pop_front()
        {
            match oldest.await {
                Ok(confirmation) if confirmation.is_ack() => confirmed += 1,
                Ok(_) | Err(_) => return (published, confirmed),
            }
            if confirmed % 10_000 == 0 {
                println!("{confirmed} confirmed");
            }
        }
    }
    // What was confirmed just before the end.
    for confirm in waiting {
        match confirm.await {
            Ok(confirmation) if confirmation.is_ack() => confirmed += 1,
            Ok(_) | Err(_) => break,
        }
    }
    (published, confirmed)
}

/// Takes everything out of the queue, and checks that it is 1, 2, 3 and so on; how many.
async fn count(channel: &Channel) -> Result<u64, lapin::Error> {
    let mut there = 0;
    while let Some(message) = channel.basic_get(QUEUE.into(), BasicGetOptions { no_ack: true }).await? {
        there += 1;
        let number = String::from_utf8_lossy(&message.data).parse::<u64>();
        assert_eq!(number, Ok(there), "the next message is not the next number");
    }
    channel.queue_delete(QUEUE.into(), QueueDeleteOptions::default()).await?;
    Ok(there)
}
