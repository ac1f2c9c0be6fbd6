//! A listener that is told to let nobody in, and then to go on.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::hosting;
use crate::clock::{Clock, ClockHand};
use crate::connection::admission::{Admission, DescriptorLimits, Suspension};
use crate::connection::listener::Listener;
use crate::connection::listening_socket::ListeningSocket;

/// A listener on a port that the system has chosen, until it is told to stop.
struct Running {
    address: SocketAddr,
    admission: Arc<Admission>,
    hand: Arc<ClockHand>,
    stop: Arc<Notify>,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    async fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let bind_again = move || {
            let socket = std::net::TcpListener::bind(address)?;
            socket.set_nonblocking(true)?;
            TcpListener::from_std(socket)
        };
        let socket = ListeningSocket::new(socket, Box::new(bind_again));
        let admission = Arc::new(Admission::new(DescriptorLimits::for_descriptors(1024)));
        let (clock, hand) = Clock::manual();
        let listener = Listener::new(socket, None, hosting(), Arc::clone(&admission), clock);
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let run = async move { listener.run(stopped.notified(), std::future::ready(())).await };
        Self { address, admission, hand, stop, task: tokio::spawn(run) }
    }

    async fn is_followed(&self) {
        while !self.admission.is_followed() {
            tokio::task::yield_now().await;
        }
    }

    /// Whether a client is served.
    async fn serves(&self) -> Result<(), ErrorKind> {
        let mut client = TcpStream::connect(self.address).await.map_err(|error| error.kind())?;
        client.write_all(b"AMQP\x00\x00\x09\x01").await.unwrap();
        client.read_u8().await.map(|_| ()).map_err(|error| error.kind())
    }
}

#[tokio::test]
async fn while_nobody_is_let_in_connections_are_refused_and_then_the_port_is_the_same() {
    let listener = Running::start().await;
    for why in [Suspension::Drained, Suspension::Stopped, Suspension::Listeners] {
        assert_eq!(listener.serves().await, Ok(()), "{why:?}");
        listener.admission.suspend(why);
        listener.is_followed().await;
        assert_eq!(listener.serves().await, Err(ErrorKind::ConnectionRefused), "{why:?}");
        listener.admission.resume(why);
        listener.is_followed().await;
    }
    assert_eq!(listener.serves().await, Ok(()));
}

#[tokio::test]
async fn a_port_that_somebody_else_has_taken_is_tried_until_it_is_free() {
    let listener = Running::start().await;
    listener.admission.suspend(Suspension::Drained);
    listener.is_followed().await;
    let other = TcpListener::bind(listener.address).await.unwrap();
    listener.admission.resume(Suspension::Drained);
    listener.is_followed().await;
    drop(other);
    assert_eq!(listener.serves().await, Err(ErrorKind::ConnectionRefused), "it has not tried again yet");
    listener.hand.advance(Duration::from_secs(1));
    while listener.serves().await.is_err() {
        assert!(!listener.task.is_finished());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_listener_ends_while_its_socket_is_closed() {
    let listener = Running::start().await;
    listener.admission.suspend(Suspension::Drained);
    listener.is_followed().await;
    listener.stop.notify_one();
    listener.task.await.unwrap();
}
