//! What is said about TLS and logins: words of RabbitMQ's files, too.

use super::{Item, Value, allowed};
use crate::protocol::sasl::Mechanism;
use crate::tls::{SanType, TlsVersion, Verify};

/// A type whose values are words; the first word of a value is the one that is shown.
trait Words: Copy + PartialEq + 'static {
    const WORDS: &'static [(&'static str, Self)];
}

fn read<T: Words + Value>(text: &str) -> Result<T, String> {
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

        impl Value for $type {
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

impl Value for Index {
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
}
