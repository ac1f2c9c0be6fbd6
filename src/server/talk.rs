//! The management API for whoever brings the bytes: a fuzz target needs no socket.

use std::sync::Arc;

use super::management;
use super::operator::Running;
use crate::clock::Clock;
use crate::connection::admission::{Admission, DescriptorLimits};
use crate::connection::session::Hosting;
pub use crate::http::Port;
use crate::http::{App, Talk as HttpTalk};

/// A management API without sockets and threads.
#[derive(Debug)]
pub struct Talk(HttpTalk);

impl Talk {
    /// The API of a broker.
    #[must_use]
    pub fn new(hosting: &Hosting, clock: Clock) -> Self {
        let admission = Arc::new(Admission::new(DescriptorLimits::for_descriptors(1_024)));
        let cannot = Box::new(|_: &crate::broker::Broker| Err("this broker cannot be made as new".to_owned()));
        let running = Running::new(&hosting.broker, &clock, None, &[]);
        let operator = Arc::new(running.operated(hosting.offer.heartbeat.clone(), None));
        Self(HttpTalk::new(management::api(hosting, Vec::new(), (App::new(admission, cannot), operator), &clock, None)))
    }

    /// The answers to what one client sends, until it is answered or the API closes the connection.
    pub async fn answer(&self, port: Port, requests: &[u8]) -> Vec<u8> {
        self.0.answer(port, requests).await
    }

    /// The paths of the management API behind `/api`, with the names of their variable parts in braces.
    pub fn paths() -> impl Iterator<Item = &'static str> {
        HttpTalk::paths()
    }

    /// Everything that can be done with them: each method with its path.
    pub fn actions() -> impl Iterator<Item = (&'static str, &'static str)> {
        HttpTalk::actions()
    }

    /// Takes down all counters, which a broker does every five seconds.
    pub fn sample(&self) {
        self.0.sample();
    }
}
