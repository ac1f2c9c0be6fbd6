//! LDAP: what is asked of a directory, as RabbitMQ's queries say it, and how names get into it. `backends/ldap.rs` asks.

mod fill;
mod query;

pub(crate) use fill::{FillVariables, is_dn};
pub(crate) use query::{InvalidQuery, Query, SearchScope, Text, tag_queries};
