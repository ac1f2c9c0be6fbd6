//! `amqp://user:password@host:port/vhost`, as clients write it.

use std::fmt;

use crate::error::{Error, Result};

/// Where a broker listens and who connects.
#[derive(Debug, Clone)]
pub(crate) struct Url {
    pub(crate) user: String,
    pub(crate) password: String,
    /// Host and port, as a socket takes them.
    pub(crate) address: String,
    pub(crate) vhost: String,
}

impl Url {
    pub(crate) const SCHEME: &'static str = "amqp://";

    /// Missing parts are guest, guest, port 5672 and the virtual host `/`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let rest = text
            .strip_prefix(Self::SCHEME)
            .ok_or_else(|| Error::unexpected(format!("'{text}' does not start with {}", Self::SCHEME)))?;
        let (authority, vhost) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, address) = authority.rsplit_once('@').unwrap_or(("guest:guest", authority));
        let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        Ok(Self {
            user: percent_decoded(user),
            password: percent_decoded(password),
            address: if has_port { address.to_owned() } else { format!("{address}:5672") },
            vhost: if vhost.is_empty() { "/".to_owned() } else { percent_decoded(vhost) },
        })
    }
}

impl fmt::Display for Url {
    /// Without the password: this is printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}@{} vhost {}", Self::SCHEME, self.user, self.address, self.vhost)
    }
}

fn percent_decoded(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        match piece.split_at_checked(2).map(|(hex, rest)| (u8::from_str_radix(hex, 16), rest)) {
            Some((Ok(byte), rest)) => {
                bytes.push(byte);
                bytes.extend(rest.as_bytes());
            }
            Some((Err(_), _)) | None => {
                bytes.push(b'%');
                bytes.extend(piece.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
