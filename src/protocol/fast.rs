//! The hot path, laid out by hand: publishes and acks in, deliveries and confirms out, without an allocation.
//!
//! Reading, this recognises what is complete, contiguous and in every way regular; for anything else it answers `None`, and
//! [`super::frame`], [`super::assembler`] and [`super::method`] decide what it is. So every refusal is written once, there.
//!
//! Read and written bytes are checked against `amq-protocol` by the tests.

mod decode;
mod encode;

pub use decode::{BodyPieces, FastPublish, FastSettlement, SettlementKind, next_publish, next_settlement};
pub use encode::{
    BodyFrame, BodyFrames, Content, ContentMethod, Deliver, GetOk, ReturnMethod, ack, body_frames, content_method,
    heartbeat, nack,
};

#[cfg(test)]
mod tests;
