//! The API without sockets and threads: the bytes of requests go in, those of the answers come out.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::sync::watch;

use super::api::Api;
use super::caller::CallerPlace;
use super::routes::ROUTES;
use super::{handling, prometheus, sampler, server};

/// Which of the two ports is talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// The management API.
    Management,
    /// That of the metrics for Prometheus.
    Metrics,
}

/// An API that nobody can connect to.
#[derive(Debug)]
pub(crate) struct Talk {
    api: Arc<Api>,
    management: Router,
    metrics: Router,
}

impl Talk {
    pub(crate) fn new(api: Api) -> Self {
        let api = Arc::new(api);
        Self { management: handling::router(&api, &api.paths.prefix), metrics: prometheus::router(&api), api }
    }

    /// Answers what one client sends. It does not wait long: an answer that is not to be had at once is not had.
    pub(crate) async fn answer(&self, port: Port, requests: &[u8]) -> Vec<u8> {
        let router = match port {
            Port::Management => &self.management,
            Port::Metrics => &self.metrics,
        };
        let (_stop, stopped) = watch::channel(false);
        let mut client = Client { requests, answers: Vec::new(), looks_left: LOOKS };
        server::connection(&mut client, CallerPlace::Network(IpAddr::from([127, 0, 0, 1])), router.clone(), stopped)
            .await;
        client.answers
    }

    /// The paths of the management API, with the names of their variable parts in braces.
    pub(crate) fn paths() -> impl Iterator<Item = &'static str> {
        ROUTES.iter().map(|route| route.path)
    }

    /// Everything that can be done with them: each method with its path.
    pub(crate) fn actions() -> impl Iterator<Item = (&'static str, &'static str)> {
        ROUTES.iter().flat_map(|route| route.methods().map(|method| (method, route.path)))
    }

    /// Takes down all counters, as the thread of the API does every five seconds.
    pub(crate) fn sample(&self) {
        sampler::sample(&self.api, self.api.clock.now_ms());
    }
}

/// So often the API looks for more of the client before the client goes away.
const LOOKS: u32 = 1_000;

/// A client that sends everything at once, and takes all answers.
#[derive(Debug)]
struct Client<'a> {
    requests: &'a [u8],
    answers: Vec<u8>,
    looks_left: u32,
}

impl Read for Client<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let length = self.requests.len().min(buffer.remaining());
        if let Some((read, rest)) = self.requests.split_at_checked(length).filter(|(read, _)| !read.is_empty()) {
            buffer.put_slice(read);
            self.requests = rest;
            return Poll::Ready(Ok(()));
        }
        match self.looks_left.checked_sub(1) {
            Some(looks_left) => {
                self.looks_left = looks_left;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            // Nothing read is the end.
            None => Poll::Ready(Ok(())),
        }
    }
}

impl Write for Client<'_> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.answers.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
