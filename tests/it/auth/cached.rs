//! Answers of a backend that are remembered for all connections.

use super::LOGIN_REFUSED;
use super::web::Web;
use crate::client::{Connect, queue};
use crate::process::Program;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_allowed_is_not_asked_again() {
    let web =
        Web::start(|asked| (200, if asked.query.contains("password=wrong") { "deny" } else { "allow" }.to_owned()));
    let paths: Vec<_> = ["user", "vhost", "resource", "topic"]
        .iter()
        .flat_map(|path| [format!("--auth-http-{path}-path"), web.address(&format!("/{path}"))])
        .collect();
    let mut arguments = vec![
        "--in-memory",
        "--auth-backends",
        "cache",
        "--auth-cache-cached-backend",
        "http",
        "--auth-cache-cache-ttl",
        "1h",
    ];
    arguments.extend(paths.iter().map(String::as_str));
    let program = Program::start("cached", &arguments);
    for _ in 0..3 {
        let connection = Connect::to(program.address()).user("anna", "right").open().await;
        connection.channel(1).await.declare(queue("q")).await;
        connection.close().await;
    }
    // Once to log in, and once to find out what it may do.
    assert_eq!(web.asked("/user").len(), 2, "{:?}", web.asked("/user"));
    assert_eq!((web.asked("/vhost").len(), web.asked("/resource").len()), (1, 1));
    for asked in 3..5 {
        let wrong = Connect::to(program.address()).user("anna", "wrong").start().await;
        wrong.expect_close(403, LOGIN_REFUSED, (0, 0)).await;
        assert_eq!(web.asked("/user").len(), asked, "a refusal is not remembered");
    }
}
