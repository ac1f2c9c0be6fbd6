//! A directory that knows users: `slapd`. A machine without it must say that these tests are to be left out.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{LOGIN_REFUSED, api};
use crate::client::{Connect, eventually, queue};
use crate::process::{Directory, Program, unused_port};
use crate::tls::{Authority, Files};

const SLAPD: &str = "/usr/sbin/slapd";

/// A directory server; it ends with the test.
struct Slapd {
    child: Child,
    port: u16,
    tls_port: u16,
    _files: Directory,
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

const CONFIGURATION: &str = "\
include /etc/ldap/schema/core.schema
database ldif
suffix dc=example
rootdn cn=root,dc=example
rootpw secret
directory DATA
";

const ENTRIES: &str = "\
dn: dc=example
objectClass: dcObject
objectClass: organization
o: example
dc: example

dn: ou=people,dc=example
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example
objectClass: organizationalUnit
ou: groups

dn: cn=anna,ou=people,dc=example
objectClass: person
cn: anna
sn: orders
userPassword: anna's

dn: cn=bert,ou=people,dc=example
objectClass: person
cn: bert
sn: nothing
userPassword: bert's

dn: cn=admins,ou=groups,dc=example
objectClass: groupOfNames
cn: admins
member: cn=anna,ou=people,dc=example

dn: cn=everybody,ou=groups,dc=example
objectClass: groupOfNames
cn: everybody
member: cn=admins,ou=groups,dc=example
";

impl Slapd {
    /// `None` where it is not installed, and need not be.
    async fn start(name: &str) -> Option<Self> {
        Self::start_with(name, "").await
    }

    /// The same with more lines in its configuration.
    async fn start_with(name: &str, more: &str) -> Option<Self> {
        if !Path::new(SLAPD).exists() {
            // Who only tries the broker need not have a directory; CI says whether it must be there.
            let is_needed = std::env::var_os("LEVERET_TEST_WITH_SLAPD").is_some();
            assert!(!is_needed, "slapd is missing: apt-get install slapd");
            eprintln!("slapd is missing (apt-get install slapd): NOT CHECKED");
            return None;
        }
        let files = Directory::new(name);
        let data = files.path().join("data");
        std::fs::create_dir_all(&data).unwrap();
        let configuration = files.path().join("slapd.conf");
        std::fs::write(&configuration, more.to_owned() + &CONFIGURATION.replace("DATA", data.to_str().unwrap()))
            .unwrap();
        let entries = files.path().join("entries.ldif");
        std::fs::write(&entries, ENTRIES).unwrap();
        let added =
            Command::new("/usr/sbin/slapadd").arg("-f").arg(&configuration).arg("-l").arg(&entries).output().unwrap();
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        let [port, tls_port] = [unused_port(), unused_port()];
        let mut places = format!("ldap://127.0.0.1:{port}");
        if !more.is_empty() {
            places += &format!(" ldaps://127.0.0.1:{tls_port}");
        }
        let child = Command::new(SLAPD)
            .args(["-d", "0", "-h", &places, "-f"])
            .arg(&configuration)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let slapd = Self { child, port, tls_port, _files: files };
        eventually("the directory answers", async || std::net::TcpStream::connect(("127.0.0.1", port)).map(drop)).await;
        Some(slapd)
    }

    fn program(&self, name: &str, arguments: &[&str]) -> Program {
        let port = self.port.to_string();
        let common =
            ["--in-memory", "--auth-backends", "ldap", "--auth-ldap-servers", "127.0.0.1", "--auth-ldap-port", &port];
        Program::start(name, &[&common, arguments].concat())
    }
}

const PATTERN: [&str; 2] = ["--auth-ldap-user-dn-pattern", "cn=${username},ou=people,dc=example"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_bind_and_groups_say_what_they_may_do() {
    let Some(slapd) = Slapd::start("slapd-groups").await else { return };
    let resources = "{for, [{permission, configure, {match, {string, \"${name}\"}, {string, \"^${username}-\"}}}, \
                     {permission, write, {equals, {attribute, \"${user_dn}\", \"sn\"}, \"${name}\"}}, \
                     {permission, read, {'not', {exists, \"cn=${name},ou=people,dc=example\"}}}]}";
    let arguments = [
        "--auth-ldap-queries-vhost-access",
        "{in_group_nested, \"cn=everybody,ou=groups,dc=example\"}",
        "--auth-ldap-group-lookup-base",
        "ou=groups,dc=example",
        "--auth-ldap-queries-resource-access",
        resources,
        "--auth-ldap-queries-tags",
        "[{administrator, {in_group, \"cn=admins,ou=groups,dc=example\"}}, {monitoring, {constant, false}}]",
    ];
    let program = slapd.program("slapd-groups", &[&PATTERN[..], &arguments].concat());
    for (user, password) in
        [("anna", "wrong"), ("anna", ""), ("nobody", "x"), ("anna,ou=people", "anna's"), ("*", "anna's")]
    {
        let connection = Connect::to(program.address()).user(user, password).start().await;
        connection.expect_close(403, LOGIN_REFUSED, (0, 0)).await;
    }
    let bert = Connect::to(program.address()).user("bert", "bert's").ask().await;
    bert.expect_close(530, "NOT_ALLOWED - access to vhost '/' refused for user 'bert'", (10, 40)).await;
    let connection = Connect::to(program.address()).user("anna", "anna's").open().await;
    let ch = connection.channel(1).await;
    ch.declare(queue("anna-q")).await;
    ch.drain("anna-q").await;
    let text = "ACCESS_REFUSED - configure access to queue 'q' in vhost '/' refused for user 'anna'";
    ch.refused(queue("q"), 403, text).await;
    let api = api(&program);
    assert_eq!(api.clone().log_in("anna", "anna's").get("/api/whoami")["tags"], serde_json::json!(["administrator"]));
    assert_eq!(api.log_in("bert", "bert's").request("GET", "/api/whoami", None).0, 401, "no tag");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_entry_of_a_user_can_be_searched() {
    let Some(slapd) = Slapd::start("slapd-search").await else { return };
    let search = [
        "--auth-ldap-dn-lookup-attribute",
        "cn",
        "--auth-ldap-dn-lookup-base",
        "ou=people,dc=example",
        "--auth-ldap-queries-tags",
        "[{management, {in_group, \"cn=admins,ou=groups,dc=example\"}}]",
    ];
    let environment = [("LEVERET_AUTH_LDAP_DN_LOOKUP_BIND_PASSWORD", "secret")];
    let port = slapd.port.to_string();
    let common =
        ["--in-memory", "--auth-backends", "ldap", "--auth-ldap-servers", "127.0.0.1", "--auth-ldap-port", &port];
    let bind = ["--auth-ldap-dn-lookup-bind-user-dn", "cn=root,dc=example"];
    let program = Program::start_with(&environment, "slapd-search", &[&common[..], &search, &bind].concat());
    Connect::to(program.address()).user("anna", "anna's").open().await.close().await;
    let wrong = Connect::to(program.address()).user("bert", "anna's").start().await;
    wrong.expect_close(403, LOGIN_REFUSED, (0, 0)).await;
    assert_eq!(api(&program).log_in("anna", "anna's").get("/api/whoami")["tags"], serde_json::json!(["management"]));
}

/// A login that has bound as the user, and asks the rest as somebody else, needs one connection at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_to_the_directory_is_enough() {
    let Some(slapd) = Slapd::start("slapd-one").await else { return };
    let one = ["--auth-ldap-connection-pool-size", "1", "--auth-ldap-other-bind", "anon"];
    let program = slapd.program("slapd-one", &[&PATTERN[..], &one].concat());
    Connect::to(program.address()).user("anna", "anna's").open().await.close().await;
}

/// The queries, and how TLS is spoken, stand in `advanced.config`, as operators have them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_is_asked_with_tls_as_advanced_config_says() {
    let authority = Authority::new("directory");
    let certificates = Files::new(&authority, &authority.server());
    let shown = |path: std::path::PathBuf| path.display().to_string();
    let tls = format!(
        "TLSCACertificateFile {}\nTLSCertificateFile {}\nTLSCertificateKeyFile {}\n",
        shown(certificates.cacertfile()),
        shown(certificates.certfile()),
        shown(certificates.keyfile())
    );
    let Some(slapd) = Slapd::start_with("slapd-tls", &tls).await else { return };
    let stranger = Files::new(&Authority::new("stranger"), &authority.server());
    let program = |name: &str, port: u16, how: &str, trusted: &Files| {
        let terms = r#"[{rabbit, [{auth_backends, [rabbit_auth_backend_ldap]}]},
             {rabbitmq_auth_backend_ldap, [{servers, ["127.0.0.1"]}, {port, PORT}, {HOW, true},
               {ssl_options, [{cacertfile, "TRUSTED"}, {verify, verify_peer}]},
               {user_dn_pattern, "cn=${username},ou=people,dc=example"},
               {vhost_access_query, {'and', [{in_group, "cn=admins,ou=groups,dc=example"}, {constant, true}]}},
               {resource_access_query, {match, {string, "${name}"}, {string, "^[a-z]\\d$"}}}]}]."#;
        let terms = terms.replace("PORT", &port.to_string()).replace("HOW", how);
        let files = Directory::new(name);
        std::fs::create_dir_all(files.path()).unwrap();
        let file = files.path().join("advanced.config");
        std::fs::write(&file, terms.replace("TRUSTED", &shown(trusted.cacertfile()))).unwrap();
        let environment = [("RABBITMQ_ADVANCED_CONFIG_FILE", file.to_str().unwrap())];
        Program::start_with(&environment, name, &["--in-memory"])
    };
    for (name, port, how) in
        [("slapd-tls-ssl", slapd.tls_port, "use_ssl"), ("slapd-tls-start", slapd.port, "use_starttls")]
    {
        let program = program(name, port, how, &certificates);
        let connection = Connect::to(program.address()).user("anna", "anna's").open().await;
        let ch = connection.channel(1).await;
        ch.declare(queue("q1")).await;
        let text = "ACCESS_REFUSED - configure access to queue 'qq' in vhost '/' refused for user 'anna'";
        ch.refused(queue("qq"), 403, text).await;
        let bert = Connect::to(program.address()).user("bert", "bert's").ask().await;
        bert.expect_close(530, "NOT_ALLOWED - access to vhost '/' refused for user 'bert'", (10, 40)).await;
    }
    let mut program = program("slapd-tls-stranger", slapd.tls_port, "use_ssl", &stranger);
    let connection = Connect::to(program.address()).user("anna", "anna's").start().await;
    connection.expect_close(403, LOGIN_REFUSED, (0, 0)).await;
    let log = program.stop();
    assert!(log.contains("failed authenticating anna: 127.0.0.1: "), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_asks_for_a_certificate_gets_one() {
    let authority = Authority::new("directory");
    let certificates = Files::new(&authority, &authority.server());
    let own = Files::new(&authority, &authority.client("broker"));
    let [ca, cert, key] = [certificates.cacertfile(), certificates.certfile(), certificates.keyfile()]
        .map(|file| file.display().to_string());
    let tls = format!(
        "TLSCACertificateFile {ca}\nTLSCertificateFile {cert}\nTLSCertificateKeyFile {key}\nTLSVerifyClient demand\n"
    );
    let Some(slapd) = Slapd::start_with("slapd-mutual", &tls).await else { return };
    let program = |name: &str, more: &str| {
        let files = Directory::new(name);
        std::fs::create_dir_all(files.path()).unwrap();
        let file = files.path().join("rabbitmq.conf");
        let lines = format!(
            "auth_backends.1 = ldap\nauth_ldap.servers.1 = 127.0.0.1\nauth_ldap.port = {}\nauth_ldap.use_ssl = true\n\
             auth_ldap.user_dn_pattern = cn=${{username}},ou=people,dc=example\n\
             auth_ldap.ssl_options.cacertfile = {ca}\n{more}",
            slapd.tls_port
        );
        std::fs::write(&file, lines).unwrap();
        let run = format!("{name}-run");
        (Program::start(&run, &["--in-memory", "--config", file.to_str().unwrap()]), files)
    };
    let [cert, key] = [own.certfile(), own.keyfile()].map(|file| file.display().to_string());
    let shown = format!("auth_ldap.ssl_options.certfile = {cert}\nauth_ldap.ssl_options.keyfile = {key}\n");
    let (showing, _files) = program("slapd-mutual-shown", &shown);
    Connect::to(showing.address()).user("anna", "anna's").open().await;
    let (silent, _files) = program("slapd-mutual-silent", "");
    let connection = Connect::to(silent.address()).user("anna", "anna's").start().await;
    connection.expect_close(403, LOGIN_REFUSED, (0, 0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_is_not_there_lets_nobody_in() {
    let port = unused_port().to_string();
    let arguments =
        ["--in-memory", "--auth-backends", "ldap", "--auth-ldap-servers", "127.0.0.1", "--auth-ldap-port", &port];
    let mut program = Program::start("slapd-gone", &[&arguments[..], &PATTERN].concat());
    let connection = Connect::to(program.address()).start().await;
    connection.expect_close(403, LOGIN_REFUSED, (0, 0)).await;
    let log = program.stop();
    assert!(log.contains("rabbit_auth_backend_ldap failed authenticating guest: 127.0.0.1: "), "{log}");
    assert!(!log.contains("=guest\\0"), "{log}");
}
