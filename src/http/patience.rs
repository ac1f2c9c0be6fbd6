//! A socket whose client must take what it is sent. A client that takes nothing for long keeps an answer in memory and a place
//! among the connections, so it is closed.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::time::{Sleep, sleep};

/// A client has so long to take something.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A socket that fails when its client takes nothing for too long.
#[derive(Debug)]
pub(super) struct Patient<S> {
    socket: S,
    patience: Duration,
    /// Runs while the client takes nothing.
    standstill: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    pub(super) const fn new(socket: S, patience: Duration) -> Self {
        Self { socket, patience, standstill: None }
    }

    /// Fails if nothing was taken for too long; anything that is taken begins the time anew.
    fn watched<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.standstill = None;
            return polled;
        }
        let patience = self.patience;
        let standstill = self.standstill.get_or_insert_with(|| Box::pin(sleep(patience)));
        match standstill.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: Read + Unpin> Read for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, to: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, to)
    }
}

impl<S: Write + Unpin> Write for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(context, from);
        self.watched(context, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.socket).poll_flush(context);
        self.watched(context, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.socket).poll_shutdown(context);
        self.watched(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write_vectored(context, from);
        self.watched(context, polled)
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::any;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::sync::watch;

    use super::*;
    use crate::http::caller::CallerPlace;
    use crate::http::server::connection_with;

    const ANSWER_BYTES: usize = 1_000_000;

    /// Asks for a large answer over a socket that holds little, and then does what is given.
    async fn served<R>(patience: Duration, client: impl AsyncFnOnce(&mut tokio::io::DuplexStream) -> R) -> R {
        let (mut near, far) = duplex(1_024);
        let router = Router::new().fallback(any(async || vec![b'x'; ANSWER_BYTES]));
        let (_stop, stopped) = watch::channel(false);
        let serve = connection_with(TokioIo::new(far), CallerPlace::Local, router, stopped, patience);
        let served = tokio::spawn(serve);
        near.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let result = client(&mut near).await;
        served.await.unwrap();
        result
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_dropped() {
        served(Duration::from_millis(20), async |_near| ()).await;
    }

    #[tokio::test]
    async fn one_that_takes_a_little_again_and_again_is_not() {
        let taken = served(Duration::from_secs(60), async |near| {
            let mut taken = Vec::new();
            near.read_to_end(&mut taken).await.unwrap();
            taken.len()
        });
        assert!(taken.await > ANSWER_BYTES);
    }
}
