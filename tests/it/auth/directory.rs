//! A directory that knows users: `slapd`, if it is installed (`apt-get install slapd`).

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{LOGIN_REFUSED, api};
use crate::client::{Connect, eventually, queue};
use crate::process::{Directory, Program};

const SLAPD: &str = "/usr/sbin/slapd";

/// A directory server; it ends with the test.
struct Slapd {
    child: Child,
    port: u16,
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
    /// `None` where it is not installed.
    async fn start(name: &str) -> Option<Self> {
        if !Path::new(SLAPD).exists() {
            eprintln!("slapd is not installed: nothing is tested with a directory");
            return None;
        }
        let files = Directory::new(name);
        let data = files.path().join("data");
        std::fs::create_dir_all(&data).unwrap();
        let configuration = files.path().join("slapd.conf");
        std::fs::write(&configuration, CONFIGURATION.replace("DATA", data.to_str().unwrap())).unwrap();
        let entries = files.path().join("entries.ldif");
        std::fs::write(&entries, ENTRIES).unwrap();
        let added =
            Command::new("/usr/sbin/slapadd").arg("-f").arg(&configuration).arg("-l").arg(&entries).output().unwrap();
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(SLAPD)
            .args(["-d", "0", "-h", &format!("ldap://127.0.0.1:{port}"), "-f"])
            .arg(&configuration)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let slapd = Self { child, port, _files: files };
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_is_not_there_lets_nobody_in() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let arguments =
        ["--in-memory", "--auth-backends", "ldap", "--auth-ldap-servers", "127.0.0.1", "--auth-ldap-port", &port];
    let mut program = Program::start("slapd-gone", &[&arguments[..], &PATTERN].concat());
    let connection = Connect::to(program.address()).start().await;
    connection.expect_close(403, LOGIN_REFUSED, (0, 0)).await;
    let log = program.stop();
    assert!(log.contains("rabbit_auth_backend_ldap failed authenticating guest: 127.0.0.1: "), "{log}");
    assert!(!log.contains("=guest\\0"), "{log}");
}
