//! Names in certificates as RabbitMQ prints them: as RFC 4514 says, the last part first.

use x509_parser::x509::{AttributeTypeAndValue, RelativeDistinguishedName, X509Name};

/// The types of attributes that have a name of letters; others are printed as numbers.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("2.5.4.4", "SN"),
    ("2.5.4.42", "GIVENNAME"),
    ("2.5.4.43", "INITIALS"),
    ("2.5.4.44", "GENERATIONQUALIFIER"),
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "TITLE"),
    ("2.5.4.6", "C"),
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.65", "PSEUDONYM"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "EMAILADDRESS"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.1", "UID"),
];

/// The tags of ASN.1 for text that is not in UTF-8 or a part of it.
const TELETEX: u32 = 20;
const UNIVERSAL: u32 = 28;
const BMP: u32 = 30;

/// A distinguished name, such as `CN=client,O=Example`.
pub(super) fn distinguished(name: &X509Name<'_>) -> String {
    let mut parts: Vec<_> = name.iter().map(relative).collect();
    parts.reverse();
    parts.join(",")
}

/// All common names, with commas between them.
pub(super) fn common(name: &X509Name<'_>) -> Option<String> {
    let names: Vec<_> = name.iter_common_name().map(text).collect();
    (!names.is_empty()).then(|| names.join(","))
}

fn relative(name: &RelativeDistinguishedName<'_>) -> String {
    name.iter().map(attribute).collect::<Vec<_>>().join("+")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let id = attribute.attr_type().to_id_string();
    let name = ATTRIBUTES.iter().find(|(number, _)| *number == id).map_or(id.as_str(), |(_, name)| name);
    format!("{name}={}", escaped(&text(attribute)))
}

fn text(attribute: &AttributeTypeAndValue<'_>) -> String {
    let value = attribute.attr_value();
    let units =
        || value.data.chunks_exact(2).map(|pair| pair.iter().fold(0, |unit, &byte| unit << 8 | u16::from(byte)));
    let points =
        || value.data.chunks_exact(4).map(|four| four.iter().fold(0, |point, &byte| point << 8 | u32::from(byte)));
    match value.tag().0 {
        TELETEX => value.data.iter().copied().map(char::from).collect(),
        BMP => char::decode_utf16(units()).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect(),
        UNIVERSAL => points().map(|point| char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER)).collect(),
        _ => String::from_utf8_lossy(value.data).into_owned(),
    }
}

/// What could be taken for the form of the name has a backslash before it. What is not printable ASCII is written as its bytes in
/// hexadecimal, and so is `~`: as RabbitMQ does it.
fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    let last = value.len().saturating_sub(1);
    for (at, byte) in value.bytes().enumerate() {
        match byte {
            b' ' | b'#' if at == 0 => escaped.extend(['\\', char::from(byte)]),
            b' ' if at == last => escaped.push_str("\\ "),
            b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\\' => escaped.extend(['\\', char::from(byte)]),
            32..126 => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("\\{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};
    use x509_parser::prelude::{FromDer, X509Certificate};

    use super::*;

    fn of(parts: &[(DnType, DnValue)], print: impl Fn(&X509Name<'_>) -> String) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in parts {
            params.distinguished_name.push(kind.clone(), value.clone());
        }
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let (_, certificate) = X509Certificate::from_der(certificate.der()).unwrap();
        print(certificate.subject())
    }

    fn utf8(text: &str) -> DnValue {
        DnValue::Utf8String(text.to_owned())
    }

    #[test]
    fn the_last_part_comes_first() {
        let parts = [
            (DnType::CountryName, DnValue::PrintableString("DE".try_into().unwrap())),
            (DnType::OrganizationName, utf8("Example, Inc.")),
            (DnType::CommonName, utf8("client")),
        ];
        assert_eq!(of(&parts, distinguished), r"CN=client,O=Example\, Inc.,C=DE");
        assert_eq!(of(&parts, |name| common(name).unwrap_or_default()), "client");
    }

    #[test]
    fn an_unknown_part_has_a_number() {
        let parts = [(DnType::CustomDnType(vec![1, 2, 3, 4]), utf8("x"))];
        assert_eq!(of(&parts, distinguished), "1.2.3.4=x");
    }

    #[test]
    fn text_of_two_bytes_a_letter_is_read() {
        let parts = [(DnType::CommonName, DnValue::BmpString("Grün".try_into().unwrap()))];
        assert_eq!(of(&parts, |name| common(name).unwrap_or_default()), "Grün");
        assert_eq!(of(&parts, distinguished), r"CN=Gr\C3\BCn");
    }

    #[test]
    fn what_could_be_misread_is_escaped() {
        for (value, expected) in [
            ("#1", r"\#1"),
            (" a ", r"\ a\ "),
            (" ", r"\ "),
            (r#"a"b+c;d<e>f\"#, r#"a\"b\+c\;d\<e\>f\\"#),
            ("a\u{1}~", r"a\01\7E"),
            ("a#b c=", "a#b c="),
            ("", ""),
        ] {
            assert_eq!(escaped(value), expected);
        }
    }
}
