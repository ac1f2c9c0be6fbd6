//! What a client speaks that speaks the wrong protocol, told from its first octets, and what to tell whoever reads the log.

/// What the first octets look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// AMQP 0-9-1, or 0-9.
    Amqp091,
    /// AMQP 1.0, with or without its own TLS and SASL.
    Amqp10,
    /// Another version of AMQP.
    OtherAmqp,
    Tls,
    Http,
    Mqtt,
    Stomp,
    /// RabbitMQ's streams.
    Stream,
    /// Something else.
    Unknown,
}

/// What requests of HTTP begin with, and the preface of HTTP/2.
const HTTP: [&[u8]; 9] =
    [b"GET ", b"POST ", b"PUT ", b"HEAD ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"CONNECT ", b"PRI * "];

impl Spoken {
    /// What these octets, the first that came, look like.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        match bytes {
            [b'A', b'M', b'Q', b'P', 0, 0, 9, 1, ..] | [b'A', b'M', b'Q', b'P', 1, 1, 0, 9, ..] => Self::Amqp091,
            [b'A', b'M', b'Q', b'P', 0 | 2 | 3, 1, 0, 0, ..] => Self::Amqp10,
            [b'A', b'M', b'Q', b'P', ..] => Self::OtherAmqp,
            // A record with the beginning of a handshake, of any version.
            [22, 3, 0..=4, ..] => Self::Tls,
            // CONNECT, its length in up to four octets, and the name of the protocol.
            [0x10, rest @ ..] if rest.windows(4).take(7).any(|name| name == b"MQTT" || name == b"MQIs") => Self::Mqtt,
            // The first command of a stream client: its length, 17 for the properties of a peer, version 1.
            [0, 0, _, _, 0, 17, 0, 1, ..] => Self::Stream,
            _ if bytes.starts_with(b"CONNECT\n")
                || bytes.starts_with(b"STOMP\n")
                || bytes.starts_with(b"CONNECT\r\n") =>
            {
                Self::Stomp
            }
            _ if HTTP.iter().any(|method| bytes.starts_with(method)) => Self::Http,
            _ => Self::Unknown,
        }
    }

    /// What was sent to a port of AMQP without TLS, and what to do.
    pub(crate) const fn to_amqp(self) -> &'static str {
        match self {
            Self::Tls => {
                "looks like TLS: connect to a port of AMQP with TLS (--amqps-listen, by convention 5671), or use amqp:// instead of amqps://"
            }
            Self::Http => "looks like HTTP: the management API has a port of its own, by convention 15672",
            Self::Amqp10 => "looks like AMQP 1.0, which is not spoken here: use a client of AMQP 0-9-1",
            Self::OtherAmqp => "looks like another version of AMQP: use a client of AMQP 0-9-1",
            Self::Mqtt => "looks like MQTT, which is not spoken here: use a client of AMQP 0-9-1",
            Self::Stomp => "looks like STOMP, which is not spoken here: use a client of AMQP 0-9-1",
            Self::Stream => {
                "looks like RabbitMQ's stream protocol, which is not spoken here: use a client of AMQP 0-9-1"
            }
            Self::Amqp091 | Self::Unknown => "not AMQP 0-9-1: check which port the client is to connect to",
        }
    }

    /// What was sent to a port of AMQP with TLS, and what to do.
    pub(crate) const fn to_amqps(self) -> &'static str {
        match self {
            Self::Amqp091 | Self::Amqp10 | Self::OtherAmqp => {
                "looks like AMQP without TLS: use amqps:// instead of amqp://, or connect to the port without TLS, by convention 5672"
            }
            Self::Http => {
                "looks like HTTP: the management API has a port of its own, by convention 15672, or 15671 with TLS"
            }
            Self::Mqtt | Self::Stomp | Self::Stream | Self::Tls | Self::Unknown => {
                "not TLS: this port speaks AMQP 0-9-1 with TLS; check which port the client is to connect to"
            }
        }
    }

    /// What was sent to a port of HTTP, with or without TLS, and what to do; `None` if it may well be HTTP.
    pub(crate) const fn to_http(self, has_tls: bool) -> Option<&'static str> {
        Some(match self {
            Self::Amqp091 | Self::Amqp10 | Self::OtherAmqp => {
                "looks like AMQP: this port is that of HTTP; AMQP has a port of its own, by convention 5672"
            }
            Self::Tls if !has_tls => {
                "looks like TLS: use http:// instead of https://, or connect to a port of HTTPS (--https-listen, by convention 15671)"
            }
            Self::Http if has_tls => {
                "looks like HTTP without TLS: use https:// instead of http://, or connect to the port without TLS, by convention 15672"
            }
            Self::Mqtt | Self::Stomp | Self::Stream => "not HTTP: check which port the client is to connect to",
            Self::Tls | Self::Http | Self::Unknown => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_told_apart_by_their_first_octets() {
        let mqtt = b"\x10\x1a\0\x04MQTT\x04\x02\0\x3c";
        let long_mqtt = b"\x10\x9a\x01\0\x04MQTT\x05";
        for (bytes, expected) in [
            (&b"AMQP\0\0\x09\x01"[..], Spoken::Amqp091),
            (b"AMQP\x01\x01\0\x09", Spoken::Amqp091),
            (b"AMQP\0\x01\0\0", Spoken::Amqp10),
            (b"AMQP\x03\x01\0\0", Spoken::Amqp10),
            (b"AMQP\x01\x01\x08\0", Spoken::OtherAmqp),
            (b"\x16\x03\x01\x02\0\x01", Spoken::Tls),
            (b"GET / HTTP/1.1\r\n", Spoken::Http),
            (b"PRI * HTTP/2.0\r\n", Spoken::Http),
            (b"CONNECT x:1 HTTP/1.1", Spoken::Http),
            (mqtt, Spoken::Mqtt),
            (long_mqtt, Spoken::Mqtt),
            (b"CONNECT\naccept-version:1.2\n", Spoken::Stomp),
            (b"STOMP\n", Spoken::Stomp),
            (b"\0\0\0\x5b\0\x11\0\x01\0\0\0\x01", Spoken::Stream),
            (b"SSH-2.0-x", Spoken::Unknown),
            (b"", Spoken::Unknown),
        ] {
            assert_eq!(Spoken::of(bytes), expected, "{bytes:?}");
        }
    }
}
