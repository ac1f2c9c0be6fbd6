//! What a line of the log looks like as a message of syslog.

use std::ops::Range;

use tracing::Level;

use crate::config::{Settings, SyslogProtocol, SyslogTransport};
use crate::host;

/// What stands before the text of each message.
#[derive(Clone, Debug)]
pub(in crate::logging) struct Header {
    protocol: SyslogProtocol,
    facility: u8,
    /// The machine, the program and its process.
    host: String,
    identity: String,
    process: u32,
}

impl Header {
    pub(in crate::logging) fn of(settings: &Settings) -> Self {
        // A name is one word, whatever the system says.
        let host = host::name().filter(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()));
        // RabbitMQ sends no other with TLS.
        let is_secured = settings.log_syslog_transport == SyslogTransport::Tls;
        let usual = if is_secured { SyslogProtocol::Rfc5424 } else { SyslogProtocol::Rfc3164 };
        Self {
            protocol: settings.log_syslog_protocol.unwrap_or(usual),
            facility: settings.log_syslog_facility.code(),
            host: host.unwrap_or_else(|| "localhost".to_owned()),
            identity: settings.log_syslog_identity.word().to_owned(),
            process: host::process_id(),
        }
    }

    /// A message with this text. The time is that of a line of the log: `2026-11-28T21:36:34.123456Z`.
    pub(in crate::logging) fn message(&self, time: &str, level: Level, text: &str) -> String {
        let Self { facility, host, identity, process, .. } = self;
        let priority = facility * 8 + severity(level);
        match self.protocol {
            SyslogProtocol::Rfc3164 => {
                format!("<{priority}>{} {host} {identity}[{process}]: {text}", without_year(time))
            }
            SyslogProtocol::Rfc5424 => format!("<{priority}>1 {time} {host} {identity} {process} - - {text}"),
        }
    }
}

/// How bad it is in the words of syslog.
const fn severity(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A time as RFC 3164 has it: `Nov  8 21:36:34`.
fn without_year(time: &str) -> String {
    let part = |range: Range<usize>| time.get(range).unwrap_or_default();
    let number = |range: Range<usize>| part(range).parse::<usize>().unwrap_or_default();
    let month = MONTHS.get(number(5..7).wrapping_sub(1)).unwrap_or(&MONTHS[0]);
    format!("{month} {:>2} {}", number(8..10), part(11..19))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(protocol: SyslogProtocol) -> Header {
        Header { protocol, facility: 3, host: "mill".to_owned(), identity: "leveret".to_owned(), process: 7 }
    }

    #[test]
    fn messages_look_as_their_rfc_says() {
        let time = "2026-11-08T21:36:34.123456Z";
        let old = header(SyslogProtocol::Rfc3164).message(time, Level::WARN, "a \"b\"");
        assert_eq!(old, "<28>Nov  8 21:36:34 mill leveret[7]: a \"b\"");
        let new = header(SyslogProtocol::Rfc5424).message(time, Level::ERROR, "a");
        assert_eq!(new, "<27>1 2026-11-08T21:36:34.123456Z mill leveret 7 - - a");
    }

    #[test]
    fn with_tls_they_have_the_new_form_unless_told_otherwise() {
        let form =
            |transport| Header::of(&Settings { log_syslog_transport: transport, ..Settings::default() }).protocol;
        assert_eq!(form(SyslogTransport::Tls), SyslogProtocol::Rfc5424);
        assert_eq!(form(SyslogTransport::Tcp), SyslogProtocol::Rfc3164);
    }
}
