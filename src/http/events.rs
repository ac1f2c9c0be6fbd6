//! Server-sent events: an answer that goes on until the client leaves, does not read, or the server stops.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use hyper::body::{Body, Frame};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::store::Wake;

/// A comment is sent when nothing else was for so long, by which both sides notice that the other is gone.
const SILENCE: Duration = Duration::from_secs(15);
/// A client that takes nothing for so long is left.
const PATIENCE: Duration = Duration::from_secs(30);
/// Events that are written and not taken: what comes next is bounded by its source.
const PIECES_MAX: usize = 2;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Happened {
    pub(super) name: &'static str,
    /// JSON without line breaks: one would end the event.
    pub(super) data: String,
}

/// Where events come from; dropping it ends it.
pub(super) trait EventSource: Send {
    /// What happened since it was asked last.
    fn take(&mut self) -> Vec<Happened>;
}

/// Begins to watch; the source calls `wake` when there is something to take.
pub(super) type BeginEvents = Box<dyn FnOnce(Arc<dyn Wake>) -> Box<dyn EventSource> + Send>;

#[derive(Debug, Default)]
struct WakeSignal(tokio::sync::Notify);

impl Wake for WakeSignal {
    fn wake(&self) {
        self.0.notify_one();
    }
}

/// The body of an answer.
pub(super) struct EventBody {
    pieces: mpsc::Receiver<Bytes>,
}

impl fmt::Debug for EventBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventBody")
    }
}

impl EventBody {
    /// Begins to watch. `place` is given back when it is over.
    pub(super) fn begin(begin: BeginEvents, place: OwnedSemaphorePermit) -> Self {
        let (sender, pieces) = mpsc::channel(PIECES_MAX);
        let signal = Arc::new(WakeSignal::default());
        let source = begin(Arc::clone(&signal) as Arc<dyn Wake>);
        tokio::spawn(async move {
            feed(source, &signal, &sender).await;
            drop(place);
        });
        Self { pieces }
    }
}

async fn feed(mut source: Box<dyn EventSource>, signal: &WakeSignal, sender: &mpsc::Sender<Bytes>) {
    // At once, so that the client sees that it watches.
    let mut piece = ": watching\n\n".to_owned();
    loop {
        if sender.send_timeout(Bytes::from(piece), PATIENCE).await.is_err() {
            return;
        }
        tokio::select! {
            () = signal.0.notified() => {}
            () = tokio::time::sleep(SILENCE) => {}
            () = sender.closed() => return,
        }
        piece = source.take().iter().map(|event| format!("event: {}\ndata: {}\n\n", event.name, event.data)).collect();
        if piece.is_empty() {
            ": still here\n\n".clone_into(&mut piece);
        }
    }
}

impl Body for EventBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let piece = ready!(self.pieces.poll_recv(context));
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }
}
