//! Leveret's own endpoints (docs/leveret-api.md). RabbitMQ has none of them.

mod chosen;
mod errors;
mod expect;
mod peek;
mod routes;
