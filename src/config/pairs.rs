//! Settings of which one makes no sense as the other one is.

use std::path::Path;

use super::given::{Origin, Problem, ProblemSeverity};
use super::merged::Configuration;
use super::setting::Setting;
use super::value::{SyslogProtocol, SyslogTransport};

/// Certificates that are shown to servers, and the settings of their keys. As in RabbitMQ, one file may hold both.
const IDENTITIES: [(&str, &str); 2] =
    [("auth_ldap_certfile", "auth_ldap_keyfile"), ("log_syslog_certfile", "log_syslog_keyfile")];

/// How a private key begins in PEM, of whatever kind it is.
const KEY_BEGINS: &str = "PRIVATE KEY-----";

impl Configuration {
    /// Looks for such pairs. `text_of` reads a file.
    pub(super) fn look_at_pairs(&mut self, text_of: impl Fn(&Path) -> Result<String, String>) {
        for (certificate, key) in IDENTITIES {
            let (Some(certificate), Some(key)) = (Setting::find(certificate), Setting::find(key)) else { continue };
            self.look_at_identity(certificate, key, &text_of);
        }
        let is_secured = self.settings.log_syslog_transport == SyslogTransport::Tls;
        if is_secured && self.settings.log_syslog_protocol == Some(SyslogProtocol::Rfc3164) {
            let origin = self.origin_of("log_syslog_protocol");
            // RabbitMQ does not start either.
            self.refuse_pair(
                origin,
                "log_syslog_protocol cannot be rfc3164 with TLS: leave it out, or set rfc5424".to_owned(),
            );
        }
    }

    /// A key of nothing would never be shown, and a certificate without its key cannot be.
    fn look_at_identity(
        &mut self,
        certificate: &Setting,
        key: &Setting,
        text_of: impl Fn(&Path) -> Result<String, String>,
    ) {
        let file_of = |setting: &Setting| (setting.show)(&self.settings);
        let (setting, text) = match (file_of(certificate), file_of(key)) {
            (None, Some(file)) => {
                let text = format!(
                    "{} is the key {file} of no certificate: name that with {}, or leave the key out",
                    key.name, certificate.name
                );
                (key, text)
            }
            // What cannot be read is told by whoever uses it.
            (Some(file), None) if text_of(Path::new(&file)).is_ok_and(|text| !text.contains(KEY_BEGINS)) => {
                let text = format!("{} has no key, and none is in {file}: name it with {}", certificate.name, key.name);
                (certificate, text)
            }
            _ => return,
        };
        self.refuse_pair(self.origin(setting).clone(), text);
    }

    fn origin_of(&self, name: &str) -> Origin {
        self.origins.get(name).cloned().unwrap_or(Origin::Default)
    }

    fn refuse_pair(&mut self, origin: Origin, text: String) {
        self.problems.push(Problem { severity: ProblemSeverity::Wrong, origin, text });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::given::Given;

    fn told(given: &[(&str, &str)]) -> Vec<String> {
        let flag = |(name, text): &(&str, &str)| -> Given {
            Setting::find(name).unwrap().given(vec![(*text).to_owned()], Origin::Flag((*name).to_owned()))
        };
        let mut configuration = Configuration::default();
        configuration.take(given.iter().map(flag).collect());
        configuration.look_at_pairs(|file| match file.to_str() {
            Some("cert.pem") => Ok("-----BEGIN CERTIFICATE-----".to_owned()),
            Some("both.pem") => Ok("-----BEGIN CERTIFICATE-----\n-----BEGIN EC PRIVATE KEY-----".to_owned()),
            _ => Err("there is no such file".to_owned()),
        });
        configuration.wrong().map(ToString::to_string).collect()
    }

    #[test]
    fn a_certificate_for_servers_has_its_key() {
        for (certificate, key) in IDENTITIES {
            assert_eq!(told(&[(certificate, "cert.pem"), (key, "key.pem")]), [""; 0]);
            assert_eq!(told(&[(certificate, "both.pem")]), [""; 0]);
            assert_eq!(told(&[(certificate, "nowhere.pem")]), [""; 0]);
            let alone = format!(
                "--{key}: {key} is the key key.pem of no certificate: name that with {certificate}, or leave the key out"
            );
            assert_eq!(told(&[(key, "key.pem")]), [alone]);
            let alone =
                format!("--{certificate}: {certificate} has no key, and none is in cert.pem: name it with {key}");
            assert_eq!(told(&[(certificate, "cert.pem")]), [alone]);
        }
    }

    #[test]
    fn messages_of_the_old_form_are_not_sent_with_tls() {
        let old = ("log_syslog_protocol", "rfc3164");
        let expected =
            "--log_syslog_protocol: log_syslog_protocol cannot be rfc3164 with TLS: leave it out, or set rfc5424";
        assert_eq!(told(&[old, ("log_syslog_transport", "tls")]), [expected]);
        assert_eq!(told(&[old, ("log_syslog_transport", "tcp")]), [""; 0]);
        assert_eq!(told(&[("log_syslog_transport", "tls")]), [""; 0]);
    }
}
