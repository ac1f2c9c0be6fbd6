//! The frequent methods, read and written by hand: publishes and acks in, deliveries and confirms out, without an allocation.
//!
//! Reading, this recognises what is complete, contiguous and in every way regular; for anything else it answers `None`, and
//! [`super::frame`], [`super::assembler`] and [`super::method`] decide what it is. So every refusal is written once, there.
//!
//! Read and written bytes are checked against `amq-protocol` by the tests.

mod decode;
mod encode;

pub(crate) use decode::{BodyPieces, FastPublish};
pub use decode::{FastSettlement, SettlementKind, next_publish, next_settlement};
pub use encode::{Content, Deliver, content_method};
pub(crate) use encode::{ContentMethod, GetOk, ReturnMethod, ack, body_frames, heartbeat, nack};

#[cfg(test)]
mod tests;
