//! Black-box tests: a whole broker, and a client that says exactly the bytes it is told to.
//!
//! Every test states what a RabbitMQ client can observe. By default it starts a broker of its own in this process; with
//! `LEVERET_TEST_AMQP=host:port` it uses a running RabbitMQ instead, which is how the tests themselves are checked. See
//! [`broker`] for the choice and [`client`] for the client.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::too_many_lines,
    clippy::large_futures,
    reason = "test code: a panic is a verdict, and a story may be long"
)]

mod broker;
mod client;
mod process;

mod acking;
mod administration;
mod alerts_out;
mod architecture;
mod auth;
mod blocked;
mod bystander;
mod channel;
mod closing;
mod commands;
mod configuration;
mod confirms;
mod connection_log;
mod consuming;
mod data_directory;
mod dead_letter;
mod death_cycles;
mod definition_limits;
mod definitions_at_start;
mod delayed;
mod descriptors;
mod dispatch;
mod durable;
mod exchange_bind;
mod exchange_declare;
mod expiry;
mod failed_deliveries;
mod field_tables;
mod first_user;
mod flow;
mod footprint;
mod framing;
mod full_disk;
mod handshake;
mod headers;
mod heartbeat;
mod http;
mod idle;
mod kill;
mod killed_administration;
mod lapin_failures;
mod lapin_stories;
mod local_socket;
mod log_files;
mod log_output;
mod log_syslog;
mod max_length;
mod node_keys;
mod password_hashing;
mod permissions;
mod plugin_exchanges;
mod priorities;
mod profiles;
mod program;
mod properties;
mod proxy_protocol;
mod publishing;
mod purge_delete;
mod qos;
mod queue_arguments;
mod queue_bind;
mod queue_declare;
mod queue_redeclare;
mod quorum;
mod quorum_limits;
mod recovery;
mod reply_to;
mod routing;
mod routing_limit;
mod salvage_table;
mod sasl;
mod scale;
mod silence;
mod small_buffers;
mod store_check;
mod tls;
mod ttl;
mod tune;
mod tx;
mod vhost_defaults;
mod web_paths;
