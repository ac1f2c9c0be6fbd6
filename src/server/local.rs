//! Where the socket for commands on this machine lies: in the data directory, or for a broker in memory under its port in the
//! directory of what runs.
//!
//! A broker with a data directory leaves a link under its port as well, so that one directory tells which brokers run. Whatever
//! goes wrong here costs the broker its commands and nothing else: it is logged, and the broker starts.

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::start_error::StartFailure;
use crate::config::SystemGroup;
use crate::host;

/// Who may open the socket.
const OWNER: u32 = 0o600;
const OWNER_AND_GROUP: u32 = 0o660;

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

/// A socket that is listened on.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) listener: UnixListener,
    /// The number of the group whose members may use it.
    pub(super) group: Option<u32>,
    pub(super) socket: LocalSocket,
}

/// The number of the group that was named.
///
/// # Errors
/// When it is not there.
pub(super) fn found(group: Option<SystemGroup>) -> Result<Option<u32>, StartFailure> {
    let number = |SystemGroup(group)| host::groups::group_id(&group).ok_or(StartFailure::NoGroup { group });
    group.map(number).transpose()
}

/// Listens for commands.
pub(super) fn listen(data_dir: Option<&Path>, port: u16, group: Option<u32>) -> Option<Local> {
    let runtime = directory();
    let by_port = under_port(&runtime, port);
    let runtime = open(&runtime).map(|()| by_port);
    let bound = match data_dir.map(in_data_directory) {
        // The data directory is closed to the group.
        Some(link) if group.is_some() => runtime.and_then(|socket| with_link(socket, link, group)),
        Some(socket) => match bind(&socket, group) {
            Ok(listener) => {
                let link = runtime.ok().filter(|link| leave_link(&socket, link).is_ok());
                link.iter().for_each(|link| sweep(&directory(), &socket, link));
                Ok((listener, LocalSocket { files: link.into_iter().chain([socket]).collect() }))
            }
            // The path of a socket may have 107 bytes only, and not every file system has sockets.
            Err(error) => runtime.map_err(|_none| error).and_then(|socket| alone(socket, group)),
        },
        None => runtime.and_then(|socket| alone(socket, group)),
    };
    let bound = bound.inspect_err(|error| {
        tracing::warn!(%error, "commands on this machine must use HTTP: no local socket");
    });
    bound.ok().map(|(listener, socket)| Local { listener, group, socket })
}

fn alone(socket: PathBuf, group: Option<u32>) -> io::Result<(UnixListener, LocalSocket)> {
    Ok((bind(&socket, group)?, LocalSocket { files: vec![socket] }))
}

/// Listens outside of the data directory, and leaves a link there.
fn with_link(socket: PathBuf, link: PathBuf, group: Option<u32>) -> io::Result<(UnixListener, LocalSocket)> {
    let listener = bind(&socket, group)?;
    let link = Some(link).filter(|link| leave_link(&socket, link).is_ok());
    Ok((listener, LocalSocket { files: link.into_iter().chain([socket]).collect() }))
}

fn leave_link(socket: &Path, link: &Path) -> io::Result<()> {
    // A relative target would be looked for beside the link.
    let target = std::path::absolute(socket)?;
    // After a kill: somebody answers there, and it is this broker.
    if std::fs::read_link(link).is_ok_and(|there| there == target) {
        return Ok(());
    }
    replace(link)?;
    symlink(target, link)
}

/// Removes links that brokers have left which were killed: those that lead nowhere, and those to this socket under another port.
fn sweep(directory: &Path, socket: &Path, link: &Path) {
    let Ok(target) = std::path::absolute(socket) else { return };
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_socket = path.extension().is_some_and(|ending| ending == "sock");
        let Ok(there) = std::fs::read_link(&path) else { continue };
        let leads_nowhere = std::fs::metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        if is_socket && path != link && (there == target || leads_nowhere) {
            // Nothing depends on it: who follows it finds nobody, or a broker on another port.
            std::fs::remove_file(&path).ok();
        }
    }
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

fn bind(path: &Path, group: Option<u32>) -> io::Result<UnixListener> {
    let with_path = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    replace(path).map_err(with_path)?;
    let listener = UnixListener::bind(path).map_err(with_path)?;
    // Between the two others may connect; who they are is asked anyway.
    let mode = match group.map(|group| chown(path, None, Some(group))) {
        None => OWNER,
        Some(Ok(())) => OWNER_AND_GROUP,
        Some(Err(error)) => {
            let path = path.display();
            tracing::warn!(%path, %error, "cannot give the local socket to the group; its members must use HTTP");
            OWNER
        }
    };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(with_path)?;
    Ok(listener)
}

/// Removes what a broker has left that is gone.
fn replace(path: &Path) -> io::Result<()> {
    // A file may be left by a broker that was killed: only one that nobody accepts on is removed. Of a
    // link only the link goes.
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
        drop(bind(&path, None).unwrap());
        assert!(path.exists());
        let second = bind(&path, None).unwrap();
        assert_eq!(bind(&path, None).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        drop(second);
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_data_directory_with_a_long_name_has_its_socket_elsewhere() {
        let directory = scratch(&"x".repeat(100));
        let local = listen(Some(&directory), 1, None).expect("there is another place");
        assert_eq!(local.socket.files, [under_port(&super::directory(), 1)]);
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn after_a_kill_the_link_is_the_brokers_own_again_and_goes_with_it() {
        let data = scratch("killed");
        let (link, other) = (under_port(&directory(), 3), under_port(&directory(), 4));
        // One that is killed removes nothing.
        let kill = |mut local: Local| local.socket.files.clear();
        kill(listen(Some(&data), 3, None).expect("there is a place"));
        assert!(link.exists());
        let local = listen(Some(&data), 3, None).expect("nobody listens there");
        assert_eq!(local.socket.files, [link.clone(), in_data_directory(&data)]);
        kill(local);
        let local = listen(Some(&data), 4, None).expect("nobody listens there");
        assert!(std::fs::symlink_metadata(&link).is_err(), "a link under the port of before leads to another broker");
        drop(local);
        assert!(std::fs::symlink_metadata(&other).is_err());
        std::fs::remove_dir_all(data).unwrap();
    }

    #[test]
    fn links_that_lead_nowhere_are_removed_and_others_are_not() {
        let directory = scratch("sweep");
        let (socket, link) = (directory.join("own"), directory.join("5.sock"));
        symlink(directory.join("gone"), directory.join("6.sock")).unwrap();
        symlink(directory.join("gone"), directory.join("note")).unwrap();
        std::fs::write(directory.join("there"), "").unwrap();
        symlink(directory.join("there"), directory.join("7.sock")).unwrap();
        sweep(&directory, &socket, &link);
        let mut left: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["7.sock", "note", "there"]);
        std::fs::remove_dir_all(directory).unwrap();
    }

    /// The group of the process itself, which any user may give a file to.
    #[test]
    fn a_group_gets_a_socket_outside_of_the_data_directory_and_a_link_leads_there() {
        let directory = scratch("group");
        let group = rustix::process::getegid().as_raw();
        let local = listen(Some(&directory), 2, Some(group)).expect("the process's own group is there");
        let socket = under_port(&super::directory(), 2);
        let link = in_data_directory(&directory);
        assert_eq!(local.socket.files, [link.clone(), socket.clone()]);
        assert_eq!(std::fs::canonicalize(link).unwrap(), std::fs::canonicalize(&socket).unwrap());
        let found = std::fs::metadata(&socket).unwrap();
        assert_eq!((found.mode() & 0o777, found.gid()), (0o660, group));
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_group_that_is_not_there_is_named() {
        let error = found(Some(SystemGroup("no-such-group".to_owned()))).unwrap_err().to_string();
        assert!(
            error.starts_with("there is no group 'no-such-group' on this machine, which socket_group names"),
            "{error}"
        );
        assert_eq!(found(Some(SystemGroup("7".to_owned()))).unwrap(), Some(7));
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
