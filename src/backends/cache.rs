//! `rabbit_auth_backend_cache`: remembers what another backend says, for a time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::auth::{Attempt, Backend, BackendAnswer, Grant, Identified, LoginRefused, Question, Said, Waiting};
use crate::clock::Clock;

const NAME: &str = "rabbit_auth_backend_cache";

/// So much is remembered of each kind. Then what has ended is forgotten, or everything.
const REMEMBERED_MAX: usize = 50_000;

/// What is configured. The fields carry the names of RabbitMQ's keys, `auth_cache.*`.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "docs/configuration.md says what each is")]
pub(crate) struct CacheSettings {
    pub(crate) cache_ttl_ms: u64,
    pub(crate) cache_refusals: bool,
}

/// A backend whose answers are remembered.
#[derive(Clone, Debug)]
pub(crate) struct Cache(Arc<Remembering>);

#[derive(Debug)]
struct Remembering {
    authn: Arc<dyn Backend>,
    authz: Arc<dyn Backend>,
    settings: CacheSettings,
    clock: Clock,
    logins: Mutex<Remembered<LoginKey, Result<Identified, LoginRefused>>>,
    answers: Mutex<Remembered<(Arc<str>, Question), BackendAnswer>>,
}

/// A login; of its password only what cannot be turned back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct LoginKey {
    is_authorisation: bool,
    user: String,
    password: Option<[u8; 32]>,
}

#[derive(Debug)]
struct Remembered<K, V>(HashMap<K, (u64, V)>);

impl<K: Hash + Eq, V: Clone> Remembered<K, V> {
    fn get(&self, key: &K, now_ms: u64) -> Option<V> {
        self.0.get(key).filter(|(ends_at_ms, _)| *ends_at_ms > now_ms).map(|(_, value)| value.clone())
    }

    fn put(&mut self, key: K, value: V, ends_at_ms: u64, now_ms: u64) {
        if self.0.len() >= REMEMBERED_MAX {
            self.0.retain(|_, (ends_at_ms, _)| *ends_at_ms > now_ms);
        }
        if self.0.len() >= REMEMBERED_MAX {
            // No order is kept that would tell the oldest ones. Each answer that is missed costs one question.
            self.0.clear();
        }
        self.0.insert(key, (ends_at_ms, value));
    }
}

impl Cache {
    /// One that remembers nothing yet.
    pub(crate) fn new(authn: Arc<dyn Backend>, authz: Arc<dyn Backend>, settings: CacheSettings, clock: Clock) -> Self {
        let (logins, answers) = (Mutex::new(Remembered(HashMap::new())), Mutex::new(Remembered(HashMap::new())));
        Self(Arc::new(Remembering { authn, authz, settings, clock, logins, answers }))
    }

    fn log_in(&self, attempt: Arc<Attempt>, is_authorisation: bool) -> Waiting<Result<Identified, LoginRefused>> {
        let remembering = Arc::clone(&self.0);
        Box::pin(async move {
            let password = attempt.password.as_deref().map(|password| Sha256::digest(password).into());
            // Who somebody is and what it may do may be asked of two backends, whose answers differ.
            let key = LoginKey { is_authorisation, user: attempt.user.clone(), password };
            let now_ms = remembering.clock.now_ms();
            // Locked for the look alone. While the backend is asked others may ask it the same, but nobody
            // waits for a backend that is slow about somebody else.
            if let Some(known) = remembering.logins.lock().get(&key, now_ms) {
                return known;
            }
            let answer = match is_authorisation {
                true => remembering.authz.authorise(attempt).await,
                false => remembering.authn.authenticate(attempt).await,
            };
            let answer = answer.map(|identified| remembering.remembered(identified));
            let ends = answer.as_ref().ok().and_then(|identified| identified.grant.expires_at_ms());
            // A backend that could not be asked is asked again: what it would say is not known.
            let is_kept = match &answer {
                Ok(_) => true,
                Err(LoginRefused::CannotSay(_)) => false,
                Err(_) => remembering.settings.cache_refusals,
            };
            if is_kept {
                // A token is not believed for longer than it holds.
                let ends_at_ms = remembering.ends_at_ms(now_ms).min(ends.unwrap_or(u64::MAX));
                remembering.logins.lock().put(key, answer.clone(), ends_at_ms, now_ms);
            }
            answer
        })
    }
}

impl Remembering {
    const fn ends_at_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_add(self.settings.cache_ttl_ms)
    }

    fn remembered(self: &Arc<Self>, Identified { user, grant }: Identified) -> Identified {
        let grant = CachedGrant { remembering: Arc::clone(self), user: Arc::clone(&user.name), grant };
        Identified { user, grant: Arc::new(grant) }
    }

    fn remember(&self, key: (Arc<str>, Question), answer: &BackendAnswer) {
        let is_kept = match answer {
            BackendAnswer::Allow => true,
            BackendAnswer::Deny(_) => self.settings.cache_refusals,
            BackendAnswer::CannotSay(_) => false,
        };
        if is_kept {
            let now_ms = self.clock.now_ms();
            self.answers.lock().put(key, answer.clone(), self.ends_at_ms(now_ms), now_ms);
        }
    }
}

impl Backend for Cache {
    fn name(&self) -> &'static str {
        NAME
    }

    fn authenticate(&self, attempt: Arc<Attempt>) -> Waiting<Result<Identified, LoginRefused>> {
        self.log_in(attempt, false)
    }

    fn authorise(&self, attempt: Arc<Attempt>) -> Waiting<Result<Identified, LoginRefused>> {
        self.log_in(attempt, true)
    }
}

/// What another backend lets a user do, remembered for all its connections.
#[derive(Debug)]
struct CachedGrant {
    remembering: Arc<Remembering>,
    user: Arc<str>,
    grant: Arc<dyn Grant>,
}

impl Grant for CachedGrant {
    fn backend(&self) -> &'static str {
        NAME
    }

    fn answer(&self, question: &Question, now_ms: u64) -> Said<BackendAnswer> {
        // Rights that end with a token are known at once anyway, and differ from one token of a user to the next.
        if self.grant.expires_at_ms().is_some() {
            return self.grant.answer(question, now_ms);
        }
        let key = (Arc::clone(&self.user), question.clone());
        if let Some(known) = self.remembering.answers.lock().get(&key, self.remembering.clock.now_ms()) {
            return Said::Now(known);
        }
        match self.grant.answer(question, now_ms) {
            Said::Now(answer) => {
                self.remembering.remember(key, &answer);
                Said::Now(answer)
            }
            Said::Later(answer) => {
                let remembering = Arc::clone(&self.remembering);
                Said::Later(Box::pin(async move {
                    let answer = answer.await;
                    remembering.remember(key, &answer);
                    answer
                }))
            }
        }
    }

    fn expires_at_ms(&self) -> Option<u64> {
        self.grant.expires_at_ms()
    }

    fn renew(&self, secret: Vec<u8>, now_ms: u64) -> Waiting<Result<Identified, crate::auth::NotRenewed>> {
        // The new grant is not wrapped: only rights that end are renewed, and what ends is not remembered.
        self.grant.renew(secret, now_ms)
    }
}
