//! Definitions files: everything that is defined, as RabbitMQ exports and imports it.

mod export;

pub use export::Origin;
