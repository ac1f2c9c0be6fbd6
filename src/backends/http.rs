//! `rabbit_auth_backend_http`: a web server says who users are and what they may do.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::http_client::{HttpClient, HttpTimeouts, NoAnswer};
use crate::auth::http_answer::{self, UserAnswer};
use crate::auth::{
    Attempt, Backend, BackendAnswer, Grant, Identified, LoginRefused, PasswordHash, Question, Said, User, Waiting,
};
use crate::tls::{InvalidTrust, Trust};

const NAME: &str = "rabbit_auth_backend_http";

/// What RabbitMQ leaves as it is in a query.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'~').remove(b'_');

/// How questions are put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum HttpMethod {
    /// In the address.
    #[default]
    Get,
    /// In a form.
    Post,
}

/// What is configured. The fields carry the names of RabbitMQ's keys, `auth_http.*`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "docs/configuration.md says what each is")]
pub(crate) struct HttpSettings {
    pub(crate) http_method: HttpMethod,
    pub(crate) user_path: String,
    pub(crate) vhost_path: String,
    pub(crate) resource_path: String,
    pub(crate) topic_path: String,
    pub(crate) request_timeout: Duration,
    pub(crate) connection_timeout: Duration,
    pub(crate) authorization_failure_disclosure: bool,
    pub(crate) trust: Trust,
}

/// A web server that knows users.
#[derive(Clone, Debug)]
pub(crate) struct HttpBackend(Arc<Server>);

#[derive(Debug)]
struct Server {
    settings: HttpSettings,
    client: HttpClient,
}

impl HttpBackend {
    /// One that has asked nothing.
    ///
    /// # Errors
    /// When nobody can be believed.
    pub(crate) fn new(settings: HttpSettings) -> Result<Self, InvalidTrust> {
        let patience = HttpTimeouts { connect: settings.connection_timeout, request: settings.request_timeout };
        let client = HttpClient::new(&settings.trust, patience)?;
        Ok(Self(Arc::new(Server { settings, client })))
    }
}

impl Server {
    async fn ask(&self, path: &str, fields: &[(&str, &str)]) -> Result<String, String> {
        let encoded = |(name, value): &(&str, &str)| format!("{name}={}", encoded(value));
        let query = fields.iter().map(encoded).collect::<Vec<_>>().join("&");
        let answered = match self.settings.http_method {
            HttpMethod::Get => self.client.get(&format!("{path}?{query}")).await,
            HttpMethod::Post => self.client.post(path, query).await,
        };
        let answered = answered.map_err(|error: NoAnswer| error.to_string())?;
        let body = String::from_utf8_lossy(&answered.body).into_owned();
        match answered.status {
            // Any other status is no answer rather than a refusal, whatever its body says.
            200 | 201 => Ok(body),
            status => Err(format!("{{{status},{body:?}}}")),
        }
    }

    async fn log_in(self: Arc<Self>, attempt: Arc<Attempt>) -> Result<Identified, LoginRefused> {
        let password = attempt.password.as_deref().map(String::from_utf8_lossy);
        let mut fields = vec![("username", attempt.user.as_str())];
        fields.extend(password.as_deref().map(|password| ("password", password)));
        let user = &attempt.user;
        let failed = |error: String| LoginRefused::CannotSay(format!("{NAME} failed authenticating {user}: {error}"));
        let body = self.ask(&self.settings.user_path, &fields).await.map_err(failed)?;
        match http_answer::of_user(&body) {
            UserAnswer::Allow(tags) => {
                let user = Arc::new(User::new(user, PasswordHash::none(), tags));
                let grant = HttpGrant { server: self, user: Arc::clone(&user) };
                Ok(Identified { user, grant: Arc::new(grant) })
            }
            UserAnswer::Deny(reason) => {
                if let Some(reason) = reason {
                    tracing::info!(target: "connection", user, reason, "HTTP authentication denied");
                }
                Err(LoginRefused::ByBackend("Denied by the backing HTTP service".to_owned()))
            }
            UserAnswer::Unreadable => Err(failed(format!("{{bad_response,{body:?}}}"))),
        }
    }

    async fn answer(self: Arc<Self>, user: Arc<User>, question: Question) -> BackendAnswer {
        let tags = user.tags.join(" ");
        let (path, fields) = self.put(&question);
        let is_topic = matches!(question, Question::Topic { .. });
        let fields: Vec<_> = std::iter::once(("username", &*user.name))
            .chain(fields.iter().map(|(name, value)| (*name, value.as_str())))
            .chain(is_topic.then_some(("variable_map.username", &*user.name)))
            .chain(std::iter::once(("tags", tags.as_str())))
            .collect();
        match self.ask(path, &fields).await {
            Ok(body) => http_answer::of_question(&body, self.settings.authorization_failure_disclosure),
            Err(error) => BackendAnswer::CannotSay(error),
        }
    }

    /// Where a question is put, and what is said of it beside the user.
    fn put(&self, question: &Question) -> (&str, Vec<(&'static str, String)>) {
        let settings = &self.settings;
        match question {
            Question::Vhost { vhost, from } => {
                (&settings.vhost_path, vec![("vhost", vhost.to_string()), ("ip", ip(*from))])
            }
            Question::Resource { vhost, access, kind, name } => {
                let fields = vec![
                    ("vhost", vhost.to_string()),
                    ("resource", kind.name().to_owned()),
                    ("name", name.to_string()),
                    ("permission", access.name().to_owned()),
                ];
                (&settings.resource_path, fields)
            }
            Question::Topic { vhost, access, exchange, key } => {
                let fields = vec![
                    ("vhost", vhost.to_string()),
                    ("resource", "topic".to_owned()),
                    ("name", exchange.to_string()),
                    ("permission", access.name().to_owned()),
                    ("routing_key", key.to_string()),
                    ("variable_map.vhost", vhost.to_string()),
                ];
                (&settings.topic_path, fields)
            }
        }
    }
}

fn ip(from: IpAddr) -> String {
    // A client that came by IPv4 to a socket for both is `10.0.0.1`, not `::ffff:10.0.0.1`.
    from.to_canonical().to_string()
}

fn encoded(value: &str) -> String {
    utf8_percent_encode(value, QUERY).to_string().replace("%20", "+")
}

impl Backend for HttpBackend {
    fn name(&self) -> &'static str {
        NAME
    }

    fn authenticate(&self, attempt: Arc<Attempt>) -> Waiting<Result<Identified, LoginRefused>> {
        Box::pin(Arc::clone(&self.0).log_in(attempt))
    }
}

/// What the web server lets one user do.
#[derive(Debug)]
struct HttpGrant {
    server: Arc<Server>,
    user: Arc<User>,
}

impl Grant for HttpGrant {
    fn backend(&self) -> &'static str {
        NAME
    }

    fn answer(&self, question: &Question, _: u64) -> Said<BackendAnswer> {
        Said::Later(Box::pin(Arc::clone(&self.server).answer(Arc::clone(&self.user), question.clone())))
    }
}
