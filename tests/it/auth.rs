//! Users that others know: access tokens, and a web server. These run the binary, beside a web server of the test.

mod cached;
mod directory;
mod oauth2;
mod renewal;
mod token;
mod web;
mod web_backend;

use std::net::SocketAddr;

use crate::broker::Management;
use crate::process::Program;

const LOGIN_REFUSED: &str =
    "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.";

/// The management API of a program.
fn api(program: &Program) -> Management {
    let port = program.ports()["http"].as_u64().unwrap();
    Management::at(SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).unwrap())))
}
