//! Leveret's own endpoints (docs/leveret-api.md). RabbitMQ has none of them.

mod alerts;
mod chosen;
mod delayed;
mod errors;
mod expect;
mod peek;
mod preview;
mod routes;
mod tail;
