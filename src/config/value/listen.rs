//! Addresses to listen on.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::{Item, SettingValue, allowed};

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// `5673` or `localhost:5673`: on this machine only, with IPv6 where there is some.
    Localhost(u16),
    /// `:6400` or `*:6400`: for all machines, with IPv6 where there is some.
    Everywhere(u16),
    /// `192.0.2.1:5672`.
    At(SocketAddr),
}

impl Listen {
    /// The port that is listened on; 0 for any that is free.
    pub fn port(self) -> u16 {
        match self {
            Self::Localhost(port) | Self::Everywhere(port) => port,
            Self::At(address) => address.port(),
        }
    }

    /// The same place with another port.
    #[must_use]
    pub(crate) fn with_port(self, port: u16) -> Self {
        match self {
            Self::Localhost(_) => Self::Localhost(port),
            Self::Everywhere(_) => Self::Everywhere(port),
            Self::At(address) => Self::At(SocketAddr::new(address.ip(), port)),
        }
    }

    /// Whether other machines can connect to it.
    pub(crate) fn is_beyond_loopback(self) -> bool {
        match self {
            Self::Localhost(_) => false,
            Self::Everywhere(_) => true,
            Self::At(address) => !address.ip().to_canonical().is_loopback(),
        }
    }
}

/// A port of somebody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortNumber(pub u16);

impl SettingValue for PortNumber {
    const NAME: &'static str = "PORT";
    const ALLOWED: &'static str = "a port, from 1 to 65535";

    fn read(text: &str) -> Result<Self, String> {
        text.parse().ok().filter(|port| *port > 0).map(Self).ok_or_else(allowed::<Self>)
    }

    fn show(&self) -> Option<String> {
        Some(self.0.to_string())
    }
}

/// How many clients may wait to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog(pub u32);

impl SettingValue for Backlog {
    const NAME: &'static str = "CLIENTS";
    const ALLOWED: &'static str = "a whole number from 1 to 65535";

    fn read(text: &str) -> Result<Self, String> {
        let number = text.parse().ok().filter(|number| (1..=65_535).contains(number));
        number.map(Self).ok_or_else(allowed::<Self>)
    }

    fn show(&self) -> Option<String> {
        Some(self.0.to_string())
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Localhost(port) => write!(f, "localhost:{port}"),
            Self::Everywhere(port) => write!(f, ":{port}"),
            Self::At(address) => address.fmt(f),
        }
    }
}

impl SettingValue for Listen {
    const NAME: &'static str = "ADDR:PORT";
    const ALLOWED: &'static str = "a port (5673), an address and a port (127.0.0.1:5673, [::1]:5673, localhost:5673), \
                                   or a port for all addresses (:5673)";

    fn read(text: &str) -> Result<Self, String> {
        if let Ok(port) = text.parse() {
            return Ok(Self::Localhost(port));
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::At(address));
        }
        // An address without a port gets a text of its own: what is allowed would not tell what is missing.
        if let Ok(ip) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            let with_port = SocketAddr::new(ip, 5672);
            return Err(format!("the port is missing, as in {with_port}"));
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(allowed::<Self>)?;
        let port = port.parse().ok().ok_or("a port is a number from 0 to 65535")?;
        match host {
            "" | "*" => Ok(Self::Everywhere(port)),
            "localhost" => Ok(Self::Localhost(port)),
            _ => Err(allowed::<Self>()),
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Item for Listen {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_in_many_ways() {
        for (text, expected) in [
            ("5673", Listen::Localhost(5673)),
            ("localhost:6400", Listen::Localhost(6400)),
            (":6400", Listen::Everywhere(6400)),
            ("*:0", Listen::Everywhere(0)),
            ("127.0.0.1:1", Listen::At("127.0.0.1:1".parse().unwrap())),
            ("[::1]:2", Listen::At("[::1]:2".parse().unwrap())),
        ] {
            assert_eq!(Listen::read(text), Ok(expected), "{text}");
            assert_eq!(Listen::read(&expected.to_string()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(Listen::read("127.0.0.1"), Err("the port is missing, as in 127.0.0.1:5672".to_owned()));
        assert_eq!(Listen::read("::1"), Err("the port is missing, as in [::1]:5672".to_owned()));
        assert_eq!(Listen::read("localhost:70000"), Err("a port is a number from 0 to 65535".to_owned()));
        for text in ["", "nowhere", "example.org:5672", "70000"] {
            assert_eq!(Listen::read(text), Err(allowed::<Listen>()), "{text}");
        }
    }
}
