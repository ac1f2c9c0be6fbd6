//! What the stories share: their registry, deadlines, checks, and a virtual host for each.

use std::fmt::Debug;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use amqprs::connection::{Connection, OpenConnectionArguments};
use rabbitmq_http_client::blocking_api::{Client, HttpClientError};
use rabbitmq_http_client::requests::{Permissions, VirtualHostParams};

pub type Outcome<V = ()> = Result<V, Box<dyn std::error::Error>>;
pub type Story = (&'static str, fn(&Stage) -> Outcome);
pub type Api = Client<String, String, String>;

const WAIT: Duration = Duration::from_secs(60);
const DEADLINE: Duration = Duration::from_secs(240);

#[macro_export]
macro_rules! check {
    ($holds:expr, $($otherwise:tt)+) => {
        if !$holds {
            return Err(format!($($otherwise)+).into());
        }
    };
}

pub fn equal<A: Debug + PartialEq<B>, B: Debug>(what: &str, actual: A, expected: B) -> Outcome {
    check!(actual == expected, "{what}: {actual:?} instead of {expected:?}");
    Ok(())
}

/// It must be refused with this status.
pub fn refused<V: Debug>(status: u16, answer: Result<V, HttpClientError>) -> Outcome {
    match answer {
        Err(error) if error.status_code().is_some_and(|code| code.as_u16() == status) => Ok(()),
        Err(HttpClientError::NotFound) if status == 404 => Ok(()),
        other => Err(format!("{status} was due: {other:?}").into()),
    }
}

/// Polls `probe` until it says true.
pub fn until(what: &str, probe: impl Fn() -> Outcome<bool>) -> Outcome {
    let end = Instant::now() + WAIT;
    while !probe()? {
        check!(Instant::now() < end, "not within {WAIT:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

pub fn unique(what: &str) -> String {
    use std::hash::{BuildHasher, Hasher};
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("conformance-{what}-{random:x}")
}

fn env(name: &str) -> Outcome<String> {
    std::env::var(name).map_err(|_| format!("{name} is not set").into())
}

/// The login and the address of a URL.
fn parts(url: &str) -> Outcome<(String, String, String)> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let (login, address) = authority.rsplit_once('@').unwrap_or(("guest:guest", authority));
    let (user, password) = login.split_once(':').ok_or("a URL without a password")?;
    Ok((user.to_owned(), password.to_owned(), address.to_owned()))
}

/// A virtual host of its own for one story.
pub struct Stage {
    pub api: Api,
    pub vhost: String,
    pub user: String,
}

impl Stage {
    fn set() -> Outcome<Self> {
        let (user, password, _) = parts(&env("HTTP_URL")?)?;
        let stage = Self { api: api(&user, &password)?, vhost: unique("vhost/with a slash"), user };
        stage.api.create_vhost(&VirtualHostParams::named(&stage.vhost))?;
        stage.api.grant_permissions(&Permissions::full_access(&stage.user, &stage.vhost))?;
        Ok(stage)
    }

    /// An AMQP connection to the virtual host.
    pub async fn connect(&self) -> Outcome<Connection> {
        let (user, password, address) = parts(&env("AMQP_URL")?)?;
        let (host, port) = address.rsplit_once(':').unwrap_or((&address, "5672"));
        let arguments = OpenConnectionArguments::new(host, port.parse()?, &user, &password)
            .virtual_host(&self.vhost)
            .connection_name("conformance of rabbitmq_http_client")
            .finish();
        Ok(Connection::open(&arguments).await?)
    }
}

pub fn api(user: &str, password: &str) -> Outcome<Api> {
    let (_, _, address) = parts(&env("HTTP_URL")?)?;
    Ok(Client::new(format!("http://{address}/api"), user.to_owned(), password.to_owned()))
}

fn attempt(body: fn(&Stage) -> Outcome) -> Option<String> {
    let (sender, told) = mpsc::channel();
    thread::spawn(move || {
        let outcome = Stage::set().and_then(|stage| {
            let outcome = body(&stage);
            let tidied = stage.api.delete_vhost(&stage.vhost, true);
            outcome.and_then(|()| Ok(tidied?))
        });
        sender.send(outcome.map_err(|error| format!("{error:?}"))).ok(); // nobody waits any more if it took too long
    });
    let reason = match told.recv_timeout(DEADLINE) {
        Ok(Ok(())) => return None,
        Ok(Err(reason)) => reason,
        Err(_) => format!("not done within {DEADLINE:?}, or it panicked"),
    };
    Some(reason.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Tells the stories that are named on the command line, or all; the number that failed.
pub fn tell(stories: &[Story]) -> usize {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let (mut passed, mut failed) = (0, 0);
    for name in wanted.iter().filter(|wanted| !stories.iter().any(|(name, _)| name == wanted)) {
        failed += 1;
        println!("FAIL {name}: no such story");
    }
    for (name, body) in stories.iter().filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|each| each == name)) {
        match attempt(*body) {
            None => {
                passed += 1;
                println!("ok {name}");
            }
            Some(reason) => {
                failed += 1;
                println!("FAIL {name}: {reason}");
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    failed
}
