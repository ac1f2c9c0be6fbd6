//! LDAP: what is asked of a directory, as RabbitMQ's queries say it, and how names get into it. `backends/ldap.rs` asks.

mod fill;
mod query;

pub use fill::{Variables, is_dn};
pub use query::{InvalidQuery, Query, Scope, Text, tag_queries};
