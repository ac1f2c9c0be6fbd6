//! The management pages, as a browser gets them.

use crate::broker::TestBroker;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_page_needs_no_credentials_and_is_asked_for_each_time() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let page = api.send("GET", "/", "", &[]);
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert_eq!(page.header("cache-control"), "no-cache");
    assert!(page.text.contains("<title>Leveret</title>"), "{}", page.text);
    assert_eq!(api.send("GET", "/index.html", "", &[]).text, page.text);
    let head = api.send("HEAD", "/", "", &[]);
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    assert_eq!(api.send("POST", "/", "", &[]).status, 405);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_may_run_only_what_comes_from_the_broker() {
    let broker = TestBroker::with_http().await;
    let policy = broker.http().send("GET", "/", "", &[]).header("content-security-policy").to_owned();
    for rule in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_with_a_hash_in_their_name_are_kept_for_ever_and_come_compressed() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let index = api.send("GET", "/", "", &[]).text;
    let script = index.split('"').find(|part| part.starts_with("./assets/") && part.ends_with(".js"));
    let script = script.unwrap_or_else(|| panic!("no script in {index}")).trim_start_matches('.');
    let plain = api.send("GET", script, "", &[]);
    assert_eq!((plain.status, plain.header("content-type")), (200, "text/javascript; charset=utf-8"));
    assert_eq!(plain.header("cache-control"), "public, max-age=31536000, immutable");
    let etag = plain.header("etag").to_owned();
    let known = api.send("GET", script, "", &[("if-none-match", &etag)]);
    assert_eq!((known.status, known.text.as_str()), (304, ""));
    assert_eq!(api.send("GET", script, "", &[("if-none-match", "\"other\"")]).status, 200);
    let packed = api.send("HEAD", script, "", &[("accept-encoding", "gzip")]);
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert_eq!(api.send("GET", "/assets/nothing.js", "", &[]).status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_and_the_command_line_are_told_where_rabbitmq_tells_them() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    for (from, to) in [
        ("/api", "/api/index.html"),
        ("/api/", "/api/index.html"),
        ("/doc/stats.html", "/api/index.html"),
        ("/cli", "/cli/index.html"),
        ("/cli/", "/cli/index.html"),
    ] {
        let moved = api.send("GET", from, "", &[]);
        assert_eq!((moved.status, moved.header("location")), (301, to), "{from}");
        let page = api.send("GET", to, "", &[]);
        assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"), "{to}");
        assert!(page.header("content-security-policy").contains("script-src 'self'"), "{to}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rabbitmqadmin_that_guides_download_runs_leveret_or_says_where_it_is() {
    let broker = TestBroker::with_http().await;
    let script = broker.http().send("GET", "/cli/rabbitmqadmin", "", &[]);
    assert_eq!((script.status, script.header("content-type")), (200, "application/x-sh"));
    let run = |program: &str| {
        let mut sh = std::process::Command::new("sh");
        sh.args(["-c", &script.text, "rabbitmqadmin", "--help"]).env("LEVERET", program).output().unwrap()
    };
    let found = run(env!("CARGO_BIN_EXE_leveret"));
    assert!(found.status.success(), "{found:?}");
    assert!(String::from_utf8_lossy(&found.stdout).contains("list"), "{found:?}");
    let missing = run("/nowhere/leveret");
    assert_eq!(missing.status.code(), Some(127));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("docker exec"), "{missing:?}");
}
