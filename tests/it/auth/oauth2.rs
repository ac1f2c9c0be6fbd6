//! Logging in with access tokens (OAuth 2), and what their scopes allow.

use std::sync::{Arc, Mutex};

use serde_json::json;

use super::token::Key;
use super::web::Web;
use super::{LOGIN_REFUSED, api};
use crate::client::{Connect, publish, queue};
use crate::process::{Directory, Program};

/// A program that believes tokens, and also knows its own users.
fn start(name: &str, arguments: &[&str]) -> Program {
    let common = [
        "--in-memory",
        "--auth-backends",
        "oauth2",
        "--auth-backends",
        "internal",
        "--auth-oauth2-resource-server-id",
        "rabbitmq",
    ];
    Program::start(name, &[&common, arguments].concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scopes_say_what_a_token_allows() {
    let key = Key::new("k1");
    let set = key.set();
    let web = Web::start(move |_| (200, set.clone()));
    let mut program = start("oauth2-scopes", &["--auth-oauth2-jwks-uri", &web.address("/keys")]);
    let token = key
        .token("rabbitmq.configure:*/mine-* rabbitmq.write:*/amq.default rabbitmq.read:*/mine-* other.read:*/*", 600);
    // Any name will do.
    let connection = Connect::to(program.address()).user("whoever", &token).open().await;
    let ch = connection.channel(1).await;
    ch.declare(queue("mine-q")).await;
    ch.publish(publish("", "mine-q", "hello")).await;
    assert_eq!(ch.get_eventually("mine-q").await.text(), "hello");
    let text = "ACCESS_REFUSED - configure access to queue 'yours' in vhost '/' refused for user 'anna'";
    ch.refused(queue("yours"), 403, text).await;
    let ch = connection.channel(2).await;
    let text = "ACCESS_REFUSED - write access to exchange 'amq.direct' in vhost '/' refused for user 'anna'";
    ch.publish_refused(publish("amq.direct", "x", ""), 403, text).await;
    assert_eq!(web.asked("/keys").len(), 1, "the keys are fetched once");
    // The broker's own users are there, too.
    Connect::to(program.address()).open().await.close().await;
    drop(connection);
    let log = program.stop();
    assert!(log.contains("user=anna"), "{log}");
    assert!(!log.contains(&token), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_are_allowed_by_their_keys() {
    let key = Key::new("k1");
    let set = key.set();
    let web = Web::start(move |_| (200, set.clone()));
    let program = start("oauth2-topics", &["--auth-oauth2-jwks-uri", &web.address("/keys")]);
    let scopes = "rabbitmq.write:*/amq.topic/a.* rabbitmq.read:*/amq.topic/b.* rabbitmq.configure:*/* rabbitmq.write:*/q rabbitmq.read:*/q";
    let connection = Connect::to(program.address()).user("", &key.token(scopes, 600)).open().await;
    let ch = connection.channel(1).await;
    ch.declare(queue("q")).await;
    ch.bind("q", "amq.topic", "b.x").await;
    ch.confirm_select().await;
    ch.publish_confirmed(publish("amq.topic", "a.x", "")).await;
    let refused = |access: &str, key: &str| {
        format!(
            "ACCESS_REFUSED - {access} access to topic '{key}' in exchange 'amq.topic' in vhost '/' refused for user 'anna'"
        )
    };
    ch.publish_refused(publish("amq.topic", "b.x", ""), 403, &refused("write", "b.x")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_good_is_refused_and_the_log_says_why() {
    let (key, stranger) = (Key::new("k1"), Key::new("k1"));
    let directory = Directory::new("oauth2-pem");
    std::fs::create_dir_all(directory.path()).unwrap();
    let file = directory.path().join("k1.pem");
    std::fs::write(&file, key.pem()).unwrap();
    let mut program = start("oauth2-refused", &["--auth-oauth2-signing-keys", &format!("k1={}", file.display())]);
    let all = "rabbitmq.read:*/* rabbitmq.write:*/* rabbitmq.configure:*/*";
    Connect::to(program.address()).user("x", &key.token(all, 600)).open().await.close().await;
    let wrong = [stranger.token(all, 600), key.token(all, 0), Key::new("other").token(all, 600), "no token".to_owned()];
    for token in &wrong {
        let connection = Connect::to(program.address()).user("x", token).start().await;
        connection.expect_close(403, LOGIN_REFUSED, (0, 0)).await;
    }
    let elsewhere = Connect::to(program.address()).user("x", &key.token("rabbitmq.read:other/*", 600)).ask().await;
    elsewhere.expect_close(530, "NOT_ALLOWED - access to vhost '/' refused for user 'anna'", (10, 40)).await;
    let log = program.stop();
    for reason in [
        "signature_invalid",
        "Provided JWT token has expired at timestamp ",
        "{error,key_not_found}",
        "provided token is invalid",
    ] {
        assert!(log.contains(reason), "{reason}: {log}");
    }
    assert!(
        log.contains("rabbit_auth_backend_oauth2: ") && log.contains("; rabbit_auth_backend_internal: no such user"),
        "{log}"
    );
}

/// An issuer changes its keys from time to time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issuer_says_where_its_keys_are_and_they_may_change() {
    let (first, second) = (Key::new("k1"), Key::new("k2"));
    let set = Arc::new(Mutex::new(first.set()));
    let (shown, own) = (Arc::clone(&set), Arc::new(Mutex::new(String::new())));
    let address = Arc::clone(&own);
    let web = Web::start(move |asked| match asked.path.as_str() {
        "/realm/.well-known/openid-configuration" => {
            (200, json!({ "jwks_uri": address.lock().unwrap().clone() }).to_string())
        }
        "/certs" => (200, shown.lock().unwrap().clone()),
        _ => (404, String::new()),
    });
    *own.lock().unwrap() = web.address("/certs");
    let program = start("oauth2-issuer", &["--auth-oauth2-issuer", &web.address("/realm")]);
    let log_in = async |key: &Key| {
        Connect::to(program.address()).user("x", &key.token("rabbitmq.read:*/*", 600)).open().await.close().await;
    };
    log_in(&first).await;
    let early = Connect::to(program.address()).user("x", &second.token("rabbitmq.read:*/*", 600)).start().await;
    early.expect_close(403, LOGIN_REFUSED, (0, 0)).await;
    *set.lock().unwrap() = second.set();
    log_in(&second).await;
    let gone = Connect::to(program.address()).user("x", &first.token("rabbitmq.read:*/*", 600)).start().await;
    gone.expect_close(403, LOGIN_REFUSED, (0, 0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_takes_tokens_as_bearers_and_as_passwords() {
    let key = Key::new("k1");
    let set = key.set();
    let web = Web::start(move |_| (200, set.clone()));
    let program = start("oauth2-api", &["--auth-oauth2-jwks-uri", &web.address("/keys")]);
    let token = key.token("rabbitmq.tag:management rabbitmq.configure:*/mine-* rabbitmq.read:*/*", 600);
    let api = api(&program);
    for caller in [api.clone().authorized_by(Some(&format!("Bearer {token}"))), api.clone().log_in("x", &token)] {
        let whoami = caller.get("/api/whoami");
        assert_eq!(whoami, json!({ "name": "anna", "tags": ["management"], "is_internal_user": false }));
        assert_eq!(caller.request("PUT", "/api/queues/%2F/mine-q", Some(&json!({}))).0 / 100, 2);
        assert_eq!(caller.request("PUT", "/api/queues/%2F/yours", Some(&json!({}))).0, 401);
        assert_eq!(caller.request("GET", "/api/users", None).0, 401, "that is for administrators");
    }
    assert_eq!(api.get("/api/whoami")["is_internal_user"], true);
    let none = api.clone().authorized_by(Some(&format!("Bearer {}", key.token("rabbitmq.read:*/*", 600))));
    assert_eq!(none.request("GET", "/api/overview", None).0, 401, "no tag");
    let attempts = api.get("/api/auth/attempts/rabbit@localhost");
    assert_eq!(attempts[0]["auth_attempts_failed"], 0);
}

#[test]
fn what_is_missing_is_told_at_the_start() {
    crate::process::check_refused(
        &["--in-memory", "--amqp-listen", "127.0.0.1:0", "--auth-backends", "oauth2"],
        "leveret: users: the backend oauth2 needs auth_oauth2.resource_server_id: the name of this broker in access tokens",
    );
    crate::process::check_refused(
        &[
            "--in-memory",
            "--amqp-listen",
            "127.0.0.1:0",
            "--auth-backends",
            "oauth2",
            "--auth-oauth2-resource-server-id",
            "r",
            "--auth-oauth2-signing-keys",
            "k=/nowhere",
        ],
        "leveret: users: auth_oauth2.signing_keys.k: cannot read /nowhere: ",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_resource_server_believes_its_own_issuer() {
    let (prod, dev) = (Key::new("k1"), Key::new("k1"));
    let (of_prod, of_dev) = (prod.set(), dev.set());
    let web =
        Web::start(move |asked| if asked.path == "/prod" { (200, of_prod.clone()) } else { (200, of_dev.clone()) });
    let files = Directory::new("oauth2-servers");
    std::fs::create_dir_all(files.path()).unwrap();
    let file = files.path().join("rabbitmq.conf");
    let conf = format!(
        "auth_backends.1 = oauth2\n\
         auth_oauth2.resource_servers.1.id = rabbit_prod\n\
         auth_oauth2.resource_servers.1.oauth_provider_id = a\n\
         auth_oauth2.resource_servers.rabbit_dev.oauth_provider_id = b\n\
         auth_oauth2.resource_servers.rabbit_dev.scope_prefix = dev-\n\
         auth_oauth2.oauth_providers.a.jwks_uri = {}\n\
         auth_oauth2.oauth_providers.a.issuer = https://a.example\n\
         auth_oauth2.oauth_providers.b.jwks_uri = {}\n\
         management.oauth_enabled = true\n\
         management.oauth_client_id = pages\n",
        web.address("/prod"),
        web.address("/dev")
    );
    std::fs::write(&file, conf).unwrap();
    let program =
        Program::start_with(&[("RABBITMQ_CONFIG_FILE", file.to_str().unwrap())], "oauth2-servers", &["--in-memory"]);
    let scopes = "rabbit_prod.read:*/* dev-configure:*/*";
    let log_in = async |key: &Key, audience: serde_json::Value| {
        let token = key.token_for(audience, scopes);
        Connect::to(program.address()).user("x", &token).open().await
    };
    let connection = log_in(&prod, json!("rabbit_prod")).await;
    let text = "ACCESS_REFUSED - configure access to queue 'q' in vhost '/' refused for user 'anna'";
    connection.channel(1).await.refused(queue("q"), 403, text).await;
    let connection = log_in(&dev, json!(["rabbit_dev"])).await;
    connection.channel(1).await.declare(queue("q")).await;
    for (key, audience) in
        [(&dev, json!("rabbit_prod")), (&prod, json!("else")), (&prod, json!(["rabbit_prod", "rabbit_dev"]))]
    {
        let refused = Connect::to(program.address()).user("x", &key.token_for(audience, scopes)).start().await;
        refused.expect_close(403, LOGIN_REFUSED, (0, 0)).await;
    }
    let server = json!({
        "id": "rabbit_prod",
        "oauth_provider_url": "https://a.example",
        "oauth_metadata_url": "https://a.example/.well-known/openid-configuration",
    });
    let expected = json!({
        "oauth_enabled": true,
        "oauth_disable_basic_auth": true,
        "oauth_client_id": "pages",
        "oauth_resource_servers": { "rabbit_prod": server },
    });
    let anyone = api(&program).authorized_by(None);
    assert_eq!(anyone.get("/api/auth"), expected);
    let index = anyone.send("GET", "/", "", &[]);
    assert!(index.header("content-security-policy").contains("connect-src 'self' https://a.example;"));
    let callback = anyone.send("GET", "/js/oidc-oauth/login-callback.html", "", &[]);
    // The same page, which finds its files two folders up.
    assert_eq!((callback.status, callback.text.replace("../../", "./")), (200, index.text));
    // Tokens alone are taken, whether the password is right or not.
    let refused = json!({ "error": "not_authorised", "reason": "HTTP access denied: basic auth disabled" });
    for login in [api(&program), api(&program).log_in("guest", "wrong"), anyone] {
        let answer = login.send("GET", "/api/whoami", "", &[]);
        assert_eq!((answer.status, answer.json()), (401, refused.clone()));
        assert_eq!(answer.header("www-authenticate"), "");
    }
    let form = api(&program).authorized_by(None).send("POST", "/api/login", "username=guest&password=guest", &[]);
    assert_eq!((form.status, form.json()), (401, refused));
    let token = prod.token_for(json!("rabbit_prod"), "rabbit_prod.tag:administrator");
    let caller = api(&program).authorized_by(Some(&format!("Bearer {token}")));
    assert_eq!(caller.get("/api/whoami")["name"], "anna");
}
