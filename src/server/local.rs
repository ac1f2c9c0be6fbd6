//! Where the socket for commands on this machine lies: in the data directory, or for a broker in memory under its port in the
//! directory of what runs.
//!
//! A broker with a data directory leaves a link under its port as well, so that one directory tells which brokers run. Whatever
//! goes wrong here costs the broker its commands and nothing else: it is logged, and the broker starts.

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::host;

/// The name of the socket in a data directory.
const NAME: &str = "leveret.sock";

/// The socket of a running broker. Its files go with it.
#[derive(Debug)]
pub(crate) struct LocalSocket {
    files: Vec<PathBuf>,
}

impl Drop for LocalSocket {
    fn drop(&mut self) {
        for file in &self.files {
            // Nothing depends on it: the next broker there replaces what nobody listens to.
            std::fs::remove_file(file).ok();
        }
    }
}

/// Where the broker with this data directory listens for commands.
pub fn in_data_directory(directory: &Path) -> PathBuf {
    directory.join(NAME)
}

/// Where brokers of this user leave a socket or a link under the port on which they listen for AMQP.
pub fn directory() -> PathBuf {
    host::runtime_directory()
}

/// Where the broker on this port, of this user, listens for commands.
pub fn under_port(directory: &Path, port: u16) -> PathBuf {
    directory.join(format!("{port}.sock"))
}

/// The data directory of a broker that was not told otherwise.
pub fn default_data_directory() -> Option<PathBuf> {
    host::data_directory()
}

/// Listens for commands.
pub(super) fn listen(data_dir: Option<&Path>, port: u16) -> Option<(UnixListener, LocalSocket)> {
    let runtime = directory();
    let by_port = under_port(&runtime, port);
    let runtime = open(&runtime).map(|()| by_port);
    let bound = match data_dir.map(in_data_directory) {
        Some(socket) => match bind(&socket) {
            Ok(listener) => {
                let link = runtime.ok().filter(|link| leave_link(&socket, link).is_ok());
                Ok((listener, LocalSocket { files: link.into_iter().chain([socket]).collect() }))
            }
            // The path of a socket may have 107 bytes only, and not every file system has sockets.
            Err(error) => runtime.map_err(|_none| error).and_then(alone),
        },
        None => runtime.and_then(alone),
    };
    bound.inspect_err(|error| tracing::warn!(%error, "commands on this machine must use HTTP: no local socket")).ok()
}

fn alone(socket: PathBuf) -> io::Result<(UnixListener, LocalSocket)> {
    Ok((bind(&socket)?, LocalSocket { files: vec![socket] }))
}

fn leave_link(socket: &Path, link: &Path) -> io::Result<()> {
    replace(link)?;
    symlink(std::path::absolute(socket)?, link)
}

/// Makes the directory if it is missing.
///
/// # Errors
/// When it cannot be made, or others can write there: they could put a socket of their own in the broker's place.
fn open(directory: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
    let found = std::fs::symlink_metadata(directory)?;
    let is_ours = found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o022 == 0;
    if is_ours { Ok(()) } else { Err(io::Error::other(format!("{} belongs to others", directory.display()))) }
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    let with_path = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    replace(path).map_err(with_path)?;
    let listener = UnixListener::bind(path).map_err(with_path)?;
    // Between the two others may connect; who they are is asked anyway.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(with_path)?;
    Ok(listener)
}

/// Removes what a broker has left that is gone.
fn replace(path: &Path) -> io::Result<()> {
    if UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another broker listens there"));
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("leveret-local-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn a_socket_that_nobody_listens_to_is_replaced_and_another_one_is_not() {
        let directory = scratch("replace");
        let path = directory.join("a.sock");
        drop(bind(&path).unwrap());
        assert!(path.exists());
        let second = bind(&path).unwrap();
        assert_eq!(bind(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        drop(second);
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_data_directory_with_a_long_name_has_its_socket_elsewhere() {
        let directory = scratch(&"x".repeat(100));
        let (_listener, socket) = listen(Some(&directory), 1).expect("there is another place");
        assert_eq!(socket.files, [under_port(&super::directory(), 1)]);
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_directory_where_others_can_write_is_not_used() {
        let directory = scratch("open");
        open(&directory).unwrap();
        std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(open(&directory).is_err());
        std::fs::remove_dir_all(directory).unwrap();
    }
}
