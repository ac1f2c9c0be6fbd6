//! The URLs of a broker, as a client of this machine uses them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What need not be encoded in any part of a URL.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where a client of this machine connects to.
fn reached(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if !ip.is_unspecified() => address,
        IpAddr::V6(ip) if !ip.is_unspecified() => address,
        IpAddr::V4(_) | IpAddr::V6(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
    }
}

pub(super) fn amqp((scheme, address): (&str, SocketAddr), user: &str, password: Option<&str>, vhost: &str) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let password = password.map(|password| format!(":{}", encoded(password))).unwrap_or_default();
    format!("{scheme}://{}{password}@{}/{}", encoded(user), reached(address), encoded(vhost))
}

pub(super) fn http(scheme: &str, address: SocketAddr) -> String {
    format!("{scheme}://{}/", reached(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_have_any_characters() {
        let address = SocketAddr::from(([0, 0, 0, 0], 5672));
        let url = amqp(("amqp", address), "a@b:c/d", Some("p w%ü"), "/");
        assert_eq!(url, "amqp://a%40b%3Ac%2Fd:p%20w%25%C3%BC@127.0.0.1:5672/%2F");
        let url = amqp(("amqp", SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 1))), "anna", None, "");
        assert_eq!(url, "amqp://anna@[::1]:1/");
    }
}
