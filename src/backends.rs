//! Backends that ask somebody over the network who a user is and what it may do. The rules are in `auth`; here are sockets.
//!
//! A new backend is one file, and one row of `BACKENDS` in `server/auth.rs`. How many requests are under way at a time, and how long
//! one may take, is bounded for each.

mod cache;
mod http;
mod http_client;
mod ldap;
mod oauth2;

pub(crate) use cache::{Cache, CacheSettings};
pub(crate) use http::{HttpBackend, HttpMethod, HttpSettings};
pub(crate) use ldap::{Bind, DirectorySettings, Ldap, LdapSettings};
pub(crate) use oauth2::{KeySettings, OAuth2, Provider, ResourceServer};
