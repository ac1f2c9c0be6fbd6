//! `ssl_options` as an Erlang term: RabbitMQ's other form of `ssl_options.*`, and the only one for the certificates of several hosts.

use super::application_terms::take;
use super::terms::Source;
use crate::config::given::GivenSettings;
use crate::config::setting::Setting;
use crate::erlang::Term;

/// Reads `[{certfile, "..."}, {versions, ['tlsv1.2']}, {sni_hosts, [...]}]`.
pub(super) fn read_ssl_options(source: &Source<'_>, options: &[Term<'_>], read: &mut GivenSettings) {
    for option in options {
        let Term::Tuple(at, pair) = option else { continue };
        let [Term::Word(_, key), value] = pair.as_slice() else { continue };
        match (*key, value) {
            ("sni_hosts", Term::List(_, hosts)) => sni_hosts(source, hosts, read),
            (key, Term::Word(..)) => take(source, &format!("ssl_options.{key}"), value.word(), at, read),
            (key, Term::List(_, items)) => {
                take(source, &format!("ssl_options.{key}.1"), items.iter().filter_map(Term::word), at, read);
            }
            (_, Term::Tuple(..)) => read.warn(source.origin(at), format!("ssl_options.{key} has no effect here")),
        }
    }
}

/// `[{"a.example", [{certfile, "..."}, {keyfile, "..."}]}]`
fn sni_hosts(source: &Source<'_>, hosts: &[Term<'_>], read: &mut GivenSettings) {
    let Some(setting) = Setting::find("tls_hosts") else { return };
    let mut texts = Vec::new();
    let mut first = None;
    for host in hosts {
        let (Term::Tuple(at, _) | Term::List(at, _) | Term::Word(at, _)) = host;
        first.get_or_insert(*at);
        match of_host(host) {
            Some(text) => texts.push(text),
            None => {
                let text =
                    "a host of sni_hosts is {\"a.example.com\", [{certfile, \"/a.pem\"}, {keyfile, \"/a.key\"}]}";
                read.refuse(source.origin(at), text);
            }
        }
    }
    if let Some(at) = first.filter(|_| !texts.is_empty()) {
        read.given.push(setting.given(texts, source.origin(at)));
    }
}

fn of_host(term: &Term<'_>) -> Option<String> {
    let Term::Tuple(_, parts) = term else { return None };
    let [Term::Word(_, host), Term::List(_, options)] = parts.as_slice() else { return None };
    let option = |wanted: &str| {
        options.iter().find_map(|option| match option {
            Term::Tuple(_, pair) => match pair.as_slice() {
                [Term::Word(_, key), Term::Word(_, value)] if *key == wanted => Some(*value),
                _ => None,
            },
            Term::List(..) | Term::Word(..) => None,
        })
    };
    Some(format!("{host}={}:{}", option("certfile")?, option("keyfile")?))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::terms::read_settings;
    use super::*;

    fn read(options: &str) -> (Vec<(&'static str, String)>, Vec<String>) {
        let mut read = GivenSettings::default();
        read_settings(Path::new("a.config"), &format!("[{{rabbit,[{{ssl_options,[{options}]}}]}}]."), &mut read);
        let given = read.given.iter().map(|given| (given.setting.name, given.texts.join("|"))).collect();
        (given, read.problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn options_have_the_meaning_of_their_keys() {
        let (given, told) = read(
            "{certfile,\"/c.pem\"},{keyfile,\"/k.pem\"},{verify,verify_peer},{fail_if_no_peer_cert,true},
             {versions,['tlsv1.3','tlsv1.2']},{depth,2}",
        );
        let expected = [
            ("tls_cert", "/c.pem"),
            ("tls_key", "/k.pem"),
            ("tls_verify", "peer"),
            ("tls_require_client_cert", "true"),
            ("tls_versions", "1.3|1.2"),
        ];
        assert_eq!(given, expected.map(|(name, value)| (name, value.to_owned())));
        assert!(told[0].contains("ssl_options.depth is not needed") && told.len() == 1, "{told:?}");
    }

    #[test]
    fn each_host_has_its_certificate() {
        let (given, told) = read(
            "{sni_hosts,[{\"a.example\",[{certfile,\"/a.pem\"},{keyfile,\"/a.key\"}]},
                         {\"b.example\",[{keyfile,\"/b.key\"},{certfile,\"/b.pem\"}]}]}",
        );
        assert_eq!(given, [("tls_hosts", "a.example=/a.pem:/a.key|b.example=/b.pem:/b.key".to_owned())]);
        assert_eq!(told, [""; 0]);
        let (given, told) = read("{sni_hosts,[{\"a.example\",[{certfile,\"/a.pem\"}]}]}");
        assert_eq!(given, []);
        assert!(told[0].starts_with("a.config:1:37: a host of sni_hosts is "), "{told:?}");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let (given, told) = read("{verify,maybe}");
        assert_eq!(given, []);
        let expected = "a.config:1:25: ssl_options.verify cannot be 'maybe': allowed is verify_peer or verify_none";
        assert_eq!(told, [expected]);
    }
}
