//! `rabbit_auth_backend_ldap`: a directory says who users are and what they may do.

mod directory;
mod evaluate;

use std::sync::Arc;

use crate::auth::ldap::{FillVariables, Query, is_dn};
use crate::auth::{
    Attempt, Backend, BackendAnswer, Grant, Identified, LoginRefused, PasswordHash, Question, Said, User, Waiting,
};
use crate::tls::{ClientIdentity, InvalidTrust, Trust};
pub(crate) use directory::{Bind, DirectorySettings};
use directory::{Directory, Failed, Servers};
use evaluate::Evaluation;

const NAME: &str = "rabbit_auth_backend_ldap";

/// What is configured. The fields carry the names of RabbitMQ's keys, `auth_ldap.*`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "docs/configuration.md says what each is")]
pub(crate) struct LdapSettings {
    pub(crate) directory: DirectorySettings,
    pub(crate) user_dn_pattern: String,
    pub(crate) user_bind_pattern: Option<String>,
    pub(crate) dn_lookup_attribute: Option<String>,
    pub(crate) dn_lookup_base: Option<String>,
    /// `None` to look with the user's own password.
    pub(crate) dn_lookup_bind: Option<Bind>,
    /// `None` to ask with the user's own password.
    pub(crate) other_bind: Option<Bind>,
    pub(crate) group_lookup_base: Option<String>,
    pub(crate) vhost_access_query: Query,
    pub(crate) resource_access_query: Query,
    pub(crate) topic_access_query: Query,
    pub(crate) tag_queries: Vec<(String, Query)>,
    pub(crate) trust: Trust,
    /// What is shown to a directory that asks for a certificate.
    pub(crate) identity: Option<ClientIdentity>,
}

/// A directory that knows users.
#[derive(Clone, Debug)]
pub(crate) struct Ldap(Arc<Known>);

#[derive(Debug)]
struct Known {
    settings: LdapSettings,
    servers: Servers,
}

/// Who somebody is in the directory.
#[derive(Clone)]
struct Person {
    name: String,
    dn: String,
    password: Option<String>,
}

impl Ldap {
    /// One that has asked nothing.
    ///
    /// # Errors
    /// When nobody can be believed, or there is no such certificate to show.
    pub(crate) fn new(settings: LdapSettings) -> Result<Self, InvalidTrust> {
        let tls = settings.trust.tls_as(settings.identity.as_ref())?;
        let servers = Servers::new(settings.directory.clone(), tls);
        Ok(Self(Arc::new(Known { settings, servers })))
    }
}

impl Known {
    async fn log_in(self: Arc<Self>, attempt: Arc<Attempt>) -> Result<Identified, LoginRefused> {
        let user = &attempt.user;
        let password = match &attempt.password {
            // An empty password binds as nobody, and succeeds (RFC 4513, 5.1.2).
            Some(password) if password.is_empty() => {
                let text = format!("user '{user}' - unauthenticated bind not allowed");
                return Err(LoginRefused::ByBackend(text));
            }
            Some(password) => Some(String::from_utf8_lossy(password).into_owned()),
            None => None,
        };
        let identified = self.identify(user, password).await;
        let (person, tags) = identified.map_err(|failed| match failed {
            Failed::Refused => LoginRefused::ByBackend(format!("user '{user}' - invalid credentials")),
            Failed::Failed(text) => LoginRefused::CannotSay(format!("{NAME} failed authenticating {user}: {text}")),
        })?;
        let user = Arc::new(User::new(user, PasswordHash::none(), tags));
        Ok(Identified { user, grant: Arc::new(LdapGrant { known: self, person }) })
    }

    /// Who it is in the directory, and its tags.
    async fn identify(&self, user: &str, password: Option<String>) -> Result<(Person, Vec<String>), Failed> {
        let settings = &self.settings;
        let mut dn = self.filled(&settings.user_dn_pattern, user);
        let looks_up = settings.dn_lookup_attribute.is_some();
        let mut directory = None;
        // With a user of its own for it the entry is searched first, since the user is to
        // bind with what is found.
        if looks_up && let Some(bind) = &settings.dn_lookup_bind {
            let mut asked = self.servers.bind(bind).await?;
            dn = self.look_up(&mut asked, user, dn).await?;
        }
        if let Some(password) = &password {
            let name = match (&settings.user_bind_pattern, &settings.dn_lookup_bind) {
                (Some(pattern), None) => self.filled(pattern, user),
                (Some(pattern), Some(_)) if !looks_up => self.filled(pattern, user),
                _ => dn.clone(),
            };
            let mut asked = self.servers.bind(&Bind::As { dn: name, password: password.clone() }).await?;
            // Only the user itself may search: it has bound with the name of the pattern, and its entry
            // is known from here on.
            if looks_up && settings.dn_lookup_bind.is_none() {
                dn = self.look_up(&mut asked, user, dn).await?;
            }
            directory = Some(asked);
        }
        let person = Person { name: user.to_owned(), dn, password };
        // The other questions are asked as the user, too, if nobody else is named: the connection that is there will do.
        // It is given back before another is asked for: logins that each keep one and wait for the next would wait for each other.
        let held = directory.filter(|_| settings.other_bind.is_none());
        let mut directory = match held {
            Some(directory) => directory,
            None => self.servers.bind(&self.other_bind(&person)?).await?,
        };
        let tags = self.tags(&person, &mut directory).await?;
        Ok((person, tags))
    }

    async fn tags(&self, person: &Person, directory: &mut Directory) -> Result<Vec<String>, Failed> {
        let variables = &FillVariables::of_user(&person.name).with("user_dn", &person.dn);
        let mut asked = Evaluation { variables, user_dn: &person.dn, directory, groups: self.groups() };
        let mut tags = Vec::new();
        for (tag, query) in &self.settings.tag_queries {
            if asked.holds(query).await? {
                tags.push(tag.clone());
            }
        }
        Ok(tags)
    }

    fn filled(&self, pattern: &str, user: &str) -> String {
        let variables = FillVariables::of_user(user);
        if is_dn(pattern) { variables.fill_dn(pattern) } else { variables.fill(pattern) }
    }

    /// Searches the entry of a user; without one it is `otherwise`.
    async fn look_up(&self, directory: &mut Directory, user: &str, otherwise: String) -> Result<String, Failed> {
        let attribute = self.settings.dn_lookup_attribute.as_deref().unwrap_or_default();
        let base = self.settings.dn_lookup_base.as_deref().unwrap_or_default();
        let value = FillVariables::of_user(user).fill(&self.settings.user_dn_pattern);
        let found = directory.having(base, attribute, &value).await?;
        match found.as_slice() {
            [dn] => Ok(dn.clone()),
            others => {
                let count = others.len();
                tracing::warn!(target: "connection", user, count, "searching for the DN of a user: one was expected");
                Ok(otherwise)
            }
        }
    }

    fn other_bind(&self, person: &Person) -> Result<Bind, Failed> {
        match (&self.settings.other_bind, &person.password) {
            (Some(bind), _) => Ok(bind.clone()),
            (None, Some(password)) => Ok(Bind::As { dn: person.dn.clone(), password: password.clone() }),
            (None, None) => Err(Failed::Failed("'other_bind' set to 'as_user' but no password supplied".to_owned())),
        }
    }

    fn groups(&self) -> &str {
        let base = self.settings.group_lookup_base.as_ref().or(self.settings.dn_lookup_base.as_ref());
        base.map_or("", String::as_str)
    }

    async fn answer(self: Arc<Self>, person: Person, question: Question) -> BackendAnswer {
        match self.evaluated(&person, &question).await {
            Ok(is_allowed) => is_allowed.into(),
            Err(Failed::Refused) => BackendAnswer::Deny(None),
            Err(Failed::Failed(text)) => BackendAnswer::CannotSay(text),
        }
    }

    async fn evaluated(&self, person: &Person, question: &Question) -> Result<bool, Failed> {
        let settings = &self.settings;
        let user = FillVariables::of_user(&person.name).with("user_dn", &person.dn);
        let (query, variables) = match question {
            Question::Vhost { vhost, .. } => (&settings.vhost_access_query, user.with("vhost", &**vhost)),
            Question::Resource { vhost, access, kind, name } => {
                let all = user.with("vhost", &**vhost).with("resource", kind.name()).with("name", &**name);
                (&settings.resource_access_query, all.with("permission", access.name()))
            }
            Question::Topic { vhost, access, exchange, key } => {
                let all = user.with("vhost", &**vhost).with("resource", "topic").with("name", &**exchange);
                let all = all.with("permission", access.name()).with("routing_key", &**key);
                let all = all.with("variable_map.username", &person.name).with("variable_map.vhost", &**vhost);
                (&settings.topic_access_query, all)
            }
        };
        // Nobody need be asked.
        if let Query::Constant(answer) = query {
            return Ok(*answer);
        }
        let mut directory = self.servers.bind(&self.other_bind(person)?).await?;
        let (variables, directory) = (&variables, &mut directory);
        Evaluation { variables, user_dn: &person.dn, directory, groups: self.groups() }.holds(query).await
    }
}

impl Backend for Ldap {
    fn name(&self) -> &'static str {
        NAME
    }

    fn authenticate(&self, attempt: Arc<Attempt>) -> Waiting<Result<Identified, LoginRefused>> {
        Box::pin(Arc::clone(&self.0).log_in(attempt))
    }
}

/// What the directory lets one user do.
struct LdapGrant {
    known: Arc<Known>,
    person: Person,
}

impl std::fmt::Debug for LdapGrant {
    /// Leaves the password out, so that no log can show it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LdapGrant").field("dn", &self.person.dn).finish_non_exhaustive()
    }
}

impl Grant for LdapGrant {
    fn backend(&self) -> &'static str {
        NAME
    }

    fn answer(&self, question: &Question, _: u64) -> Said<BackendAnswer> {
        Said::Later(Box::pin(Arc::clone(&self.known).answer(self.person.clone(), question.clone())))
    }
}
