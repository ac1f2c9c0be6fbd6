//! Leveret's own endpoints, under `/leveret`: docs/leveret-api.md is their contract.

mod advice;
pub(super) mod alerts;
pub(super) mod delayed;
pub(super) mod errors;
pub(super) mod expect;
mod given;
pub(super) mod keys;
mod message;
pub(super) mod messages;
pub(super) mod openapi;
mod operations;
pub(super) mod peek;
pub(super) mod preview;
pub(super) mod reach;
pub(super) mod redrive;
pub(super) mod reset;
pub(super) mod tail;
