//! `leveret tls dev`: what it makes and prints works.

use std::process::Command;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{Trust, tunnel};
use crate::client::Connect;
use crate::process::{Directory, Program, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_flags_that_it_prints_start_a_broker_that_its_certificates_log_in_to() {
    let directory = Directory::new("tls-dev");
    let made = run(&["tls", "dev", "--dir", directory.text()]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let text = String::from_utf8(made.stdout).unwrap();
    let flags = |beginning: &str| {
        let line = text.lines().map(str::trim).find(|line| line.starts_with(beginning)).unwrap();
        line.replace("--amqps-listen 5671", "--amqps-listen 127.0.0.1:0")
            .split(' ')
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let (serve, verify) = (flags("leveret --amqps-listen"), flags("--tls-ca"));
    let mut arguments = vec!["--in-memory", "--no-http"];
    arguments.extend(serve.iter().skip(1).chain(&verify).map(String::as_str));
    let program = Program::start("tls-dev", &arguments);
    let amqps = ([127, 0, 0, 1], u16::try_from(program.ports()["amqps"].as_u64().unwrap()).unwrap()).into();
    let file = |name: &str| std::fs::read(directory.path().join(name)).unwrap();
    let authority = CertificateDer::from_pem_slice(&file("ca.pem")).unwrap();
    let certificate = CertificateDer::from_pem_slice(&file("client.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&file("client.key")).unwrap();
    let trust = Trust::in_der(authority, Some((certificate, key)), rustls::DEFAULT_VERSIONS);
    Connect::to(tunnel(amqps, trust).await).mechanism("EXTERNAL", b"").open().await;

    let again = run(&["tls", "dev", "--dir", directory.text()]);
    assert!(String::from_utf8(again.stderr).unwrap().contains("is there already"));
}

/// OpenSSL judges the chain, the name and each version, as an administrator would have it do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_is_content() {
    let directory = Directory::new("tls-openssl");
    assert!(run(&["tls", "dev", "--dir", directory.text()]).status.success());
    let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key, authority) = (file("server.pem"), file("server.key"), file("ca.pem"));
    let flags =
        ["--in-memory", "--no-http", "--amqps-listen", "127.0.0.1:0", "--tls-cert", &certificate, "--tls-key", &key];
    let program = Program::start("tls-openssl", &flags);
    let port = program.ports()["amqps"].as_u64().unwrap();
    for (version, name) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let mut openssl = Command::new("openssl");
        openssl.args(["s_client", "-connect", &format!("127.0.0.1:{port}"), version, "-CAfile", &authority]);
        openssl.args(["-verify_return_error", "-verify_hostname", "localhost", "-servername", "localhost"]);
        let output = openssl.stdin(std::process::Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("Verify return code: 0 (ok)") && said.contains(name), "{said}{output:?}");
    }
    let old = Command::new("openssl")
        .args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert!(!old.status.success(), "{old:?}");
}
