//! Messages that nobody consumes and that expire, nearly all at once.

use std::time::Duration;

use super::backlog::{fill, wait_for_count};
use super::{Load, unique_name};
use crate::amqp::wire::Table;
use crate::amqp::{Connection, Durability};
use crate::error::{Error, Result};
use crate::meter::{Meter, Sample, now};
use crate::target::Target;

/// A million must be published within this time, or the two phases would mix.
const TTL: Duration = Duration::from_secs(8);

/// And few messages need not wait as long.
const SHORT_TTL: Duration = Duration::from_secs(2);

pub(super) fn run(target: &Target, load: Load) -> Result<Vec<Sample>> {
    let queue = unique_name("q");
    let ttl = if load.is_short { SHORT_TTL } else { TTL };
    let ttl_ms = i32::try_from(ttl.as_millis()).unwrap_or(i32::MAX);
    let mut connection = Connection::open(&target.url)?;
    connection.declare_queue(&queue, Durability::Transient, &Table::default().int("x-message-ttl", ttl_ms))?;
    let begin = now();
    let filled = fill(target, load, std::slice::from_ref(&queue), Durability::Transient, &mut connection)?;
    let Some(left) = ttl.checked_sub(begin.elapsed()) else {
        return Err(Error::unexpected(format!("filling the queue took longer than the TTL of {} s", ttl.as_secs())));
    };
    let meter = Meter::start(target);
    std::thread::sleep(left.saturating_sub(Duration::from_millis(100)));
    wait_for_count(&mut connection, std::slice::from_ref(&queue), |count| count == 0)?;
    let mut expired = meter.stop(load.messages).of_phase("expire");
    // How long the broker is behind: the last message was due one TTL after it was published.
    let late = (begin.elapsed().as_secs_f64() - filled.seconds - ttl.as_secs_f64()).max(0.0);
    expired.extra.push(("last_expired_late_ms", late * 1e3));
    connection.delete_queue(&queue)?;
    connection.close()?;
    Ok(vec![filled, expired])
}
