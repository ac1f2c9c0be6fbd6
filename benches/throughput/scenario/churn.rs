//! Things that come and go: connections, queues.

use super::{Load, unique_name};
use crate::amqp::Connection;
use crate::error::Result;
use crate::meter::{Meter, Sample};
use crate::target::Target;

/// Connect, log in, open a channel, close it and the connection.
pub(super) fn connections(target: &Target, load: Load) -> Result<Sample> {
    let meter = Meter::start(target);
    for _ in 0..load.messages {
        let mut connection = Connection::open(&target.url)?;
        connection.close_channel()?;
        connection.close()?;
    }
    Ok(meter.stop(load.messages))
}

/// Declare a queue, bind it to `amq.direct`, delete it; counted as one.
pub(super) fn queues(target: &Target, load: Load) -> Result<Sample> {
    let mut connection = Connection::open(&target.url)?;
    let queue = unique_name("q");
    let meter = Meter::start(target);
    for _ in 0..load.messages {
        connection.declare_queue(&queue)?;
        connection.bind_queue(&queue, "amq.direct", &queue)?;
        connection.delete_queue(&queue)?;
    }
    let sample = meter.stop(load.messages);
    connection.close()?;
    Ok(sample)
}
