//! Who may ask, and what a refusal looks like.

use super::refused;
use crate::broker::TestBroker;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_credentials_the_way_to_log_in_is_told() {
    let broker = TestBroker::with_http().await;
    let api = broker.http().authorized_by(None);
    let answered = api.send("GET", "/api/overview", "", &[]);
    assert_eq!((answered.status, answered.text.as_str()), (401, ""));
    assert_eq!(answered.header("www-authenticate"), "Basic realm=\"RabbitMQ Management\"");
    assert!(answered.header("allow").contains("GET"));
    // The version is nobody's secret.
    assert!(api.get("/api/version").is_string());
    assert_eq!(api.send("OPTIONS", "/api/overview", "", &[]).status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_are_refused_without_a_hint() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let wrong = refused(401, "not_authorized", "Not_Authorized");
    for (name, password) in [("guest", "wrong"), ("nobody", "guest"), ("", "guest")] {
        let answered = api.clone().log_in(name, password).send("GET", "/api/overview", "", &[]);
        assert_eq!((answered.status, answered.json()), wrong, "{name}");
        assert_eq!(answered.header("www-authenticate"), "");
    }
    let get = |login: &str| api.clone().authorized_by(Some(login)).send("GET", "/api/overview", "", &[]);
    assert_eq!((get("Bearer abc").status, get("Bearer abc").json()), wrong);
    assert_eq!(get("Digest username=\"x\"").status, 401);
    assert_eq!(get("Basic ???").status, 400);
    assert_eq!(get("Basic Z3Vlc3Q=").status, 400);
    assert_eq!(get("basic Z3Vlc3Q6Z3Vlc3Q=").status, 200);
}

/// A browser sends the credentials of its user along with what pages of others ask for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_site_changes_nothing() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (api, name) = (broker.http(), broker.name("q"));
    let path = format!("/api/queues/%2F/{name}");
    for headers in [[("origin", "http://evil.example")], [("sec-fetch-site", "cross-site")]] {
        assert_eq!(api.send("PUT", &path, "{}", &headers).status, 401);
        assert_eq!(api.send("GET", "/api/overview", "", &headers).status, 200);
    }
    assert_eq!(api.send("PUT", &path, "{}", &[("origin", "http://localhost")]).status, 201);
}
