//! Pure state: virtual hosts, exchanges, queues. No socket, no file, no clock, no frames.

pub mod exchange;
