//! Connections to a directory: bound as somebody, used for one question, and closed.

use std::sync::Arc;
use std::time::Duration;

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, Scope, SearchEntry, ldap_escape};
use rustls::ClientConfig;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a directory answers to a wrong name or password.
const INVALID_CREDENTIALS: u32 = 49;
/// There is no such entry.
const NO_SUCH_OBJECT: u32 = 32;
/// A name that is none.
const INVALID_DN: u32 = 34;

/// Where directories are.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields carry the names of RabbitMQ's keys")]
pub(crate) struct DirectorySettings {
    /// Asked in this order: the first that can be reached.
    pub(crate) servers: Vec<String>,
    pub(crate) port: u16,
    pub(crate) timeout: Duration,
    pub(crate) use_ssl: bool,
    pub(crate) use_starttls: bool,
    pub(crate) connection_pool_size: usize,
}

/// As whom a directory is asked.
#[derive(Clone)]
pub(crate) enum Bind {
    /// As nobody.
    Anonymous,
    /// As somebody.
    As { dn: String, password: String },
}

impl std::fmt::Debug for Bind {
    /// Leaves the password out, so that no log can show it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Anonymous => f.write_str("Anonymous"),
            Self::As { dn, .. } => f.debug_struct("As").field("dn", dn).finish_non_exhaustive(),
        }
    }
}

/// Why a directory does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// The name or the password is wrong.
    Refused,
    /// It cannot be asked.
    Failed(String),
}

impl From<LdapError> for Failed {
    fn from(error: LdapError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Directories that can be asked.
#[derive(Debug)]
pub(super) struct Servers {
    settings: DirectorySettings,
    tls: Arc<ClientConfig>,
    turns: Arc<Semaphore>,
}

impl Servers {
    pub(super) fn new(settings: DirectorySettings, tls: ClientConfig) -> Self {
        let turns = Arc::new(Semaphore::new(settings.connection_pool_size.max(1)));
        Self { tls: Arc::new(tls), settings, turns }
    }

    /// Connects, and binds as somebody.
    pub(super) async fn bind(&self, bind: &Bind) -> Result<Directory, Failed> {
        let patience = self.settings.timeout;
        let bound = async {
            // The semaphore is never closed.
            let turn = Arc::clone(&self.turns).acquire_owned().await.ok();
            let mut ldap = self.connected().await?;
            if let Bind::As { dn, password } = bind {
                let result = ldap.simple_bind(dn, password).await?;
                match result.rc {
                    0 => {}
                    // The name or the password is wrong. Any other code is trouble with the
                    // directory, and no refusal.
                    INVALID_CREDENTIALS | INVALID_DN => return Err(Failed::Refused),
                    code => return Err(Failed::Failed(format!("bind failed with {code}: {}", result.text))),
                }
            }
            Ok(Directory { ldap, patience, _turn: turn })
        };
        // One limit for the wait for a turn, all servers that are tried, and the bind.
        tokio::time::timeout(patience, bound).await.unwrap_or_else(|_late| Err(Failed::Failed("timeout".to_owned())))
    }

    async fn connected(&self) -> Result<Ldap, Failed> {
        let mut last = Failed::Failed("no_ldap_servers_defined".to_owned());
        for server in &self.settings.servers {
            match self.connect(server).await {
                Ok(ldap) => return Ok(ldap),
                Err(error) => last = Failed::Failed(format!("{server}: {error}")),
            }
        }
        Err(last)
    }

    async fn connect(&self, server: &str) -> Result<Ldap, LdapError> {
        let scheme = if self.settings.use_ssl { "ldaps" } else { "ldap" };
        let host = if server.contains(':') { format!("[{server}]") } else { server.to_owned() };
        let settings = LdapConnSettings::new()
            .set_conn_timeout(self.settings.timeout)
            .set_config(Arc::clone(&self.tls))
            .set_starttls(self.settings.use_starttls);
        let address = format!("{scheme}://{host}:{}", self.settings.port);
        let (connection, ldap) = LdapConnAsync::with_settings(settings, &address).await?;
        // It ends with the last of those who ask.
        tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!(%error, "a connection to a directory failed");
            }
        });
        Ok(ldap)
    }
}

/// A directory that is asked as somebody.
pub(super) struct Directory {
    ldap: Ldap,
    patience: Duration,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Directory {
    /// Whether there is this entry, and has this value of an attribute.
    pub(super) async fn has(&mut self, dn: &str, attribute: &str, value: &str) -> Result<bool, Failed> {
        // Escaped, so that a value with `*` or `)` in it is compared and not obeyed.
        let filter = format!("({attribute}={})", ldap_escape(value));
        // `1.1` asks for no attributes (RFC 4511, 4.5.1.8): only whether there is an entry counts.
        Ok(!self.search(dn, Scope::Base, &filter, "1.1").await?.is_empty())
    }

    /// Whether there is this entry.
    pub(super) async fn exists(&mut self, dn: &str) -> Result<bool, Failed> {
        Ok(!self.search(dn, Scope::Base, "(objectClass=*)", "1.1").await?.is_empty())
    }

    /// The names of all entries below that have this value of an attribute.
    pub(super) async fn having(&mut self, base: &str, attribute: &str, value: &str) -> Result<Vec<String>, Failed> {
        self.having_within(base, Scope::Subtree, attribute, value).await
    }

    /// The same, as deep as that.
    pub(super) async fn having_within(
        &mut self,
        base: &str,
        scope: Scope,
        attribute: &str,
        value: &str,
    ) -> Result<Vec<String>, Failed> {
        let filter = format!("({attribute}={})", ldap_escape(value));
        Ok(self.search(base, scope, &filter, "1.1").await?.into_iter().map(|entry| entry.dn).collect())
    }

    /// The values of an attribute of an entry.
    pub(super) async fn values(&mut self, dn: &str, attribute: &str) -> Result<Vec<String>, Failed> {
        let entries = self.search(dn, Scope::Base, "(objectClass=*)", attribute).await?;
        let named =
            |entry: SearchEntry| entry.attrs.into_iter().filter(|(name, _)| name.eq_ignore_ascii_case(attribute));
        Ok(entries.into_iter().flat_map(named).flat_map(|(_, values)| values).collect())
    }

    async fn search(
        &mut self,
        dn: &str,
        scope: Scope,
        filter: &str,
        attribute: &str,
    ) -> Result<Vec<SearchEntry>, Failed> {
        let found = self.ldap.with_timeout(self.patience).search(dn, scope, filter, vec![attribute]).await?;
        match (found.1.rc, found.0) {
            (0, entries) => Ok(entries.into_iter().map(SearchEntry::construct).collect()),
            // That is an answer: there is none.
            (NO_SUCH_OBJECT | INVALID_DN, _) => Ok(Vec::new()),
            (code, _) => Err(Failed::Failed(format!("search failed with {code}: {}", found.1.text))),
        }
    }
}
