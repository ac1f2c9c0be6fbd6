//! Which broker a command asks: the one that was named, or the one that runs on this machine.

use std::fmt;
use std::path::{Path, PathBuf};

use leveret::internals::config::{self, Environment, Settings};
use leveret::internals::server::local;
use leveret::internals::tls::{ClientIdentity, client_tls};

use super::called_as;
use super::system::{HAS_LOCAL_SOCKETS, is_alive};

/// RabbitMQ's port, and so that of a broker that was not told otherwise.
const DEFAULT_PORT: u16 = 5672;
/// How many bytes the path of a socket may have.
const SOCKET_PATH_MAX: usize = 107;
/// The port of the HTTP API if the address has none.
const HTTP_PORT: u16 = 15672;
/// The same with TLS.
const HTTPS_PORT: u16 = 15671;
/// Where a broker of this machine is asked that has no local socket.
const LOCAL_API: &str = "127.0.0.1";
/// What the user of a new broker and its password are.
const GUEST: &str = "guest";

/// Where to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The socket of a broker on this machine, where no password is needed.
    Socket(PathBuf),
    /// The HTTP API.
    Http {
        /// Host and port.
        address: String,
        /// What is before `/api`.
        path_prefix: String,
        /// Who asks.
        credentials: Credentials,
        /// How TLS is spoken, with `https`.
        tls: Option<TlsOptions>,
    },
}

/// How TLS is spoken with a broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TlsOptions {
    /// The authorities that its certificate may come from, in PEM, instead of those of the system.
    pub(super) ca_file: Option<PathBuf>,
    /// The certificate to show.
    pub(super) cert_file: Option<PathBuf>,
    pub(super) key_file: Option<PathBuf>,
    /// Whatever its certificate is.
    pub(super) is_insecure: bool,
}

impl TlsOptions {
    /// # Errors
    /// A sentence, when a file cannot be used.
    pub(super) fn config(&self) -> Result<rustls::ClientConfig, String> {
        let identity = match (&self.cert_file, &self.key_file) {
            (Some(certificate), Some(key)) => {
                Some(ClientIdentity { certificate: certificate.clone(), key: key.clone() })
            }
            (None, None) => None,
            (Some(_), None) => return Err("a certificate needs its key: --tls-key-file".to_owned()),
            (None, Some(_)) => return Err("a key needs its certificate: --tls-cert-file".to_owned()),
        };
        client_tls(self.ca_file.as_ref(), identity.as_ref(), !self.is_insecure)
    }
}

/// A user and its password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What was said about where the broker is, by options and by the environment.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// The socket itself.
    pub(super) socket: Option<PathBuf>,
    /// The data directory of the broker.
    pub(super) data_dir: Option<PathBuf>,
    /// The port on which the broker listens for AMQP.
    pub(super) port: Option<u16>,
    /// `http://[USER:PASSWORD@]HOST[:PORT][/PREFIX]`.
    pub(super) url: Option<String>,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    /// How TLS is spoken with an `https` URL.
    pub(super) tls: TlsOptions,
}

impl Wanted {
    /// What the environment says, and the configuration that a broker would read in this place.
    pub(super) fn from_configuration() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let tool = std::env::args_os().next();
        let serve = config::Serve::without_flags(tool.is_some_and(|name| called_as::tool(&name).is_some()));
        let settings = config::load(&serve, &Environment::of_process()).settings;
        let port = variable("RABBITMQ_NODE_PORT").or_else(|| variable("LEVERET_AMQP_PORT"));
        Self {
            socket: variable("LEVERET_SOCKET").map(PathBuf::from),
            url: variable("LEVERET_HTTP_URL"),
            ..Self::configured(&settings, port.and_then(|port| port.parse().ok()))
        }
    }

    /// The broker with these settings, unless a port is chosen: it is known by its data directory, or if it has none by its port.
    fn configured(settings: &Settings, port: Option<u16>) -> Self {
        let data_dir = settings.data_dir.clone().filter(|_| !settings.in_memory);
        let of_listener = || settings.amqp_listen.first().map(|place| place.port()).filter(|port| *port != 0);
        let port = port.or_else(|| if data_dir.is_none() { of_listener() } else { None });
        Self { data_dir, port, ..Self::default() }
    }

    /// The broker that is meant.
    ///
    /// # Errors
    /// A sentence, when there is none or one must choose.
    pub(super) fn find(&self) -> Result<Target, String> {
        if let Some(url) = &self.url {
            return http(url, self.user.as_deref(), self.password.as_deref(), &self.tls);
        }
        if let Some(socket) = &self.socket {
            return Ok(Target::Socket(socket.clone()));
        }
        if !HAS_LOCAL_SOCKETS {
            return http(LOCAL_API, self.user.as_deref(), self.password.as_deref(), &self.tls);
        }
        self.of_this_machine(&runtime_directories(), local::default_data_directory().as_deref())
    }

    fn of_this_machine(&self, running: &[PathBuf], default_data_dir: Option<&Path>) -> Result<Target, String> {
        if let Some(directory) = &self.data_dir {
            let socket = local::in_data_directory(directory);
            if self.port.is_none() && is_alive(&socket) {
                return Ok(Target::Socket(socket));
            }
            // Never another one in its place. Where the path is too long for a socket, the port must tell.
            if self.port.is_none() && socket.as_os_str().len() <= SOCKET_PATH_MAX {
                return Err(format!("no broker runs with the data directory {}", directory.display()));
            }
        }
        let port = self.port.unwrap_or(DEFAULT_PORT);
        let by_port = running.iter().map(|directory| local::under_port(directory, port)).find(|path| is_alive(path));
        if let Some(socket) = by_port {
            return Ok(Target::Socket(socket));
        }
        if self.port.is_some() {
            return Err(format!("no broker of this machine listens on port {port}{}", others(&alive(running))));
        }
        if let Some(socket) = default_data_dir.map(local::in_data_directory).filter(|path| is_alive(path)) {
            return Ok(Target::Socket(socket));
        }
        match alive(running).as_slice() {
            [] => {
                Err("no broker runs on this machine as this user; name one with --socket, --data-dir or --url"
                    .to_owned())
            }
            [(_, only)] => Ok(Target::Socket(only.clone())),
            several => Err(format!("several brokers run on this machine{}; choose one with --port", others(several))),
        }
    }
}

/// Directories in which brokers that this user may ask leave their sockets.
fn runtime_directories() -> Vec<PathBuf> {
    let mut directories = vec![local::directory()];
    let of_root = PathBuf::from("/run/leveret");
    if !directories.contains(&of_root) {
        directories.push(of_root);
    }
    directories
}

/// The brokers that run, by port.
fn alive(directories: &[PathBuf]) -> Vec<(String, PathBuf)> {
    let entries = directories.iter().filter_map(|directory| std::fs::read_dir(directory).ok()).flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let path = entry.path();
            let port = path.file_name()?.to_str()?.strip_suffix(".sock")?.to_owned();
            is_alive(&path).then_some((port, path))
        })
        .collect();
    found.sort();
    found
}

fn others(running: &[(String, PathBuf)]) -> String {
    if running.is_empty() {
        return String::new();
    }
    let ports: Vec<_> = running.iter().map(|(port, _)| port.as_str()).collect();
    format!("; brokers run on {}", ports.join(", "))
}

/// Reads the address of an HTTP API.
///
/// # Errors
/// A sentence that says what is wrong.
pub(super) fn http(url: &str, user: Option<&str>, password: Option<&str>, tls: &TlsOptions) -> Result<Target, String> {
    let (rest, tls) = match url.split_once("://") {
        Some(("http", rest)) => (rest, None),
        Some(("https", rest)) => (rest, Some(tls.clone())),
        Some((scheme, _)) => {
            return Err(format!(
                "{url}: the scheme {scheme} is not supported here; write http://HOST:PORT or https://HOST:PORT"
            ));
        }
        None => (url, None),
    };
    let (authority, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    // At the last one, as a password may hold others.
    let (login, address) = match authority.rsplit_once('@') {
        Some((login, address)) => (Some(login), address),
        None => (None, authority),
    };
    if address.is_empty() {
        return Err(format!("{url}: there is no host in it; write http://HOST:PORT"));
    }
    let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let port = if tls.is_some() { HTTPS_PORT } else { HTTP_PORT };
    let address = if has_port { address.to_owned() } else { format!("{address}:{port}") };
    let (own_user, own_password) = login.map_or((None, None), |login| match login.split_once(':') {
        Some((user, password)) => (Some(user), Some(password)),
        None => (Some(login), None),
    });
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let text = |given: Option<&str>, own: Option<&str>| match (given, own) {
        (Some(given), _) => given.to_owned(),
        (None, Some(own)) => decoded(own),
        (None, None) => GUEST.to_owned(),
    };
    let credentials = Credentials { user: text(user, own_user), password: text(password, own_password) };
    let path = format!("/{}", prefix.trim_matches('/'));
    let path_prefix = path.strip_suffix("/api").unwrap_or(&path).trim_end_matches('/').to_owned();
    Ok(Target::Http { address, path_prefix, credentials, tls })
}

impl Target {
    /// What is before `/api` in paths.
    pub(super) fn path_prefix(&self) -> &str {
        match self {
            Self::Socket(_) => "",
            Self::Http { path_prefix, .. } => path_prefix,
        }
    }

    /// The value of the header `Host`.
    pub(super) fn host(&self) -> &str {
        match self {
            Self::Socket(_) => "localhost",
            Self::Http { address, .. } => address,
        }
    }

    /// Who asks; nobody in particular over the socket.
    pub(super) const fn credentials(&self) -> Option<&Credentials> {
        match self {
            Self::Socket(_) => None,
            Self::Http { credentials, .. } => Some(credentials),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(formatter, "the broker at {}", path.display()),
            Self::Http { address, tls, .. } => {
                let scheme = if tls.is_some() { "https" } else { "http" };
                write!(formatter, "the broker at {scheme}://{address}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn target(url: &str) -> (String, String, Credentials) {
        match http(url, None, None, &TlsOptions::default()).unwrap() {
            Target::Http { address, path_prefix, credentials, .. } => (address, path_prefix, credentials),
            Target::Socket(path) => panic!("{path:?}"),
        }
    }

    #[test]
    fn the_address_of_an_api_may_leave_out_nearly_everything() {
        let login = |user: &str, password: &str| Credentials { user: user.to_owned(), password: password.to_owned() };
        assert_eq!(target("host"), ("host:15672".into(), String::new(), login("guest", "guest")));
        assert_eq!(target("http://a:b%40@host:80/x/api/"), ("host:80".into(), "/x".into(), login("a", "b@")));
        assert_eq!(target("http://host/api").1, "");
        assert_eq!(target("https://host").0, "host:15671");
        assert_eq!(target("http://host/rapi/").1, "/rapi");
        assert!(http("ftp://host", None, None, &TlsOptions::default()).unwrap_err().contains("ftp"));
        assert!(http("http://", None, None, &TlsOptions::default()).unwrap_err().contains("no host"));
    }

    /// A directory with the sockets of these ports.
    fn running(name: &str, ports: &[u16]) -> (PathBuf, Vec<UnixListener>) {
        let directory = std::env::temp_dir().join(format!("leveret-target-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let bind = |port: &u16| UnixListener::bind(local::under_port(&directory, *port)).unwrap();
        let listeners = ports.iter().map(bind).collect();
        (directory, listeners)
    }

    fn find(wanted: &Wanted, directory: &Path) -> Result<Target, String> {
        wanted.of_this_machine(&[directory.to_owned()], None)
    }

    #[test]
    fn one_broker_is_found_and_several_must_be_told_apart() {
        let (directory, one) = running("one", &[7001]);
        let wanted = Wanted::default();
        assert_eq!(find(&wanted, &directory), Ok(Target::Socket(local::under_port(&directory, 7001))));
        drop(one);
        assert!(find(&wanted, &directory).unwrap_err().contains("no broker runs"));
        std::fs::remove_dir_all(&directory).unwrap();

        let (directory, _two) = running("two", &[7001, 7002]);
        assert!(find(&wanted, &directory).unwrap_err().contains("brokers run on 7001, 7002; choose one with --port"));
        let wanted = Wanted { port: Some(7002), ..Wanted::default() };
        assert_eq!(find(&wanted, &directory), Ok(Target::Socket(local::under_port(&directory, 7002))));
        let wanted = Wanted { port: Some(7003), ..Wanted::default() };
        assert!(find(&wanted, &directory).unwrap_err().contains("listens on port 7003; brokers run on 7001, 7002"));
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn the_configuration_of_the_broker_says_which_one_it_is() {
        let settings = |data_dir: Option<&str>, in_memory, port| Settings {
            data_dir: data_dir.map(PathBuf::from),
            in_memory,
            amqp_listen: vec![config::Listen::Localhost(port)],
            ..Settings::default()
        };
        let found = |settings: &Settings, port| {
            let Wanted { data_dir, port, .. } = Wanted::configured(settings, port);
            (data_dir.map(|directory| directory.display().to_string()), port)
        };
        let place = || Some("/d".to_owned());
        assert_eq!(found(&settings(Some("/d"), false, 5673), None), (place(), None));
        assert_eq!(found(&settings(Some("/d"), false, 5673), Some(7)), (place(), Some(7)));
        assert_eq!(found(&settings(Some("/d"), true, 5673), None), (None, Some(5673)));
        assert_eq!(found(&settings(None, false, 0), None), (None, None));
        assert_eq!(found(&Settings::default(), None), (None, None));
    }

    #[test]
    fn the_default_port_goes_before_others() {
        let (directory, _both) = running("default", &[5672, 7002]);
        assert_eq!(find(&Wanted::default(), &directory), Ok(Target::Socket(local::under_port(&directory, 5672))));
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
