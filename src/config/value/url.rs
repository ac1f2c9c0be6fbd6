//! Where requests are sent to.

use std::fmt;

use axum::http::Uri;

use super::{SettingValue, allowed};

/// The address of something that is reached by HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUrl {
    /// A name or an address; one of IPv6 without brackets.
    pub(crate) host: String,
    /// The TCP port; where the address names none, 80, or 443 with TLS.
    pub(crate) port: u16,
    /// The path with the query.
    pub(crate) path: String,
    /// With TLS: `https`.
    pub(crate) is_secured: bool,
}

const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

const fn default_port(is_secured: bool) -> u16 {
    if is_secured { HTTPS_PORT } else { HTTP_PORT }
}

impl HttpUrl {
    /// Reads an address that begins with `http://` or `https://`.
    ///
    /// # Errors
    /// What is allowed.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Self::read(text)
    }

    /// The host and the port as a request names them.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == default_port(self.is_secured) { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secured { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

impl SettingValue for HttpUrl {
    const NAME: &'static str = "HTTP_URL";
    const ALLOWED: &'static str = "an address such as https://alerts.example/leveret, without a user";

    fn read(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|_error| allowed::<Self>())?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'));
        let (is_secured, authority) = match (uri.scheme_str(), authority) {
            (Some("http"), Some(authority)) => (false, authority),
            (Some("https"), Some(authority)) => (true, authority),
            _ => return Err(allowed::<Self>()),
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let port = authority.port_u16().unwrap_or_else(|| default_port(is_secured));
        Ok(Self { host, port, path, is_secured })
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (text, host, port, path, shown) in [
            ("http://a/b?c=d", "a", 80, "/b?c=d", "http://a/b?c=d"),
            ("http://localhost:8080", "localhost", 8080, "/", "http://localhost:8080/"),
            ("http://[::1]:99/x", "::1", 99, "/x", "http://[::1]:99/x"),
            ("https://a/b", "a", 443, "/b", "https://a/b"),
            ("https://a:80", "a", 80, "/", "https://a:80/"),
        ] {
            let url = HttpUrl::read(text).unwrap();
            assert_eq!(
                (url.host.as_str(), url.port, url.path.as_str(), url.to_string().as_str()),
                (host, port, path, shown)
            );
        }
        for text in ["", "localhost:8080", "https://user@a/", "http://user:secret@a/", "ftp://a/", "http:///x"] {
            assert_eq!(HttpUrl::read(text), Err(allowed::<HttpUrl>()), "{text}");
        }
    }
}
