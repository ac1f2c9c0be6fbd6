//! The API over a socket of the file system, for commands on the same machine. Who comes through it needs no password.
//!
//! The socket's file is closed to others, and the system says who is at the other end: only root, the user as whom the broker
//! runs, and members of one group, if one was named, are let in.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};

use super::accept_failures::AcceptFailures;
use super::caller::CallerPlace;
use super::server::{connection, until};
use crate::host::groups::is_member;

/// So many connections are served at a time. They are not taken from those of the network, which anybody may fill.
const CONNECTIONS_MAX: usize = 64;

/// Serves until the server is to stop.
pub(super) async fn accept(
    listener: UnixListener,
    group: Option<u32>,
    router: Router,
    mut failures: AcceptFailures,
    mut stopped: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = until(&mut stopped) => return,
        };
        match accepted {
            Ok((socket, _)) => {
                let (router, stopped) = (router.clone(), stopped.clone());
                tokio::spawn(async move {
                    if is_trusted(&socket, group).await {
                        connection(TokioIo::new(socket), CallerPlace::Local, router, stopped).await;
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                failures.tell("a connection of the local socket", &error);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn is_trusted(socket: &UnixStream, group: Option<u32>) -> bool {
    let own = rustix::process::geteuid().as_raw();
    match socket.peer_cred() {
        Ok(peer) if may_administer(peer.uid(), own) => true,
        Ok(peer) if is_in(group, peer.uid(), peer.gid()).await => true,
        Ok(peer) => {
            tracing::warn!(uid = peer.uid(), pid = peer.pid(), "another user came through the local socket; refused");
            false
        }
        Err(error) => {
            tracing::warn!(%error, "cannot tell who came through the local socket; refused");
            false
        }
    }
}

/// Whether a user may do everything, through a broker that runs as the user `own`.
const fn may_administer(uid: u32, own: u32) -> bool {
    uid == ROOT || uid == own
}

/// Whether whoever has this user and this group belongs to the group that is trusted. Users are looked up where the system has them,
/// which may take a while.
async fn is_in(trusted: Option<u32>, uid: u32, gid: u32) -> bool {
    let Some(trusted) = trusted else { return false };
    // A panic was reported when it happened.
    gid == trusted || tokio::task::spawn_blocking(move || is_member(uid, trusted)).await.unwrap_or(false)
}

const ROOT: u32 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_brokers_own_user_are_trusted() {
        assert!(may_administer(0, 999));
        assert!(may_administer(999, 999));
        assert!(!may_administer(1000, 999));
        assert!(!may_administer(1000, 0));
    }

    #[tokio::test]
    async fn members_of_the_group_are_trusted_if_there_is_one() {
        let (nobody, group) = (4_000_000_000, 4_000_000_001);
        assert!(is_in(Some(group), nobody, group).await);
        assert!(!is_in(Some(group), nobody, nobody).await);
        assert!(!is_in(None, nobody, group).await);
    }
}
