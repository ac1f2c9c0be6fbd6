//! Which publishes the broker has confirmed, and how long it took.

use std::collections::BTreeSet;

use crate::amqp::wire;
use crate::amqp::{Connection, Frame};
use crate::error::{Error, Result};
use crate::latency::Stamps;

/// The publisher's side of confirms on one channel.
#[derive(Debug)]
pub(crate) struct Confirms<'a> {
    /// All up to here are confirmed.
    through: u64,
    /// Confirmed one by one, ahead of `through`.
    early: BTreeSet<u64>,
    stamps: Option<&'a Stamps>,
    times: Vec<u64>,
}

impl<'a> Confirms<'a> {
    /// With `stamps`, notes how long after their publish the confirms come.
    pub(crate) fn new(stamps: Option<&'a Stamps>) -> Self {
        Self { through: 0, early: BTreeSet::new(), stamps, times: Vec::new() }
    }

    /// How long the confirms took, in nanoseconds.
    pub(crate) fn into_times(self) -> Vec<u64> {
        self.times
    }

    /// Reads confirms until fewer than `window` publishes wait for theirs; returns how many more fit.
    pub(crate) fn wait_for_room(&mut self, connection: &mut Connection, sent: u64, window: u64) -> Result<u64> {
        loop {
            let waiting = sent - self.through - u64::try_from(self.early.len()).unwrap_or(u64::MAX);
            if waiting < window {
                return Ok(window - waiting);
            }
            let before = self.through;
            connection.read(|frame| self.take(frame, sent))?;
            if let Some(stamps) = self.stamps {
                stamps.arrived(before, self.through, &mut self.times);
            }
        }
    }

    fn take(&mut self, frame: &Frame<'_>, sent: u64) -> Result<()> {
        if frame.kind == wire::METHOD && frame.method_id() == wire::BASIC_NACK {
            return Err(Error::unexpected("the broker answered a publish with basic.nack"));
        }
        if frame.kind != wire::METHOD || frame.method_id() != wire::BASIC_ACK {
            return Err(frame.unexpected());
        }
        let mut arguments = frame.arguments();
        let (delivery_tag, multiple) = (arguments.long_long()?, arguments.octet()? & 1 == 1);
        if delivery_tag <= self.through || delivery_tag > sent {
            return Err(Error::verification(format!("{delivery_tag} was confirmed twice, or before it was published")));
        }
        if multiple {
            self.through = delivery_tag;
            self.early = self.early.split_off(&(delivery_tag + 1));
        } else if !self.early.insert(delivery_tag) {
            return Err(Error::verification(format!("{delivery_tag} was confirmed twice")));
        }
        while self.early.remove(&(self.through + 1)) {
            self.through += 1;
        }
        Ok(())
    }
}
