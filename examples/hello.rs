//! One message there and back, by a client library: the lines of README.md.

use lapin::options::{BasicGetOptions, BasicPublishOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};

#[tokio::main]
#[expect(clippy::print_stdout, reason = "it shows what came back")]
async fn main() -> Result<(), lapin::Error> {
    let connection = Connection::connect("amqp://guest:guest@localhost/%2f", ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare("hello".into(), options, FieldTable::default()).await?;
    channel
        .basic_publish("".into(), "hello".into(), BasicPublishOptions::default(), b"Hello!", BasicProperties::default())
        .await?;
    let message = channel.basic_get("hello".into(), BasicGetOptions { no_ack: true }).await?;
    println!("{}", message.map(|message| String::from_utf8_lossy(&message.data).into_owned()).unwrap_or_default());
    Ok(())
}
