//! Mandatory messages that no queue takes: each comes back.

use super::{Load, unique_name};
use crate::amqp::wire::{self, Publish};
use crate::amqp::{Connection, Frame};
use crate::error::{Error, Result};
use crate::meter::{Meter, Sample};
use crate::publisher::Batch;
use crate::target::Target;

/// How many are under way: a broker need not read on while its client does not.
const WINDOW: u64 = 500;

pub(super) fn run(target: &Target, load: Load) -> Result<Sample> {
    let mut connection = Connection::open(&target.url)?;
    let publish = Publish { mandatory: true, ..Publish::to_queue(unique_name("nobody")) };
    let mut batch = Batch::new(&[publish], load.body_bytes, connection.frame_max)?;
    let mut returned = Returned { count: 0, body_bytes: 0 };
    let meter = Meter::start(target);
    let mut sent = 0;
    while sent < load.messages {
        let count = WINDOW.min(load.messages - sent);
        connection.write(batch.part(0, count))?;
        sent += count;
        while !returned.is_all(sent, load.body_bytes) {
            connection.read(|frame| returned.take(frame))?;
        }
    }
    let sample = meter.stop(load.messages);
    // Its reply would come behind a return too many.
    connection.close()?;
    Ok(sample)
}

struct Returned {
    count: u64,
    body_bytes: usize,
}

impl Returned {
    fn is_all(&self, sent: u64, body_bytes: usize) -> bool {
        let due = usize::try_from(sent).unwrap_or(usize::MAX).saturating_mul(body_bytes);
        self.count == sent && self.body_bytes >= due
    }

    fn take(&mut self, frame: &Frame<'_>) -> Result<()> {
        match frame.kind {
            wire::BODY => self.body_bytes += frame.payload.len(),
            wire::HEADER | wire::HEARTBEAT => {}
            _ if frame.method_id() == wire::BASIC_RETURN => {
                let reply_code = frame.arguments().short()?;
                if reply_code != 312 {
                    return Err(Error::verification(format!("returned with {reply_code}, not 312 NO_ROUTE")));
                }
                self.count += 1;
            }
            _ => return Err(frame.unexpected()),
        }
        Ok(())
    }
}
