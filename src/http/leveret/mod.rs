//! Leveret's own endpoints, under `/leveret`: docs/leveret-api.md is their contract.

mod advice;
pub(super) mod errors;
pub(super) mod expect;
mod given;
mod message;
pub(super) mod messages;
pub(super) mod peek;
pub(super) mod reach;
pub(super) mod redrive;
pub(super) mod reset;
