//! The management HTTP API, as RabbitMQ's management plugin has it on port 15672, and the metrics of port 15692.
//!
//! It runs on a thread of its own (`server`), so that no list delays a message. A request becomes a [`request::Request`], its handler
//! a plain function that looks at the broker's snapshots or acts through the same code as AMQP, and returns an
//! [`answer::Answer`] or a [`refusal::Refusal`]. Handlers never wait; an answer that must not be given before something is durable
//! says so, and `handling` waits.
//!
//! A new endpoint is one function in the file of its resource and one line in `routes`.

mod accept_failures;
mod answer;
mod api;
mod app;
mod asked;
mod bindings;
mod body;
mod caller;
mod channels;
mod cluster;
mod connections;
mod consumers;
mod definitions;
mod entity;
mod events;
mod exchanges;
mod expression;
mod features;
mod handling;
mod health;
mod later;
mod leveret;
mod limits;
mod listing;
#[cfg(unix)]
mod local;
mod logins;
mod messages;
mod multipart;
mod nodes;
mod operator;
mod overview;
mod pages;
mod pages_login;
mod parameters;
mod patience;
mod permissions;
mod policies;
mod prometheus;
mod queues;
mod rates;
mod reference;
mod refusal;
mod request;
mod routes;
mod sampler;
mod secure;
mod server;
mod stats;
mod talk;
mod target;
mod unread;
mod users;
mod values;
mod vhosts;

pub(crate) use api::{Api, ListenerInfo, WebPaths};
pub(crate) use app::{App, StartOver};
pub(crate) use later::LaterBounds;
pub(crate) use leveret::alerts::shown as alert_json;
pub(crate) use operator::Operator;
pub(crate) use pages_login::PagesLogin;
pub(crate) use prometheus::Highest;
pub(crate) use rates::Rates;
pub use refusal::{REFUSED_BY, VHOST_MAX};
pub(crate) use server::HttpFailed;
pub(crate) use server::{HttpListener, HttpServer, Listeners};
pub use talk::Port;
pub(crate) use talk::Talk;
