//! Who issues tokens, and its keys: they are fetched when a token is signed with one that is not known.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::MutexGuard;

use super::super::http_client::{HttpClient, HttpTimeouts, NoAnswer};
use crate::auth::oauth2::{FetchPause, InvalidKey, Keys};
use crate::clock::Clock;
use crate::tls::{InvalidTrust, Trust};

/// How long keys may take.
const PATIENCE: HttpTimeouts = HttpTimeouts { connect: Duration::from_secs(15), request: Duration::from_secs(60) };
/// Below the address of an issuer.
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// Where keys come from.
#[derive(Clone, Debug)]
pub(crate) struct KeySettings {
    /// Keys that are there from the beginning.
    pub(crate) signing_keys: Keys,
    /// The name of the key of tokens that name none.
    pub(crate) default_key: Option<String>,
    /// Where a set of keys is.
    pub(crate) jwks_uri: Option<String>,
    /// Who says where it is.
    pub(crate) issuer: Option<String>,
    /// Below its address, instead of the usual place.
    pub(crate) discovery_endpoint_path: Option<String>,
    /// Whom to believe.
    pub(crate) trust: Trust,
}

/// Why there are no keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeysFailed {
    /// Nobody answers.
    #[error("{address}: {error}")]
    NoAnswer {
        /// Who was asked.
        address: String,
        error: NoAnswer,
    },
    /// The answer is an error.
    #[error("{address}: {{unexpected_status_code,{status}}}")]
    Status {
        /// Who was asked.
        address: String,
        status: u16,
    },
    /// The answer holds no keys.
    #[error("{address}: {error}")]
    NoKeys {
        /// Who was asked.
        address: String,
        error: InvalidKey,
    },
    /// The issuer does not say where its keys are.
    #[error("{0}: jwks_uri is missing")]
    NoAddress(String),
}

/// Somebody who issues tokens. Resource servers may share one.
#[derive(Debug)]
pub(crate) struct Provider {
    settings: KeySettings,
    /// Those that were fetched, with the others.
    keys: Mutex<Arc<Keys>>,
    /// One fetches them, and others wait for it.
    fetching: tokio::sync::Mutex<FetchPause>,
    client: HttpClient,
    clock: Clock,
}

/// A question for keys that is under way. Its connection may end before the answer.
struct KeyQuestion<'a> {
    pause: MutexGuard<'a, FetchPause>,
    clock: &'a Clock,
    is_answered: bool,
}

impl<'a> KeyQuestion<'a> {
    fn begin(mut pause: MutexGuard<'a, FetchPause>, clock: &'a Clock) -> Self {
        pause.asked(clock.now_ms());
        Self { pause, clock, is_answered: false }
    }

    fn answered(&mut self, with_keys: bool) {
        self.is_answered = true;
        if with_keys {
            self.pause.succeeded();
        } else {
            self.pause.failed(self.clock.now_ms());
        }
    }
}

impl Drop for KeyQuestion<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.pause.given_up(self.clock.now_ms());
        }
    }
}

impl Provider {
    /// One whose keys were not fetched yet.
    ///
    /// # Errors
    /// When nobody can be believed.
    pub(crate) fn new(settings: KeySettings, clock: Clock) -> Result<Self, InvalidTrust> {
        let client = HttpClient::new(&settings.trust, PATIENCE)?;
        let keys = Mutex::new(Arc::new(settings.signing_keys.clone()));
        Ok(Self { settings, keys, fetching: tokio::sync::Mutex::default(), client, clock })
    }

    /// The name of the key of a token that names this one, or none.
    pub(super) fn key_name(&self, named: Option<&str>) -> Option<String> {
        named.map(str::to_owned).or_else(|| self.settings.default_key.clone())
    }

    /// The keys that there are, with that of this name if it can be had.
    pub(super) async fn keys_with(&self, name: Option<&str>) -> Arc<Keys> {
        // Taken before the turn is waited for: whether it is still the same tells if somebody
        // has fetched meanwhile.
        let seen = Arc::clone(&self.keys.lock());
        if seen.has(name) || (self.settings.jwks_uri.is_none() && self.settings.issuer.is_none()) {
            return seen;
        }
        let pause = self.fetching.lock().await;
        let now = Arc::clone(&self.keys.lock());
        // Somebody else has fetched them meanwhile, or has tried in vain.
        if !Arc::ptr_eq(&seen, &now) || !pause.is_over(self.clock.now_ms()) {
            return now;
        }
        let mut question = KeyQuestion::begin(pause, &self.clock);
        let answer = self.fetch().await;
        question.answered(answer.is_ok());
        match answer {
            Ok(keys) => {
                // In place of those that were fetched before, so a key that its issuer has withdrawn goes.
                let keys = Arc::new(self.settings.signing_keys.with(keys));
                *self.keys.lock() = Arc::clone(&keys);
                keys
            }
            Err(error) => {
                // What is known stays, so tokens with known keys are accepted while their issuer is away.
                tracing::error!(target: "connection", %error, "failed to download signing keys");
                now
            }
        }
    }

    async fn fetch(&self) -> Result<Keys, KeysFailed> {
        let address = match (&self.settings.jwks_uri, &self.settings.issuer) {
            (Some(address), _) => address.clone(),
            (None, Some(issuer)) => self.discover(issuer).await?,
            (None, None) => return Ok(Keys::default()),
        };
        let body = self.body(&address).await?;
        Keys::of_set(&body).map_err(|error| KeysFailed::NoKeys { address, error })
    }

    /// Where an issuer says that its keys are.
    async fn discover(&self, issuer: &str) -> Result<String, KeysFailed> {
        let path = self.settings.discovery_endpoint_path.as_deref().unwrap_or(DISCOVERY);
        let address = format!("{}/{}", issuer.trim_end_matches('/'), path.trim_start_matches('/'));
        let body = self.body(&address).await?;
        let document: Option<Value> = serde_json::from_slice(&body).ok();
        let keys = document.as_ref().and_then(|document| document.get("jwks_uri")?.as_str());
        keys.map(str::to_owned).ok_or(KeysFailed::NoAddress(address))
    }

    async fn body(&self, address: &str) -> Result<Vec<u8>, KeysFailed> {
        let failed = |error| KeysFailed::NoAnswer { address: address.to_owned(), error };
        let answered = self.client.get(address).await.map_err(failed)?;
        match answered.status {
            200 => Ok(answered.body),
            status => Err(KeysFailed::Status { address: address.to_owned(), status }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::tls::Verify;

    /// A web server that has no keys; how often it was asked.
    fn without_keys() -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let lines = BufReader::new(&socket).lines().map_while(Result::ok);
                assert!(lines.take_while(|line| !line.is_empty()).count() > 0, "a request");
                (&socket).write_all(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
            }
        });
        (format!("http://{address}/keys"), asked)
    }

    #[tokio::test]
    async fn an_issuer_that_has_failed_is_left_in_peace_for_a_while() {
        let (address, asked) = without_keys();
        let settings = KeySettings {
            signing_keys: Keys::default(),
            default_key: None,
            jwks_uri: Some(address),
            issuer: None,
            discovery_endpoint_path: None,
            trust: Trust::of(Verify::None, None),
        };
        let (clock, hand) = Clock::manual();
        let provider = Provider::new(settings, clock).unwrap();
        for name in ["a", "b", "c"] {
            assert!(!provider.keys_with(Some(name)).await.has(Some(name)));
            assert_eq!(asked.load(Ordering::SeqCst), 1, "{name}");
        }
        hand.advance(Duration::from_secs(5));
        provider.keys_with(Some("d")).await;
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }
}
