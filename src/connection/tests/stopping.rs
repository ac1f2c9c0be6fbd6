//! The end of a listener.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::hosting;
use crate::clock::Clock;
use crate::connection::admission::{Admission, DescriptorLimits};
use crate::connection::listener::Listener;
use crate::connection::listening_socket::ListeningSocket;

/// Nothing else runs between the end of the listener and the look: whoever starts a broker in the same place does not wait either.
#[tokio::test]
async fn nothing_is_left_of_a_connection_that_was_not_waited_for() {
    let hosting = hosting();
    let kept = Arc::downgrade(&hosting);
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let admission = Arc::new(Admission::new(DescriptorLimits::for_descriptors(1024)));
    let stop = Notify::new();
    let socket = ListeningSocket::new(socket, Box::new(|| Err(std::io::ErrorKind::Unsupported.into())));
    let listener = Listener::new(socket, None, hosting, admission, Clock::system());
    let served = async {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"AMQP\x00\x00\x09\x01").await.unwrap();
        // It is served, and says nothing more.
        client.read_u8().await.unwrap();
        stop.notify_one();
        client
    };
    let (_client, ()) = tokio::join!(served, listener.run(stop.notified(), std::future::ready(())));
    assert_eq!(kept.strong_count(), 0);
}
