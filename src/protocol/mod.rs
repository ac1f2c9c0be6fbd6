//! AMQP 0-9-1 on the wire, sans I/O: bytes to [`command::Command`]s, [`command::Reply`]s to bytes. It has never heard of a queue.

pub mod command;
