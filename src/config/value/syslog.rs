//! How the log goes to a syslog server.

use std::borrow::Cow;

use super::{SettingValue, allowed};

/// How the server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyslogTransport {
    /// A datagram each.
    Udp,
    /// One connection, with the length before each message.
    Tcp,
    /// The same with TLS.
    Tls,
    /// A socket of this machine.
    Unix,
}

impl SettingValue for SyslogTransport {
    const NAME: &'static str = "udp|tcp|tls|unix";
    const ALLOWED: &'static str = "udp, tcp, tls or unix";

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "udp" => Ok(Self::Udp),
            "tcp" => Ok(Self::Tcp),
            "tls" | "ssl" => Ok(Self::Tls),
            "unix" => Ok(Self::Unix),
            _ => Err(allowed::<Self>()),
        }
    }

    fn show(&self) -> Option<String> {
        let name = match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Unix => "unix",
        };
        Some(name.to_owned())
    }
}

/// What a message looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyslogProtocol {
    /// The old form: a time without a year.
    Rfc3164,
    /// The new one.
    Rfc5424,
}

impl SettingValue for SyslogProtocol {
    const NAME: &'static str = "rfc3164|rfc5424";
    const ALLOWED: &'static str = "rfc3164 or rfc5424";

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "rfc3164" => Ok(Self::Rfc3164),
            "rfc5424" => Ok(Self::Rfc5424),
            _ => Err(allowed::<Self>()),
        }
    }

    fn show(&self) -> Option<String> {
        let name = match self {
            Self::Rfc3164 => "rfc3164",
            Self::Rfc5424 => "rfc5424",
        };
        Some(name.to_owned())
    }
}

/// What kind of program it is to syslog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyslogFacility(u8);

/// Those of the RFCs, in RabbitMQ's words.
const FACILITIES: [(&str, u8); 25] = [
    ("kern", 0),
    ("kernel", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("ntp", 12),
    ("audit", 13),
    ("alert", 14),
    ("clock", 15),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

impl SyslogFacility {
    /// A program that nobody sits before.
    pub(crate) const DAEMON: Self = Self(3);

    /// The number that stands for it in the priority of a line (RFC 5424, section 6.2.1).
    pub const fn code(self) -> u8 {
        self.0
    }
}

impl SettingValue for SyslogFacility {
    const NAME: &'static str = "FACILITY";
    const ALLOWED: &'static str = "kern, user, mail, daemon, auth, syslog, lpr, news, uucp, cron, authpriv, ftp, ntp, \
        audit, alert, clock, or local0 to local7";

    fn read(text: &str) -> Result<Self, String> {
        FACILITIES.iter().find(|(name, _)| *name == text).map(|(_, code)| Self(*code)).ok_or_else(allowed::<Self>)
    }

    fn show(&self) -> Option<String> {
        FACILITIES.iter().rfind(|(_, code)| *code == self.0).map(|(name, _)| (*name).to_owned())
    }
}

/// The name of a program in a message: a word, so that it is seen where it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogIdentity(Cow<'static, str>);

/// RFC 5424 gives it so many characters.
const IDENTITY_BYTES_MAX: usize = 48;

impl SyslogIdentity {
    /// The word itself.
    pub fn word(&self) -> &str {
        &self.0
    }

    /// This program's own name.
    pub(crate) const OWN: Self = Self(Cow::Borrowed("leveret"));
}

impl SettingValue for SyslogIdentity {
    const NAME: &'static str = "IDENTITY";
    const ALLOWED: &'static str = "a word of up to 48 characters of ASCII";

    fn read(text: &str) -> Result<Self, String> {
        let is_word =
            (1..=IDENTITY_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_word { Ok(Self(text.to_owned().into())) } else { Err(allowed::<Self>()) }
    }

    fn show(&self) -> Option<String> {
        Some(self.word().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rabbitmqs_words_are_understood() {
        for (name, code) in FACILITIES {
            assert_eq!(SyslogFacility::read(name).map(SyslogFacility::code), Ok(code), "{name}");
        }
        assert_eq!(SyslogFacility::DAEMON.show().as_deref(), Some("daemon"));
        assert_eq!(SyslogTransport::read("tcp"), Ok(SyslogTransport::Tcp));
        assert_eq!(SyslogTransport::read("ssl"), Ok(SyslogTransport::Tls));
        assert_eq!(SyslogProtocol::read("rfc5424"), Ok(SyslogProtocol::Rfc5424));
    }

    #[test]
    fn a_name_is_one_word() {
        assert_eq!(SyslogIdentity::read("my-rabbit").unwrap().word(), "my-rabbit");
        for text in ["", "a b", "a\nb", "\u{e4}", &"x".repeat(49)] {
            assert!(SyslogIdentity::read(text).is_err(), "{text}");
        }
    }
}
