//! Who a client is. A backend may have to be asked over the network: then nothing is read until it has answered.

use std::fmt;
use std::task::{Context, Poll, Waker};

use super::opening::{Entering, endpoint};
use super::{External, Phase, Session};
use crate::auth::{Attempt, LoggedIn, LoginRefused, Waiting};
use crate::broker::own::{ConnectionEnds, Event};
use crate::connection::lines;
use crate::impossible::impossible;
use crate::protocol::handshake::Login;
use crate::protocol::method;
use crate::protocol::sasl::Credentials;
use crate::tls::NoLoginName;

/// What a backend is being asked before a connection is open.
pub(super) enum AskedOfLogin {
    /// Who it is.
    Login(Login, Credentials, Waiting<Result<LoggedIn, NoLogin>>),
    /// The same, answered.
    LoggedIn(Login, Credentials, Result<LoggedIn, NoLogin>),
    /// Whether it may enter a virtual host.
    Entering(Box<Entering>),
}

impl fmt::Debug for AskedOfLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Login(..) => "Login",
            Self::LoggedIn(..) => "LoggedIn",
            Self::Entering(_) => "Entering",
        })
    }
}

/// Why nobody is logged in.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLogin {
    #[error(transparent)]
    Refused(#[from] LoginRefused),
    #[error(transparent)]
    NoName(#[from] NoLoginName),
    #[error("the client's certificate is for user '{user}': {reason}")]
    OfCertificate { user: String, reason: LoginRefused },
}

impl Session {
    /// Finds out who a client is.
    pub(super) fn authenticate(&mut self, login: Login, credentials: Credentials, now_ms: u64) {
        let mut answer = self.log_in(&credentials, now_ms);
        // The broker's own users are known at once.
        match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => self.logged_in(login, &credentials, answer, now_ms),
            Poll::Pending => {
                let Phase::Handshake { asked, .. } = &mut self.phase else {
                    return impossible!("a login is due, and the phase is another one");
                };
                *asked = Some(Box::new(AskedOfLogin::Login(login, credentials, answer)));
            }
        }
    }

    /// Looks whether the backend that is being asked has answered.
    pub(super) fn poll_asked(asked: &mut Box<AskedOfLogin>, context: &mut Context<'_>) -> Poll<()> {
        match &mut **asked {
            AskedOfLogin::Login(login, credentials, answer) => {
                let Poll::Ready(answer) = answer.as_mut().poll(context) else { return Poll::Pending };
                **asked = AskedOfLogin::LoggedIn(login.clone(), credentials.clone(), answer);
                Poll::Ready(())
            }
            AskedOfLogin::LoggedIn(..) => Poll::Ready(()),
            AskedOfLogin::Entering(entering) => {
                entering.rights.as_mut().map_or(Poll::Ready(()), |rights| rights.poll(context))
            }
        }
    }

    /// Goes on with the answer.
    pub(super) fn take_answer(&mut self, asked: AskedOfLogin, now_ms: u64) {
        match asked {
            AskedOfLogin::LoggedIn(login, credentials, answer) => self.logged_in(login, &credentials, answer, now_ms),
            AskedOfLogin::Entering(entering) => self.enter(entering, now_ms),
            AskedOfLogin::Login(..) => impossible!("a login is answered, and is not"),
        }
    }

    fn logged_in(&mut self, login: Login, credentials: &Credentials, answer: Result<LoggedIn, NoLogin>, now_ms: u64) {
        let peer = self.peer;
        // Counted whatever follows: metrics have attempts, failed ones as well.
        self.hosting.broker.node().registry.amqp_logins.note(answer.is_ok());
        self.tell_of_login(credentials, &answer);
        let Phase::Handshake { state, user, output, .. } = &mut self.phase else {
            return impossible!("a login is answered, and the phase is another one");
        };
        match answer {
            Ok(logged_in) => {
                let (next, reply) = login.accept(&self.hosting.offer);
                method::encode(&reply, 0, output.buffer());
                (*state, *user) = (next, Some(logged_in));
            }
            Err(reason) => {
                lines::login_refused(peer, login.client(), credentials, &reason);
                self.take_step(login.refuse(), now_ms);
            }
        }
    }

    fn tell_of_login(&self, credentials: &Credentials, answer: &Result<LoggedIn, NoLogin>) {
        self.hosting.broker.node().own_messages.event(|| {
            let (peer, local) = (endpoint(self.peer), endpoint(self.local));
            let name = format!("{}:{} -> {}:{}", peer.host, peer.port, local.host, local.port);
            let is_encrypted = self.security.is_some();
            let ends =
                ConnectionEnds { name, peer_host: peer.host, peer_port: peer.port, host: local.host, is_encrypted };
            let (asked_for, mechanism) = match credentials {
                Credentials::Password { user, .. } => (user.as_str(), "PLAIN"),
                Credentials::Anonymous => ("", "ANONYMOUS"),
                Credentials::External => ("", "EXTERNAL"),
            };
            match answer {
                Ok(logged_in) => Event::login("success", &logged_in.user.name, mechanism, &ends, ""),
                Err(reason) => Event::login("failure", asked_for, mechanism, &ends, &reason.to_string()),
            }
        });
    }

    fn log_in(&self, credentials: &Credentials, now_ms: u64) -> Waiting<Result<LoggedIn, NoLogin>> {
        let (logins, from) = (&self.hosting.logins, self.peer.ip());
        let logged_in = match credentials {
            Credentials::Password { user, password } => {
                logins.log_in(Attempt { user: user.clone(), password: Some(password.clone()), from, now_ms })
            }
            Credentials::Anonymous => logins.log_in_anonymously(from, now_ms),
            Credentials::External => {
                let user = match self.certified_name() {
                    Ok(user) => user,
                    Err(error) => return Box::pin(std::future::ready(Err(error.into()))),
                };
                let logged_in = logins.log_in(Attempt { user: user.clone(), password: None, from, now_ms });
                return Box::pin(
                    async move { logged_in.await.map_err(|reason| NoLogin::OfCertificate { user, reason }) },
                );
            }
        };
        Box::pin(async move { Ok(logged_in.await?) })
    }

    fn certified_name(&self) -> Result<String, NoLoginName> {
        let (Some(External { login_from, .. }), Some(security)) = (&self.hosting.external, &self.security) else {
            return Err(NoLoginName::NoTls);
        };
        security.login_name(*login_from)
    }
}
