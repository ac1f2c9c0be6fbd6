//! What is said about TLS and logins: words of RabbitMQ's files, too.

use super::{Item, SettingValue, allowed};
use crate::protocol::sasl::Mechanism;
use crate::tls::{HostCertificate, SanType, TlsVersion, Verify};

/// A type whose values are words; the first word of a value is the one that is shown.
trait Words: Copy + PartialEq + 'static {
    const WORDS: &'static [(&'static str, Self)];
}

fn read<T: Words + SettingValue>(text: &str) -> Result<T, String> {
    let known = T::WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
    known.map(|(_, value)| *value).ok_or_else(allowed::<T>)
}

fn show<T: Words>(value: &T) -> Option<String> {
    T::WORDS.iter().find(|(_, known)| known == value).map(|(word, _)| (*word).to_owned())
}

macro_rules! words {
    ($type:ty, $name:literal, $allowed:literal, $words:expr) => {
        impl Words for $type {
            const WORDS: &'static [(&'static str, Self)] = &$words;
        }

        impl SettingValue for $type {
            const NAME: &'static str = $name;
            const ALLOWED: &'static str = $allowed;

            fn read(text: &str) -> Result<Self, String> {
                read(text)
            }

            fn show(&self) -> Option<String> {
                show(self)
            }
        }
    };
}

words!(
    Verify,
    "none|peer",
    "none or peer",
    [("none", Self::None), ("peer", Self::Peer), ("verify_none", Self::None), ("verify_peer", Self::Peer)]
);
words!(
    TlsVersion,
    "VERSION",
    "1.2 or 1.3",
    [("1.3", Self::V1_3), ("1.2", Self::V1_2), ("tlsv1.3", Self::V1_3), ("tlsv1.2", Self::V1_2)]
);
words!(
    Mechanism,
    "MECHANISM",
    "PLAIN, AMQPLAIN, ANONYMOUS or EXTERNAL",
    [
        ("PLAIN", Self::Plain),
        ("AMQPLAIN", Self::AmqPlain),
        ("ANONYMOUS", Self::Anonymous),
        ("EXTERNAL", Self::External)
    ]
);
words!(
    CertificatePart,
    "WHAT",
    "distinguished_name, common_name or subject_alternative_name",
    [
        ("distinguished_name", Self::Subject),
        ("common_name", Self::CommonName),
        ("subject_alternative_name", Self::AlternativeName),
        ("subject_alt_name", Self::AlternativeName)
    ]
);
words!(
    SanType,
    "KIND",
    "dns, ip, email, uri or other_name",
    [("dns", Self::Dns), ("ip", Self::Ip), ("email", Self::Email), ("uri", Self::Uri), ("other_name", Self::OtherName)]
);

impl SettingValue for HostCertificate {
    const NAME: &'static str = "HOST=CERT:KEY";
    const ALLOWED: &'static str =
        "a host, a file with its certificate, and one with the key: a.example.com=/a/cert.pem:/a/key.pem";

    fn read(text: &str) -> Result<Self, String> {
        let parts = text.split_once('=').and_then(|(host, files)| Some((host, two_files(files)?)));
        match parts {
            Some((host, (certfile, keyfile))) if !(host.is_empty() || certfile.is_empty() || keyfile.is_empty()) => {
                Ok(Self { host: host.to_owned(), certfile: certfile.into(), keyfile: keyfile.into() })
            }
            _ => Err(allowed::<Self>()),
        }
    }

    fn show(&self) -> Option<String> {
        Some(format!("{}={}:{}", self.host, self.certfile.display(), self.keyfile.display()))
    }
}

/// The two files of `CERT:KEY`, cut at the last colon that is not of a drive, as in `C:\cert.pem:C:\key.pem`. A configuration means the
/// same on every system.
fn two_files(files: &str) -> Option<(&str, &str)> {
    let cut = |(at, colon): (usize, &str)| Some((files.get(..at)?, files.get(at + colon.len()..)?));
    let is_of_drive = |cut: &(&str, &str)| {
        let (before, behind) = *cut;
        let letter = before.rsplit(':').next().unwrap_or_default();
        let is_letter = letter.len() == 1 && letter.starts_with(|letter: char| letter.is_ascii_alphabetic());
        is_letter && behind.starts_with(['\\', '/'])
    };
    let last = files.rmatch_indices(':').filter_map(cut).find(|cut| !is_of_drive(cut));
    // A file may have a name of one letter, if no other colon is there.
    last.or_else(|| files.split_once(':'))
}

impl Item for HostCertificate {}
impl Item for TlsVersion {}
impl Item for Mechanism {}

/// What of a certificate names the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CertificatePart {
    /// The whole subject.
    #[default]
    Subject,
    /// The common name.
    CommonName,
    /// One of the other names.
    AlternativeName,
}

/// A place in a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Index(pub usize);

impl SettingValue for Index {
    const NAME: &'static str = "INDEX";
    const ALLOWED: &'static str = "a whole number from 0";

    fn read(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_not_a_number| allowed::<Self>())
    }

    fn show(&self) -> Option<String> {
        Some(self.0.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rabbitmqs_words_are_understood() {
        assert_eq!(Verify::read("verify_peer"), Ok(Verify::Peer));
        assert_eq!(TlsVersion::read("tlsv1.2").unwrap().show().as_deref(), Some("1.2"));
        assert_eq!(Mechanism::read("External"), Ok(Mechanism::External));
        assert_eq!(CertificatePart::read("subject_alt_name"), Ok(CertificatePart::AlternativeName));
        assert_eq!(SanType::read("DNS"), Ok(SanType::Dns));
        assert!(TlsVersion::read("1.1").unwrap_err().contains("1.2 or 1.3"));
        assert!(Index::read("-1").is_err());
    }

    #[test]
    fn a_host_has_a_certificate_and_a_key() {
        let of_a = HostCertificate::read("a.example=/c:1/a.pem:/k.pem").unwrap();
        assert_eq!(
            (of_a.host.as_str(), of_a.certfile.to_str(), of_a.keyfile.to_str()),
            ("a.example", Some("/c:1/a.pem"), Some("/k.pem"))
        );
        assert_eq!(HostCertificate::read(&of_a.show().unwrap()), Ok(of_a));
        for (files, certfile, keyfile) in [
            (r"C:\c.pem:D:\k.pem", r"C:\c.pem", r"D:\k.pem"),
            ("C:/c.pem:D:/k.pem", "C:/c.pem", "D:/k.pem"),
            (r"C:\c.pem:k.pem", r"C:\c.pem", "k.pem"),
            (r"c.pem:D:\k.pem", "c.pem", r"D:\k.pem"),
            ("c:/k.pem", "c", "/k.pem"),
            ("c:k", "c", "k"),
        ] {
            let read = HostCertificate::read(&format!("a={files}")).unwrap();
            assert_eq!((read.certfile.to_str(), read.keyfile.to_str()), (Some(certfile), Some(keyfile)), "{files}");
            assert_eq!(HostCertificate::read(&read.show().unwrap()), Ok(read));
        }
        for text in ["", "a.example", "a.example=/c.pem", "=/c:/k", "a=:/k", "a=/c:"] {
            assert_eq!(HostCertificate::read(text), Err(allowed::<HostCertificate>()), "{text}");
        }
    }
}
