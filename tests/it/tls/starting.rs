//! What is wrong with files is said at the start: which one, what, and what to do.

use super::{Authority, Files, Issued};
use crate::process::{Program, run};

/// What the program says when it ends at once.
fn refusal(certfile: &str, keyfile: &str, more: &[&str]) -> String {
    let mut arguments =
        vec!["--in-memory", "--no-http", "--amqp-listen", "127.0.0.1:0", "--amqps-listen", "127.0.0.1:0"];
    arguments.extend(["--tls-cert", certfile, "--tls-key", keyfile]);
    arguments.extend(more);
    let output = run(&arguments);
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn each_fault_of_a_file_is_said_with_its_name() {
    let authority = Authority::new("CA");
    let (issued, other) = (authority.server(), authority.server());
    let files = Files::new(&authority, &issued);
    let file = |name: &str, text: &str| {
        let path = files.certfile().with_file_name(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (certificate, key) = (file("c.pem", &issued.certificate), file("k.pem", &issued.key));
    let wrong_key = file("wrong.key", &other.key);
    let chain = file("chain.pem", &format!("{}{}", authority.pem(), issued.certificate));
    let encrypted =
        file("locked.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let garbage = file("garbage.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let empty = file("empty.pem", "");
    for (certfile, keyfile, more, expected) in [
        (
            "/nowhere/c.pem",
            &*key,
            &[][..],
            vec![
                "TLS: tls_cert (ssl_options.certfile): cannot read the certificate from /nowhere/c.pem",
                "check the path",
            ],
        ),
        (
            &certificate,
            "/nowhere/k.pem",
            &[],
            vec!["TLS: tls_key (ssl_options.keyfile): cannot read the private key from /nowhere/k.pem"],
        ),
        (
            &certificate,
            &wrong_key,
            &[],
            vec!["wrong.key is not the key of the certificate", "c.pem", "CN=broker,O=Example"],
        ),
        (&key, &certificate, &[], vec!["k.pem holds no certificate but a private key (are the two files swapped?)"]),
        (&certificate, &certificate, &[], vec!["c.pem holds no private key but certificates"]),
        (&chain, &key, &[], vec!["the key in", "is that of certificate 2 in", "put that certificate first"]),
        (&certificate, &encrypted, &[], vec!["locked.key is encrypted", "openssl pkey -in"]),
        (&garbage, &key, &[], vec!["certificate 1 in", "garbage.pem cannot be read"]),
        (&empty, &key, &[], vec!["empty.pem holds no certificate;"]),
        (
            &certificate,
            &key,
            &["--tls-verify", "peer"],
            vec!["tls_ca (ssl_options.cacertfile): clients are", "name the authorities"],
        ),
        (
            &certificate,
            &key,
            &["--tls-hosts", "a.example=/nowhere/a.pem:/nowhere/a.key"],
            vec!["tls_hosts (sni_hosts): cannot read the certificate from /nowhere/a.pem"],
        ),
        (
            &certificate,
            &key,
            &[
                "--prometheus-tls-listen",
                "127.0.0.1:0",
                "--prometheus-cert",
                "/nowhere/m.pem",
                "--prometheus-key",
                "/k",
            ],
            vec!["prometheus_cert (prometheus.ssl.certfile): cannot read the certificate from /nowhere/m.pem"],
        ),
        (
            &certificate,
            &key,
            &["--prometheus-tls-listen", "127.0.0.1:0", "--prometheus-ca", "/nowhere/ca.pem"],
            vec!["prometheus_ca (prometheus.ssl.cacertfile): cannot read the authorities' certificates"],
        ),
        (
            &certificate,
            &key,
            &["--tls-ca", "/nowhere/ca.pem"],
            vec!["tls_ca (ssl_options.cacertfile): cannot read the authorities' certificates from /nowhere/ca.pem"],
        ),
    ] {
        let said = refusal(certfile, keyfile, more);
        for words in expected {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_for_another_host_is_complained_of() {
    let authority = Authority::new("CA");
    let files = Files::new(&authority, &authority.server());
    let (certfile, keyfile) = (files.certfile(), files.keyfile());
    let (certfile, keyfile) = (certfile.to_str().unwrap(), keyfile.to_str().unwrap());
    let hosts = format!("a.example={certfile}:{keyfile}");
    let tls = ["--amqps-listen", "127.0.0.1:0", "--tls-cert", certfile, "--tls-key", keyfile, "--tls-hosts", &hosts];
    let mut program = Program::start("other-host", &[&["--in-memory", "--no-http"][..], &tls].concat());
    let log = program.stop();
    assert!(log.contains("server.pem is to be shown for a.example and is for other hosts (localhost)"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_has_expired_is_complained_of() {
    let authority = Authority::new("CA");
    let issued: Issued = authority.server_with(|params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 2, 3);
    });
    let files = Files::new(&authority, &issued);
    let (certfile, keyfile) = (files.certfile(), files.keyfile());
    let mut program = Program::start(
        "expired",
        &[
            "--in-memory",
            "--no-http",
            "--amqps-listen",
            "127.0.0.1:0",
            "--tls-cert",
            certfile.to_str().unwrap(),
            "--tls-key",
            keyfile.to_str().unwrap(),
        ],
    );
    let log = program.stop();
    assert!(log.contains("server.pem expired at Feb  3 00:00:00 2021") && log.contains("renew it"), "{log}");
}
